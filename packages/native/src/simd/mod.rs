//! Lanes of float32 and int32 at the width that the machine has: one small trait, four implementations.
//!
//! A value of an implementing type is proof that the processor has its instructions (it is only had by `detect`), so that arithmetic is safe;
//! only reading and writing memory is not. Kernels are generic, wholly inlined into one function per instruction set by [`kernel!`].

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
#[cfg(target_arch = "aarch64")]
pub mod neon;
pub mod portable;

/// Work that is inlined into a function that has the instruction set.
pub trait Task {
    type Output;
    fn call(self) -> Self::Output;
}

/// Vectors of `LANES` float32 or int32. Comparisons give masks `M`; `max` and `min` return the second operand where either is NaN (as x86).
pub trait Simd: Copy + Send + Sync + 'static {
    type F: Copy;
    type I: Copy;
    type M: Copy;
    const LANES: usize;
    /// Rows and vectors of the register tile of matrix products.
    const ROWS: usize;
    const VECTORS: usize;
    /// Rows of a tile that reads rows of A where they lie: each has an address of its own.
    const ROWS_IN_PLACE: usize = if Self::ROWS < 6 { Self::ROWS } else { 6 };
    /// Rows of tiles of three and of four vectors, as cells with gates have them.
    const ROWS_OF_THREE: usize;
    const ROWS_OF_FOUR: usize;

    /// Runs a task in a function that may use the instruction set.
    fn vectorize<T: Task>(self, task: T) -> T::Output;

    fn splat(self, x: f32) -> Self::F;
    /// # Safety
    /// `LANES` values at `p` must be readable.
    unsafe fn load(self, p: *const f32) -> Self::F;
    /// # Safety
    /// `LANES` values at `p` must be writable.
    unsafe fn store(self, p: *mut f32, v: Self::F);
    /// The first `n` lanes, the others 0.
    /// # Safety
    /// `n <= LANES` values at `p` must be readable.
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::F;
    /// # Safety
    /// `n <= LANES` values at `p` must be writable.
    unsafe fn store_part(self, p: *mut f32, v: Self::F, n: usize);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// a * b + c, rounded once (the portable build rounds twice)
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    fn floor(self, a: Self::F) -> Self::F;
    fn ceil(self, a: Self::F) -> Self::F;
    fn trunc(self, a: Self::F) -> Self::F;
    /// To the nearest integer, ties to even.
    fn round(self, a: Self::F) -> Self::F;
    /// a where a > b, else b
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// a where a < b, else b
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    fn eq(self, a: Self::F, b: Self::F) -> Self::M;
    /// Not equal, or not comparable.
    fn ne(self, a: Self::F, b: Self::F) -> Self::M;
    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    fn le(self, a: Self::F, b: Self::F) -> Self::M;
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F;
    fn or_masks(self, a: Self::M, b: Self::M) -> Self::M;

    fn bits(self, a: Self::F) -> Self::I;
    fn floats(self, a: Self::I) -> Self::F;
    fn isplat(self, x: i32) -> Self::I;
    /// # Safety
    /// `LANES` values at `p` must be readable.
    #[inline(always)]
    unsafe fn iload(self, p: *const i32) -> Self::I {
        self.bits(self.load(p.cast()))
    }
    /// # Safety
    /// `LANES` values at `p` must be writable.
    #[inline(always)]
    unsafe fn istore(self, p: *mut i32, v: Self::I) {
        self.store(p.cast(), self.floats(v));
    }
    fn iadd(self, a: Self::I, b: Self::I) -> Self::I;
    fn isub(self, a: Self::I, b: Self::I) -> Self::I;
    fn imul(self, a: Self::I, b: Self::I) -> Self::I;
    fn imax(self, a: Self::I, b: Self::I) -> Self::I;
    fn imin(self, a: Self::I, b: Self::I) -> Self::I;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    fn xor(self, a: Self::I, b: Self::I) -> Self::I;
    fn shl(self, a: Self::I, n: i32) -> Self::I;
    /// Arithmetic and logical shifts to the right.
    fn sra(self, a: Self::I, n: i32) -> Self::I;
    fn srl(self, a: Self::I, n: i32) -> Self::I;
    fn ieq(self, a: Self::I, b: Self::I) -> Self::M;
    fn igt(self, a: Self::I, b: Self::I) -> Self::M;
    fn iselect(self, m: Self::M, yes: Self::I, no: Self::I) -> Self::I;
    /// The nearest float32 of each integer.
    fn convert(self, a: Self::I) -> Self::F;
    /// Towards zero; any value where it does not fit.
    fn truncate(self, a: Self::F) -> Self::I;
    /// `LANES` bytes as integers.
    /// # Safety
    /// `LANES` bytes at `p` must be readable.
    #[inline(always)]
    unsafe fn load_bytes(self, p: *const u8) -> Self::I {
        let mut words = [0i32; 16];
        for (i, word) in words.iter_mut().enumerate().take(Self::LANES) {
            *word = i32::from(*p.add(i));
        }
        self.iload(words.as_ptr())
    }
    /// The low bytes of integers.
    /// # Safety
    /// `LANES` bytes at `p` must be writable.
    #[inline(always)]
    unsafe fn store_bytes(self, p: *mut u8, v: Self::I) {
        let mut words = [0i32; 16];
        self.istore(words.as_mut_ptr(), v);
        for (i, word) in words.iter().enumerate().take(Self::LANES) {
            *p.add(i) = *word as u8;
        }
    }
    /// Element (i, j) of `LANES` x `LANES` at from + i * from_row + j goes to to + j * to_row + i.
    /// # Safety
    /// All of these must be readable and writable.
    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for i in 0..Self::LANES {
            for j in 0..Self::LANES {
                *to.add(j * to_row + i) = *from.add(i * from_row + j);
            }
        }
    }
    /// The high and the low words of the products of lanes, unsigned, and a number.
    #[inline(always)]
    fn mul_wide(self, a: Self::I, m: u32) -> (Self::I, Self::I) {
        let (mut high, mut low) = ([0i32; 16], [0i32; 16]);
        for (i, x) in self.words(a).into_iter().enumerate().take(Self::LANES) {
            let product = u64::from(x as u32) * u64::from(m);
            (high[i], low[i]) = ((product >> 32) as i32, product as i32);
        }
        // SAFETY: sixteen values are as many as the widest vector has.
        unsafe { (self.iload(high.as_ptr()), self.iload(low.as_ptr())) }
    }
    /// Lane i of vector j of four goes to to + 4 * i + j.
    /// # Safety
    /// `4 * LANES` integers at `to` must be writable.
    #[inline(always)]
    unsafe fn interleave(self, four: [Self::I; 4], to: *mut i32) {
        for (j, vector) in four.into_iter().enumerate() {
            for (i, word) in self.words(vector).into_iter().enumerate().take(Self::LANES) {
                *to.add(4 * i + j) = word;
            }
        }
    }

    // ---- in terms of the others
    /// 1 / x for x of 1 .. 2^126, within one unit in the last place.
    #[inline(always)]
    fn reciprocal(self, x: Self::F) -> Self::F {
        self.div(self.splat(1.0), x)
    }
    /// 2^n for integers n of -126 .. 127; of what lies above the low nine bits nothing is left.
    #[inline(always)]
    fn power_of_two(self, n: Self::I) -> Self::F {
        self.floats(self.shl(self.iadd(n, self.isplat(127)), 23))
    }
    /// p 2^n, where `shifted` is n + 1.5 * 2^23, n an integer of -126 .. 127.
    #[inline(always)]
    fn times_power(self, p: Self::F, shifted: Self::F) -> Self::F {
        self.mul(p, self.power_of_two(self.bits(shifted)))
    }
    #[inline(always)]
    fn neg(self, a: Self::F) -> Self::F {
        self.floats(self.xor(self.bits(a), self.isplat(i32::MIN)))
    }
    #[inline(always)]
    fn abs(self, a: Self::F) -> Self::F {
        self.floats(self.and(self.bits(a), self.isplat(i32::MAX)))
    }
    /// The sign bit of a on top of b, which has none.
    #[inline(always)]
    fn with_sign(self, b: Self::F, a: Self::F) -> Self::F {
        self.floats(self.or(self.bits(b), self.and(self.bits(a), self.isplat(i32::MIN))))
    }
    /// The larger; a where it is NaN.
    #[inline(always)]
    fn pmax(self, a: Self::F, b: Self::F) -> Self::F {
        self.max(b, a)
    }
    /// The smaller; a where it is NaN.
    #[inline(always)]
    fn pmin(self, a: Self::F, b: Self::F) -> Self::F {
        self.min(b, a)
    }
    /// IEEE maximum: NaN where either is, and +0 over -0.
    #[inline(always)]
    fn maximum(self, a: Self::F, b: Self::F) -> Self::F {
        let both = self.floats(self.and(self.bits(self.max(a, b)), self.bits(self.max(b, a))));
        let nan = self.or_masks(self.ne(a, a), self.ne(b, b));
        self.select(nan, self.add(a, b), both)
    }
    /// IEEE minimum: NaN where either is, and -0 under +0.
    #[inline(always)]
    fn minimum(self, a: Self::F, b: Self::F) -> Self::F {
        let both = self.floats(self.or(self.bits(self.min(a, b)), self.bits(self.min(b, a))));
        let nan = self.or_masks(self.ne(a, a), self.ne(b, b));
        self.select(nan, self.add(a, b), both)
    }
    /// Lanes of 1 where a mask is set, else 0.
    #[inline(always)]
    fn truth(self, m: Self::M) -> Self::I {
        self.iselect(m, self.isplat(1), self.isplat(0))
    }
    /// Towards zero; what does not fit becomes the nearest end, NaN 0.
    #[inline(always)]
    fn truncate_sat(self, a: Self::F) -> Self::I {
        let r = self.truncate(a);
        let r = self.iselect(self.le(self.splat(2_147_483_648.0), a), self.isplat(i32::MAX), r);
        let r = self.iselect(self.le(a, self.splat(-2_147_483_648.0)), self.isplat(i32::MIN), r);
        self.iselect(self.ne(a, a), self.isplat(0), r)
    }
    #[inline(always)]
    fn words(self, a: Self::I) -> [i32; 16] {
        let mut values = [0i32; 16];
        // SAFETY: sixteen values have room for the widest vector.
        unsafe { self.istore(values.as_mut_ptr(), a) };
        values
    }
    /// The lanes' values.
    #[inline(always)]
    fn lanes(self, a: Self::F) -> [f32; 16] {
        let mut values = [0f32; 16];
        // SAFETY: sixteen values have room for the widest vector.
        unsafe { self.store(values.as_mut_ptr(), a) };
        values
    }
    /// Asks for a line of memory that will be read soon, wherever it is; where there is no such instruction, nothing.
    #[inline(always)]
    fn prefetch(self, _p: *const f32) {}
    /// The same of what is needed later: into the second-level cache.
    #[inline(always)]
    fn prefetch_far(self, _p: *const f32) {}
    /// The sum of the lanes, pair by pair.
    #[inline(always)]
    fn total(self, a: Self::F) -> f32 {
        let mut values = self.lanes(a);
        let mut n = Self::LANES;
        while n > 1 {
            n /= 2;
            for i in 0..n {
                values[i] += values[i + n];
            }
        }
        values[0]
    }
    /// The sum of the lanes in float64.
    #[inline(always)]
    fn total64(self, a: Self::F) -> f64 {
        let values = self.lanes(a);
        let mut sum = 0f64;
        for value in values.iter().take(Self::LANES) {
            sum += f64::from(*value);
        }
        sum
    }
}

