//! The forward pass: prepares weights, biases and states, and runs the steps, with weights that are packed or as they came.

use super::gates::Run;
use super::panels::Panels;
use super::{is_gated, packed, plain, sums, Sequence, FEW};
use crate::commands::recurrent::{GRU, LSTM};
use crate::kernels::steps::{begin, end, Steps, ROWS};
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::Worker;
use std::ptr::null_mut;

/// Everything that the steps need but the weights.
#[derive(Clone, Copy)]
pub struct Forward {
    pub q: Sequence,
    pub x: *const f32,
    /// [sums][units] and a vector: of an LSTM i f n o; of a GRU the candidate's input part, z, r, the candidate's recurrent part.
    pub bias: *const f32,
    /// Null where nothing is kept.
    pub gates: *mut f32,
    pub cells: *mut f32,
    pub hidden: *mut f32,
    pub keeps: bool,
    pub ys: *mut f32,
}

impl Forward {
    /// The states before and after a step, from a row on: of cells, then hidden.
    ///
    /// # Safety
    /// The row and step must exist.
    #[inline(always)]
    pub unsafe fn states(&self, step: usize, row: usize) -> [*mut f32; 4] {
        let at = |states: *mut f32, slot: usize| states.wrapping_add(slot * self.q.steps.states() + row * self.q.steps.units);
        let (from, into) = if self.keeps { (step, step + 1) } else { (step & 1, (step + 1) & 1) };
        let (cell, next) = if self.keeps { (step, step + 1) } else { (0, 0) };
        [at(self.cells, cell), at(self.cells, next), at(self.hidden, from), at(self.hidden, into)]
    }

    /// The gates of a step: of `count` rows' vectors at a unit, or (`along`) of so many vectors of a row from there on. Where the products lie is not in it.
    ///
    /// # Safety
    /// The rows, units and step must exist.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, _: S, step: usize, row: usize, unit: usize, count: usize, along: bool) -> Run {
        let Steps { batch, time, units, mask, zero_output, .. } = self.q.steps;
        let t = self.q.steps.time_of(step);
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
            mask: if mask.is_null() { mask } else { mask.add(row * time + t) },
            mask_step: if along { 0 } else { time },
            zero_output,
        }
    }

    /// Steps whose inputs are multiplied at once, of a share of so many rows.
    pub fn steps_at_once(&self, rows: usize) -> usize {
        if rows <= FEW && self.q.features > 0 {
            (ROWS / rows.max(1)).min(self.q.steps.time).max(1)
        } else {
            1
        }
    }

    /// Puts the biases of a GRU, whose products are added to them, in front: its candidate's two parts are kept apart.
    ///
    /// # Safety
    /// The line and biases must be valid for `units` units from `unit` on.
    pub unsafe fn put_biases(&self, unit: usize, units: usize, line: *mut f32, apart: usize) {
        for k in 0..4 {
            std::ptr::copy_nonoverlapping(self.bias.add(k * self.q.steps.units + unit), line.add(k * apart), units);
        }
    }
}

/// This worker's share of the biases, in the order of what products give.
///
/// # Safety
/// The biases, unless they are null, and the packed ones must be valid.
unsafe fn pack_biases(steps: &Steps, worker: &Worker, bias: *const f32, packed: *mut f32) {
    let Steps { kind, units, .. } = *steps;
    let (u0, u1) = worker.share(units);
    for k in 0..sums(kind) {
        for unit in u0..u1 {
            let value = |gate: usize| *bias.add(gate * units + unit);
            *packed.add(k * units + unit) = match kind {
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
}

pub fn forward<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::sequence_forward as w;
    let q = Sequence::read(o)?;
    let Sequence { steps, features } = q;
    let Steps { kind, batch, time, units, .. } = steps;
    let columns = elements(&[steps.gates(), units])?;
    let states = elements(&[batch, units])?;
    let x = o.floats(w::X, elements(&[batch, time, features])?)?;
    let kernel = o.floats(w::KERNEL, elements(&[features, columns])?)?;
    let recurrent = o.floats(w::RECURRENT, elements(&[units, columns])?)?;
    let bias = o.optional(w::BIAS, if kind == GRU { 2 * columns } else { columns })?;
    let h0 = o.optional(w::H0, states)?;
    let c0 = o.optional(w::C0, states)?;
    let residual = o.optional(w::RESIDUAL, steps.residual()?)?;
    let ys = o.optional(w::YS, elements(&[batch, time, units])?)?;
    let h_last = o.optional(w::H, states)?;
    let c_last = o.optional(w::C, states)?;
    if states == 0 {
        return Ok(());
    }

    let plain = plain::is_faster(&steps);
    let panels = Panels::new::<S>(&q);
    let packed = if plain { 0 } else { panels.floats::<S>() };
    let biases = sums(kind) * units + S::LANES;
    let keeps = !residual.is_null();
    let shared = worker.shared(packed + biases + if keeps { 0 } else { 3 * states })?;
    let packed_bias = shared.wrapping_add(packed);
    let (r0, r1) = worker.share(batch);
    let (cells, hidden) = if keeps {
        steps.kept_states(residual)
    } else {
        let own = packed_bias.wrapping_add(biases);
        (own.wrapping_add(2 * states), own)
    };
    let gates = if is_gated(kind) { residual } else { null_mut() };
    let f = Forward { q, x, bias: packed_bias, gates, cells, hidden, keeps, ys };
    // SAFETY: all operands were checked to lie in memory, the shared memory is as large as its parts, and workers pack and compute different panels and rows.
    unsafe {
        if !plain {
            panels.pack(s, worker, kernel, recurrent, shared);
        }
        pack_biases(&steps, worker, bias, packed_bias);
        let (at, count) = (r0 * units, (r1 - r0) * units);
        begin(hidden, h0, at, count);
        if kind == LSTM {
            begin(cells, c0, at, count);
        }
        worker.meet()?;
        if r1 > r0 && plain {
            plain::run(s, &f, kernel, recurrent, r0, r1, worker.own, worker.products);
        } else if r1 > r0 {
            packed::run(s, &f, &panels, shared, r0, r1, worker.own);
        }
        let last = if keeps { time } else { time & 1 };
        end(h_last, hidden.add(last * states), at, count);
        if kind == LSTM {
            end(c_last, cells.add(if keeps { time * states } else { 0 }), at, count);
        }
    }
    Ok(())
}
