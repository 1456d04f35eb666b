//! What a chain does with a few vectors: steps of an accumulator, so that a value goes from one operation to the next without leaving registers.

use super::functions::long;
use crate::commands::{cast_code, f32_code, i32_code, SELECT};
use crate::kernels::ahead::ask_near;
use crate::simd::{Simd, Task};

/// An operation on registers, as commands have it.
pub struct Operation {
    pub code: i32,
    pub to: usize,
    pub a: usize,
    pub b: usize,
    pub c: usize,
}

/// The accumulator becomes the value at p.
const LOAD: i32 = 110;
/// The value at p becomes the accumulator.
const STORE: i32 = 111;
/// The same of booleans in memory, a byte each, which are lanes of 0 or 1.
const LOAD_BYTES: i32 = 114;
const STORE_BYTES: i32 = 115;
/// The accumulator becomes that at p less, or divided by, itself.
const SUB_FROM: i32 = 112;
const DIV_INTO: i32 = 113;

/// The accumulator becomes what the code makes of it and of the values at the places p and q.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub code: i32,
    pub p: usize,
    pub q: usize,
}

pub fn is_known(code: i32) -> bool {
    [f32_code::UNARY, f32_code::BINARY, i32_code::UNARY, i32_code::BINARY, cast_code::UNARY].iter().any(|codes| codes.contains(&code))
        || code == SELECT
}

/// How many operands an operation has.
fn operands(code: i32) -> usize {
    match code {
        SELECT => 3,
        _ if f32_code::BINARY.contains(&code) || i32_code::BINARY.contains(&code) => 2,
        _ => 1,
    }
}

/// The step that computes an operation of two operands with the second in the accumulator, if there is one.
fn reversed(code: i32) -> Option<i32> {
    match code {
        f32_code::ADD | f32_code::MUL | f32_code::EQUAL | f32_code::NOT_EQUAL => Some(code),
        i32_code::ADD | i32_code::MUL | i32_code::MAXIMUM | i32_code::MINIMUM | i32_code::EQUAL | i32_code::NOT_EQUAL => Some(code),
        i32_code::LOGICAL_AND | i32_code::LOGICAL_OR | i32_code::LOGICAL_XOR => Some(code),
        f32_code::LESS => Some(f32_code::GREATER),
        f32_code::LESS_EQUAL => Some(f32_code::GREATER_EQUAL),
        f32_code::GREATER => Some(f32_code::LESS),
        f32_code::GREATER_EQUAL => Some(f32_code::LESS_EQUAL),
        f32_code::SUB => Some(SUB_FROM),
        f32_code::DIV => Some(DIV_INTO),
        _ => None,
    }
}

impl Operation {
    /// How many of its operands are a register.
    pub fn reads(&self, register: usize) -> usize {
        [self.a, self.b, self.c].iter().take(operands(self.code)).filter(|r| **r == register).count()
    }

    /// Can it take a register from the accumulator, and needs it nowhere else?
    fn takes(&self, register: usize) -> bool {
        self.reads(register) == 1
            && (self.a == register || (self.b == register && operands(self.code) == 2 && reversed(self.code).is_some()))
    }

    /// The index of the last of some operations that reads a register before it is written again.
    fn last_use(register: usize, after: &[Operation]) -> Option<usize> {
        let mut last = None;
        for (k, one) in after.iter().enumerate() {
            if one.reads(register) > 0 {
                last = Some(k);
            }
            if one.to == register {
                break;
            }
        }
        last
    }
}

/// The steps of some operations. Places are registers; what nobody but the next operation reads is not written to one, unless it is kept.
pub fn plan(operations: &[Operation], kept: impl Fn(usize) -> bool) -> Vec<Step> {
    let mut steps = Vec::with_capacity(2 * operations.len());
    // The register whose value the accumulator has.
    let mut held = None;
    for (k, one) in operations.iter().enumerate() {
        let takes = |register: usize| held == Some(register) && one.takes(register);
        if takes(one.a) {
            steps.push(Step { code: one.code, p: one.b, q: one.c });
        } else if takes(one.b) {
            // `takes` says that there is such a step.
            steps.push(Step { code: reversed(one.code).unwrap_or(one.code), p: one.a, q: one.a });
        } else {
            steps.push(load(one.a));
            steps.push(Step { code: one.code, p: one.b, q: one.c });
        }
        held = Some(one.to);
        let after = &operations[k + 1..];
        let handed = after.first().is_some_and(|next| next.takes(one.to));
        let read = match Operation::last_use(one.to, after) {
            None => false,
            Some(last) => last > 0 || !handed,
        };
        if read || kept(one.to) {
            steps.push(store(one.to));
        }
    }
    steps
}

