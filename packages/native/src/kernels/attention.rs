//! Scaled dot-product attention over [batch, time, heads, depth], a block of queries and keys at a time: the matrix of all scores is
//! never kept. The forward pass leaves the logarithm of each row's sum; from it the backward pass computes the block's
//! probabilities again (Dao et al. 2022). Workers share the heads of all samples.

use super::ahead::{Ahead, Rows};
use super::gemm::{multiply, multiply_strided, pack, packed_size, Chunks};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{some, Simd};
use crate::team::Worker;

/// Rows and columns of a block of scores.
const QUERIES: usize = 64;
const KEYS: usize = 256;
/// From one row of a block to the next: no power of two, or a column's rows would share a few sets of the first-level cache.
const LINE: usize = KEYS + 16;
/// What stands for scores that do not count: below all others. Where no score of a row counts, all of them are this, and their shares are equal
/// (Keras); from such a row, nothing flows back to queries and keys.
const MASKED: f32 = -2.381_976_3e38;

struct Attention {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    depth: usize,
    value_depth: usize,
    causal: bool,
    scale: f32,
    mask_sample: usize,
    mask_head: usize,
    mask_query: usize,
    q: *const f32,
    k: *const f32,
    v: *const f32,
    mask: *const u8,
    out: *mut f32,
    sums: *mut f32,
}

impl Attention {
    /// [batch, heads, queries, keys, depth, value depth, causal, scale, bytes of the mask a sample, a head, a query, q, k, v, mask, out, sums]
    fn read(o: &Operands) -> Checked<Attention> {
        use crate::commands::word::attention_forward as w;
        let [batch, heads, queries, keys] = [o.size(w::BATCH)?, o.size(w::HEADS)?, o.size(w::QUERIES)?, o.size(w::KEYS)?];
        let [depth, value_depth] = [o.size(w::DEPTH)?, o.size(w::VALUE_DEPTH)?];
        let [mask_sample, mask_head, mask_query] = [o.size(w::MASK_SAMPLE)?, o.size(w::MASK_HEAD)?, o.size(w::MASK_QUERY)?];
        let mask = if o.int(w::MASK)? == 0 {
            std::ptr::null_mut()
        } else {
            let strides = [mask_sample as isize, mask_head as isize, mask_query as isize, 1];
            o.walked(w::MASK, &[batch, heads, queries, keys], &strides, 1)?
        };
        Ok(Attention {
            batch,
            heads,
            queries,
            keys,
            depth,
            value_depth,
            causal: o.flag(w::CAUSAL)?,
            scale: o.float(w::SCALE)?,
            mask_sample,
            mask_head,
            mask_query,
            q: o.floats(w::Q, elements(&[batch, queries, heads, depth])?)?,
            k: o.floats(w::K, elements(&[batch, keys, heads, depth])?)?,
            v: o.floats(w::V, elements(&[batch, keys, heads, value_depth])?)?,
            mask,
            out: o.floats(w::OUT, elements(&[batch, queries, heads, value_depth])?)?,
            sums: o.floats(w::SUMS, elements(&[batch, heads, queries])?)?,
        })
    }

    /// Floats from the start to step t of head n of sample b.
    fn at(&self, time: usize, depth: usize, b: usize, n: usize, t: usize) -> usize {
        ((b * time + t) * self.heads + n) * depth
    }

    /// Asks for the head `h` of all samples' heads, of matrices [batch, time, heads, depth], while the scores of the one before are computed: they are what takes the time
    /// between one head's steps and the next one's.
    fn ask_for<const N: usize>(&self, ahead: &mut Ahead<N>, h: usize, matrices: [(*const f32, usize, usize); N]) {
        let steps = self.queries * self.keys.div_ceil(KEYS);
        for (place, (base, time, depth)) in matrices.into_iter().enumerate() {
            let first = self.at(time, depth, h / self.heads, h % self.heads, 0);
            ahead.set(place, Rows::new(base.wrapping_add(first), time, depth, (self.heads * depth) as isize, 1), steps);
        }
    }

    /// Are scores left as products give them, since their largest is the largest of those with the scale, too? Where it is positive, and nothing is masked.
    fn is_scaled_later(&self) -> bool {
        self.mask.is_null() && !self.causal && self.scale > 0.0
    }

    /// What the scores are still to be multiplied by.
    fn factor(&self) -> f32 {
        if self.is_scaled_later() {
            self.scale
        } else {
            1.0
        }
    }

