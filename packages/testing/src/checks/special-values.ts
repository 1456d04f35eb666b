import { jit } from '@recurra/compiler';
import { type DType, type Tensor, tensor } from '@recurra/tensor';
import { allPrimitives, bind, isFloating, type Primitive } from '@recurra/tensor/extend';
import { erf } from './functions.js';

/**
 * One table of special values for every element-wise operation, conversion and reduction and every dtype: computed eagerly, and compiled (by the
 * interpreter of chains, by a function of their own, and over broadcast operands), and held, bit for bit, against definitions that share no
 * code with either. NaN equals NaN whatever its bits.
 */

const MAX_FLOAT = 3.4028234663852886e38;
const MIN_INT = -2147483648;
const MAX_INT = 2147483647;
const SMALLEST_NORMAL = 1.1754943508222875e-38;

/** What is special about each dtype: zeros, units, halves, ends of ranges, what lies just inside and outside of other dtypes' ranges. */
export const SPECIAL: Readonly<Record<DType, readonly number[]>> = {
  float32: [
    ...[Number.NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3, -3, 0.1, 100, -100],
    ...[3e9, -3e9, 2147483648, MIN_INT, 2147483520, 16777216, 8388607.5, -8388607.5, 1e-45, 1.1754943508222875e-38],
    ...[MAX_FLOAT, -MAX_FLOAT, 1e20, -1e20],
  ].map(Math.fround),
  float64: [
    ...[Number.NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3, -3, 0.1, 100, -100],
    ...[3e9, -3e9, 2147483648, MIN_INT, 2147483647.5, -2147483648.5, 9007199254740992, 5e-324, 1e300, -1e300],
    ...[Number.MAX_VALUE, MAX_FLOAT, 1e39, 0.49999999999999994],
  ],
  int32: [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    -7,
    31,
    32,
    33,
    1000003,
    46341,
    -46341,
    65536,
    16777217,
    MAX_INT,
    MAX_INT - 1,
    MIN_INT,
    MIN_INT + 1,
  ],
  bool: [0, 1],
};

export const DTYPES: readonly DType[] = ['float32', 'float64', 'int32', 'bool'];

/** A definition: of floats in float64 (rounded by the caller), or of integers without bounds (wrapped by the caller). */
interface Definition {
  readonly float: (a: number, b: number) => number;
  /** Of int32, exact; absent where integers are converted to float32 first. `null`: refused. */
  readonly int?: (a: bigint, b: bigint) => bigint | null;
  /** Units in the last place that a float result may be off by where it is finite and not 0; 0. */
  readonly ulp?: number;
  readonly result?: 'bool';
}

const big = (condition: boolean): bigint => (condition ? 1n : 0n);
const num = (condition: boolean): number => (condition ? 1 : 0);
const absolute = (a: bigint): bigint => (a < 0n ? -a : a);
/** Division that rounds down; 0 by 0. */
const quotient = (a: bigint, b: bigint): bigint => {
  if (b === 0n) return 0n;
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
};
const isNegative = (a: number): boolean => a < 0 || Object.is(a, -0);
const withSign = (magnitude: number, sign: number): number => (isNegative(sign) ? -magnitude : magnitude);

function nearestEven(a: number): number {
  if (!Number.isFinite(a) || a === 0) return a;
  const low = Math.floor(a);
  const rest = a - low;
  return withSign(Math.abs(rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1), a);
}

/** IEEE 754-2019 maximum: NaN if either is, and 0 above -0. */
function larger(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  if (a === b) return isNegative(a) ? b : a;
  return Math.max(a, b);
}

/** NumPy's divmod of floats, by its documentation: the remainder has the sign of the divisor, the quotient is that of the exact remainder. */
function floatDivision(a: number, b: number): [quotient: number, remainder: number] {
  if (Number.isNaN(a) || Number.isNaN(b) || Math.abs(a) === Infinity) return [b === 0 ? a / b : Number.NaN, Number.NaN];
  if (b === 0) return [a / b, Number.NaN];
  if (Math.abs(b) === Infinity) {
    const same = a === 0 || isNegative(a) === isNegative(b);
    return [same ? withSign(0, isNegative(a) === isNegative(b) ? 1 : -1) : -1, same ? withSign(Math.abs(a), b) : b];
  }
  let rest = Math.abs(a) % Math.abs(b);
  let q = Math.round((Math.abs(a) - rest) / Math.abs(b));
  if (isNegative(a) !== isNegative(b)) {
    if (rest !== 0) {
      rest = Math.abs(b) - rest;
      q += 1;
    }
    q = -q;
  }
  return [q, withSign(rest, b)];
}

