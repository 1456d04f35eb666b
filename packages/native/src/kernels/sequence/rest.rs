//! The gates of units that fill no vector, of all rows together: their values are gathered into planes without gaps, and spread to their places after.

use super::forward::Forward;
use super::gates::{compute, Run};
use crate::commands::recurrent::LSTM;
use crate::kernel;
use crate::kernels::steps::Steps;
use crate::simd::Simd;
use std::ptr::{null, null_mut};

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

/// What the products left of the units that fill no vector: each sum of the first row is that at `a`, and that at `b` unless it is null.
pub struct Rest {
    pub a: [*const f32; 4],
    pub b: [*const f32; 4],
    /// From one row to the next.
    pub row: usize,
}

/// Floats of one value of all units that fill no vector, without gaps, and a vector more.
fn plane<S: Simd>(rows: usize, rest: usize) -> usize {
    (rows * rest).next_multiple_of(S::LANES) + S::LANES
}

/// Values of such units: four sums, four gates, the state before and after, and zeros.
const PLANES: usize = 11;

/// Floats of all planes.
pub fn planes<S: Simd>(rows: usize, rest: usize) -> usize {
    PLANES * plane::<S>(rows, rest)
}

kernel! {
    /// Gates, states and outputs of the units that fill no vector, of rows r0 .. r1 together.
    ///
    /// # Safety
    /// All that `f` and `sums` point to must be valid for these rows; `planes`: [`planes`] floats.
    pub unsafe fn rest_gates(s, f: *const Forward, step: usize, r0: usize, r1: usize, sums: *const Rest, planes: *mut f32) {
        let (f, sums) = (&*f, &*sums);
        let Steps { kind, batch, time, units, .. } = f.q.steps;
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
        let t = f.q.steps.time_of(step);
        for row in 0..rows {
            let at = row * units;
            let skipped = f.q.steps.skipped(r0 + row, t);
            if kind == LSTM && (f.keeps || !skipped) {
                let c = if skipped { s.load_part(cell.add(at), n) } else { s.load(before.add(row * n)) };
                s.store_part(next_cell.add(at), c, n);
            }
            let h = if skipped { s.load_part(hidden.add(at), n) } else { s.load(after.add(row * n)) };
            s.store_part(next_hidden.add(at), h, n);
            if !f.ys.is_null() {
                let y = f.ys.add(((r0 + row) * time + t) * units + first);
                s.store_part(y, if skipped && f.q.steps.zero_output { zero } else { h }, n);
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
