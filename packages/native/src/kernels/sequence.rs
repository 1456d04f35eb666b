//! Whole sequences of SimpleRNN, LSTM and GRU, forward and backward.
//!
//! Weights are packed once a call, all gates of one vector of units side by side, so that a step's product of a panel leaves what the gates need, in the
//! first-level cache. The units that fill no vector have a panel of their own, where the columns of all gates lie side by side, and their gates are computed
//! of all rows together: both leave no lanes empty. Of few rows, packing the weights would cost as much as some steps: they are read where they lie.
//! Workers share the batch for all steps and meet only around the sequence; backward they meet once in as many steps as make 256 rows,
//! whose gates' gradients then give the weights' gradients in large products, shared by columns. Every sum runs in one order however many workers there are.
//!
//! What the forward pass keeps: gates [time][batch][4][units] (LSTM: i f n o, GRU: z r n and the candidate's recurrent part), states c [time + 1][batch][units]
//! (LSTM), states h [time + 1][batch][units].

use super::gemm::{gemm, multiply, pack, packed_size, tile, tile_direct, Chunks, Product};
use crate::commands::recurrent::{GRU, LSTM, RNN_RELU, RNN_TANH};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::scratch::Scratch;
use crate::simd::{keep, some, Simd};
use crate::team::{part, Worker};
use std::ptr::{null, null_mut};

/// Floats of a part of a panel that stays in the first-level cache while all rows are multiplied by it.
const PART: usize = 4096;
/// Rows of the products that give the weights' gradients.
const ROWS: usize = 256;

#[derive(Clone, Copy)]
struct Sizes {
    kind: i32,
    batch: usize,
    time: usize,
    features: usize,
    units: usize,
    reverse: bool,
}

impl Sizes {
    fn read(o: &Operands) -> Checked<Sizes> {
        use crate::commands::word::sequence_forward as w;
        let kind = o.int(w::KIND)?;
        if !(RNN_TANH..=GRU).contains(&kind) {
            return Err(format!("a sequence of kind {kind}"));
        }
        Ok(Sizes {
            kind,
            batch: o.size(w::BATCH)?,
            time: o.size(w::TIME)?,
            features: o.size(w::FEATURES)?,
            units: o.size(w::UNITS)?,
            reverse: o.flag(w::REVERSE)?,
        })
    }
    /// Columns of the weights, in units.
    fn gates(&self) -> usize {
        match self.kind {
            LSTM => 4,
            GRU => 3,
            _ => 1,
        }
    }
    /// Values of a unit that a step keeps.
    fn kept(&self) -> usize {
        if self.kind >= LSTM {
            4
        } else {
            0
        }
    }
    /// Values of a unit that the products of a step give: of a GRU, the candidate's two parts are kept apart.
    fn sums(&self) -> usize {
        if self.kind >= LSTM {
            4
        } else {
            1
        }
    }
    /// Units that fill no vector, where they are computed apart: of a few rows they would not fill one together either.
    fn rest<S: Simd>(&self) -> usize {
        if self.kind >= LSTM && self.batch > APART {
            self.units % S::LANES
        } else {
            0
        }
    }
    fn step(&self) -> usize {
        self.batch * self.units
    }
    fn cells(&self) -> usize {
        usize::from(self.kind == LSTM)
    }
    fn residual(&self) -> Checked<usize> {
        let states = elements(&[self.time + 1, self.batch, self.units, 1 + self.cells()])?;
        Ok(elements(&[self.time, self.batch, self.units, self.kept()])? + states)
    }
    fn time_of(&self, s: usize) -> usize {
        if self.reverse {
            self.time - 1 - s
        } else {
            s
        }
    }
}

/// Everything that the steps of the forward pass need.
#[derive(Clone, Copy)]
struct Forward {
    z: Sizes,
    x: *const f32,
    weights: Weights,
    /// [sums][units] and a vector: of an LSTM i f n o; of a GRU the candidate's input part, z, r, the candidate's recurrent part.
    bias: *const f32,
    mask: *const u8,
    zero_output: bool,
    /// Null where nothing is kept.
    gates: *mut f32,
    cells: *mut f32,
    hidden: *mut f32,
    keeps: bool,
    ys: *mut f32,
}

/// Where the steps find the weights.
#[derive(Clone, Copy)]
enum Weights {
    /// Panels of whole vectors of units, then that of the units that fill none.
    Packed { panels: *const f32, count: usize, rest: *const f32 },
    /// As they came: [features, gates * units] and [units, gates * units].
    Plain { kernel: *const f32, recurrent: *const f32 },
}

/// Vectors of a panel: of the gates of one vector of units, or of units.
fn vectors<S: Simd>(kind: i32) -> usize {
    match kind {
        LSTM => 4,
        GRU => 3,
        _ => S::VECTORS,
    }
}

/// Units of a panel.
fn panel_units<S: Simd>(kind: i32) -> usize {
    if kind >= LSTM {
        S::LANES
    } else {
        S::LANES * S::VECTORS
    }
}

