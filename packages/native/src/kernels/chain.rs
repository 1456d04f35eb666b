//! Chains of element-wise operations in one pass: an interpreter of steps over a few vectors, whose accumulator stays in registers, so that the cost of interpreting
//! is paid once for these vectors, and most intermediate values are never written. Dense operands are read and written where they lie; others go through blocks
//! in the first-level cache.
//!
//! A chain: [count, inputs, outputs, operations, registers, d0..d3, slot, row], then per input and output [register, layout, pointer, bytes, s0..s3],
//! then per operation [number, to, a, b, c]. Strides are in elements. The slot, a compiled function of the WebAssembly engine, is not used here.

mod functions;
mod steps;

use super::random::draw;
use crate::commands::chain_layout::{DENSE, RANDOM, SCALAR, STAGED, STRIDED};
use crate::commands::{cast_code, word};
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::Worker;
use steps::{copy, is_known, narrow, plan, resolve, run, widen, width, Operation, Place};

/// Elements that workers share as a whole, and that a block has: a power of two, and a multiple of every width.
const BLOCK: usize = 512;
/// A place of a block, by the index of an element; one that holds the same for all.
const IN_BLOCK: usize = BLOCK - 1;
const STILL: usize = 0;
/// A place in memory.
const MOVING: usize = usize::MAX;

struct Operand {
    register: usize,
    layout: i32,
    at: *mut u8,
    bytes: usize,
    strides: [isize; 4],
    stream: u32,
}

impl Operand {
    /// Element by element side by side.
    fn is_dense(&self) -> bool {
        self.layout == DENSE || self.layout == STAGED
    }
}

/// A place in memory that steps read or write directly.
struct Moving {
    place: usize,
    bytes: usize,
    is_output: bool,
}

fn operand(o: &Operands, at: usize, count: usize, registers: usize, dims: &[usize; 4]) -> Checked<Operand> {
    use word::chain_operand as p;
    let register = o.size(at + p::REGISTER)?;
    let layout = o.int(at + p::LAYOUT)?;
    let bytes = o.size(at + p::BYTES)?;
    if register >= registers || !(bytes == 1 || bytes == 4) {
        return Err(format!("operand {at}: register {register} of {registers}, {bytes} bytes"));
    }
    let mut strides = [0isize; 4];
    for (k, stride) in strides.iter_mut().enumerate() {
        *stride = o.int(at + p::S0 + k)? as isize;
    }
    let place = |n: usize| {
        if bytes == 1 {
            o.bytes(at + p::AT, n)
        } else {
            o.floats(at + p::AT, n).map(<*mut f32>::cast)
        }
    };
    let at = match layout {
        DENSE | STAGED => place(count)?,
        SCALAR => place(1)?,
        RANDOM => o.floats(at + p::AT, 2)?.cast(),
        STRIDED => {
            if elements(dims)? < count {
                return Err(format!("operand {at}: {count} elements of {dims:?}"));
            }
            o.walked(at + p::AT, dims, &strides, bytes)?
        }
        _ => return Err(format!("operand {at}: layout {layout}")),
    };
    Ok(Operand { register, layout, at, bytes, strides, stream: strides[0] as i32 as u32 })
}

/// The operations of a chain.
fn operations(o: &Operands, mut at: usize, count: usize, registers: usize) -> Checked<Vec<Operation>> {
    use word::chain_operation as p;
    let mut all = Vec::new();
    for _ in 0..count {
        let one = Operation {
            code: o.int(at + p::CODE)?,
            to: o.size(at + p::TO)?,
            a: o.size(at + p::A)?,
            b: o.size(at + p::B)?,
            c: o.size(at + p::C)?,
        };
        if [one.to, one.a, one.b, one.c].iter().any(|r| *r >= registers) || !is_known(one.code) {
            return Err(format!("operation {} of registers {}, {}, {}, {} of {registers}", one.code, one.to, one.a, one.b, one.c));
        }
        all.push(one);
        at += word::chain_operation::WORDS;
    }
    Ok(all)
}

/// May an output be written as soon as it is computed? Not where an input that is read later lies in the same memory.
fn is_written_at_once(output: &Operand, count: usize, ins: &[Operand], operations: &[Operation]) -> bool {
    let Some(writer) = operations.iter().position(|one| one.to == output.register) else { return false };
    if output.layout == DENSE {
        return true;
    }
    let overlaps = |input: &&Operand| {
        let apart = (input.at as usize).abs_diff(output.at as usize);
        input.is_dense() && apart < count * input.bytes.max(output.bytes)
    };
    let after = &operations[writer + 1..];
    !ins.iter().filter(overlaps).any(|input| after.iter().any(|one| one.reads(input.register) > 0))
}

