//! The weights of a sequence, packed for the products of its steps: in panels of [features + units][width], input kernel above recurrent kernel.
//!
//! A panel has the vectors of all gates of one vector of units, or (SimpleRNN) of some vectors of units. Units that fill no vector have one panel, the last,
//! where the columns of their gates lie side by side. Of a GRU the candidate comes first for inputs and last for states: its two parts are kept apart.

use super::{is_gated, Sequence, FEW};
use crate::commands::recurrent::GRU;
use crate::kernel;
use crate::kernels::ahead::{Ahead, Rows};
use crate::kernels::gemm::{choose, tile, tile_of, Chunks};
use crate::simd::{some, Simd};
use crate::team::Worker;

/// Floats of a part of a panel that stays in the first-level cache while all rows are multiplied by it.
const PART: usize = 4096;

/// Floats of all panels from which on the next part is asked for: they come from the third level or from memory in every step. (LSTM of 512 units: forward a tenth quicker; at 256
/// units no gain, at 128 a loss of as much; backward, products with W^T and U^T gained nothing.)
const FAR: usize = 1 << 20;

/// The largest batch whose units that fill no vector are computed as if they did: together they would save no vector, or one at the price of moving them.
const APART: usize = 2;

#[derive(Clone, Copy)]
pub struct Panels {
    kind: i32,
    gates: usize,
    features: usize,
    units: usize,
    /// Panels but that of the units that fill no vector; the units of each, its vectors, and floats of its rows.
    pub count: usize,
    pub each: usize,
    pub vectors: usize,
    pub width: usize,
    /// The vectors of the last of them: of a SimpleRNN, as many as its units take.
    last_vectors: usize,
    /// Units that fill no vector, where they are computed apart; the vectors of their panel, and floats of its rows.
    pub rest: usize,
    pub rest_vectors: usize,
    pub rest_width: usize,
}

impl Panels {
    pub fn new<S: Simd>(q: &Sequence) -> Panels {
        let (kind, units, gates) = (q.steps.kind, q.steps.units, q.steps.gates());
        let (vectors, each) = if is_gated(kind) { (gates, S::LANES) } else { (S::VECTORS, S::VECTORS * S::LANES) };
        let rest = if is_gated(kind) && q.steps.batch > APART { units % S::LANES } else { 0 };
        let rest_vectors = (gates * rest).div_ceil(S::LANES);
        let count = (units - rest).div_ceil(each);
        let last_vectors = if is_gated(kind) { vectors } else { (units - (count.max(1) - 1) * each).div_ceil(S::LANES) };
        Panels {
            kind,
            gates,
            features: q.features,
            units,
            count,
            each,
            vectors,
            width: vectors * S::LANES,
            last_vectors,
            rest,
            rest_vectors,
            rest_width: rest_vectors * S::LANES,
        }
    }

    /// Vectors of a panel's rows.
    pub fn vectors_of(&self, p: usize) -> usize {
        if p + 1 == self.count {
            self.last_vectors
        } else {
            self.vectors
        }
    }

    /// Is the next part of the panels asked for, while so many rows are multiplied by this one?
    pub fn far(&self, rows: usize) -> bool {
        self.count * self.size() >= FAR && rows > FEW
    }

    /// Floats from one panel to the next.
    fn size(&self) -> usize {
        (self.features + self.units) * self.width
    }

    /// Floats of all panels, and a vector more.
    pub fn floats<S: Simd>(&self) -> usize {
        self.count * self.size() + (self.features + self.units) * self.rest_width + S::LANES
    }

    /// The weights of a panel: of inputs, and of states.
    pub fn panel<S: Simd>(&self, packed: *const f32, p: usize) -> (*const f32, *const f32) {
        let inputs = packed.wrapping_add(p * self.size());
        (inputs, inputs.wrapping_add(self.features * self.vectors_of(p) * S::LANES))
    }

    /// Those of the panel of the units that fill no vector.
    pub fn rest_panel(&self, packed: *const f32) -> (*const f32, *const f32) {
        let inputs = packed.wrapping_add(self.count * self.size());
        (inputs, inputs.wrapping_add(self.features * self.rest_width))
    }

    /// Packs this worker's share of the panels.
    ///
    /// # Safety
    /// The kernels must be valid, and `packed` have room for [`Panels::floats`].
    pub unsafe fn pack<S: Simd>(&self, s: S, worker: &Worker, kernel: *const f32, recurrent: *const f32, packed: *mut f32) {
        let Panels { features, gates, units, rest, .. } = *self;
        let (for_input, for_state) = if self.kind == GRU { ([2, 0, 1, 0], [0, 1, 2, 0]) } else { ([0, 1, 2, 3], [0, 1, 2, 3]) };
        let (p0, p1) = worker.share(self.count);
        pack_cells(s, kernel, features, self, p0, p1, for_input, packed, 0);
        pack_cells(s, recurrent, units, self, p0, p1, for_state, packed, features);
        if rest > 0 && worker.index == 0 {
            let (first, to, width) = (units - rest, packed.add(self.count * self.size()), self.rest_width);
            pack_rest(s, kernel, features, gates, units, first, rest, for_input, to, width);
            pack_rest(s, recurrent, units, gates, units, first, rest, for_state, to.add(features * width), width);
        }
    }
}

