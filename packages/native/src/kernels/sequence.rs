//! Whole sequences of SimpleRNN, LSTM and GRU, forward and backward.
//!
//! Weights are packed once a call, all gates of one vector of units side by side, so that a step's product of a panel leaves what the gates need, in the
//! first-level cache. Workers share the batch for all steps and meet only around the sequence; backward they meet once in as many steps as make 256 rows,
//! whose gates' gradients then give the weights' gradients in large products, shared by columns. Every sum runs in one order however many workers there are.
//!
//! What the forward pass keeps: gates [time][batch][4][units] (LSTM: i f n o, GRU: z r n and the candidate's recurrent part), states c [time + 1][batch][units]
//! (LSTM), states h [time + 1][batch][units].

use super::gemm::{gemm, multiply, pack, packed_size, tile, Chunks, Product};
use crate::commands::recurrent::{GRU, LSTM, RNN_RELU, RNN_TANH};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::{part, Worker};
use std::ptr::null_mut;

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
    packed: *const f32,
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
    /// `rows` rows times a part of a panel of three vectors, added to three of the four vectors of z.
    ///
    /// # Safety
    /// As of [`tile`].
    unsafe fn three(s, rows: usize, k: usize, a: *const f32, a_row: isize, b: *const f32, c: *mut f32, ld: usize) {
        let w = 3 * S::LANES;
        match rows {
            1 => tile::<S, 1, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            2 => tile::<S, 2, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            3 if S::ROWS_OF_THREE >= 3 => tile::<S, 3, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            4 if S::ROWS_OF_THREE >= 4 => tile::<S, 4, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            5 if S::ROWS_OF_THREE >= 5 => tile::<S, 5, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            6 if S::ROWS_OF_THREE >= 6 => tile::<S, 6, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            7 if S::ROWS_OF_THREE >= 7 => tile::<S, 7, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            8 if S::ROWS_OF_THREE >= 8 => tile::<S, 8, 3, false>(s, k, a, a_row, 1, b, w as isize, c, ld, w, true),
            _ => unreachable!("a tile of more rows than the instruction set has"),
        }
    }
}

/// Floats of a row of z: what the products of a panel give.
fn z_width<S: Simd>(kind: i32) -> usize {
    S::LANES * if kind == GRU { 4 } else { vectors::<S>(kind) }
}

/// z[rows] (+)= A [rows, depth] times a panel, a part of the panel at a time. `ld`: from one row of z to the next.
///
/// # Safety
/// A, the panel and z must be valid.
unsafe fn times_panel<S: Simd>(
    s: S,
    kind: i32,
    rows: usize,
    depth: usize,
    a: *const f32,
    a_row: isize,
    panel: *const f32,
    z: *mut f32,
    ld: usize,
    accumulate: bool,
) {
    let width = vectors::<S>(kind) * S::LANES;
    let most = match kind {
        LSTM => S::ROWS_OF_FOUR,
        GRU => S::ROWS_OF_THREE,
        _ => S::ROWS.min(6),
    };
    let part = PART / width;
    let mut q = 0;
    while q < depth {
        let k = part.min(depth - q);
        for (i, n) in Chunks::new(rows, most) {
            let (a, b, c) = (a.offset(i as isize * a_row + q as isize), panel.add(q * width), z.add(i * ld));
            let more = accumulate || q > 0;
            match kind {
                LSTM => four(s, n, k, a, a_row, b, c, ld, more),
                GRU => three(s, n, k, a, a_row, b, c, ld),
                _ => super::gemm::tile_direct(s, n, width, k, a, a_row, 1, b, width as isize, c, ld, more),
            }
        }
        q += k;
    }
}

/// Where one vector of units of one row lies at one step.
#[derive(Clone, Copy)]
struct Place {
    /// Its values that the products left in z.
    line: *mut f32,
    /// The place of its gates, or null where they are not kept.
    gates: *mut f32,
    /// The state before and after.
    before: *const f32,
    after: *mut f32,
    /// The output, or null.
    y: *mut f32,
    /// Is its value masked: does the state stay as it was?
    skipped: bool,
}

