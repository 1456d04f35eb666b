//! Numbers and memory for tests and benchmarks.

use crate::memory::Memory;
use crate::simd::Level;

/// The instruction sets that tests run on: all of this processor, or the one that `RECURRA_SIMD` names.
pub fn levels() -> Vec<Level> {
    match std::env::var("RECURRA_SIMD") {
        Ok(name) if !name.is_empty() => vec![Level::choose(Some(&name)).unwrap_or_else(|reason| panic!("{reason}"))],
        _ => Level::available(),
    }
}

/// A small generator (SplitMix64), for reproducible inputs.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In -1 .. 1.
    pub fn float(&mut self) -> f32 {
        (self.word() >> 40) as f32 / 8_388_608.0 - 1.0
    }

    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }
}

/// What AddressSanitizer is told (`--cfg asan`): bytes outside of blocks may not be touched.
#[cfg(asan)]
mod sanitizer {
    extern "C" {
        pub fn __asan_poison_memory_region(at: *const u8, bytes: usize);
        pub fn __asan_unpoison_memory_region(at: *const u8, bytes: usize);
    }
}

/// Words between two blocks.
const GAP: usize = 16;

/// A memory for commands, filled from the bottom. Under AddressSanitizer blocks end with their last byte.
pub struct Heap {
    words: Vec<u32>,
    next: usize,
}

impl Heap {
    pub fn new(words: usize) -> Heap {
        let heap = Heap { words: vec![0; words], next: 64 };
        heap.allow(0, words * 4, false);
        heap
    }

    /// Says whether bytes may be touched.
    fn allow(&self, at: usize, bytes: usize, allowed: bool) {
        assert!(at + bytes <= self.words.len() * 4, "a heap that is full");
        #[cfg(asan)]
        // SAFETY: the range is the heap's own.
        unsafe {
            let at = self.words.as_ptr().cast::<u8>().add(at);
            if allowed {
                sanitizer::__asan_unpoison_memory_region(at, bytes);
            } else {
                sanitizer::__asan_poison_memory_region(at, bytes);
            }
        }
        let _ = allowed;
    }

    /// All of its words, between blocks too.
    pub fn image(&self) -> Vec<u32> {
        self.allow(0, self.words.len() * 4, true);
        self.words.clone()
    }

    /// Its whole range. Nothing else may be done with the heap while commands run on it.
    pub fn memory(&mut self) -> Memory {
        // SAFETY: the vector does not grow; callers keep the heap while they use the memory.
        unsafe { Memory::new(self.words.as_mut_ptr().cast(), self.words.len() * 4) }
    }

    /// The address of so many floats.
    pub fn block(&mut self, floats: usize) -> i32 {
        self.place(floats * 4)
    }

    fn place(&mut self, bytes: usize) -> i32 {
        let at = self.next * 4;
        self.next += bytes.div_ceil(64) * 16 + GAP;
        self.allow(at, bytes, true);
        at as i32
    }

    pub fn floats(&mut self, values: &[f32]) -> i32 {
        let at = self.block(values.len());
        for (i, value) in values.iter().enumerate() {
            self.words[at as usize / 4 + i] = value.to_bits();
        }
        at
    }

    pub fn ints(&mut self, values: &[i32]) -> i32 {
        let at = self.block(values.len());
        for (i, value) in values.iter().enumerate() {
            self.words[at as usize / 4 + i] = *value as u32;
        }
        at
    }

    pub fn bytes(&mut self, values: &[u8]) -> i32 {
        let at = self.place(values.len());
        // SAFETY: `place` found room for them.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.words.as_mut_ptr().cast::<u8>().add(at as usize), values.len()) };
        at
    }

    pub fn random(&mut self, floats: usize, random: &mut Random) -> i32 {
        let values: Vec<f32> = (0..floats).map(|_| random.float() * 0.1).collect();
        self.floats(&values)
    }

    pub fn read(&self, at: i32, floats: usize) -> Vec<f32> {
        let first = at as usize / 4;
        self.words[first..first + floats].iter().map(|word| f32::from_bits(*word)).collect()
    }

    /// Where a program begins and ends.
    pub fn program(&mut self, words: &[i32]) -> (usize, usize) {
        let at = self.ints(words) as usize;
        (at, at + words.len() * 4)
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.allow(0, self.words.len() * 4, true);
    }
}

/// The words of a command that workers share.
pub fn command(number: i32, operands: &[i32]) -> Vec<i32> {
    [&[number, operands.len() as i32 + 2], operands].concat()
}