kernel! {
    /// Packs rows of a kernel [rows, gates * units] into panels p0 .. p1 of [rows][vectors], which are `apart` floats apart. Of a GRU the candidate comes
    /// first in the input's panel, and last in the state's. A few panels at a time: a row is read where it lies together.
    ///
    /// # Safety
    /// The kernel and the panels must be valid.
    unsafe fn pack_cells(
        s, source: *const f32, rows: usize, gates: usize, units: usize, p0: usize, p1: usize, order: [usize; 4], to: *mut f32, apart: usize,
    ) {
        let (width, parts) = if gates == 1 { (S::VECTORS, S::VECTORS) } else { (gates, 1) };
        let mut first = p0;
        while first < p1 {
            let last = p1.min(first + 8);
            for k in 0..rows {
                for (v, gate) in order.iter().enumerate().take(width) {
                    // A panel has vectors of all gates of the same units, or of different units.
                    let (part, gate) = if gates == 1 { (v, 0) } else { (0, *gate) };
                    let line = source.add((k * gates + gate) * units);
                    let at = to.add((k * width + v) * S::LANES);
                    for p in first..last {
                        let unit = (p * parts + part) * S::LANES;
                        let n = units.saturating_sub(unit).min(S::LANES);
                        s.store(at.add(p * apart), some(s, line.wrapping_add(unit), n));
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
    /// `rows` rows times a part of a panel of four vectors, into z.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn four(s, rows: usize, k: usize, a: *const f32, a_row: isize, b: *const f32, c: *mut f32, ld: usize, accumulate: bool) {
        let w = 4 * S::LANES;
        match rows {
            1 => tile::<S, 1, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            2 => tile::<S, 2, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            3 if S::ROWS_OF_FOUR >= 3 => tile::<S, 3, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            4 if S::ROWS_OF_FOUR >= 4 => tile::<S, 4, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            5 if S::ROWS_OF_FOUR >= 5 => tile::<S, 5, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            6 if S::ROWS_OF_FOUR >= 6 => tile::<S, 6, 4, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            _ => unreachable!("a tile of more rows than the instruction set has"),
        }
    }
}

kernel! {
    /// `rows` rows times a part of a panel of three vectors, into z.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn three(s, rows: usize, k: usize, a: *const f32, a_row: isize, b: *const f32, c: *mut f32, ld: usize, accumulate: bool) {
        let w = 3 * S::LANES;
        match rows {
            1 => tile::<S, 1, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            2 => tile::<S, 2, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            3 if S::ROWS_OF_THREE >= 3 => tile::<S, 3, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            4 if S::ROWS_OF_THREE >= 4 => tile::<S, 4, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            5 if S::ROWS_OF_THREE >= 5 => tile::<S, 5, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            6 if S::ROWS_OF_THREE >= 6 => tile::<S, 6, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            7 if S::ROWS_OF_THREE >= 7 => tile::<S, 7, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            8 if S::ROWS_OF_THREE >= 8 => tile::<S, 8, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, accumulate),
            _ => unreachable!("a tile of more rows than the instruction set has"),
        }
    }
}

/// Floats of a row of z: what the products of a panel give.
fn z_width<S: Simd>(kind: i32) -> usize {
    S::LANES * if kind == GRU { 4 } else { vectors::<S>(kind) }
}

/// z[rows] (+)= A [rows, depth] times a panel of so many vectors, a part of the panel at a time. `ld`: from one row of z to the next.
///
/// # Safety
/// A, the panel and z must be valid.
unsafe fn times_panel<S: Simd>(
    s: S,
    vectors: usize,
    rows: usize,
    depth: usize,
    a: *const f32,
    a_row: isize,
    panel: *const f32,
    z: *mut f32,
    ld: usize,
    accumulate: bool,
) {
    let width = vectors * S::LANES;
    let most = match vectors {
        4 => S::ROWS_OF_FOUR,
        3 => S::ROWS_OF_THREE,
        _ => S::ROWS.min(6),
    };
    if depth == 0 && !accumulate {
        for row in 0..rows {
            std::ptr::write_bytes(z.add(row * ld), 0, width);
        }
    }
    let part = PART / width;
    let mut q = 0;
    while q < depth {
        let k = part.min(depth - q);
        for (i, n) in Chunks::new(rows, most) {
            let (a, b, c) = (a.offset(i as isize * a_row + q as isize), panel.add(q * width), z.add(i * ld));
            let more = accumulate || q > 0;
            match vectors {
                4 => four(s, n, k, a, a_row, b, c, ld, more),
                3 => three(s, n, k, a, a_row, b, c, ld, more),
                _ => tile_direct(s, n, width, k, a, a_row, 1, b, width as isize, c, ld, more),
            }
        }
        q += k;
    }
}

/// Vectors of units whose gates are computed in one go, and how many floats each thing of one lies after that of the one before: the rows of a panel, the
/// vectors of a row, or those of values without gaps.
#[derive(Clone, Copy)]
struct Run {
    count: usize,
    /// Lanes in use, and those of the last vector.
    lanes: usize,
    last: usize,
    /// What the products left, and from one gate's to the next.
    line: *mut f32,
    line_step: usize,
    line_gate: usize,
    bias: *const f32,
    bias_step: usize,
    bias_gate: usize,
    /// The place of the gates, or null where they are not kept.
    gates: *mut f32,
    gates_step: usize,
    gates_gate: usize,
    /// The states before and after.
    cell: *const f32,
    next_cell: *mut f32,
    hidden: *const f32,
    next_hidden: *mut f32,
    state_step: usize,
    /// The output, or null.
    y: *mut f32,
    y_step: usize,
    /// Which values are there, or null: all. The state stays as it was where none is.
    mask: *const u8,
    mask_step: usize,
    zero_output: bool,
}

impl Run {
    /// # Safety
    /// The vector must exist.
    #[inline(always)]
    unsafe fn skipped(&self, v: usize) -> bool {
        !self.mask.is_null() && *self.mask.add(v * self.mask_step) == 0
    }

    /// Lanes in use of a vector; WHOLE: all of them, of every vector.
    #[inline(always)]
    fn lanes<S: Simd, const WHOLE: bool>(&self, _: S, v: usize) -> usize {
        if WHOLE {
            S::LANES
        } else if v + 1 == self.count {
            self.last
        } else {
            self.lanes
        }
    }

    /// Writes the new state of a vector, and the output.
    ///
    /// # Safety
    /// The vector must exist.
    #[inline(always)]
    unsafe fn put<S: Simd, const WHOLE: bool>(&self, s: S, v: usize, h: S::F) {
        let (at, skipped, n) = (v * self.state_step, self.skipped(v), self.lanes::<S, WHOLE>(s, v));
        let state = if skipped { some(s, self.hidden.add(at), n) } else { h };
        keep(s, self.next_hidden.add(at), state, n);
        if !self.y.is_null() {
            keep(s, self.y.add(v * self.y_step), if skipped && self.zero_output { s.splat(0.0) } else { state }, n);
        }
    }
}

impl Forward {
    /// The states before and after a step, from a row on: of cells, then hidden.
    ///
    /// # Safety
    /// The row and step must exist.
    #[inline(always)]
    unsafe fn states(&self, step: usize, row: usize) -> [*mut f32; 4] {
        let at = |states: *mut f32, slot: usize| states.wrapping_add(slot * self.z.step() + row * self.z.units);
        let (from, into) = if self.keeps { (step, step + 1) } else { (step & 1, (step + 1) & 1) };
        let (cell, next) = if self.keeps { (step, step + 1) } else { (0, 0) };
        [at(self.cells, cell), at(self.cells, next), at(self.hidden, from), at(self.hidden, into)]
    }

    /// The gates of a step: of `count` rows' vectors at a unit, or (`along`) of so many vectors of a row from there on. Where the products lie is not in it.
    ///
    /// # Safety
    /// The rows, units and step must exist.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, step: usize, row: usize, unit: usize, count: usize, along: bool) -> Run {
        let Sizes { batch, time, units, .. } = self.z;
        let t = self.z.time_of(step);
        let [cell, next_cell, hidden, next_hidden] = self.states(step, row);
        let or_null = |p: *mut f32, at: usize| if p.is_null() { p } else { p.add(at) };
        let by = |rows: usize| if along { S::LANES } else { rows };
        let lanes = S::LANES.min(units - unit);
        Run {
            count,
            lanes,
            last: if along { S::LANES.min(units - unit - (count - 1) * S::LANES) } else { lanes },
            line: null_mut(),
            line_step: 0,
            line_gate: 0,
            bias: self.bias.add(unit),
            bias_step: by(0),
            bias_gate: units,
            gates: or_null(self.gates, (step * batch + row) * 4 * units + unit),
            gates_step: by(4 * units),
            gates_gate: units,
            cell: cell.wrapping_add(unit),
            next_cell: next_cell.wrapping_add(unit),
            hidden: hidden.add(unit),
            next_hidden: next_hidden.add(unit),
            state_step: by(units),
            y: or_null(self.ys, (row * time + t) * units + unit),
            y_step: by(time * units),
            mask: if self.mask.is_null() { self.mask } else { self.mask.add(row * time + t) },
            mask_step: if along { 0 } else { time },
            zero_output: self.zero_output,
        }
    }
}

/// Gates, states and outputs of an LSTM, from what the products left.
///
/// What waits for the new cell state comes in a second loop: one row's chain of functions is longer than what a processor looks ahead. What it needs is left in
/// the places of the first and the third sum: where the units of a row fill no vector, its end is written over the begin of the next one, which was read before.
///
/// # Safety
/// All that `r` points to must be valid.
#[inline(always)]
unsafe fn lstm_gates<S: Simd, const WHOLE: bool>(s: S, r: Run) {
    for v in 0..r.count {
        let (line, bias) = (r.line.add(v * r.line_step), r.bias.add(v * r.bias_step));
        let get = |k: usize| s.add(s.load(line.add(k * r.line_gate)), s.load(bias.add(k * r.bias_gate)));
        let i = math::gate(s, get(0));
        let forget = math::gate(s, get(1));
        let candidate = math::tanh(s, get(2));
        let o = math::gate(s, get(3));
        let n = r.lanes::<S, WHOLE>(s, v);
        let before = some(s, r.cell.add(v * r.state_step), n);
        let c = s.fma(forget, before, s.mul(i, candidate));
        s.store(line, c);
        s.store(line.add(2 * r.line_gate), o);
        keep(s, r.next_cell.add(v * r.state_step), if r.skipped(v) { before } else { c }, n);
        if !r.gates.is_null() {
            let gates = r.gates.add(v * r.gates_step);
            keep(s, gates, i, n);
            keep(s, gates.add(r.gates_gate), forget, n);
            keep(s, gates.add(2 * r.gates_gate), candidate, n);
            keep(s, gates.add(3 * r.gates_gate), o, n);
        }
    }
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        r.put::<S, WHOLE>(s, v, s.mul(s.load(line.add(2 * r.line_gate)), math::tanh(s, s.load(line))));
    }
}

