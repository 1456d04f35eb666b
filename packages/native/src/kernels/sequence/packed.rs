//! Steps with packed weights, a panel after another.

use super::forward::Forward;
use super::gates::{compute, Run};
use super::is_gated;
use super::panels::{times_panel, Panels};
use super::rest::{planes, rest_gates, Rest};
use crate::commands::recurrent::GRU;
use crate::kernels::steps::Steps;
use crate::scratch::Scratch;
use crate::simd::Simd;
use std::ptr::null;

/// All steps of rows r0 .. r1, with weights that [`Panels::pack`] packed.
///
/// # Safety
/// All that `f` points to must be valid for these rows, and the panels be packed.
pub unsafe fn run<S: Simd>(s: S, f: &Forward, panels: &Panels, packed: *const f32, r0: usize, r1: usize, own: &mut Scratch) {
    let Steps { kind, time, units, .. } = f.q.steps;
    let features = f.q.features;
    let Panels { count: panel_count, rest, rest_vectors, rest_width, .. } = *panels;
    // Floats that the products of a row leave.
    let ld = if kind == GRU { 4 * S::LANES } else { panels.width };
    let rows = r1 - r0;
    let many = f.steps_at_once(rows);
    let far = panels.far(rows);
    // All panels of a single row in one go: one vector's chain of functions after the other would leave the processor waiting.
    let single = is_gated(kind) && many > 1 && rows == 1 && panel_count > 0;
    // One panel's products, or all panels' where there are those of many steps; then the products of what fills no vector, of inputs and of states.
    let whole = rows * ld * if many > 1 { many * panel_count } else { 1 };
    let z = own.floats(whole + (many + 1) * rows * rest_width + planes::<S>(rows, rest));
    let rest_x = z.add(whole);
    let rest_h = rest_x.add(many * rows * rest_width);
    let rest_planes = rest_h.add(rows * rest_width);
    let (rest_inputs, rest_states) = panels.rest_panel(packed);
    let begin_rows = |p: usize, rows: usize, z: *mut f32| {
        if kind == GRU {
            for row in 0..rows {
                f.put_biases(p * S::LANES, S::LANES, z.add(row * ld), S::LANES);
            }
        }
    };
    for step in 0..time {
        let first = step - step % many;
        if many > 1 && step == first {
            let count = many.min(time - first);
            let x_step = if f.q.steps.reverse { -(features as isize) } else { features as isize };
            let x_of = |row: usize| f.x.add(((r0 + row) * time + f.q.steps.time_of(first)) * features);
            for p in 0..panel_count {
                let z = z.add(p * many * rows * ld);
                begin_rows(p, count * rows, z);
                for row in 0..rows {
                    times_panel(
                        s,
                        panels.vectors_of(p),
                        count,
                        features,
                        x_of(row),
                        x_step,
                        panels.panel::<S>(packed, p).0,
                        false,
                        z.add(row * ld),
                        rows * ld,
                        kind == GRU,
                    );
                }
            }
            for row in 0..if rest > 0 { rows } else { 0 } {
                let to = rest_x.add(row * rest_width);
                times_panel(s, rest_vectors, count, features, x_of(row), x_step, rest_inputs, false, to, rows * rest_width, false);
            }
        }
        let x = f.x.add((r0 * time + f.q.steps.time_of(step)) * features);
        let x_row = (time * features) as isize;
        let [_, _, h, _] = f.states(step, r0);
        let x_sums = if many > 1 { rest_x.add((step - first) * rows * rest_width) } else { rest_x };
        if rest > 0 {
            if many == 1 {
                times_panel(s, rest_vectors, rows, features, x, x_row, rest_inputs, false, x_sums, rest_width, false);
            }
            times_panel(s, rest_vectors, rows, units, h, units as isize, rest_states, false, rest_h, rest_width, false);
        }
        for p in 0..panel_count {
            let (inputs, recurrent) = panels.panel::<S>(packed, p);
            let z = if many > 1 { z.add((p * many + step - first) * rows * ld) } else { z };
            if many == 1 {
                begin_rows(p, rows, z);
                times_panel(s, panels.vectors_of(p), rows, features, x, x_row, inputs, far, z, ld, kind == GRU);
            }
            let into = if kind == GRU { z.add(S::LANES) } else { z };
            times_panel(s, panels.vectors_of(p), rows, units, h, units as isize, recurrent, far, into, ld, true);
            if !single {
                let unit = p * panels.each;
                for v in 0..if is_gated(kind) { 1 } else { panels.vectors_of(p) } {
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
            rest_gates(s, f, step, r0, r1, &Rest { a, b, row: rest_width }, rest_planes);
        }
    }
}
