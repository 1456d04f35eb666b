//! Elementary functions on vectors of float32. The fits are those of the WebAssembly kernels (`packages/kernels/assembly/vector.ts`, relative errors
//! in the comments), with fused multiply-adds throughout: exp, tanh and sigmoid are within 2 units in the last place.

use crate::simd::Simd;

/// 2^-90
const TINY: f32 = 8.077_936e-28;
const LN2_HI: f32 = 0.693_359_4; // 9 bits, so that n * hi is exact
const LN2_LO: f32 = -2.121_944_4e-4;
/// 1.5 * 2^23: what is added to it is rounded to an integer.
pub const SHIFT: f32 = 12_582_912.0;
const EXP_MAX: f32 = 89.0;
const EXP_MIN: f32 = -104.0;
const EXP_NORMAL: f32 = -87.0;
/// (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2: 1.3e-8 relative to e^r - 1, a fifth of what rounding to float32 does
const EXP: [f64; 5] = [0.4999999815494183, 0.16666543660944416, 0.041667199688329354, 0.008366515179842627, 0.001388252233792634];
/// (tanh x / x - 1) / x^2 on |x| <= 0.63: 4.5e-9 relative to tanh
const TANH: [f64; 5] = [-0.3333328022006962, 0.13331383653947862, -0.0537340003800151, 0.020618123366752072, -0.005679304952247649];
const TANH_SPLIT: f32 = 0.625;
const TANH_ONE: f32 = 10.0; // from here on tanh rounds to 1
/// log((1 + s) / (1 - s)) = 2 s + s z R(z), z = s^2 <= 0.0295: 4.8e-12
const LOG: [f64; 4] = [0.6666666564512951, 0.4000033527244659, 0.2853730293418891, 0.23582265090535048];
/// erf x = x + x P(x^2) on |x| <= 0.93: 4.6e-10
const ERF: [f64; 7] = [
    0.1283791665811542,
    -0.3761263319272781,
    0.11283687228000477,
    -0.02685894305007803,
    0.005199909609343137,
    -0.0008130039636022622,
    8.316870456635039e-5,
];
/// log erfc x on 0.92 <= x <= 4: 3.4e-11 relative to erf
const ERFC: [f64; 9] = [
    0.00016039749393503478,
    -1.1294340736455017,
    -0.6335435637590678,
    -0.1080118232280187,
    0.024895099480207655,
    -0.004053391426806684,
    0.0003966728481620221,
    -1.4305278725140674e-5,
    -5.223425479997789e-7,
];
const ERF_SPLIT: f32 = 0.925;
const ERF_MAX: f32 = 4.0;
/// D(a), see `gelu`, as P(a) / Q(a) on 0 <= a <= 13.3: 1.5e-8 relative to what it is a part of
const GELU_P: [f64; 4] = [0.9108578581642526, 0.5548365089132894, 0.15535998213946206, 0.018915422699592753];
const GELU_Q: [f64; 5] = [1.0, 0.9090980235888932, 0.3907040585118241, 0.08947388074935973, 0.00945911498186031];
const GELU_MAX: f32 = 13.2; // below -13.2 the result is subnormal: 0

/// A polynomial, its lowest coefficient first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::F, coefficients: [f64; N]) -> S::F {
    let mut p = s.splat(coefficients[N - 1] as f32);
    for i in (0..N - 1).rev() {
        p = s.fma(p, x, s.splat(coefficients[i] as f32));
    }
    p
}

/// x / ln 2 + 1.5 * 2^23: the sum is rounded to an integer n, which stands in its low bits, and is n again when 1.5 * 2^23 is taken off.
#[inline(always)]
fn shifted_log2<S: Simd>(s: S, x: S::F) -> S::F {
    s.fma(x, s.splat(std::f32::consts::LOG2_E), s.splat(SHIFT))
}

/// e^r - 1 = r + r^2 P(r) for the reduced r. Products that do not wait for each other (Estrin's scheme): a gate is one chain of such sums.
#[inline(always)]
fn expm1_reduced<S: Simd>(s: S, r: S::F) -> S::F {
    let square = s.mul(r, r);
    let [c0, c1, c2, c3, c4] = EXP;
    let pair = s.fma(r, s.splat(c1 as f32), s.splat(c0 as f32));
    let high = s.fma(square, s.splat(c4 as f32), s.fma(r, s.splat(c3 as f32), s.splat(c2 as f32)));
    s.fma(square, s.fma(square, high, pair), r)
}

/// x - n ln 2 for the integer n, in two parts.
#[inline(always)]
fn reduce_by_ln2<S: Simd>(s: S, x: S::F, n: S::F) -> S::F {
    let r = s.fma(n, s.splat(-LN2_HI), x);
    s.fma(n, s.splat(-LN2_LO), r)
}

