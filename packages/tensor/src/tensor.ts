import {
  allocate,
  type DType,
  isFloating,
  type NumericArray,
  promoteTypes,
  type TypedArray,
  toFloating,
  weakNumberType,
} from './dtype.js';
import { DTypeError, ShapeError, TraceError, ValueError } from './errors.js';
import { formatArray } from './internal/format.js';
import { elementsToJSON, type TensorJSON } from './internal/json.js';
import { printedAs } from './internal/print.js';
import { describeValue } from './names.js';
import { copiedData, denseData, type NDArray, ndarray } from './ndarray.js';
import { checkOptions, type OptionTable } from './options.js';
import type { Primitive } from './primitive.js';
import { binary, select } from './primitives/binary.js';
import { gather } from './primitives/indexing.js';
import { matmul } from './primitives/matmul.js';
import {
  argmax,
  argmin,
  cumprod,
  cumsum,
  type ExtremumOptions,
  type ReduceName,
  type ReduceOptions,
  type RunningOptions,
  reduce,
  type ScanParams,
} from './primitives/reduce.js';
import { cast, stopGradient, unary } from './primitives/unary.js';
import { broadcastTo, type NestedArray, reshape, slice, toNested, transpose } from './primitives/view.js';
import {
  checkIntegers,
  checkRules,
  checkValue,
  countOrZero,
  dtype as dtypeRule,
  flag,
  integer,
  isNumber,
  type Rules,
} from './rules.js';
import {
  type Axes,
  checkShape,
  expectShape,
  formatShape,
  MAX_RANK,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
} from './shape.js';

/** What the operations accept beside tensors: numbers and booleans (weak, see `promoteTypes`), nested and typed arrays. */
export type TensorLike = Tensor | number | boolean | NumericArray | NestedNumbers;
/** Nested arrays of numbers or of booleans. */
export type NestedNumbers = readonly (number | boolean | NestedNumbers)[];

/**
 * A transformation that watches operations: differentiation, or the tracing of a compiled step. Values that it watches
 * carry it in their `trace`; an operation goes to the interpreter of the highest level among its inputs.
 */
export interface Interpreter {
  readonly level: number;
  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor[];
}

/** No options: the default of reductions, which are called most, and then have nothing to check. */
const NONE: ReduceOptions & ExtremumOptions = Object.freeze({});

let levels = 0;

/** The level of a transformation that begins now: higher than those in progress. */
export function nextLevel(): number {
  return ++levels;
}

/** The mark of a watched value; transformations extend it with what they remember. */
export interface Trace {
  readonly interpreter: Interpreter;
}

