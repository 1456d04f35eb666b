/**
 * The losses: what stands here is exported, known by the name of its class (`KLDivergence`: `klDivergence`), read from data, and replayed
 * against Keras.
 */
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
export * from './overlap.js';
export * from './regression.js';
