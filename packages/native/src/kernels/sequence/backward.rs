//! The backward pass: the gates' gradients of a step, what goes on to the step before, and to the inputs; then those of the weights, of many steps at once.

use super::{is_gated, plain, sums, Sequence, FEW};
use crate::commands::recurrent::{GRU, LSTM};
use crate::kernel;
use crate::kernels::ahead::ask_near;
use crate::kernels::cells::{gru_gradients, gru_reset_gradient, lstm_gradients, rnn_gradient};
use crate::kernels::gemm::{dots, gemm, multiply, pack, packed_size, Product};
use crate::kernels::steps::{begin, clear, end, Gradients, Steps};
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

/// Everything that the steps of the backward pass need.
#[derive(Clone, Copy)]
struct Backward {
    steps: Steps,
    gates: *const f32,
    cells: *const f32,
    hidden: *const f32,
    dys: *const f32,
    dh: *mut f32,
    dc: *mut f32,
}

impl Backward {
    /// Asks for what a row of a step reads: what the forward pass left long ago, and the gradients of the outputs.
    #[inline(always)]
    fn ask<S: Simd>(&self, s: S, step: usize, row: usize) {
        let Steps { kind, batch, time, units, .. } = self.steps;
        if is_gated(kind) {
            ask_near(s, self.gates.wrapping_add((step * batch + row) * 4 * units), 4 * units);
        }
        let states = if kind == LSTM { self.cells } else { self.hidden };
        ask_near(s, states.wrapping_add((step * batch + row) * units), units);
        if !self.dys.is_null() {
            ask_near(s, self.dys.wrapping_add((row * time + self.steps.time_of(step)) * units), units);
        }
    }
}

/// Units ahead of those whose gradients are computed.
const AHEAD: usize = 256;

kernel! {
    /// Gradients of the gates of rows r0 .. r1 of one step, into dz [batch][width], and what goes on to the step before.
    ///
    /// # Safety
    /// All that `f` points to must be valid for these rows.
    unsafe fn back_gates(s, f: *const Backward, step: usize, r0: usize, r1: usize, dz: *mut f32) {
        let f = *f;
        let Steps { kind, batch, time, units, .. } = f.steps;
        let t = f.steps.time_of(step);
        let width = sums(kind);
        let zero = s.splat(0.0);
        let (rows, rows_ahead) = (r1 - r0, AHEAD.div_ceil(units));
        for row in r0..r1 {
            let later = row + rows_ahead;
            if later < r1 {
                f.ask(s, step, later);
            } else if step > 0 && later - rows < r1 {
                f.ask(s, step - 1, later - rows);
            }
            let skipped = f.steps.skipped(row, t);
            let dy = if f.dys.is_null() || (skipped && f.steps.zero_output) { std::ptr::null() } else { f.dys.add((row * time + t) * units) };
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
                let put = |k: usize, v: S::F| keep(s, to.add(k * units + unit), v, n);
                let state = |states: *const f32, step: usize| some(s, states.add(step * f.steps.states() + at), n);
                if kind == LSTM {
                    let dc_at = f.dc.add(at);
                    let gates = [gate(0), gate(1), gate(2), gate(3)];
                    let (before, cell) = (state(f.cells, step), state(f.cells, step + 1));
                    let (gradients, dc) = lstm_gradients(s, gates, before, cell, g, some(s, dc_at, n));
                    for (k, v) in gradients.into_iter().enumerate() {
                        put(k, v);
                    }
                    keep(s, dc_at, dc, n);
                    keep(s, carry, zero, n);
                } else if kind == GRU {
                    let (update, reset, candidate, inner) = (gate(0), gate(1), gate(2), gate(3));
                    let [dz, dn, past] = gru_gradients(s, update, candidate, state(f.hidden, step), g);
                    put(0, dz);
                    put(1, gru_reset_gradient(s, reset, inner, dn));
                    put(2, dn);
                    put(3, s.mul(dn, reset));
                    keep(s, carry, past, n);
                } else {
                    put(0, rnn_gradient(s, kind, g, state(f.hidden, step + 1)));
                    keep(s, carry, zero, n);
                }
                unit += S::LANES;
            }
        }
    }
}