/// As [`lstm_gates`], of a GRU: the products left the input's part of the candidate, update, reset, the recurrent part of the candidate, with biases.
///
/// # Safety
/// All that `r` points to must be valid.
#[inline(always)]
unsafe fn gru_gates<S: Simd, const WHOLE: bool>(s: S, r: Run) {
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        let get = |k: usize| s.load(line.add(k * r.line_gate));
        let update = math::gate(s, get(1));
        let reset = math::gate(s, get(2));
        let inner = get(3);
        s.store(line, s.fma(reset, inner, get(0)));
        s.store(line.add(2 * r.line_gate), update);
        if !r.gates.is_null() {
            let gates = r.gates.add(v * r.gates_step);
            let n = r.lanes::<S, WHOLE>(s, v);
            keep(s, gates, update, n);
            keep(s, gates.add(r.gates_gate), reset, n);
            keep(s, gates.add(3 * r.gates_gate), inner, n);
        }
    }
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        let candidate = math::tanh(s, s.load(line));
        if !r.gates.is_null() {
            keep(s, r.gates.add(v * r.gates_step + 2 * r.gates_gate), candidate, r.lanes::<S, WHOLE>(s, v));
        }
        let (update, before) = (s.load(line.add(2 * r.line_gate)), some(s, r.hidden.add(v * r.state_step), r.lanes::<S, WHOLE>(s, v)));
        r.put::<S, WHOLE>(s, v, s.fma(update, s.sub(before, candidate), candidate));
    }
}

/// States and outputs of a SimpleRNN.
///
/// # Safety
/// All that `r` points to must be valid; the lines and biases are whole vectors.
#[inline(always)]
unsafe fn rnn_states<S: Simd, const WHOLE: bool>(s: S, r: Run, relu: bool) {
    for v in 0..r.count {
        let x = s.add(s.load(r.line.add(v * r.line_step)), s.load(r.bias.add(v * r.bias_step)));
        r.put::<S, WHOLE>(s, v, if relu { s.pmax(x, s.splat(0.0)) } else { math::tanh(s, x) });
    }
}

kernel! {
    /// `n` values of each row without gaps: of a, and of b and one row of c added unless they are null. A vector is written beyond the last row.
    ///
    /// # Safety
    /// All of these must be valid.
    unsafe fn gather(s, rows: usize, n: usize, a: *const f32, b: *const f32, row: usize, c: *const f32, to: *mut f32) {
        let zero = s.splat(0.0);
        let bias = if c.is_null() { zero } else { s.load_part(c, n) };
        for r in 0..rows {
            let mut v = s.load_part(a.add(r * row), n);
            if !b.is_null() {
                v = s.add(v, s.load_part(b.add(r * row), n));
            }
            s.store(to.add(r * n), s.add(v, bias));
        }
    }
}

kernel! {
    /// Gates, states and outputs of a cell of any kind.
    ///
    /// # Safety
    /// All that `r` points to must be valid.
    unsafe fn compute(s, kind: i32, r: *const Run) {
        let r = *r;
        match (kind, r.lanes == S::LANES && r.last == S::LANES) {
            (LSTM, true) => lstm_gates::<S, true>(s, r),
            (LSTM, false) => lstm_gates::<S, false>(s, r),
            (GRU, true) => gru_gates::<S, true>(s, r),
            (GRU, false) => gru_gates::<S, false>(s, r),
            (_, true) => rnn_states::<S, true>(s, r, kind == RNN_RELU),
            (_, false) => rnn_states::<S, false>(s, r, kind == RNN_RELU),
        }
    }
}