/// A generic function whose body is inlined into a function with the instruction set of its first argument.
#[macro_export]
macro_rules! kernel {
    ($(#[$attribute:meta])* $visibility:vis unsafe fn $name:ident($s:ident $(, $argument:ident : $type:ty)* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        #[allow(unused_parens, non_camel_case_types)]
        $visibility unsafe fn $name<S: $crate::simd::Simd>($s: S $(, $argument: $type)*) $(-> $output)? {
            struct Call<S>(S $(, $type)*);
            impl<S: $crate::simd::Simd> $crate::simd::Task for Call<S> {
                type Output = ($($output)?);
                // The body is that of an unsafe function: the block stands for its.
                #[allow(clippy::macro_metavars_in_unsafe, unused_unsafe)]
                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Call($s $(, $argument)*) = self;
                    // SAFETY: the caller of the function keeps what its documentation asks for.
                    unsafe { $body }
                }
            }
            $s.vectorize(Call($s $(, $argument)*))
        }
    };
}

/// An instruction set that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Portable,
    Avx2,
    Avx512,
    Neon,
}

impl Level {
    /// Those that this processor has, the widest first.
    pub fn available() -> Vec<Level> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::Avx512::detect().is_some() {
                found.push(Level::Avx512);
            }
            if avx2::Avx2::detect().is_some() {
                found.push(Level::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Level::Neon);
        found.push(Level::Portable);
        found
    }

    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    /// The widest, or the one that is named (`RECURRA_SIMD`, for tests). `Err`: what was asked for is not to be had here.
    pub fn choose(name: Option<&str>) -> Result<Level, String> {
        let all = Level::available();
        match name {
            None | Some("") => Ok(all[0]),
            Some(name) => all.iter().copied().find(|level| level.name() == name).ok_or_else(|| {
                let names: Vec<_> = all.iter().map(|level| level.name()).collect();
                format!("RECURRA_SIMD: expected one of {}, received {name}", names.join(", "))
            }),
        }
    }
}