/// The most rows of gates' gradients for which the input kernel is not packed, not even a block at a time.
const BY_DOTS: usize = 16;

/// Gates' gradients of some steps, [count][batch][width].
struct Chunk {
    steps: Steps,
    features: usize,
    first: usize,
    count: usize,
    dz: *const f32,
    width: usize,
}

impl Chunk {
    /// Gradients of the inputs of rows r0 .. r1 at all of these steps, in one product with the kernel as it came.
    ///
    /// # Safety
    /// All of these must be valid.
    unsafe fn inputs<S: Simd>(&self, s: S, worker: &mut Worker, r0: usize, r1: usize, kernel: *const f32, columns: usize, dx: *mut f32) {
        let Chunk { steps, features, first, count, dz, width } = *self;
        let rows = r1 - r0;
        let all = count * rows;
        let a = worker.own.floats(all * (columns + features));
        let to = a.add(all * columns);
        for step in 0..count {
            for row in 0..rows {
                let from = dz.add((step * steps.batch + r0 + row) * width);
                std::ptr::copy_nonoverlapping(from, a.add((step * rows + row) * columns), columns);
            }
        }
        // By the rows of all workers: bits do not depend on how many these are.
        if count * steps.batch <= BY_DOTS {
            std::ptr::write_bytes(to, 0, all * features);
            dots(s, all, features, columns, a, columns, kernel, columns, to, features);
        } else {
            gemm(s, &Product::new(all, features, columns, a, columns, kernel, columns, to, features).transpose_b(), worker.products);
        }
        for step in 0..count {
            for row in 0..rows {
                let into = dx.add(((r0 + row) * steps.time + steps.time_of(first + step)) * features);
                std::ptr::copy_nonoverlapping(to.add((step * rows + row) * features), into, features);
            }
        }
    }
}