#[inline(always)]
fn clamp<S: Simd>(s: S, x: S::F, low: f32, high: f32) -> S::F {
    s.pmin(s.pmax(x, s.splat(low)), s.splat(high))
}

/// e^x; overflow gives infinity, underflow subnormals and 0.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    let clamped = clamp(s, x, EXP_MIN, EXP_MAX);
    let shifted = shifted_log2(s, clamped);
    let r = reduce_by_ln2(s, clamped, s.sub(shifted, s.splat(SHIFT)));
    let p = s.add(expm1_reduced(s, r), s.splat(1.0));
    // 2^n in two factors, so that neither leaves the range of exponents.
    let i = s.isub(s.bits(shifted), s.bits(s.splat(SHIFT)));
    let half = s.sra(i, 1);
    s.mul(s.mul(p, s.power_of_two(half)), s.power_of_two(s.isub(i, half)))
}

/// e^x for x <= 0: one factor of 2^n is enough, and what would be subnormal is 0.
#[inline(always)]
pub fn exp_negative<S: Simd>(s: S, x: S::F) -> S::F {
    let low = s.splat(EXP_NORMAL);
    let clamped = s.pmax(x, low);
    let shifted = shifted_log2(s, clamped);
    let p = s.add(expm1_reduced(s, reduce_by_ln2(s, clamped, s.sub(shifted, s.splat(SHIFT)))), s.splat(1.0));
    let y = s.times_power(p, shifted);
    s.select(s.lt(x, low), s.splat(0.0), y)
}

/// e^x - 1, accurate near 0.
#[inline(always)]
pub fn expm1<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    let clamped = clamp(s, x, EXP_MIN, EXP_MAX);
    let shifted = shifted_log2(s, clamped);
    let q = expm1_reduced(s, reduce_by_ln2(s, clamped, s.sub(shifted, s.splat(SHIFT))));
    let i = s.isub(s.bits(shifted), s.bits(s.splat(SHIFT)));
    let half = s.sra(i, 1);
    let a = s.power_of_two(half);
    let b = s.power_of_two(s.isub(i, half));
    // 2^n q + (2^n - 1); beyond the exponents of one factor the two-step product of exp is exact enough, less 1.
    let direct = s.add(s.mul(s.mul(q, a), b), s.sub(s.mul(a, b), one));
    let scaled = s.sub(s.mul(s.mul(s.add(q, one), a), b), one);
    s.with_sign(s.select(s.igt(i, s.isplat(60)), scaled, direct), x)
}

/// x + x^3 P(x^2) where x is small, 1 - 2 / (e^2x + 1) where not.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.abs(x);
    let z = s.mul(a, a);
    let small = s.fma(s.mul(z, a), polynomial(s, z, TANH), a);
    let c = s.pmin(a, s.splat(TANH_ONE));
    // The argument is in 0..20: one factor of 2^n is enough.
    let e = exp_moderate(s, s.add(c, c));
    let large = s.fma(s.reciprocal(s.add(e, s.splat(1.0))), s.splat(-2.0), s.splat(1.0));
    let y = s.select(s.lt(a, s.splat(TANH_SPLIT)), small, large);
    // The sign of x; NaN comes through both.
    s.with_sign(y, x)
}

/// e^x for |x| <= 87, where 2^n is one factor.
#[inline(always)]
fn exp_moderate<S: Simd>(s: S, x: S::F) -> S::F {
    let shifted = shifted_log2(s, x);
    let p = s.add(expm1_reduced(s, reduce_by_ln2(s, x, s.sub(shifted, s.splat(SHIFT)))), s.splat(1.0));
    s.times_power(p, shifted)
}

/// 1 / (1 + e^-x), accurate relative to the result also where it is small.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    let e = exp(s, s.neg(s.abs(x)));
    // e^x / (1 + e^x) for negative x; the comparison is false for NaN, which e carries.
    s.div(s.select(s.le(s.splat(0.0), x), one, e), s.add(one, e))
}

/// The gate of a recurrent cell: 1 / (1 + e^-x), 1e-38 at the least.
#[inline(always)]
pub fn gate<S: Simd>(s: S, x: S::F) -> S::F {
    let e = exp_moderate(s, s.neg(clamp(s, x, -87.0, 87.0)));
    s.reciprocal(s.add(s.splat(1.0), e))
}