kernel! {
    /// Packs rows of a kernel [rows, gates * units] into panels p0 .. p1, from a row of theirs on. A few panels at a time: a row is read where it lies together.
    ///
    /// # Safety
    /// The kernel and the panels must be valid.
    unsafe fn pack_cells(
        s, source: *const f32, rows: usize, panels: *const Panels, p0: usize, p1: usize, order: [usize; 4], packed: *mut f32, row: usize,
    ) {
        let panels = &*panels;
        let Panels { gates, units, .. } = *panels;
        let mut first = p0;
        while first < p1 {
            let last = p1.min(first + 8);
            for k in 0..rows {
                for (v, gate) in order.iter().enumerate().take(panels.vectors) {
                    // A panel has vectors of all gates of the same units, or of different units.
                    let (part, gate) = if gates == 1 { (v, 0) } else { (0, *gate) };
                    let line = source.add((k * gates + gate) * units);
                    for p in first..last {
                        let vectors = panels.vectors_of(p);
                        if v < vectors {
                            let unit = p * panels.each + part * S::LANES;
                            let n = units.saturating_sub(unit).min(S::LANES);
                            let to = packed.add(p * panels.size() + ((row + k) * vectors + v) * S::LANES);
                            s.store(to, some(s, line.wrapping_add(unit), n));
                        }
                    }
                }
            }
            first = last;
        }
    }
}

kernel! {
    /// Packs the columns of the units from `first` on, `rest` of each gate side by side, into [rows][width].
    ///
    /// # Safety
    /// The kernel, and the panel and a vector more, must be valid.
    unsafe fn pack_rest(
        s, source: *const f32, rows: usize, gates: usize, units: usize, first: usize, rest: usize, order: [usize; 4], to: *mut f32, width: usize,
    ) {
        for k in 0..rows {
            for (slot, gate) in order.iter().enumerate().take(gates) {
                // What is written beyond its columns is written over by the next ones.
                s.store(to.add(k * width + slot * rest), s.load_part(source.add((k * gates + gate) * units + first), rest));
            }
        }
    }
}

kernel! {
    /// `rows` rows times a part of a panel of so many vectors, into z.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn tile_of_panel(
        s, vectors: usize, rows: usize, k: usize, a: *const f32, a_row: isize, b: *const f32, c: *mut f32, ld: usize, accumulate: bool,
        ahead: *mut Ahead<1>,
    ) {
        (*ahead).step(s);
        let w = vectors * S::LANES;
        match vectors {
            4 => tile_of!(rows, S::ROWS_OF_FOUR, 4, false, (s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate)),
            3 => tile_of!(rows, S::ROWS_OF_THREE, 3, false, (s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate)),
            _ => choose::<S, false>(s, rows, w, k, a, a_row, 1, b, w as isize, c, ld, accumulate),
        }
    }
}

/// z[rows] (+)= A [rows, depth] times a panel of so many vectors, a part of the panel at a time. `ld`: from one row of z to the next. `far`: is the next part to be asked for?
///
/// # Safety
/// A, the panel and z must be valid.
pub unsafe fn times_panel<S: Simd>(
    s: S,
    vectors: usize,
    rows: usize,
    depth: usize,
    a: *const f32,
    a_row: isize,
    panel: *const f32,
    far: bool,
    z: *mut f32,
    ld: usize,
    accumulate: bool,
) {
    let width = vectors * S::LANES;
    let most = match vectors {
        4 => S::ROWS_OF_FOUR,
        3 => S::ROWS_OF_THREE,
        _ => S::ROWS_IN_PLACE,
    };
    if depth == 0 && !accumulate {
        for row in 0..rows {
            std::ptr::write_bytes(z.add(row * ld), 0, width);
        }
    }
    let part = PART / width;
    let ahead = &mut Ahead::nothing();
    let mut q = 0;
    while q < depth {
        let k = part.min(depth - q);
        if far {
            // The next part of this panel, or the next panel: they lie one behind the other.
            ahead.set(0, Rows::run(panel.wrapping_add((q + k) * width), PART), rows.div_ceil(most));
        }
        for (i, n) in Chunks::new(rows, most) {
            let (a, b, c) = (a.offset(i as isize * a_row + q as isize), panel.add(q * width), z.add(i * ld));
            let more = accumulate || q > 0;
            tile_of_panel(s, vectors, n, k, a, a_row, b, c, ld, more, ahead);
        }
        q += k;
    }
}
