/**
 * Elementary functions on four float32 lanes. Coefficients are minimax fits of our own (relative error in the comments).
 * They are read from memory by `v128.load32_splat`: V8 builds a literal splat anew in every iteration of a loop.
 */

/** Where {@link writeConstants} puts the coefficients. Below the first address that the heap hands out. */
const C: usize = 64;

// Offsets of the coefficients, in bytes from C.
const ONE: usize = 0;
const HALF: usize = 4;
const LOG2E: usize = 8;
const LN2_HI: usize = 12;
const LN2_LO: usize = 16;
const EXP_MAX: usize = 20;
const EXP_MIN: usize = 24;
const EXP: usize = 32; // 6 coefficients
const TANH_P: usize = 64; // 5
const TANH_Q: usize = 96; // 4, after a leading 1
const TANH_MAX: usize = 112;
const SQRT_HALF: usize = 116;
const LOG: usize = 120; // 4
const ERF: usize = 144; // 7
const ERFC: usize = 176; // 9
const ERF_SPLIT: usize = 212;
const ERF_MAX: usize = 216;
const TWO: usize = 220;
const TANH_MIN: usize = 224;
const EXP_NORMAL: usize = 228;
const TANH: usize = 232; // 5
const TANH_SPLIT: usize = 252;
const TANH_ONE: usize = 256;
const GELU_P: usize = 260; // 4
const GELU_Q: usize = 276; // 4, after a leading 1
const GELU_MAX: usize = 292;
const SHIFT: usize = 296;
const TINY: usize = 300;

// @ts-ignore: decorator
@inline
function put(offset: usize, value: f64): void {
  store<f32>(C + offset, <f32>value);
}

/** Writes the coefficients; called once for a memory. */
export function writeConstants(): void {
  put(ONE, 1);
  put(HALF, 0.5);
  put(TWO, 2);
  put(LOG2E, 1.4426950408889634);
  put(LN2_HI, 0.693359375); // 9 bits, so that n * hi is exact
  put(LN2_LO, -2.1219444005469057e-4);
  put(SHIFT, 12582912);
  put(TINY, 8.077935669463161e-28); // 2^-90
  put(EXP_MAX, 89);
  put(EXP_MIN, -104);
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2: 2e-10 relative to e^r - 1
  put(EXP + 0, 0.5000000044143383);
  put(EXP + 4, 0.16666666370595584);
  put(EXP + 8, 0.041666361009743316);
  put(EXP + 12, 0.008333389352397042);
  put(EXP + 16, 0.0013940619091901679);
  put(EXP + 20, 0.0001984587659191691);
  // tanh x = x P(x^2) / Q(x^2) on |x| <= 9: 2.1e-8
  put(TANH_P + 0, 0.9999999794650749);
  put(TANH_P + 4, 0.13381027264189016);
  put(TANH_P + 8, 0.0034955900229289307);
  put(TANH_P + 12, 2.0609111966890185e-5);
  put(TANH_P + 16, 1.335469943415287e-8);
  put(TANH_Q + 0, 0.46714342859196795);
  put(TANH_Q + 4, 0.025876989500760224);
  put(TANH_Q + 8, 0.0003285637853792001);
  put(TANH_Q + 12, 7.776574505603369e-7);
  // Where P / Q, rounded as it is, is exactly 1: saturated units then have no gradient, as they should.
  put(TANH_MAX, 9.001);
  put(TANH_MIN, -9.001);
  put(EXP_NORMAL, -87);
  // (tanh x / x - 1) / x^2 on |x| <= 0.63: 4.5e-9 relative to tanh
  put(TANH + 0, -0.3333328022006962);
  put(TANH + 4, 0.13331383653947862);
  put(TANH + 8, -0.0537340003800151);
  put(TANH + 12, 0.020618123366752072);
  put(TANH + 16, -0.005679304952247649);
  put(TANH_SPLIT, 0.625);
  put(TANH_ONE, 10); // from here on tanh rounds to 1
  put(SQRT_HALF, 0.7071067811865476);
  // log((1 + s) / (1 - s)) = 2 s + s z R(z), z = s^2 <= 0.0295: 4.8e-12
  put(LOG + 0, 0.6666666564512951);
  put(LOG + 4, 0.4000033527244659);
  put(LOG + 8, 0.2853730293418891);
  put(LOG + 12, 0.23582265090535048);
  // erf x = x + x P(x^2) on |x| <= 0.93: 4.6e-10
  put(ERF + 0, 0.1283791665811542);
  put(ERF + 4, -0.3761263319272781);
  put(ERF + 8, 0.11283687228000477);
  put(ERF + 12, -0.02685894305007803);
  put(ERF + 16, 0.005199909609343137);
  put(ERF + 20, -0.0008130039636022622);
  put(ERF + 24, 8.316870456635039e-5);
  // log erfc x on 0.92 <= x <= 4: 3.4e-11 relative to erf
  put(ERFC + 0, 0.00016039749393503478);
  put(ERFC + 4, -1.1294340736455017);
  put(ERFC + 8, -0.6335435637590678);
  put(ERFC + 12, -0.1080118232280187);
  put(ERFC + 16, 0.024895099480207655);
  put(ERFC + 20, -0.004053391426806684);
  put(ERFC + 24, 0.0003966728481620221);
  put(ERFC + 28, -1.4305278725140674e-5);
  put(ERFC + 32, -5.223425479997789e-7);
  put(ERF_SPLIT, 0.925);
  put(ERF_MAX, 4);
  // D(a), see gelu4, as P(a) / Q(a) on 0 <= a <= 13.3: 1.5e-8 relative to what it is a part of
  put(GELU_P + 0, 0.9108578581642526);
  put(GELU_P + 4, 0.5548365089132894);
  put(GELU_P + 8, 0.15535998213946206);
  put(GELU_P + 12, 0.018915422699592753);
  put(GELU_Q + 0, 0.9090980235888932);
  put(GELU_Q + 4, 0.3907040585118241);
  put(GELU_Q + 8, 0.08947388074935973);
  put(GELU_Q + 12, 0.00945911498186031);
  put(GELU_MAX, 13.2); // below -13.2 the result is subnormal: 0
}

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(C + offset);
}

