//! Philox 4x32-10 (Salmon et al., SC 2011): four words of a stream from a counter and a key.

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

/// [count, key, to, uniform, stream]: raw words, or uniform float32. The key is two int32.
pub fn random<S: Simd>(_: S, worker: &mut Worker, o: &Operands) -> Checked<()> {
    use crate::commands::word::random as w;
    let count = o.size(w::COUNT)?;
    let key = o.ints(w::KEY, 2)?;
    let to = o.ints(w::TO, count)?;
    let as_uniform = o.flag(w::UNIFORM)?;
    let stream = o.int(w::STREAM)? as u32;
    let (first, last) = worker.share(count.div_ceil(4));
    // SAFETY: the ranges were checked, and shares do not overlap.
    unsafe {
        let (key0, key1) = (*key as u32, *key.add(1) as u32);
        for c in first..last {
            for (i, word) in philox(c as u32, stream, key0, key1).iter().enumerate().take(count - c * 4) {
                *to.add(c * 4 + i) = if as_uniform { uniform(*word).to_bits() as i32 } else { *word as i32 };
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words() {
        // Random123's known answers: counter and key all zeros.
        assert_eq!(philox(0, 0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(uniform(0xffff_ffff), 0.99999994);
    }
}
