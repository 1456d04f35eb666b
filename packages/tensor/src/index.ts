export * from './activations.js';
export type { DType, NumericArray, TypedArray } from './dtype.js';
export * from './errors.js';
export type { TensorJSON } from './internal/json.js';
export { tensorFromJSON } from './json.js';
export {
  averagePool1d,
  type Conv1dOptions,
  type Conv1dTransposeOptions,
  conv1d,
  conv1dTranspose,
  depthwiseConv1d,
  maxPool1d,
  type Padding,
  type Pool1dOptions,
} from './ops/convolution.js';
export * from './ops/creation.js';
export * from './ops/elementwise.js';
export * from './ops/linalg.js';
export * from './ops/reduction.js';
export * from './ops/shape.js';
export {
  binaryCrossentropy,
  type CrossentropyOptions,
  categoricalCrossentropy,
  layerNormalization,
  logSoftmax,
  softmax,
  sparseCategoricalCrossentropy,
} from './ops/softmax.js';
export {
  argsort,
  bincount,
  digitize,
  inTopK,
  oneHot,
  scatter,
  scatterUpdate,
  searchsorted,
  segmentMax,
  segmentSum,
  sort,
  take,
  takeAlongAxis,
  topK,
  unique,
} from './ops/sorting.js';
export type { ExtremumOptions, ReduceOptions, RunningOptions } from './primitives/reduce.js';
export type { NestedArray } from './primitives/view.js';
export {
  bernoulli,
  categorical,
  permutation,
  type RandomOptions,
  randomBits,
  randomInteger,
  randomKey,
  randomNormal,
  randomUniform,
  setSeed,
  splitKey,
  truncatedNormal,
} from './random.js';
export { type Registrable, registerSerializable } from './registry.js';
export type { SerializedFunction } from './serialized-function.js';
export { type Axes, broadcastShapes, type Shape } from './shape.js';
export { type NestedNumbers, scalar, Tensor, type TensorLike, tensor } from './tensor.js';