/// What the products left of the units that fill no vector: each sum of the first row is that at `a`, and that at `b` unless it is null.
struct Rest {
    a: [*const f32; 4],
    b: [*const f32; 4],
    /// From one row to the next.
    row: usize,
}

/// Floats of one value of all units that fill no vector, without gaps, and a vector more.
fn plane<S: Simd>(rows: usize, rest: usize) -> usize {
    (rows * rest).next_multiple_of(S::LANES) + S::LANES
}
/// Values of such units: four sums, four gates, the state before and after, and zeros.
const PLANES: usize = 11;

kernel! {
    /// Gates, states and outputs of the units that fill no vector, of rows r0 .. r1 together.
    ///
    /// # Safety
    /// All that `f` and `sums` point to must be valid for these rows; `planes`: [`PLANES`] of them.
    unsafe fn rest_gates(s, f: *const Forward, step: usize, r0: usize, r1: usize, sums: *const Rest, planes: *mut f32) {
        let (f, sums) = (&*f, &*sums);
        let Sizes { kind, batch, time, units, .. } = f.z;
        let n = units % S::LANES;
        let (first, rows) = (units - n, r1 - r0);
        let plane = plane::<S>(rows, n);
        let part = |k: usize| planes.add(k * plane);
        let zero = s.splat(0.0);
        for k in 0..4 {
            gather(s, rows, n, sums.a[k], sums.b[k], sums.row, f.bias.add(k * units + first), part(k));
        }
        let [cell, next_cell, hidden, next_hidden] = f.states(step, r0).map(|p| p.wrapping_add(first));
        let (before, after, zeros) = (part(8), part(9), part(10));
        gather(s, rows, n, if kind == LSTM { cell } else { hidden }, null(), units, null(), before);
        s.store(zeros, zero);
        let keeps = !f.gates.is_null();
        let run = Run {
            count: (rows * n).div_ceil(S::LANES),
            lanes: S::LANES,
            last: S::LANES,
            line: planes,
            line_step: S::LANES,
            line_gate: plane,
            bias: zeros,
            bias_step: 0,
            bias_gate: 0,
            gates: if keeps { part(4) } else { null_mut() },
            gates_step: S::LANES,
            gates_gate: plane,
            cell: before,
            next_cell: before,
            hidden: before,
            next_hidden: after,
            state_step: S::LANES,
            y: null_mut(),
            y_step: 0,
            mask: null(),
            mask_step: 0,
            zero_output: false,
        };
        compute(s, kind, &run);
        let t = f.z.time_of(step);
        for row in 0..rows {
            let at = row * units;
            let skipped = !f.mask.is_null() && *f.mask.add((r0 + row) * time + t) == 0;
            if kind == LSTM && (f.keeps || !skipped) {
                let c = if skipped { s.load_part(cell.add(at), n) } else { s.load(before.add(row * n)) };
                s.store_part(next_cell.add(at), c, n);
            }
            let h = if skipped { s.load_part(hidden.add(at), n) } else { s.load(after.add(row * n)) };
            s.store_part(next_hidden.add(at), h, n);
            if !f.ys.is_null() {
                let y = f.ys.add(((r0 + row) * time + t) * units + first);
                s.store_part(y, if skipped && f.zero_output { zero } else { h }, n);
            }
            if keeps {
                let gates = f.gates.add((step * batch + r0 + row) * 4 * units + first);
                for k in 0..4 {
                    s.store_part(gates.add(k * units), s.load(part(4 + k).add(row * n)), n);
                }
            }
        }
    }
}

/// Whole panels, their floats, the vectors of the panel of the units that fill none, and its floats.
fn weights_size<S: Simd>(z: &Sizes) -> (usize, usize, usize, usize) {
    let rest = z.rest::<S>();
    let panels = (z.units - rest).div_ceil(panel_units::<S>(z.kind).max(1));
    let width = vectors::<S>(z.kind) * S::LANES;
    let vectors = (z.gates() * rest).div_ceil(S::LANES);
    let depth = z.features + z.units;
    (panels, panels * depth * width, vectors, if rest > 0 { (depth * vectors + 1) * S::LANES } else { 0 })
}

/// float32 of what the forward pass leaves for the backward pass.
pub fn residual(o: &Operands) -> Checked<usize> {
    Sizes::read(o)?.residual()
}

