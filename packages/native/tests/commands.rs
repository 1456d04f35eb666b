//! Commands against plain float64 references, on every instruction set of this machine, and on one to three threads, to the same bits.

use recurra_native::commands::{cast_code, chain_layout, command as op, data_type, f32_code, pooling, recurrent, reduction, SELECT};
use recurra_native::pool::{Inline, Outcome, Pool};
use recurra_native::simd::Level;
use recurra_native::testing::{command, levels, Heap, Random};
use std::sync::mpsc::channel;

/// Runs a program on `threads` threads of a pool, or (0) on this one.
fn run(level: Level, heap: &mut Heap, (program, end): (usize, usize), threads: usize) -> Outcome {
    let memory = heap.memory();
    if threads == 0 {
        return Inline::default().run(level, memory, program, end);
    }
    let pool = Pool::start(level, threads).unwrap();
    let (send, receive) = channel();
    pool.submit(memory, program, end, Box::new(move |outcome| send.send(outcome).unwrap()));
    receive.recv().unwrap()
}

/// Runs what `build` writes on all instruction sets and numbers of threads; `build` gives the program, and where how many results lie.
fn check(name: &str, tolerance: f64, build: impl Fn(&mut Heap) -> (Vec<i32>, Vec<(i32, Vec<f64>)>)) {
    for level in levels() {
        let mut bits: Option<Vec<Vec<u32>>> = None;
        for threads in [0, 1, 2, 3] {
            let mut heap = Heap::new(1 << 24);
            let (words, wanted) = build(&mut heap);
            let program = heap.program(&words);
            assert_eq!(run(level, &mut heap, program, threads), Outcome::Done, "{name}");
            let results: Vec<Vec<f32>> = wanted.iter().map(|(at, values)| heap.read(*at, values.len())).collect();
            for (part, (got, (_, want))) in results.iter().zip(&wanted).enumerate() {
                for (i, (got, want)) in got.iter().zip(want).enumerate() {
                    let error = (f64::from(*got) - want).abs();
                    // An infinity is near itself.
                    let near = error <= tolerance * want.abs().max(1.0) || f64::from(*got) == *want || (got.is_nan() && want.is_nan());
                    assert!(near, "{name}, {} on {threads}: result {part}[{i}] is {got}, not {want}", level.name());
                }
            }
            let found: Vec<Vec<u32>> = results.iter().map(|v| v.iter().map(|x| x.to_bits()).collect()).collect();
            match &bits {
                None => bits = Some(found),
                Some(bits) => assert!(*bits == found, "{name}, {}: other bits on {threads} threads", level.name()),
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What a sequence is computed from.
#[derive(Clone)]
struct Sequence {
    kind: i32,
    b: usize,
    t: usize,
    e: usize,
    h: usize,
    reverse: bool,
    zero_output: bool,
    x: Vec<f64>,
    w: Vec<f64>,
    u: Vec<f64>,
    bias: Vec<f64>,
    h0: Vec<f64>,
    c0: Vec<f64>,
    mask: Vec<u8>,
}

/// Outputs, last h and last c.
fn steps(s: &Sequence) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let gates = [1, 1, 4, 3][s.kind as usize];
    let n = gates * s.h;
    let (mut h, mut c) = (s.h0.clone(), s.c0.clone());
    let mut ys = vec![0.0; s.b * s.t * s.h];
    for step in 0..s.t {
        let t = if s.reverse { s.t - 1 - step } else { step };
        for b in 0..s.b {
            let kept = s.mask[b * s.t + t] != 0;
            let row = h[b * s.h..(b + 1) * s.h].to_vec();
            let input = |j: usize| s.bias[j] + (0..s.e).map(|e| s.x[(b * s.t + t) * s.e + e] * s.w[e * n + j]).sum::<f64>();
            let state = |j: usize| (0..s.h).map(|k| row[k] * s.u[k * n + j]).sum::<f64>();
            for u in 0..s.h {
                let at = b * s.h + u;
                let mut next_c = c[at];
                let next = match s.kind {
                    0 => (input(u) + state(u)).tanh(),
                    1 => (input(u) + state(u)).max(0.0),
                    2 => {
                        let z = |g: usize| input(g * s.h + u) + state(g * s.h + u);
                        next_c = sigmoid(z(1)) * c[at] + sigmoid(z(0)) * z(2).tanh();
                        sigmoid(z(3)) * next_c.tanh()
                    }
                    _ => {
                        let r = |g: usize| state(g * s.h + u) + s.bias[n + g * s.h + u];
                        let update = sigmoid(input(u) + r(0));
                        let reset = sigmoid(input(s.h + u) + r(1));
                        let candidate = (input(2 * s.h + u) + reset * r(2)).tanh();
                        update * row[u] + (1.0 - update) * candidate
                    }
                };
                let y = &mut ys[(b * s.t + t) * s.h + u];
                if kept {
                    h[at] = next;
                    c[at] = next_c;
                    *y = next;
                } else {
                    *y = if s.zero_output { 0.0 } else { row[u] };
                }
            }
        }
    }
    (ys, h, c)
}

fn sequence(kind: i32, [b, t, e, h]: [usize; 4], variant: usize) -> Sequence {
    let mut random = Random::new(variant as u64 * 31 + kind as u64);
    let gates = [1, 1, 4, 3][kind as usize];
    let mut draw = |n: usize| (0..n).map(|_| f64::from(random.float())).collect::<Vec<f64>>();
    let (x, w, u) = (draw(b * t * e), draw(e * gates * h), draw(h * gates * h));
    let u = u.iter().map(|v| f64::from((v * 0.3) as f32)).collect();
    let bias = if variant % 4 == 3 { vec![0.0; 2 * gates * h] } else { draw(2 * gates * h) };
    let (h0, c0) = if variant.is_multiple_of(2) { (vec![0.0; b * h], vec![0.0; b * h]) } else { (draw(b * h), draw(b * h)) };
    let mask = (0..b * t).map(|i| u8::from(variant.is_multiple_of(3) || i % 3 != 1)).collect();
    Sequence { kind, b, t, e, h, reverse: variant % 4 >= 2, zero_output: variant % 5 == 1, x, w, u, bias, h0, c0, mask }
}

fn put(heap: &mut Heap, values: &[f64]) -> i32 {
    heap.floats(&values.iter().map(|v| *v as f32).collect::<Vec<f32>>())
}

/// Where the operands of a sequence lie: x, weights, bias, h0, c0, mask. What says nothing (zeros, a mask of ones) is left out.
fn place(heap: &mut Heap, s: &Sequence) -> [i32; 7] {
    let [x, w, u] = [&s.x, &s.w, &s.u].map(|values| put(heap, values));
    let [bias, h0, c0] = [&s.bias, &s.h0, &s.c0].map(|values| if values.iter().all(|v| *v == 0.0) { 0 } else { put(heap, values) });
    [x, w, u, bias, h0, c0, if s.mask.iter().all(|kept| *kept != 0) { 0 } else { heap.bytes(&s.mask) }]
}

/// The address of so many values that are none: what a command leaves out is seen.
fn blank(heap: &mut Heap, count: usize) -> i32 {
    heap.floats(&vec![f32::NAN; count])
}

/// Batch, time, features, units: of few and of many rows over several parts of the time, backwards too; weights of several parts of a panel; units whose gates'
/// columns are fewer lines than five workers; nothing of each.
const SHAPES: [[usize; 4]; 14] = [
    [1, 3, 2, 3],
    [2, 4, 5, 8],
    [5, 3, 7, 17],
    [7, 2, 1, 33],
    [3, 90, 4, 5],
    [1, 300, 3, 2],
    [2, 150, 3, 9],
    [20, 15, 3, 4],
    [2, 2, 133, 173],
    [5, 2, 3, 16],
    [0, 3, 2, 3],
    [2, 0, 2, 3],
    [2, 3, 0, 3],
    [2, 3, 2, 0],
];

/// Those, and some of so few rows and so many units that weights are read where they lie: backward, the inputs' by dot products and, of more rows, in blocks.
fn shapes(kind: i32) -> impl Iterator<Item = (usize, [usize; 4])> {
    let large = match kind {
        recurrent::RNN_TANH => [[2, 3, 1, 580], [6, 3, 2, 580]],
        // States of a ReLU grow, and their errors with them: fewer steps.
        recurrent::RNN_RELU => [[2, 3, 1, 580], [6, 2, 2, 580]],
        _ => [[3, 2, 4, 331], [6, 3, 2, 331]],
    };
    // An emulated processor would take half an hour for the larger one's differences in float64.
    let count = if std::env::var_os("RECURRA_EMULATED").is_some() { 1 } else { 2 };
    SHAPES.into_iter().chain(large.into_iter().take(count)).enumerate()
}

#[test]
fn sequences_forward() {
    for kind in 0..4 {
        for (variant, shape) in shapes(kind) {
            let s = sequence(kind, shape, variant);
            let (ys, h, c) = steps(&s);
            for keeps in [false, true] {
                check(&format!("sequence {kind} {shape:?}"), 2e-5, |heap| {
                    let [x, w, u, bias, h0, c0, mask] = place(heap, &s);
                    let residual = if keeps { blank(heap, (s.t + 1) * s.b * s.h * 6) } else { 0 };
                    let [to_y, to_h, to_c] = [ys.len(), h.len(), h.len()].map(|count| blank(heap, count));
                    let head = [kind, s.b as i32, s.t as i32, s.e as i32, s.h as i32, i32::from(s.reverse), x, w, u, bias, h0, c0, mask];
                    let tail = [i32::from(s.zero_output), residual, 64, to_y, to_h, if kind == 2 { to_c } else { 0 }];
                    let mut wanted = vec![(to_y, ys.clone()), (to_h, h.clone())];
                    if kind == 2 {
                        wanted.push((to_c, c.clone()));
                    }
                    (command(op::SEQUENCE_FORWARD, &[&head[..], &tail].concat()), wanted)
                });
            }
        }
    }
}

/// sum(ys * dys) + sum(h * dh) + sum(c * dc) of outputs, last h and last c; c is that of an LSTM alone.
fn weighted(kind: i32, (ys, h, c): (Vec<f64>, Vec<f64>, Vec<f64>), [dys, dh, dc]: [&[f64]; 3]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&ys, dys) + dot(&h, dh) + if kind == recurrent::LSTM { dot(&c, dc) } else { 0.0 }
}

/// The derivative of a loss for one value, by a difference of float64.
fn derivative<T: Clone>(s: &T, place: impl Fn(&mut T) -> &mut f64, loss: impl Fn(&T) -> f64) -> f64 {
    let moved = |by: f64| {
        let mut other = s.clone();
        *place(&mut other) += by;
        loss(&other)
    };
    (moved(1e-5) - moved(-1e-5)) / 2e-5
}

#[test]
fn sequences_backward() {
    for kind in [0, 2, 3] {
        for (variant, shape) in shapes(kind) {
            let s = sequence(kind, shape, variant);
            let mut random = Random::new(99);
            let mut draw = |n: usize| (0..n).map(|_| f64::from(random.float())).collect::<Vec<f64>>();
            let (dys, dh, dc) = (draw(s.b * s.t * s.h), draw(s.b * s.h), draw(s.b * s.h));
            let flows = [&dys[..], &dh, &dc];
            let n = [1, 1, 4, 3][kind as usize] * s.h;
            let bias_count = if kind == 3 { 2 * n } else { n };
            // Some of the values of each gradient: a difference costs two passes.
            let some = |count: usize| (0..count).step_by((count / 7).max(1)).collect::<Vec<usize>>();
            let of = |count: usize, place: fn(&mut Sequence) -> &mut Vec<f64>| {
                let mut all = vec![f64::NAN; count];
                for i in some(count) {
                    all[i] = derivative(&s, |s| &mut place(s)[i], |s| weighted(s.kind, steps(s), flows));
                }
                all
            };
            let wanted = [
                of(s.x.len(), |s| &mut s.x),
                of(s.w.len(), |s| &mut s.w),
                of(s.u.len(), |s| &mut s.u),
                of(bias_count, |s| &mut s.bias),
                of(s.h0.len(), |s| &mut s.h0),
                of(if kind == 2 { s.c0.len() } else { 0 }, |s| &mut s.c0),
            ];
            for level in levels() {
                let mut bits: Option<Vec<Vec<u32>>> = None;
                for threads in [0, 2, 3, 5] {
                    let mut heap = Heap::new(1 << 24);
                    let [x, w, u, bias, h0, c0, mask] = place(&mut heap, &s);
                    let residual = blank(&mut heap, (s.t + 1) * s.b * s.h * 6);
                    let to: Vec<i32> =
                        wanted.iter().map(|values| if values.is_empty() { 0 } else { blank(&mut heap, values.len()) }).collect();
                    let head = [kind, s.b as i32, s.t as i32, s.e as i32, s.h as i32, i32::from(s.reverse), x, w, u, bias, h0, c0, mask];
                    let zero_output = [i32::from(s.zero_output)];
                    let [dys, dh, dc] = [&dys, &dh, &dc].map(|v| put(&mut heap, v));
                    let ys = heap.block(s.b * s.t * s.h);
                    let forward = command(op::SEQUENCE_FORWARD, &[&head[..], &zero_output, &[residual, 64, ys, 0, 0]].concat());
                    let flowing = [residual, 64, dys, dh, if kind == 2 { dc } else { 0 }];
                    let backward = command(op::SEQUENCE_BACKWARD, &[&head[..], &zero_output, &flowing, &to[..]].concat());
                    let program = heap.program(&[forward, backward].concat());
                    assert_eq!(run(level, &mut heap, program, threads), Outcome::Done);
                    let results: Vec<Vec<f32>> = to.iter().zip(&wanted).map(|(at, values)| heap.read(*at, values.len())).collect();
                    for (part, (got, want)) in results.iter().zip(&wanted).enumerate() {
                        for (i, (got, want)) in got.iter().zip(want).enumerate().filter(|(_, (_, want))| !want.is_nan()) {
                            let error = (f64::from(*got) - want).abs();
                            // An infinity is near itself.
                            let near = error <= 3e-4 * want.abs().max(1.0);
                            assert!(near, "{kind} {shape:?}, {} on {threads}: gradient {part}[{i}] is {got}, not {want}", level.name());
                        }
                    }
                    let results: Vec<Vec<u32>> = results.iter().map(|v| v.iter().map(|x| x.to_bits()).collect()).collect();
                    match &bits {
                        None => bits = Some(results),
                        Some(bits) => assert!(*bits == results, "{kind} {shape:?}, {}: other bits on {threads} threads", level.name()),
                    }
                }
            }
        }
    }
}

/// What the recurrent part of a sequence is computed from: inputs are projected.
#[derive(Clone)]
struct Recurrence {
    kind: i32,
    b: usize,
    t: usize,
    h: usize,
    reverse: bool,
    zero_output: bool,
    x: Vec<f64>,
    u: Vec<f64>,
    bias: Vec<f64>,
    drop: Vec<f64>,
    h0: Vec<f64>,
    c0: Vec<f64>,
    mask: Vec<u8>,
}

impl Recurrence {
    fn gates(&self) -> usize {
        [1, 1, 4, 3, 3][self.kind as usize]
    }

    /// Outputs, last h and last c.
    fn steps(&self) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (n, units) = (self.gates() * self.h, self.h);
        let (mut h, mut c) = (self.h0.clone(), self.c0.clone());
        let mut ys = vec![0.0; self.b * self.t * units];
        for step in 0..self.t {
            let t = if self.reverse { self.t - 1 - step } else { step };
            for b in 0..self.b {
                let row = h[b * units..(b + 1) * units].to_vec();
                let x = &self.x[(b * self.t + t) * n..][..n];
                let product = |seen: &[f64], gate: usize, u: usize| {
                    let kept = |k: usize| self.drop.get((gate * self.b + b) * units + k).copied().unwrap_or(1.0);
                    (0..units).map(|k| seen[k] * kept(k) * self.u[k * n + gate * units + u]).sum::<f64>()
                };
                let bias = |gate: usize, u: usize| self.bias.get(gate * units + u).copied().unwrap_or(0.0);
                let z = |gate: usize, u: usize| x[gate * units + u] + product(&row, gate, u) + bias(gate, u);
                let reset: Vec<f64> = (0..units).map(|u| if self.kind >= recurrent::GRU { sigmoid(z(1, u)) } else { 1.0 }).collect();
                let reset_row: Vec<f64> = row.iter().zip(&reset).map(|(h, r)| h * r).collect();
                for u in 0..units {
                    let at = b * units + u;
                    let mut next_c = c[at];
                    let next = match self.kind {
                        recurrent::RNN_TANH => z(0, u).tanh(),
                        recurrent::RNN_RELU => z(0, u).max(0.0),
                        recurrent::LSTM => {
                            next_c = sigmoid(z(1, u)) * c[at] + sigmoid(z(0, u)) * z(2, u).tanh();
                            sigmoid(z(3, u)) * next_c.tanh()
                        }
                        _ => {
                            let inner = if self.kind == recurrent::GRU {
                                reset[u] * (product(&row, 2, u) + bias(2, u))
                            } else {
                                product(&reset_row, 2, u)
                            };
                            let candidate = (x[2 * units + u] + inner).tanh();
                            sigmoid(z(0, u)) * row[u] + (1.0 - sigmoid(z(0, u))) * candidate
                        }
                    };
                    let kept = self.mask[b * self.t + t] != 0;
                    if kept {
                        (h[at], c[at]) = (next, next_c);
                    }
                    ys[(b * self.t + t) * units + u] = if kept || !self.zero_output { h[at] } else { 0.0 };
                }
            }
        }
        (ys, h, c)
    }
}

#[test]
fn recurrences() {
    // Batch, time, units: odd ones, several parts of the time, nothing of each.
    for (variant, [b, t, h]) in [[3, 4, 5], [1, 300, 3], [7, 40, 17], [20, 15, 9], [0, 3, 5], [2, 0, 5], [2, 3, 0]].into_iter().enumerate()
    {
        for kind in recurrent::RNN_TANH..=recurrent::GRU_BEFORE {
            let mut random = Random::new(variant as u64 * 7 + kind as u64);
            let gates = [1, 1, 4, 3, 3][kind as usize];
            let mut draw = |n: usize, by: f64| (0..n).map(|_| f64::from((f64::from(random.float()) * by) as f32)).collect::<Vec<f64>>();
            let s = Recurrence {
                kind,
                b,
                t,
                h,
                reverse: variant % 2 == 1,
                zero_output: variant % 3 == 2,
                x: draw(b * t * gates * h, 1.0),
                u: draw(h * gates * h, 0.4),
                // Only this cell has one in its product.
                bias: draw(if kind == recurrent::GRU { gates * h } else { 0 }, 1.0),
                // Of two of three: of what is kept there is more.
                drop: draw(if variant % 3 == 1 { 0 } else { gates * b * h }, 1.0)
                    .iter()
                    .map(|v| if *v > 0.4 { 0.0 } else { 1.5 })
                    .collect(),
                h0: draw(b * h, 1.0),
                c0: draw(b * h, 1.0),
                mask: (0..b * t).map(|i| u8::from(i % 4 != 1)).collect(),
            };
            let flows = [draw(b * t * h, 1.0), draw(b * h, 1.0), draw(b * h, 1.0)];
            let [dys, dh, dc] = &flows;
            let of = |place: fn(&mut Recurrence) -> &mut Vec<f64>| {
                let count = place(&mut s.clone()).len();
                let loss = |s: &Recurrence| weighted(kind, s.steps(), [dys, dh, dc]);
                // Some of the values, by their places: a difference costs two passes.
                let some = (0..count).step_by((count / 7).max(1));
                (count, some.map(|i| (i, derivative(&s, |s| &mut place(s)[i], loss))).collect::<Vec<_>>())
            };
            let is_lstm = kind == recurrent::LSTM;
            let gradients = [of(|s| &mut s.x), of(|s| &mut s.u), of(|s| &mut s.bias), of(|s| &mut s.h0), of(|s| &mut s.c0)];
            let (ys, last_h, last_c) = s.steps();
            check(&format!("recurrence {kind} {b} {t} {h}"), 3e-4, |heap| {
                let [x, u, h0, c0] = [&s.x, &s.u, &s.h0, &s.c0].map(|values| put(heap, values));
                let [bias, drop] = [&s.bias, &s.drop].map(|values| if values.is_empty() { 0 } else { put(heap, values) });
                let mask = heap.bytes(&s.mask);
                let sizes = [kind, b as i32, t as i32, h as i32, i32::from(s.reverse)];
                let head = [&sizes[..], &[x, u, bias, drop, h0, c0, mask, i32::from(s.zero_output)]].concat();
                let residual = blank(heap, (t + 1) * b * h * 6);
                let [to_y, to_h, to_c] = [ys.len(), last_h.len(), last_c.len()].map(|count| blank(heap, count));
                let predict = [blank(heap, ys.len()), blank(heap, last_h.len()), 0];
                let to = gradients.each_ref().map(|(count, _)| blank(heap, *count));
                let [dys, dh, dc] = flows.each_ref().map(|values| put(heap, values));
                let forward = |residual: i32, to: [i32; 3]| command(op::RECURRENCE_FORWARD, &[&head[..], &[residual, 64], &to].concat());
                let back = [to[0], to[1], if s.bias.is_empty() { 0 } else { to[2] }, to[3], if is_lstm { to[4] } else { 0 }];
                let backward = command(op::RECURRENCE_BACKWARD, &[&head[..], &[residual, 64, dys, dh, dc], &back].concat());
                let program = [forward(0, predict), forward(residual, [to_y, to_h, if is_lstm { to_c } else { 0 }]), backward];
                let mut wanted = vec![(predict[0], ys.clone()), (predict[1], last_h.clone()), (to_y, ys.clone()), (to_h, last_h.clone())];
                if is_lstm {
                    wanted.push((to_c, last_c.clone()));
                }
                for (at, (_, values)) in back.into_iter().zip(&gradients).filter(|(at, _)| *at != 0) {
                    wanted.extend(values.iter().map(|(i, value)| (at + 4 * *i as i32, vec![*value])));
                }
                (program.concat(), wanted)
            });
        }
    }
}

/// Attention: what is masked, and how. A byte for each key, or for each key of each query of each head.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Masked {
    Nothing,
    Keys,
    Pairs,
}