impl Forward {
    /// # Safety
    /// The row, unit and step must exist.
    #[inline(always)]
    unsafe fn place(&self, step: usize, row: usize, unit: usize, line: *mut f32) -> Place {
        let Sizes { batch, time, units, .. } = self.z;
        let t = self.z.time_of(step);
        let (from, into) = if self.keeps { (step, step + 1) } else { (step & 1, (step + 1) & 1) };
        let at = row * units + unit;
        Place {
            line,
            gates: if self.gates.is_null() { null_mut() } else { self.gates.add((step * batch + row) * 4 * units + unit) },
            before: self.hidden.add(from * self.z.step() + at),
            after: self.hidden.add(into * self.z.step() + at),
            y: if self.ys.is_null() { null_mut() } else { self.ys.add((row * time + t) * units + unit) },
            skipped: !self.mask.is_null() && *self.mask.add(row * time + t) == 0,
        }
    }

    /// Writes the new state of n units, and the output.
    ///
    /// # Safety
    /// n units must be valid at the place.
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, p: Place, h: S::F, n: usize) {
        let state = if p.skipped { some(s, p.before, n) } else { h };
        keep(s, p.after, state, n);
        if !p.y.is_null() {
            keep(s, p.y, if p.skipped && self.zero_output { s.splat(0.0) } else { state }, n);
        }
    }
}

kernel! {
    /// Gates, states and outputs of an LSTM: rows r0 .. r1, one panel of one step, from what its product left in z.
    ///
    /// What waits for the new cell state comes in a second loop: one row's chain of functions is longer than what a processor looks ahead.
    ///
    /// # Safety
    /// All that `f` points to must be valid for these rows.
    unsafe fn lstm_gates(s, f: *const Forward, step: usize, panel: usize, r0: usize, r1: usize, z: *mut f32) {
        let f = *f;
        let units = f.z.units;
        let unit = panel * S::LANES;
        let n = S::LANES.min(units - unit);
        let (from, into) = if f.keeps { (step, step + 1) } else { (0, 0) };
        let bias = f.bias.add(panel * 4 * S::LANES);
        let b = |k: usize| s.load(bias.add(k * S::LANES));
        let (b0, b1, b2, b3) = (b(0), b(1), b(2), b(3));
        for row in r0..r1 {
            let p = f.place(step, row, unit, z.add((row - r0) * 4 * S::LANES));
            let get = |k: usize| s.load(p.line.add(k * S::LANES));
            let i = math::gate(s, s.add(get(0), b0));
            let forget = math::gate(s, s.add(get(1), b1));
            let candidate = math::tanh(s, s.add(get(2), b2));
            let o = math::gate(s, s.add(get(3), b3));
            let at = row * units + unit;
            let before = some(s, f.cells.add(from * f.z.step() + at), n);
            let c = s.fma(forget, before, s.mul(i, candidate));
            s.store(p.line, c);
            s.store(p.line.add(S::LANES), o);
            keep(s, f.cells.add(into * f.z.step() + at), if p.skipped { before } else { c }, n);
            if !p.gates.is_null() {
                keep(s, p.gates, i, n);
                keep(s, p.gates.add(units), forget, n);
                keep(s, p.gates.add(2 * units), candidate, n);
                keep(s, p.gates.add(3 * units), o, n);
            }
        }
        for row in r0..r1 {
            let p = f.place(step, row, unit, z.add((row - r0) * 4 * S::LANES));
            let h = s.mul(s.load(p.line.add(S::LANES)), math::tanh(s, s.load(p.line)));
            f.put(s, p, h, n);
        }
    }
}