/**
 * An n-dimensional array: an immutable value, collected like any other object; there is nothing to dispose of.
 * Methods return new tensors (views where the elements stay the same) and never change their operands.
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  /** @internal Concrete elements; `null` for a value that a compiler traces. */
  readonly array: NDArray | null;
  /** @internal Set while a transformation watches this value. */
  readonly trace: Trace | null;

  #copy: TypedArray | null = null;

  /** @internal Use `tensor`, `zeros`, ... */
  constructor(shape: Shape, dtype: DType, array: NDArray | null, trace: Trace | null = null) {
    this.shape = shape;
    this.dtype = dtype;
    this.array = array;
    this.trace = trace;
  }

  /** The number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * The elements row-major, in the typed array of the dtype (booleans as 0 and 1). A copy, made when it is first read and then kept:
   * writing to it changes neither this tensor nor any other, nor a variable or model that it comes from.
   */
  get data(): NumericArray {
    this.#copy ??= copiedData(this.concrete('data'));
    return this.#copy;
  }

  /**
   * The elements as nested arrays (a bare number or boolean for a scalar): new ones each time. The type argument says how they are
   * nested, where that is known: `toArray<number[][]>()` of a matrix.
   */
  toArray<T extends NestedArray<number | boolean> = NestedArray<number | boolean>>(): T {
    return toNested(this.concrete('toArray')) as T;
  }

  /**
   * `{ dtype, shape, data }`, what `JSON.stringify` writes: elements row-major, `NaN`, infinities and -0 as strings, since JSON has no
   * such numbers. `tensorFromJSON` reads it back. A traced value is `{ dtype, shape }`: it has no elements yet.
   */
  toJSON(): TensorJSON | Omit<TensorJSON, 'data'> {
    const { dtype, shape, array } = this;
    return array === null || this.trace ? { dtype, shape } : { dtype, shape, data: elementsToJSON(array) };
  }

  /** The only element, as a number (a boolean is 0 or 1). Throws `ShapeError` unless there is exactly one. */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError(
        `item: expected a tensor of one element, received shape ${formatShape(this.shape)}. Use toArray().`,
      );
    return denseData(this.concrete('item'))[0]!;
  }

  /** NumPy-like text: rounded, aligned, truncated where long. Consoles print it, too. A traced value shows its shape and dtype alone. */
  toString(): string {
    return this.array && !this.trace
      ? formatArray(this.array)
      : `Tensor ${formatShape(this.shape)} ${this.dtype} (traced)`;
  }

  /** Writes {@link Tensor.toString} to the console. */
  print(): void {
    console.log(this.toString());
  }

  /** @internal The storage, or a `TraceError` for a value that has none. */
  concrete(operation: string): NDArray {
    if (this.array === null)
      throw new TraceError(
        `${operation}: expected a concrete tensor, received a traced value of shape ${formatShape(this.shape)}. Data cannot be read inside a compiled function: return the tensor, or use where / select.`,
      );
    return this.array;
  }

  // ---------------------------------------------------------------- element-wise, one argument
  /** -x */
  neg(): Tensor {
    return apply1(unary.neg, this);
  }
  /** |x|, gradient 0 at 0 */
  abs(): Tensor {
    return apply1(unary.abs, this);
  }
  /** -1, 0 or 1 */
  sign(): Tensor {
    return apply1(unary.sign, this);
  }
  /** x^2 */
  square(): Tensor {
    return apply1(unary.square, this);
  }
  /** max(x, 0), gradient 0 at 0 */
  relu(): Tensor {
    return apply1(unary.relu, this);
  }
  /** The integer below */
  floor(): Tensor {
    return apply1(unary.floor, this);
  }
  /** The integer above */
  ceil(): Tensor {
    return apply1(unary.ceil, this);
  }
  /** Rounded to `decimals` places (to integers by default), halves to even */
  round(decimals = 0): Tensor {
    checkValue('round', 'the decimals', decimals, integer);
    if (decimals === 0) return apply1(unary.round, this);
    const scale = 10 ** decimals;
    return apply1(unary.round, this.mul(scale)).div(scale);
  }
  /** e^x */
  exp(): Tensor {
    return apply1(unary.exp, this);
  }
  /** e^x - 1, accurate near 0 */
  expm1(): Tensor {
    return apply1(unary.expm1, this);
  }
  /** Natural logarithm */
  log(): Tensor {
    return apply1(unary.log, this);
  }
  /** log(1 + x), accurate near 0 */
  log1p(): Tensor {
    return apply1(unary.log1p, this);
  }
  /** Square root */
  sqrt(): Tensor {
    return apply1(unary.sqrt, this);
  }
  /** 1 / sqrt(x) */
  rsqrt(): Tensor {
    return apply1(unary.rsqrt, this);
  }
  /** 1 / x */
  reciprocal(): Tensor {
    return apply1(unary.reciprocal, this);
  }
  /** Sine of radians */
  sin(): Tensor {
    return apply1(unary.sin, this);
  }
  /** Cosine of radians */
  cos(): Tensor {
    return apply1(unary.cos, this);
  }
  /** Hyperbolic sine */
  sinh(): Tensor {
    return apply1(unary.sinh, this);
  }
  /** Hyperbolic cosine */
  cosh(): Tensor {
    return apply1(unary.cosh, this);
  }
  /** Hyperbolic tangent */
  tanh(): Tensor {
    return apply1(unary.tanh, this);
  }
  /** 1 / (1 + e^-x) */
  sigmoid(): Tensor {
    return apply1(unary.sigmoid, this);
  }
  /** log(1 + e^x) */
  softplus(): Tensor {
    return apply1(unary.softplus, this);
  }
  /** The error function */
  erf(): Tensor {
    return apply1(unary.erf, this);
  }
  /** x P(X <= x) for standard normal X */
  gelu(): Tensor {
    return apply1(unary.gelu, this);
  }
  /** x = 0, element by element */
  logicalNot(): Tensor {
    return apply1(unary.logicalNot, this);
  }
  /** The integer towards zero */
  trunc(): Tensor {
    return apply1(unary.trunc, this);
  }
  /** 2^x */
  exp2(): Tensor {
    return apply1(unary.exp2, this);
  }
  /** Base-2 logarithm */
  log2(): Tensor {
    return apply1(unary.log2, this);
  }
  /** Base-10 logarithm */
  log10(): Tensor {
    return apply1(unary.log10, this);
  }
  /** Cube root */
  cbrt(): Tensor {
    return apply1(unary.cbrt, this);
  }
  /** Tangent of radians */
  tan(): Tensor {
    return apply1(unary.tan, this);
  }
  /** Inverse sine, in radians */
  asin(): Tensor {
    return apply1(unary.asin, this);
  }
  /** Inverse cosine, in radians */
  acos(): Tensor {
    return apply1(unary.acos, this);
  }
  /** Inverse tangent, in radians */
  atan(): Tensor {
    return apply1(unary.atan, this);
  }
  /** Inverse hyperbolic sine */
  asinh(): Tensor {
    return apply1(unary.asinh, this);
  }
  /** Inverse hyperbolic cosine */
  acosh(): Tensor {
    return apply1(unary.acosh, this);
  }
  /** Inverse hyperbolic tangent */
  atanh(): Tensor {
    return apply1(unary.atanh, this);
  }
  /** The inverse of erf, on (-1, 1) */
  erfinv(): Tensor {
    return apply1(unary.erfinv, this);
  }
  /** Is it NaN? */
  isnan(): Tensor {
    return apply1(unary.isnan, this);
  }
  /** Is it an infinity? */
  isinf(): Tensor {
    return apply1(unary.isinf, this);
  }
  /** Is it neither NaN nor an infinity? */
  isfinite(): Tensor {
    return apply1(unary.isfinite, this);
  }
  /** The identity, through which no gradient flows. */
  stopGradient(): Tensor {
    return apply1(stopGradient, this);
  }
  /** Conversion to another dtype: floats to int32 truncate towards zero, what is beyond its range becomes its end, NaN 0; all but 0 is true */
  cast(dtype: DType): Tensor {
    return dtype === this.dtype ? this : bind(cast, [this], { dtype })[0]!;
  }

  // ---------------------------------------------------------------- element-wise, two arguments, broadcasting
  /** x + y */
  add(other: TensorLike): Tensor {
    return apply2(binary.add, this, other);
  }
  /** x - y */
  sub(other: TensorLike): Tensor {
    return apply2(binary.sub, this, other);
  }
  /** x * y */
  mul(other: TensorLike): Tensor {
    return apply2(binary.mul, this, other);
  }
  /** x / y, floating even for integers */
  div(other: TensorLike): Tensor {
    return apply2(binary.div, this, other);
  }
  /** x^y */
  pow(other: TensorLike): Tensor {
    return apply2(binary.pow, this, other);
  }
  /** Remainder with the sign of the divisor (Python) */
  mod(other: TensorLike): Tensor {
    return apply2(binary.mod, this, other);
  }
  /** floor(x / y) */
  floorDivide(other: TensorLike): Tensor {
    return apply2(binary.floorDivide, this, other);
  }
  /** x / y, 0 where y = 0 */
  divideNoNan(other: TensorLike): Tensor {
    return apply2(binary.divideNoNan, this, other);
  }
  /** The larger one; NaN if either is */
  maximum(other: TensorLike): Tensor {
    return apply2(binary.maximum, this, other);
  }
  /** The smaller one; NaN if either is */
  minimum(other: TensorLike): Tensor {
    return apply2(binary.minimum, this, other);
  }
  /** x = y */
  equal(other: TensorLike): Tensor {
    return apply2(binary.equal, this, other);
  }
  /** x != y */
  notEqual(other: TensorLike): Tensor {
    return apply2(binary.notEqual, this, other);
  }
  /** x < y */
  less(other: TensorLike): Tensor {
    return apply2(binary.less, this, other);
  }
  /** x <= y */
  lessEqual(other: TensorLike): Tensor {
    return apply2(binary.lessEqual, this, other);
  }
  /** x > y */
  greater(other: TensorLike): Tensor {
    return apply2(binary.greater, this, other);
  }
  /** x >= y */
  greaterEqual(other: TensorLike): Tensor {
    return apply2(binary.greaterEqual, this, other);
  }
  /** Both true */
  logicalAnd(other: TensorLike): Tensor {
    return apply2(binary.logicalAnd, this, other);
  }
  /** Either true */
  logicalOr(other: TensorLike): Tensor {
    return apply2(binary.logicalOr, this, other);
  }
  /** Exactly one true */
  logicalXor(other: TensorLike): Tensor {
    return apply2(binary.logicalXor, this, other);
  }

  /** The angle of the point (x, this): atan2(this, x), in radians */
  atan2(x: TensorLike): Tensor {
    return apply2(binary.atan2, this, x);
  }
  /** log(e^x + e^y), without overflow */
  logaddexp(other: TensorLike): Tensor {
    return apply2(binary.logaddexp, this, other);
  }

  /** For a boolean tensor: `a` where it is true, `b` where not (broadcasting; dtypes promoted). */
  select(a: TensorLike, b: TensorLike): Tensor {
    const [x, y] = promote(a, b);
    return bind(select, [this, x, y], null)[0]!;
  }

  /** min(max(x, low), high); the gradient passes where low <= x <= high. Either bound may be `null`. */
  clip(low: TensorLike | null, high: TensorLike | null): Tensor {
    let x: Tensor = this;
    if (low !== null) x = x.maximum(low);
    return high === null ? x : x.minimum(high);
  }

  // ---------------------------------------------------------------- reductions
  /** Sum over axes (all by default). Accumulated in float64, rounded once. */
  sum(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return applyReduce('sum', this, axis, options);
  }
  /** Product over axes. */
  prod(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return applyReduce('prod', this, axis, options);
  }
  /** Largest element; the gradient is shared equally among ties. */
  max(axis?: Axes, options: ExtremumOptions = NONE): Tensor {
    return applyExtremum('max', this, axis, options);
  }
  /** Smallest element; the gradient is shared equally among ties. */
  min(axis?: Axes, options: ExtremumOptions = NONE): Tensor {
    return applyExtremum('min', this, axis, options);
  }
  /** Is any element true? */
  any(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return applyReduce('any', this, axis, options);
  }
  /** How many elements are not 0. int32. */
  countNonzero(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return applyReduce('sum', this.notEqual(0).cast('int32'), axis, options, 'countNonzero');
  }
  /** Are all elements true? */
  all(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return applyReduce('all', this, axis, options);
  }

  /** Arithmetic mean over axes (all by default), floating; NaN of an empty set. */
  mean(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return meanOf(this.cast(toFloating(this.dtype)), axis, keepDimsOf(options, 'mean'));
  }

  /** Population variance over axes: mean((x - mean(x))^2). */
  variance(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    const keepDims = keepDimsOf(options, 'variance');
    const x = this.cast(toFloating(this.dtype));
    return meanOf(x.sub(meanOf(x, axis, true)).square(), axis, keepDims);
  }

  /** Population standard deviation over axes. Where it is 0, so is its gradient (PyTorch). */
  std(axis?: Axes, options: ReduceOptions = NONE): Tensor {
    return rootAboveZero(this.variance(axis, options), (v) => v.sqrt());
  }

  /** Index of the first largest element along `axis`, or in the flattened tensor. int32. */
  argmax(axis?: number | null, options: ReduceOptions = NONE): Tensor {
    return applyArg(argmax, this, axis, options);
  }

  /** Index of the first smallest element along `axis`, or in the flattened tensor. int32. */
  argmin(axis?: number | null, options: ReduceOptions = NONE): Tensor {
    return applyArg(argmin, this, axis, options);
  }

  /** Running sum along an axis, or of the flattened tensor (`null`): y_t = x_1 + ... + x_t; `exclusive` leaves x_t out, `reverse` runs from the end. */
  cumsum(axis: number | null = null, options: RunningOptions = {}): Tensor {
    return applyRunning(cumsum, this, axis, options);
  }

  /** Running product along an axis, with the options of {@link Tensor.cumsum}. */
  cumprod(axis: number | null = null, options: RunningOptions = {}): Tensor {
    return applyRunning(cumprod, this, axis, options);
  }

  // ---------------------------------------------------------------- products
  /**
   * Matrix product with NumPy's rules: [..., m, k] x [..., k, n] -> [..., m, n], leading axes broadcast; a vector at the
   * left is a row, at the right a column, and its axis is dropped from the result.
   */
  matmul(other: TensorLike): Tensor {
    const [a, b] = promote(this, other);
    if (a.rank === 0 || b.rank === 0)
      throw new ShapeError('matmul: expected vectors or matrices, received a scalar. Use mul.');
    let y = bind(matmul, [a.rank === 1 ? a.expandDims(0) : a, b.rank === 1 ? b.expandDims(1) : b], null)[0]!;
    if (b.rank === 1) y = y.squeeze(-1);
    return a.rank === 1 ? y.squeeze(b.rank === 1 ? -1 : -2) : y;
  }

  // ---------------------------------------------------------------- shape
  /** The same elements under another shape; one size may be -1 and is then worked out. A view where possible. */
  reshape(shape: Shape): Tensor {
    expectShape(shape, 'reshape');
    const unknown = shape.indexOf(-1);
    let full: Shape = [...shape];
    if (unknown >= 0) {
      const known = sizeOf(shape.filter((_, i) => i !== unknown));
      if (shape.indexOf(-1, unknown + 1) >= 0 || known === 0 || this.size % known !== 0)
        throw new ShapeError(
          `reshape: expected at most one -1 and sizes that divide ${this.size} elements, received ${formatShape(shape)} for ${formatShape(this.shape)}`,
        );
      full = shape.map((d, i) => (i === unknown ? this.size / known : d));
    }
    if (sameShape(full, this.shape)) return this;
    checkShape(full, 'reshape');
    return bind(reshape, [this], { shape: full })[0]!;
  }

  /** Axes in the order of `permutation` (reversed by default). A view. */
  transpose(permutation?: readonly number[] | null): Tensor {
    if (permutation !== undefined && permutation !== null) checkIntegers('transpose', 'the axes', permutation);
    const order = permutation
      ? permutation.map((axis) => normalizeAxis(axis, this.rank, 'transpose'))
      : this.shape.map((_, i) => this.rank - 1 - i);
    return order.every((axis, i) => axis === i) && order.length === this.rank
      ? this
      : bind(transpose, [this], { permutation: order })[0]!;
  }

  /** Two axes exchanged. A view. */
  swapaxes(a: number, b: number): Tensor {
    const i = normalizeAxis(a, this.rank, 'swapaxes');
    const j = normalizeAxis(b, this.rank, 'swapaxes');
    return this.transpose(this.shape.map((_, k) => (k === i ? j : k === j ? i : k)));
  }

  /** One axis moved to another place, the others in order. A view. */
  moveaxis(source: number, destination: number): Tensor {
    const from = normalizeAxis(source, this.rank, 'moveaxis');
    const order = this.shape.map((_, i) => i).filter((i) => i !== from);
    order.splice(normalizeAxis(destination, this.rank, 'moveaxis'), 0, from);
    return this.transpose(order);
  }

  /** New axes of size 1, at these places of the result. */
  expandDims(axis: number | readonly number[]): Tensor {
    const axes = typeof axis === 'number' ? [axis] : axis;
    checkIntegers('expandDims', 'the axes', axes);
    const rank = this.rank + axes.length;
    const at = normalizeAxes(axes, rank, 'expandDims');
    let next = 0;
    return this.reshape(Array.from({ length: rank }, (_, i) => (at.includes(i) ? 1 : this.shape[next++]!)));
  }

  /** Without these axes of size 1 (all of them by default). */
  squeeze(axis?: Axes): Tensor {
    const all = axis === undefined || axis === null;
    const axes = all ? this.shape.flatMap((d, i) => (d === 1 ? [i] : [])) : normalizeAxes(axis, this.rank, 'squeeze');
    for (const a of axes)
      if (this.shape[a] !== 1)
        throw new ShapeError(`squeeze: expected size 1 along axis ${a}, received shape ${formatShape(this.shape)}`);
    return this.reshape(this.shape.filter((_, i) => !axes.includes(i)));
  }

  /** All elements along one axis. */
  flatten(): Tensor {
    return this.reshape([this.size]);
  }

  /** Repeated along axes of size 1 and new leading axes. A view. */
  broadcastTo(shape: Shape): Tensor {
    checkShape(shape, 'broadcastTo');
    return sameShape(shape, this.shape) ? this : bind(broadcastTo, [this], { shape: [...shape] })[0]!;
  }

  /** The inverse of broadcasting: summed down to `shape`. */
  sumToShape(shape: Shape): Tensor {
    expectShape(shape, 'sumToShape');
    if (sameShape(shape, this.shape)) return this;
    const lead = this.rank - shape.length;
    const axes = this.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
    return this.sum(axes, { keepDims: true }).reshape(shape);
  }

  /** Elements start <= i < start + size along one axis. A view. */
  narrow(axis: number, start: number, size: number): Tensor {
    const a = normalizeAxis(axis, this.rank, 'narrow');
    checkValue('narrow', 'the start', start, integer);
    checkValue('narrow', 'the size', size, integer);
    if (start < 0 || size < 0 || start + size > this.shape[a]!)
      throw new ShapeError(
        `narrow: expected a window inside of 0..${this.shape[a]} along axis ${a}, received start ${start}, size ${size}`,
      );
    if (start === 0 && size === this.shape[a]) return this;
    return bind(slice, [this], {
      start: this.shape.map((_, i) => (i === a ? start : 0)),
      size: this.shape.map((d, i) => (i === a ? size : d)),
      step: this.shape.map(() => 1),
    })[0]!;
  }

  /** `size` elements from `start` along every axis (a window without steps). A view. */
  slice(start: readonly number[], size: Shape): Tensor {
    checkIntegers('slice', 'the start', start, countOrZero);
    checkIntegers('slice', 'the size', size, countOrZero);
    if (start.length !== this.rank || size.length !== this.rank)
      throw new ShapeError(
        `slice: expected a start and a size for each of ${this.rank} axes, received ${formatShape(start)} and ${formatShape(size)}`,
      );
    return bind(slice, [this], { start: [...start], size: [...size], step: size.map(() => 1) })[0]!;
  }

  /** One index along one axis, which is dropped; negative counts from the end. A view. */
  at(index: number, axis = 0): Tensor {
    const a = normalizeAxis(axis, this.rank, 'at');
    const n = this.shape[a]!;
    const i = index < 0 ? index + n : index;
    if (!Number.isInteger(index) || i < 0 || i >= n)
      throw new ValueError(`at: expected an index in ${-n}..${n - 1} along axis ${a}, received ${index}`);
    return this.narrow(a, i, 1).reshape(this.shape.filter((_, k) => k !== a));
  }

  /** Reversed along axes (all by default). A view. */
  flip(axis?: Axes): Tensor {
    const axes = normalizeAxes(axis, this.rank, 'flip');
    return bind(slice, [this], {
      start: this.shape.map((d, i) => (axes.includes(i) && d > 0 ? d - 1 : 0)),
      size: this.shape,
      step: this.shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
    })[0]!;
  }

  /** Slices along an axis, by an integer tensor of any shape (NumPy's take). Out of range throws `ValueError`. */
  gather(indices: TensorLike, axis = 0): Tensor {
    const index = asTensor(indices, 'int32');
    if (index.dtype !== 'int32')
      throw new DTypeError(`gather: expected indices of dtype int32, received ${index.dtype}`);
    return bind(gather, [this, index], { axis: normalizeAxis(axis, this.rank, 'gather') })[0]!;
  }

  /** Slices along an axis, by indices of any shape (NumPy's take); `null` takes from the flattened tensor. */
  take(indices: TensorLike, axis: number | null = null): Tensor {
    return axis === null ? this.flatten().gather(indices, 0) : this.gather(indices, axis);
  }

  /** Each element repeated along an axis (or each of the flattened tensor). */
  repeat(repeats: number, axis: number | null = null): Tensor {
    checkValue('repeat', 'the repeats', repeats, countOrZero);
    const t = axis === null ? this.flatten() : this;
    const a = normalizeAxis(axis ?? 0, t.rank, 'repeat');
    const wide = t.expandDims(a + 1);
    return wide
      .broadcastTo(wide.shape.map((d, i) => (i === a + 1 ? repeats : d)))
      .reshape(t.shape.map((d, i) => (i === a ? d * repeats : d)));
  }

  /** Zeros of this shape and dtype. */
  zerosLike(): Tensor {
    return scalar(0, this.dtype).broadcastTo(this.shape);
  }

  /** Ones of this shape and dtype. */
  onesLike(): Tensor {
    return scalar(1, this.dtype).broadcastTo(this.shape);
  }
}

