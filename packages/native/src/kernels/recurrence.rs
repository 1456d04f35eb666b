//! The part of SimpleRNN, LSTM and GRU that runs along time, on inputs that have been projected (x W + b) before: for what the kernels of
//! whole sequences (`sequence/`) leave out, since it gives each gate an operand of its own: recurrent dropout, and a GRU that resets
//! the state before its product.

use super::cells::{gru_gradients, gru_reset_gradient, gru_state, lstm_cell, lstm_gradients, lstm_state, rnn_gradient, rnn_state};
use super::gemm::{multiply, pack, packed_size};
use super::steps::{begin, clear, end, Gradients, Steps};
use crate::commands::recurrent::{GRU, GRU_BEFORE, LSTM, RNN_RELU, RNN_TANH};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

/// What both commands say of a recurrence.
#[derive(Clone, Copy)]
struct Recurrence {
    steps: Steps,
    /// Dropout masks of the state [gates][batch][units], or null.
    drop: *const f32,
}

impl Recurrence {
    fn read(o: &Operands) -> Checked<Recurrence> {
        use crate::commands::word::recurrence_forward as w;
        let kind = o.int(w::KIND)?;
        if !(RNN_TANH..=GRU_BEFORE).contains(&kind) {
            return Err(format!("a recurrence of kind {kind}"));
        }
        let [batch, time, units] = [o.size(w::BATCH)?, o.size(w::TIME)?, o.size(w::UNITS)?];
        let mask = o.optional_bytes(w::MASK, elements(&[batch, time])?)?;
        let steps = Steps { kind, batch, time, units, reverse: o.flag(w::REVERSE)?, mask, zero_output: o.flag(w::ZERO_OUTPUT)? };
        Ok(Recurrence { steps, drop: o.optional(w::DROP, elements(&[steps.gates(), batch, units])?)? })
    }

    /// The dropout mask of a gate's operand for a row, null where there is none.
    fn dropped(&self, gate: usize, row: usize) -> *const f32 {
        if self.drop.is_null() {
            self.drop
        } else {
            self.drop.wrapping_add((gate * self.steps.batch + row) * self.steps.units)
        }
    }
}

kernel! {
    /// to = a * b * c; null factors are left out.
    ///
    /// # Safety
    /// `n` values at all places must be valid.
    unsafe fn times(s, to: *mut f32, a: *const f32, b: *const f32, c: *const f32, n: usize) {
        let mut i = 0;
        while i < n {
            let lanes = S::LANES.min(n - i);
            let mut v = some(s, a.add(i), lanes);
            for factor in [b, c] {
                if !factor.is_null() {
                    v = s.mul(v, some(s, factor.add(i), lanes));
                }
            }
            keep(s, to.add(i), v, lanes);
            i += S::LANES;
        }
    }
}

kernel! {
    /// to += a * b (of a alone where b is null)
    ///
    /// # Safety
    /// `n` values at all places must be valid.
    unsafe fn add_times(s, to: *mut f32, a: *const f32, b: *const f32, n: usize) {
        let mut i = 0;
        while i < n {
            let lanes = S::LANES.min(n - i);
            let factor = if b.is_null() { s.splat(1.0) } else { some(s, b.add(i), lanes) };
            keep(s, to.add(i), s.fma(some(s, a.add(i), lanes), factor, some(s, to.add(i), lanes)), lanes);
            i += S::LANES;
        }
    }
}

kernel! {
    /// A gate of one row, in place: of the product z, the projected input x and the bias (or null).
    ///
    /// # Safety
    /// `n` values at all places must be valid.
    unsafe fn activate(s, z: *mut f32, x: *const f32, bias: *const f32, candidate: bool, n: usize) {
        let mut i = 0;
        while i < n {
            let lanes = S::LANES.min(n - i);
            let mut v = some(s, z.add(i), lanes);
            if !bias.is_null() {
                v = s.add(v, some(s, bias.add(i), lanes));
            }
            v = s.add(v, some(s, x.add(i), lanes));
            keep(s, z.add(i), if candidate { math::tanh(s, v) } else { math::gate(s, v) }, lanes);
            i += S::LANES;
        }
    }
}