    /// Packs the keys of one head for [`Attention::score`].
    ///
    /// # Safety
    /// All that the operands name must be valid, and `to` have room.
    unsafe fn pack_keys<S: Simd>(&self, s: S, b: usize, n: usize, to: *mut f32) {
        let k = self.k.add(self.at(self.keys, self.depth, b, n, 0));
        pack(s, k, 1, (self.heads * self.depth) as isize, self.keys, self.depth, to, 0, usize::MAX);
    }

    /// Scores of queries i0 .. i0 + rows for keys j0 .. j0 + columns, masked, into `scores` [rows, LINE].
    ///
    /// # Safety
    /// All that the operands name must be valid, `keys` those packed by [`Attention::pack_keys`], and the scores have room.
    unsafe fn score<S: Simd>(
        &self,
        s: S,
        keys: *const f32,
        scores: *mut f32,
        b: usize,
        n: usize,
        i0: usize,
        rows: usize,
        j0: usize,
        columns: usize,
    ) {
        let q = self.q.add(self.at(self.queries, self.depth, b, n, i0));
        let q_row = (self.heads * self.depth) as isize;
        multiply(s, rows, columns, self.depth, q, q_row, keys.add(j0 * self.depth), scores, LINE, false);
        if self.is_scaled_later() {
            return;
        }
        for i in 0..rows {
            let line = scores.add(i * LINE);
            let mask = if self.mask.is_null() {
                self.mask
            } else {
                self.mask.add(b * self.mask_sample + n * self.mask_head + (i0 + i) * self.mask_query + j0)
            };
            let from = if self.causal { (i0 + i + 1).saturating_sub(j0).min(columns) } else { columns };
            mask_row(s, line, mask, columns, self.scale, from);
        }
    }
}

/// Packs steps of one head [time, depth] for products with a block of scores: the keys of each block on their own.
///
/// # Safety
/// The steps must be valid, and `to` have room for [`packed_size`] of each block.
unsafe fn pack_steps<S: Simd>(s: S, from: *const f32, row: usize, time: usize, depth: usize, to: *mut f32) {
    let mut j0 = 0;
    while j0 < time {
        let count = KEYS.min(time - j0);
        pack(s, from.add(j0 * row), row as isize, 1, depth, count, to.add(packed_size::<S>(j0, depth)), 0, usize::MAX);
        j0 += KEYS;
    }
}

kernel! {
    /// A row of scores times the scale; where the mask's byte is 0, and from `last` on, it does not count.
    ///
    /// # Safety
    /// `columns` values, and as many bytes of the mask unless it is null, must be valid.
    unsafe fn mask_row(s, row: *mut f32, mask: *const u8, columns: usize, scale: f32, last: usize) {
        let _ = s;
        let row = std::slice::from_raw_parts_mut(row, columns);
        for v in row.iter_mut() {
            *v *= scale;
        }
        if !mask.is_null() {
            for (v, kept) in row.iter_mut().zip(std::slice::from_raw_parts(mask, columns)) {
                if *kept == 0 {
                    *v = MASKED;
                }
            }
        }
        for v in &mut row[last..] {
            *v = MASKED;
        }
    }
}

/// The largest of a row's scores.
///
/// # Safety
/// `columns` values must be valid.
#[inline(always)]
unsafe fn largest<S: Simd>(s: S, row: *const f32, columns: usize) -> f32 {
    // Four chains: a single one waits for each of its comparisons.
    let mut best = [s.splat(f32::NEG_INFINITY); 4];
    let mut j = 0;
    while j + 4 * S::LANES <= columns {
        for (v, best) in best.iter_mut().enumerate() {
            *best = s.pmax(*best, s.load(row.add(j + v * S::LANES)));
        }
        j += 4 * S::LANES;
    }
    while j + S::LANES <= columns {
        best[0] = s.pmax(best[0], s.load(row.add(j)));
        j += S::LANES;
    }
    let mut lanes = s.lanes(s.pmax(s.pmax(best[0], best[1]), s.pmax(best[2], best[3])));
    let mut half = S::LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = lanes[i].max(lanes[i + half]);
        }
        half /= 2;
    }
    let mut one = lanes[0];
    for j in j..columns {
        one = one.max(*row.add(j));
    }
    one
}

