//! Slices by index, and their sums.

use crate::kernel;
use crate::kernels::ahead::{ask_near, LINE};
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::{Refusal, Worker};

/// The place that an index names, counted from the end where it is negative.
fn resolve(index: i32, size: usize) -> Option<usize> {
    let at = if index < 0 { i64::from(index) + size as i64 } else { i64::from(index) };
    usize::try_from(at).ok().filter(|at| *at < size)
}

/// So many rows ahead of the one that is copied or added to, the beginning of the row is asked for: rows lie anywhere.
const AHEAD: usize = 8;
/// How many lines of a row are asked for; those behind them follow by themselves.
const LINES: usize = 8;

/// Asks for the row that an index names.
#[inline(always)]
fn ask<S: Simd>(s: S, base: *const f32, index: i32, size: usize, inner: usize) {
    if let Some(at) = resolve(index, size) {
        ask_near(s, base.wrapping_add(at * inner), inner.min(LINES * LINE));
    }
}

kernel! {
    /// Rows `first` to `last` of a gather; the first index that names none, if there is one.
    ///
    /// # Safety
    /// All three operands must be as large as the sizes say.
    unsafe fn take(
        s, from: *const f32, indices: *const i32, to: *mut f32, size: usize, inner: usize, count: usize, first: usize, last: usize,
    ) -> Option<i32> {
        let mut refused = None;
        let (mut i, mut k) = (first / count, first % count);
        for r in first..last {
            let index = *indices.add(k);
            if k + AHEAD < count {
                ask(s, from.wrapping_add(i * size * inner), *indices.add(k + AHEAD), size, inner);
            }
            match resolve(index, size) {
                Some(at) => {
                    let (p, d) = (from.add((i * size + at) * inner), to.add(r * inner));
                    let mut j = 0;
                    while j + S::LANES <= inner {
                        s.store(d.add(j), s.load(p.add(j)));
                        j += S::LANES;
                    }
                    for j in j..inner {
                        *d.add(j) = *p.add(j);
                    }
                }
                None => refused = refused.or(Some(index)),
            }
            k += 1;
            if k == count {
                (i, k) = (i + 1, 0);
            }
        }
        refused
    }
}

/// [outer, size, inner, count, from, indices, to]: to[o, i, :] = from[o, indices[i], :], four bytes an element.
pub fn gather<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::gather as w;
    let [outer, size, inner, count] = [o.size(w::OUTER)?, o.size(w::SIZE)?, o.size(w::INNER)?, o.size(w::COUNT)?];
    let from = o.floats(w::FROM, elements(&[outer, size, inner])?)?;
    let indices = o.ints(w::INDICES, count)?;
    let to = o.floats(w::TO, elements(&[outer, count, inner])?)?;
    // Of rows that have no elements, only the indices are looked at, once.
    let (first, last) = worker.share(if inner == 0 { outer.min(1) } else { outer } * count);
    if first < last {
        // SAFETY: the ranges were checked, indices are checked as they are read, and workers' shares do not overlap.
        if let Some(index) = unsafe { take(s, from, indices, to, size, inner, count, first, last) } {
            worker.team.refuse(Refusal::Integer, index, o.address);
        }
    }
    Ok(())
}

kernel! {
    /// Adds rows of updates to the slots `first` to `last`, in order; the first index that names none, if there is one.
    ///
    /// # Safety
    /// All three operands must be as large as the sizes say, for one of the outer dimension.
    unsafe fn add(
        s, to: *mut f32, updates: *const f32, indices: *const i32, size: usize, inner: usize, count: usize, first: usize, last: usize,
    ) -> Option<i32> {
        let mut refused = None;
        for k in 0..count {
            let index = *indices.add(k);
            if k + AHEAD < count {
                ask(s, to, *indices.add(k + AHEAD), size, inner);
            }
            let Some(at) = resolve(index, size) else {
                refused = refused.or(Some(index));
                continue;
            };
            if at < first || at >= last {
                continue;
            }
            let (d, p) = (to.add(at * inner), updates.add(k * inner));
            let mut j = 0;
            while j + S::LANES <= inner {
                s.store(d.add(j), s.add(s.load(d.add(j)), s.load(p.add(j))));
                j += S::LANES;
            }
            for j in j..inner {
                *d.add(j) += *p.add(j);
            }
        }
        refused
    }
}