pub fn forward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::sequence_forward as w;
    let z = Sizes::read(o)?;
    let Sizes { kind, batch, time, features, units, .. } = z;
    let columns = elements(&[z.gates(), units])?;
    let states = elements(&[batch, units])?;
    let x = o.floats(w::X, elements(&[batch, time, features])?)?;
    let kernel = o.floats(w::KERNEL, elements(&[features, columns])?)?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let bias = o.optional(w::BIAS, if kind == GRU { 2 * columns } else { columns })?;
    let h0 = o.optional(w::H0, states)?;
    let c0 = o.optional(w::C0, states)?;
    let mask = o.optional_bytes(w::MASK, elements(&[batch, time])?)?;
    let zero_output = o.flag(w::ZERO_OUTPUT)?;
    let residual = o.optional(w::RESIDUAL, z.residual()?)?;
    let ys = o.optional(w::YS, elements(&[batch, time, units])?)?;
    let h_last = o.optional(w::H, states)?;
    let c_last = o.optional(w::C, states)?;
    if states == 0 {
        return Ok(());
    }

    let plain = reads_plain(&z);
    let (panels, in_panels, rest_vectors, in_rest) = weights_size::<S>(&z);
    let packed = if plain { 0 } else { in_panels + in_rest };
    let biases = z.sums() * units + S::LANES;
    let keeps = !residual.is_null();
    let shared = worker.shared(packed + biases + if keeps { 0 } else { 3 * states })?;
    let packed_rest = shared.wrapping_add(in_panels);
    let packed_bias = shared.wrapping_add(packed);
    let (r0, r1) = worker.share(batch);
    let width = vectors::<S>(kind) * S::LANES;
    let own = packed_bias.wrapping_add(biases);
    let (gates, cells, hidden) = if keeps {
        let cells = residual.wrapping_add(time * batch * units * z.kept());
        (if kind >= LSTM { residual } else { null_mut() }, cells, cells.wrapping_add((time + 1) * states * z.cells()))
    } else {
        (null_mut(), own.wrapping_add(2 * states), own)
    };
    let weights =
        if plain { Weights::Plain { kernel, recurrent } } else { Weights::Packed { panels: shared, count: panels, rest: packed_rest } };
    let f = Forward { z, x, weights, bias: packed_bias, mask, zero_output, gates, cells, hidden, keeps, ys };
    // SAFETY: all operands were checked to lie in memory, the shared memory is as large as its parts, and workers pack and compute different panels and rows.
    unsafe {
        if !plain {
            let (p0, p1) = worker.share(panels);
            let (for_input, for_state) = if kind == GRU { ([2, 0, 1, 0], [0, 1, 2, 0]) } else { ([0, 1, 2, 3], [0, 1, 2, 3]) };
            let apart = (features + units) * width;
            pack_cells(s, kernel, features, z.gates(), units, p0, p1, for_input, shared, apart);
            pack_cells(s, recurrent, units, z.gates(), units, p0, p1, for_state, shared.add(features * width), apart);
            let rest = z.rest::<S>();
            if rest > 0 && worker.index == 0 {
                let (first, width) = (units - rest, rest_vectors * S::LANES);
                pack_rest(s, kernel, features, z.gates(), units, first, rest, for_input, packed_rest, width);
                pack_rest(s, recurrent, units, z.gates(), units, first, rest, for_state, packed_rest.add(features * width), width);
            }
        }
        let (u0, u1) = worker.share(units);
        for k in 0..z.sums() {
            for unit in u0..u1 {
                let value = |gate: usize| *bias.add(gate * units + unit);
                *packed_bias.add(k * units + unit) = match kind {
                    _ if bias.is_null() => 0.0,
                    GRU => match k {
                        0 => value(2),
                        1 => value(0) + value(3),
                        2 => value(1) + value(4),
                        _ => value(5),
                    },
                    _ => value(k),
                };
            }
        }
        for row in r0..r1 {
            state(hidden.add(row * units), h0, row * units, units);
            if kind == LSTM {
                state(cells.add(row * units), c0, row * units, units);
            }
        }
        worker.meet()?;
        if r1 > r0 {
            match f.weights {
                Weights::Packed { .. } => packed_steps(s, &f, r0, r1, worker.own),
                Weights::Plain { .. } => plain_steps(s, &f, r0, r1, worker.own, worker.products),
            }
        }
        let last = if keeps { time } else { time & 1 };
        let c_at = if keeps { time } else { 0 };
        let (first, count) = (r0 * units, (r1 - r0) * units);
        if !h_last.is_null() {
            std::ptr::copy(hidden.add(last * states + first), h_last.add(first), count);
        }
        if !c_last.is_null() && kind == LSTM {
            std::ptr::copy(cells.add(c_at * states + first), c_last.add(first), count);
        }
    }
    Ok(())
}

/// A state before the first step: what is given, or zeros.
///
/// # Safety
/// `units` values at `to`, and at `given` unless it is null, must be valid.
unsafe fn state(to: *mut f32, given: *const f32, at: usize, units: usize) {
    if given.is_null() {
        std::ptr::write_bytes(to, 0, units);
    } else {
        std::ptr::copy(given.add(at), to, units);
    }
}

/// The most rows of a step that make it worth while to multiply the inputs of many steps at once: then only the state's weights are read again in every step.
const FEW: usize = 8;

/// Steps whose inputs are multiplied at once, of a share of so many rows.
fn steps_at_once(z: &Sizes, rows: usize) -> usize {
    if rows <= FEW && z.features > 0 {
        (ROWS / rows.max(1)).min(z.time).max(1)
    } else {
        1
    }
}

/// The largest batch whose units that fill no vector are computed as if they did: together they would save no vector, or one at the price of moving them.
const APART: usize = 2;

/// Floats of a state's weights from which on few rows read them where they lie: they leave no room in the second-level cache.
const LARGE: usize = 5 << 16;
/// Steps up to which they do so: packing costs as much as two or three of them, and panels are read a little faster.
const SHORT: usize = 64;
/// Floats from which on they do so in any number of steps: what comes from memory comes no faster in panels.
const VAST: usize = 1 << 21;

/// Do steps read the weights as they came? A step of few rows is bound by reading them.
fn reads_plain(z: &Sizes) -> bool {
    let weights = z.units * z.units * z.gates();
    z.batch <= FEW && (weights >= VAST || (weights >= LARGE && z.time <= SHORT))
}

/// Puts the biases of a GRU, whose products are added to them, in front: its candidate's two parts are kept apart.
///
/// # Safety
/// The line and biases must be valid for `units` units from `unit` on.
unsafe fn begin(f: &Forward, unit: usize, units: usize, line: *mut f32, apart: usize) {
    for k in 0..4 {
        std::ptr::copy_nonoverlapping(f.bias.add(k * f.z.units + unit), line.add(k * apart), units);
    }
}