/// e^(score * factor - shift) for one row; returns the total.
///
/// # Safety
/// `columns` values must be valid.
#[inline(always)]
unsafe fn exponentials<S: Simd>(s: S, row: *mut f32, columns: usize, factor: f32, shift: f32) -> f32 {
    let (scaled, low) = (s.splat(factor), s.splat(-shift));
    let mut total = s.splat(0.0);
    let mut j = 0;
    while j + S::LANES <= columns {
        let e = math::exp_negative(s, s.fma(s.load(row.add(j)), scaled, low));
        s.store(row.add(j), e);
        total = s.add(total, e);
        j += S::LANES;
    }
    if j < columns {
        let e = math::exp_negative(s, s.fma(s.load_part(row.add(j), columns - j), scaled, low));
        s.store_part(row.add(j), e, columns - j);
        total = s.add(total, s.load_part(row.add(j), columns - j));
    }
    s.total(total)
}

kernel! {
    /// A block of scores becomes e^(score * factor - the largest of its row so far), `best`; `total` is the sum of these, of the keys before, too.
    ///
    /// # Safety
    /// `rows` rows of `columns` scores, and as many of `best` and `total`, must be valid.
    unsafe fn exponentials_of_block(s, scores: *mut f32, rows: usize, columns: usize, factor: f32, best: *mut f32, total: *mut f32, ahead: *mut Ahead<3>) {
        for i in 0..rows {
            (*ahead).step(s);
            let (row, best, total) = (scores.add(i * LINE), best.add(i), total.add(i));
            let m = best.read().max(largest(s, row, columns) * factor);
            let sum = exponentials(s, row, columns, factor, m);
            *total = if *best == f32::NEG_INFINITY { sum } else { *total * (*best - m).exp() + sum };
            *best = m;
        }
    }
}

kernel! {
    /// A block of scores becomes shares p, from the logarithms of the sums of rows over all keys; and d, the gradients of shares, those of scores:
    /// p * (d - dot) * scale. Without d, only the shares.
    ///
    /// # Safety
    /// `rows` rows of `columns` scores (and gradients), and as many logarithms (and dots), must be valid.
    unsafe fn shares_of_block(
        s, scores: *mut f32, d: *mut f32, rows: usize, columns: usize, factor: f32, lse: *const f32, dots: *const f32, scale: f32, keys: usize,
        ahead: *mut Ahead<5>,
    ) {
        for i in 0..rows {
            (*ahead).step(s);
            let (row, d, lse) = (scores.add(i * LINE), if d.is_null() { d } else { d.add(i * LINE) }, *lse.add(i));
            if lse <= MASKED {
                std::slice::from_raw_parts_mut(row, columns).fill(1.0 / keys as f32);
                if !d.is_null() {
                    std::ptr::write_bytes(d, 0, columns);
                }
                continue;
            }
            let (scaled, low, scale) = (s.splat(factor), s.splat(-lse), s.splat(scale));
            let dot = s.splat(if d.is_null() { 0.0 } else { *dots.add(i) });
            // Whole vectors: a line is long enough, and what lies beyond the columns is not read.
            let mut j = 0;
            while j < columns {
                let p = math::exp_negative(s, s.fma(s.load(row.add(j)), scaled, low));
                s.store(row.add(j), p);
                if !d.is_null() {
                    s.store(d.add(j), s.mul(s.mul(p, s.sub(s.load(d.add(j)), dot)), scale));
                }
                j += S::LANES;
            }
        }
    }
}

kernel! {
    /// # Safety
    /// `n` values must be valid.
    unsafe fn scale_row(s, row: *mut f32, n: usize, factor: f32) {
        let _ = s;
        for v in std::slice::from_raw_parts_mut(row, n) {
            *v *= factor;
        }
    }
}

kernel! {
    /// # Safety
    /// `n` values at both places must be valid.
    unsafe fn dot_row(s, a: *const f32, b: *const f32, n: usize) -> f32 {
        let mut sum = s.splat(0.0);
        let mut j = 0;
        while j < n {
            let lanes = S::LANES.min(n - j);
            sum = s.fma(some(s, a.add(j), lanes), some(s, b.add(j), lanes), sum);
            j += S::LANES;
        }
        s.total(sum)
    }
}

/// Zeros for all steps of one head: what comes of no queries, or no keys.
///
/// # Safety
/// They must be valid.
unsafe fn clear(a: &Attention, base: *mut f32, time: usize, depth: usize, b: usize, n: usize) {
    if base.is_null() {
        return;
    }
    for t in 0..time {
        std::ptr::write_bytes(base.add(a.at(time, depth, b, n, t)), 0, depth);
    }
}

