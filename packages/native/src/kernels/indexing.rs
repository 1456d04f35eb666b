//! Slices by index, and their sums.

use crate::kernel;
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::{Refusal, Worker};

/// The place that an index names, counted from the end where it is negative.
fn resolve(index: i32, size: usize) -> Option<usize> {
    let at = if index < 0 { i64::from(index) + size as i64 } else { i64::from(index) };
    usize::try_from(at).ok().filter(|at| *at < size)
}

/// [outer, size, inner, count, from, indices, to]: to[o, i, :] = from[o, indices[i], :], four bytes an element.
pub fn gather(worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::gather as w;
    let [outer, size, inner, count] = [o.size(w::OUTER)?, o.size(w::SIZE)?, o.size(w::INNER)?, o.size(w::COUNT)?];
    let from = o.floats(w::FROM, elements(&[outer, size, inner])?)?;
    let indices = o.ints(w::INDICES, count)?;
    let to = o.floats(w::TO, elements(&[outer, count, inner])?)?;
    // Of rows that have no elements, only the indices are looked at, once.
    let (first, last) = worker.share(if inner == 0 { outer.min(1) } else { outer } * count);
    for r in first..last {
        let (i, k) = (r / count, r % count);
        // SAFETY: the ranges were checked, the index is checked here, and workers' shares do not overlap.
        unsafe {
            let index = *indices.add(k);
            match resolve(index, size) {
                Some(at) => std::ptr::copy(from.add((i * size + at) * inner), to.add(r * inner), inner),
                None => worker.team.refuse(Refusal::Integer, index, o.address),
            }
        }
    }
    Ok(())
}

kernel! {
    /// # Safety
    /// `n` values at both places must be valid.
    unsafe fn add(s, to: *mut f32, from: *const f32, n: usize) {
        let mut i = 0;
        while i + S::LANES <= n {
            s.store(to.add(i), s.add(s.load(to.add(i)), s.load(from.add(i))));
            i += S::LANES;
        }
        for i in i..n {
            *to.add(i) += *from.add(i);
        }
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
    // SAFETY: the ranges were checked, indices are checked here, and workers own different slots.
    unsafe {
        for i in 0..if inner == 0 { outer.min(1) } else { outer } {
            std::ptr::write_bytes(to.add((i * size + first) * inner), 0, (last - first) * inner);
            for k in 0..count {
                let index = *indices.add(k);
                let Some(at) = resolve(index, size) else {
                    worker.team.refuse(Refusal::Integer, index, o.address);
                    continue;
                };
                if at < first || at >= last {
                    continue;
                }
                let (d, p) = (to.add((i * size + at) * inner), updates.add((i * count + k) * inner));
                if integers {
                    let (d, p) = (d.cast::<i32>(), p.cast::<i32>());
                    for j in 0..inner {
                        *d.add(j) = (*d.add(j)).wrapping_add(*p.add(j));
                    }
                } else {
                    add(s, d, p, inner);
                }
            }
        }
    }
    Ok(())
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
