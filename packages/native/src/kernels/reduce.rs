//! Reductions of a dense [outer, n, inner] to [outer, inner]. Sums and products of integers run in int32, modulo 2^32; those of floats in float64: along n in
//! sixteen interleaved partial sums (inner = 1), or one sum a column (inner > 1), from the first element to the last; rounded once.

use crate::commands::data_type::{BOOL, FLOAT32 as F32, INT32 as I32};
use crate::commands::reduction::{ALL, ANY, MAX, MIN, PROD, SUM};
use crate::kernel;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

/// Bytes of an element of a type.
fn bytes_of(kind: i32) -> Checked<usize> {
    match kind {
        F32 | I32 => Ok(4),
        BOOL => Ok(1),
        _ => Err(format!("elements of type {kind}")),
    }
}

/// An operand of elements of a type.
fn typed(o: &Operands, i: usize, count: usize, kind: i32) -> Checked<*mut u8> {
    if bytes_of(kind)? == 4 {
        Ok(o.floats(i, count)?.cast())
    } else {
        o.bytes(i, count)
    }
}

/// # Safety
/// Element i must be readable.
#[inline(always)]
unsafe fn read(p: *const u8, i: usize, kind: i32) -> f64 {
    match kind {
        F32 => f64::from(*p.cast::<f32>().add(i)),
        I32 => f64::from(*p.cast::<i32>().add(i)),
        _ => f64::from(*p.add(i)),
    }
}

/// # Safety
/// Element i must be writable.
unsafe fn write(p: *mut u8, i: usize, value: f64, kind: i32) {
    match kind {
        F32 => *p.cast::<f32>().add(i) = value as f32,
        I32 => *p.cast::<i32>().add(i) = value as i32,
        _ => *p.add(i) = u8::from(value != 0.0),
    }
}

#[inline(always)]
fn fold(kind: i32, sum: f64, v: f64) -> f64 {
    match kind {
        SUM => sum + v,
        PROD => sum * v,
        MAX => larger(sum, v),
        MIN => -larger(-sum, -v),
        ANY => {
            if v != 0.0 {
                1.0
            } else {
                sum
            }
        }
        _ => {
            if v == 0.0 {
                0.0
            } else {
                sum
            }
        }
    }
}

/// NaN where either is.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b || (a == b && b.is_sign_negative()) {
        a
    } else {
        b
    }
}

fn start(kind: i32) -> f64 {
    match kind {
        PROD | ALL => 1.0,
        MAX => f64::NEG_INFINITY,
        MIN => f64::INFINITY,
        _ => 0.0,
    }
}

kernel! {
    /// The sum of n dense float32, in float64.
    ///
    /// # Safety
    /// They must be readable.
    pub unsafe fn sum(s, p: *const f32, n: usize) -> f64 {
        let _ = s;
        let values = std::slice::from_raw_parts(p, n);
        let mut sums = [0f64; 16];
        let chunks = values.chunks_exact(16);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (sum, v) in sums.iter_mut().zip(chunk) {
                *sum += f64::from(*v);
            }
        }
        let mut width = 16;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                sums[i] += sums[i + width];
            }
        }
        rest.iter().fold(sums[0], |sum, v| sum + f64::from(*v))
    }
}

kernel! {
    /// Largest or smallest of n dense float32; NaN if any is.
    ///
    /// # Safety
    /// They must be readable, and at least one.
    pub unsafe fn extreme(s, p: *const f32, n: usize, largest: bool) -> f32 {
        let mut best = s.splat(*p);
        let mut i = 0;
        while i < n {
            let v = if i + S::LANES <= n { s.load(p.add(i)) } else { s.splat(*p.add(i)) };
            best = if largest { s.maximum(best, v) } else { s.minimum(best, v) };
            i += if i + S::LANES <= n { S::LANES } else { 1 };
        }
        let lanes = s.lanes(best);
        let mut one = f64::from(lanes[0]);
        for v in lanes.iter().take(S::LANES) {
            one = fold(if largest { MAX } else { MIN }, one, f64::from(*v));
        }
        one as f32
    }
}

kernel! {
    /// Adds rows, `row` floats apart, to float64 sums: those of some columns at a time, which stay in registers.
    ///
    /// # Safety
    /// `n` values of each row and `n` sums must be valid.
    unsafe fn add_rows(s, from: *const f32, rows: usize, row: usize, sums: *mut f64, n: usize) {
        let _ = s;
        let mut c = 0;
        while c + TOGETHER <= n {
            let mut some: [f64; TOGETHER] = sums.add(c).cast::<[f64; TOGETHER]>().read();
            for k in 0..rows {
                let values: [f32; TOGETHER] = from.add(k * row + c).cast::<[f32; TOGETHER]>().read();
                for (sum, v) in some.iter_mut().zip(values) {
                    *sum += f64::from(v);
                }
            }
            sums.add(c).cast::<[f64; TOGETHER]>().write(some);
            c += TOGETHER;
        }
        for c in c..n {
            for k in 0..rows {
                *sums.add(c) += f64::from(*from.add(k * row + c));
            }
        }
    }
}