/** The inverse of erf, by bisection. */
function erfinv(x: number): number {
  if (!(Math.abs(x) <= 1)) return Number.NaN;
  if (Math.abs(x) === 1) return x * Infinity;
  if (Math.abs(x) < 1e-8) return (x * Math.sqrt(Math.PI)) / 2;
  let [low, high] = [0, 6];
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (erf(middle) < Math.abs(x)) low = middle;
    else high = middle;
  }
  return withSign(low, x);
}

const APPROXIMATE = 4;

export const UNARY: Readonly<Record<string, Definition>> = {
  neg: { float: (a) => -a, int: (a) => -a },
  abs: { float: Math.abs, int: absolute },
  sign: { float: Math.sign, int: (a) => (a === 0n ? 0n : a < 0n ? -1n : 1n) },
  square: { float: (a) => a * a, int: (a) => a * a },
  // NaN and -0 stay (PyTorch).
  relu: { float: (a) => (!(a < 0) ? a : 0), int: (a) => a * big(a > 0n) },
  floor: { float: Math.floor },
  ceil: { float: Math.ceil },
  trunc: { float: Math.trunc },
  round: { float: nearestEven },
  sqrt: { float: Math.sqrt },
  reciprocal: { float: (a) => 1 / a },
  rsqrt: { float: (a) => 1 / Math.sqrt(a), ulp: 1 },
  exp: { float: Math.exp, ulp: APPROXIMATE },
  expm1: { float: Math.expm1, ulp: APPROXIMATE },
  exp2: { float: (a) => 2 ** a, ulp: APPROXIMATE },
  log: { float: Math.log, ulp: APPROXIMATE },
  log1p: { float: Math.log1p, ulp: APPROXIMATE },
  log2: { float: Math.log2, ulp: APPROXIMATE },
  log10: { float: Math.log10, ulp: APPROXIMATE },
  cbrt: { float: Math.cbrt, ulp: APPROXIMATE },
  sin: { float: Math.sin, ulp: APPROXIMATE },
  cos: { float: Math.cos, ulp: APPROXIMATE },
  tan: { float: Math.tan, ulp: APPROXIMATE },
  asin: { float: Math.asin, ulp: APPROXIMATE },
  acos: { float: Math.acos, ulp: APPROXIMATE },
  atan: { float: Math.atan, ulp: APPROXIMATE },
  sinh: { float: Math.sinh, ulp: APPROXIMATE },
  cosh: { float: Math.cosh, ulp: APPROXIMATE },
  tanh: { float: Math.tanh, ulp: APPROXIMATE },
  asinh: { float: Math.asinh, ulp: APPROXIMATE },
  acosh: { float: Math.acosh, ulp: APPROXIMATE },
  atanh: { float: Math.atanh, ulp: APPROXIMATE },
  sigmoid: { float: (a) => 1 / (1 + Math.exp(-a)), ulp: APPROXIMATE },
  softplus: { float: (a) => larger(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), ulp: APPROXIMATE },
  erf: { float: (a) => (a === 0 ? a : erf(a)), ulp: 16 },
  erfinv: { float: erfinv, ulp: 16 },
  // At -Infinity its limit (JAX and PyTorch: NaN).
  gelu: { float: (a) => (a === -Infinity ? -0 : 0.5 * a * erf(-a * Math.SQRT1_2, true)), ulp: 16 },
  logicalNot: { float: (a) => num(a === 0), int: (a) => big(a === 0n), result: 'bool' },
  isnan: { float: (a) => num(Number.isNaN(a)), int: () => 0n, result: 'bool' },
  isinf: { float: (a) => num(Math.abs(a) === Infinity), int: () => 0n, result: 'bool' },
  isfinite: { float: (a) => num(Number.isFinite(a)), int: () => 1n, result: 'bool' },
  stopGradient: { float: (a) => a, int: (a) => a },
};