/// Where one row of a step reads and writes.
#[derive(Clone, Copy)]
struct Row {
    kind: i32,
    units: usize,
    skipped: bool,
    zero_output: bool,
    x: *const f32,
    /// Products of all gates; then the gates.
    z: *mut f32,
    bias: *const f32,
    h: *const f32,
    h_next: *mut f32,
    c: *const f32,
    c_next: *mut f32,
    y: *mut f32,
    /// The candidate's recurrent part, of a GRU that resets after; null where it is not kept.
    inner: *mut f32,
}

kernel! {
    /// The new state and the output of one row.
    ///
    /// # Safety
    /// All places must be valid for `units` values a gate.
    unsafe fn finish_row(s, r: *const Row) {
        let r = *r;
        let u = r.units;
        let mut i = 0;
        while i < u {
            let n = S::LANES.min(u - i);
            let z = |gate: usize| some(s, r.z.add(gate * u + i), n);
            let before = some(s, r.h.add(i), n);
            let h = match r.kind {
                RNN_TANH | RNN_RELU => rnn_state(s, r.kind, s.add(z(0), some(s, r.x.add(i), n))),
                LSTM => {
                    let c_before = some(s, r.c.add(i), n);
                    let c = lstm_cell(s, z(0), z(1), z(2), c_before);
                    keep(s, r.c_next.add(i), if r.skipped { c_before } else { c }, n);
                    lstm_state(s, z(3), c)
                }
                _ => {
                    if r.kind == GRU {
                        let bias = if r.bias.is_null() { s.splat(0.0) } else { some(s, r.bias.add(2 * u + i), n) };
                        let inner = s.add(z(2), bias);
                        if !r.inner.is_null() {
                            keep(s, r.inner.add(i), inner, n);
                        }
                        keep(s, r.z.add(2 * u + i), s.mul(z(1), inner), n);
                    }
                    let candidate = math::tanh(s, s.add(z(2), some(s, r.x.add(2 * u + i), n)));
                    keep(s, r.z.add(2 * u + i), candidate, n);
                    gru_state(s, z(0), candidate, before)
                }
            };
            let state = if r.skipped { before } else { h };
            keep(s, r.h_next.add(i), state, n);
            if !r.y.is_null() {
                keep(s, r.y.add(i), if r.skipped && r.zero_output { s.splat(0.0) } else { state }, n);
            }
            i += S::LANES;
        }
    }
}

/// float32 of what the forward pass leaves for the backward pass.
pub fn residual(o: &Operands) -> Checked<usize> {
    Recurrence::read(o)?.steps.residual()
}