/**
 * x between two coefficients; NaN stays. One instruction a bound: `min` and `max`, which order NaN and the signs of zeros from both
 * sides, take six.
 */
// @ts-ignore: decorator
@inline
function clamp(x: v128, low: usize, high: usize): v128 {
  return f32x4.pmin(f32x4.pmax(x, constant(low)), constant(high));
}

/**
 * Gradients on the way back through time: what is smaller than 2^-90 becomes 0, NaN stays. They shrink with every step, and below 2^-126 they are
 * subnormal: processors that handle those aside (Intel: some 150 cycles an instruction) then take many times as long, and WebAssembly cannot have
 * them flushed as XLA does. The 36 binades between are for the gates and weights that they are multiplied by.
 */
// @ts-ignore: decorator
@inline
export function withoutTiny(v: v128): v128 {
  return v128.andnot(v, f32x4.lt(f32x4.abs(v), constant(TINY)));
}

/** a * b + c: fused where the engine has relaxed SIMD, else rounded twice. */
// @ts-ignore: decorator
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** 2^n for integers n of -126..127; of what lies above the low nine bits nothing is left. */
// @ts-ignore: decorator
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/**
 * x / ln 2 + 1.5 * 2^23: the sum is rounded to an integer n, which stands in its low bits, and is n again when 1.5 * 2^23 is taken off. Two
 * operations; rounding and conversion would take eight.
 */
// @ts-ignore: decorator
@inline
function shiftedLog2(x: v128): v128 {
  return fma(x, constant(LOG2E), constant(SHIFT));
}

/** e^r - 1 = r + r^2 P(r) for the reduced r. */
// @ts-ignore: decorator
@inline
function expm1Reduced(r: v128): v128 {
  let p = constant(EXP + 20);
  p = fma(p, r, constant(EXP + 16));
  p = fma(p, r, constant(EXP + 12));
  p = fma(p, r, constant(EXP + 8));
  p = fma(p, r, constant(EXP + 4));
  p = fma(p, r, constant(EXP));
  return fma(f32x4.mul(r, r), p, r);
}