/// What scores that do not count are.
const UNSEEN: f64 = -2.381_976_3e38_f32 as f64;

#[test]
fn attention() {
    let mut random = Random::new(21);
    // Batch, heads, queries, keys, depth of keys and of values: queries of several blocks, keys of several blocks, odd everywhere; nothing of each.
    for (sizes, causal, masked, scale) in [
        ([1, 1, 1, 1, 1, 1], false, Masked::Nothing, 1.0f32),
        ([2, 3, 5, 7, 9, 3], true, Masked::Pairs, 0.3),
        ([2, 2, 65, 33, 17, 19], false, Masked::Nothing, 0.25),
        ([1, 2, 130, 40, 8, 25], true, Masked::Nothing, 0.5),
        ([2, 1, 3, 300, 5, 9], false, Masked::Keys, -0.7),
        ([1, 2, 70, 271, 11, 3], true, Masked::Pairs, 0.4),
        ([1, 1, 66, 513, 3, 34], false, Masked::Nothing, 0.6),
        ([1, 3, 4, 6, 5, 7], false, Masked::Nothing, -0.5),
        ([1, 2, 3, 5, 2, 3], false, Masked::Keys, 0.0),
        ([0, 2, 3, 4, 5, 6], false, Masked::Nothing, 1.0),
        ([0, 1, 3, 0x7fff_ffff, 0x7fff_ffff, 6], false, Masked::Nothing, 1.0),
        ([1, 2, 0, 4, 5, 6], false, Masked::Nothing, 1.0),
        ([1, 2, 3, 0, 5, 6], true, Masked::Pairs, 1.0),
        ([1, 2, 3, 4, 0, 6], false, Masked::Pairs, 1.0),
        ([1, 2, 3, 4, 5, 0], true, Masked::Nothing, 1.0),
    ] {
        let [batch, heads, queries, keys, depth, value_depth]: [usize; 6] = sizes;
        let mut draw = |steps: usize, depth: usize| random.floats(batch * steps * heads * depth);
        let (q, k, v, g) = (draw(queries, depth), draw(keys, depth), draw(keys, value_depth), draw(queries, value_depth));
        let strides = match masked {
            Masked::Nothing => [0; 3],
            Masked::Keys => [keys, 0, 0],
            Masked::Pairs => [heads * queries * keys, queries * keys, keys],
        };
        // The second query of each head sees no key at all.
        let hidden = |i: usize| masked == Masked::Pairs && i / keys.max(1) % queries.max(1) == 1;
        let mask: Vec<u8> = (0..batch * strides[0]).map(|i| u8::from(!hidden(i) && i % 5 != 2)).collect();

        let at = |steps: usize, depth: usize, b: usize, n: usize, t: usize| ((b * steps + t) * heads + n) * depth;
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        let add = |to: &mut [f64], from: &[f32], by: f64| to.iter_mut().zip(from).for_each(|(to, from)| *to += by * f64::from(*from));
        let (mut out, mut sums) = (vec![0f64; g.len()], vec![0f64; batch * heads * queries]);
        let (mut dq, mut dk, mut dv) = (vec![0f64; q.len()], vec![0f64; k.len()], vec![0f64; v.len()]);
        for h in 0..batch * heads {
            let (b, n) = (h / heads, h % heads);
            let row = |all: &'_ [f32], steps: usize, depth: usize, t: usize| all[at(steps, depth, b, n, t)..][..depth].to_vec();
            for i in 0..queries {
                let seen =
                    |j: usize| (!causal || j <= i) && (mask.is_empty() || mask[b * strides[0] + n * strides[1] + i * strides[2] + j] != 0);
                let (query, flow) = (row(&q, queries, depth, i), row(&g, queries, value_depth, i));
                let scores: Vec<f64> =
                    (0..keys).map(|j| if seen(j) { f64::from(scale) * dot(&query, &row(&k, keys, depth, j)) } else { UNSEEN }).collect();
                let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - best).exp()).sum();
                sums[h * queries + i] = best + total.ln();
                let shares: Vec<f64> = scores.iter().map(|score| (score - best).exp() / total).collect();
                let slopes: Vec<f64> = (0..keys).map(|j| dot(&flow, &row(&v, keys, value_depth, j))).collect();
                let mean: f64 = shares.iter().zip(&slopes).map(|(share, slope)| share * slope).sum();
                for j in 0..keys {
                    let value = at(keys, value_depth, b, n, j);
                    add(&mut out[at(queries, value_depth, b, n, i)..][..value_depth], &row(&v, keys, value_depth, j), shares[j]);
                    add(&mut dv[value..][..value_depth], &flow, shares[j]);
                    let slope = if seen(j) { shares[j] * (slopes[j] - mean) * f64::from(scale) } else { 0.0 };
                    add(&mut dq[at(queries, depth, b, n, i)..][..depth], &row(&k, keys, depth, j), slope);
                    add(&mut dk[at(keys, depth, b, n, j)..][..depth], &query, slope);
                }
            }
        }
        // All gradients, and each alone.
        for asked in [[true; 3], [true, false, false], [false, true, false], [false, false, true]] {
            check(&format!("attention {sizes:?} causal {causal}, {masked:?}, {scale}"), 2e-5, |heap| {
                let given = [&q, &k, &v].map(|values| heap.floats(values));
                let bytes = if masked == Masked::Nothing { 0 } else { heap.bytes(&mask) };
                let to = [out.len(), sums.len()].map(|count| blank(heap, count));
                let gradient = heap.floats(&g);
                let back = [(&dq, 0), (&dk, 1), (&dv, 2)].map(|(values, i)| if asked[i] { blank(heap, values.len()) } else { 0 });
                let mut head = sizes.map(|n| n as i32).to_vec();
                head.extend([i32::from(causal), scale.to_bits() as i32]);
                head.extend(strides.map(|n| n as i32));
                head.extend(given.into_iter().chain([bytes]).chain(to));
                let backward = [&head[..], &[gradient], &back].concat();
                let mut wanted = vec![(to[0], out.clone())];
                // Without keys there is no sum.
                if keys > 0 {
                    wanted.push((to[1], sums.clone()));
                }
                wanted.extend([&dq, &dk, &dv].into_iter().zip(back).filter(|(_, at)| *at != 0).map(|(values, at)| (at, values.clone())));
                ([command(op::ATTENTION_FORWARD, &head), command(op::ATTENTION_BACKWARD, &backward)].concat(), wanted)
            });
        }
    }
}