pub fn forward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::recurrence_forward as w;
    let q = Recurrence::read(o)?;
    let steps = q.steps;
    let Steps { kind, batch, time, units, .. } = steps;
    let gates = steps.gates();
    let states = elements(&[batch, units])?;
    let columns = elements(&[gates, units])?;
    let xs = o.floats(w::X, elements(&[batch, time, columns])?)?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let bias = o.optional(w::BIAS, columns)?;
    let h0 = o.optional(w::H0, states)?;
    let c0 = o.optional(w::C0, states)?;
    let residual = o.optional(w::RESIDUAL, steps.residual()?)?;
    let ys = o.optional(w::YS, elements(&[batch, time, units])?)?;
    let h_last = o.optional(w::H, states)?;
    let c_last = o.optional(w::C, states)?;
    if states == 0 {
        return Ok(());
    }

    let keeps = !residual.is_null();
    let packed_gate = packed_size::<S>(units, units);
    let weights = worker.shared(gates * packed_gate + if keeps { 0 } else { 2 * states })?;
    let beside = weights.wrapping_add(gates * packed_gate);
    let (cells, hidden) = if keeps { steps.kept_states(residual) } else { (beside, beside.wrapping_add(states)) };
    let (r0, r1) = worker.share(batch);
    let rows = r1 - r0;
    let own = worker.own.floats(rows * columns + rows * units + 1);
    let (z, operand) = (own, own.wrapping_add(rows * columns));
    // SAFETY: all operands were checked to lie in memory, the other memory is as large as its parts, and workers pack and compute different panels and rows.
    unsafe {
        let panels = units.div_ceil(S::VECTORS * S::LANES);
        let (first, last) = worker.share(panels);
        for g in 0..gates {
            pack(s, recurrent.add(g * units), columns as isize, 1, units, units, weights.add(g * packed_gate), first, last);
        }
        let (at, count) = (r0 * units, rows * units);
        begin(hidden, h0, at, count);
        if kind == LSTM {
            begin(cells, c0, at, count);
        }
        worker.meet()?;
        for step in 0..time {
            let t = steps.time_of(step);
            let (from, into) = if keeps { (step * states, (step + 1) * states) } else { (0, 0) };
            let h = hidden.add(from);
            let product = |g: usize, a: *const f32| {
                multiply(s, rows, units, units, a, units as isize, weights.add(g * packed_gate), z.add(g * units), columns, false);
            };
            // A GRU that resets before its product computes its candidate below.
            for g in 0..if kind == GRU_BEFORE { 2 } else { gates } {
                if q.drop.is_null() {
                    product(g, h.add(r0 * units));
                    continue;
                }
                for row in r0..r1 {
                    times(s, operand.add((row - r0) * units), h.add(row * units), q.dropped(g, row), std::ptr::null(), units);
                }
                product(g, operand);
            }
            let active = match kind {
                LSTM => 4,
                GRU | GRU_BEFORE => 2,
                _ => 0,
            };
            for row in r0..r1 {
                let x = xs.add((row * time + t) * columns);
                for g in 0..active {
                    let bias = if bias.is_null() { bias } else { bias.add(g * units) };
                    activate(s, z.add((row - r0) * columns + g * units), x.add(g * units), bias, kind == LSTM && g == 2, units);
                }
            }
            if kind == GRU_BEFORE {
                for row in r0..r1 {
                    let reset = z.add((row - r0) * columns + units);
                    times(s, operand.add((row - r0) * units), h.add(row * units), reset, q.dropped(2, row), units);
                }
                product(2, operand);
            }
            for row in r0..r1 {
                let kept = if keeps { residual.add((step * batch + row) * steps.kept() * units) } else { std::ptr::null_mut() };
                let r = Row {
                    kind,
                    units,
                    skipped: steps.skipped(row, t),
                    zero_output: steps.zero_output,
                    x: xs.add((row * time + t) * columns),
                    z: z.add((row - r0) * columns),
                    bias,
                    h: h.add(row * units),
                    h_next: hidden.add(into + row * units),
                    c: cells.wrapping_add(from + row * units),
                    c_next: cells.wrapping_add(into + row * units),
                    y: if ys.is_null() { ys } else { ys.add((row * time + t) * units) },
                    inner: if keeps && kind == GRU { kept.add(3 * units) } else { std::ptr::null_mut() },
                };
                finish_row(s, &r);
                if keeps && kind >= LSTM {
                    std::ptr::copy_nonoverlapping(r.z, kept, gates * units);
                }
            }
        }
        let last = if keeps { time * states } else { 0 };
        end(h_last, hidden.add(last), at, count);
        if kind == LSTM {
            end(c_last, cells.add(last), at, count);
        }
    }
    Ok(())
}

/// Where one row of a step backward reads and writes.
#[derive(Clone, Copy)]
struct BackRow {
    kind: i32,
    units: usize,
    gates: usize,
    skipped: bool,
    /// Null where no gradient flows from the output.
    dy: *const f32,
    /// The gradient of the projected inputs, null where it is not wanted.
    dx: *mut f32,
    kept: *const f32,
    before: *const f32,
    after: *const f32,
    c_before: *const f32,
    c_after: *const f32,
    carry: *mut f32,
    dc: *mut f32,
    dz: *mut f32,
}

impl BackRow {
    /// Gradients of a gate's input and recurrent part, of n units from i on.
    ///
    /// # Safety
    /// They must be valid.
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, i: usize, n: usize, gate: usize, input: S::F, recurrent: S::F) {
        keep(s, self.dz.add(gate * self.units + i), math::without_tiny(s, recurrent), n);
        if !self.dx.is_null() {
            keep(s, self.dx.add(gate * self.units + i), math::without_tiny(s, input), n);
        }
    }
}