printedAs(Tensor, (x, nested) => (nested ? `[Tensor ${formatShape(x.shape)} ${x.dtype}]` : x.toString()));

/**
 * Applies a primitive: evaluated at once, or handed to the transformation that watches one of the inputs. Every
 * operation ends here.
 */
export function bind<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
  let top: Interpreter | null = null;
  for (const input of inputs) {
    const interpreter = input.trace?.interpreter;
    if (interpreter && (top === null || interpreter.level > top.level)) top = interpreter;
  }
  if (top) return top.process(primitive, inputs, params);
  const outputs = primitive.abstract(inputs, params);
  for (const output of outputs) if (output.shape.length > MAX_RANK) checkShape(output.shape, primitive.name);
  return primitive
    .evaluate(
      inputs.map((input) => input.concrete(primitive.name)),
      params,
      outputs,
    )
    .map((array) => new Tensor(array.shape, array.dtype, array));
}

/** Anything tensor-like as a tensor; JavaScript numbers become `dtype` (float32 by default), arrays float32 or bool. */
export function asTensor(value: TensorLike, dtype?: DType): Tensor {
  if (value instanceof Tensor) return value;
  if (typeof value === 'number') return scalar(value, dtype ?? 'float32');
  if (typeof value === 'boolean') return scalar(value ? 1 : 0, dtype ?? 'bool');
  return tensor(value, dtype === undefined ? {} : { dtype });
}

