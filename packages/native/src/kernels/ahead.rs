//! Asks for memory before it is needed. Packing would wait for a block of a matrix that was last touched long ago; while the tiles of the block before are computed, memory is idle.

use crate::simd::Simd;

/// Floats of a cache line.
pub const LINE: usize = 16;

/// Asks for values one behind the other, to be in the first-level cache soon. No byte is read: any address will do.
#[inline(always)]
pub fn ask_near<S: Simd>(s: S, at: *const f32, count: usize) {
    for line in 0..count.div_ceil(LINE) {
        s.prefetch(at.wrapping_add(line * LINE));
    }
}

/// Rows of a matrix that are to be asked for, line after line.
#[derive(Clone, Copy)]
pub struct Rows {
    at: *const f32,
    stride: isize,
    lines: usize,
    line: usize,
    count: usize,
}

impl Rows {
    pub const NONE: Rows = Rows { at: std::ptr::null(), stride: 0, lines: 0, line: 0, count: 0 };

    /// A matrix of `rows` rows and `columns` columns, of which one are dense. No byte is read: any address will do.
    pub fn new(at: *const f32, rows: usize, columns: usize, row: isize, column: isize) -> Rows {
        let (stride, long, count) = match (row, column) {
            (_, 1) => (row, columns, rows),
            (1, _) => (column, rows, columns),
            // Of lines that are not used whole, too many would be asked for.
            _ => return Rows::NONE,
        };
        Rows { at, stride, lines: long.div_ceil(LINE), line: 0, count: if long == 0 { 0 } else { count } }
    }

    /// Values one behind the other.
    pub fn run(at: *const f32, count: usize) -> Rows {
        Rows::new(at, 1, count, count as isize, 1)
    }

    /// Lines that are left.
    fn left(&self) -> usize {
        self.count * self.lines - self.line
    }

    #[inline(always)]
    fn ask<S: Simd>(&mut self, s: S, lines: usize) {
        for _ in 0..lines {
            if self.count == 0 {
                return;
            }
            s.prefetch_far(self.at.wrapping_add(self.line * LINE));
            self.line += 1;
            if self.line == self.lines {
                self.line = 0;
                self.count -= 1;
                self.at = self.at.wrapping_offset(self.stride);
            }
        }
    }
}

/// Rows of some matrices, each asked for in equal parts at so many steps, that memory has all their time.
pub struct Ahead<const N: usize> {
    rows: [Rows; N],
    each: [usize; N],
}

impl<const N: usize> Ahead<N> {
    pub fn nothing() -> Ahead<N> {
        Ahead { rows: [Rows::NONE; N], each: [0; N] }
    }

    /// What comes in this place, from now on within `steps` steps.
    pub fn set(&mut self, which: usize, rows: Rows, steps: usize) {
        self.rows[which] = rows;
        self.each[which] = rows.left().div_ceil(steps.max(1));
    }

    /// Asks for the next part.
    #[inline(always)]
    pub fn step<S: Simd>(&mut self, s: S) {
        for (rows, each) in self.rows.iter_mut().zip(self.each) {
            rows.ask(s, each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    #[test]
    fn all_lines_are_asked_for_in_equal_parts() {
        let floats = [0f32; 8 * 40];
        let mut ahead = Ahead::nothing();
        // 33 values are three lines, whichever way the matrix lies.
        ahead.set(0, Rows::new(floats.as_ptr(), 8, 33, 40, 1), 7);
        ahead.set(1, Rows::new(floats.as_ptr(), 33, 2, 1, 40), 6);
        let mut left = vec![];
        for _ in 0..7 {
            crate::dispatch!(Level::choose(None).expect("an instruction set"), s => ahead.step(s));
            left.push(ahead.rows.map(|rows| rows.left()));
        }
        assert_eq!(left, [[20, 5], [16, 4], [12, 3], [8, 2], [4, 1], [0, 0], [0, 0]]);
        let nothing =
            [Rows::new(floats.as_ptr(), 5, 0, 1, 1), Rows::new(floats.as_ptr(), 0, 5, 5, 1), Rows::new(floats.as_ptr(), 5, 5, 2, 2)];
        assert_eq!(nothing.map(|rows| rows.left()), [0; 3]);
    }
}
