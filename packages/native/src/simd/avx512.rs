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
    fn prefetch_far(self, p: *const f32) {
        pure!(_mm_prefetch::<_MM_HINT_T1>(p.cast()))
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
        // Four columns at a time, a quarter of each vector for four rows: squares of four by four within the quarters are all that is left to transpose.
        // Inserting from memory leaves the port of the shuffles free, and little is kept in registers.
        for j in (0..16).step_by(4) {
            let at = from.add(j);
            let (a, b) = (quarters(at, from_row), quarters(at.add(from_row), from_row));
            let (c, d) = (quarters(at.add(2 * from_row), from_row), quarters(at.add(3 * from_row), from_row));
            let (t0, t1) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (t2, t3) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let to = to.add(j * to_row);
            _mm512_storeu_ps(to, _mm512_shuffle_ps::<0x44>(t0, t2));
            _mm512_storeu_ps(to.add(to_row), _mm512_shuffle_ps::<0xee>(t0, t2));
            _mm512_storeu_ps(to.add(2 * to_row), _mm512_shuffle_ps::<0x44>(t1, t3));
            _mm512_storeu_ps(to.add(3 * to_row), _mm512_shuffle_ps::<0xee>(t1, t3));
        }
    }

    #[inline(always)]
    fn mul_wide(self, a: Self::I, m: u32) -> (Self::I, Self::I) {
        pure!({
            let m = _mm512_set1_epi32(m as i32);
            let (even, odd) = (_mm512_mul_epu32(a, m), _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), m));
            let high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd);
            (high, _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd)))
        })
    }
    // Left to itself, the compiler scatters each word.
    #[inline(always)]
    unsafe fn interleave(self, [a, b, c, d]: [Self::I; 4], to: *mut i32) {
        let (t0, t1) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (t2, t3) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        // Quarter q of these has lane 4 q, 4 q + 1, ... of all four.
        let (u0, u1) = (_mm512_unpacklo_epi64(t0, t2), _mm512_unpackhi_epi64(t0, t2));
        let (u2, u3) = (_mm512_unpacklo_epi64(t1, t3), _mm512_unpackhi_epi64(t1, t3));
        for (i, quarters) in fours([u0, u1, u2, u3]).into_iter().enumerate() {
            _mm512_storeu_si512(to.add(16 * i).cast(), quarters);
        }
    }
}

/// Quarter j of vector i becomes quarter i of vector j.
#[inline(always)]
unsafe fn fours([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (low, high) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let (lower, higher) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(low, lower),
        _mm512_shuffle_i32x4::<0xdd>(low, lower),
        _mm512_shuffle_i32x4::<0x88>(high, higher),
        _mm512_shuffle_i32x4::<0xdd>(high, higher),
    ]
}

/// Four floats of each of four rows, four rows apart.
#[inline(always)]
unsafe fn quarters(from: *const f32, row: usize) -> __m512 {
    let first = _mm512_castps128_ps512(_mm_loadu_ps(from));
    let two = _mm512_insertf32x4::<1>(first, _mm_loadu_ps(from.add(4 * row)));
    let three = _mm512_insertf32x4::<2>(two, _mm_loadu_ps(from.add(8 * row)));
    _mm512_insertf32x4::<3>(three, _mm_loadu_ps(from.add(12 * row)))
}