/** A number as an element of a dtype: booleans are 0 or 1. Throws `DTypeError` where int32 cannot hold it. */
export function elementOf(value: number, dtype: DType, operation: string): number {
  if (dtype === 'bool') return value === 0 ? 0 : 1;
  if (dtype === 'int32' && value !== (value | 0))
    throw new DTypeError(
      `${operation}: expected 32-bit integers for dtype int32, received ${value}. Round or cast first.`,
    );
  return value;
}

/** A scalar tensor. Throws `DTypeError` for a number that is no 32-bit integer with dtype int32. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  if (typeof value !== 'number') throw new DTypeError(`scalar: expected a number, received ${describeValue(value)}`);
  const data = allocate(dtype, 1);
  data[0] = elementOf(value, dtype, 'scalar');
  return new Tensor([], dtype, ndarray(dtype, [], data));
}

const TENSOR = { shape: true, dtype: true } satisfies OptionTable<{ shape: Shape; dtype: DType }>;

/**
 * A tensor from a number, a boolean, nested arrays or a typed array (which is copied), optionally under `shape`.
 * The dtype is that of a typed array, `bool` for booleans, else float32; `dtype` converts. Float32Array, Float64Array and
 * Int32Array keep their type; a Uint8Array is read as numbers of dtype int32 unless `dtype: 'bool'` is given.
 * Throws `ShapeError` where nested arrays are ragged, or `shape` does not fit; `DTypeError` where a number is no 32-bit
 * integer but int32 is asked for.
 */
