//! Commands whose words are wrong: an error or some result, but nothing outside of the memory is read or written, no kernel panics, and no worker waits for ever.
#![cfg(unix)]

use recurra_native::commands::{
    activation, cast_code, chain_layout, command as op, data_type, f32_code, pooling, recurrent, reduction, rows, word, SERIAL,
};
use recurra_native::memory::Memory;
use recurra_native::pool::{Inline, Outcome, Pool};
use recurra_native::run::block_bytes;
use recurra_native::simd::Level;
use recurra_native::testing::{command, levels, Heap, Random};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Words of the memory: whole pages.
const WORDS: usize = 1 << 16;
/// Pages that nobody may touch, before the memory and behind it: wider than any address or stride that a word can name reaches.
const BESIDE: usize = 1 << 35;

/// A memory between pages that end the process when they are touched.
struct Guarded {
    whole: *mut libc::c_void,
}

impl Guarded {
    fn new() -> Guarded {
        // SAFETY: fresh pages, of which only the memory's own can be used.
        unsafe {
            let (nothing, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
            let whole = libc::mmap(std::ptr::null_mut(), 2 * BESIDE + WORDS * 4, nothing, flags, -1, 0);
            assert_ne!(whole, libc::MAP_FAILED, "pages beside the memory");
            let usable = libc::mprotect(whole.cast::<u8>().add(BESIDE).cast(), WORDS * 4, libc::PROT_READ | libc::PROT_WRITE);
            assert_eq!(usable, 0);
            Guarded { whole }
        }
    }

    fn base(&self) -> *mut u32 {
        self.whole.cast::<u8>().wrapping_add(BESIDE).cast()
    }

    fn memory(&self) -> Memory {
        // SAFETY: it is mapped until it is dropped, after the last command.
        unsafe { Memory::new(self.base().cast(), WORDS * 4) }
    }

    /// Writes words at a place.
    fn write(&self, at: usize, words: &[u32]) {
        assert!(at + words.len() <= WORDS);
        // SAFETY: they lie in the memory, and no command runs.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), self.base().add(at), words.len()) };
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size.
        unsafe { libc::munmap(self.whole, 2 * BESIDE + WORDS * 4) };
    }
}

/// A command's words, given by their places; the others are 0.
fn words(count: usize, given: &[(usize, i32)]) -> Vec<i32> {
    let mut all = vec![0; count];
    for (place, value) in given {
        all[*place] = *value;
    }
    all
}

/// Valid programs: each has its subject last, after what leaves that something to read.
fn examples(heap: &mut Heap) -> Vec<(i32, Vec<Vec<i32>>)> {
    let mut random = Random::new(3);
    let mut all: Vec<(i32, Vec<Vec<i32>>)> = Vec::new();
    let mut floats = |heap: &mut Heap, n: usize| heap.random(n, &mut random);
    let indices = heap.ints(&[0, 2, -1, 1, 3]);
    let key = heap.ints(&[7, -9]);
    let bools = heap.bytes(&[1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1]);

    // Chains: every layout, floats and booleans.
    {
        let (a, b, two) = (floats(heap, 3 * 700), floats(heap, 700), heap.floats(&[2.0]));
        let [dense, strided, staged] = [heap.block(700), heap.block(700), heap.block(700)];
        let mut c = vec![700, 4, 3, 5, 9, 1, 7, 10, 10, 0, 0];
        c.extend([0, chain_layout::STRIDED, a + 4, 4, 0, 300, 30, 3]);
        c.extend([1, chain_layout::DENSE, b, 4, 0, 0, 0, 1]);
        c.extend([2, chain_layout::SCALAR, two, 4, 0, 0, 0, 0]);
        c.extend([3, chain_layout::RANDOM, key, 4, 5, 0, 0, 0]);
        c.extend([4, chain_layout::DENSE, dense, 4, 0, 0, 0, 1]);
        c.extend([5, chain_layout::STRIDED, strided, 4, 0, 1, 7, 70]);
        c.extend([6, chain_layout::STAGED, staged, 1, 0, 0, 0, 1]);
        c.extend([f32_code::MUL, 7, 0, 2, 0, f32_code::ADD, 8, 7, 1, 0, f32_code::TANH, 4, 8, 0, 0]);
        c.extend([f32_code::ADD, 5, 8, 3, 0, f32_code::LESS, 6, 4, 5, 0]);
        all.push((op::CHAIN, vec![c]));
        let kept = heap.block(6);
        let mut c = vec![24, 1, 1, 1, 2, 1, 1, 4, 6, 0, 0, 0, chain_layout::DENSE, bools, 1, 0, 0, 0, 1];
        c.extend([1, chain_layout::STRIDED, kept, 1, 0, 0, 6, 1, cast_code::COPY, 1, 0, 0, 0]);
        all.push((op::CHAIN, vec![c]));
    }
    // Products.
    {
        use word::gemm as w;
        let [a, b, bias] = [floats(heap, 4 * 5 * 300), floats(heap, 4 * 300 * 9), floats(heap, 9)];
        let c = heap.block(4 * 5 * 9);
        let given = [(w::OUTER, 2), (w::INNER, 2), (w::M, 5), (w::N, 9), (w::K, 300), (w::A, a), (w::A_ROW, 1200), (w::A_COLUMN, 4)];
        let more =
            [(w::B, b), (w::B_ROW, 36), (w::B_COLUMN, 4), (w::C, c), (w::C_ROW, 36), (w::BIAS, bias), (w::ACTIVATION, activation::TANH)];
        let steps = [(w::A_OUTER, 12_000), (w::A_INNER, 6_000), (w::B_OUTER, 21_600), (w::B_INNER, 10_800)];
        all.push((op::GEMM, vec![words(w::WORDS, &[&given[..], &more, &steps].concat())]));
        let single = [(w::OUTER, 1), (w::INNER, 1), (w::M, 40), (w::N, 20), (w::K, 17), (w::A, a), (w::A_ROW, 4), (w::A_COLUMN, 160)];
        let more = [(w::B, b), (w::B_ROW, 4), (w::B_COLUMN, 68), (w::C, heap.block(800)), (w::C_ROW, 80)];
        all.push((op::GEMM, vec![words(w::WORDS, &[&single[..], &more].concat())]));
    }
    // Along an axis.
    for (outer, n, inner) in [(3, 41, 1), (3, 5, 70)] {
        let from = floats(heap, (outer * n * inner) as usize);
        let to = heap.block((outer * n * inner) as usize);
        for (kind, dtype) in [
            (reduction::SUM, data_type::FLOAT32),
            (reduction::MAX, data_type::FLOAT32),
            (reduction::PROD, data_type::INT32),
            (reduction::ANY, data_type::BOOL),
        ] {
            use word::reduce as w;
            let sizes = [(w::KIND, kind), (w::OUTER, outer), (w::N, n), (w::INNER, inner)];
            let rest = [(w::FROM, from), (w::TO, to), (w::DTYPE, dtype), (w::RESULT_DTYPE, dtype)];
            all.push((op::REDUCE, vec![words(w::WORDS, &[&sizes[..], &rest].concat())]));
        }
        {
            use word::arg_reduce as w;
            let given = [(w::LARGEST, 1), (w::OUTER, outer), (w::N, n), (w::INNER, inner), (w::FROM, from), (w::TO, to)];
            all.push((op::ARG_REDUCE, vec![words(w::WORDS, &given)]));
        }
        use word::cumulate as w;
        for dtype in [data_type::FLOAT32, data_type::INT32] {
            let given = [(w::REVERSE, 1), (w::OUTER, outer), (w::N, n), (w::INNER, inner), (w::FROM, from), (w::TO, to), (w::DTYPE, dtype)];
            all.push((op::CUMULATE, vec![words(w::WORDS, &given)]));
        }
    }
    // Slices, random numbers, indices.
    {
        use word::{check_indices as c, gather as g, random as r, scatter_add as s};
        let (from, to) = (floats(heap, 2 * 4 * 9), heap.block(2 * 5 * 9));
        let sizes = [(g::OUTER, 2), (g::SIZE, 4), (g::INNER, 9), (g::COUNT, 5)];
        all.push((op::GATHER, vec![words(g::WORDS, &[&sizes[..], &[(g::FROM, from), (g::INDICES, indices), (g::TO, to)]].concat())]));
        let (from, to) = (floats(heap, 2 * 5 * 9), heap.block(2 * 4 * 9));
        for integers in [0, 1] {
            let rest = [(s::UPDATES, from), (s::INDICES, indices), (s::TO, to), (s::INTEGERS, integers)];
            all.push((op::SCATTER_ADD, vec![words(s::WORDS, &[&sizes[..], &rest].concat())]));
        }
        let to = heap.block(103);
        all.push((op::RANDOM, vec![words(r::WORDS, &[(r::COUNT, 103), (r::KEY, key), (r::TO, to), (r::UNIFORM, 1), (r::STREAM, 4)])]));
        let mut given = words(c::WORDS, &[(c::COUNT, 5), (c::NEGATIVE, 1), (c::FROM, indices), (c::TO, to), (c::SIZES, 2)]);
        given.extend([4, 4]);
        all.push((op::CHECK_INDICES, vec![given]));
    }
    // Rows.
    for kind in rows::SOFTMAX..=rows::NORMALIZE_BACKWARD {
        use word::rows as w;
        let [x, gradient, out] = [floats(heap, 4 * 37), floats(heap, 4 * 37), heap.block(4 * 37)];
        let given = [(w::KIND, kind), (w::COUNT, 4), (w::N, 37), (w::X, x), (w::GRADIENT, gradient), (w::OUT, out)];
        all.push((op::ROWS, vec![words(w::WORDS, &[&given[..], &[(w::EPSILON, 1e-3f32.to_bits() as i32)]].concat())]));
    }
    // Whole sequences: two samples, four steps, three features, nine units.
    let [x, kernel, weights, bias] = [floats(heap, 2 * 4 * 36), floats(heap, 3 * 36), floats(heap, 9 * 36), floats(heap, 2 * 36)];
    let [h, c, ys, flow] = [floats(heap, 18), floats(heap, 18), floats(heap, 72), floats(heap, 72)];
    let out: [i32; 6] = std::array::from_fn(|_| heap.block(400));
    for kind in recurrent::RNN_TANH..=recurrent::GRU {
        use word::{sequence_backward as b, sequence_forward as f};
        let sizes = [(f::KIND, kind), (f::BATCH, 2), (f::TIME, 4), (f::FEATURES, 3), (f::UNITS, 9), (f::REVERSE, kind & 1)];
        let inputs = [(f::X, x), (f::KERNEL, kernel), (f::RECURRENT, weights), (f::BIAS, bias), (f::H0, h), (f::C0, c), (f::MASK, bools)];
        let forward = words(f::WORDS, &[&sizes[..], &inputs, &[(f::YS, ys), (f::H, out[0]), (f::C, out[1])]].concat());
        all.push((op::SEQUENCE_FORWARD, vec![forward.clone()]));
        let residual = heap.block(block_bytes(op::SEQUENCE_FORWARD, f::RESIDUAL, &words(f::WORDS, &sizes)).unwrap() / 4);
        let mut first = forward.clone();
        first[f::RESIDUAL] = residual;
        let flows = [(b::RESIDUAL, residual), (b::DYS, flow), (b::DH, h), (b::DC, c)];
        let to =
            [(b::DX, out[0]), (b::D_KERNEL, out[1]), (b::D_RECURRENT, out[2]), (b::D_BIAS, out[3]), (b::DH0, out[4]), (b::DC0, out[5])];
        let backward = words(b::WORDS, &[&sizes[..], &inputs, &flows, &to].concat());
        all.push((op::SEQUENCE_BACKWARD, vec![command(op::SEQUENCE_FORWARD, &first), backward]));
    }
    for kind in recurrent::RNN_TANH..=recurrent::GRU_BEFORE {
        use word::{recurrence_backward as b, recurrence_forward as f};
        let sizes = [(f::KIND, kind), (f::BATCH, 2), (f::TIME, 4), (f::UNITS, 9), (f::REVERSE, kind & 1), (f::X, x)];
        let inputs = [(f::RECURRENT, weights), (f::BIAS, bias), (f::DROP, flow), (f::H0, h), (f::C0, c), (f::MASK, bools)];
        let forward = words(f::WORDS, &[&sizes[..], &inputs, &[(f::YS, ys), (f::H, out[0]), (f::C, out[1])]].concat());
        all.push((op::RECURRENCE_FORWARD, vec![forward.clone()]));
        let residual = heap.block(block_bytes(op::RECURRENCE_FORWARD, f::RESIDUAL, &words(f::WORDS, &sizes[..5])).unwrap() / 4);
        let mut first = forward.clone();
        first[f::RESIDUAL] = residual;
        let flows = [(b::RESIDUAL, residual), (b::DYS, flow), (b::DH, h), (b::DC, c)];
        let to = [(b::DX, out[0]), (b::D_RECURRENT, out[2]), (b::D_BIAS, out[3]), (b::DH0, out[4]), (b::DC0, out[5])];
        let backward = words(b::WORDS, &[&sizes[..], &inputs, &flows, &to].concat());
        all.push((op::RECURRENCE_BACKWARD, vec![command(op::RECURRENCE_FORWARD, &first), backward]));
    }
    // Attention: two samples of two heads, three queries, four keys, depths five and six; a mask of a query's keys.
    {
        use word::{attention_backward as b, attention_forward as w};
        let [q, k, v, out] = [floats(heap, 60), floats(heap, 80), floats(heap, 96), heap.block(72)];
        let sizes = [(w::BATCH, 2), (w::HEADS, 2), (w::QUERIES, 3), (w::KEYS, 4), (w::DEPTH, 5), (w::VALUE_DEPTH, 6), (w::CAUSAL, 1)];
        let mask = [(w::SCALE, 0.5f32.to_bits() as i32), (w::MASK_SAMPLE, 12), (w::MASK_HEAD, 0), (w::MASK_QUERY, 4), (w::MASK, bools)];
        let places = [(w::Q, q), (w::K, k), (w::V, v), (w::OUT, out), (w::SUMS, heap.block(12))];
        let forward = words(w::WORDS, &[&sizes[..], &mask, &places].concat());
        all.push((op::ATTENTION_FORWARD, vec![forward.clone()]));
        let flows = [(b::GRADIENT, floats(heap, 72)), (b::DQ, heap.block(60)), (b::DK, heap.block(80)), (b::DV, heap.block(96))];
        let backward = words(b::WORDS, &[&sizes[..], &mask, &places, &flows].concat());
        all.push((op::ATTENTION_BACKWARD, vec![command(op::ATTENTION_FORWARD, &forward), backward]));
    }
    // Convolutions with and without dilation, and windows that begin before the sequence.
    for (windows, stride, dilation) in [(4, 2, 1), (3, 2, 2)] {
        use word::{convolution as y, convolution_input as i, convolution_kernel as k};
        let [x, kernel, gradient] = [floats(heap, 2 * 9 * 5), floats(heap, 3 * 5 * 7), floats(heap, 2 * 4 * 7)];
        let to = heap.block(2 * 9 * 7);
        let sizes = [(y::BATCH, 2), (y::TIME, 9), (y::CHANNELS, 5), (y::WINDOWS, windows), (y::FILTERS, 7)];
        let steps = [(y::SIZE, 3), (y::STRIDE, stride), (y::DILATION, dilation)];
        let of = |count: usize, places: [(usize, i32); 3]| vec![words(count, &[&sizes[..], &steps, &places].concat())];
        all.push((op::CONVOLUTION, of(y::WORDS, [(y::X, x), (y::KERNEL, kernel), (y::Y, to)])));
        all.push((op::CONVOLUTION_INPUT, of(i::WORDS, [(i::GRADIENT, gradient), (i::KERNEL, kernel), (i::DX, to)])));
        all.push((op::CONVOLUTION_KERNEL, of(k::WORDS, [(k::X, x), (k::GRADIENT, gradient), (k::D_KERNEL, to)])));
    }
    for kind in pooling::PICK..=pooling::SPREAD {
        use word::pooling as w;
        let [compared, from, to] = [floats(heap, 2 * 9 * 19), floats(heap, 2 * 9 * 19), heap.block(2 * 9 * 19)];
        let sizes = [(w::KIND, kind), (w::BATCH, 2), (w::TIME, 9), (w::CHANNELS, 19), (w::WINDOWS, 4), (w::SIZE, 3), (w::STRIDE, 2)];
        let rest = [(w::BEFORE, 1), (w::COMPARED, compared), (w::FROM, from), (w::TO, to)];
        all.push((op::POOLING, vec![words(w::WORDS, &[&sizes[..], &rest].concat())]));
    }
    // A loop over four rows: sums of what goes in come out, and one is carried.
    {
        use word::{loop_ as w, loop_carry as y, loop_copy as p, reduce as r};
        let (from, to) = (floats(heap, 4 * 12), heap.block(4));
        let [slot, sum, carry] = [heap.block(12), heap.block(1), heap.block(1)];
        let body = [(r::OUTER, 1), (r::N, 12), (r::INNER, 1), (r::FROM, slot), (r::TO, sum)];
        let body = command(op::REDUCE, &words(r::WORDS, &body));
        let header = 2 + w::WORDS + 2 * p::WORDS + y::WORDS;
        let mut given = words(w::WORDS, &[(w::COUNT, 4), (w::HEADER, header as i32), (w::INS, 1), (w::OUTS, 1), (w::CARRIES, 1)]);
        given.extend([slot, from, 48, sum, to, 4, sum, carry, 4]);
        given.extend(body);
        all.push((op::LOOP, vec![given]));
    }
    all
}

/// A word that is wrong, or may be.
fn wrong(random: &mut Random, old: i32, others: &[i32]) -> i32 {
    let small = random.below(9) as i32;
    let edges =
        [i32::MAX, i32::MIN, 1 << 30, 1 << 28, -1 << 28, WORDS as i32 * 4, WORDS as i32 * 4 - 4, WORDS as i32 * 4 - 1, WORDS as i32];
    match random.below(10) {
        0 => 0,
        1 => small,
        2 => -small,
        3 => old.wrapping_add([1, -1][random.below(2)]),
        4 => old.wrapping_add([4, -4, 16, -16, 64, 4096][random.below(6)]),
        5 => [old.wrapping_mul(2), old / 2, old.wrapping_neg()][random.below(3)],
        6 => edges[random.below(edges.len())],
        7 => others[random.below(others.len())],
        8 => random.word() as i32,
        _ => old ^ (1 << random.below(32)),
    }
}

/// Ends the process where one case takes a minute, and says which.
fn watch(case: &Arc<Mutex<String>>, count: &Arc<AtomicU64>) {
    let (case, count) = (Arc::clone(case), Arc::clone(count));
    std::thread::spawn(move || {
        let mut seen = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_secs(60));
            let now = count.load(Ordering::Relaxed);
            if now == seen {
                eprintln!("a command that does not end: {}", case.lock().unwrap());
                std::process::abort();
            }
            seen = now;
        }
    });
}

