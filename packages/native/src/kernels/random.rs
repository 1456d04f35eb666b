//! Philox 4x32-10 (Salmon et al., SC 2011): four words of a stream from a counter and a key.

use crate::kernel;
use crate::memory::{Checked, Operands};
use crate::simd::Simd;
use crate::team::Worker;

const M0: u64 = 0xd251_1f53;
const M1: u64 = 0xcd9e_8d57;
const W0: u32 = 0x9e37_79b9;
const W1: u32 = 0xbb67_ae85;

/// One block of four words: counter (c, 0, 0, stream) under a key.
#[inline(always)]
pub fn philox(c: u32, stream: u32, key0: u32, key1: u32) -> [u32; 4] {
    let (mut c0, mut c1, mut c2, mut c3) = (c, 0u32, 0u32, stream);
    let (mut k0, mut k1) = (key0, key1);
    for _ in 0..10 {
        let p = M0 * u64::from(c0);
        let q = M1 * u64::from(c2);
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
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Blocks that are computed side by side: their words in the order of the stream are then a transposition away.
const SIDE: usize = 16;

kernel! {
    /// Words `4 * first` to `4 * last` of a stream, or uniform float32 of them.
    ///
    /// # Safety
    /// `4 * (last - first)` words at `to` must be writable.
    pub unsafe fn stream(s, to: *mut u32, first: usize, last: usize, stream: u32, key0: u32, key1: u32, as_uniform: bool) {
        let _ = s;
        let finish = |word: u32| if as_uniform { uniform(word).to_bits() } else { word };
        let mut c = first;
        let mut to = to;
        while c + SIDE <= last {
            // Lane by lane what `philox` does; the compiler makes vectors of it. One function for both, of N lanes that come and go as arrays, took a fifth longer.
            let mut c0: [u32; SIDE] = std::array::from_fn(|i| (c + i) as u32);
            let (mut c1, mut c2, mut c3) = ([0u32; SIDE], [0u32; SIDE], [stream; SIDE]);
            let (mut k0, mut k1) = (key0, key1);
            for _ in 0..10 {
                for i in 0..SIDE {
                    let p = M0 * u64::from(c0[i]);
                    let q = M1 * u64::from(c2[i]);
                    c0[i] = (q >> 32) as u32 ^ c1[i] ^ k0;
                    c1[i] = q as u32;
                    c2[i] = (p >> 32) as u32 ^ c3[i] ^ k1;
                    c3[i] = p as u32;
                }
                k0 = k0.wrapping_add(W0);
                k1 = k1.wrapping_add(W1);
            }
            for i in 0..SIDE {
                for (j, word) in [c0[i], c1[i], c2[i], c3[i]].into_iter().enumerate() {
                    *to.add(4 * i + j) = finish(word);
                }
            }
            c += SIDE;
            to = to.add(4 * SIDE);
        }
        for c in c..last {
            for (j, word) in philox(c as u32, stream, key0, key1).into_iter().enumerate() {
                *to.add(j) = finish(word);
            }
            to = to.add(4);
        }
    }
}

/// Words i .. i + n of a stream, or uniform float32 of them; i is a multiple of 4.
///
/// # Safety
/// `n` words at `to` must be writable.
pub unsafe fn draw<S: Simd>(s: S, to: *mut u32, i: usize, n: usize, number: u32, key0: u32, key1: u32, as_uniform: bool) {
    let (first, whole) = (i / 4, n / 4);
    stream(s, to, first, first + whole, number, key0, key1, as_uniform);
    let words = philox((first + whole) as u32, number, key0, key1);
    for (j, word) in words.iter().enumerate().take(n % 4) {
        *to.add(4 * whole + j) = if as_uniform { uniform(*word).to_bits() } else { *word };
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

    #[test]
    fn streams_are_blocks_in_a_row() {
        for level in crate::simd::Level::available() {
            for (i, n) in [(0, 1), (4, 63), (8, 64), (12, 135), (0, 515)] {
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
