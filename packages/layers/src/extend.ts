/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/layers`). */
export { Graph } from './base/graph.js';
export type { VariableSpec } from './base/layer.js';
export { maskOf, withMask } from './base/masks.js';
export { Call, Operation } from './base/operation.js';
export type { Data, PartialShape, Spec, Symbolic, Values } from './base/symbolic.js';
export { withValues } from './base/variable.js';
export * from './losses/extend.js';
export * from './metrics/extend.js';
export { fromKerasNames, toKerasNames } from './saving/keras-names.js';
export {
  type AnyModel,
  describeModel,
  type FromModelFileOptions,
  modelFromFile,
  type ToModelFileOptions,
  toModelFile,
} from './saving/model-file.js';
export { withoutRecordedMasks } from './saving/recorded-masks.js';
export {
  assignLayerWeights,
  assignWeights,
  inFormerOrder,
  layerWeightsToFile,
  weightsToFile,
} from './saving/weights.js';
export { layerClasses, sequentialFromConfig } from './serialize.js';
export { type LayerShapes, shapesOf } from './shapes.js';
export { HOOKS, type Hook } from './training/callback.js';
export { formatDuration } from './training/callbacks/progress.js';
export { ModelOptimizer } from './training/model-optimizer.js';
export { type Snapshot, TrainState } from './training/state.js';