/// All steps of rows r0 .. r1, with packed weights.
///
/// # Safety
/// All that `f` points to must be valid for these rows.
unsafe fn packed_steps<S: Simd>(s: S, f: &Forward, r0: usize, r1: usize, own: &mut Scratch) {
    let Weights::Packed { panels, count: panel_count, rest: rest_panel } = f.weights else { return };
    let Sizes { kind, time, features, units, .. } = f.z;
    let vectors = vectors::<S>(kind);
    let width = vectors * S::LANES;
    let ld = z_width::<S>(kind);
    let rows = r1 - r0;
    let many = steps_at_once(&f.z, rows);
    let rest = f.z.rest::<S>();
    // All panels of a single row in one go: one vector's chain of functions after the other would leave the processor waiting.
    let single = kind >= LSTM && many > 1 && rows == 1 && panel_count > 0;
    let rest_vectors = (f.z.gates() * rest).div_ceil(S::LANES);
    let rest_width = rest_vectors * S::LANES;
    // One panel's products, or all panels' where there are those of many steps; then the products of what fills no vector, of inputs and of states.
    let whole = rows * ld * if many > 1 { many * panel_count } else { 1 };
    let z = own.floats(whole + (many + 1) * rows * rest_width + PLANES * plane::<S>(rows, rest));
    let rest_x = z.add(whole);
    let rest_h = rest_x.add(many * rows * rest_width);
    let planes = rest_h.add(rows * rest_width);
    let panel_of = |p: usize| panels.add(p * (features + units) * width);
    let begin_rows = |p: usize, rows: usize, z: *mut f32| {
        if kind == GRU {
            for row in 0..rows {
                begin(f, p * S::LANES, S::LANES, z.add(row * ld), S::LANES);
            }
        }
    };
    for step in 0..time {
        let first = step - step % many;
        if many > 1 && step == first {
            let count = many.min(time - first);
            let x_step = if f.z.reverse { -(features as isize) } else { features as isize };
            let x_of = |row: usize| f.x.add(((r0 + row) * time + f.z.time_of(first)) * features);
            for p in 0..panel_count {
                let z = z.add(p * many * rows * ld);
                begin_rows(p, count * rows, z);
                for row in 0..rows {
                    times_panel(s, vectors, count, features, x_of(row), x_step, panel_of(p), z.add(row * ld), rows * ld, kind == GRU);
                }
            }
            for row in 0..if rest > 0 { rows } else { 0 } {
                let to = rest_x.add(row * rest_width);
                times_panel(s, rest_vectors, count, features, x_of(row), x_step, rest_panel, to, rows * rest_width, false);
            }
        }
        let x = f.x.add((r0 * time + f.z.time_of(step)) * features);
        let x_row = (time * features) as isize;
        let [_, _, h, _] = f.states(step, r0);
        let x_sums = if many > 1 { rest_x.add((step - first) * rows * rest_width) } else { rest_x };
        if rest > 0 {
            if many == 1 {
                times_panel(s, rest_vectors, rows, features, x, x_row, rest_panel, x_sums, rest_width, false);
            }
            times_panel(s, rest_vectors, rows, units, h, units as isize, rest_panel.add(features * rest_width), rest_h, rest_width, false);
        }
        for p in 0..panel_count {
            let panel = panel_of(p);
            let z = if many > 1 { z.add((p * many + step - first) * rows * ld) } else { z };
            if many == 1 {
                begin_rows(p, rows, z);
                times_panel(s, vectors, rows, features, x, x_row, panel, z, ld, kind == GRU);
            }
            let recurrent = panel.add(features * width);
            let into = if kind == GRU { z.add(S::LANES) } else { z };
            times_panel(s, vectors, rows, units, h, units as isize, recurrent, into, ld, true);
            if !single {
                let unit = p * panel_units::<S>(kind);
                for v in 0..if kind >= LSTM { 1 } else { (units - unit).div_ceil(S::LANES).min(S::VECTORS) } {
                    let run = f.run(s, step, r0, unit + v * S::LANES, rows, false);
                    compute(s, kind, &Run { line: z.add(v * S::LANES), line_step: ld, line_gate: S::LANES, ..run });
                }
            }
        }
        if single {
            let run = f.run(s, step, r0, 0, panel_count, true);
            compute(s, kind, &Run { line: z.add((step - first) * ld), line_step: many * ld, line_gate: S::LANES, ..run });
        }
        if rest > 0 {
            let (x, h) = (|k: usize| x_sums.add(k * rest).cast_const(), |k: usize| rest_h.add(k * rest).cast_const());
            let (a, b) = if kind == GRU {
                ([x(0), x(1), x(2), h(2)], [null(), h(0), h(1), null()])
            } else {
                ([0, 1, 2, 3].map(x), [0, 1, 2, 3].map(h))
            };
            rest_gates(s, f, step, r0, r1, &Rest { a, b, row: rest_width }, planes);
        }
    }
}

/// All steps of rows r0 .. r1, with weights as they came: the products of a step have gate after gate, as the weights do.
///
/// # Safety
/// All that `f` points to must be valid for these rows.
unsafe fn plain_steps<S: Simd>(s: S, f: &Forward, r0: usize, r1: usize, own: &mut Scratch, products: &mut Scratch) {
    let Weights::Plain { kernel, recurrent } = f.weights else { return };
    let Sizes { kind, time, features, units, .. } = f.z;
    let (rows, columns, ld) = (r1 - r0, f.z.gates() * units, f.z.sums() * units);
    let many = steps_at_once(&f.z, rows);
    // And a vector: the last one of a row may be read beyond its end.
    let z = own.floats(many * rows * (ld + features) + S::LANES);
    let xs = z.add(many * rows * ld);
    for step in 0..time {
        let first = step - step % many;
        if step == first {
            let count = many.min(time - first);
            for i in 0..count * rows {
                let x = f.x.add(((r0 + i % rows) * time + f.z.time_of(first + i / rows)) * features);
                std::ptr::copy_nonoverlapping(x, xs.add(i * features), features);
                if kind == GRU {
                    begin(f, 0, units, z.add(i * ld), units);
                }
            }
            // Of a GRU the candidate comes first in z, and last in the kernel.
            let parts = if kind == GRU { [(0, 2 * units, units), (2 * units, units, 0)] } else { [(0, columns, 0), (0, 0, 0)] };
            for (from, n, to) in parts {
                let p = Product::new(count * rows, n, features, xs, features, kernel.add(from), columns, z.add(to), ld);
                gemm(s, &p.accumulate(kind == GRU), products);
            }
        }
        let z = z.add((step - first) * rows * ld);
        let [_, _, h, _] = f.states(step, r0);
        let into = if kind == GRU { z.add(units) } else { z };
        gemm(s, &Product::new(rows, columns, units, h, units, recurrent, columns, into, ld).accumulate(true), products);
        for row in 0..rows {
            let run = f.run(s, step, r0 + row, 0, units.div_ceil(S::LANES), true);
            compute(s, kind, &Run { line: z.add(row * ld), line_step: S::LANES, line_gate: units, ..run });
        }
    }
}

/// Everything that the steps of the backward pass need.
#[derive(Clone, Copy)]
struct Backward {
    z: Sizes,
    mask: *const u8,
    zero_output: bool,
    gates: *const f32,
    cells: *const f32,
    hidden: *const f32,
    dys: *const f32,
    dh: *mut f32,
    dc: *mut f32,
}