/// Cases of each instruction set: fewer where a processor is emulated.
fn cases() -> usize {
    std::env::var("RECURRA_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

#[test]
fn wrong_words_stay_inside_of_the_memory() {
    let mut heap = Heap::new(WORDS);
    let examples = examples(&mut heap);
    let known: BTreeSet<i32> = examples.iter().map(|(number, _)| *number).collect();
    assert_eq!(known, (op::CHAIN..=op::POOLING).collect(), "every command has an example");
    // Programs lie in the last page but one, or end with the memory.
    let program = heap.block(512) as usize / 4;
    let image = heap.image();
    let guarded = Guarded::new();
    let (case, count) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicU64::new(0)));
    watch(&case, &count);
    for level in levels() {
        let mut outcomes: BTreeMap<i32, [usize; 3]> = BTreeMap::new();
        let pool = Pool::start(level, 2).unwrap();
        let mut random = Random::new(14);
        for i in 0..cases() {
            let (number, parts) = &examples[i % examples.len()];
            let (first, last) = (parts[..parts.len() - 1].concat(), parts[parts.len() - 1].clone());
            let mut last = command(*number, &last);
            // Each as it is once; then with one to three wrong words, now and then among number and length.
            if i >= examples.len() {
                for _ in 0..=random.below(3) {
                    let from = if random.below(8) == 0 { 0 } else { 2 };
                    let place = from + random.below(last.len() - from);
                    last[place] = wrong(&mut random, last[place], &last);
                }
                match random.below(16) {
                    0 => last.truncate(2 + random.below(last.len() - 2)),
                    1 => last[1] |= SERIAL,
                    2 => last[0] = 1 + random.below(22) as i32,
                    _ => {}
                }
            }
            let words: Vec<u32> = [first, last].concat().iter().map(|word| *word as u32).collect();
            let at = if random.below(4) == 0 { WORDS - words.len() } else { program };
            guarded.write(0, &image);
            guarded.write(at, &words);
            *case.lock().unwrap() = format!("{} case {i}: {words:?}", level.name());
            let (from, end) = (at * 4, (at + words.len()) * 4);
            let outcome = if random.below(4) == 0 {
                let (send, receive) = channel();
                pool.submit(guarded.memory(), from, end, Box::new(move |outcome| send.send(outcome).unwrap()));
                receive.recv().unwrap()
            } else {
                Inline::default().run(level, guarded.memory(), from, end)
            };
            count.fetch_add(1, Ordering::Relaxed);
            if i < examples.len() {
                assert_eq!(outcome, Outcome::Done, "{} as it is", case.lock().unwrap());
            }
            let of = outcomes.entry(*number).or_default();
            match outcome {
                Outcome::Done => of[0] += 1,
                Outcome::Refused(..) => of[1] += 1,
                Outcome::Fault(reason) => {
                    assert!(!reason.contains("panicked"), "{}: {reason}", case.lock().unwrap());
                    of[2] += 1;
                }
            }
        }
        for (number, [done, refused, faults]) in outcomes {
            println!("{}, command {number}: {done} done, {refused} refused, {faults} faults", level.name());
            assert!(done > 0 && faults > 0, "command {number} has been tried right and wrong");
        }
    }
}

