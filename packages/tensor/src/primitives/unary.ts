import { allocate, type DType, expectDType, isFloating, type TypedArray, toFloating } from '../dtype.js';
import { erf, erfc, erfinv } from '../internal/special.js';
import { forEachRun, type NDArray, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive, type Sample } from '../primitive.js';
import type { Tensor } from '../tensor.js';

/** One run: reads `x[i], x[i + s], ...` and writes `n` results at `y[k], y[k + 1], ...`. */
type Loop = (x: TypedArray, i: number, s: number, y: TypedArray, k: number, n: number) => void;

interface Row {
  /** The whole loop, so that nothing is called per element. */
  readonly loop: Loop;
  /** Another loop for int32, where float64 arithmetic would not wrap as 32-bit integers do. */
  readonly int?: Loop;
  /** dx from the cotangent g, the input x and the output y; `null` where the derivative is zero everywhere. */
  readonly vjp: ((g: Tensor, x: Tensor, y: Tensor) => Tensor) | null;
  /** `same` keeps integers and booleans as they are; `float` (default) makes them float32; `bool` answers a question. */
  readonly result?: 'same' | 'float' | 'bool';
  /** Where samples are drawn. */
  readonly domain?: readonly [number, number];
}

const LN2 = Math.LN2;
const LN10 = Math.LN10;