/// Runs a chain over this worker's share of the elements.
pub fn chain<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use word::chain as w;
    let [count, inputs, outputs, length, registers] =
        [o.size(w::COUNT)?, o.size(w::INPUTS)?, o.size(w::OUTPUTS)?, o.size(w::OPERATIONS)?, o.size(w::REGISTERS)?];
    let dims = [o.size(w::D0)?, o.size(w::D1)?, o.size(w::D2)?, o.size(w::D3)?];
    // Each is written or read by something that has words; a wrong number must not ask for memory that there is not.
    if registers > o.count() {
        return Err(format!("{registers} registers in a command of {} words", o.count()));
    }
    let mut at = w::WORDS;
    let mut read = |n: usize| -> Checked<Vec<Operand>> {
        (0..n)
            .map(|_| {
                at += word::chain_operand::WORDS;
                operand(o, at - word::chain_operand::WORDS, count, registers, &dims)
            })
            .collect()
    };
    let ins = read(inputs)?;
    let outs = read(outputs)?;
    let operations = operations(o, at, length, registers)?;
    if ins.iter().any(|input| operations.iter().any(|one| one.to == input.register)) {
        return Err("a register of an input is written".to_string());
    }
    if ins.iter().enumerate().any(|(k, input)| ins[..k].iter().any(|other| other.register == input.register)) {
        return Err("two inputs of one register".to_string());
    }
    if let Some(output) = outs.iter().find(|output| output.layout == SCALAR || output.layout == RANDOM) {
        return Err(format!("an output of layout {}", output.layout));
    }
    // Its memory may be that of another output.
    if ins.iter().any(|input| input.layout != RANDOM && outs.iter().any(|output| output.register == input.register)) {
        return Err("an output that is an input as it lies in memory".to_string());
    }
    let (first, last) = worker.share(count.div_ceil(BLOCK));
    let (from, until) = (first * BLOCK, count.min(last * BLOCK));
    if from >= until {
        return Ok(());
    }

    // SAFETY: all operands were checked to lie in memory, and workers' shares do not overlap.
    if unsafe { copied(&ins, &outs, &operations, &dims, from, until) } {
        return Ok(());
    }

    // Memory of its own: a width for each register and for the end of each operand, blocks for what is strided or drawn.
    let width = width::<S>();
    let blocks = ins.iter().chain(&outs).filter(|x| x.layout == STRIDED || x.layout == RANDOM).count();
    let own = worker.own.floats((registers + inputs + outputs) * width + blocks * BLOCK);
    let ends = own.wrapping_add(registers * width);
    let mut next_block = ends.wrapping_add((inputs + outputs) * width);
    let mut block = || {
        next_block = next_block.wrapping_add(BLOCK);
        Place { at: next_block.wrapping_sub(BLOCK), moves: IN_BLOCK }
    };

    // Where values lie: those of registers, then further ones of operands.
    let mut places: Vec<Place> = (0..registers).map(|r| Place { at: own.wrapping_add(r * width), moves: STILL }).collect();
    let mut moving: Vec<Moving> = Vec::new();
    let mut staged: Vec<(&Operand, *mut f32, bool)> = Vec::new();
    let mut steps = Vec::new();
    for input in &ins {
        let memory = Place { at: input.at.cast(), moves: MOVING };
        if input.layout == SCALAR {
            // SAFETY: the value was checked to lie in memory, and a register has a width.
            unsafe {
                let value = if input.bytes == 1 { f32::from_bits(u32::from(*input.at)) } else { *memory.at };
                std::slice::from_raw_parts_mut(places[input.register].at, width).fill(value);
            }
        } else if !input.is_dense() {
            places[input.register] = block();
            staged.push((input, places[input.register].at, false));
        } else if input.bytes == 4 {
            places[input.register] = memory;
            moving.push(Moving { place: input.register, bytes: 4, is_output: false });
        } else {
            steps.extend(widen(places.len(), input.register));
            moving.push(Moving { place: places.len(), bytes: 1, is_output: false });
            places.push(memory);
        }
    }
    let mut kept = vec![false; registers];
    let mut copies = Vec::new();
    for output in &outs {
        kept[output.register] = true;
        let is_dense = output.is_dense();
        let place = if is_dense { Place { at: output.at.cast(), moves: MOVING } } else { block() };
        // What is drawn, or another output, has the register's place already.
        let is_taken = places[output.register].moves != STILL || ins.iter().any(|input| input.register == output.register);
        let is_wide = output.bytes == 4 || !is_dense;
        let index = if !is_taken && is_wide && is_written_at_once(output, count, &ins, &operations) {
            places[output.register] = place;
            output.register
        } else {
            let to = places.len();
            copies.extend(if is_wide { copy(output.register, to) } else { narrow(output.register, to) });
            places.push(place);
            to
        };
        if is_dense {
            moving.push(Moving { place: index, bytes: output.bytes, is_output: true });
        } else {
            staged.push((output, place.at, true));
        }
    }
    steps.extend(plan(&operations, |register| kept[register]));
    steps.extend(copies);
    let whole = resolve(&steps, &places);
    let asked = asked(&places, &moving, until - from);

    // SAFETY: all operands were checked to lie in memory, registers, ends and blocks in the scratch memory, and workers' shares do not overlap.
    unsafe {
        let mut i = from;
        while i < until {
            // Without blocks all is one.
            let end = if staged.is_empty() { until } else { until.min(i + BLOCK) };
            for (input, block, _) in staged.iter().filter(|(_, _, out)| !out) {
                if input.layout == STRIDED {
                    walk(input, &dims, i, end - i, block.cast(), false);
                } else {
                    let key = input.at.cast::<u32>();
                    draw(s, block.cast(), i, end - i, input.stream, *key, *key.add(1), true);
                }
            }
            let full = i + (end - i) / width * width;
            run(s, &whole, &asked, i, full);
            if full < end {
                // What is less than a width: operands are copied to where they have one.
                let mut near = places.clone();
                for (k, one) in moving.iter().enumerate() {
                    near[one.place] = Place { at: ends.add(k * width), moves: STILL };
                    if !one.is_output {
                        let from = places[one.place].at.cast::<u8>().add(full * one.bytes);
                        std::ptr::copy_nonoverlapping(from, near[one.place].at.cast(), (end - full) * one.bytes);
                    }
                }
                run(s, &resolve(&steps, &near), &[], full, full + width);
                for one in moving.iter().filter(|one| one.is_output) {
                    let to = places[one.place].at.cast::<u8>().add(full * one.bytes);
                    std::ptr::copy_nonoverlapping(near[one.place].at.cast(), to, (end - full) * one.bytes);
                }
            }
            for (output, block, _) in staged.iter().filter(|(_, _, out)| *out) {
                walk(output, &dims, i, end - i, block.cast(), true);
            }
            i = end;
        }
    }
    Ok(())
}

