//! Operations of chains that take long: functions on vectors, and what is computed an element at a time.

use crate::commands::{f32_code, i32_code};
use crate::kernel;
use crate::math;

/// IEEE pow, where 1 to whatever power, and -1 to an infinite one, is 1.
fn power(x: f32, y: f32) -> f32 {
    if x == 1.0 || (x == -1.0 && y.is_infinite()) {
        return 1.0;
    }
    f64::from(x).powf(f64::from(y)) as f32
}

/// The exact remainder of float32 or int32, with the sign of a.
///
/// Below 2^29 the quotient, truncated, times b has at most 53 bits, and what is left of a has no more than b: both are exact. The quotient
/// itself is rounded, and may be one too large: then the rest has the other sign.
#[inline(always)]
fn remainder(a: f64, b: f64) -> f64 {
    let q = (a / b).trunc();
    if q == 0.0 {
        // Also where b is infinite.
        return a;
    }
    if q.abs() < 536_870_912.0 {
        let r = a - q * b;
        if r != 0.0 && (r < 0.0) != (a < 0.0) {
            r + b.abs().copysign(a)
        } else {
            r
        }
    } else {
        a % b
    }
}

/// Python's remainder: the sign of the divisor, also of a remainder of 0.
#[inline(always)]
fn floor_mod(a: f64, b: f64) -> f64 {
    let r = remainder(a, b);
    if r == 0.0 {
        return if b < 0.0 { -0.0 } else { 0.0 };
    }
    if (r < 0.0) == (b < 0.0) {
        r
    } else {
        r + b
    }
}

/// Python's quotient, from the exact remainder: the rounded quotient may be the integer above.
fn floor_divide(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let r = remainder(a, b);
    let q = (a - r) / b - if r != 0.0 && (r < 0.0) != (b < 0.0) { 1.0 } else { 0.0 };
    // The sign of the quotient, which is below 1.
    if q == 0.0 {
        return (a / b) * 0.0;
    }
    let low = q.floor();
    if q - low > 0.5 {
        low + 1.0
    } else {
        low
    }
}

/// A float64 as int32: what is no number is 0.
fn to_int(v: f64) -> i32 {
    if v.is_finite() {
        v as i64 as i32
    } else {
        0
    }
}

kernel! {
    /// One operation over `n` elements, which are whole vectors, in their place; `y` are those of a second operand.
    ///
    /// # Safety
    /// `n` values at both places must be valid.
    #[inline(never)]
    pub unsafe fn long(s, code: i32, x: *mut f32, y: *const f32, n: usize) {
        macro_rules! lanes {
            (|$x:ident| $value:expr) => {{
                let mut i = 0;
                while i < n {
                    let $x = s.load(x.add(i));
                    s.store(x.add(i), $value);
                    i += S::LANES;
                }
            }};
        }
        macro_rules! each {
            (|$x:ident, $y:ident| $value:expr) => {
                for i in 0..n {
                    let ($x, $y) = (*x.add(i), *y.add(i));
                    *x.add(i) = $value;
                }
            };
        }
        match code {
            f32_code::EXP => lanes!(|x| math::exp(s, x)),
            f32_code::EXPM1 => lanes!(|x| math::expm1(s, x)),
            f32_code::LOG => lanes!(|x| math::log(s, x)),
            f32_code::LOG1P => lanes!(|x| math::log1p(s, x)),
            f32_code::TANH => lanes!(|x| math::tanh(s, x)),
            f32_code::SIGMOID => lanes!(|x| math::sigmoid(s, x)),
            f32_code::SOFTPLUS => lanes!(|x| math::softplus(s, x)),
            f32_code::ERF => lanes!(|x| math::erf(s, x)),
            f32_code::GELU => lanes!(|x| math::gelu(s, x)),
            f32_code::POW => each!(|x, y| power(x, y)),
            f32_code::MOD => each!(|x, y| floor_mod(f64::from(x), f64::from(y)) as f32),
            f32_code::FLOOR_DIVIDE => each!(|x, y| floor_divide(f64::from(x), f64::from(y)) as f32),
            i32_code::MOD => each!(|x, y| {
                let r = floor_mod(f64::from(x.to_bits() as i32), f64::from(y.to_bits() as i32));
                f32::from_bits(to_int(r) as u32)
            }),
            i32_code::FLOOR_DIVIDE => each!(|x, y| {
                let q = (f64::from(x.to_bits() as i32) / f64::from(y.to_bits() as i32)).floor();
                f32::from_bits(to_int(q) as u32)
            }),
            _ => unreachable!("operations are checked before they run"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn remainders_are_exact() {
        let mut random = Random::new(3);
        let mut tried = vec![
            (5.0, 3.0),
            (-5.0, 3.0),
            (6.0, 3.0),
            (1e30, 7.0),
            (1.0, 1e-30),
            (0.3, f32::INFINITY),
            (0.0, -2.0),
            (-0.0, 2.0),
            (1.0, 0.0),
        ];
        tried.extend((0..200_000).map(|_| {
            // Of all exponents, and such that the quotient is near an integer.
            let b = f32::from_bits(random.word() as u32);
            let near = (b * random.below(1000) as f32).to_bits().wrapping_add(random.below(3) as u32).wrapping_sub(1);
            (if random.below(2) == 0 { f32::from_bits(random.word() as u32) } else { f32::from_bits(near) }, b)
        }));
        for (a, b) in tried {
            let (a, b) = (f64::from(a), f64::from(b));
            let (got, wanted) = (remainder(a, b), a % b);
            assert!(got == wanted || (got.is_nan() && wanted.is_nan()), "{a} % {b}: {got}, expected {wanted}");
        }
        for (a, b) in [(i32::MIN, 1), (i32::MIN, -1), (i32::MAX, 2), (7, i32::MIN), (1_999_999_999, 3)] {
            assert_eq!(remainder(f64::from(a), f64::from(b)), f64::from(a) % f64::from(b));
        }
    }
}