kernel! {
    /// Gradients of the gates of one row, as their inputs (dx) and their recurrent products (dz) see them.
    ///
    /// # Safety
    /// All places must be valid for `units` values a gate.
    unsafe fn back_row(s, r: *const BackRow) {
        let r = *r;
        let u = r.units;
        let zero = s.splat(0.0);
        let mut i = 0;
        while i < u {
            let n = S::LANES.min(u - i);
            let mut g = math::without_tiny(s, some(s, r.carry.add(i), n));
            if !r.dy.is_null() {
                g = s.add(g, some(s, r.dy.add(i), n));
            }
            let kept = |gate: usize| some(s, r.kept.add(gate * u + i), n);
            if r.skipped {
                // Its gradient goes on, that of its gates is 0.
                keep(s, r.carry.add(i), g, n);
                for gate in 0..r.gates {
                    r.put(s, i, n, gate, zero, zero);
                }
            } else if r.kind <= RNN_RELU {
                let d = rnn_gradient(s, r.kind, g, some(s, r.after.add(i), n));
                keep(s, r.carry.add(i), zero, n);
                r.put(s, i, n, 0, d, d);
            } else if r.kind == LSTM {
                let gates = [kept(0), kept(1), kept(2), kept(3)];
                let (before, cell) = (some(s, r.c_before.add(i), n), some(s, r.c_after.add(i), n));
                let (gradients, dc) = lstm_gradients(s, gates, before, cell, g, some(s, r.dc.add(i), n));
                for (gate, d) in gradients.into_iter().enumerate() {
                    r.put(s, i, n, gate, d, d);
                }
                keep(s, r.dc.add(i), math::without_tiny(s, dc), n);
                keep(s, r.carry.add(i), zero, n);
            } else {
                let [du, dn, past] = gru_gradients(s, kept(0), kept(2), some(s, r.before.add(i), n), g);
                r.put(s, i, n, 0, du, du);
                keep(s, r.carry.add(i), math::without_tiny(s, past), n);
                if r.kind == GRU_BEFORE {
                    r.put(s, i, n, 2, dn, dn);
                } else {
                    let dr = gru_reset_gradient(s, kept(1), kept(3), dn);
                    r.put(s, i, n, 1, dr, dr);
                    // The candidate's input sees dn, its recurrent part dn * r.
                    r.put(s, i, n, 2, dn, s.mul(dn, kept(1)));
                }
            }
            i += S::LANES;
        }
    }
}

kernel! {
    /// What flows back through the product of a candidate that saw reset * state: `partial` is the gradient of that, as the product gives it.
    ///
    /// # Safety
    /// All places must be valid for `units` values.
    unsafe fn back_reset(s, r: *const BackRow, partial: *const f32, drop: *const f32) {
        let r = *r;
        let u = r.units;
        let mut i = 0;
        while i < u {
            let n = S::LANES.min(u - i);
            let mut d = some(s, partial.add(i), n);
            if !drop.is_null() {
                d = s.mul(d, some(s, drop.add(i), n));
            }
            let reset = some(s, r.kept.add(u + i), n);
            keep(s, r.carry.add(i), s.fma(d, reset, some(s, r.carry.add(i), n)), n);
            let dr = gru_reset_gradient(s, reset, some(s, r.before.add(i), n), d);
            keep(s, r.dz.add(u + i), dr, n);
            if !r.dx.is_null() {
                keep(s, r.dx.add(u + i), dr, n);
            }
            i += S::LANES;
        }
    }
}