export function tensor(values: TensorLike, options: { shape?: Shape; dtype?: DType } = {}): Tensor {
  checkOptions('tensor', options, TENSOR);
  if (options.dtype !== undefined) checkValue('tensor', 'dtype', options.dtype, dtypeRule);
  if (options.shape !== undefined) expectShape(options.shape, 'tensor');
  if (values instanceof Tensor) {
    const converted = options.dtype ? values.cast(options.dtype) : values;
    return options.shape ? converted.reshape(options.shape) : converted;
  }
  let flat: ArrayLike<number>;
  let shape: number[];
  let natural: DType;
  if (ArrayBuffer.isView(values)) {
    if (
      values instanceof DataView ||
      'BYTES_PER_ELEMENT' in values === false ||
      typeof (values as TypedArray)[0] === 'bigint'
    )
      throw new DTypeError(`tensor: expected a typed array of numbers, received ${describeValue(values)}`);
    flat = values as TypedArray;
    shape = [flat.length];
    natural = values instanceof Float32Array ? 'float32' : values instanceof Float64Array ? 'float64' : 'int32';
  } else {
    shape = [];
    for (let v: unknown = values; Array.isArray(v); v = v[0]) {
      shape.push(v.length);
      if (shape.length > MAX_RANK)
        throw new ShapeError(
          `tensor: expected at most ${MAX_RANK} nested arrays, received more. Does one contain itself?`,
        );
    }
    const out: number[] = [];
    let booleans = 0;
    const visit = (v: unknown, axis: number): void => {
      if (Array.isArray(v)) {
        if (axis >= shape.length || v.length !== shape[axis])
          throw new ShapeError(
            `tensor: expected nested arrays of one length at every depth, received ${v.length} elements where the first has ${shape[axis] ?? 'no depth'}. Pad sequences first (padSequences).`,
          );
        for (const element of v) visit(element, axis + 1);
      } else if (axis !== shape.length) {
        throw new ShapeError(
          `tensor: expected nested arrays of one depth, received a ${typeof v} at depth ${axis} of ${shape.length}`,
        );
      } else if (typeof v === 'number') out.push(v);
      else if (typeof v === 'boolean') {
        booleans++;
        out.push(v ? 1 : 0);
      } else throw new DTypeError(`tensor: expected numbers or booleans, received ${describeElement(v)}`);
    };
    visit(values, 0);
    flat = out;
    natural = booleans > 0 && booleans === out.length ? 'bool' : 'float32';
  }
  const dtype = options.dtype ?? natural;
  const data = allocate(dtype, flat.length);
  for (let i = 0; i < flat.length; i++) data[i] = elementOf(flat[i]!, dtype, 'tensor');
  const final = options.shape ?? shape;
  checkShape(
    final.map((d) => (d === -1 ? 0 : d)),
    'tensor',
  );
  return new Tensor([data.length], dtype, ndarray(dtype, [data.length], data)).reshape(final);
}

