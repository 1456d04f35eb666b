//! GFLOP/s of sgemm by size, with matrices in the caches / out of them, on one thread: `cargo bench --no-default-features`. `RECURRA_SIMD` chooses the instruction set.
use recurra_native::kernels::gemm::{gemm, Product};
use recurra_native::scratch::Scratch;
use recurra_native::simd::Level;
use recurra_native::testing::Random;
use std::time::Instant;

fn main() {
    let level = Level::choose(std::env::var("RECURRA_SIMD").ok().as_deref()).expect("an instruction set of this processor");
    println!("{}", level.name());
    let mut random = Random::new(7);
    let mut scratch = Scratch::new();
    let sizes = [
        (512, 512, 512),
        (1024, 1024, 1024),
        (32, 128, 32),
        (32, 512, 128),
        (64, 2048, 512),
        (6400, 512, 32),
        (4096, 128, 128),
        (4096, 256, 128),
        (128, 256, 4096),
        (6400, 32, 128),
        (128, 512, 256),
        (1, 512, 128),
        (2, 512, 512),
        (3, 100, 100),
        (7, 300, 200),
        (8, 64, 64),
        (16, 16, 16),
        (128, 1, 128),
        (33, 33, 33),
        (256, 65, 512),
    ];
    for (m, n, k) in sizes {
        let (am, bm, cm) = (m * k, k * n, m * n);
        // Cold: other matrices each time, more than the caches hold, as in a training step.
        let copies = (24_000_000 / (am + bm + cm)).clamp(1, 64);
        let (a, b) = (random.floats(copies * am), random.floats(copies * bm));
        let mut c = vec![0f32; copies * cm];
        for variant in ["nn", "tn", "nt"] {
            let rounds = (2e8 / (2.0 * (m * n * k) as f64)).max(1.0) as usize;
            let mut rate = |copies: usize| {
                let (mut best, mut turn) = (f64::MAX, 0);
                for _ in 0..7.max(2 * copies / rounds) {
                    let start = Instant::now();
                    for _ in 0..rounds {
                        let i = turn % copies;
                        turn += 1;
                        let mut p = Product::new(m, n, k, a[i * am..].as_ptr(), k, b[i * bm..].as_ptr(), n, c[i * cm..].as_mut_ptr(), n);
                        if variant == "tn" {
                            (p.a_row, p.a_column) = (1, m as isize);
                        }
                        if variant == "nt" {
                            (p.b_row, p.b_column) = (1, k as isize);
                        }
                        // SAFETY: the matrices are as large as the product says.
                        recurra_native::dispatch!(level, s => unsafe { gemm(s, &p, &mut scratch) });
                    }
                    best = best.min(start.elapsed().as_secs_f64() / rounds as f64);
                }
                2.0 * (m * n * k) as f64 / best / 1e9
            };
            let (warm, cold) = (rate(1), rate(copies));
            print!("{m}x{n}x{k} {variant}: {warm:.1} / {cold:.1}   ");
        }
        println!();
    }
}