kernel! {
    /// As [`lstm_gates`], of a GRU: z holds the input's part of the candidate, update, reset, the recurrent part of the candidate; biases are in them.
    ///
    /// # Safety
    /// All that `f` points to must be valid for these rows.
    unsafe fn gru_gates(s, f: *const Forward, step: usize, panel: usize, r0: usize, r1: usize, z: *mut f32) {
        let f = *f;
        let units = f.z.units;
        let unit = panel * S::LANES;
        let n = S::LANES.min(units - unit);
        for row in r0..r1 {
            let p = f.place(step, row, unit, z.add((row - r0) * 4 * S::LANES));
            let get = |k: usize| s.load(p.line.add(k * S::LANES));
            let update = math::gate(s, get(1));
            let reset = math::gate(s, get(2));
            let inner = get(3);
            s.store(p.line, s.fma(reset, inner, get(0)));
            s.store(p.line.add(S::LANES), update);
            if !p.gates.is_null() {
                keep(s, p.gates, update, n);
                keep(s, p.gates.add(units), reset, n);
                keep(s, p.gates.add(3 * units), inner, n);
            }
        }
        for row in r0..r1 {
            let p = f.place(step, row, unit, z.add((row - r0) * 4 * S::LANES));
            let candidate = math::tanh(s, s.load(p.line));
            if !p.gates.is_null() {
                keep(s, p.gates.add(2 * units), candidate, n);
            }
            let update = s.load(p.line.add(S::LANES));
            f.put(s, p, s.fma(update, s.sub(some(s, p.before, n), candidate), candidate), n);
        }
    }
}

kernel! {
    /// States and outputs of a SimpleRNN, whose panels are of several vectors of units.
    ///
    /// # Safety
    /// All that `f` points to must be valid for these rows.
    unsafe fn rnn_states(s, f: *const Forward, step: usize, panel: usize, r0: usize, r1: usize, z: *mut f32) {
        let f = *f;
        let units = f.z.units;
        for v in 0..S::VECTORS {
            let unit = (panel * S::VECTORS + v) * S::LANES;
            if unit >= units {
                break;
            }
            let n = S::LANES.min(units - unit);
            let bias = s.load(f.bias.add((panel * S::VECTORS + v) * S::LANES));
            for row in r0..r1 {
                let p = f.place(step, row, unit, z.add(((row - r0) * S::VECTORS + v) * S::LANES));
                let x = s.add(s.load(p.line), bias);
                f.put(s, p, if f.z.kind == RNN_RELU { s.pmax(x, s.splat(0.0)) } else { math::tanh(s, x) }, n);
            }
        }
    }
}