export const BINARY: Readonly<Record<string, Definition>> = {
  add: { float: (a, b) => a + b, int: (a, b) => a + b },
  sub: { float: (a, b) => a - b, int: (a, b) => a - b },
  mul: { float: (a, b) => a * b, int: (a, b) => a * b },
  div: { float: (a, b) => a / b },
  divideNoNan: { float: (a, b) => (b === 0 ? 0 : a / b) },
  // IEEE 754: 1 to whatever power, and -1 to an infinite one, is 1. Integers wrap; a negative power of one is refused (NumPy).
  pow: {
    float: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
    int: (a, b) => (b < 0n ? null : modularPower(a, b)),
    ulp: APPROXIMATE,
  },
  maximum: { float: larger, int: (a, b) => [a, b][num(b > a)]! },
  minimum: { float: (a, b) => -larger(-a, -b), int: (a, b) => [a, b][num(b < a)]! },
  mod: {
    float: (a, b) => floatDivision(a, b)[1],
    int: (a, b) => a - quotient(a, b) * b * big(b !== 0n) - a * big(b === 0n),
  },
  floorDivide: { float: (a, b) => floatDivision(a, b)[0], int: quotient },
  atan2: { float: Math.atan2, ulp: APPROXIMATE },
  logaddexp: {
    float: (a, b) => (a === b ? a + Math.LN2 : larger(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
    ulp: APPROXIMATE,
  },
  equal: { float: (a, b) => num(a === b), int: (a, b) => big(a === b), result: 'bool' },
  notEqual: { float: (a, b) => num(a !== b), int: (a, b) => big(a !== b), result: 'bool' },
  less: { float: (a, b) => num(a < b), int: (a, b) => big(a < b), result: 'bool' },
  lessEqual: { float: (a, b) => num(a <= b), int: (a, b) => big(a <= b), result: 'bool' },
  greater: { float: (a, b) => num(a > b), int: (a, b) => big(a > b), result: 'bool' },
  greaterEqual: { float: (a, b) => num(a >= b), int: (a, b) => big(a >= b), result: 'bool' },
  // NaN is not 0, hence true.
  logicalAnd: { float: (a, b) => num(a !== 0 && b !== 0), int: (a, b) => big(a !== 0n && b !== 0n), result: 'bool' },
  logicalOr: { float: (a, b) => num(a !== 0 || b !== 0), int: (a, b) => big(a !== 0n || b !== 0n), result: 'bool' },
  logicalXor: {
    float: (a, b) => num((a !== 0) !== (b !== 0)),
    int: (a, b) => big((a !== 0n) !== (b !== 0n)),
    result: 'bool',
  },
};

function modularPower(a: bigint, b: bigint): bigint {
  const modulus = 1n << 32n;
  let [base, exponent, result] = [a % modulus, b, 1n];
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % modulus)
    if ((exponent & 1n) === 1n) result = (result * base) % modulus;
  return result;
}

/** What a value becomes in another dtype: to int32 by truncation, what is beyond it its end, NaN 0; all but 0 is true. */
function converted(a: number, to: DType): number {
  if (to === 'bool') return num(a !== 0);
  if (to === 'float32') return Math.fround(a);
  if (to === 'float64') return a;
  if (Number.isNaN(a)) return 0;
  return Math.min(Math.max(Math.trunc(a), MIN_INT), MAX_INT) + 0;
}

/** The result that a definition gives for operands of a dtype; `null` where they are refused. */
function expectedOf({ float, int, result }: Definition, dtype: DType, a: number, b = 0): number | null {
  if (isFloating(dtype)) return result ? float(a, b) : converted(float(a, b), dtype);
  if (!int) return Math.fround(float(Math.fround(a), Math.fround(b)));
  const exact = int(BigInt(a), BigInt(b));
  return exact === null ? null : Number(BigInt.asIntN(32, exact));
}

const words = new DataView(new ArrayBuffer(8));
function ordinal(x: number, dtype: DType): bigint {
  if (dtype === 'float32') words.setFloat32(0, x);
  else words.setFloat64(0, x);
  const bits = dtype === 'float32' ? BigInt(words.getInt32(0)) : words.getBigInt64(0);
  const magnitude = dtype === 'float32' ? bits & 0x7fffffffn : bits & 0x7fffffffffffffffn;
  return bits < 0n ? -magnitude : magnitude;
}

/** The same value (0 is not -0), or, where `ulp` allows it, one as near. What is subnormal may be 0 there. */
function agrees(received: number, expected: number, dtype: DType, ulp = 0): boolean {
  if (Object.is(received, expected) || (Number.isNaN(received) && Number.isNaN(expected))) return true;
  if (ulp === 0 || !Number.isFinite(expected) || !isFloating(dtype)) return false;
  if (Math.abs(expected) < SMALLEST_NORMAL && Math.abs(received) < SMALLEST_NORMAL && received !== expected)
    return true;
  if (expected === 0) return false;
  const distance = ordinal(received, dtype) - ordinal(expected, dtype);
  // Functions are computed in float64 for float32; for float64 itself, 1e-12 relative is asked of them.
  return (distance < 0n ? -distance : distance) <= BigInt(dtype === 'float64' ? ulp * 1000 : ulp);
}

/** The ways to compute: eagerly; compiled, few values at a time (the interpreter), or many (a function of their own). */
async function everyWay(
  f: (xs: Tensor[]) => Tensor,
  operands: readonly (readonly number[])[],
  dtypes: readonly DType[],
): Promise<Record<string, Tensor>> {
  const make = (from: number, to: number, repeat = 1): Tensor[] =>
    operands.map((values, i) => {
      const part = values.slice(from, to);
      const all = Array.from({ length: repeat }, () => part).flat();
      return tensor(all, { dtype: dtypes[i]! });
    });
  const size = operands[0]!.length;
  const step = jit(f);
  const pieces: Tensor[] = [];
  for (let at = 0; at < size; at += 101) pieces.push(await step(make(at, Math.min(size, at + 101))));
  const repeat = Math.ceil(1030 / Math.max(1, size));
  const many = await step(make(0, size, repeat));
  step.dispose();
  const dtype = many.dtype;
  const joined = pieces.flatMap((piece) => [...piece.data]);
  return {
    eager: f(make(0, size)),
    'compiled, few': tensor(dtype === 'bool' ? joined.map((v) => v !== 0) : joined, { dtype }),
    'compiled, many': many,
  };
}

/** One comparison that failed. */
export interface Difference {
  readonly way: string;
  readonly operands: readonly number[];
  readonly received: number;
  readonly expected: number;
}

function differences(
  ways: Readonly<Record<string, Tensor>>,
  operands: readonly (readonly number[])[],
  expected: readonly number[],
  ulp: number,
): Difference[] {
  const result: Difference[] = [];
  for (const [way, { data, dtype }] of Object.entries(ways))
    data.forEach((received: number, i: number) => {
      const at = i % expected.length;
      if (!agrees(received, expected[at]!, dtype, ulp))
        result.push({ way, operands: operands.map((o) => o[at]!), received, expected: expected[at]! });
    });
  return result;
}

const primitives = new Map(allPrimitives().map((p) => [p.name, p as Primitive<never>]));

/** An operation of one or two arguments over all special values (pairs of them) of a dtype. */
export async function checkElementwise(name: string, dtype: DType): Promise<Difference[]> {
  const definition = UNARY[name] ?? BINARY[name]!;
  const values = SPECIAL[dtype];
  const all = name in UNARY ? [values] : [values.flatMap((a) => values.map(() => a)), values.flatMap(() => values)];
  const results = all[0]!.map((a, i) => expectedOf(definition, dtype, a, all[1]?.[i]));
  const kept = (list: readonly number[]): number[] => list.filter((_, i) => results[i] !== null);
  const operands = all.map(kept);
  const f = (xs: Tensor[]): Tensor => bind(primitives.get(name)!, xs, null as never)[0]!;
  const ways = await everyWay(
    f,
    operands,
    operands.map(() => dtype),
  );
  if (operands.length === 2 && !results.includes(null)) {
    // Broadcast operands: a column and a row.
    const column = tensor([...values], { dtype }).reshape([-1, 1]);
    const row = tensor([...values], { dtype });
    ways['eager, broadcast'] = f([column, row]).flatten();
    ways['compiled, broadcast'] = (await jit((xs: Tensor[]) => f(xs))([column, row])).flatten();
  }
  const expected = results.filter((v) => v !== null);
  return differences(ways, operands, expected, definition.ulp ?? 0);
}

/** Conversion of all special values of a dtype to another. */
export async function checkCast(from: DType, to: DType): Promise<Difference[]> {
  const operands = [SPECIAL[from]];
  const expected = SPECIAL[from].map((v) => converted(v, to));
  return differences(await everyWay(([x]) => x!.cast(to), operands, [from]), operands, expected, 0);
}

/** The choice between all special values of a dtype. */
export async function checkSelect(dtype: DType): Promise<Difference[]> {
  const values = SPECIAL[dtype];
  const operands = [values.map((_, i) => i % 2), values, [...values].reverse()];
  const expected = values.map((v, i) => (i % 2 === 1 ? v : operands[2]![i]!));
  const ways = await everyWay(([c, a, b]) => c!.select(a!, b!), operands, ['bool', dtype, dtype]);
  return differences(ways, operands, expected, 0);
}

/** A reduction and its definitions: of floats in float64, of integers without bounds. */
interface Reduction {
  readonly f: (x: Tensor, axis: number) => Tensor;
  readonly float: (row: readonly number[]) => number;
  readonly int: (row: readonly bigint[]) => bigint;
}

export const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  sum: {
    f: (x, axis) => x.sum(axis),
    float: (r) => r.reduce((p, q) => p + q, 0),
    int: (r) => r.reduce((p, q) => p + q, 0n),
  },
  prod: {
    f: (x, axis) => x.prod(axis),
    float: (r) => r.reduce((p, q) => p * q, 1),
    int: (r) => r.reduce((p, q) => p * q, 1n),
  },
  max: {
    f: (x, axis) => x.max(axis),
    float: (r) => Math.max(...r),
    int: (r) => r.reduce((p, q) => [p, q][num(q > p)]!),
  },
  min: {
    f: (x, axis) => x.min(axis),
    float: (r) => Math.min(...r),
    int: (r) => r.reduce((p, q) => [p, q][num(q < p)]!),
  },
  any: {
    f: (x, axis) => x.any(axis),
    float: (r) => num(r.some((v) => v !== 0)),
    int: (r) => big(r.some((v) => v !== 0n)),
  },
  all: {
    f: (x, axis) => x.all(axis),
    float: (r) => num(r.every((v) => v !== 0)),
    int: (r) => big(r.every((v) => v !== 0n)),
  },
};