/// Calls a generic function with the instruction set of a level.
#[macro_export]
macro_rules! dispatch {
    ($level:expr, $s:ident => $body:expr) => {
        match $level {
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Level::Avx512 => {
                let $s = $crate::simd::avx512::Avx512::detect().expect("a level that is available");
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Level::Avx2 => {
                let $s = $crate::simd::avx2::Avx2::detect().expect("a level that is available");
                $body
            }
            #[cfg(target_arch = "aarch64")]
            $crate::simd::Level::Neon => {
                let $s = $crate::simd::neon::Neon::detect().expect("a level that is available");
                $body
            }
            _ => {
                let $s = $crate::simd::portable::Portable;
                $body
            }
        }
    };
}

/// The first `n` lanes of a vector: a whole one where it is full.
///
/// # Safety
/// `n` of `LANES` values at p must be readable.
#[inline(always)]
pub unsafe fn some<S: Simd>(s: S, p: *const f32, n: usize) -> S::F {
    if n == S::LANES {
        s.load(p)
    } else {
        s.load_part(p, n)
    }
}

/// Writes the first `n` lanes.
///
/// # Safety
/// `n` of `LANES` values at p must be writable.
#[inline(always)]
pub unsafe fn keep<S: Simd>(s: S, p: *mut f32, v: S::F, n: usize) {
    if n == S::LANES {
        s.store(p, v);
    } else {
        s.store_part(p, v, n);
    }
}
