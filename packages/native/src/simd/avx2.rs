//! Eight lanes: AVX2 with fused multiply-add.

use super::{Simd, Task};
use std::arch::x86_64::*;

/// Had only where the processor has the instructions.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

/// An intrinsic that reads or writes no memory.
macro_rules! pure {
    ($call:expr) => {
        // SAFETY: a value of this type is proof that the processor has the instructions, and the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Avx2 {
    type F = __m256;
    type I = __m256i;
    type M = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const VECTORS: usize = 2;
    // Four would take all sixteen registers, and the compiler spills a sum in the innermost loop.
    const ROWS_OF_THREE: usize = 3;
    const ROWS_OF_FOUR: usize = 3;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn inner<T: Task>(task: T) -> T::Output {
            task.call()
        }
        // SAFETY: a value of this type is proof that the processor has the instructions.
        unsafe { inner(task) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        pure!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::F {
        _mm256_loadu_ps(p)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::F) {
        _mm256_storeu_ps(p, v);
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::F {
        let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        _mm256_maskload_ps(p, mask)
    }
    #[inline(always)]
    unsafe fn store_part(self, mut p: *mut f32, v: Self::F, n: usize) {
        // Four, two and one: a masked store takes some twenty cycles on AMD's processors.
        let mut v = v;
        if n >= Self::LANES {
            return self.store(p, v);
        }
        if n & 4 != 0 {
            _mm_storeu_ps(p, _mm256_castps256_ps128(v));
            v = _mm256_permute2f128_ps::<0x11>(v, v);
            p = p.add(4);
        }
        let mut low = _mm256_castps256_ps128(v);
        if n & 2 != 0 {
            _mm_storel_pd(p.cast(), _mm_castps_pd(low));
            low = _mm_movehl_ps(low, low);
            p = p.add(2);
        }
        if n & 1 != 0 {
            _mm_store_ss(p, low);
        }
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        pure!(_mm_prefetch::<_MM_HINT_T0>(p.cast()))
    }
    #[inline(always)]
    fn prefetch_far(self, p: *const f32) {
        pure!(_mm_prefetch::<_MM_HINT_T1>(p.cast()))
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        pure!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        pure!(_mm256_sqrt_ps(a))
    }
    #[inline(always)]
    fn floor(self, a: Self::F) -> Self::F {
        pure!(_mm256_floor_ps(a))
    }
    #[inline(always)]
    fn ceil(self, a: Self::F) -> Self::F {
        pure!(_mm256_ceil_ps(a))
    }
    #[inline(always)]
    fn trunc(self, a: Self::F) -> Self::F {
        pure!(_mm256_round_ps::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        pure!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        pure!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b))
    }
    #[inline(always)]
    fn ne(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b))
    }
    #[inline(always)]
    fn lt(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn le(self, a: Self::F, b: Self::F) -> Self::M {
        pure!(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b))
    }
    #[inline(always)]
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F {
        pure!(_mm256_blendv_ps(no, yes, m))
    }
    #[inline(always)]
    fn or_masks(self, a: Self::M, b: Self::M) -> Self::M {
        pure!(_mm256_or_ps(a, b))
    }
    #[inline(always)]
    fn bits(self, a: Self::F) -> Self::I {
        pure!(_mm256_castps_si256(a))
    }
    #[inline(always)]
    fn floats(self, a: Self::I) -> Self::F {
        pure!(_mm256_castsi256_ps(a))
    }
    #[inline(always)]
    fn isplat(self, x: i32) -> Self::I {
        pure!(_mm256_set1_epi32(x))
    }
    #[inline(always)]
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn isub(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_sub_epi32(a, b))
    }
    #[inline(always)]
    fn imul(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn imax(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_max_epi32(a, b))
    }
    #[inline(always)]
    fn imin(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_min_epi32(a, b))
    }
    #[inline(always)]
    fn and(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn xor(self, a: Self::I, b: Self::I) -> Self::I {
        pure!(_mm256_xor_si256(a, b))
    }
    #[inline(always)]
    fn shl(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm256_sll_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn sra(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm256_sra_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn srl(self, a: Self::I, n: i32) -> Self::I {
        pure!(_mm256_srl_epi32(a, _mm_cvtsi32_si128(n)))
    }
    #[inline(always)]
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(_mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)))
    }
    #[inline(always)]
    fn igt(self, a: Self::I, b: Self::I) -> Self::M {
        pure!(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)))
    }
    #[inline(always)]
    fn iselect(self, m: Self::M, yes: Self::I, no: Self::I) -> Self::I {
        pure!(_mm256_blendv_epi8(no, yes, _mm256_castps_si256(m)))
    }
    #[inline(always)]
    fn convert(self, a: Self::I) -> Self::F {
        pure!(_mm256_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn truncate(self, a: Self::F) -> Self::I {
        pure!(_mm256_cvttps_epi32(a))
    }
    #[inline(always)]
    unsafe fn load_bytes(self, p: *const u8) -> Self::I {
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast()))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, p: *mut u8, v: Self::I) {
        let low = _mm256_and_si256(v, _mm256_set1_epi32(255));
        let words = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
        _mm_storel_epi64(p.cast(), _mm_packus_epi16(words, words));
    }
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
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
    #[inline(always)]
    fn mul_wide(self, a: Self::I, m: u32) -> (Self::I, Self::I) {
        pure!({
            let m = _mm256_set1_epi32(m as i32);
            let (even, odd) = (_mm256_mul_epu32(a, m), _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), m));
            let high = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(even), odd);
            (high, _mm256_blend_epi32::<0xaa>(even, _mm256_slli_epi64::<32>(odd)))
        })
    }
    #[inline(always)]
    unsafe fn interleave(self, [a, b, c, d]: [Self::I; 4], to: *mut i32) {
        let (t0, t1) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
        let (t2, t3) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
        // Half h of these has lane 4 h, 4 h + 1, ... of all four.
        let (u0, u1) = (_mm256_unpacklo_epi64(t0, t2), _mm256_unpackhi_epi64(t0, t2));
        let (u2, u3) = (_mm256_unpacklo_epi64(t1, t3), _mm256_unpackhi_epi64(t1, t3));
        for (i, (a, b)) in [(u0, u1), (u2, u3)].into_iter().enumerate() {
            _mm256_storeu_si256(to.add(8 * i).cast(), _mm256_permute2x128_si256::<0x20>(a, b));
            _mm256_storeu_si256(to.add(8 * (i + 2)).cast(), _mm256_permute2x128_si256::<0x31>(a, b));
        }
    }
}