kernel! {
    /// Gradients of the gates of rows r0 .. r1 of one step, into dz [batch][width], and what goes on to the step before.
    ///
    /// # Safety
    /// All that `f` points to must be valid for these rows.
    unsafe fn back_gates(s, f: *const Backward, step: usize, r0: usize, r1: usize, dz: *mut f32) {
        let f = *f;
        let Sizes { kind, batch, time, units, .. } = f.z;
        let t = f.z.time_of(step);
        let width = if kind >= LSTM { 4 } else { 1 };
        let one = s.splat(1.0);
        let zero = s.splat(0.0);
        for row in r0..r1 {
            let skipped = !f.mask.is_null() && *f.mask.add(row * time + t) == 0;
            let dy = if f.dys.is_null() || (skipped && f.zero_output) { std::ptr::null() } else { f.dys.add((row * time + t) * units) };
            let to = dz.add(row * width * units);
            let kept = f.gates.wrapping_add((step * batch + row) * 4 * units);
            let mut unit = 0;
            while unit < units {
                let n = S::LANES.min(units - unit);
                let at = row * units + unit;
                let carry = f.dh.add(at);
                let mut g = math::without_tiny(s, some(s, carry, n));
                if !dy.is_null() {
                    g = s.add(g, some(s, dy.add(unit), n));
                }
                if skipped {
                    // Its gradient goes on, that of its gates is 0.
                    keep(s, carry, g, n);
                    for k in 0..width {
                        keep(s, to.add(k * units + unit), zero, n);
                    }
                    unit += S::LANES;
                    continue;
                }
                let gate = |k: usize| some(s, kept.add(k * units + unit), n);
                let slope = |v: S::F| s.mul(v, s.sub(one, v));
                let steep = |v: S::F| s.sub(one, s.mul(v, v));
                if kind == LSTM {
                    let (i, forget, candidate, o) = (gate(0), gate(1), gate(2), gate(3));
                    let tanh = math::tanh(s, some(s, f.cells.add((step + 1) * f.z.step() + at), n));
                    let before = some(s, f.cells.add(step * f.z.step() + at), n);
                    let dc_at = f.dc.add(at);
                    let dc = math::without_tiny(s, s.fma(s.mul(g, o), steep(tanh), some(s, dc_at, n)));
                    keep(s, to.add(unit), s.mul(s.mul(dc, candidate), slope(i)), n);
                    keep(s, to.add(units + unit), s.mul(s.mul(dc, before), slope(forget)), n);
                    keep(s, to.add(2 * units + unit), s.mul(s.mul(dc, i), steep(candidate)), n);
                    keep(s, to.add(3 * units + unit), s.mul(s.mul(g, tanh), slope(o)), n);
                    keep(s, dc_at, s.mul(dc, forget), n);
                    keep(s, carry, zero, n);
                } else if kind == GRU {
                    let (update, reset, candidate, inner) = (gate(0), gate(1), gate(2), gate(3));
                    let before = some(s, f.hidden.add(step * f.z.step() + at), n);
                    let dn = s.mul(s.mul(g, s.sub(one, update)), steep(candidate));
                    keep(s, to.add(unit), s.mul(s.mul(g, s.sub(before, candidate)), slope(update)), n);
                    keep(s, to.add(units + unit), s.mul(s.mul(dn, inner), slope(reset)), n);
                    keep(s, to.add(2 * units + unit), dn, n);
                    keep(s, to.add(3 * units + unit), s.mul(dn, reset), n);
                    keep(s, carry, s.mul(g, update), n);
                } else {
                    let h = some(s, f.hidden.add((step + 1) * f.z.step() + at), n);
                    let d = if kind == RNN_TANH { s.mul(g, steep(h)) } else { s.select(s.lt(zero, h), g, zero) };
                    keep(s, to.add(unit), d, n);
                    keep(s, carry, zero, n);
                }
                unit += S::LANES;
            }
        }
    }
}

kernel! {
    /// to[j] (+)= the sum of column j over rows.
    ///
    /// # Safety
    /// `columns` values of each row, and at `to`, must be valid.
    pub unsafe fn sum_rows(s, from: *const f32, rows: usize, row: usize, columns: usize, to: *mut f32, accumulate: bool) {
        let mut j = 0;
        while j < columns {
            let n = S::LANES.min(columns - j);
            let mut sum = if accumulate { some(s, to.add(j), n) } else { s.splat(0.0) };
            for r in 0..rows {
                sum = s.add(sum, some(s, from.add(r * row + j), n));
            }
            keep(s, to.add(j), sum, n);
            j += S::LANES;
        }
    }
}

