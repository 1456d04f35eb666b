import { allocate, type DType, type TypedArray, toFloating } from '../dtype.js';
import { DTypeError, ValueError } from '../errors.js';
import { broadcastStrides, forEachRun2, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive, type Sample } from '../primitive.js';
import { broadcastShapes, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { floatingArray } from './unary.js';

/** One run of two strided inputs `a` and `b` into `n` dense results at `y[k]`. */
type Loop = (
  a: TypedArray,
  i: number,
  s: number,
  b: TypedArray,
  j: number,
  t: number,
  y: TypedArray,
  k: number,
  n: number,
) => void;

interface Row {
  readonly loop: Loop;
  /** Another loop for int32, where float64 arithmetic would not wrap as 32-bit integers do. */
  readonly int?: Loop;
  readonly result?: 'same' | 'float' | 'bool';
  /** (da, db) before they are summed back over broadcast axes; `null` where there is no derivative. */
  readonly vjp: readonly [VjpRow, VjpRow] | null;
  readonly domain?: readonly [number, number];
}
type VjpRow = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor | null;

/** Python's `%`: the sign of the divisor, also of a remainder of 0. */
function floorMod(a: number, b: number): number {
  const r = a % b;
  if (r === 0) return b < 0 ? -0 : 0;
  return r < 0 !== b < 0 ? r + b : r;
}

/** Python's `//`, from the exact remainder: the rounded quotient may be the integer above (1 // 0.1 is 9). As NumPy at infinities. */
function floorDivide(a: number, b: number): number {
  if (b === 0) return a / b;
  const r = a % b;
  const q = (a - r) / b - (r !== 0 && r < 0 !== b < 0 ? 1 : 0);
  // The sign of the quotient, which is below 1.
  if (q === 0) return (a / b) * 0;
  const low = Math.floor(q);
  return q - low > 0.5 ? low + 1 : low;
}

/** Integer powers modulo 2^32, by squaring. Throws `ValueError` for a negative exponent, whose result is no integer (NumPy). */
function integerPower(a: number, b: number): number {
  if (b < 0)
    throw new ValueError(
      `pow: expected exponents >= 0 for int32, received ${b}. Cast to float32 for fractional results.`,
    );
  let result = 1;
  for (let base = a, n = b; n > 0; n >>>= 1, base = Math.imul(base, base))
    if ((n & 1) === 1) result = Math.imul(result, base);
  return result;
}

/** IEEE pow: unlike JavaScript's, 1 ** NaN = 1 and (-1) ** Infinity = 1. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && (b === Infinity || b === -Infinity)) ? 1 : a ** b;
}

/** Names of the element-wise functions of two arguments. */
export type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'maximum'
  | 'minimum'
  | 'mod'
  | 'floorDivide'
  | 'divideNoNan'
  | 'atan2'
  | 'logaddexp'
  | 'equal'
  | 'notEqual'
  | 'less'
  | 'lessEqual'
  | 'greater'
  | 'greaterEqual'
  | 'logicalAnd'
  | 'logicalOr'
  | 'logicalXor';

/** What an argument of maximum or minimum gets of the gradient. A choice, not a product with 0: an infinite one stays where it belongs. */
function where(won: Tensor, g: Tensor): Tensor {
  return won.select(g, g.zerosLike());
}

// biome-ignore format: one operation a line
const ROWS: Record<BinaryName, Row> = {
  add:         { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! + b[j]!; }, vjp: [(g) => g, (g) => g] },
  sub:         { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! - b[j]!; }, vjp: [(g) => g, (g) => g.neg()] },
  mul:         { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! * b[j]!; },
                 int: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = Math.imul(a[i]!, b[j]!); }, vjp: [(g, _a, b) => g.mul(b), (g, a) => g.mul(a)] },
  div:         { result: 'float', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! / b[j]!; }, vjp: [(g, _a, b) => g.div(b), (g, _a, b, y) => g.mul(y.div(b).neg())], domain: [0.4, 2] },
  // d a^b/da = b a^(b-1), 0 where b = 0; d a^b/db = a^b log a, 0 where a <= 0 (as TensorFlow).
  pow:         { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = power(a[i]!, b[j]!); },
                 int: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = integerPower(a[i]!, b[j]!); }, vjp: [
                 (g, a, b) => g.mul(b.equal(0).select(b.zerosLike(), b.mul(a.pow(b.sub(1))))), (g, a, _b, y) => g.mul(a.greater(0).select(y.mul(a.greater(0).select(a, a.onesLike()).log()), y.zerosLike()))], domain: [0.4, 2] },
  // Ties: all of the gradient goes to the first argument (Keras on TensorFlow; on JAX, and in PyTorch, half to each).
  maximum:     { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = Math.max(a[i]!, b[j]!); }, vjp: [(g, a, b) => where(a.greaterEqual(b), g), (g, a, b) => where(a.less(b), g)] },
  minimum:     { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = Math.min(a[i]!, b[j]!); }, vjp: [(g, a, b) => where(a.lessEqual(b), g), (g, a, b) => where(a.greater(b), g)] },
  mod:         { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = floorMod(a[i]!, b[j]!); }, vjp: [(g) => g, (g, a, b) => g.mul(a.floorDivide(b).neg())], domain: [0.4, 2] },
  floorDivide: { result: 'same', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = floorDivide(a[i]!, b[j]!); },
                 int: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = Math.floor(a[i]! / b[j]!); }, vjp: null },
  divideNoNan: { result: 'float', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) { const d = b[j]!; y[k++] = d === 0 ? 0 : a[i]! / d; } }, vjp: [(g, _a, b) => g.divideNoNan(b), (g, _a, b, y) => g.mul(y.divideNoNan(b).neg())], domain: [0.4, 2] },
  atan2:       { result: 'float', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = Math.atan2(a[i]!, b[j]!); }, vjp: [(g, a, b) => g.mul(b.divideNoNan(a.square().add(b.square()))), (g, a, b) => g.mul(a.divideNoNan(a.square().add(b.square())).neg())], domain: [0.4, 2] },
  logaddexp:   { result: 'float', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) { const u = a[i]!; const v = b[j]!; y[k++] = u === v ? u + Math.LN2 : Math.max(u, v) + Math.log1p(Math.exp(-Math.abs(u - v))); } }, vjp: [(g, a, b) => g.mul(a.sub(b).sigmoid()), (g, a, b) => g.mul(b.sub(a).sigmoid())] },
  equal:        { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i] === b[j] ? 1 : 0; }, vjp: null },
  notEqual:     { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i] !== b[j] ? 1 : 0; }, vjp: null },
  less:         { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! < b[j]! ? 1 : 0; }, vjp: null },
  lessEqual:    { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! <= b[j]! ? 1 : 0; }, vjp: null },
  greater:      { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! > b[j]! ? 1 : 0; }, vjp: null },
  greaterEqual: { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i]! >= b[j]! ? 1 : 0; }, vjp: null },
  logicalAnd:   { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i] !== 0 && b[j] !== 0 ? 1 : 0; }, vjp: null },
  logicalOr:    { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = a[i] !== 0 || b[j] !== 0 ? 1 : 0; }, vjp: null },
  logicalXor:   { result: 'bool', loop: (a, i, s, b, j, t, y, k, n) => { for (; n > 0; n--, i += s, j += t) y[k++] = (a[i] !== 0) !== (b[j] !== 0) ? 1 : 0; }, vjp: null },
};