#[test]
fn reductions() {
    let mut random = Random::new(5);
    for [outer, n, inner] in [[1, 1000, 1], [7, 33, 1], [3, 5, 70], [1, 9, 3]] {
        let values: Vec<f32> = random.floats(outer * n * inner);
        for (kind, start) in [(0, 0.0), (1, 1.0), (2, f64::NEG_INFINITY), (3, f64::INFINITY)] {
            let mut wanted = vec![start; outer * inner];
            for (i, v) in values.iter().enumerate() {
                let at = &mut wanted[i / (n * inner) * inner + i % inner];
                let v = f64::from(*v);
                *at = match kind {
                    0 => *at + v,
                    1 => *at * v,
                    2 => at.max(v),
                    _ => at.min(v),
                };
            }
            check(&format!("reduction {kind}"), 1e-6, |heap| {
                let from = heap.floats(&values);
                let to = heap.block(wanted.len());
                (command(op::REDUCE, &[kind, outer as i32, n as i32, inner as i32, from, to, 0, 0]), vec![(to, wanted.clone())])
            });
        }
    }
}

#[test]
fn chains_of_dense_strided_and_single_operands() {
    let mut random = Random::new(6);
    for count in [1, 5, 512, 1300] {
        let (a, b) = (random.floats(count * 3), random.floats(count));
        // tanh(a[:, 1] * 2 + b), a column of three.
        let wanted: Vec<f64> = (0..count).map(|i| (f64::from(a[i * 3 + 1]) * 2.0 + f64::from(b[i])).tanh()).collect();
        check("chain", 1e-6, |heap| {
            let (a, b, two) = (heap.floats(&a), heap.floats(&b), heap.floats(&[2.0]));
            let to = heap.block(count);
            let mut words = vec![count as i32, 3, 1, 3, 6, 1, 1, 1, count as i32, 0, 0];
            words.extend([0, 2, a + 4, 4, 0, 0, 0, 3]);
            words.extend([1, 0, b, 4, 0, 0, 0, 1]);
            words.extend([2, 1, two, 4, 0, 0, 0, 0]);
            words.extend([5, 0, to, 4, 0, 0, 0, 1]);
            words.extend([f32_code::MUL, 3, 0, 2, 0, f32_code::ADD, 4, 3, 1, 0, f32_code::TANH, 5, 4, 0, 0]);
            (command(op::CHAIN, &words), vec![(to, wanted.clone())])
        });
    }
}