/// Floats of all packed weights, and of the packed biases.
fn weights_size<S: Simd>(z: &Sizes) -> (usize, usize, usize) {
    let panels = z.units.div_ceil(panel_units::<S>(z.kind).max(1));
    let width = vectors::<S>(z.kind) * S::LANES;
    (panels, panels * (z.features + z.units) * width, panels * z_width::<S>(z.kind))
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

    let (panels, weights, biases) = weights_size::<S>(&z);
    let keeps = !residual.is_null();
    let shared = worker.shared(weights + biases + if keeps { 0 } else { 3 * states })?;
    let packed_bias = shared.wrapping_add(weights);
    let (p0, p1) = worker.share(panels);
    let (r0, r1) = worker.share(batch);
    let width = vectors::<S>(kind) * S::LANES;
    let bias_width = z_width::<S>(kind);
    let own = packed_bias.wrapping_add(biases);
    let (gates, cells, hidden) = if keeps {
        let cells = residual.wrapping_add(time * batch * units * z.kept());
        (if kind >= LSTM { residual } else { null_mut() }, cells, cells.wrapping_add((time + 1) * states * z.cells()))
    } else {
        (null_mut(), own.wrapping_add(2 * states), own)
    };
    let f = Forward { z, x, packed: shared, bias: packed_bias, mask, zero_output, gates, cells, hidden, keeps, ys };
    // SAFETY: all operands were checked to lie in memory, the shared memory is as large as its parts, and workers pack and compute different panels and rows.
    unsafe {
        let (for_input, for_state) = if kind == GRU { ([2, 0, 1, 0], [0, 1, 2, 0]) } else { ([0, 1, 2, 3], [0, 1, 2, 3]) };
        let apart = (features + units) * width;
        pack_cells(s, kernel, features, z.gates(), units, p0, p1, for_input, shared, apart);
        pack_cells(s, recurrent, units, z.gates(), units, p0, p1, for_state, shared.add(features * width), apart);
        for p in p0..p1 {
            for v in 0..bias_width {
                let (part, lane) = (v / S::LANES, v % S::LANES);
                let unit = if kind >= LSTM { p * S::LANES + lane } else { p * S::LANES * S::VECTORS + v };
                let value = |gate: usize| *bias.add(gate * units + unit);
                *packed_bias.add(p * bias_width + v) = match kind {
                    _ if bias.is_null() || unit >= units => 0.0,
                    LSTM => value(part),
                    GRU => match part {
                        0 => value(2),
                        1 => value(0) + value(3),
                        2 => value(1) + value(4),
                        _ => value(5),
                    },
                    _ => value(0),
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
            let many = steps_at_once(&z, r1 - r0);
            let floats = (r1 - r0) * bias_width * if many > 1 { many * panels } else { 1 };
            steps(s, &f, panels, r0, r1, worker.own.floats(floats));
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

/// All steps of rows r0 .. r1.
///
/// # Safety
/// All that `f` points to must be valid for these rows; z has room for their products of one panel, or of all panels of [`steps_at_once`].
unsafe fn steps<S: Simd>(s: S, f: &Forward, panels: usize, r0: usize, r1: usize, z: *mut f32) {
    let Sizes { kind, time, features, units, .. } = f.z;
    let width = vectors::<S>(kind) * S::LANES;
    let ld = z_width::<S>(kind);
    let rows = r1 - r0;
    let many = steps_at_once(&f.z, rows);
    let panel_of = |p: usize| f.packed.add(p * (features + units) * width);
    // The biases of a GRU come first: its candidate's two parts are kept apart.
    let begin = |p: usize, rows: usize, z: *mut f32| {
        if kind == GRU {
            for row in 0..rows {
                std::ptr::copy_nonoverlapping(f.bias.add(p * ld), z.add(row * ld), ld);
            }
        }
    };
    for step in 0..time {
        let first = step - step % many;
        if many > 1 && step == first {
            let count = many.min(time - first);
            for p in 0..panels {
                let z = z.add(p * many * rows * ld);
                begin(p, count * rows, z);
                for row in 0..rows {
                    let x = f.x.add(((r0 + row) * time + f.z.time_of(first)) * features);
                    let x_step = if f.z.reverse { -(features as isize) } else { features as isize };
                    times_panel(s, kind, count, features, x, x_step, panel_of(p), z.add(row * ld), rows * ld, kind == GRU);
                }
            }
        }
        let slot = if f.keeps { step } else { step & 1 };
        let h = f.hidden.add(slot * f.z.step() + r0 * units);
        for p in 0..panels {
            let panel = panel_of(p);
            let z = if many > 1 { z.add((p * many + step - first) * rows * ld) } else { z };
            if many == 1 {
                begin(p, rows, z);
                let x = f.x.add((r0 * time + f.z.time_of(step)) * features);
                times_panel(s, kind, rows, features, x, (time * features) as isize, panel, z, ld, kind == GRU);
            }
            let recurrent = panel.add(features * width);
            let into = if kind == GRU { z.add(S::LANES) } else { z };
            times_panel(s, kind, rows, units, h, units as isize, recurrent, into, ld, kind == GRU || features > 0);
            match kind {
                LSTM => lstm_gates(s, f, step, p, r0, r1, z),
                GRU => gru_gates(s, f, step, p, r0, r1, z),
                _ => rnn_states(s, f, step, p, r0, r1, z),
            }
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
