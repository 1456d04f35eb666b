import { type DType, isFloating } from '../dtype.js';
import { binary } from '../primitives/binary.js';
import { unary } from '../primitives/unary.js';
import { checkRules, isNumber } from '../rules.js';
import { asTensor, bind, promote, type Tensor, type TensorLike } from '../tensor.js';

type Unary = (x: TensorLike) => Tensor;
type Binary = (a: TensorLike, b: TensorLike) => Tensor;

const one =
  (name: keyof typeof unary): Unary =>
  (x) =>
    bind(unary[name], [asTensor(x)], null)[0]!;
const two =
  (name: keyof typeof binary): Binary =>
  (a, b) =>
    bind(binary[name], promote(a, b), null)[0]!;

/** -x */
export const neg: Unary = /* @__PURE__ */ one('neg');
/** |x|, gradient 0 at 0 */
export const abs: Unary = /* @__PURE__ */ one('abs');
/** -1, 0 or 1 */
export const sign: Unary = /* @__PURE__ */ one('sign');
/** x^2 */
export const square: Unary = /* @__PURE__ */ one('square');
/** The integer below */
export const floor: Unary = /* @__PURE__ */ one('floor');
/** The integer above */
export const ceil: Unary = /* @__PURE__ */ one('ceil');
/** The integer towards zero */
export const trunc: Unary = /* @__PURE__ */ one('trunc');
/** e^x */
export const exp: Unary = /* @__PURE__ */ one('exp');
/** e^x - 1, accurate near 0 */
export const expm1: Unary = /* @__PURE__ */ one('expm1');
/** 2^x */
export const exp2: Unary = /* @__PURE__ */ one('exp2');
/** Natural logarithm */
export const log: Unary = /* @__PURE__ */ one('log');
/** log(1 + x), accurate near 0 */
export const log1p: Unary = /* @__PURE__ */ one('log1p');
/** Base-2 logarithm */
export const log2: Unary = /* @__PURE__ */ one('log2');
/** Base-10 logarithm */
export const log10: Unary = /* @__PURE__ */ one('log10');
/** Square root */
export const sqrt: Unary = /* @__PURE__ */ one('sqrt');
/** 1 / sqrt(x) */
export const rsqrt: Unary = /* @__PURE__ */ one('rsqrt');
/** 1 / x */
export const reciprocal: Unary = /* @__PURE__ */ one('reciprocal');
/** Cube root */
export const cbrt: Unary = /* @__PURE__ */ one('cbrt');
/** Sine of radians */
export const sin: Unary = /* @__PURE__ */ one('sin');
/** Cosine of radians */
export const cos: Unary = /* @__PURE__ */ one('cos');
/** Tangent of radians */
export const tan: Unary = /* @__PURE__ */ one('tan');
/** Inverse sine, in radians */
export const asin: Unary = /* @__PURE__ */ one('asin');
/** Inverse cosine, in radians */
export const acos: Unary = /* @__PURE__ */ one('acos');
/** Inverse tangent, in radians */
export const atan: Unary = /* @__PURE__ */ one('atan');
/** Hyperbolic sine */
export const sinh: Unary = /* @__PURE__ */ one('sinh');
/** Hyperbolic cosine */
export const cosh: Unary = /* @__PURE__ */ one('cosh');
/** Inverse hyperbolic sine */
export const asinh: Unary = /* @__PURE__ */ one('asinh');
/** Inverse hyperbolic cosine */
export const acosh: Unary = /* @__PURE__ */ one('acosh');
/** Inverse hyperbolic tangent */
export const atanh: Unary = /* @__PURE__ */ one('atanh');
/** erf(x) = 2/sqrt(pi) * integral of exp(-t^2) from 0 to x */
export const erf: Unary = /* @__PURE__ */ one('erf');
/** The inverse of erf, on (-1, 1) */
export const erfinv: Unary = /* @__PURE__ */ one('erfinv');
/** x = 0, element by element */
export const logicalNot: Unary = /* @__PURE__ */ one('logicalNot');
/** Is it NaN? */
export const isnan: Unary = /* @__PURE__ */ one('isnan');
/** Is it an infinity? */
export const isinf: Unary = /* @__PURE__ */ one('isinf');
/** Is it neither NaN nor an infinity? */
export const isfinite: Unary = /* @__PURE__ */ one('isfinite');