/** x - n ln 2 for the integer n, in two parts. */
// @ts-ignore: decorator
@inline
function reduceByLn2(x: v128, n: v128): v128 {
  const r = f32x4.sub(x, f32x4.mul(n, constant(LN2_HI)));
  return f32x4.sub(r, f32x4.mul(n, constant(LN2_LO)));
}

/** e^x; overflow gives infinity, underflow subnormals and 0. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = clamp(x, EXP_MIN, EXP_MAX);
  const shifted = shiftedLog2(clamped);
  const r = reduceByLn2(clamped, f32x4.sub(shifted, constant(SHIFT)));
  const p = f32x4.add(expm1Reduced(r), constant(ONE));
  // 2^n in two factors, so that neither leaves the range of exponents.
  const i = i32x4.sub(shifted, constant(SHIFT));
  const half = i32x4.shr_s(i, 1);
  return f32x4.mul(f32x4.mul(p, powerOfTwo(half)), powerOfTwo(i32x4.sub(i, half)));
}

/** e^x for x <= 0, as softmax needs it: one factor of 2^n is enough, and what would be subnormal is 0. */
// @ts-ignore: decorator
@inline
export function expNegative4(x: v128): v128 {
  const clamped = f32x4.pmax(x, constant(EXP_NORMAL));
  const shifted = shiftedLog2(clamped);
  const p = f32x4.add(expm1Reduced(reduceByLn2(clamped, f32x4.sub(shifted, constant(SHIFT)))), constant(ONE));
  const y = f32x4.mul(p, powerOfTwo(shifted));
  return v128.andnot(y, f32x4.lt(x, constant(EXP_NORMAL)));
}

/** e^x - 1, accurate near 0. */
// @ts-ignore: decorator
@inline
export function expm14(x: v128): v128 {
  const clamped = clamp(x, EXP_MIN, EXP_MAX);
  const shifted = shiftedLog2(clamped);
  const r = reduceByLn2(clamped, f32x4.sub(shifted, constant(SHIFT)));
  const q = expm1Reduced(r);
  const i = i32x4.sub(shifted, constant(SHIFT));
  // 2^n q + (2^n - 1); beyond the exponents of one factor the two-step product of exp is exact enough, less 1.
  const half = i32x4.shr_s(i, 1);
  const s = powerOfTwo(half);
  const t = powerOfTwo(i32x4.sub(i, half));
  const direct = f32x4.add(f32x4.mul(f32x4.mul(q, s), t), f32x4.sub(f32x4.mul(s, t), constant(ONE)));
  const scaled = f32x4.sub(f32x4.mul(f32x4.mul(f32x4.add(q, constant(ONE)), s), t), constant(ONE));
  // The sign of x, also of a zero.
  return v128.or(v128.bitselect(scaled, direct, i32x4.gt_s(i, i32x4.splat(60))), v128.and(x, i32x4.splat(0x80000000)));
}

/** tanh x, rational, as gates take it: cheaper than through e^x, and to 6e-8 absolute (at most 5 ulp without fused multiply-add). */
// @ts-ignore: decorator
@inline
export function gateTanh4(x: v128): v128 {
  const c = clamp(x, TANH_MIN, TANH_MAX);
  const z = f32x4.mul(c, c);
  let p = constant(TANH_P + 16);
  p = fma(p, z, constant(TANH_P + 12));
  p = fma(p, z, constant(TANH_P + 8));
  p = fma(p, z, constant(TANH_P + 4));
  p = fma(p, z, constant(TANH_P));
  let q = constant(TANH_Q + 12);
  q = fma(q, z, constant(TANH_Q + 8));
  q = fma(q, z, constant(TANH_Q + 4));
  q = fma(q, z, constant(TANH_Q));
  q = fma(q, z, constant(ONE));
  return f32x4.div(f32x4.mul(c, p), q);
}