/// Bytes that a chain reads and writes from which on it asks for them ahead. Fewer are in the second-level cache, where asking costs more than it saves.
const FAR: usize = 1 << 19;

/// What a chain of so many elements asks for ahead: memory that is read or written in order, once, where it is much.
fn asked(places: &[Place], moving: &[Moving], count: usize) -> Vec<*mut f32> {
    let mut asked = Vec::new();
    if 4 * count * moving.len() < FAR {
        return asked;
    }
    for one in moving.iter().filter(|one| one.bytes == 4) {
        let at = places[one.place].at;
        // Outputs may lie where inputs do.
        if !asked.contains(&at) {
            asked.push(at);
        }
    }
    asked
}

/// Does a chain only copy, to or from where elements lie side by side? Then it needs no registers, and this is it.
///
/// # Safety
/// Both operands must be valid for the elements `from` to `until`.
unsafe fn copied(ins: &[Operand], outs: &[Operand], operations: &[Operation], dims: &[usize; 4], from: usize, until: usize) -> bool {
    let ([input], [output], [one]) = (ins, outs, operations) else { return false };
    let is_copy = one.code == cast_code::COPY && one.a == input.register && one.to == output.register;
    // Where they may share memory, all is read first.
    if !is_copy || input.bytes != 4 || output.bytes != 4 || output.layout == STAGED {
        return false;
    }
    if input.layout == STRIDED && output.layout == DENSE {
        walk(input, dims, from, until - from, output.at.cast::<u32>().add(from), false);
        true
    } else if input.layout == DENSE && output.layout == STRIDED {
        walk(output, dims, from, until - from, input.at.cast::<u32>().add(from), true);
        true
    } else {
        false
    }
}

/// Elements i .. i + n of a strided operand, in row-major order of the dimensions, into (or out of) a block.
///
/// # Safety
/// The operand's walk and the block must be valid.
unsafe fn walk(operand: &Operand, dims: &[usize; 4], i: usize, n: usize, mut block: *mut u32, out: bool) {
    let [_, d1, d2, d3] = *dims;
    let [s0, s1, s2, s3] = operand.strides;
    let mut i3 = i % d3;
    let rest = i / d3;
    let mut i2 = rest % d2;
    let rest = rest / d2;
    let mut i1 = rest % d1;
    let mut i0 = rest / d1;
    let mut left = n;
    while left > 0 {
        let run = left.min(d3 - i3);
        let offset = i0 as isize * s0 + i1 as isize * s1 + i2 as isize * s2 + i3 as isize * s3;
        if operand.bytes == 4 {
            let p = operand.at.cast::<u32>().offset(offset);
            match (out, s3) {
                (true, 1) => std::ptr::copy_nonoverlapping(block, p, run),
                (false, 1) => std::ptr::copy_nonoverlapping(p, block, run),
                (true, _) => (0..run).for_each(|k| *p.offset(k as isize * s3) = *block.add(k)),
                (false, 0) => std::slice::from_raw_parts_mut(block, run).fill(*p),
                (false, _) => (0..run).for_each(|k| *block.add(k) = *p.offset(k as isize * s3)),
            }
        } else {
            let p = operand.at.offset(offset);
            if out {
                (0..run).for_each(|k| *p.offset(k as isize * s3) = *block.add(k) as u8);
            } else {
                (0..run).for_each(|k| *block.add(k) = u32::from(*p.offset(k as isize * s3)));
            }
        }
        block = block.add(run);
        left -= run;
        i3 += run;
        if i3 == d3 {
            i3 = 0;
            i2 += 1;
            if i2 == d2 {
                i2 = 0;
                i1 += 1;
                if i1 == d1 {
                    i1 = 0;
                    i0 += 1;
                }
            }
        }
    }
}
