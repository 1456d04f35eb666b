export * from './activations.js';
export { builtin } from './builtin.js';
export { type DType, isFloating, type NumericArray, promoteTypes, type TypedArray, toFloating } from './dtype.js';
export * from './errors.js';
export { indexMessage } from './internal/indices.js';
export { elementsToJSON, type JSONElement, type TensorJSON } from './internal/json.js';
export { printedAs } from './internal/print.js';
export { tensorFromJSON } from './json.js';
export {
  camelCase,
  closestName,
  describeValue,
  didYouMean,
  knownName,
  lookupByName,
  type SnakeCase,
} from './names.js';
export { broadcastStrides, denseData, isContiguous, type NDArray, ndarray } from './ndarray.js';
export * from './ops/convolution.js';
export * from './ops/creation.js';
export * from './ops/elementwise.js';
export { checkIds } from './ops/indices.js';
export * from './ops/linalg.js';
export * from './ops/reduction.js';
export * from './ops/shape.js';
export type { CrossentropyOptions } from './ops/softmax.js';
export {
  binaryCrossentropy,
  categoricalCrossentropy,
  EPSILON,
  layerNormalization,
  logSoftmax,
  softmax,
  sparseCategoricalCrossentropy,
} from './ops/softmax.js';
export * from './ops/sorting.js';
export { checkOptions, type OptionTable } from './options.js';
export * from './primitive.js';
export type { BinaryName } from './primitives/binary.js';
export type { CheckedIndicesParams } from './primitives/checked-indices.js';
export { allPrimitives, type NormalizeParams, type RandomParams } from './primitives/index.js';
export type { ExtremumOptions, ReduceName, ReduceOptions, ReduceParams, RunningOptions } from './primitives/reduce.js';
export type { UnaryName } from './primitives/unary.js';
export type { NestedArray, PadParams, SliceParams } from './primitives/view.js';
export * from './random.js';
export * as rules from './rules.js';
export { checkRules, checkValue, type Rule, type Rules, withDefaults } from './rules.js';
export {
  type Axes,
  broadcastShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  rowMajorStrides,
  type Shape,
  sameShape,
  sizeOf,
} from './shape.js';
export type { Interpreter, NestedNumbers, TensorLike, Trace } from './tensor.js';
export { asTensor, bind, expectFloating, nextLevel, promote, scalar, Tensor, tensor } from './tensor.js';