/** tanh x to 2 ulp: x + x^3 P(x^2) where x is small, 1 - 2 / (e^2x + 1) where not. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const a = f32x4.abs(x);
  const z = f32x4.mul(a, a);
  let p = constant(TANH + 16);
  p = fma(p, z, constant(TANH + 12));
  p = fma(p, z, constant(TANH + 8));
  p = fma(p, z, constant(TANH + 4));
  p = fma(p, z, constant(TANH));
  const small = fma(f32x4.mul(z, a), p, a);
  const c = f32x4.pmin(a, constant(TANH_ONE));
  const e = exp4(f32x4.add(c, c));
  const large = f32x4.sub(constant(ONE), f32x4.div(constant(TWO), f32x4.add(e, constant(ONE))));
  const y = v128.bitselect(small, large, f32x4.lt(a, constant(TANH_SPLIT)));
  // The sign of x; NaN comes through both.
  return v128.or(y, v128.and(x, i32x4.splat(0x80000000)));
}

/** 1 / (1 + e^-x), accurate relative to the result also where it is small. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = constant(ONE);
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  // e^x / (1 + e^x) for negative x; the comparison is false for NaN, which e carries.
  return f32x4.div(v128.bitselect(one, e, f32x4.ge(x, f32x4.splat(0))), f32x4.add(one, e));
}

/** The gate of a recurrent cell: 1/2 + 1/2 tanh(x / 2), to 6e-8 absolute. */
// @ts-ignore: decorator
@inline
export function gate4(x: v128): v128 {
  const half = constant(HALF);
  return fma(gateTanh4(f32x4.mul(x, half)), half, half);
}

/** Natural logarithm: -infinity at 0, NaN below. */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  // Subnormals are scaled up by 2^23.
  const small = v128.and(f32x4.lt(x, f32x4.splat(1.17549435e-38)), f32x4.gt(x, f32x4.splat(0)));
  const v = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, small);
  // v = 2^e m, sqrt(1/2) <= m < sqrt 2
  const shifted = i32x4.sub(v, i32x4.splat(0x3f3504f3));
  let e = f32x4.convert_i32x4_s(i32x4.shr_s(shifted, 23));
  e = f32x4.sub(e, v128.and(small, f32x4.splat(23)));
  const m = i32x4.add(v128.and(shifted, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const f = f32x4.sub(m, constant(ONE));
  const s = f32x4.div(f, f32x4.add(f, constant(TWO)));
  const z = f32x4.mul(s, s);
  let r = constant(LOG + 12);
  r = fma(r, z, constant(LOG + 8));
  r = fma(r, z, constant(LOG + 4));
  r = fma(r, z, constant(LOG));
  r = f32x4.mul(r, z);
  // f - (f^2/2 - s (f^2/2 + r)): fdlibm's arrangement, which keeps the leading term exact.
  const h = f32x4.mul(f32x4.mul(f, f), constant(HALF));
  const low = f32x4.add(f32x4.mul(s, f32x4.add(h, r)), f32x4.mul(e, constant(LN2_LO)));
  const y = f32x4.add(f32x4.sub(f, f32x4.sub(h, low)), f32x4.mul(e, constant(LN2_HI)));
  const finite = v128.bitselect(y, x, f32x4.lt(x, f32x4.splat(Infinity)));
  const positive = v128.bitselect(finite, f32x4.splat(NaN), f32x4.ge(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.splat(-Infinity), positive, f32x4.eq(x, f32x4.splat(0)));
}

/** log(1 + x), accurate near 0: what rounding 1 + x to u left out is added as its share of u. */
// @ts-ignore: decorator
@inline
export function log1p4(x: v128): v128 {
  const one = constant(ONE);
  const u = f32x4.add(x, one);
  const y = f32x4.add(log4(u), f32x4.div(f32x4.sub(x, f32x4.sub(u, one)), u));
  // u = 1: log(1 + x) = x. At infinity and at -1 what is left out is no number: log u it is.
  const near = v128.bitselect(x, y, f32x4.eq(u, one));
  return v128.bitselect(log4(u), near, v128.or(f32x4.eq(x, f32x4.splat(Infinity)), f32x4.le(x, f32x4.splat(-1))));
}

/** log(1 + e^x) */
// @ts-ignore: decorator
@inline
export function softplus4(x: v128): v128 {
  return f32x4.add(f32x4.max(x, f32x4.splat(0)), log1p4(exp4(f32x4.neg(f32x4.abs(x)))));
}

/** The error function. */
// @ts-ignore: decorator
@inline
export function erf4(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), constant(ERF_MAX));
  const z = f32x4.mul(a, a);
  let p = constant(ERF + 24);
  p = fma(p, z, constant(ERF + 20));
  p = fma(p, z, constant(ERF + 16));
  p = fma(p, z, constant(ERF + 12));
  p = fma(p, z, constant(ERF + 8));
  p = fma(p, z, constant(ERF + 4));
  p = fma(p, z, constant(ERF));
  p = fma(p, a, a);
  let q = constant(ERFC + 32);
  q = fma(q, a, constant(ERFC + 28));
  q = fma(q, a, constant(ERFC + 24));
  q = fma(q, a, constant(ERFC + 20));
  q = fma(q, a, constant(ERFC + 16));
  q = fma(q, a, constant(ERFC + 12));
  q = fma(q, a, constant(ERFC + 8));
  q = fma(q, a, constant(ERFC + 4));
  q = fma(q, a, constant(ERFC));
  q = f32x4.sub(constant(ONE), exp4(q));
  const y = v128.bitselect(q, p, f32x4.gt(a, constant(ERF_SPLIT)));
  // The sign of x; NaN stays.
  const signed = v128.or(y, v128.and(x, i32x4.splat(0x80000000)));
  return v128.bitselect(signed, x, f32x4.eq(x, x));
}

