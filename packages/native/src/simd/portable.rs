//! Four lanes in plain Rust: for processors without the others, and for tests.

use super::{Simd, Task};

#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn zip<A: Copy, B: Copy, C>(a: [A; 4], b: [B; 4], f: impl Fn(A, B) -> C) -> [C; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

#[inline(always)]
fn pick<A: Copy>(m: [bool; 4], a: [A; 4], b: [A; 4]) -> [A; 4] {
    std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
}

impl Simd for Portable {
    type F = [f32; 4];
    type I = [i32; 4];
    type M = [bool; 4];
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const VECTORS: usize = 2;
    const ROWS_OF_THREE: usize = 2;
    const ROWS_OF_FOUR: usize = 2;

    // A function of its own, as on the other instruction sets: where its numbers were constants of who calls it, LLVM 22 (its vectorizer of straight lines, "slp")
    // made wrong words of Philox, which the tests of random numbers found.
    #[inline(never)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        task.call()
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        p.cast::<[f32; 4]>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        p.cast::<[f32; 4]>().write_unaligned(v);
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::F {
        let mut v = [0f32; 4];
        for (i, x) in v.iter_mut().enumerate().take(n) {
            *x = *p.add(i);
        }
        v
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, v: Self::F, n: usize) {
        for (i, x) in v.iter().enumerate().take(n) {
            *p.add(i) = *x;
        }
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x + y)
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x - y)
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x * y)
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x / y)
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        a.map(f32::floor)
    }
    #[inline(always)]
    fn ceil(self, a: Self::F) -> Self::F {
        a.map(f32::ceil)
    }
    #[inline(always)]
    fn trunc(self, a: Self::F) -> Self::F {
        a.map(f32::trunc)
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        a.map(f32::round_ties_even)
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| if x < y { x } else { y })
    }
    #[inline(always)]
    fn eq(self, a: Self::F, b: Self::F) -> Self::M {
        zip(a, b, |x, y| x == y)
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        zip(a, b, |x, y| x != y)
    }
    #[inline(always)]
    fn lt(self, a: Self::F, b: Self::F) -> Self::M {
        zip(a, b, |x, y| x < y)
    }
    #[inline(always)]
    fn le(self, a: Self::F, b: Self::F) -> Self::M {
        zip(a, b, |x, y| x <= y)
    }
    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        pick(m, yes, no)
    }
    #[inline(always)]
    fn or_masks(self, a: Self::M, b: Self::M) -> Self::M {
        zip(a, b, |x, y| x | y)
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        a.map(|x| x.to_bits() as i32)
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        a.map(|x| f32::from_bits(x as u32))
    }
    #[inline(always)]
    fn isplat(self, x: i32) -> Self::I {
        [x; 4]
    }
    #[inline(always)]
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn isub(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_sub)
    }
    #[inline(always)]
    fn imul(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    fn imax(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::max)
    }
    #[inline(always)]
    fn imin(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::min)
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |x, y| x & y)
    }
    #[inline(always)]
    fn or(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |x, y| x | y)
    }
    #[inline(always)]
    fn xor(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |x, y| x ^ y)
    }
    #[inline(always)]
    fn shl(self, a: Self::I, n: i32) -> Self::I {
        a.map(|x| x << n)
    }
    #[inline(always)]
    fn sra(self, a: Self::I, n: i32) -> Self::I {
        a.map(|x| x >> n)
    }
    #[inline(always)]
    fn srl(self, a: Self::I, n: i32) -> Self::I {
        a.map(|x| ((x as u32) >> n) as i32)
    }
    #[inline(always)]
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M {
        zip(a, b, |x, y| x == y)
    }
    #[inline(always)]
    fn igt(self, a: Self::I, b: Self::I) -> Self::M {
        zip(a, b, |x, y| x > y)
    }
    #[inline(always)]
    fn iselect(self, m: Self::M, yes: Self::I, no: Self::I) -> Self::I {
        pick(m, yes, no)
    }
    #[inline(always)]
    fn convert(self, a: Self::I) -> Self::F {
        a.map(|x| x as f32)
    }
    #[inline(always)]
    fn truncate(self, a: Self::F) -> Self::I {
        a.map(|x| x as i32)
    }
}