/** x + y */
export const add: Binary = /* @__PURE__ */ two('add');
/** x - y */
export const sub: Binary = /* @__PURE__ */ two('sub');
/** x * y */
export const mul: Binary = /* @__PURE__ */ two('mul');
/** x / y, floating even for integers */
export const div: Binary = /* @__PURE__ */ two('div');
/** x^y; d/dx is 0 where y = 0, d/dy is 0 where x <= 0. Integers wrap; throws `ValueError` for integers to a negative power (NumPy) */
export const pow: Binary = /* @__PURE__ */ two('pow');
/** The larger one; NaN if either is. Ties: the gradient goes to the first (TensorFlow) */
export const maximum: Binary = /* @__PURE__ */ two('maximum');
/** The smaller one; NaN if either is. Ties: the gradient goes to the first (TensorFlow) */
export const minimum: Binary = /* @__PURE__ */ two('minimum');
/** Remainder with the sign of the divisor (Python); of integers, 0 where y = 0 (NumPy) */
export const mod: Binary = /* @__PURE__ */ two('mod');
/** floor(x / y), from the exact remainder (Python); of integers, 0 where y = 0 (NumPy) */
export const floorDivide: Binary = /* @__PURE__ */ two('floorDivide');
/** x / y, 0 where y = 0 */
export const divideNoNan: Binary = /* @__PURE__ */ two('divideNoNan');
/** The angle of the point (y, x): atan2(y, x), in radians */
export const atan2: Binary = /* @__PURE__ */ two('atan2');
/** log(e^x + e^y), without overflow */
export const logaddexp: Binary = /* @__PURE__ */ two('logaddexp');
/** x = y */
export const equal: Binary = /* @__PURE__ */ two('equal');
/** x != y */
export const notEqual: Binary = /* @__PURE__ */ two('notEqual');
/** x < y */
export const less: Binary = /* @__PURE__ */ two('less');
/** x <= y */
export const lessEqual: Binary = /* @__PURE__ */ two('lessEqual');
/** x > y */
export const greater: Binary = /* @__PURE__ */ two('greater');
/** x >= y */
export const greaterEqual: Binary = /* @__PURE__ */ two('greaterEqual');
/** Both true */
export const logicalAnd: Binary = /* @__PURE__ */ two('logicalAnd');
/** Either true */
export const logicalOr: Binary = /* @__PURE__ */ two('logicalOr');
/** Exactly one true */
export const logicalXor: Binary = /* @__PURE__ */ two('logicalXor');

/** `condition ? a : b`, element by element, with broadcasting; the condition is boolean. */
export function where(condition: TensorLike, a: TensorLike, b: TensorLike): Tensor {
  return asTensor(condition, 'bool').select(a, b);
}

/** min(max(x, low), high); the gradient passes where low <= x <= high. Either bound may be `null`. */
export function clip(x: TensorLike, low: TensorLike | null, high: TensorLike | null): Tensor {
  return asTensor(x).clip(low, high);
}

/** Rounded to `decimals` places, halves to even. */
export function round(x: TensorLike, decimals = 0): Tensor {
  return asTensor(x).round(decimals);
}

const NAN_TO_NUM = { nan: isNumber, posinf: isNumber, neginf: isNumber };

/** NaN and the infinities replaced (by default 0 and the largest finite number of each sign of the dtype). Integers stay as they are. */
export function nanToNum(x: TensorLike, options: { nan?: number; posinf?: number; neginf?: number } = {}): Tensor {
  checkRules('nanToNum', options, NAN_TO_NUM);
  const t = asTensor(x);
  if (!isFloating(t.dtype)) return t;
  const largest = t.dtype === 'float64' ? Number.MAX_VALUE : 3.4028234663852886e38;
  const { nan = 0, posinf = largest, neginf = -largest } = options;
  return isnan(t).select(nan, t.equal(Infinity).select(posinf, t.equal(-Infinity).select(neginf, t)));
}

/**
 * Conversion to another dtype. Floats to int32 truncate towards zero; beyond its range they become its ends, NaN becomes 0. All but 0 is
 * true, NaN included.
 */
export function cast(x: TensorLike, dtype: DType): Tensor {
  return asTensor(x).cast(dtype);
}

/** The identity, through which no gradient flows. */
export function stopGradient(x: TensorLike): Tensor {
  return asTensor(x).stopGradient();
}