pub fn forward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    let a = Attention::read(o)?;
    let (heads, factor) = (a.heads, a.factor());
    let values = a.heads * a.value_depth;
    let (first, last) = worker.share(a.batch * heads);
    // Without samples, other sizes name no memory that bounds them.
    if first == last {
        return Ok(());
    }
    let for_keys = packed_size::<S>(a.depth, a.keys);
    let scores = worker.own.floats(QUERIES * LINE + for_keys + packed_size::<S>(a.keys, a.value_depth));
    let packed_keys = scores.wrapping_add(QUERIES * LINE);
    let packed_values = packed_keys.wrapping_add(for_keys);
    let mut ahead = Ahead::nothing();
    for h in first..last {
        let (b, n) = (h / heads, h % heads);
        if h + 1 < last {
            a.ask_for(&mut ahead, h + 1, [(a.k, a.keys, a.depth), (a.v, a.keys, a.value_depth), (a.q, a.queries, a.depth)]);
        }
        // SAFETY: all operands were checked to lie in memory; workers have different heads.
        unsafe {
            if a.keys == 0 {
                clear(&a, a.out, a.queries, a.value_depth, b, n);
                continue;
            }
            a.pack_keys(s, b, n, packed_keys);
            pack_steps(s, a.v.add(a.at(a.keys, a.value_depth, b, n, 0)), values, a.keys, a.value_depth, packed_values);
            for (i0, rows) in Chunks::new(a.queries, QUERIES) {
                let lse = a.sums.add(h * a.queries + i0);
                let to = a.out.add(a.at(a.queries, a.value_depth, b, n, i0));
                let mut best = [f32::NEG_INFINITY; QUERIES];
                let mut total = [0f32; QUERIES];
                let single = a.keys <= KEYS;
                let mut j0 = 0;
                while j0 < a.keys {
                    let columns = KEYS.min(a.keys - j0);
                    a.score(s, packed_keys, scores, b, n, i0, rows, j0, columns);
                    exponentials_of_block(s, scores, rows, columns, factor, best.as_mut_ptr(), total.as_mut_ptr(), &mut ahead);
                    j0 += KEYS;
                }
                for i in 0..rows {
                    *lse.add(i) = best[i] + total[i].ln();
                }
                if single {
                    // One block of keys: its scores are computed once, and divided by the sums at the end: there are fewer values than scores.
                    multiply(s, rows, a.value_depth, a.keys, scores, LINE as isize, packed_values, to, values, false);
                    for (i, sum) in total.iter().enumerate().take(rows) {
                        scale_row(s, to.add(i * values), a.value_depth, 1.0 / sum);
                    }
                } else {
                    let mut j0 = 0;
                    while j0 < a.keys {
                        let columns = KEYS.min(a.keys - j0);
                        a.score(s, packed_keys, scores, b, n, i0, rows, j0, columns);
                        let none = std::ptr::null_mut();
                        shares_of_block(s, scores, none, rows, columns, factor, lse, none, a.scale, a.keys, &mut Ahead::nothing());
                        let v = packed_values.add(packed_size::<S>(j0, a.value_depth));
                        multiply(s, rows, a.value_depth, columns, scores, LINE as isize, v, to, values, j0 > 0);
                        j0 += KEYS;
                    }
                }
            }
        }
    }
    Ok(())
}