function resultType(row: Row, dtype: DType): DType {
  if (row.result === 'bool') return 'bool';
  if (row.result === 'float') return toFloating(dtype);
  return dtype === 'bool' ? 'int32' : dtype;
}

function define(name: string, row: Row): Primitive<null> {
  const [low, high] = row.domain ?? [-2, 2];
  const shapes = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [
      [2, 1],
      [1, 3],
    ],
    [[], [2]],
    [[0, 2], [2]],
  ] as const;
  const samples: Sample<null>[] = shapes.map(([a, b]) => ({
    inputs: [
      { shape: a, low, high },
      { shape: b, low, high },
    ],
    params: null,
  }));
  const rules = row.vjp;
  return definePrimitive<null>({
    name,
    abstract: ([a, b]) => {
      if (a!.dtype !== b!.dtype)
        throw new DTypeError(
          `${name}: expected two operands of one dtype, received ${a!.dtype} and ${b!.dtype}. Cast one of them.`,
        );
      return [{ shape: broadcastShapes(a!.shape, b!.shape, name), dtype: resultType(row, a!.dtype) }];
    },
    evaluate: ([first, second], _params, [out]) => {
      const { shape, dtype } = out!;
      const [a, b] = row.result === 'float' ? [floatingArray(first!), floatingArray(second!)] : [first, second];
      const y = allocate(dtype, sizeOf(shape));
      const loop = dtype === 'int32' && row.int ? row.int : row.loop;
      forEachRun2(
        shape,
        a!.offset,
        broadcastStrides(a!, shape),
        b!.offset,
        broadcastStrides(b!, shape),
        (i, s, j, t, k, n) => loop(a!.data, i, s, b!.data, j, t, y, k, n),
      );
      return [ndarray(dtype, shape, y)];
    },
    vjp:
      rules &&
      (({ inputs, outputs, cotangents, needs }) => {
        const [a, b] = inputs as readonly [Tensor, Tensor];
        const g = cotangents[0]!;
        return rules.map((rule, i) =>
          needs[i] ? (rule(g, a, b, outputs[0]!)?.sumToShape(inputs[i]!.shape) ?? null) : null,
        );
      }),
    samples,
  });
}

