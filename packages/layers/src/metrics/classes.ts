/**
 * The metrics that can be made without options: what stands here is exported, known by the name of its class (`AUC`: `auc`,
 * `HingeMetric`: `hinge`), read from data, and replayed against Keras.
 */
export {
  accuracy,
  BinaryAccuracy,
  binaryAccuracy,
  CategoricalAccuracy,
  categoricalAccuracy,
  SparseCategoricalAccuracy,
  SparseTopKCategoricalAccuracy,
  type SparseTopKOptions,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  TopKCategoricalAccuracy,
  topKCategoricalAccuracy,
} from './accuracy.js';
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
export { BinaryIoU, type BinaryIoUOptions } from './iou.js';
export * from './perplexity.js';
export * from './precision-recall.js';
export * from './probabilistic.js';
export * from './r2.js';
export * from './regression.js';