/// Gradients on the way back through time: what is smaller than 2^-90 becomes 0, NaN stays. They shrink with every step, and below 2^-126 they are
/// subnormal, which some processors handle aside, at a hundred times the cost; the binades between are for the gates and weights that they are multiplied by.
#[inline(always)]
pub fn without_tiny<S: Simd>(s: S, x: S::F) -> S::F {
    s.select(s.lt(s.abs(x), s.splat(TINY)), s.splat(0.0), x)
}

/// Natural logarithm: -infinity at 0, NaN below.
#[inline(always)]
pub fn log<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    // Subnormals (and what is not positive, which is put right below) are scaled up by 2^23.
    let small = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let v = s.select(small, s.mul(x, s.splat(8_388_608.0)), x);
    // v = 2^e m, sqrt(1/2) <= m < sqrt 2
    let shifted = s.isub(s.bits(v), s.isplat(0x3f35_04f3));
    let e = s.convert(s.sra(shifted, 23));
    let e = s.sub(e, s.select(small, s.splat(23.0), s.splat(0.0)));
    let m = s.floats(s.iadd(s.and(shifted, s.isplat(0x007f_ffff)), s.isplat(0x3f35_04f3)));
    let f = s.sub(m, one);
    let q = s.div(f, s.add(f, s.splat(2.0)));
    let z = s.mul(q, q);
    let r = s.mul(polynomial(s, z, LOG), z);
    // f - (f^2/2 - q (f^2/2 + r)): fdlibm's arrangement, which keeps the leading term exact.
    let h = s.mul(s.mul(f, f), s.splat(0.5));
    let low = s.add(s.mul(q, s.add(h, r)), s.mul(e, s.splat(LN2_LO)));
    let y = s.add(s.sub(f, s.sub(h, low)), s.mul(e, s.splat(LN2_HI)));
    let finite = s.select(s.lt(x, s.splat(f32::INFINITY)), y, x);
    let positive = s.select(s.le(s.splat(0.0), x), finite, s.splat(f32::NAN));
    s.select(s.eq(x, s.splat(0.0)), s.splat(f32::NEG_INFINITY), positive)
}

/// log(1 + x), accurate near 0: what rounding 1 + x to u left out is added as its share of u.
#[inline(always)]
pub fn log1p<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    let u = s.add(x, one);
    let whole = log(s, u);
    let y = s.add(whole, s.div(s.sub(x, s.sub(u, one)), u));
    // u = 1: log(1 + x) = x. At infinity and at -1 what is left out is no number: log u it is.
    let near = s.select(s.eq(u, one), x, y);
    s.select(s.or_masks(s.eq(x, s.splat(f32::INFINITY)), s.le(x, s.splat(-1.0))), whole, near)
}

/// log(1 + e^x)
#[inline(always)]
pub fn softplus<S: Simd>(s: S, x: S::F) -> S::F {
    s.add(s.maximum(x, s.splat(0.0)), log1p(s, exp(s, s.neg(s.abs(x)))))
}

/// The error function.
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.pmin(s.abs(x), s.splat(ERF_MAX));
    let p = s.fma(polynomial(s, s.mul(a, a), ERF), a, a);
    let q = s.sub(s.splat(1.0), exp(s, polynomial(s, a, ERFC)));
    let y = s.select(s.lt(s.splat(ERF_SPLIT), a), q, p);
    // The sign of x; NaN stays.
    s.select(s.eq(x, x), s.with_sign(y, x), x)
}