#[test]
fn loops_in_one_another_end_before_the_stack_does() {
    use word::loop_ as w;
    let guarded = Guarded::new();
    let nested = |levels: usize| {
        let one = command(op::LOOP, &words(w::WORDS, &[(w::COUNT, 1), (w::HEADER, 8)]));
        // Each is as long as all that lie in it.
        let mut all = one.repeat(levels);
        for i in 0..levels {
            all[i * one.len() + 1] *= (levels - i) as i32;
        }
        all
    };
    let run = |words: &[i32]| {
        guarded.write(16, &words.iter().map(|word| *word as u32).collect::<Vec<u32>>());
        Inline::default().run(levels()[0], guarded.memory(), 64, (16 + words.len()) * 4)
    };
    assert_eq!(run(&nested(20)), Outcome::Done);
    assert!(matches!(run(&nested(4000)), Outcome::Fault(reason) if reason.contains("loops in one another")));
}

/// Lengths that are negative, or that turn into another one when they are multiplied by the size of a word, on a worker that leaves out what the first does alone.
#[test]
fn lengths_that_are_none_end_all_workers() {
    let guarded = Guarded::new();
    for length in [i32::MIN, i32::MIN | 1, -1, -8, SERIAL, SERIAL | 1, i32::MAX] {
        for threads in [1, 2, 3] {
            guarded.write(64, &[op::REDUCE as u32, length as u32]);
            let pool = Pool::start(levels()[0], threads).unwrap();
            let (send, receive) = channel();
            pool.submit(guarded.memory(), 256, 256 + 4096, Box::new(move |outcome| send.send(outcome).unwrap()));
            let outcome = receive.recv_timeout(Duration::from_secs(20)).expect("workers that end");
            assert!(matches!(outcome, Outcome::Fault(_)), "{length}: {outcome:?}");
        }
    }
}

/// A pool that is dropped as its threads go to sleep wakes all of them.
#[test]
fn pools_end() {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for i in 0..2_000 {
            let pool = Pool::start(Level::Portable, 2).unwrap();
            if i % 2 == 0 {
                std::thread::sleep(Duration::from_micros(i % 64));
            }
            drop(pool);
        }
        send.send(()).unwrap();
    });
    receive.recv_timeout(Duration::from_secs(120)).expect("pools that end");
}