/** Rows of n values around a special one, whose sums and products are exact in any order. */
function rowsOf(dtype: DType, n: number): number[][] {
  const simple = isFloating(dtype)
    ? [1, -1, 0, 2, -0]
    : dtype === 'int32'
      ? [1, -1, 2147483647, 3, -2147483648]
      : [1, 0, 1];
  const special =
    dtype === 'float32'
      ? SPECIAL.float32.filter((v) => !(Math.abs(v) > 1e19 && Number.isFinite(v)) && !(Math.abs(v) < 1 && v !== 0))
      : SPECIAL[dtype];
  return (isFloating(dtype) ? special.slice(0, 16) : special).flatMap((v, i) =>
    [0, Math.floor(n / 2), n - 1].map((at) =>
      Array.from({ length: n }, (_, k) => (k === at ? v : simple[(k + i) % simple.length]!)),
    ),
  );
}

/** A reduction of rows and columns around all special values of a dtype, of several lengths. */
export async function checkReduction(name: string, dtype: DType): Promise<Difference[]> {
  const { f, float, int } = REDUCTIONS[name]!;
  const result: Difference[] = [];
  for (const n of [1, 2, 3, 5, 8, 17, 35]) {
    const rows = rowsOf(dtype, n);
    const expected = rows.map((row) =>
      isFloating(dtype) ? converted(float(row), dtype) : Number(BigInt.asIntN(32, int(row.map(BigInt)))),
    );
    const x = tensor(rows.flat(), { shape: [rows.length, n], dtype });
    const columns = tensor(x.transpose().data, { shape: [n, rows.length], dtype });
    const ways: Record<string, Tensor> = {
      eager: f(x, 1),
      'eager, columns': f(x.transpose(), 0),
      compiled: await jit((t: Tensor) => f(t, 1))(x),
      'compiled, columns': await jit((t: Tensor) => f(t, 0))(columns),
      'compiled, transposed': await jit((t: Tensor) => f(t.transpose(), 0))(x),
    };
    for (const [way, y] of Object.entries(ways))
      y.data.forEach((received: number, i: number) => {
        // The sign of a zero sum depends on where the partial sums begin.
        if (!agrees(received + 0, expected[i]! + 0, y.dtype))
          result.push({ way, operands: rows[i]!, received, expected: expected[i]! });
      });
  }
  return result;
}
