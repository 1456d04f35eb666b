//! Whole commands on one thread: sequences, and Adam over 2.5 million weights beside a copy. `cargo bench --no-default-features --bench commands`.
use recurra_native::commands::{command as op, f32_code};
use recurra_native::pool::{Inline, Outcome};
use recurra_native::simd::Level;
use recurra_native::testing::{command, Heap, Random};
use std::time::Instant;

/// The shortest of some runs, in seconds.
fn best(heap: &mut Heap, level: Level, inline: &mut Inline, (program, end): (usize, usize), rounds: usize) -> f64 {
    let memory = heap.memory();
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        assert_eq!(inline.run(level, memory, program, end), Outcome::Done);
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let level = Level::choose(std::env::var("RECURRA_SIMD").ok().as_deref()).expect("an instruction set of this processor");
    println!("{}", level.name());
    let mut random = Random::new(7);
    let mut inline = Inline::default();
    // Names of workloads to measure: all, unless some are given.
    let asked: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    for (name, kind, b, t, e, h) in [
        ("W1 lstm", 2, 32, 100, 32, 32),
        ("W2 lstm", 2, 32, 200, 128, 128),
        ("W3 gru", 3, 32, 200, 128, 128),
        ("W4 rnn", 0, 32, 100, 32, 32),
        ("W5 lstm", 2, 32, 100, 64, 64),
        ("W6 lstm", 2, 64, 64, 64, 256),
        ("W7 lstm", 2, 64, 20, 256, 512),
        ("W8 lstm", 2, 1, 20, 32, 32),
    ] {
        if !asked.is_empty() && !asked.iter().any(|part| name.starts_with(part.as_str())) {
            continue;
        }
        let mut heap = Heap::new(256 << 20);
        let gates = if kind == 2 {
            4
        } else if kind == 3 {
            3
        } else {
            1
        };
        let x = heap.random(b * t * e, &mut random);
        let kernel = heap.random(e * gates * h, &mut random);
        let recurrent = heap.random(h * gates * h, &mut random);
        let bias = heap.random(2 * gates * h, &mut random);
        let residual = heap.block((t + 1) * b * h * 6);
        let ys = heap.block(b * t * h);
        let dys = heap.random(b * t * h, &mut random);
        let head = [kind, b as i32, t as i32, e as i32, h as i32, 0, x, kernel, recurrent, bias, 0, 0, 0, 0];
        let predict = heap.program(&command(op::SEQUENCE_FORWARD, &[&head[..], &[0, 64, ys, 0, 0]].concat()));
        let forward = heap.program(&command(op::SEQUENCE_FORWARD, &[&head[..], &[residual, 64, ys, 0, 0]].concat()));
        let gradients = [heap.block(b * t * e), heap.block(e * gates * h), heap.block(h * gates * h), heap.block(2 * gates * h)];
        let backward =
            heap.program(&command(op::SEQUENCE_BACKWARD, &[&head[..], &[residual, 64, dys, 0, 0], &gradients, &[0, 0]].concat()));
        let flops = 2.0 * (b * t * (e + h) * gates * h) as f64;
        let rounds = (3e9 / flops).clamp(5.0, 200.0) as usize;
        let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(rounds);
        let only = std::env::var("PASS").unwrap_or_default();
        for (pass, program, times) in [("predict", predict, 1.0), ("forward", forward, 1.0), ("backward", backward, 2.0)] {
            if !pass.starts_with(&only) {
                continue;
            }
            let s = best(&mut heap, level, &mut inline, program, rounds);
            print!("{name} {pass}: {:.2} ms, {:.1} GFLOP/s   ", s * 1e3, flops * times / s / 1e9);
        }
        println!();
    }

    if !asked.is_empty() && !asked.iter().any(|part| part == "adam") {
        return;
    }
    // Adam: w, m, v and the gradient; w, m and v written in place. Of the second number, all four lie alike within pages; the third stays in the last cache.
    for n in [2_500_000, 2_560_000, 320_000] {
        let mut heap = Heap::new(256 << 20);
        let [w, m, v, g] = [(); 4].map(|()| heap.random(n, &mut random));
        let constants: Vec<i32> = (0..6).map(|_| heap.random(1, &mut random)).collect();
        let operand = |register: i32, layout: i32, at: i32| vec![register, layout, at, 4, 0, 0, 0, if layout == 1 { 0 } else { 1 }];
        let mut words = vec![n as i32, 10, 3, 12, 22, 1, 1, 1, n as i32, 0, 0];
        for (i, at) in [g, m, v, w].into_iter().enumerate() {
            words.extend(operand(i as i32, 0, at));
        }
        for (i, at) in constants.iter().enumerate() {
            words.extend(operand(4 + i as i32, 1, *at));
        }
        for (register, at) in [(12, m), (16, v), (21, w)] {
            words.extend(operand(register, 3, at));
        }
        // m' = m + (g - m) b1; v' = v + (g g - v) b2; w' = w - (m' lr) / (sqrt(v' c) + eps)
        for (code, to, a, b) in [
            (f32_code::SUB, 10, 0, 1),
            (f32_code::MUL, 11, 10, 4),
            (f32_code::ADD, 12, 1, 11),
            (f32_code::SQUARE, 13, 0, 0),
            (f32_code::SUB, 14, 13, 2),
            (f32_code::MUL, 15, 14, 5),
            (f32_code::ADD, 16, 2, 15),
            (f32_code::SQRT, 17, 16, 0),
            (f32_code::ADD, 18, 17, 6),
            (f32_code::MUL, 19, 12, 7),
            (f32_code::DIV, 20, 19, 18),
            (f32_code::SUB, 21, 3, 20),
        ] {
            words.extend([code, to, a, b, 0]);
        }
        let adam = heap.program(&command(op::CHAIN, &words));
        let s = best(&mut heap, level, &mut inline, adam, 60);
        println!("adam over {n}: {:.2} ms, {:.1} GB/s", s * 1e3, 28.0 * n as f64 / s / 1e9);
    }
    let n = 2_500_000;
    let from = random.floats(4 * n);
    let mut to = vec![0f32; 4 * n];
    let mut best = f64::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("copy of {} MB: {:.1} GB/s", 16 * n / 1_000_000, 32.0 * n as f64 / best / 1e9);
}