/// Steps that copy a place to another.
pub fn copy(from: usize, to: usize) -> [Step; 2] {
    [load(from), store(to)]
}

/// Steps that widen booleans.
pub fn widen(from: usize, to: usize) -> [Step; 2] {
    [Step { code: LOAD_BYTES, p: from, q: from }, store(to)]
}

/// Steps that narrow booleans.
pub fn narrow(from: usize, to: usize) -> [Step; 2] {
    [load(from), Step { code: STORE_BYTES, p: to, q: to }]
}

fn load(from: usize) -> Step {
    Step { code: LOAD, p: from, q: from }
}

fn store(to: usize) -> Step {
    Step { code: STORE, p: to, q: to }
}

/// Where element i of a value lies: `at + (i & moves)`, in elements of four bytes or, of booleans in memory, one.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: *mut f32,
    pub moves: usize,
}

/// A step with the places that it means.
#[derive(Clone, Copy)]
pub struct Resolved {
    code: i32,
    p: Place,
    q: Place,
}

pub fn resolve(steps: &[Step], places: &[Place]) -> Vec<Resolved> {
    steps.iter().map(|step| Resolved { code: step.code, p: places[step.p], q: places[step.q] }).collect()
}

/// Vectors that steps take together: as many as leave registers for what operations need beside them.
const TOGETHER: usize = 8;

/// Elements that steps take together.
pub const fn width<S: Simd>() -> usize {
    TOGETHER * S::LANES
}

/// The most that `width` gives.
const WIDEST: usize = 16 * TOGETHER;

/// Elements from those that steps compute to those that they ask for.
const AHEAD: usize = 512;

/// Runs steps for the elements `from` to `until`, whose number is a multiple of `width`. `asked`: where values of four bytes lie that are asked for ahead.
///
/// # Safety
/// All places must be valid for these elements, and for whole widths where they do not move.
pub unsafe fn run<S: Simd>(s: S, steps: &[Resolved], asked: &[*mut f32], from: usize, until: usize) {
    s.vectorize(Run { s, steps, asked, from, until });
}

struct Run<'a, S> {
    s: S,
    steps: &'a [Resolved],
    asked: &'a [*mut f32],
    from: usize,
    until: usize,
}

