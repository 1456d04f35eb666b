//! Runs programs: lists of commands in memory, `[number, length in words, ...operands]`.

use crate::commands::{command, word, SERIAL};
use crate::kernels::{attention, chain, convolution, gemm, indexing, pooling, random, recurrence, reduce, rows, sequence};
use crate::memory::{elements, Checked, Memory, Operands};
use crate::scratch::Scratch;
use crate::simd::{Level, Simd};
use crate::team::{part, Team, Worker};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The most loops that lie in one another: each takes some of the thread's stack.
const DEPTH: usize = 64;

/// The memory of one worker.
#[derive(Default)]
pub struct Desk {
    products: Scratch,
    own: Scratch,
}

/// Runs the commands from `program` to `end` as worker `place` of the team. What goes wrong, panics too, ends the program for the whole team, and is found by
/// `team.fault()`.
pub fn run(level: Level, team: &Team, place: usize, desk: &mut Desk, program: usize, end: usize) {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut worker =
            Worker { team, place, index: place, count: team.workers, products: &mut desk.products, own: &mut desk.own, depth: 0 };
        crate::dispatch!(level, s => execute(s, &mut worker, program, end))?;
        worker.meet()
    }));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => team.abort(reason),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            team.abort(format!("a kernel panicked: {}", text.unwrap_or_default()));
        }
    }
}

fn execute<S: Simd>(s: S, worker: &mut Worker, mut program: usize, end: usize) -> Checked<()> {
    let team = worker.team;
    let (index, count) = (worker.index, worker.count);
    let mut serial = true;
    while program < end {
        let number = team.memory.word(program)?;
        let word = team.memory.word(program + 4)?;
        let alone = word & SERIAL != 0;
        let words = word & !SERIAL;
        let length = usize::try_from(words).ok().filter(|length| *length >= 2 && program + length * 4 <= end);
        let length =
            length.ok_or_else(|| format!("command {number} at {program}: expected 2 or more words up to {end}, received {words}"))?;
        // Between two commands of the first worker alone, nobody need wait.
        if !(serial && alone) {
            worker.meet()?;
            // After an error the rest is left out, so that nothing is updated from what is missing.
            if worker.stopped() {
                break;
            }
        }
        serial = alone;
        team.going()?;
        if !alone || (index == 0 && !team.failed()) {
            let operands = Operands::new(&team.memory, program, length)?;
            if alone {
                (worker.index, worker.count) = (0, 1);
            }
            let result = apply(s, worker, number, &operands, length);
            (worker.index, worker.count) = (index, count);
            result.map_err(|reason| format!("command {number} at {program}: {reason}"))?;
        }
        program += length * 4;
    }
    Ok(())
}

fn apply<S: Simd>(s: S, worker: &mut Worker, number: i32, o: &Operands, length: usize) -> Checked<()> {
    match number {
        command::CHAIN => chain::chain(s, worker, o),
        command::GEMM => gemm::command(s, worker, o),
        command::REDUCE => reduce::reduce(s, worker, o),
        command::GATHER => indexing::gather(s, worker, o),
        command::SCATTER_ADD => indexing::scatter_add(s, worker, o),
        command::RANDOM => random::random(s, worker, o),
        command::ARG_REDUCE => reduce::arg_reduce(s, worker, o),
        command::SEQUENCE_FORWARD => sequence::forward(s, worker, o),
        command::SEQUENCE_BACKWARD => sequence::backward(s, worker, o),
        command::LOOP => repeat(s, worker, o, length),
        command::CUMULATE => reduce::cumulate(worker, o),
        command::ATTENTION_FORWARD => attention::forward(s, worker, o),
        command::ATTENTION_BACKWARD => attention::backward(s, worker, o),
        command::RECURRENCE_FORWARD => recurrence::forward(s, worker, o),
        command::RECURRENCE_BACKWARD => recurrence::backward(s, worker, o),
        command::ROWS => rows::rows(s, worker, o),
        command::CHECK_INDICES => indexing::check(worker, o),
        command::CONVOLUTION => convolution::forward(s, worker, o),
        command::CONVOLUTION_INPUT => convolution::input(s, worker, o),
        command::CONVOLUTION_KERNEL => convolution::kernel(s, worker, o),
        command::POOLING => pooling::pooling(s, worker, o),
        _ => Err("there is no such command".to_string()),
    }
}

