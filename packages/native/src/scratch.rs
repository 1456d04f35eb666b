//! Memory of the engine's own: grows, is kept from one command to the next, and begins on a cache line.

use std::alloc::{alloc_zeroed, dealloc, Layout};

const LINE: usize = 64;

/// Floats: zeros when it has grown, then what was left there.
pub struct Scratch {
    at: *mut f32,
    floats: usize,
}

// SAFETY: it owns its memory, like a Vec.
unsafe impl Send for Scratch {}

impl Scratch {
    pub const fn new() -> Scratch {
        Scratch { at: std::ptr::null_mut(), floats: 0 }
    }

    /// At least so many floats; valid until it grows. Panics where the system has no memory for them: an error of the step, which [`crate::run::run`] catches.
    pub fn floats(&mut self, count: usize) -> *mut f32 {
        if count > self.floats {
            self.free();
            let bytes = count.checked_mul(4).expect("a size that memory can have");
            let layout = Layout::from_size_align(bytes, LINE).expect("a size that memory can have");
            // SAFETY: the layout is not empty, since count > floats >= 0.
            let at = unsafe { alloc_zeroed(layout) };
            assert!(!at.is_null(), "expected {bytes} bytes of scratch memory, the system has none");
            self.at = at.cast();
            self.floats = count;
        }
        self.at
    }

    /// Where they are.
    pub fn address(&self) -> *mut f32 {
        self.at
    }

    fn free(&mut self) {
        if self.floats > 0 {
            let layout = Layout::from_size_align(self.floats * 4, LINE).expect("the layout it was made with");
            // SAFETY: the memory was had with this layout, and is given back once.
            unsafe { dealloc(self.at.cast(), layout) };
            self.floats = 0;
        }
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.free();
    }
}