/** What stands where a number should, in the words of a message. */
function describeElement(value: unknown): string {
  if (typeof value === 'string') return 'string';
  const what = describeValue(value);
  return what === 'an instance of SymbolicTensor'
    ? `${what}, which has no values yet. In a graph of layers operations stand in a layer: new Lambda((x) => x.add(1)).apply(symbolic), or one of your own.`
    : what;
}

/** Two operands in one dtype, by the rule of `promoteTypes`. */
export function promote(a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  const weakA = typeof a === 'number';
  const weakB = typeof b === 'number';
  const x = weakA ? asTensor(a, weakB ? 'float32' : weakNumberType(a, dtypeOfLike(b))) : asTensor(a);
  const y = weakB ? asTensor(b, weakNumberType(b, x.dtype)) : asTensor(b);
  if (x.dtype === y.dtype) return [x, y];
  const dtype = promoteTypes(x.dtype, y.dtype);
  return [x.cast(dtype), y.cast(dtype)];
}

function dtypeOfLike(value: TensorLike): DType {
  return value instanceof Tensor ? value.dtype : asTensor(value).dtype;
}

function apply1(primitive: Primitive<null>, x: Tensor): Tensor {
  return bind(primitive, [x], null)[0]!;
}

function apply2(primitive: Primitive<null>, a: Tensor, b: TensorLike): Tensor {
  return bind(primitive, promote(a, b), null)[0]!;
}

