//! Four lanes: NEON, which every 64-bit ARM processor has.

use super::{Simd, Task};
use std::arch::aarch64::*;

/// Had only where the processor has the instructions.
#[derive(Clone, Copy)]
pub struct Neon(());

impl Neon {
    pub fn detect() -> Option<Neon> {
        Some(Neon(()))
    }
}

/// An intrinsic that reads or writes no memory.
macro_rules! pure {
    ($call:expr) => {
        // SAFETY: a value of this type is proof that the processor has the instructions, and the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Neon {
    type F = float32x4_t;
    type I = int32x4_t;
    type M = uint32x4_t;
    const LANES: usize = 4;
    const ROWS: usize = 6;
    const VECTORS: usize = 4;
    const ROWS_OF_THREE: usize = 8;
    const ROWS_OF_FOUR: usize = 6;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "neon")]
        unsafe fn inner<T: Task>(task: T) -> T::Output {
            task.call()
        }
        // SAFETY: a value of this type is proof that the processor has the instructions.
        unsafe { inner(task) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        pure!(vdupq_n_f32(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        vld1q_f32(p)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        vst1q_f32(p, v);
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::F {
        let mut values = [0f32; 4];
        for (i, value) in values.iter_mut().enumerate().take(n) {
            *value = *p.add(i);
        }
        vld1q_f32(values.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_part(self, mut p: *mut f32, v: Self::F, n: usize) {
        if n >= Self::LANES {
            return self.store(p, v);
        }
        let mut low = vget_low_f32(v);
        if n & 2 != 0 {
            vst1_f32(p, low);
            low = vget_high_f32(v);
            p = p.add(2);
        }
        if n & 1 != 0 {
            vst1_lane_f32::<0>(p, low);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vdivq_f32(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        pure!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        pure!(vsqrtq_f32(a))
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        pure!(vrndmq_f32(a))
    }
    #[inline(always)]
    fn ceil(self, a: Self::F) -> Self::F {
        pure!(vrndpq_f32(a))
    }
    #[inline(always)]
    fn trunc(self, a: Self::F) -> Self::F {
        pure!(vrndq_f32(a))
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        pure!(vrndnq_f32(a))
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(vceqq_f32(a, b))
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(vmvnq_u32(vceqq_f32(a, b)))
    }
    #[inline(always)]
    fn lt(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(vcltq_f32(a, b))
    }
    #[inline(always)]
    fn le(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(vcleq_f32(a, b))
    }
    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        pure!(vbslq_f32(m, yes, no))
    }
    #[inline(always)]
    fn or_masks(self, a: Self::M, b: Self::M) -> Self::M {
        pure!(vorrq_u32(a, b))
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        pure!(vreinterpretq_s32_f32(a))
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        pure!(vreinterpretq_f32_s32(a))
    }
    #[inline(always)]
    fn isplat(self, x: i32) -> Self::I {
        pure!(vdupq_n_s32(x))
    }
    #[inline(always)]
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vaddq_s32(a, b))
    }
    #[inline(always)]
    fn isub(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vsubq_s32(a, b))
    }
    #[inline(always)]
    fn imul(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vmulq_s32(a, b))
    }
    #[inline(always)]
    fn imax(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vmaxq_s32(a, b))
    }
    #[inline(always)]
    fn imin(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vminq_s32(a, b))
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vandq_s32(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(vorrq_s32(a, b))
    }
    #[inline(always)]
    fn xor(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(veorq_s32(a, b))
    }
    #[inline(always)]
    fn shl(self, a: Self::I, n: i32) -> Self::I {
        pure!(vshlq_s32(a, vdupq_n_s32(n)))
    }
    #[inline(always)]
    fn sra(self, a: Self::I, n: i32) -> Self::I {
        pure!(vshlq_s32(a, vdupq_n_s32(-n)))
    }
    #[inline(always)]
    fn srl(self, a: Self::I, n: i32) -> Self::I {
        pure!(vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n))))
    }
    #[inline(always)]
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(vceqq_s32(a, b))
    }
    #[inline(always)]
    fn igt(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(vcgtq_s32(a, b))
    }
    #[inline(always)]
    fn iselect(self, m: Self::M, yes: Self::I, no: Self::I) -> Self::I {
        pure!(vbslq_s32(m, yes, no))
    }
    #[inline(always)]
    fn convert(self, a: Self::I) -> Self::F {
        pure!(vcvtq_f32_s32(a))
    }
    #[inline(always)]
    fn truncate(self, a: Self::F) -> Self::I {
        pure!(vcvtq_s32_f32(a))
    }
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        let (r0, r1) = (vld1q_f32(from), vld1q_f32(from.add(from_row)));
        let (r2, r3) = (vld1q_f32(from.add(2 * from_row)), vld1q_f32(from.add(3 * from_row)));
        let (a, b) = (vtrn1q_f32(r0, r1), vtrn2q_f32(r0, r1));
        let (c, d) = (vtrn1q_f32(r2, r3), vtrn2q_f32(r2, r3));
        let pairs = |x: float32x4_t, y: float32x4_t| (vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y));
        for (i, (x, y)) in [(a, c), (b, d)].into_iter().enumerate() {
            let (x, y) = pairs(x, y);
            vst1q_f32(to.add(i * to_row), vreinterpretq_f32_f64(vtrn1q_f64(x, y)));
            vst1q_f32(to.add((i + 2) * to_row), vreinterpretq_f32_f64(vtrn2q_f64(x, y)));
        }
    }
    #[inline(always)]
    fn mul_wide(self, a: Self::I, m: u32) -> (Self::I, Self::I) {
        pure!({
            let (a, m) = (vreinterpretq_u32_s32(a), vdupq_n_u32(m));
            let low = vreinterpretq_s32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(m)));
            let high = vreinterpretq_s32_u64(vmull_high_u32(a, m));
            (vuzp2q_s32(low, high), vuzp1q_s32(low, high))
        })
    }
    #[inline(always)]
    unsafe fn interleave(self, [a, b, c, d]: [Self::I; 4], to: *mut i32) {
        vst4q_s32(to, int32x4x4_t(a, b, c, d));
    }
}
