//! Chains of element-wise operations in one pass: an interpreter whose registers are blocks in the first-level cache, so that the cost of interpreting
//! is paid once a block, and intermediate values never leave the cache. Dense operands are read and written where they lie.
//!
//! A chain: [count, inputs, outputs, operations, registers, d0..d3, slot, row], then per input and output [register, layout, pointer, bytes, s0..s3],
//! then per operation [number, to, a, b, c]. Strides are in elements. The slot, a compiled function of the WebAssembly engine, is not used here.

use super::random::{philox, uniform};
use crate::commands::chain_layout::{DENSE, RANDOM, SCALAR, STAGED, STRIDED};
use crate::commands::{cast_code, f32_code, i32_code, word, SELECT};
use crate::kernel;
use crate::math;
use crate::memory::{elements, Checked, Operands};
use crate::simd::Simd;
use crate::team::Worker;

/// Elements that workers share as a whole, and the most that a block has.
const BLOCK: usize = 512;
/// The fewest.
const LEAST: usize = 64;
/// Floats of all registers together, so that they stay in the first-level cache beside what is read and written.
const REGISTERS: usize = 4096;
/// Floats of a register that holds one value for all elements: the widest vector.
const LINE: usize = 16;

struct Operand {
    register: usize,
    layout: i32,
    at: *mut u8,
    bytes: usize,
    strides: [isize; 4],
    stream: u32,
}

struct Operation {
    code: i32,
    to: usize,
    a: usize,
    b: usize,
    c: usize,
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

/// Runs a chain over this worker's share of the elements.
pub fn chain<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use word::{chain as w, chain_operation as p};
    let [count, inputs, outputs, operations, registers] =
        [o.size(w::COUNT)?, o.size(w::INPUTS)?, o.size(w::OUTPUTS)?, o.size(w::OPERATIONS)?, o.size(w::REGISTERS)?];
    // Each is written by an operand or an operation of this command.
    if registers > o.count() {
        return Err(format!("{registers} registers of a command of {} words", o.count()));
    }
    let dims = [o.size(w::D0)?, o.size(w::D1)?, o.size(w::D2)?, o.size(w::D3)?];
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
    let mut steps = Vec::new();
    for k in 0..operations {
        let at = at + word::chain_operation::WORDS * k;
        let step = Operation {
            code: o.int(at + p::CODE)?,
            to: o.size(at + p::TO)?,
            a: o.size(at + p::A)?,
            b: o.size(at + p::B)?,
            c: o.size(at + p::C)?,
        };
        if [step.to, step.a, step.b, step.c].iter().any(|r| *r >= registers) || !is_known(step.code) {
            return Err(format!("operation {} of registers {}, {}, {}, {} of {registers}", step.code, step.to, step.a, step.b, step.c));
        }
        steps.push(step);
    }
    let (first, last) = worker.share(count.div_ceil(BLOCK));
    let (from, until) = (first * BLOCK, count.min(last * BLOCK));
    if from >= until {
        return Ok(());
    }
    // What lies dense in memory, and single values, need no block.
    let mut needs = vec![true; registers];
    for operand in ins.iter().filter(|x| (x.layout == DENSE && x.bytes == 4) || x.layout == SCALAR) {
        needs[operand.register] = false;
    }
    for output in outs.iter().filter(|x| x.layout == DENSE && x.bytes == 4) {
        needs[output.register] = false;
    }
    let held = needs.iter().filter(|x| **x).count();
    let block = (REGISTERS / held.max(1)).clamp(LEAST, BLOCK) / LEAST * LEAST;
    let blocks = worker.own.floats(registers * block.max(LINE));
    // What an index is masked with: a single value is read from the same place for all elements.
    let mut masks = vec![usize::MAX; registers];
    for input in ins.iter().filter(|input| input.layout == SCALAR) {
        masks[input.register] = 0;
    }
    if steps.iter().any(|step| masks[step.to] == 0) || outs.iter().any(|output| masks[output.register] == 0) {
        return Err("a register that holds a single value is written".to_string());
    }
    // SAFETY: all operands were checked to lie in memory, registers in the scratch memory, and workers' shares do not overlap.
    unsafe {
        let mut table: Vec<*mut f32> = (0..registers).map(|r| blocks.add(r * block)).collect();
        for input in ins.iter().filter(|input| input.layout == SCALAR) {
            let value = if input.bytes == 1 { f32::from_bits(u32::from(*input.at)) } else { *input.at.cast::<f32>() };
            std::slice::from_raw_parts_mut(table[input.register], LINE).fill(value);
        }
        let mut i = from;
        while i < until {
            let n = block.min(until - i);
            for input in &ins {
                let block = blocks.add(input.register * block);
                match input.layout {
                    DENSE | STAGED if input.bytes == 4 => table[input.register] = input.at.cast::<f32>().add(i),
                    DENSE | STAGED => widen(s, input.at.add(i), block.cast(), n),
                    STRIDED => walk(input, &dims, i, n, block.cast(), false),
                    RANDOM => {
                        let key = input.at.cast::<u32>();
                        draw(block, n, i, input.stream, *key, *key.add(1));
                    }
                    _ => {}
                }
            }
            for output in &outs {
                if output.layout == DENSE && output.bytes == 4 {
                    table[output.register] = output.at.cast::<f32>().add(i);
                }
            }
            for step in &steps {
                apply(
                    s,
                    step.code,
                    table[step.a],
                    table[step.b],
                    table[step.c],
                    table[step.to],
                    n,
                    masks[step.a],
                    masks[step.b],
                    masks[step.c],
                );
            }
            for output in &outs {
                let block = table[output.register];
                match (output.layout, output.bytes) {
                    (DENSE, 4) => {}
                    (STRIDED, _) => walk(output, &dims, i, n, block.cast(), true),
                    (_, 4) => std::ptr::copy(block, output.at.cast::<f32>().add(i), n),
                    _ => narrow(s, block.cast(), output.at.add(i), n),
                }
            }
            i += block;
        }
    }
    Ok(())
}