/**
 * GELU, x P(X <= x) for standard normal X: max(x, 0) - a P(X > a) with a = |x|, and P(X > a) = e^(-a^2 / 2) / (2 + a (sqrt(2 pi) - D(a))),
 * which is accurate relative to itself, also for negative x, where x / 2 (1 + erf(x / sqrt 2)) cancels. The quotient is taken in float64: it
 * would add up four roundings.
 */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const a = f32x4.pmin(magnitude, constant(GELU_MAX));
  // a^2 = high^2 + rest: high has 12 bits, its square is exact.
  const high = v128.and(a, i32x4.splat(0xfffff000));
  const rest = f32x4.mul(f32x4.mul(f32x4.sub(a, high), f32x4.add(a, high)), constant(HALF));
  const square = f32x4.mul(f32x4.mul(high, high), f32x4.splat(-0.5));
  const shifted = shiftedLog2(f32x4.sub(square, rest));
  const q = expm1Reduced(f32x4.sub(reduceByLn2(square, f32x4.sub(shifted, constant(SHIFT))), rest));
  let p = constant(GELU_P + 12);
  p = fma(p, a, constant(GELU_P + 8));
  p = fma(p, a, constant(GELU_P + 4));
  p = fma(p, a, constant(GELU_P));
  let d = constant(GELU_Q + 12);
  d = fma(d, a, constant(GELU_Q + 8));
  d = fma(d, a, constant(GELU_Q + 4));
  d = fma(d, a, constant(GELU_Q));
  d = fma(d, a, constant(ONE));
  d = f32x4.div(p, d);
  const low = geluQuotient(a, q, d);
  const rear = geluQuotient(upper(a), upper(q), upper(d));
  const tail = f32x4.mul(v128.shuffle<f32>(low, rear, 0, 1, 4, 5), powerOfTwo(shifted));
  const y = f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), tail);
  // Below, -0: subnormal results are flushed.
  return v128.bitselect(f32x4.splat(-0.0), y, f32x4.lt(x, f32x4.neg(constant(GELU_MAX))));
}

// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return v128.shuffle<f32>(x, x, 2, 3, 2, 3);
}

/** a (1 + q) / (2 + a (sqrt(2 pi) - d)) of the lower two lanes. */
// @ts-ignore: decorator
@inline
function geluQuotient(a: v128, q: v128, d: v128): v128 {
  const wide = f64x2.promote_low_f32x4(a);
  const slope = f64x2.sub(f64x2.splat(2.5066282746310002), f64x2.promote_low_f32x4(d));
  const e = f64x2.add(f64x2.mul(wide, f64x2.promote_low_f32x4(q)), wide);
  return f32x4.demote_f64x2_zero(f64x2.div(e, f64x2.add(f64x2.mul(wide, slope), f64x2.splat(2))));
}