/// ... then [gradient of out, dq, dk, dv].
pub fn backward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::attention_backward as w;
    let a = Attention::read(o)?;
    let g = o.floats(w::GRADIENT, elements(&[a.batch, a.queries, a.heads, a.value_depth])?)?;
    let dq = o.optional(w::DQ, elements(&[a.batch, a.queries, a.heads, a.depth])?)?;
    let dk = o.optional(w::DK, elements(&[a.batch, a.keys, a.heads, a.depth])?)?;
    let dv = o.optional(w::DV, elements(&[a.batch, a.keys, a.heads, a.value_depth])?)?;
    let (heads, factor) = (a.heads, a.factor());
    let (row, values) = (a.heads * a.depth, a.heads * a.value_depth);
    let (first, last) = worker.share(a.batch * heads);
    // Without samples, other sizes name no memory that bounds them.
    if first == last {
        return Ok(());
    }
    let for_keys = packed_size::<S>(a.depth, a.keys);
    let for_values = packed_size::<S>(a.value_depth, a.keys);
    let for_steps = packed_size::<S>(a.keys, a.depth);
    let for_gradients = packed_size::<S>(QUERIES, a.value_depth);
    let all = 2 * QUERIES * LINE + for_keys + for_values + for_steps + for_gradients + packed_size::<S>(QUERIES, a.depth);
    let scores = worker.own.floats(all);
    let slopes = scores.wrapping_add(QUERIES * LINE);
    let packed_keys = slopes.wrapping_add(QUERIES * LINE);
    let packed_values = packed_keys.wrapping_add(for_keys);
    let packed_steps = packed_values.wrapping_add(for_values);
    let packed_gradients = packed_steps.wrapping_add(for_steps);
    let packed_queries = packed_gradients.wrapping_add(for_gradients);
    let mut ahead = Ahead::nothing();
    for h in first..last {
        let (b, n) = (h / heads, h % heads);
        if h + 1 < last {
            let (keys, queries) = (|base, depth| (base, a.keys, depth), |base, depth| (base, a.queries, depth));
            let matrices = [
                keys(a.k, a.depth),
                keys(a.v, a.value_depth),
                queries(a.q, a.depth),
                queries(g, a.value_depth),
                queries(a.out, a.value_depth),
            ];
            a.ask_for(&mut ahead, h + 1, matrices);
        }
        // SAFETY: all operands were checked to lie in memory; workers have different heads.
        unsafe {
            if a.queries == 0 || a.keys == 0 {
                clear(&a, dq, a.queries, a.depth, b, n);
                clear(&a, dk, a.keys, a.depth, b, n);
                clear(&a, dv, a.keys, a.value_depth, b, n);
                continue;
            }
            a.pack_keys(s, b, n, packed_keys);
            if !dq.is_null() || !dk.is_null() {
                let v = a.v.add(a.at(a.keys, a.value_depth, b, n, 0));
                pack(s, v, 1, values as isize, a.keys, a.value_depth, packed_values, 0, usize::MAX);
            }
            if !dq.is_null() {
                pack_steps(s, a.k.add(a.at(a.keys, a.depth, b, n, 0)), row, a.keys, a.depth, packed_steps);
            }
            for (i0, rows) in Chunks::new(a.queries, QUERIES) {
                let lse = a.sums.add(h * a.queries + i0);
                let from = a.at(a.queries, a.value_depth, b, n, i0);
                let (go, out) = (g.add(from), a.out.add(from));
                let mut dots = [0f32; QUERIES];
                for (i, dot) in dots.iter_mut().enumerate().take(rows) {
                    *dot = dot_row(s, go.add(i * values), out.add(i * values), a.value_depth);
                }
                if !dv.is_null() {
                    pack(s, go, values as isize, 1, a.value_depth, rows, packed_gradients, 0, usize::MAX);
                }
                if !dk.is_null() {
                    let q = a.q.add(a.at(a.queries, a.depth, b, n, i0));
                    pack(s, q, row as isize, 1, a.depth, rows, packed_queries, 0, usize::MAX);
                }
                let mut j0 = 0;
                while j0 < a.keys {
                    let columns = KEYS.min(a.keys - j0);
                    a.score(s, packed_keys, scores, b, n, i0, rows, j0, columns);
                    let more = i0 > 0;
                    let wanted = !dq.is_null() || !dk.is_null();
                    let d = if wanted { slopes } else { std::ptr::null_mut() };
                    if wanted {
                        let v = packed_values.add(j0 * a.value_depth);
                        multiply(s, rows, columns, a.value_depth, go, values as isize, v, slopes, LINE, false);
                    }
                    shares_of_block(s, scores, d, rows, columns, factor, lse, dots.as_ptr(), a.scale, a.keys, &mut ahead);
                    if !dv.is_null() {
                        let to = dv.add(a.at(a.keys, a.value_depth, b, n, j0));
                        multiply_strided(s, columns, a.value_depth, rows, scores, 1, LINE as isize, packed_gradients, to, values, more);
                    }
                    if !dq.is_null() {
                        let k = packed_steps.add(packed_size::<S>(j0, a.depth));
                        let to = dq.add(a.at(a.queries, a.depth, b, n, i0));
                        multiply(s, rows, a.depth, columns, slopes, LINE as isize, k, to, row, j0 > 0);
                    }
                    if !dk.is_null() {
                        let to = dk.add(a.at(a.keys, a.depth, b, n, j0));
                        multiply_strided(s, columns, a.depth, rows, slopes, 1, LINE as isize, packed_queries, to, row, more);
                    }
                    j0 += KEYS;
                }
            }
        }
    }
    Ok(())
}