/// What an operation of a chain gives, in float32.
fn operation(code: i32, a: f32, b: f32, c: f32) -> f32 {
    match code {
        f32_code::NEG => -a,
        f32_code::ABS => a.abs(),
        f32_code::SQUARE => a * a,
        f32_code::RELU => {
            if a < 0.0 {
                0.0
            } else {
                a
            }
        }
        f32_code::SQRT => a.sqrt(),
        f32_code::ADD => a + b,
        f32_code::SUB => a - b,
        f32_code::MUL => a * b,
        f32_code::DIV => a / b,
        f32_code::LESS => f32::from_bits(u32::from(a < b)),
        f32_code::GREATER_EQUAL => f32::from_bits(u32::from(a >= b)),
        SELECT => {
            if a.to_bits() == 0 {
                c
            } else {
                b
            }
        }
        _ => a,
    }
}

/// Sizes that no memory bounds, of what has no elements: there is nothing to do, and nothing to ask memory for.
#[test]
fn what_is_empty_ends_whatever_its_other_sizes_are() {
    const MANY: i32 = i32::MAX;
    check("empty", 0.0, |heap| {
        let at = heap.block(1);
        let product = [MANY, MANY, 0, 3, 5, at, 0, 0, at, 0, 0, at, 12, 0, 0, 0, 0, 0, 0];
        let sequence = [2, 0, MANY, 3, 1, 0, at, heap.block(12), heap.block(4), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let recurrence = [2, MANY, MANY, 0, 0, at, at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let kept = heap.floats(&[7.0]);
        let words = [command(op::GEMM, &product), command(op::SEQUENCE_FORWARD, &sequence), command(op::RECURRENCE_FORWARD, &recurrence)];
        (words.concat(), vec![(kept, vec![7.0])])
    });
}

/// Chains of operations drawn at random, on operands of every layout: registers are used again, results are handed on or kept, and outputs take the memory of inputs.
#[test]
fn chains_of_all_shapes() {
    let codes = [
        f32_code::NEG,
        f32_code::ABS,
        f32_code::SQUARE,
        f32_code::RELU,
        f32_code::SQRT,
        f32_code::ADD,
        f32_code::SUB,
        f32_code::MUL,
        f32_code::DIV,
        f32_code::LESS,
        f32_code::GREATER_EQUAL,
        SELECT,
        cast_code::COPY,
    ];
    let mut random = Random::new(11);
    for trial in 0..60 {
        let count = [1, 3, 31, 32, 33, 64, 257, 511, 512, 513, 1300][random.below(11)];
        // Inputs: three dense (one of them behind a stride, in some chains), a single value; outputs: one of its own, two in the memory of the first two inputs.
        let strided = random.below(2) == 1;
        let values: Vec<Vec<f32>> = (0..3).map(|_| random.floats(count)).collect();
        let single = random.floats(1)[0];
        let length = 3 + random.below(12);
        let (outs, spare) = ([4usize, 5, 6], 4);
        // The operations that write the outputs: the last, and two others.
        let mut writers = [length - 1, random.below(length - 1), random.below(length - 1)];
        if writers[1] == writers[2] {
            writers[2] = (writers[1] + 1) % (length - 1);
        }
        let mut readable = vec![0usize, 1, 2, 3];
        let mut chain = Vec::new();
        for k in 0..length {
            let mut draw = || if random.below(2) == 0 { readable[readable.len() - 1] } else { readable[random.below(readable.len())] };
            let [a, b, c] = [draw(), draw(), draw()];
            let code = codes[random.below(codes.len())];
            let to = match writers.iter().position(|w| *w == k) {
                Some(output) => outs[output],
                None => 7 + random.below(spare),
            };
            readable.retain(|r| *r != to);
            readable.push(to);
            chain.push([code, to as i32, a as i32, b as i32, c as i32]);
        }
        let mut wanted = vec![vec![0f64; count]; 3];
        for i in 0..count {
            let mut registers = [0f32; 11];
            registers[..4].copy_from_slice(&[values[0][i], values[1][i], values[2][i], single]);
            for [code, to, a, b, c] in &chain {
                registers[*to as usize] = operation(*code, registers[*a as usize], registers[*b as usize], registers[*c as usize]);
            }
            for (output, wanted) in outs.iter().zip(&mut wanted) {
                wanted[i] = f64::from(registers[*output]);
            }
        }
        check(&format!("chain {trial}"), 0.0, |heap| {
            let [first, second] = [0, 1].map(|k| heap.floats(&values[k]));
            let third = if strided {
                heap.floats(&values[2].iter().flat_map(|v| [*v, 9.0]).collect::<Vec<f32>>())
            } else {
                heap.floats(&values[2])
            };
            let (one, own) = (heap.floats(&[single]), heap.block(count));
            let mut words = vec![count as i32, 4, 3, length as i32, 11, 1, 1, 1, count as i32, 0, 0];
            words.extend([0, chain_layout::DENSE, first, 4, 0, 0, 0, 1]);
            words.extend([1, chain_layout::DENSE, second, 4, 0, 0, 0, 1]);
            if strided {
                words.extend([2, chain_layout::STRIDED, third, 4, 0, 0, 0, 2]);
            } else {
                words.extend([2, chain_layout::DENSE, third, 4, 0, 0, 0, 1]);
            }
            words.extend([3, chain_layout::SCALAR, one, 4, 0, 0, 0, 0]);
            words.extend([4, chain_layout::DENSE, own, 4, 0, 0, 0, 1]);
            words.extend([5, chain_layout::STAGED, first, 4, 0, 0, 0, 1]);
            words.extend([6, chain_layout::STAGED, second, 4, 0, 0, 0, 1]);
            words.extend(chain.iter().flatten());
            (command(op::CHAIN, &words), vec![(own, wanted[0].clone()), (first, wanted[1].clone()), (second, wanted[2].clone())])
        });
    }
}

#[test]
fn an_output_takes_the_memory_of_an_input_that_is_read_between_two_writes_of_its_register() {
    let values = Random::new(15).floats(300);
    check("written twice", 0.0, |heap| {
        let x = heap.floats(&values);
        let mut words = vec![300, 1, 1, 3, 3, 1, 1, 1, 300, 0, 0];
        words.extend([0, chain_layout::DENSE, x, 4, 0, 0, 0, 1, 1, chain_layout::STAGED, x, 4, 0, 0, 0, 1]);
        words.extend([f32_code::NEG, 1, 0, 0, 0, f32_code::MUL, 2, 1, 0, 0, f32_code::NEG, 1, 2, 0, 0]);
        (command(op::CHAIN, &words), vec![(x, values.iter().map(|v| f64::from(v * v)).collect())])
    });
}

#[test]
fn rows_by_index_and_their_sums() {
    let mut random = Random::new(12);
    for (outer, size, inner, count) in [(1, 50, 32, 200), (3, 7, 13, 9), (2, 5, 1, 40)] {
        let (from, updates) = (random.floats(outer * size * inner), random.floats(outer * count * inner));
        // Some from the end.
        let indices: Vec<i32> = (0..count).map(|_| random.below(2 * size) as i32 - size as i32).collect();
        let at = |k: usize| if indices[k] < 0 { (indices[k] + size as i32) as usize } else { indices[k] as usize };
        let mut taken = vec![0f64; outer * count * inner];
        let mut sums = vec![0f32; outer * size * inner];
        for o in 0..outer {
            for k in 0..count {
                for j in 0..inner {
                    taken[(o * count + k) * inner + j] = f64::from(from[(o * size + at(k)) * inner + j]);
                    sums[(o * size + at(k)) * inner + j] += updates[(o * count + k) * inner + j];
                }
            }
        }
        let sums: Vec<f64> = sums.into_iter().map(f64::from).collect();
        check("gather", 0.0, |heap| {
            let (from, indices, to) = (heap.floats(&from), heap.ints(&indices), heap.block(outer * count * inner));
            let sizes = [outer as i32, size as i32, inner as i32, count as i32];
            (command(op::GATHER, &[&sizes[..], &[from, indices, to]].concat()), vec![(to, taken.clone())])
        });
        check("scatterAdd", 0.0, |heap| {
            let (updates, indices, to) = (heap.floats(&updates), heap.ints(&indices), heap.block(outer * size * inner));
            let sizes = [outer as i32, size as i32, inner as i32, count as i32];
            (command(op::SCATTER_ADD, &[&sizes[..], &[updates, indices, to, 0]].concat()), vec![(to, sums.clone())])
        });
    }
}

#[test]
fn places_of_the_first_largest() {
    for (values, largest, smallest) in [
        (vec![1.0, 3.0, 3.0, -2.0, -2.0], 1, 3),
        (vec![0.0, -0.0, 0.0], 0, 0),
        (vec![1.0, f32::NAN, 5.0, f32::NAN], 1, 1),
        ((0..100).map(|i| (i % 37) as f32).collect(), 36, 0),
        (vec![f32::NEG_INFINITY; 20], 0, 0),
    ] {
        for (flag, place) in [(1, largest), (0, smallest)] {
            check("argReduce", 0.0, |heap| {
                let (from, to) = (heap.floats(&values), heap.block(1));
                let words = [flag, 1, values.len() as i32, 1, from, to, data_type::FLOAT32];
                (command(op::ARG_REDUCE, &words), vec![(to, vec![f64::from(f32::from_bits(place))])])
            });
        }
    }
}

#[test]
fn extremes_of_columns() {
    let mut random = Random::new(14);
    for (outer, n, inner) in [(2usize, 7usize, 5usize), (1, 30, 64), (3, 4, 77), (2, 5, 300)] {
        let mut values = random.floats(outer * n * inner);
        values[inner + 2] = f32::NAN;
        for kind in [reduction::MAX, reduction::MIN] {
            let mut wanted = vec![0f64; outer * inner];
            for (r, wanted) in wanted.iter_mut().enumerate() {
                let column: Vec<f32> = (0..n).map(|k| values[(r / inner * n + k) * inner + r % inner]).collect();
                let best = |a: f32, b: &f32| if kind == reduction::MAX { a.max(*b) } else { a.min(*b) };
                *wanted = if column.iter().any(|v| v.is_nan()) { f64::NAN } else { column.iter().fold(column[0], best).into() };
            }
            check("extremes", 0.0, |heap| {
                let (from, to) = (heap.floats(&values), heap.block(outer * inner));
                let sizes = [outer as i32, n as i32, inner as i32];
                let words = [&[kind], &sizes[..], &[from, to, data_type::FLOAT32, data_type::FLOAT32]].concat();
                (command(op::REDUCE, &words), vec![(to, wanted.clone())])
            });
        }
    }
}

#[test]
fn windows_of_pooling() {
    let mut random = Random::new(13);
    let (batch, time, stride) = (2usize, 9usize, 2usize);
    for (channels, size) in [(5usize, 3usize), (16, 2), (40, 4)] {
        let windows = (time - size) / stride + 1;
        let (x, g) = (random.floats(batch * time * channels), random.floats(batch * windows * channels));
        let (mut picked, mut sums) = (vec![0f64; batch * windows * channels], vec![0f32; batch * windows * channels]);
        let (mut unpicked, mut spread) = (vec![0f32; x.len()], vec![0f32; x.len()]);
        for b in 0..batch {
            for n in 0..windows {
                for c in 0..channels {
                    let place = |t: usize| (b * time + n * stride + t) * channels + c;
                    let one = (b * windows + n) * channels + c;
                    let best = (0..size).fold(0, |best, t| if x[place(t)] > x[place(best)] { t } else { best });
                    picked[one] = f64::from(x[place(best)]);
                    unpicked[place(best)] += g[one];
                    for t in 0..size {
                        sums[one] += x[place(t)];
                        spread[place(t)] += g[one];
                    }
                }
            }
        }
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        for (kind, wanted) in
            [(pooling::PICK, picked), (pooling::UNPICK, wide(&unpicked)), (pooling::SUM, wide(&sums)), (pooling::SPREAD, wide(&spread))]
        {
            check("pooling", 0.0, |heap| {
                let (x, g, to) = (heap.floats(&x), heap.floats(&g), heap.block(wanted.len()));
                let from = if kind == pooling::UNPICK || kind == pooling::SPREAD { g } else { x };
                let sizes = [batch, time, channels, windows, size, stride, 0].map(|n| n as i32);
                (command(op::POOLING, &[&[kind], &sizes[..], &[x, from, to]].concat()), vec![(to, wanted.clone())])
            });
        }
    }
}

#[test]
fn what_cannot_run_is_an_error_and_nothing_else_is_harmed() {
    let level = levels()[0];
    for threads in [0, 2] {
        let mut heap = Heap::new(1 << 12);
        let from = heap.floats(&[1.0; 4]);
        for words in [
            command(99, &[]),
            command(op::REDUCE, &[0, 1, 1 << 28, 1, from, from, 0, 0]),
            command(op::REDUCE, &[0, 1, -4, 1, from, from, 0, 0]),
            command(op::REDUCE, &[0, 1, 4]),
            command(op::GEMM, &[1, 1, 4, 4, 4, from, 1 << 20, 4, from, 16, 4, from, 16, 0, 0, 0, 0, 0, 0]),
            command(
                op::CHAIN,
                &[4, 1, 1, 1, 1, 1, 1, 1, 4, 0, 0, 9, 0, from, 4, 0, 0, 0, 1, 0, 0, from, 4, 0, 0, 0, 1, cast_code::COPY, 0, 0, 0, 0],
            ),
            // Registers and operations that there are not; a register of an input that is written, or that is an output.
            command(op::CHAIN, &[4, 0, 0, 0, i32::MAX, 1, 1, 1, 4, 0, 0]),
            command(op::CHAIN, &[4, 0, 0, i32::MAX, 1, 1, 1, 1, 4, 0, 0]),
            command(op::CHAIN, &[4, 1, 0, 1, 1, 1, 1, 1, 4, 0, 0, 0, 0, from, 4, 0, 0, 0, 1, cast_code::COPY, 0, 0, 0, 0]),
            command(op::CHAIN, &[4, 1, 1, 0, 1, 1, 1, 1, 4, 0, 0, 0, 0, from, 4, 0, 0, 0, 1, 0, 0, from, 4, 0, 0, 0, 1]),
            vec![op::REDUCE, 4000],
            vec![op::REDUCE, 0],
        ] {
            let program = heap.program(&words);
            let outcome = run(level, &mut heap, program, threads);
            assert!(matches!(outcome, Outcome::Fault(_)), "{words:?}: {outcome:?}");
        }
        let (indices, to) = (heap.ints(&[0, 9]), heap.block(2));
        let gather = heap.program(&command(op::GATHER, &[1, 4, 1, 2, from, indices, to]));
        assert_eq!(run(level, &mut heap, gather, threads), Outcome::Refused(1, 9, gather.0));
        let to = heap.block(1);
        let fine = heap.program(&command(op::REDUCE, &[0, 1, 4, 1, from, to, 0, 0]));
        assert_eq!(run(level, &mut heap, fine, threads), Outcome::Done);
        assert_eq!(heap.read(to, 1), [4.0]);
    }
}

/// A program of `count` sums of many ones; where the last of them goes.
fn long(heap: &mut Heap, count: usize) -> ((usize, usize), i32) {
    let n = 1 << 16;
    let from = heap.floats(&vec![1.0; n]);
    let (to, last) = (heap.block(1), heap.block(1));
    let sum = |to| command(op::REDUCE, &[0, 1, n as i32, 1, from, to, 0, 0]);
    let mut words = sum(to).repeat(count);
    words.extend(sum(last));
    (heap.program(&words), last)
}

#[test]
fn programs_that_overlap_run_one_after_another() {
    for threads in [1, 2, 3] {
        let pool = Pool::start(levels()[0], threads).unwrap();
        let mut heap = Heap::new(1 << 19);
        let memory = heap.memory();
        let programs: Vec<_> = [200, 3, 50, 1].iter().map(|count| long(&mut heap, *count)).collect();
        let (send, receive) = channel();
        for (i, ((program, end), _)) in programs.iter().enumerate() {
            let send = send.clone();
            pool.submit(memory, *program, *end, Box::new(move |outcome| send.send((i, outcome)).unwrap()));
        }
        for i in 0..programs.len() {
            assert_eq!(receive.recv().unwrap(), (i, Outcome::Done));
        }
        for (_, last) in programs {
            assert_eq!(heap.read(last, 1), [65536.0]);
        }
    }
}

#[test]
fn a_pool_that_is_closed_does_what_was_submitted() {
    let pool = Pool::start(levels()[0], 2).unwrap();
    let mut heap = Heap::new(1 << 18);
    let memory = heap.memory();
    let ((program, end), last) = long(&mut heap, 500);
    let (send, receive) = channel();
    pool.submit(memory, program, end, Box::new(move |outcome| send.send(outcome).unwrap()));
    pool.close();
    assert_eq!(receive.recv().unwrap(), Outcome::Done);
    assert_eq!(heap.read(last, 1), [65536.0]);
    while !pool.has_ended() {
        std::thread::yield_now();
    }
}

#[test]
fn a_pool_that_is_dropped_breaks_off_what_runs() {
    for threads in [1, 2, 3] {
        let pool = Pool::start(levels()[0], threads).unwrap();
        let mut heap = Heap::new(1 << 20);
        let memory = heap.memory();
        // Several seconds.
        let ((program, end), last) = long(&mut heap, 80_000);
        let (send, receive) = channel();
        for _ in 0..2 {
            let send = send.clone();
            pool.submit(memory, program, end, Box::new(move |outcome| send.send(outcome).unwrap()));
        }
        drop(pool);
        // It waited: nobody works on the memory any longer.
        for _ in 0..2 {
            assert_eq!(receive.try_recv(), Ok(Outcome::Fault("the engine was dropped".to_string())));
        }
        assert_eq!(heap.read(last, 1), [0.0]);
    }
}