/** Element-wise functions of two arguments, with broadcasting. */
export const binary: Record<BinaryName, Primitive<null>> = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, define(name, row)]),
) as Record<BinaryName, Primitive<null>>;

/** `condition ? a : b`, element by element; the three are of one shape. */
export const select: Primitive<null> = definePrimitive<null>({
  name: 'select',
  abstract: ([condition, a, b]) => {
    if (condition!.dtype !== 'bool')
      throw new DTypeError(`where: expected a condition of dtype bool, received ${condition!.dtype}`);
    if (a!.dtype !== b!.dtype)
      throw new DTypeError(`where: expected two choices of one dtype, received ${a!.dtype} and ${b!.dtype}`);
    const shape = broadcastShapes(condition!.shape, broadcastShapes(a!.shape, b!.shape, 'where'), 'where');
    return [{ shape, dtype: a!.dtype }];
  },
  evaluate: ([condition, a, b], _params, [out]) => {
    const { shape, dtype } = out!;
    const y = allocate(dtype, sizeOf(shape));
    // First b everywhere, then a where the condition holds: two passes of two operands each.
    const zeros = shape.map(() => 0);
    const bd = b!.data;
    forEachRun2(shape, b!.offset, broadcastStrides(b!, shape), 0, zeros, (i, s, _j, _t, k, n) => {
      for (; n > 0; n--, i += s) y[k++] = bd[i]!;
    });
    const ad = a!.data;
    const cd = condition!.data;
    forEachRun2(
      shape,
      a!.offset,
      broadcastStrides(a!, shape),
      condition!.offset,
      broadcastStrides(condition!, shape),
      (i, s, j, t, k, n) => {
        for (; n > 0; n--, i += s, j += t, k++) if (cd[j] !== 0) y[k] = ad[i]!;
      },
    );
    return [ndarray(dtype, shape, y)];
  },
  vjp: ({ inputs, cotangents, needs }) => {
    const [condition, a, b] = inputs as readonly [Tensor, Tensor, Tensor];
    const g = cotangents[0]!;
    const zero = g.zerosLike();
    return [
      null,
      needs[1] ? condition.select(g, zero).sumToShape(a.shape) : null,
      needs[2] ? condition.select(zero, g).sumToShape(b.shape) : null,
    ];
  },
  samples: [
    { inputs: [{ shape: [4], dtype: 'bool', values: [1, 0, 0, 1] }, { shape: [4] }, { shape: [4] }], params: null },
    { inputs: [{ shape: [2, 1], dtype: 'bool', values: [1, 0] }, { shape: [3] }, { shape: [] }], params: null },
  ],
});
