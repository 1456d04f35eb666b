export type { ClassWeights } from './alignment.js';
export { Circle, type CircleOptions, circle } from './circle.js';
export {
  BinaryCrossentropy,
  binaryCrossentropy,
  CategoricalCrossentropy,
  type CrossentropyFunctionOptions,
  type CrossentropyLossOptions,
  categoricalCrossentropy,
  SparseCategoricalCrossentropy,
  type SparseCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from './crossentropy.js';
export { CTC, ctc } from './ctc.js';
export { KLDivergence, klDivergence, Poisson, poisson } from './divergence.js';
export * from './focal.js';
export * from './hinge.js';
export { Loss, type LossConfig, type LossOptions, type LossWeights, type Reduction } from './loss.js';
export * from './overlap.js';
export * from './regression.js';
export { type LossIdentifier, type LossName, losses, type SerializedLoss } from './resolve.js';