impl<S: Simd> Task for Run<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Run { s, steps, asked, from, until } = self;
        let zero = s.splat(0.0);
        let mut acc = [zero; TOGETHER];
        let mut i = from;
        while i < until {
            for at in asked {
                ask_near(s, at.wrapping_add(i + AHEAD), TOGETHER * S::LANES);
            }
            for step in steps {
                let p = step.p.at.wrapping_add(i & step.p.moves);
                macro_rules! lanes {
                    (|$x:ident| $value:expr) => {
                        for v in &mut acc {
                            let $x = *v;
                            *v = $value;
                        }
                    };
                    (|$x:ident, $y:ident| $value:expr) => {
                        for (k, v) in acc.iter_mut().enumerate() {
                            // SAFETY: the caller keeps that a whole width is valid here.
                            let ($x, $y) = (*v, unsafe { s.load(p.add(k * S::LANES)) });
                            *v = $value;
                        }
                    };
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
                match step.code {
                    LOAD => {
                        for (k, v) in acc.iter_mut().enumerate() {
                            // SAFETY: as above.
                            *v = unsafe { s.load(p.add(k * S::LANES)) };
                        }
                    }
                    STORE => {
                        for (k, v) in acc.iter().enumerate() {
                            // SAFETY: as above.
                            unsafe { s.store(p.add(k * S::LANES), *v) };
                        }
                    }
                    LOAD_BYTES => {
                        let p = step.p.at.cast::<u8>().wrapping_add(i & step.p.moves);
                        for (k, v) in acc.iter_mut().enumerate() {
                            // SAFETY: as above, of bytes.
                            *v = s.floats(unsafe { s.load_bytes(p.add(k * S::LANES)) });
                        }
                    }
                    STORE_BYTES => {
                        let p = step.p.at.cast::<u8>().wrapping_add(i & step.p.moves);
                        for (k, v) in acc.iter().enumerate() {
                            // SAFETY: as above, of bytes.
                            unsafe { s.store_bytes(p.add(k * S::LANES), s.bits(*v)) };
                        }
                    }
                    SUB_FROM => lanes!(|x, y| s.sub(y, x)),
                    DIV_INTO => lanes!(|x, y| s.div(y, x)),
                    f32_code::NEG => lanes!(|x| s.neg(x)),
                    f32_code::ABS => lanes!(|x| s.abs(x)),
                    f32_code::SIGN => lanes!(|x| {
                        // Signed zeros and NaN stay.
                        let r = s.select(s.lt(x, zero), s.splat(-1.0), x);
                        s.select(s.lt(zero, x), s.splat(1.0), r)
                    }),
                    f32_code::SQUARE => lanes!(|x| s.mul(x, x)),
                    f32_code::RELU => lanes!(|x| s.pmax(x, zero)),
                    f32_code::FLOOR => lanes!(|x| s.floor(x)),
                    f32_code::CEIL => lanes!(|x| s.ceil(x)),
                    f32_code::TRUNC => lanes!(|x| s.trunc(x)),
                    f32_code::ROUND => lanes!(|x| s.round(x)),
                    f32_code::SQRT => lanes!(|x| s.sqrt(x)),
                    f32_code::RSQRT => lanes!(|x| s.div(s.splat(1.0), s.sqrt(x))),
                    f32_code::RECIPROCAL => lanes!(|x| s.div(s.splat(1.0), x)),
                    f32_code::LOGICAL_NOT => lanes!(|x| s.floats(s.truth(s.eq(x, zero)))),
                    f32_code::ISNAN => lanes!(|x| s.floats(s.truth(s.ne(x, x)))),
                    f32_code::ISINF => lanes!(|x| s.floats(s.truth(s.eq(s.abs(x), s.splat(f32::INFINITY))))),
                    f32_code::ISFINITE => lanes!(|x| s.floats(s.truth(s.lt(s.abs(x), s.splat(f32::INFINITY))))),
                    i32_code::NEG => integers!(|x| s.isub(s.isplat(0), x)),
                    i32_code::ABS => integers!(|x| s.imax(x, s.isub(s.isplat(0), x))),
                    i32_code::SQUARE => integers!(|x| s.imul(x, x)),
                    i32_code::RELU => integers!(|x| s.imax(x, s.isplat(0))),
                    i32_code::LOGICAL_NOT => integers!(|x| s.truth(s.ieq(x, s.isplat(0)))),
                    cast_code::F32_TO_I32 => lanes!(|x| s.floats(s.truncate_sat(x))),
                    cast_code::I32_TO_F32 => lanes!(|x| s.convert(s.bits(x))),
                    cast_code::F32_TO_BOOL => lanes!(|x| s.floats(s.truth(s.ne(x, zero)))),
                    cast_code::I32_TO_BOOL => integers!(|x| s.xor(s.truth(s.ieq(x, s.isplat(0))), s.isplat(1))),
                    cast_code::COPY => {}
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
                    SELECT => {
                        // What is not 0 chooses p, else q.
                        let q = step.q.at.wrapping_add(i & step.q.moves);
                        for (k, v) in acc.iter_mut().enumerate() {
                            // SAFETY: as above.
                            let (yes, no) = unsafe { (s.load(p.add(k * S::LANES)), s.load(q.add(k * S::LANES))) };
                            *v = s.select(s.ieq(s.bits(*v), s.isplat(0)), no, yes);
                        }
                    }
                    code => {
                        let mut tile = [0f32; WIDEST];
                        // SAFETY: a tile has room for a whole width; p is valid for one.
                        unsafe {
                            for (k, v) in acc.iter().enumerate() {
                                s.store(tile.as_mut_ptr().add(k * S::LANES), *v);
                            }
                            long(s, code, tile.as_mut_ptr(), p, TOGETHER * S::LANES);
                            for (k, v) in acc.iter_mut().enumerate() {
                                *v = s.load(tile.as_ptr().add(k * S::LANES));
                            }
                        }
                    }
                }
            }
            i += TOGETHER * S::LANES;
        }
    }
}
