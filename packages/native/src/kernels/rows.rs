//! Functions of whole rows [rows, n], forward and backward: softmax, its logarithm, and normalization to mean 0 and variance 1. A row stays in the
//! first-level cache from its first pass to its last. Sums run in float32 over parts of 256 elements, and in float64 over those.

use super::reduce::extreme;
use crate::commands::rows::{LOG_SOFTMAX, LOG_SOFTMAX_BACKWARD, NORMALIZE, NORMALIZE_BACKWARD, SOFTMAX, SOFTMAX_BACKWARD};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

/// Elements of a row whose sum is float32.
const PART: usize = 256;

// Macros, not functions of closures: a closure that is not inlined has none of the instructions of the kernel around it, and every one of them becomes a call.

/// Does something for the index and the number of lanes of each vector of n.
macro_rules! vectors {
    ($n:expr, |$i:ident, $lanes:ident| $body:expr) => {{
        let mut $i = 0;
        while $i < $n {
            let $lanes = S::LANES.min($n - $i);
            $body;
            $i += S::LANES;
        }
    }};
}

/// The sum over a row of the value for each vector; lanes that are not of the row must give 0.
macro_rules! total {
    ($s:expr, $n:expr, |$i:ident, $lanes:ident| $value:expr) => {{
        let mut sum = 0f64;
        let mut first = 0;
        while first < $n {
            let end = $n.min(first + PART);
            let mut sums = [$s.splat(0.0); 2];
            let mut i = first;
            while i + 2 * S::LANES <= end {
                let $lanes = S::LANES;
                let $i = i;
                sums[0] = $s.add(sums[0], $value);
                let $i = i + S::LANES;
                sums[1] = $s.add(sums[1], $value);
                i += 2 * S::LANES;
            }
            while i < end {
                let ($i, $lanes) = (i, S::LANES.min(end - i));
                sums[0] = $s.add(sums[0], $value);
                i += S::LANES;
            }
            sum += $s.total64($s.add(sums[0], sums[1]));
            first = end;
        }
        sum
    }};
}

kernel! {
    /// One row of any kind.
    ///
    /// # Safety
    /// `n` values of x, out, and (backward) of the gradient must be valid.
    unsafe fn row(s, kind: i32, n: usize, x: *const f32, g: *const f32, out: *mut f32, epsilon: f32) {
        let size = n as f64;
        match kind {
            SOFTMAX | LOG_SOFTMAX => {
                let best = extreme(s, x, n, true);
                let largest = s.splat(best);
                let sum = total!(s, n, |i, lanes| {
                    let e = math::exp_negative(s, s.sub(some(s, x.add(i), lanes), largest));
                    if kind == SOFTMAX {
                        keep(s, out.add(i), e, lanes);
                        some(s, out.add(i), lanes)
                    } else if lanes == S::LANES {
                        e
                    } else {
                        // Lanes beyond the row do not count.
                        s.load_part(s.lanes(e).as_ptr(), lanes)
                    }
                });
                if kind == SOFTMAX {
                    let scale = s.splat((1.0 / sum) as f32);
                    vectors!(n, |i, lanes| keep(s, out.add(i), s.mul(some(s, out.add(i), lanes), scale), lanes));
                } else {
                    // The largest first: x - m is exact where it matters, next to the largest.
                    let low = math::log(s, s.splat(sum as f32));
                    vectors!(n, |i, lanes| keep(s, out.add(i), s.sub(s.sub(some(s, x.add(i), lanes), largest), low), lanes));
                }
            }
            SOFTMAX_BACKWARD => {
                let dot = s.splat(total!(s, n, |i, lanes| s.mul(some(s, g.add(i), lanes), some(s, x.add(i), lanes))) as f32);
                vectors!(n, |i, lanes| {
                    keep(s, out.add(i), s.mul(some(s, x.add(i), lanes), s.sub(some(s, g.add(i), lanes), dot)), lanes);
                });
            }
            LOG_SOFTMAX_BACKWARD => {
                let sum = s.splat(total!(s, n, |i, lanes| some(s, g.add(i), lanes)) as f32);
                vectors!(n, |i, lanes| {
                    let e = s.mul(math::exp_negative(s, some(s, x.add(i), lanes)), sum);
                    keep(s, out.add(i), s.sub(some(s, g.add(i), lanes), e), lanes);
                });
            }
            _ => {
                let mean = s.splat((total!(s, n, |i, lanes| some(s, x.add(i), lanes)) / size) as f32);
                let squares = total!(s, n, |i, lanes| {
                    let d = s.sub(some(s, x.add(i), lanes), mean);
                    let d = if lanes == S::LANES { d } else { s.load_part(s.lanes(d).as_ptr(), lanes) };
                    s.mul(d, d)
                });
                let r = s.splat((1.0 / (squares / size + f64::from(epsilon)).sqrt()) as f32);
                // y; backward, where the result will be.
                vectors!(n, |i, lanes| keep(s, out.add(i), s.mul(s.sub(some(s, x.add(i), lanes), mean), r), lanes));
                if kind == NORMALIZE_BACKWARD {
                    let a = s.splat((total!(s, n, |i, lanes| some(s, g.add(i), lanes)) / size) as f32);
                    let b = s.splat((total!(s, n, |i, lanes| s.mul(some(s, g.add(i), lanes), some(s, out.add(i), lanes))) / size) as f32);
                    vectors!(n, |i, lanes| {
                        let d = s.sub(s.sub(some(s, g.add(i), lanes), a), s.mul(some(s, out.add(i), lanes), b));
                        keep(s, out.add(i), s.mul(d, r), lanes);
                    });
                }
            }
        }
    }
}

/// [kind, rows, n, x (forward, normalization) or y (backward), gradient, out, epsilon]
pub fn rows<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::rows as w;
    let kind = o.int(w::KIND)?;
    if !(SOFTMAX..=NORMALIZE_BACKWARD).contains(&kind) {
        return Err(format!("a function of rows of kind {kind}"));
    }
    let [count, n] = [o.size(w::COUNT)?, o.size(w::N)?];
    let all = elements(&[count, n])?;
    let x = o.floats(w::X, all)?;
    let g = if kind > NORMALIZE { o.floats(w::GRADIENT, all)? } else { std::ptr::null_mut() };
    let out = o.floats(w::OUT, all)?;
    let epsilon = o.float(w::EPSILON)?;
    if n == 0 {
        return Ok(());
    }
    let (first, last) = worker.share(count);
    for i in first..last {
        // SAFETY: the rows were checked to lie in memory; workers' shares do not overlap.
        unsafe { row(s, kind, n, x.add(i * n), g.wrapping_add(i * n), out.add(i * n), epsilon) };
    }
    Ok(())
}
