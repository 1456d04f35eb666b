//! Steps with weights as they came, which few rows read where they lie.

use super::forward::Forward;
use super::gates::{compute, Run};
use super::{sums, FEW};
use crate::commands::recurrent::GRU;
use crate::kernels::gemm::{gemm, Product};
use crate::kernels::steps::Steps;
use crate::scratch::Scratch;
use crate::simd::Simd;

/// Floats of a state's weights from which on few rows read them where they lie: they leave no room in the second-level cache.
const LARGE: usize = 5 << 16;
/// Steps up to which they do so: packing costs as much as two or three of them, and panels are read a little faster.
const SHORT: usize = 64;
/// Floats from which on they do so in any number of steps: what comes from memory comes no faster in panels.
const VAST: usize = 1 << 21;

/// The same backward, of steps times rows: there rows of weights are read several times, by few rows of gradients each.
const SHORT_BACKWARD: usize = 128;

fn size(steps: &Steps) -> usize {
    steps.units * steps.units * steps.gates()
}

/// Is this faster than packing the weights? A step of few rows is bound by reading them.
pub fn is_faster(steps: &Steps) -> bool {
    steps.batch <= FEW && (size(steps) >= VAST || (size(steps) >= LARGE && steps.time <= SHORT))
}

/// And in the backward pass?
pub fn is_faster_backward(steps: &Steps) -> bool {
    is_faster(steps) && (size(steps) >= VAST || steps.time * steps.batch <= SHORT_BACKWARD)
}

/// All steps of rows r0 .. r1, with weights as they came: the products of a step have gate after gate, as the weights do.
///
/// # Safety
/// All that `f` points to must be valid for these rows, and the weights.
pub unsafe fn run<S: Simd>(
    s: S,
    f: &Forward,
    kernel: *const f32,
    recurrent: *const f32,
    r0: usize,
    r1: usize,
    own: &mut Scratch,
    products: &mut Scratch,
) {
    let Steps { kind, time, units, .. } = f.q.steps;
    let features = f.q.features;
    let (rows, columns, ld) = (r1 - r0, f.q.steps.gates() * units, sums(kind) * units);
    let many = f.steps_at_once(rows);
    // And a vector: the last one of a row may be read beyond its end.
    let z = own.floats(many * rows * (ld + features) + S::LANES);
    let xs = z.add(many * rows * ld);
    for step in 0..time {
        let first = step - step % many;
        if step == first {
            let count = many.min(time - first);
            for i in 0..count * rows {
                let x = f.x.add(((r0 + i % rows) * time + f.q.steps.time_of(first + i / rows)) * features);
                std::ptr::copy_nonoverlapping(x, xs.add(i * features), features);
                if kind == GRU {
                    f.put_biases(0, units, z.add(i * ld), units);
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
