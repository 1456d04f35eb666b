export * from './accuracy.js';
export * from './auc.js';
export * from './correlation.js';
export {
  type CountOptions,
  FalseNegatives,
  FalsePositives,
  type ThresholdOptions,
  TrueNegatives,
  TruePositives,
} from './counting.js';
export * from './fscore.js';
export * from './hinge.js';
export * from './iou.js';
export { Mean, type MeanMetricOptions, MeanMetricWrapper, type MetricFunction, Sum } from './mean.js';
export { type Direction, Metric, type MetricConfig, type MetricOptions, type UpdateOptions } from './metric.js';
export * from './operating-point.js';
export * from './perplexity.js';
export * from './precision-recall.js';
export * from './probabilistic.js';
export * from './r2.js';
export * from './regression.js';
export type { MetricIdentifier, MetricName, SerializedMetric } from './resolve.js';
