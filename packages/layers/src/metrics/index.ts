export * from './classes.js';
export * from './classes-by-options.js';
export { type MeanMetricOptions, MeanMetricWrapper, type MetricFunction } from './mean.js';
export { type Direction, Metric, type MetricConfig, type MetricOptions, type UpdateOptions } from './metric.js';
export type { MetricIdentifier, MetricName, SerializedMetric } from './resolve.js';