kernel! {
    /// Largest or smallest of each of `width` columns of n rows, `row` floats apart; NaN where any is.
    ///
    /// # Safety
    /// All rows must be readable, and `width` values at `to` writable.
    unsafe fn extremes(s, from: *const f32, n: usize, row: usize, to: *mut f32, width: usize, largest: bool) {
        // As many side by side as hide the latency of a comparison; rows are read in long pieces.
        const SIDE: usize = 8;
        let mut c = 0;
        while c < width {
            if c + SIDE * S::LANES <= width {
                extremes_of::<S, SIDE>(s, from.add(c), n, row, to.add(c), SIDE * S::LANES, largest);
                c += SIDE * S::LANES;
            } else {
                extremes_of::<S, 1>(s, from.add(c), n, row, to.add(c), S::LANES.min(width - c), largest);
                c += S::LANES;
            }
        }
    }
}

/// As [`extremes`], of N vectors: `width` columns.
///
/// # Safety
/// As of [`extremes`].
#[inline(always)]
unsafe fn extremes_of<S: Simd, const N: usize>(s: S, from: *const f32, n: usize, row: usize, to: *mut f32, width: usize, largest: bool) {
    let lanes = if N == 1 { width } else { S::LANES };
    let mut best = [s.splat(if largest { f32::NEG_INFINITY } else { f32::INFINITY }); N];
    for k in 0..n {
        for (j, best) in best.iter_mut().enumerate() {
            let v = some(s, from.add(k * row + j * S::LANES), lanes);
            *best = if largest { s.maximum(*best, v) } else { s.minimum(*best, v) };
        }
    }
    for (j, best) in best.into_iter().enumerate() {
        keep(s, to.add(j * S::LANES), best, lanes);
    }
}

/// Columns of a block whose sums are taken together: as many as there are, so that rows are read whole, but for those of other workers.
const COLUMNS: usize = 512;
const FEWEST: usize = 64;
/// Rows that are added at a time, and columns whose sums stay in registers meanwhile.
const ROWS: usize = 16;
const TOGETHER: usize = 16;

/// [kind, outer, n, inner, from, to, type of the input, type of the output]
pub fn reduce<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::reduce as w;
    let kind = o.int(w::KIND)?;
    let [outer, n, inner] = [o.size(w::OUTER)?, o.size(w::N)?, o.size(w::INNER)?];
    let (kind_in, kind_out) = (o.int(w::DTYPE)?, o.int(w::RESULT_DTYPE)?);
    if !(SUM..=ALL).contains(&kind) {
        return Err(format!("a reduction of kind {kind}"));
    }
    let from = typed(o, w::FROM, elements(&[outer, n, inner])?, kind_in)?;
    let total = elements(&[outer, inner])?;
    let to = typed(o, w::TO, total, kind_out)?;
    // SAFETY: input and output were checked to lie in memory; workers' shares of the output do not overlap.
    unsafe {
        if kind_out == I32 && kind <= PROD {
            let (first, last) = worker.share(total);
            for r in first..last {
                let at = r / inner * n * inner + r % inner;
                let value = |k: usize| {
                    if kind_in == BOOL {
                        i32::from(*from.add(at + k * inner))
                    } else {
                        *from.cast::<i32>().add(at + k * inner)
                    }
                };
                *to.cast::<i32>().add(r) = if kind == PROD {
                    (0..n).fold(1, |a, k| value(k).wrapping_mul(a))
                } else {
                    (0..n).fold(0, |a, k| value(k).wrapping_add(a))
                };
            }
            return Ok(());
        }
        if inner == 1 {
            let (first, last) = worker.share(outer);
            for i in first..last {
                let row = from.cast::<f32>().wrapping_add(i * n);
                let value = match kind {
                    SUM if kind_in == F32 => sum(s, row, n),
                    MAX | MIN if kind_in == F32 && n > 0 => f64::from(extreme(s, row, n, kind == MAX)),
                    _ => (0..n).fold(start(kind), |sum, k| fold(kind, sum, read(from, i * n + k, kind_in))),
                };
                write(to, i, value, kind_out);
            }
            return Ok(());
        }
        let parts = if outer < worker.count { worker.count } else { 1 };
        let block = inner.div_ceil(parts).next_multiple_of(FEWEST).clamp(FEWEST, COLUMNS);
        let blocks = inner.div_ceil(block);
        let (first, last) = worker.share(outer * blocks);
        let mut sums = [0f64; COLUMNS];
        for task in first..last {
            let i = task / blocks;
            let c = task % blocks * block;
            let width = block.min(inner - c);
            if kind_in == F32 && kind_out == F32 && (kind == MAX || kind == MIN) {
                let to = to.cast::<f32>().add(i * inner + c);
                extremes(s, from.cast::<f32>().add(i * n * inner + c), n, inner, to, width, kind == MAX);
                continue;
            }
            sums.fill(start(kind));
            let step = if kind_in == F32 && kind == SUM { ROWS } else { 1 };
            for k in (0..n).step_by(step) {
                let row = (i * n + k) * inner + c;
                if kind_in == F32 && kind == SUM {
                    add_rows(s, from.cast::<f32>().add(row), step.min(n - k), inner, sums.as_mut_ptr(), width);
                } else {
                    for (j, sum) in sums.iter_mut().enumerate().take(width) {
                        *sum = fold(kind, *sum, read(from, row + j, kind_in));
                    }
                }
            }
            for (j, sum) in sums.iter().enumerate().take(width) {
                write(to, i * inner + c + j, *sum, kind_out);
            }
        }
    }
    Ok(())
}