pub fn backward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::sequence_backward as w;
    let Sequence { steps, features } = Sequence::read(o)?;
    let Steps { kind, batch, time, units, reverse, .. } = steps;
    let columns = elements(&[steps.gates(), units])?;
    let states = elements(&[batch, units])?;
    let inputs = elements(&[batch, time, features])?;
    let x = o.floats(w::X, inputs)?;
    let kernel = o.floats(w::KERNEL, elements(&[features, columns])?)?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let residual = o.floats(w::RESIDUAL, steps.residual()?)?;
    let dys = o.optional(w::DYS, elements(&[batch, time, units])?)?;
    let dh_last = o.optional(w::DH, states)?;
    let dc_last = o.optional(w::DC, states)?;
    let dx = o.optional(w::DX, inputs)?;
    let d_kernel = o.optional(w::D_KERNEL, features * columns)?;
    let d_recurrent = o.optional(w::D_RECURRENT, units * columns)?;
    let d_bias = o.optional(w::D_BIAS, if kind == GRU { 2 * columns } else { columns })?;
    let dh0 = o.optional(w::DH0, states)?;
    let dc0 = o.optional(w::DC0, states)?;
    let of_weights =
        [(d_kernel, features * columns), (d_recurrent, units * columns), (d_bias, if kind == GRU { 2 * columns } else { columns })];
    if batch == 0 || units == 0 || time == 0 {
        // SAFETY: the ranges were checked.
        unsafe { clear(worker, &of_weights) };
    }
    if batch == 0 || units == 0 {
        // SAFETY: the range was checked.
        unsafe { clear(worker, &[(dx, inputs)]) };
        return Ok(());
    }

    let wanted = of_weights.iter().any(|(to, _)| !to.is_null());
    // Values of a row of the gates' gradients; what the state's product sees of them: all, or (GRU) the first two parts and the last.
    let width = sums(kind) * units;
    let direct = if kind == GRU { 2 * units } else { columns };
    let chunk = steps.chunk();
    // Few rows read large weights where they lie, as forward.
    let plain = plain::is_faster_backward(&steps);
    let for_state = if plain { 0 } else { packed_size::<S>(direct, units) };
    let for_candidate = if plain || kind != GRU { 0 } else { packed_size::<S>(units, units) };
    let for_input = if plain || dx.is_null() { 0 } else { packed_size::<S>(columns, features) };
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
    let (cells, hidden) = steps.kept_states(residual);
    let f = Backward { steps, gates: residual, cells, hidden, dys, dh, dc };
    let (r0, r1) = worker.share(batch);
    // SAFETY: all operands were checked to lie in memory, the shared memory is as large as its parts, and workers pack and compute different panels, rows and columns.
    unsafe {
        let panel = S::VECTORS * S::LANES;
        let pack_share = |source: *const f32, rows: usize, depth: usize, to: *mut f32| {
            let (first, last) = worker.share(rows.div_ceil(panel));
            // The transpose of a kernel [rows, columns].
            pack(s, source, 1, columns as isize, rows, depth, to, first, last);
        };
        if !plain {
            pack_share(recurrent, units, direct, packed_state);
            if kind == GRU {
                pack_share(recurrent.add(2 * units), units, units, packed_candidate);
            }
            if !dx.is_null() {
                pack_share(kernel, features, columns, packed_input);
            }
        }
        let (at, count) = (r0 * units, (r1 - r0) * units);
        begin(dh, dh_last, at, count);
        begin(dc, dc_last, at, count);
        worker.meet()?;

        for step in (0..time).rev() {
            let t = steps.time_of(step);
            let first = step - step % chunk;
            let side = step / chunk % 2;
            let (current, copied) = (dz.add(side * history), xs.wrapping_add(side * inputs_copied));
            let own = current.add((step - first) * batch * width);
            back_gates(s, &f, step, r0, r1, own);
            let rows = r1 - r0;
            let (a, carry) = (own.add(r0 * width), dh.add(r0 * units));
            let count = chunk.min(time - first);
            if !dx.is_null() && plain {
                if step == first {
                    let chunk = Chunk { steps, features, first, count, dz: current, width };
                    chunk.inputs(s, worker, r0, r1, kernel, columns, dx);
                }
            } else if !dx.is_null() && batch > FEW {
                let to = dx.add((r0 * time + t) * features);
                multiply(s, rows, features, columns, a, width as isize, packed_input, to, time * features, false);
            } else if !dx.is_null() && step == first {
                // Few rows: all steps of a row at once, from the earliest time on.
                let (earliest, a_row) =
                    if reverse { (first + count - 1, -((batch * width) as isize)) } else { (first, (batch * width) as isize) };
                for row in r0..r1 {
                    let a = current.add(((earliest - first) * batch + row) * width);
                    let to = dx.add((row * time + steps.time_of(earliest)) * features);
                    multiply(s, count, features, columns, a, a_row, packed_input, to, features, false);
                }
            }
            if plain {
                dots(s, rows, units, direct, a, width, recurrent, columns, carry, units);
                if kind == GRU {
                    dots(s, rows, units, units, a.add(3 * units), width, recurrent.add(2 * units), columns, carry, units);
                }
            } else {
                multiply(s, rows, units, direct, a, width as isize, packed_state, carry, units, true);
                if kind == GRU {
                    multiply(s, rows, units, units, a.add(3 * units), width as isize, packed_candidate, carry, units, true);
                }
            }
            if !d_kernel.is_null() {
                for row in r0..r1 {
                    let to = copied.add(((step - first) * batch + row) * features);
                    std::ptr::copy_nonoverlapping(x.add((row * time + t) * features), to, features);
                }
            }
            if wanted && step == first {
                worker.meet()?;
                let g = Gradients { rows: count * batch, dz: current, width, more: first + count < time };
                let h = hidden.add(first * states);
                g.weights(s, worker, copied, features, 0, columns, d_kernel, columns);
                g.weights(s, worker, h, units, 0, direct, d_recurrent, columns);
                g.biases(s, worker, 0, columns, d_bias);
                if kind == GRU {
                    // Of the recurrent part, the candidate's gradient is the last of the four.
                    let at = |to: *mut f32, n: usize| if to.is_null() { to } else { to.add(n) };
                    g.weights(s, worker, h, units, 3 * units, units, at(d_recurrent, direct), columns);
                    g.biases(s, worker, 0, direct, at(d_bias, columns));
                    g.biases(s, worker, 3 * units, units, at(d_bias, columns + direct));
                }
            }
        }
        end(dh0, dh, at, count);
        if kind == LSTM {
            end(dc0, dc, at, count);
        }
    }
    Ok(())
}
