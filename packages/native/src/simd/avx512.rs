//! Sixteen lanes: AVX-512.

use super::{Simd, Task};
use std::arch::x86_64::*;

/// Had only where the processor has the instructions.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Avx512> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx512(()))
    }
}

/// An intrinsic that reads or writes no memory.
macro_rules! pure {
    ($call:expr) => {
        // SAFETY: a value of this type is proof that the processor has the instructions, and the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Avx512 {
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;
    const LANES: usize = 16;
    const ROWS: usize = 14;
    const VECTORS: usize = 2;
    const ROWS_OF_THREE: usize = 8;
    const ROWS_OF_FOUR: usize = 6;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn inner<T: Task>(task: T) -> T::Output {
            task.call()
        }
        // SAFETY: a value of this type is proof that the processor has the instructions.
        unsafe { inner(task) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        pure!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        _mm512_loadu_ps(p)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        _mm512_storeu_ps(p, v);
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::F {
        _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, p)
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, v: Self::F, n: usize) {
        _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as u16, v);
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        pure!(_mm_prefetch::<_MM_HINT_T0>(p.cast()))
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        pure!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        pure!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        pure!(_mm512_roundscale_ps::<0x09>(a))
    }
    #[inline(always)]
    fn ceil(self, a: Self::F) -> Self::F {
        pure!(_mm512_roundscale_ps::<0x0a>(a))
    }
    #[inline(always)]
    fn trunc(self, a: Self::F) -> Self::F {
        pure!(_mm512_roundscale_ps::<0x0b>(a))
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        pure!(_mm512_roundscale_ps::<0x08>(a))
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b))
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b))
    }
    #[inline(always)]
    fn lt(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn le(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b))
    }
    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        pure!(_mm512_mask_blend_ps(m, no, yes))
    }
    #[inline(always)]
    fn or_masks(self, a: Self::M, b: Self::M) -> Self::M {
        a | b
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        pure!(_mm512_castps_si512(a))
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        pure!(_mm512_castsi512_ps(a))
    }
    #[inline(always)]
    fn isplat(self, x: i32) -> Self::I {
        pure!(_mm512_set1_epi32(x))
    }
    #[inline(always)]
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn isub(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn imul(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn imax(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_max_epi32(a, b))
    }
    #[inline(always)]
    fn imin(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_min_epi32(a, b))
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn xor(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn shl(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm512_sll_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn sra(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm512_sra_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn srl(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm512_srl_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(_mm512_cmpeq_epi32_mask(a, b))
    }
    #[inline(always)]
    fn igt(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(_mm512_cmpgt_epi32_mask(a, b))
    }
    #[inline(always)]
    fn iselect(self, m: Self::M, yes: Self::I, no: Self::I) -> Self::I {
        pure!(_mm512_mask_blend_epi32(m, no, yes))
    }
    #[inline(always)]
    fn convert(self, a: Self::I) -> Self::F {
        pure!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn truncate(self, a: Self::F) -> Self::I {
        pure!(_mm512_cvttps_epi32(a))
    }
    #[inline(always)]
    fn reciprocal(self, x: Self::F) -> Self::F {
        // A division keeps its port busy for sixteen cycles. Fourteen bits, doubled by one step of Newton's method.
        let near = pure!(_mm512_rcp14_ps(x));
        let missing = pure!(_mm512_fnmadd_ps(x, near, _mm512_set1_ps(1.0)));
        self.fma(near, missing, near)
    }
    #[inline(always)]
    fn times_power(self, p: Self::F, shifted: Self::F) -> Self::F {
        let n = self.sub(shifted, self.splat(crate::math::SHIFT));
        pure!(_mm512_scalef_ps(p, n))
    }
    #[inline(always)]
    unsafe fn load_bytes(self, p: *const u8) -> Self::I {
        _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast()))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, p: *mut u8, v: Self::I) {
        _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(v));
    }
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // Four blocks of eight by eight.
        for i in 0..2 {
            for j in 0..2 {
                eight(from.add(8 * (i * from_row + j)), from_row, to.add(8 * (j * to_row + i)), to_row);
            }
        }
    }
}

/// Eight by eight, transposed.
#[inline(always)]
unsafe fn eight(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    let row = |i: usize| _mm256_loadu_ps(from.add(i * from_row));
    let (t0, t1) = (_mm256_unpacklo_ps(row(0), row(1)), _mm256_unpackhi_ps(row(0), row(1)));
    let (t2, t3) = (_mm256_unpacklo_ps(row(2), row(3)), _mm256_unpackhi_ps(row(2), row(3)));
    let (t4, t5) = (_mm256_unpacklo_ps(row(4), row(5)), _mm256_unpackhi_ps(row(4), row(5)));
    let (t6, t7) = (_mm256_unpacklo_ps(row(6), row(7)), _mm256_unpackhi_ps(row(6), row(7)));
    let (u0, u1) = (_mm256_shuffle_ps::<0x44>(t0, t2), _mm256_shuffle_ps::<0xee>(t0, t2));
    let (u2, u3) = (_mm256_shuffle_ps::<0x44>(t1, t3), _mm256_shuffle_ps::<0xee>(t1, t3));
    let (u4, u5) = (_mm256_shuffle_ps::<0x44>(t4, t6), _mm256_shuffle_ps::<0xee>(t4, t6));
    let (u6, u7) = (_mm256_shuffle_ps::<0x44>(t5, t7), _mm256_shuffle_ps::<0xee>(t5, t7));
    for (i, (a, b)) in [(u0, u4), (u1, u5), (u2, u6), (u3, u7)].into_iter().enumerate() {
        _mm256_storeu_ps(to.add(i * to_row), _mm256_permute2f128_ps::<0x20>(a, b));
        _mm256_storeu_ps(to.add((i + 4) * to_row), _mm256_permute2f128_ps::<0x31>(a, b));
    }
}
