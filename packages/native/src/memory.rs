//! The memory that commands work on, and what keeps them inside of it: an operand is an address only after its range was checked.

/// A range of bytes that others may write too, but not while commands run.
#[derive(Clone, Copy)]
pub struct Memory {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: threads share it as they share the commands' results: each writes its own part, and they meet before others read it.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Why a command cannot run. It says which operand, and what is wrong with it.
pub type Checked<T> = Result<T, String>;

impl Memory {
    /// # Safety
    /// The range must be readable and writable for as long as this value and its copies are used.
    pub unsafe fn new(base: *mut u8, bytes: usize) -> Memory {
        Memory { base, bytes }
    }

    /// Nothing at all.
    pub const fn empty() -> Memory {
        Memory { base: std::ptr::null_mut(), bytes: 0 }
    }

    /// The place of `count` elements of `size` bytes at an address.
    pub fn range(&self, address: u32, count: usize, size: usize) -> Checked<*mut u8> {
        let address = address as usize;
        let end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(address));
        match end {
            Some(end) if end <= self.bytes && address.is_multiple_of(size) => Ok(self.base.wrapping_add(address)),
            Some(end) if end <= self.bytes => Err(format!("address {address} is no multiple of {size}")),
            _ => Err(format!("{count} elements of {size} bytes at {address} leave the memory of {} bytes", self.bytes)),
        }
    }

    /// A word.
    pub fn word(&self, address: usize) -> Checked<i32> {
        let address = u32::try_from(address).map_err(|_| "an address beyond 32 bits".to_string())?;
        let at = self.range(address, 1, 4)?;
        // SAFETY: the range was checked, and is aligned since the base is (to a page).
        Ok(unsafe { *at.cast::<i32>() })
    }

    /// Writes a word.
    pub fn set_word(&self, address: usize, value: i32) -> Checked<()> {
        let address = u32::try_from(address).map_err(|_| "an address beyond 32 bits".to_string())?;
        let at = self.range(address, 1, 4)?;
        // SAFETY: as above.
        unsafe { *at.cast::<i32>() = value };
        Ok(())
    }
}

/// Multiplies sizes; what is too large for memory is an error, not a small number.
pub fn elements(sizes: &[usize]) -> Checked<usize> {
    sizes
        .iter()
        .try_fold(1usize, |all, size| all.checked_mul(*size))
        .filter(|all| *all <= isize::MAX as usize)
        .ok_or_else(|| format!("sizes {sizes:?} are too large"))
}

/// The words of one command after its number and length.
#[derive(Clone, Copy)]
pub struct Operands<'m> {
    pub memory: &'m Memory,
    /// Where the command begins.
    pub address: usize,
    words: &'m [i32],
}

impl<'m> Operands<'m> {
    /// The words of the command at `address`, of `length` words in all.
    pub fn new(memory: &'m Memory, address: usize, length: usize) -> Checked<Operands<'m>> {
        let start = u32::try_from(address).map_err(|_| "an address beyond 32 bits".to_string())?;
        if length < 2 {
            return Err(format!("a command of {length} words"));
        }
        let at = memory.range(start, length, 4)?;
        // SAFETY: the range was checked and is aligned; nobody writes commands while they run.
        let words = unsafe { std::slice::from_raw_parts(at.cast::<i32>().add(2), length - 2) };
        Ok(Operands { memory, address, words })
    }

    /// Words that lie nowhere: sizes, without addresses.
    pub fn of(memory: &'m Memory, words: &'m [i32]) -> Operands<'m> {
        Operands { memory, address: 0, words }
    }

    /// How many words there are.
    pub fn count(&self) -> usize {
        self.words.len()
    }

    pub fn int(&self, i: usize) -> Checked<i32> {
        self.words.get(i).copied().ok_or_else(|| format!("operand {i} is missing"))
    }

    pub fn flag(&self, i: usize) -> Checked<bool> {
        Ok(self.int(i)? != 0)
    }

    /// The bits of a float32.
    pub fn float(&self, i: usize) -> Checked<f32> {
        Ok(f32::from_bits(self.int(i)? as u32))
    }

    /// A number that is not negative.
    pub fn size(&self, i: usize) -> Checked<usize> {
        let value = self.int(i)?;
        usize::try_from(value).map_err(|_| format!("operand {i}: expected a size, received {value}"))
    }