/// GELU, x P(X <= x) for standard normal X: max(x, 0) - a P(X > a) with a = |x|, and P(X > a) = e^(-a^2 / 2) / (2 + a (sqrt(2 pi) - D(a))),
/// which is accurate relative to itself, also for negative x. The quotient is taken in float64: it would add up four roundings.
#[inline(always)]
pub fn gelu<S: Simd>(s: S, x: S::F) -> S::F {
    let a = s.pmin(s.abs(x), s.splat(GELU_MAX));
    // a^2 = high^2 + rest: high has 12 bits, its square is exact.
    let high = s.floats(s.and(s.bits(a), s.isplat(0xffff_f000_u32 as i32)));
    let rest = s.mul(s.mul(s.sub(a, high), s.add(a, high)), s.splat(0.5));
    let square = s.mul(s.mul(high, high), s.splat(-0.5));
    let shifted = shifted_log2(s, s.sub(square, rest));
    let q = expm1_reduced(s, s.sub(reduce_by_ln2(s, square, s.sub(shifted, s.splat(SHIFT))), rest));
    let d = s.div(polynomial(s, a, GELU_P), polynomial(s, a, GELU_Q));
    let (wide, wide_q, wide_d) = (s.lanes(a), s.lanes(q), s.lanes(d));
    let mut tail = [0f32; 16];
    for i in 0..S::LANES {
        let a = f64::from(wide[i]);
        let slope = 2.5066282746310002 - f64::from(wide_d[i]);
        tail[i] = ((a * f64::from(wide_q[i]) + a) / (a * slope + 2.0)) as f32;
    }
    // SAFETY: sixteen values are as many as the widest vector has.
    let tail = unsafe { s.load(tail.as_ptr()) };
    let y = s.sub(s.pmax(x, s.splat(0.0)), s.times_power(tail, shifted));
    // Below, -0: subnormal results are flushed.
    s.select(s.lt(x, s.splat(-GELU_MAX)), s.splat(-0.0), y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel;
    use crate::simd::Level;
    use crate::testing::levels;

    kernel! {
        /// # Safety
        /// `n` values at both places must be valid.
        unsafe fn apply(s, kind: usize, x: *const f32, y: *mut f32, n: usize) {
            let (x, y) = (std::slice::from_raw_parts(x, n), std::slice::from_raw_parts_mut(y, n));
            for (from, to) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
                let v = s.load_part(from.as_ptr(), from.len());
                let r = match kind {
                    0 => exp(s, v),
                    1 => expm1(s, v),
                    2 => tanh(s, v),
                    3 => sigmoid(s, v),
                    4 => log(s, v),
                    5 => log1p(s, v),
                    6 => softplus(s, v),
                    7 => exp_negative(s, v),
                    _ => gate(s, v),
                };
                s.store_part(to.as_mut_ptr(), r, to.len());
            }
        }
    }

    fn ulps(got: f32, want: f64) -> f64 {
        if f64::from(got) == want || (want as f32 == got) {
            return 0.0;
        }
        let near = want as f32;
        let unit = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
        (f64::from(got) - want).abs() / unit
    }

    /// A function, where from and to it is tried, and how many units it may be off.
    type Wanted = (fn(f64) -> f64, f64, f64, f64);

    #[test]
    fn functions_are_within_two_units() {
        let wanted: [Wanted; 9] = [
            (f64::exp, -87.0, 88.7, 2.0),
            (f64::exp_m1, -80.0, 88.0, 3.0),
            (f64::tanh, -12.0, 12.0, 2.0),
            (|x| 1.0 / (1.0 + (-x).exp()), -80.0, 80.0, 2.5),
            (f64::ln, 1e-30, 1e6, 2.0),
            (f64::ln_1p, -0.99, 50.0, 3.0),
            (|x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -80.0, 80.0, 3.0),
            (f64::exp, -87.0, 0.0, 2.0),
            (|x| 1.0 / (1.0 + (-x).exp()), -80.0, 80.0, 2.5),
        ];
        for level in levels() {
            for (kind, (f, low, high, limit)) in wanted.iter().enumerate() {
                // The portable build does not fuse.
                let limit = if level == Level::Portable { 2.0 * limit } else { *limit };
                let x: Vec<f32> = (0..=20_001).map(|i| (low + (high - low) * f64::from(i) / 20_001.0) as f32).collect();
                let mut y = vec![0f32; x.len()];
                dispatch(level, kind, &x, &mut y);
                for (x, y) in x.iter().zip(&y) {
                    let error = ulps(*y, f(f64::from(*x)));
                    assert!(error <= limit, "{} {kind} at {x}: {y}, off by {error} units", level.name());
                }
            }
        }
    }

    fn dispatch(level: Level, kind: usize, x: &[f32], y: &mut [f32]) {
        // SAFETY: both slices have as many values.
        crate::dispatch!(level, s => unsafe { apply(s, kind, x.as_ptr(), y.as_mut_ptr(), y.len()) });
    }

    #[test]
    fn special_values() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, -1.0, 1e-40];
        let mut y = [0f32; 7];
        for level in levels() {
            dispatch(level, 0, &x, &mut y);
            assert!(y[0].is_nan() && y[1] == f32::INFINITY && y[2] == 0.0 && y[3] == 1.0, "exp {y:?}");
            dispatch(level, 2, &x, &mut y);
            assert!(y[0].is_nan() && y[1] == 1.0 && y[2] == -1.0 && y[4].is_sign_negative(), "tanh {y:?}");
            dispatch(level, 4, &x, &mut y);
            assert!(y[0].is_nan() && y[1] == f32::INFINITY && y[2].is_nan() && y[3] == f32::NEG_INFINITY && y[5].is_nan());
            assert!((y[6] - -92.103_4).abs() < 1e-3, "log {y:?}");
            dispatch(level, 8, &x, &mut y);
            assert!(y[0].is_nan() && y[1] == 1.0 && y[2] < 1e-37 && y[3] == 0.5, "gate {y:?}");
        }
    }
}