/// Bytes of a block that the engine sizes: the word at place `word` of a command with this number. `words` are those after number and length, with 0 for addresses.
pub fn block_bytes(number: i32, word: usize, words: &[i32]) -> Checked<usize> {
    let memory = Memory::empty();
    let o = Operands::of(&memory, words);
    let floats = match (number, word) {
        (command::SEQUENCE_FORWARD, word::sequence_forward::RESIDUAL) => sequence::residual(&o)?,
        (command::RECURRENCE_FORWARD, word::recurrence_forward::RESIDUAL) => recurrence::residual(&o)?,
        // Scratch memory is the engine's own.
        _ => 1,
    };
    elements(&[floats, 4])
}

/// What a loop copies: bytes from one place to another, which may move with the step.
struct Copy {
    slot: u32,
    base: u32,
    bytes: usize,
}

/// Copies this worker's share.
fn copy(memory: &Memory, worker: &Worker, to: usize, from: usize, bytes: usize) -> Checked<()> {
    let place = |address: usize| -> Checked<*mut u8> {
        let address = u32::try_from(address).map_err(|_| format!("a loop copies {bytes} bytes at {address}, beyond 32 bits"))?;
        memory.range(address, bytes, 1)
    };
    let (to, from) = (place(to)?, place(from)?);
    let words = bytes / 4;
    let (first, last) = part(words, worker.index, worker.count);
    let last = if worker.index == worker.count - 1 { bytes } else { last * 4 };
    // SAFETY: both ranges were checked; workers copy parts that do not overlap.
    unsafe { std::ptr::copy(from.add(first * 4), to.add(first * 4), last - first * 4) };
    Ok(())
}

/// Commands that run again and again: [count, reverse, words of this header, copies in, copies out, carries], then for each copy
/// [slot, base, bytes]: before the commands, element i of what lies at `base` goes to the slot; after them, the slot goes there;
/// then for each carry [from, slot, bytes].
fn repeat<S: Simd>(s: S, worker: &mut Worker, o: &Operands, length: usize) -> Checked<()> {
    use word::{loop_ as w, loop_copy as p};
    let count = o.size(w::COUNT)?;
    let reverse = o.flag(w::REVERSE)?;
    let header = o.size(w::HEADER)?;
    let counts = [o.size(w::INS)?, o.size(w::OUTS)?, o.size(w::CARRIES)?];
    let mut at = w::WORDS;
    let mut lists: [Vec<Copy>; 3] = Default::default();
    for (list, n) in lists.iter_mut().zip(counts) {
        for _ in 0..n {
            list.push(Copy {
                slot: o.int(at + p::SLOT)? as u32,
                base: o.int(at + p::BASE)? as u32,
                bytes: o.int(at + p::BYTES)? as u32 as usize,
            });
            at += p::WORDS;
        }
    }
    if header < 8 || header > length {
        return Err(format!("a loop whose header has {header} of {length} words"));
    }
    if worker.depth == DEPTH {
        return Err(format!("more than {DEPTH} loops in one another"));
    }
    let [ins, outs, carries] = lists;
    let memory = o.memory;
    let (body, end) = (o.address + header * 4, o.address + length * 4);
    for i in 0..count {
        let step = if reverse { count - 1 - i } else { i };
        for Copy { slot, base, bytes } in &ins {
            copy(memory, worker, *slot as usize, *base as usize + step * bytes, *bytes)?;
        }
        worker.meet()?;
        worker.depth += 1;
        let result = execute(s, worker, body, end);
        worker.depth -= 1;
        result?;
        worker.meet()?;
        for Copy { slot, base, bytes } in &outs {
            copy(memory, worker, *base as usize + step * bytes, *slot as usize, *bytes)?;
        }
        worker.meet()?;
        for Copy { slot, base, bytes } in &carries {
            copy(memory, worker, *base as usize, *slot as usize, *bytes)?;
        }
        worker.meet()?;
        if worker.stopped() {
            return Ok(());
        }
    }
    Ok(())
}