/// [outer, size, inner, count, updates, indices, to, type]: to[o, indices[i], :] += updates[o, i, :], from zeros, in order of i.
/// Workers own slots, so that every slot is summed in one order.
pub fn scatter_add<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::scatter_add as w;
    let [outer, size, inner, count] = [o.size(w::OUTER)?, o.size(w::SIZE)?, o.size(w::INNER)?, o.size(w::COUNT)?];
    let updates = o.floats(w::UPDATES, elements(&[outer, count, inner])?)?;
    let indices = o.ints(w::INDICES, count)?;
    let to = o.floats(w::TO, elements(&[outer, size, inner])?)?;
    let integers = o.flag(w::INTEGERS)?;
    let (first, last) = worker.share(size);
    // SAFETY: the ranges were checked, indices are checked as they are read, and workers own different slots.
    unsafe {
        for i in 0..if inner == 0 { outer.min(1) } else { outer } {
            let (d, p) = (to.add(i * size * inner), updates.add(i * count * inner));
            std::ptr::write_bytes(d.add(first * inner), 0, (last - first) * inner);
            let refused = if integers {
                add_integers(d.cast(), p.cast(), indices, size, inner, count, first, last)
            } else {
                add(s, d, p, indices, size, inner, count, first, last)
            };
            if let Some(index) = refused {
                worker.team.refuse(Refusal::Integer, index, o.address);
            }
        }
    }
    Ok(())
}

/// The same as `add`, of integers modulo 2^32.
///
/// # Safety
/// As there.
unsafe fn add_integers(
    to: *mut i32,
    updates: *const i32,
    indices: *const i32,
    size: usize,
    inner: usize,
    count: usize,
    first: usize,
    last: usize,
) -> Option<i32> {
    let mut refused = None;
    for k in 0..count {
        let index = *indices.add(k);
        let Some(at) = resolve(index, size) else {
            refused = refused.or(Some(index));
            continue;
        };
        if at >= first && at < last {
            for j in 0..inner {
                let d = to.add(at * inner + j);
                *d = (*d).wrapping_add(*updates.add(k * inner + j));
            }
        }
    }
    refused
}

/// [count, floats, negative, from, to, sizes, size...]: to[i] = the place that from[i] names along an axis of the size of its turn, counted from
/// the end where that is allowed. A value that names none is refused.
pub fn check(worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::check_indices as w;
    let count = o.size(w::COUNT)?;
    let [floats, negative] = [o.flag(w::FLOATS)?, o.flag(w::NEGATIVE)?];
    let (from, to) = (o.ints(w::FROM, count)?, o.ints(w::TO, count)?);
    let turns = (0..o.size(w::SIZES)?).map(|k| o.size(w::WORDS + k)).collect::<Checked<Vec<usize>>>()?;
    if turns.is_empty() {
        return Err("indices along no axis".to_string());
    }
    let (first, last) = worker.share(count);
    for i in first..last {
        // SAFETY: the ranges were checked; workers' shares do not overlap.
        let word = unsafe { *from.add(i) };
        let size = turns[i % turns.len()];
        let kind = if floats { Refusal::Float } else { Refusal::Integer };
        let value = f32::from_bits(word as u32);
        // What is no integer of 32 bits becomes another value, or (NaN) 0.
        let index = if floats { value as i32 } else { word };
        if (floats && index as f32 != value) || (!negative && index < 0) {
            worker.team.refuse(kind, word, o.address);
            continue;
        }
        match resolve(index, size) {
            // SAFETY: as above.
            Some(at) => unsafe { *to.add(i) = at as i32 },
            None => worker.team.refuse(kind, word, o.address),
        }
    }
    Ok(())
}