function applyReduce(
  name: ReduceName,
  x: Tensor,
  axis: Axes,
  options: ReduceOptions,
  called: string = name,
  rules?: Rules<ReduceOptions>,
): Tensor {
  const keepDims = keepDimsOf(options, called, rules);
  return bind(reduce[name], [x], { axes: normalizeAxes(axis, x.rank, called), keepDims })[0]!;
}

function applyExtremum(name: 'max' | 'min', x: Tensor, axis: Axes, options: ExtremumOptions): Tensor {
  const y = applyReduce(name, x, axis, options, name, EXTREMUM);
  if (options.initial === undefined) return y;
  return name === 'max' ? y.maximum(options.initial) : y.minimum(options.initial);
}

function applyArg(
  primitive: Primitive<{ axis: number }>,
  x: Tensor,
  axis: number | null | undefined,
  options: ReduceOptions,
): Tensor {
  const keepDims = keepDimsOf(options, primitive.name);
  if (axis === null || axis === undefined) {
    const flat = bind(primitive, [x.flatten()], { axis: 0 })[0]!;
    return keepDims ? flat.reshape(x.shape.map(() => 1)) : flat;
  }
  const a = normalizeAxis(axis, x.rank, primitive.name);
  const y = bind(primitive, [x], { axis: a })[0]!;
  return keepDims ? y.expandDims(a) : y;
}