pub fn backward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::recurrence_backward as w;
    let q = Recurrence::read(o)?;
    let steps = q.steps;
    let Steps { kind, batch, time, units, .. } = steps;
    let gates = steps.gates();
    let states = elements(&[batch, units])?;
    let columns = elements(&[gates, units])?;
    let inputs = elements(&[batch, time, columns])?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let residual = o.floats(w::RESIDUAL, steps.residual()?)?;
    let dys = o.optional(w::DYS, elements(&[batch, time, units])?)?;
    let dh_last = o.optional(w::DH, states)?;
    let dc_last = o.optional(w::DC, states)?;
    let dx = o.optional(w::DX, inputs)?;
    let d_recurrent = o.optional(w::D_RECURRENT, units * columns)?;
    let d_bias = o.optional(w::D_BIAS, columns)?;
    let dh0 = o.optional(w::DH0, states)?;
    let dc0 = o.optional(w::DC0, states)?;

    let of_weights = [(d_recurrent, units * columns), (d_bias, columns)];
    if batch == 0 || units == 0 || time == 0 {
        // SAFETY: the ranges were checked.
        unsafe { clear(worker, &of_weights) };
    }
    if batch == 0 || units == 0 {
        return Ok(());
    }
    let wanted = of_weights.iter().any(|(to, _)| !to.is_null());
    let chunk = steps.chunk();
    let packed_gate = packed_size::<S>(units, units);
    let history = chunk * batch * columns;
    // What the gates' products saw, where that is not the state itself.
    let own_operand = |g: usize| !q.drop.is_null() || (kind == GRU_BEFORE && g == 2);
    let seen_size = if (0..gates).any(own_operand) { gates * chunk * states } else { 0 };
    let weights = worker.shared(gates * packed_gate + 2 * states + 2 * (history + seen_size))?;
    let dh = weights.wrapping_add(gates * packed_gate);
    let dc = dh.wrapping_add(states);
    let dz = dc.wrapping_add(states);
    let seen = dz.wrapping_add(2 * history);
    let (cells, hidden) = steps.kept_states(residual);
    let (r0, r1) = worker.share(batch);
    let rows = r1 - r0;
    // SAFETY: all operands were checked to lie in memory, the other memory is as large as its parts, and workers pack and compute different panels, rows and columns.
    unsafe {
        let partial = worker.own.floats(rows * units + 1);
        let (first, last) = worker.share(units.div_ceil(S::VECTORS * S::LANES));
        for g in 0..gates {
            pack(s, recurrent.add(g * units), 1, columns as isize, units, units, weights.add(g * packed_gate), first, last);
        }
        let (at, count) = (r0 * units, rows * units);
        begin(dh, dh_last, at, count);
        begin(dc, dc_last, at, count);
        worker.meet()?;
        for step in (0..time).rev() {
            let t = steps.time_of(step);
            let first = step - step % chunk;
            let side = step / chunk % 2;
            let current = dz.add(side * history);
            let operands = seen.wrapping_add(side * seen_size);
            let own = current.add((step - first) * batch * columns);
            let row_of = |row: usize| {
                let skipped = steps.skipped(row, t);
                let at = row * units;
                BackRow {
                    kind,
                    units,
                    gates,
                    skipped,
                    dy: if dys.is_null() || (skipped && steps.zero_output) { std::ptr::null() } else { dys.add((row * time + t) * units) },
                    dx: if dx.is_null() { dx } else { dx.add((row * time + t) * columns) },
                    kept: residual.add((step * batch + row) * steps.kept() * units),
                    before: hidden.add(step * states + at),
                    after: hidden.add((step + 1) * states + at),
                    c_before: cells.wrapping_add(step * states + at),
                    c_after: cells.wrapping_add((step + 1) * states + at),
                    carry: dh.add(at),
                    dc: dc.add(at),
                    dz: own.add(row * columns),
                }
            };
            for row in r0..r1 {
                back_row(s, &row_of(row));
            }
            let product = |g: usize, to: *mut f32, accumulate: bool| {
                multiply(
                    s,
                    rows,
                    units,
                    units,
                    own.add(r0 * columns + g * units),
                    columns as isize,
                    weights.add(g * packed_gate),
                    to,
                    units,
                    accumulate,
                );
            };
            if kind == GRU_BEFORE {
                product(2, partial, false);
                for row in r0..r1 {
                    let r = row_of(row);
                    if !r.skipped {
                        back_reset(s, &r, partial.add((row - r0) * units), q.dropped(2, row));
                    }
                }
            }
            for g in 0..if kind == GRU_BEFORE { 2 } else { gates } {
                if q.drop.is_null() {
                    product(g, dh.add(r0 * units), true);
                    continue;
                }
                product(g, partial, false);
                for row in r0..r1 {
                    add_times(s, dh.add(row * units), partial.add((row - r0) * units), q.dropped(g, row), units);
                }
            }
            if !wanted {
                continue;
            }
            for g in (0..gates).filter(|g| own_operand(*g)) {
                for row in r0..r1 {
                    let to = operands.add(((g * chunk + step - first) * batch + row) * units);
                    let r = row_of(row);
                    let reset = if kind == GRU_BEFORE && g == 2 { r.kept.add(units) } else { std::ptr::null() };
                    times(s, to, r.before, q.dropped(g, row), reset, units);
                }
            }
            if step == first {
                worker.meet()?;
                let count = chunk.min(time - first);
                let gradients = Gradients { rows: count * batch, dz: current, width: columns, more: first + count < time };
                let at = |to: *mut f32, n: usize| if to.is_null() { to } else { to.add(n) };
                for g in 0..gates {
                    let a = if own_operand(g) { operands.add(g * chunk * states) } else { hidden.add(first * states) };
                    gradients.weights(s, worker, a, units, g * units, units, at(d_recurrent, g * units), columns);
                    gradients.biases(s, worker, g * units, units, at(d_bias, g * units));
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