/** Nearest integer, halves to even (IEEE, NumPy). */
function roundHalfEven(v: number): number {
  const r = Math.round(v);
  return r - v === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** Names of the element-wise functions of one argument. */
export type UnaryName =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'square'
  | 'relu'
  | 'floor'
  | 'ceil'
  | 'trunc'
  | 'round'
  | 'exp'
  | 'expm1'
  | 'exp2'
  | 'log'
  | 'log1p'
  | 'log2'
  | 'log10'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'cbrt'
  | 'sin'
  | 'cos'
  | 'tan'
  | 'asin'
  | 'acos'
  | 'atan'
  | 'sinh'
  | 'cosh'
  | 'tanh'
  | 'asinh'
  | 'acosh'
  | 'atanh'
  | 'sigmoid'
  | 'softplus'
  | 'erf'
  | 'erfinv'
  | 'gelu'
  | 'logicalNot'
  | 'isnan'
  | 'isinf'
  | 'isfinite';

// biome-ignore format: one operation a line
const ROWS: Record<UnaryName, Row> = {
  neg:        { result: 'same', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = -x[i]!; }, vjp: (g) => g.neg() },
  abs:        { result: 'same', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.abs(x[i]!); }, vjp: (g, x) => g.mul(x.sign()) },
  sign:       { result: 'same', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.sign(x[i]!); }, vjp: null },
  square:     { result: 'same', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = v * v; } },
                int: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = Math.imul(v, v); } }, vjp: (g, x) => g.mul(x.mul(2)) },
  relu:       { result: 'same', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = !(v < 0) ? v : 0; } }, vjp: (g, _x, y) => y.greater(0).select(g, g.zerosLike()) },
  floor:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.floor(x[i]!); }, vjp: null },
  ceil:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.ceil(x[i]!); }, vjp: null },
  trunc:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.trunc(x[i]!); }, vjp: null },
  round:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = roundHalfEven(x[i]!); }, vjp: null },
  exp:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.exp(x[i]!); }, vjp: (g, _x, y) => g.mul(y) },
  expm1:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.expm1(x[i]!); }, vjp: (g, x) => g.mul(x.exp()) },
  exp2:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = 2 ** x[i]!; }, vjp: (g, _x, y) => g.mul(y.mul(LN2)) },
  log:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.log(x[i]!); }, vjp: (g, x) => g.div(x), domain: [0.2, 3] },
  log1p:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.log1p(x[i]!); }, vjp: (g, x) => g.div(x.add(1)), domain: [-0.7, 3] },
  log2:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.log2(x[i]!); }, vjp: (g, x) => g.div(x.mul(LN2)), domain: [0.2, 3] },
  log10:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.log10(x[i]!); }, vjp: (g, x) => g.div(x.mul(LN10)), domain: [0.2, 3] },
  sqrt:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.sqrt(x[i]!); }, vjp: (g, _x, y) => g.div(y.mul(2)), domain: [0.2, 3] },
  rsqrt:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = 1 / Math.sqrt(x[i]!); }, vjp: (g, x, y) => g.mul(y.div(x).mul(-0.5)), domain: [0.2, 3] },
  reciprocal: { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = 1 / x[i]!; }, vjp: (g, _x, y) => g.mul(y.square().neg()), domain: [0.3, 3] },
  cbrt:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.cbrt(x[i]!); }, vjp: (g, _x, y) => g.div(y.square().mul(3)), domain: [0.2, 3] },
  sin:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.sin(x[i]!); }, vjp: (g, x) => g.mul(x.cos()) },
  cos:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.cos(x[i]!); }, vjp: (g, x) => g.mul(x.sin().neg()) },
  tan:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.tan(x[i]!); }, vjp: (g, _x, y) => g.mul(y.square().add(1)), domain: [-1, 1] },
  asin:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.asin(x[i]!); }, vjp: (g, x) => g.mul(x.square().neg().add(1).rsqrt()), domain: [-0.8, 0.8] },
  acos:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.acos(x[i]!); }, vjp: (g, x) => g.mul(x.square().neg().add(1).rsqrt().neg()), domain: [-0.8, 0.8] },
  atan:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.atan(x[i]!); }, vjp: (g, x) => g.div(x.square().add(1)) },
  sinh:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.sinh(x[i]!); }, vjp: (g, x) => g.mul(x.cosh()) },
  cosh:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.cosh(x[i]!); }, vjp: (g, x) => g.mul(x.sinh()) },
  tanh:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.tanh(x[i]!); }, vjp: (g, _x, y) => g.mul(y.square().neg().add(1)) },
  asinh:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.asinh(x[i]!); }, vjp: (g, x) => g.mul(x.square().add(1).rsqrt()) },
  acosh:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.acosh(x[i]!); }, vjp: (g, x) => g.mul(x.square().sub(1).rsqrt()), domain: [1.2, 3] },
  atanh:      { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = Math.atanh(x[i]!); }, vjp: (g, x) => g.div(x.square().neg().add(1)), domain: [-0.8, 0.8] },
  sigmoid:    { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = 1 / (1 + Math.exp(-x[i]!)); }, vjp: (g, _x, y) => g.mul(y.mul(y.neg().add(1))) },
  softplus:   { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))); } }, vjp: (g, x) => g.mul(x.sigmoid()) },
  erf:        { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = erf(x[i]!); }, vjp: (g, x) => g.mul(x.square().neg().exp().mul(2 / Math.sqrt(Math.PI))) },
  erfinv:     { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = erfinv(x[i]!); }, vjp: (g, _x, y) => g.mul(y.square().exp().mul(Math.sqrt(Math.PI) / 2)), domain: [-0.8, 0.8] },
  gelu:       { loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = v === -Infinity ? -0 : 0.5 * v * erfc(v * -Math.SQRT1_2); } }, vjp: (g, x) => g.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5).add(x.mul(x.square().mul(-0.5).exp()).mul(Math.sqrt(0.5 / Math.PI)))) },
  logicalNot: { result: 'bool', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) y[k++] = x[i] === 0 ? 1 : 0; }, vjp: null },
  isnan:      { result: 'bool', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = Number.isNaN(v) ? 1 : 0; } }, vjp: null },
  isinf:      { result: 'bool', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = v === Infinity || v === -Infinity ? 1 : 0; } }, vjp: null },
  isfinite:   { result: 'bool', loop: (x, i, s, y, k, n) => { for (; n > 0; n--, i += s) { const v = x[i]!; y[k++] = v - v === 0 ? 1 : 0; } }, vjp: null },
};

