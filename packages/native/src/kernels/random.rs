//! Philox 4x32-10 (Salmon et al., SC 2011): four words of a stream from a counter and a key.

use crate::kernel;
use crate::memory::{Checked, Operands};
use crate::simd::Simd;
use crate::team::Worker;

const M0: u32 = 0xd251_1f53;
const M1: u32 = 0xcd9e_8d57;
const W0: u32 = 0x9e37_79b9;
const W1: u32 = 0xbb67_ae85;

/// The blocks of `N * LANES` counters from `c` on, lane by lane: their words in the order of the stream. Block c: counter (c, 0, 0, stream) under the key.
/// A word as uniform float32 has 24 bits, in [0, 1).
///
/// # Safety
/// `4 * N * LANES` words at `to` must be writable.
#[inline(always)]
unsafe fn blocks<S: Simd, const N: usize>(s: S, to: *mut u32, c: usize, stream: u32, key0: u32, key1: u32, as_uniform: bool) {
    let count = s.iload([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].as_ptr());
    let zero = s.isplat(0);
    // Several vectors, so that one is computed while another waits for its products.
    let mut all = [[zero, zero, zero, s.isplat(stream as i32)]; N];
    for (i, four) in all.iter_mut().enumerate() {
        four[0] = s.iadd(s.isplat((c + i * S::LANES) as i32), count);
    }
    let (mut k0, mut k1) = (key0, key1);
    for _ in 0..10 {
        for four in &mut all {
            let [c0, c1, c2, c3] = *four;
            let (p_high, p_low) = s.mul_wide(c0, M0);
            let (q_high, q_low) = s.mul_wide(c2, M1);
            *four = [s.xor(s.xor(q_high, c1), s.isplat(k0 as i32)), q_low, s.xor(s.xor(p_high, c3), s.isplat(k1 as i32)), p_low];
        }
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    for (i, four) in all.iter_mut().enumerate() {
        if as_uniform {
            for words in four.iter_mut() {
                *words = s.bits(s.mul(s.convert(s.srl(*words, 8)), s.splat(1.0 / 16_777_216.0)));
            }
        }
        s.interleave(*four, to.add(4 * i * S::LANES).cast());
    }
}

kernel! {
    /// Words i .. i + n of a stream, or uniform float32 of them; i is a multiple of 4.
    ///
    /// # Safety
    /// `n` words at `to` must be writable.
    pub unsafe fn draw(s, to: *mut u32, i: usize, n: usize, stream: u32, key0: u32, key1: u32, as_uniform: bool) {
        let mut done = 0;
        while done + 8 * S::LANES <= n {
            blocks::<S, 2>(s, to.add(done), (i + done) / 4, stream, key0, key1, as_uniform);
            done += 8 * S::LANES;
        }
        while done < n {
            let mut words = [0u32; 64];
            blocks::<S, 1>(s, words.as_mut_ptr(), (i + done) / 4, stream, key0, key1, as_uniform);
            let some = (n - done).min(4 * S::LANES);
            std::ptr::copy_nonoverlapping(words.as_ptr(), to.add(done), some);
            done += some;
        }
    }
}

/// [count, key, to, uniform, stream]: raw words, or uniform float32. The key is two int32.
pub fn random<S: Simd>(s: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::random as w;
    let count = o.size(w::COUNT)?;
    let key = o.ints(w::KEY, 2)?;
    let to = o.ints(w::TO, count)?;
    let as_uniform = o.flag(w::UNIFORM)?;
    let number = o.int(w::STREAM)? as u32;
    let (first, last) = worker.share(count.div_ceil(4));
    let (i, end) = (first * 4, count.min(last * 4));
    if i < end {
        // SAFETY: the ranges were checked, and shares do not overlap.
        unsafe { draw(s, to.cast::<u32>().add(i), i, end - i, number, *key as u32, *key.add(1) as u32, as_uniform) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One block of four words: counter (c, 0, 0, stream) under a key.
    fn philox(c: u32, stream: u32, key0: u32, key1: u32) -> [u32; 4] {
        let (mut c0, mut c1, mut c2, mut c3) = (c, 0u32, 0u32, stream);
        let (mut k0, mut k1) = (key0, key1);
        for _ in 0..10 {
            let p = u64::from(M0) * u64::from(c0);
            let q = u64::from(M1) * u64::from(c2);
            c0 = (q >> 32) as u32 ^ c1 ^ k0;
            c1 = q as u32;
            c2 = (p >> 32) as u32 ^ c3 ^ k1;
            c3 = p as u32;
            k0 = k0.wrapping_add(W0);
            k1 = k1.wrapping_add(W1);
        }
        [c0, c1, c2, c3]
    }

    /// A word as a uniform float32 of 24 bits in [0, 1).
    fn uniform(word: u32) -> f32 {
        (word >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    #[test]
    fn streams_are_blocks_in_a_row() {
        for level in crate::testing::levels() {
            for (i, n) in [(0, 0), (0, 1), (4, 63), (8, 64), (12, 135), (16, 128), (0, 515)] {
                let mut words = vec![0u32; n + 1];
                let mut floats = vec![0u32; n + 1];
                crate::dispatch!(level, s => {
                    // SAFETY: both have room for n words.
                    unsafe {
                        draw(s, words.as_mut_ptr(), i, n, 5, 7, 0xffff_fffe, false);
                        draw(s, floats.as_mut_ptr(), i, n, 5, 7, 0xffff_fffe, true);
                    }
                });
                for k in 0..n {
                    let word = philox(((i + k) / 4) as u32, 5, 7, 0xffff_fffe)[(i + k) % 4];
                    assert_eq!((words[k], floats[k]), (word, uniform(word).to_bits()), "{} {i} {n} {k}", level.name());
                }
                assert_eq!((words[n], floats[n]), (0, 0));
            }
        }
    }

    #[test]
    fn known_words() {
        // Random123's known answers: counter and key all zeros.
        assert_eq!(philox(0, 0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(uniform(0xffff_ffff), 0.99999994);
    }
}
