/** For those who write operations, layers and engines: what the packages share, beside what users call (`@recurra/tensor`). */
export { builtin } from './builtin.js';
export { concatenated } from './bytes.js';
export { describeActivation } from './describe-activation.js';
export { isFloating, promoteTypes, toFloating } from './dtype.js';
export { indexMessage } from './internal/indices.js';
export { elementsToJSON, type JSONElement } from './internal/json.js';
export { printedAs } from './internal/print.js';
export {
  camelCase,
  closestName,
  describeValue,
  didYouMean,
  isClassFunction,
  isRecord,
  knownName,
  lookupByName,
  type SnakeCase,
  snakeCase,
} from './names.js';
export { broadcastStrides, copiedData, denseData, isContiguous, type NDArray, ndarray } from './ndarray.js';
export { conv1dTransposeLength, paddingOf } from './ops/convolution.js';
export { checkIds } from './ops/indices.js';
export { EPSILON } from './ops/softmax.js';
export { isClass } from './ops/sorting.js';
export { checkOptions, type OptionTable } from './options.js';
export * from './primitive.js';
export type { BinaryName } from './primitives/binary.js';
export type { CheckedIndicesParams } from './primitives/checked-indices.js';
export {
  allPrimitives,
  type ConvolutionParams,
  type NormalizeParams,
  type PoolingParams,
  type RandomParams,
} from './primitives/index.js';
export type { ReduceName, ReduceParams } from './primitives/reduce.js';
export type { UnaryName } from './primitives/unary.js';
export type { PadParams, SliceParams } from './primitives/view.js';
export { nextKey, withKeys } from './random.js';
export { customNames, customObject, isRegistrable, registeredName, withCustomObjects } from './registry.js';
export * as rules from './rules.js';
export { checkRules, checkValue, type Rule, type Rules, withDefaults } from './rules.js';
export { checkSerialized, isSerialized, type Serialized } from './serialized.js';
export { isSerializedFunction } from './serialized-function.js';
export { formatShape, normalizeAxes, normalizeAxis, rowMajorStrides, sameShape, sizeOf } from './shape.js';
export { asTensor, bind, expectFloating, type Interpreter, nextLevel, promote, type Trace } from './tensor.js';