function resultType(row: Row, dtype: DType): DType {
  if (row.result === 'bool') return 'bool';
  if (row.result === 'same') return dtype === 'bool' ? 'int32' : dtype;
  return toFloating(dtype);
}

/** Evaluates a loop over a strided input into a fresh dense output. */
function mapLoop(a: NDArray, dtype: DType, loop: Loop): NDArray {
  let size = 1;
  for (const d of a.shape) size *= d;
  const out = allocate(dtype, size);
  forEachRun(a, (start, stride, at, length) => loop(a.data, start, stride, out, at, length));
  return ndarray(dtype, a.shape, out);
}

function define(name: string, row: Row): Primitive<null> {
  const [low, high] = row.domain ?? [-2, 2];
  const samples: Sample<null>[] = [[2, 3], [], [0, 2], [4]].map((shape) => ({
    inputs: [{ shape, low, high }],
    params: null,
  }));
  const vjp = row.vjp;
  return definePrimitive<null>({
    name,
    abstract: ([x]) => [{ shape: x!.shape, dtype: resultType(row, x!.dtype) }],
    evaluate: ([x], _params, [out]) => {
      const from = row.result ? x! : floatingArray(x!);
      return [mapLoop(from, out!.dtype, out!.dtype === 'int32' && row.int ? row.int : row.loop)];
    },
    vjp: vjp && (({ inputs, outputs, cotangents }) => [vjp(cotangents[0]!, inputs[0]!, outputs[0]!)]),
    samples,
  });
}

/** Element-wise functions of one argument. */
export const unary: Record<UnaryName, Primitive<null>> = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, define(name, row)]),
) as Record<UnaryName, Primitive<null>>;

const copyLoop: Loop = (x, i, s, y, k, n) => {
  for (; n > 0; n--, i += s) y[k++] = x[i]!;
};
/** What is beyond the range becomes its end, NaN becomes 0: as the instruction of WebAssembly does, and JAX. */
const integerLoop: Loop = (x, i, s, y, k, n) => {
  for (; n > 0; n--, i += s) {
    y[k++] = Math.max(-2147483648, Math.min(x[i]!, 2147483647));
  }
};
const truthLoop: Loop = (x, i, s, y, k, n) => {
  for (; n > 0; n--, i += s) y[k++] = x[i] === 0 ? 0 : 1;
};

const CAST_LOOPS: Readonly<Record<DType, Loop>> = {
  float32: copyLoop,
  float64: copyLoop,
  int32: integerLoop,
  bool: truthLoop,
};

/** Integers and booleans in the float32 that a floating result is computed from (JAX, PyTorch); floats as they are. */
export function floatingArray(x: NDArray): NDArray {
  return isFloating(x.dtype) ? x : mapLoop(x, 'float32', copyLoop);
}

/**
 * Conversion of the dtype. Floats to int32 truncate towards zero; beyond its range they become its ends, NaN becomes 0 (JAX). Anything
 * that is not 0 (NaN included) is true.
 */
export const cast: Primitive<{ dtype: DType }> = definePrimitive<{ dtype: DType }>({
  name: 'cast',
  abstract: ([x], { dtype }) => {
    // Here, since compiled steps allocate nothing that would refuse it.
    expectDType(dtype, 'cast');
    return [{ shape: x!.shape, dtype }];
  },
  evaluate: ([x], { dtype }) => [x!.dtype === dtype ? x! : mapLoop(x!, dtype, CAST_LOOPS[dtype])],
  vjp: ({ inputs, cotangents, params }) => {
    const from = inputs[0]!.dtype;
    return [isFloating(from) && isFloating(params.dtype) ? cotangents[0]!.cast(from) : null];
  },
  samples: [{ inputs: [{ shape: [2, 3] }], params: { dtype: 'float64' } }],
});

/** The identity, through which no gradient flows. */
export const stopGradient: Primitive<null> = definePrimitive<null>({
  name: 'stopGradient',
  abstract: ([x]) => [x!],
  evaluate: ([x]) => [x!],
  vjp: null,
  samples: [{ inputs: [{ shape: [3] }], params: null }],
});
