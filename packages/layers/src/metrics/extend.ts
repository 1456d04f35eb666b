export * from './direction.js';
export { findLogName, type NamedMetric, nameMetrics, prefixed } from './naming.js';
export { deserializeMetric, resolveMetric, serializeMetric } from './resolve.js';