/// Elements i .. i + n of the uniform numbers of a key; i is a multiple of 4.
///
/// # Safety
/// `n` values at `to` must be writable.
unsafe fn draw(to: *mut f32, n: usize, i: usize, stream: u32, key0: u32, key1: u32) {
    let mut done = 0;
    while done < n {
        let words = philox(((i + done) / 4) as u32, stream, key0, key1);
        for word in words.iter().take((n - done).min(4)) {
            *to.add(done) = uniform(*word);
            done += 1;
        }
    }
}

kernel! {
    /// Booleans as lanes of 0 or 1.
    ///
    /// # Safety
    /// `n` values at both places must be valid.
    unsafe fn widen(s, from: *const u8, to: *mut i32, n: usize) {
        let mut i = 0;
        while i + S::LANES <= n {
            s.istore(to.add(i), s.load_bytes(from.add(i)));
            i += S::LANES;
        }
        for i in i..n {
            *to.add(i) = i32::from(*from.add(i));
        }
    }
}

kernel! {
    /// Lanes of 0 or 1 as booleans.
    ///
    /// # Safety
    /// `n` values at both places must be valid.
    unsafe fn narrow(s, from: *const i32, to: *mut u8, n: usize) {
        let mut i = 0;
        while i + S::LANES <= n {
            s.store_bytes(to.add(i), s.iload(from.add(i)));
            i += S::LANES;
        }
        for i in i..n {
            *to.add(i) = *from.add(i) as u8;
        }
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
                (true, 1) => std::ptr::copy(block, p, run),
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

fn is_known(code: i32) -> bool {
    (f32_code::NEG..=f32_code::GELU).contains(&code)
        || (f32_code::ADD..=f32_code::FLOOR_DIVIDE).contains(&code)
        || (i32_code::NEG..=i32_code::LOGICAL_NOT).contains(&code)
        || (i32_code::ADD..=i32_code::FLOOR_DIVIDE).contains(&code)
        || (cast_code::F32_TO_I32..=SELECT).contains(&code)
}

/// IEEE pow, where 1 to whatever power, and -1 to an infinite one, is 1.
fn power(x: f32, y: f32) -> f32 {
    if x == 1.0 || (x == -1.0 && y.is_infinite()) {
        return 1.0;
    }
    f64::from(x).powf(f64::from(y)) as f32
}

/// Python's remainder: the sign of the divisor, also of a remainder of 0.
fn floor_mod(a: f64, b: f64) -> f64 {
    let r = a % b;
    if r == 0.0 {
        return if b < 0.0 { -0.0 } else { 0.0 };
    }
    if (r < 0.0) == (b < 0.0) {
        r
    } else {
        r + b
    }
}

/// Python's quotient, from the exact remainder: the rounded quotient may be the integer above.
fn floor_divide(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let r = a % b;
    let q = (a - r) / b - if r != 0.0 && (r < 0.0) != (b < 0.0) { 1.0 } else { 0.0 };
    // The sign of the quotient, which is below 1.
    if q == 0.0 {
        return (a / b) * 0.0;
    }
    let low = q.floor();
    if q - low > 0.5 {
        low + 1.0
    } else {
        low
    }
}

/// A float64 as int32: what is no number is 0.
fn to_int(v: f64) -> i32 {
    if v.is_finite() {
        v as i64 as i32
    } else {
        0
    }
}

kernel! {
    /// One operation over `n` elements. What it writes may be what it reads; a mask of 0 reads the first vector for all elements.
    ///
    /// # Safety
    /// `n` values at all four places must be valid.
    unsafe fn apply(s, code: i32, a: *const f32, b: *const f32, c: *const f32, to: *mut f32, n: usize, ma: usize, mb: usize, mc: usize) {
        macro_rules! lanes {
            (|$x:ident| $value:expr) => {{
                let mut i = 0;
                while i + S::LANES <= n {
                    let $x = s.load(a.add(i & ma));
                    s.store(to.add(i), $value);
                    i += S::LANES;
                }
                if i < n {
                    let $x = s.load_part(a.add(i & ma), n - i);
                    s.store_part(to.add(i), $value, n - i);
                }
            }};
            (|$x:ident, $y:ident| $value:expr) => {{
                let mut i = 0;
                while i + S::LANES <= n {
                    let ($x, $y) = (s.load(a.add(i & ma)), s.load(b.add(i & mb)));
                    s.store(to.add(i), $value);
                    i += S::LANES;
                }
                if i < n {
                    let ($x, $y) = (s.load_part(a.add(i & ma), n - i), s.load_part(b.add(i & mb), n - i));
                    s.store_part(to.add(i), $value, n - i);
                }
            }};
        }
        macro_rules! integers {
            (|$x:ident| $value:expr) => {
                lanes!(|x| {
                    let $x = s.bits(x);
                    s.floats($value)
                })
            };
            (|$x:ident, $y:ident| $value:expr) => {
                lanes!(|x, y| {
                    let ($x, $y) = (s.bits(x), s.bits(y));
                    s.floats($value)
                })
            };
        }
        macro_rules! each {
            (|$x:ident, $y:ident| $value:expr) => {
                for i in 0..n {
                    let ($x, $y) = (*a.add(i & ma), *b.add(i & mb));
                    *to.add(i) = $value;
                }
            };
        }
        let zero = s.splat(0.0);
        let one = s.splat(1.0);
        let infinite = s.splat(f32::INFINITY);
        let izero = s.isplat(0);
        match code {
            f32_code::NEG => lanes!(|x| s.neg(x)),
            f32_code::ABS => lanes!(|x| s.abs(x)),
            f32_code::SIGN => lanes!(|x| {
                // Signed zeros and NaN stay.
                let r = s.select(s.lt(x, zero), s.splat(-1.0), x);
                s.select(s.lt(zero, x), one, r)
            }),
            f32_code::SQUARE => lanes!(|x| s.mul(x, x)),
            f32_code::RELU => lanes!(|x| s.pmax(x, zero)),
            f32_code::FLOOR => lanes!(|x| s.floor(x)),
            f32_code::CEIL => lanes!(|x| s.ceil(x)),
            f32_code::TRUNC => lanes!(|x| s.trunc(x)),
            f32_code::ROUND => lanes!(|x| s.round(x)),
            f32_code::EXP => lanes!(|x| math::exp(s, x)),
            f32_code::EXPM1 => lanes!(|x| math::expm1(s, x)),
            f32_code::LOG => lanes!(|x| math::log(s, x)),
            f32_code::LOG1P => lanes!(|x| math::log1p(s, x)),
            f32_code::SQRT => lanes!(|x| s.sqrt(x)),
            f32_code::RSQRT => lanes!(|x| s.div(one, s.sqrt(x))),
            f32_code::RECIPROCAL => lanes!(|x| s.div(one, x)),
            f32_code::TANH => lanes!(|x| math::tanh(s, x)),
            f32_code::SIGMOID => lanes!(|x| math::sigmoid(s, x)),
            f32_code::SOFTPLUS => lanes!(|x| math::softplus(s, x)),
            f32_code::ERF => lanes!(|x| math::erf(s, x)),
            f32_code::GELU => lanes!(|x| math::gelu(s, x)),
            f32_code::LOGICAL_NOT => lanes!(|x| s.floats(s.truth(s.eq(x, zero)))),
            f32_code::ISNAN => lanes!(|x| s.floats(s.truth(s.ne(x, x)))),
            f32_code::ISINF => lanes!(|x| s.floats(s.truth(s.eq(s.abs(x), infinite)))),
            f32_code::ISFINITE => lanes!(|x| s.floats(s.truth(s.lt(s.abs(x), infinite)))),
            i32_code::NEG => integers!(|x| s.isub(izero, x)),
            i32_code::ABS => integers!(|x| s.imax(x, s.isub(izero, x))),
            i32_code::SQUARE => integers!(|x| s.imul(x, x)),
            i32_code::RELU => integers!(|x| s.imax(x, izero)),
            i32_code::LOGICAL_NOT => integers!(|x| s.truth(s.ieq(x, izero))),
            cast_code::F32_TO_I32 => lanes!(|x| s.floats(s.truncate_sat(x))),
            cast_code::I32_TO_F32 => lanes!(|x| s.convert(s.bits(x))),
            cast_code::F32_TO_BOOL => lanes!(|x| s.floats(s.truth(s.ne(x, zero)))),
            cast_code::I32_TO_BOOL => integers!(|x| s.xor(s.truth(s.ieq(x, izero)), s.isplat(1))),
            cast_code::COPY => lanes!(|x| x),
            f32_code::ADD => lanes!(|x, y| s.add(x, y)),
            f32_code::SUB => lanes!(|x, y| s.sub(x, y)),
            f32_code::MUL => lanes!(|x, y| s.mul(x, y)),
            f32_code::DIV => lanes!(|x, y| s.div(x, y)),
            f32_code::MAXIMUM => lanes!(|x, y| s.maximum(x, y)),
            f32_code::MINIMUM => lanes!(|x, y| s.minimum(x, y)),
            f32_code::DIVIDE_NO_NAN => lanes!(|x, y| s.select(s.eq(y, zero), zero, s.div(x, y))),
            f32_code::EQUAL => lanes!(|x, y| s.floats(s.truth(s.eq(x, y)))),
            f32_code::NOT_EQUAL => lanes!(|x, y| s.floats(s.truth(s.ne(x, y)))),
            f32_code::LESS => lanes!(|x, y| s.floats(s.truth(s.lt(x, y)))),
            f32_code::LESS_EQUAL => lanes!(|x, y| s.floats(s.truth(s.le(x, y)))),
            f32_code::GREATER => lanes!(|x, y| s.floats(s.truth(s.lt(y, x)))),
            f32_code::GREATER_EQUAL => lanes!(|x, y| s.floats(s.truth(s.le(y, x)))),
            f32_code::POW => each!(|x, y| power(x, y)),
            f32_code::MOD => each!(|x, y| floor_mod(f64::from(x), f64::from(y)) as f32),
            f32_code::FLOOR_DIVIDE => each!(|x, y| floor_divide(f64::from(x), f64::from(y)) as f32),
            i32_code::ADD => integers!(|x, y| s.iadd(x, y)),
            i32_code::SUB => integers!(|x, y| s.isub(x, y)),
            i32_code::MUL => integers!(|x, y| s.imul(x, y)),
            i32_code::MAXIMUM => integers!(|x, y| s.imax(x, y)),
            i32_code::MINIMUM => integers!(|x, y| s.imin(x, y)),
            i32_code::EQUAL => integers!(|x, y| s.truth(s.ieq(x, y))),
            i32_code::NOT_EQUAL => integers!(|x, y| s.xor(s.truth(s.ieq(x, y)), s.isplat(1))),
            i32_code::LESS => integers!(|x, y| s.truth(s.igt(y, x))),
            i32_code::LESS_EQUAL => integers!(|x, y| s.xor(s.truth(s.igt(x, y)), s.isplat(1))),
            i32_code::GREATER => integers!(|x, y| s.truth(s.igt(x, y))),
            i32_code::GREATER_EQUAL => integers!(|x, y| s.xor(s.truth(s.igt(y, x)), s.isplat(1))),
            i32_code::LOGICAL_AND => integers!(|x, y| s.and(x, y)),
            i32_code::LOGICAL_OR => integers!(|x, y| s.or(x, y)),
            i32_code::LOGICAL_XOR => integers!(|x, y| s.xor(x, y)),
            i32_code::MOD => each!(|x, y| {
                let r = floor_mod(f64::from(x.to_bits() as i32), f64::from(y.to_bits() as i32));
                f32::from_bits(to_int(r) as u32)
            }),
            i32_code::FLOOR_DIVIDE => each!(|x, y| {
                let q = (f64::from(x.to_bits() as i32) / f64::from(y.to_bits() as i32)).floor();
                f32::from_bits(to_int(q) as u32)
            }),
            SELECT => {
                // a where it is not 0 chooses b, else c.
                let mut i = 0;
                while i + S::LANES <= n {
                    let m = s.ieq(s.bits(s.load(a.add(i & ma))), izero);
                    s.store(to.add(i), s.select(m, s.load(c.add(i & mc)), s.load(b.add(i & mb))));
                    i += S::LANES;
                }
                for i in i..n {
                    *to.add(i) = if (*a.add(i & ma)).to_bits() == 0 { *c.add(i & mc) } else { *b.add(i & mb) };
                }
            }
            _ => unreachable!("operations are checked before they run"),
        }
    }
}