pub fn backward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::sequence_backward as w;
    let z = Sizes::read(o)?;
    let Sizes { kind, batch, time, features, units, reverse } = z;
    let columns = elements(&[z.gates(), units])?;
    let states = elements(&[batch, units])?;
    let inputs = elements(&[batch, time, features])?;
    let x = o.floats(w::X, inputs)?;
    let kernel = o.floats(w::KERNEL, elements(&[features, columns])?)?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let mask = o.optional_bytes(w::MASK, elements(&[batch, time])?)?;
    let zero_output = o.flag(w::ZERO_OUTPUT)?;
    let residual = o.floats(w::RESIDUAL, z.residual()?)?;
    let dys = o.optional(w::DYS, elements(&[batch, time, units])?)?;
    let dh_last = o.optional(w::DH, states)?;
    let dc_last = o.optional(w::DC, states)?;
    let dx = o.optional(w::DX, inputs)?;
    let d_kernel = o.optional(w::D_KERNEL, features * columns)?;
    let d_recurrent = o.optional(w::D_RECURRENT, units * columns)?;
    let d_bias = o.optional(w::D_BIAS, if kind == GRU { 2 * columns } else { columns })?;
    let dh0 = o.optional(w::DH0, states)?;
    let dc0 = o.optional(w::DC0, states)?;
    if batch == 0 || units == 0 {
        // SAFETY: the ranges were checked; the first worker alone writes zeros.
        unsafe {
            for (to, n) in [
                (d_kernel, features * columns),
                (d_recurrent, units * columns),
                (d_bias, columns * if kind == GRU { 2 } else { 1 }),
                (dx, inputs),
            ] {
                if !to.is_null() && worker.index == 0 {
                    std::ptr::write_bytes(to, 0, n);
                }
            }
        }
        return Ok(());
    }

    let wanted = !d_kernel.is_null() || !d_recurrent.is_null() || !d_bias.is_null();
    // Values of a row of the gates' gradients; what the state's product sees of them: all, or (GRU) the first two parts and the last.
    let width = if kind >= LSTM { 4 * units } else { units };
    let direct = if kind == GRU { 2 * units } else { columns };
    let chunk = (ROWS / batch).clamp(1, time.max(1));
    let for_state = packed_size::<S>(direct, units);
    let for_candidate = if kind == GRU { packed_size::<S>(units, units) } else { 0 };
    let for_input = if dx.is_null() { 0 } else { packed_size::<S>(columns, features) };
    let history = chunk * batch * width;
    let inputs_copied = if d_kernel.is_null() { 0 } else { chunk * batch * features };
    let total = for_state + for_candidate + for_input + 2 * states + 2 * (history + inputs_copied);
    let packed_state = worker.shared(total)?;
    let packed_candidate = packed_state.wrapping_add(for_state);
    let packed_input = packed_candidate.wrapping_add(for_candidate);
    let dh = packed_input.wrapping_add(for_input);
    let dc = dh.wrapping_add(states);
    let dz = dc.wrapping_add(states);
    let xs = dz.wrapping_add(2 * history);
    let cells = residual.wrapping_add(time * batch * units * z.kept());
    let hidden = cells.wrapping_add((time + 1) * states * z.cells());
    let f = Backward { z, mask, zero_output, gates: residual, cells, hidden, dys, dh, dc };
    let (r0, r1) = worker.share(batch);
    // SAFETY: all operands were checked to lie in memory, the shared memory is as large as its parts, and workers pack and compute different panels, rows and columns.
    unsafe {
        let panel = S::VECTORS * S::LANES;
        let pack_share = |source: *const f32, rows: usize, depth: usize, to: *mut f32| {
            let (first, last) = part(rows.div_ceil(panel), worker.index, worker.count);
            // The transpose of a kernel [rows, columns].
            pack(s, source, 1, columns as isize, rows, depth, to, first, last);
        };
        pack_share(recurrent, units, direct, packed_state);
        if kind == GRU {
            pack_share(recurrent.add(2 * units), units, units, packed_candidate);
        }
        if !dx.is_null() {
            pack_share(kernel, features, columns, packed_input);
        }
        for row in r0..r1 {
            state(dh.add(row * units), dh_last, row * units, units);
            state(dc.add(row * units), dc_last, row * units, units);
        }
        worker.meet()?;

        for step in (0..time).rev() {
            let t = z.time_of(step);
            let first = step - step % chunk;
            let side = step / chunk % 2;
            let (current, copied) = (dz.add(side * history), xs.wrapping_add(side * inputs_copied));
            let own = current.add((step - first) * batch * width);
            back_gates(s, &f, step, r0, r1, own);
            let rows = r1 - r0;
            let (a, carry) = (own.add(r0 * width), dh.add(r0 * units));
            if !dx.is_null() && batch > FEW {
                let to = dx.add((r0 * time + t) * features);
                multiply(s, rows, features, columns, a, width as isize, packed_input, to, time * features, false);
            } else if !dx.is_null() && step == first {
                // Few rows: all steps of a row at once, from the earliest time on.
                let count = chunk.min(time - first);
                let (earliest, a_row) =
                    if reverse { (first + count - 1, -((batch * width) as isize)) } else { (first, (batch * width) as isize) };
                for row in r0..r1 {
                    let a = current.add(((earliest - first) * batch + row) * width);
                    let to = dx.add((row * time + z.time_of(earliest)) * features);
                    multiply(s, count, features, columns, a, a_row, packed_input, to, features, false);
                }
            }
            multiply(s, rows, units, direct, a, width as isize, packed_state, carry, units, true);
            if kind == GRU {
                multiply(s, rows, units, units, a.add(3 * units), width as isize, packed_candidate, carry, units, true);
            }
            if !d_kernel.is_null() {
                for row in r0..r1 {
                    let to = copied.add(((step - first) * batch + row) * features);
                    std::ptr::copy_nonoverlapping(x.add((row * time + t) * features), to, features);
                }
            }
            if wanted && step == first {
                worker.meet()?;
                let steps = chunk.min(time - first);
                let g = Gradients { z, rows: steps * batch, more: first + steps < time, dz: current, width, direct, columns };
                g.add(s, worker, copied, hidden.add(first * states), d_kernel, d_recurrent, d_bias);
            }
        }
        let (at, count) = (r0 * units, (r1 - r0) * units);
        if !dh0.is_null() {
            std::ptr::copy(dh.add(at), dh0.add(at), count);
        }
        if !dc0.is_null() && kind == LSTM {
            std::ptr::copy(dc.add(at), dc0.add(at), count);
        }
        if time == 0 && worker.index == 0 {
            for (to, n) in
                [(d_kernel, features * columns), (d_recurrent, units * columns), (d_bias, columns * if kind == GRU { 2 } else { 1 })]
            {
                if !to.is_null() {
                    std::ptr::write_bytes(to, 0, n);
                }
            }
        }
    }
    Ok(())
}

/// The gates' gradients of some steps, from which those of the weights follow.
struct Gradients {
    z: Sizes,
    rows: usize,
    /// Are there sums of later steps already?
    more: bool,
    dz: *const f32,
    width: usize,
    direct: usize,
    columns: usize,
}

impl Gradients {
    /// dW += X^T dz, dU += H^T dz, db += the sum of dz: this worker's share of the columns.
    ///
    /// # Safety
    /// All of these must be valid; null is left out.
    unsafe fn add<S: Simd>(
        &self,
        s: S,
        worker: &mut Worker,
        x: *const f32,
        h: *const f32,
        d_kernel: *mut f32,
        d_recurrent: *mut f32,
        d_bias: *mut f32,
    ) {
        let Sizes { kind, features, units, .. } = self.z;
        let Gradients { rows, more, dz, width, direct, columns, .. } = *self;
        let (index, count) = (worker.index, worker.count);
        let share = |n: usize| {
            let (a, b) = part(n.div_ceil(16), index, count);
            ((a * 16).min(n), (b * 16).min(n))
        };
        // [m] columns of A, transposed, times columns j .. of dz, to columns `to` of C.
        let mut product = |a: *const f32, m: usize, from: usize, to: *mut f32, j0: usize, j1: usize| {
            if j1 > j0 {
                let p = Product::new(m, j1 - j0, rows, a, m, dz.add(from + j0), width, to.add(j0), columns);
                gemm(s, &p.transpose_a().accumulate(more), worker.products);
            }
        };
        let (j0, j1) = share(columns);
        if !d_kernel.is_null() {
            product(x, features, 0, d_kernel, j0, j1);
        }
        if !d_recurrent.is_null() {
            let (j0, j1) = share(direct);
            product(h, units, 0, d_recurrent, j0, j1);
            if kind == GRU {
                let (j0, j1) = share(units);
                product(h, units, 3 * units, d_recurrent.add(2 * units), j0, j1);
            }
        }
        if !d_bias.is_null() && j1 > j0 {
            sum_rows(s, dz.add(j0), rows, width, j1 - j0, d_bias.add(j0), more);
            if kind == GRU {
                // Of the recurrent part: the candidate's is the last of the four.
                let to = d_bias.add(columns);
                let (j0, j1) = share(direct);
                sum_rows(s, dz.add(j0), rows, width, j1 - j0, to.add(j0), more);
                let (j0, j1) = share(units);
                sum_rows(s, dz.add(3 * units + j0), rows, width, j1 - j0, to.add(direct + j0), more);
            }
        }
    }
}