    /// A stride in bytes as one in float32.
    pub fn stride(&self, i: usize) -> Checked<isize> {
        let value = self.int(i)?;
        if value % 4 != 0 {
            return Err(format!("operand {i}: expected a multiple of 4, received {value}"));
        }
        Ok(value as isize / 4)
    }

    fn place(&self, i: usize, count: usize, size: usize) -> Checked<*mut u8> {
        let address = self.int(i)? as u32;
        self.memory.range(address, count, size).map_err(|reason| format!("operand {i}: {reason}"))
    }

    pub fn floats(&self, i: usize, count: usize) -> Checked<*mut f32> {
        Ok(self.place(i, count, 4)?.cast())
    }

    pub fn ints(&self, i: usize, count: usize) -> Checked<*mut i32> {
        Ok(self.place(i, count, 4)?.cast())
    }

    pub fn bytes(&self, i: usize, count: usize) -> Checked<*mut u8> {
        self.place(i, count, 1)
    }

    /// Null where the address is 0.
    pub fn optional(&self, i: usize, count: usize) -> Checked<*mut f32> {
        if self.int(i)? == 0 {
            return Ok(std::ptr::null_mut());
        }
        self.floats(i, count)
    }

    /// Bytes, null where the address is 0.
    pub fn optional_bytes(&self, i: usize, count: usize) -> Checked<*mut u8> {
        if self.int(i)? == 0 {
            return Ok(std::ptr::null_mut());
        }
        self.bytes(i, count)
    }

    /// float32 that are `strides` apart along `sizes`, all of them inside of memory.
    pub fn strided(&self, i: usize, sizes: &[usize], strides: &[isize]) -> Checked<*mut f32> {
        Ok(self.walked(i, sizes, strides, 4)?.cast())
    }

    /// Elements of `size` bytes that are `strides` elements apart.
    pub fn walked(&self, i: usize, sizes: &[usize], strides: &[isize], size: usize) -> Checked<*mut u8> {
        if sizes.contains(&0) {
            return self.place(i, 0, size);
        }
        let (mut low, mut high) = (0i128, 0i128);
        for (n, stride) in sizes.iter().zip(strides) {
            let far = (*n as i128 - 1) * *stride as i128;
            low += far.min(0);
            high += far.max(0);
        }
        let address = i128::from(self.int(i)? as u32);
        let first = address + low * size as i128;
        if first < 0 || high - low >= 1 << 40 {
            return Err(format!("operand {i}: strides {strides:?} leave the memory"));
        }
        let start = u32::try_from(first).map_err(|_| format!("operand {i}: strides {strides:?} leave the memory"))?;
        let at = self.memory.range(start, (high - low) as usize + 1, size).map_err(|reason| format!("operand {i}: {reason}"))?;
        Ok(at.wrapping_offset(-(low as isize) * size as isize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_inside() {
        let mut bytes = vec![0u64; 16];
        // SAFETY: the vector outlives the memory.
        let memory = unsafe { Memory::new(bytes.as_mut_ptr().cast(), 128) };
        assert!(memory.range(0, 32, 4).is_ok() && memory.range(124, 1, 4).is_ok() && memory.range(128, 0, 4).is_ok());
        assert!(memory.range(124, 2, 4).is_err() && memory.range(2, 1, 4).is_err() && memory.range(0, usize::MAX, 4).is_err());
        assert!(memory.range(u32::MAX, 1, 1).is_err() && memory.word(128).is_err() && memory.word(1 << 40).is_err());
        memory.set_word(0, 9).unwrap();
        memory.set_word(4, 4).unwrap();
        memory.set_word(8, 64).unwrap();
        memory.set_word(12, -1).unwrap();
        let o = Operands::new(&memory, 0, 4).unwrap();
        assert!(o.size(1).is_err() && o.int(2).is_err() && o.floats(0, 16).is_ok() && o.floats(0, 17).is_err());
        assert!(o.strided(0, &[4, 4], &[4, 1]).is_ok() && o.strided(0, &[4, 5], &[4, 1]).is_err());
        assert!(o.strided(0, &[17], &[-1]).is_ok() && o.strided(0, &[18], &[-1]).is_err() && o.strided(0, &[0, 9], &[1 << 40, 1]).is_ok());
        assert!(Operands::new(&memory, 120, 3).is_err() && Operands::new(&memory, 0, 1).is_err());
    }
}