/// The index of the first largest (or smallest) of n, or of the first NaN: [largest, outer, n, inner, from, to, type]
pub fn arg_reduce<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::arg_reduce as w;
    let largest = o.flag(w::LARGEST)?;
    let [outer, n, inner] = [o.size(w::OUTER)?, o.size(w::N)?, o.size(w::INNER)?];
    let kind = o.int(w::DTYPE)?;
    let from = typed(o, w::FROM, elements(&[outer, n, inner])?, kind)?;
    let total = elements(&[outer, inner])?;
    let to = o.ints(w::TO, total)?;
    let (first, last) = worker.share(total);
    if kind == F32 && inner == 1 && n > 0 {
        for r in first..last {
            // SAFETY: input and output were checked to lie in memory; workers' shares of the output do not overlap.
            unsafe {
                let row = std::slice::from_raw_parts(from.cast::<f32>().add(r * n), n);
                let best = extreme(s, row.as_ptr(), n, largest);
                let place = if best.is_nan() { row.iter().position(|v| v.is_nan()) } else { row.iter().position(|v| *v == best) };
                *to.add(r) = place.unwrap_or(0) as i32;
            }
        }
        return Ok(());
    }
    for r in first..last {
        let at = r / inner * n * inner + r % inner;
        // SAFETY: input and output were checked to lie in memory; workers' shares of the output do not overlap.
        unsafe {
            let mut best = if n > 0 { read(from, at, kind) } else { 0.0 };
            let mut place = 0;
            for k in 1..n {
                let v = read(from, at + k * inner, kind);
                if best.is_nan() {
                    break;
                }
                if if largest { v > best } else { v < best } || v.is_nan() {
                    best = v;
                    place = k;
                }
            }
            *to.add(r) = place as i32;
        }
    }
    Ok(())
}

/// Running sums or products along n, rounded at every step: [product, exclusive, reverse, outer, n, inner, from, to, type]. float32
/// totals run in float64, int32 ones modulo 2^32.
pub fn cumulate(worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::cumulate as w;
    let [product, exclusive, reverse] = [o.flag(w::PRODUCT)?, o.flag(w::EXCLUSIVE)?, o.flag(w::REVERSE)?];
    let [outer, n, inner] = [o.size(w::OUTER)?, o.size(w::N)?, o.size(w::INNER)?];
    let count = elements(&[outer, n, inner])?;
    let (from, to) = (o.floats(w::FROM, count)?, o.floats(w::TO, count)?);
    let integers = o.int(w::DTYPE)? == I32;
    let (first, last) = worker.share(elements(&[outer, inner])?);
    for r in first..last {
        let at = r / inner * n * inner + r % inner;
        let place = |k: usize| at + (if reverse { n - 1 - k } else { k }) * inner;
        // SAFETY: input and output were checked to lie in memory; workers' shares do not overlap.
        unsafe {
            if integers {
                let (from, to) = (from.cast::<i32>(), to.cast::<i32>());
                let mut total = i32::from(product);
                for k in 0..n {
                    let v = *from.add(place(k));
                    let next = if product { total.wrapping_mul(v) } else { total.wrapping_add(v) };
                    *to.add(place(k)) = if exclusive { total } else { next };
                    total = next;
                }
            } else {
                let mut total = f64::from(u8::from(product));
                for k in 0..n {
                    let v = f64::from(*from.add(place(k)));
                    let next = if product { total * v } else { total + v };
                    *to.add(place(k)) = if exclusive { total } else { next } as f32;
                    total = next;
                }
            }
        }
    }
    Ok(())
}