function applyRunning(
  primitive: Primitive<ScanParams>,
  x: Tensor,
  axis: number | null,
  options: RunningOptions,
): Tensor {
  checkRules(primitive.name, options, RUNNING);
  const { exclusive = false, reverse = false } = options;
  const from = axis === null ? x.flatten() : x;
  return bind(primitive, [from], { axis: normalizeAxis(axis ?? 0, from.rank, primitive.name), exclusive, reverse })[0]!;
}

const RUNNING = { exclusive: flag, reverse: flag } satisfies Rules<RunningOptions>;
/** @internal The rules of the options of reductions. */
export const REDUCE: Rules<ReduceOptions> = { keepDims: flag };
const EXTREMUM = { keepDims: flag, initial: isNumber } satisfies Rules<ExtremumOptions>;

/** The mean of a floating tensor. */
function meanOf(x: Tensor, axis: Axes, keepDims: boolean): Tensor {
  const axes = normalizeAxes(axis, x.rank, 'mean');
  const count = sizeOf(axes.map((a) => x.shape[a]!));
  return bind(reduce.sum, [x], { axes, keepDims })[0]!.div(count);
}

/** `keepDims` of the options of a reduction. Throws `ValueError` for a bare boolean, which other libraries take in their place. */
function keepDimsOf(options: ReduceOptions, operation: string, rules: Rules<ReduceOptions> = REDUCE): boolean {
  if (options === NONE) return false;
  if (typeof options !== 'object' || options === null)
    throw new ValueError(
      `${operation}: expected options such as { keepDims: true } after the axis, received ${describeValue(options)}`,
    );
  checkRules(operation, options, rules);
  return options.keepDims ?? false;
}

/**
 * @internal `root` of numbers >= 0, which keeps 0; there the gradient is 0 too, where that of a root would be infinite, and times the 0
 * that comes before it no number.
 */
export function rootAboveZero(x: Tensor, root: (x: Tensor) => Tensor): Tensor {
  const zero = x.equal(0);
  return zero.select(0, root(zero.select(1, x)));
}

/** Throws `DTypeError` unless `x` is floating. */
export function expectFloating(x: Tensor, operation: string): void {
  if (!isFloating(x.dtype))
    throw new DTypeError(
      `${operation}: expected a floating tensor (float32 or float64), received ${x.dtype}. Cast it first.`,
    );
}
