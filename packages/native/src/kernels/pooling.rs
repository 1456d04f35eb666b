//! Windows over time of [batch, time, channels]: the place of the largest element, sums, and the way back of both. Windows end where the sequence does.

use crate::commands::pooling::{PICK, SPREAD, SUM, UNPICK};
use crate::kernel;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

kernel! {
    /// A window of `steps` rows, `row` floats apart: y = v where the compared value is largest, the first of equals; back: dx += g there.
    ///
    /// # Safety
    /// All rows of the window must be valid.
    unsafe fn window(
        s, kind: i32, compared: *const f32, from: *const f32, to: *mut f32, steps: usize, row: usize, channels: usize,
    ) {
        let mut c = 0;
        while c < channels {
            let n = S::LANES.min(channels - c);
            match kind {
                PICK | UNPICK => {
                    let mut best = some(s, compared.add(c), n);
                    let mut at = s.isplat(0);
                    let mut picked = if kind == PICK { some(s, from.add(c), n) } else { best };
                    for t in 1..steps {
                        let x = some(s, compared.add(t * row + c), n);
                        // What stays the largest: it is not less, or NaN, which counts as larger than all.
                        let stays = s.or_masks(s.le(x, best), s.ne(best, best));
                        best = s.select(stays, best, x);
                        if kind == PICK {
                            picked = s.select(stays, picked, some(s, from.add(t * row + c), n));
                        } else {
                            at = s.iselect(stays, at, s.isplat(t as i32));
                        }
                    }
                    if kind == PICK {
                        keep(s, to.add(c), picked, n);
                    } else {
                        let g = some(s, from.add(c), n);
                        for t in 0..steps {
                            let p = to.add(t * row + c);
                            let before = some(s, p, n);
                            keep(s, p, s.select(s.ieq(at, s.isplat(t as i32)), s.add(before, g), before), n);
                        }
                    }
                }
                SUM => {
                    let mut total = s.splat(0.0);
                    for t in 0..steps {
                        total = s.add(total, some(s, from.add(t * row + c), n));
                    }
                    keep(s, to.add(c), total, n);
                }
                _ => {
                    let g = some(s, from.add(c), n);
                    for t in 0..steps {
                        let p = to.add(t * row + c);
                        keep(s, p, s.add(some(s, p, n), g), n);
                    }
                }
            }
            c += S::LANES;
        }
    }
}

/// [kind, batch, time, channels, windows, size, stride, before, what is compared, what is read, what is written]
pub fn pooling<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::pooling as w;
    let kind = o.int(w::KIND)?;
    let [batch, time, channels, windows, size, stride] =
        [o.size(w::BATCH)?, o.size(w::TIME)?, o.size(w::CHANNELS)?, o.size(w::WINDOWS)?, o.size(w::SIZE)?, o.size(w::STRIDE)?];
    let before = o.int(w::BEFORE)? as i64;
    if !(PICK..=SPREAD).contains(&kind) {
        return Err(format!("pooling of kind {kind}"));
    }
    let back = kind == UNPICK || kind == SPREAD;
    let long = elements(&[batch, time, channels])?;
    let short = elements(&[batch, windows, channels])?;
    let compared = if kind <= UNPICK { o.floats(w::COMPARED, long)? } else { std::ptr::null_mut() };
    let from = o.floats(w::FROM, if back { short } else { long })?;
    let to = o.floats(w::TO, if back { long } else { short })?;
    // Shares are of samples, or of channels.
    let mut samples = (0, batch);
    let mut span = (0, channels);
    if batch >= worker.count {
        samples = worker.share(batch);
    } else {
        span = worker.share_columns(channels);
    }
    let (c0, width) = (span.0, span.1 - span.0);
    if width == 0 {
        return Ok(());
    }
    for b in samples.0..samples.1 {
        // SAFETY: the ranges were checked, windows are cut to the sequence, and workers' shares do not overlap.
        unsafe {
            if back {
                for t in 0..time {
                    std::ptr::write_bytes(to.add((b * time + t) * channels + c0), 0, width);
                }
            }
            for n in 0..windows {
                let start = (n * stride) as i64 - before;
                let begin = start.clamp(0, time as i64) as usize;
                let steps = ((start + size as i64).clamp(0, time as i64) as usize).saturating_sub(begin);
                let wide = (b * time + begin) * channels + c0;
                let one = (b * windows + n) * channels + c0;
                if steps == 0 && kind <= UNPICK {
                    continue;
                }
                let (from, to) = if back {
                    (from.add(one), to.wrapping_add(wide))
                } else {
                    (from.wrapping_add(wide).cast_const().cast_mut(), to.add(one))
                };
                window(s, kind, compared.wrapping_add(wide), from, to, steps, channels, width);
            }
        }
    }
    Ok(())
}
