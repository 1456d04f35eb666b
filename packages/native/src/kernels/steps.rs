//! The steps of recurrent cells, as both kernels that run them (`sequence/`, recurrence.rs) have them: how many there are and in which order, which of them count,
//! what they leave for the backward pass, where states begin and end, and how the gates' gradients of many steps give those of the weights.

use super::gemm::{gemm, Product};
use crate::commands::recurrent::{GRU, GRU_BEFORE, LSTM};
use crate::kernel;
use crate::memory::{elements, Checked};
use crate::simd::{keep, some, Simd};
use crate::team::Worker;

/// Rows of the products that give the weights' gradients.
pub const ROWS: usize = 256;

#[derive(Clone, Copy)]
pub struct Steps {
    pub kind: i32,
    pub batch: usize,
    pub time: usize,
    pub units: usize,
    pub reverse: bool,
    /// Which steps count [batch, time], or null: all. Where one does not, the state stays as it was.
    pub mask: *const u8,
    /// Are outputs of steps that do not count zeros, rather than the state before?
    pub zero_output: bool,
}

impl Steps {
    /// Columns of the weights, in units.
    pub fn gates(&self) -> usize {
        match self.kind {
            LSTM => 4,
            GRU | GRU_BEFORE => 3,
            _ => 1,
        }
    }

    /// Values of a unit that a step keeps: an LSTM's gates i f n o; a GRU's z r n and, where it resets after the product, the candidate's recurrent part.
    pub fn kept(&self) -> usize {
        match self.kind {
            LSTM | GRU => 4,
            GRU_BEFORE => 3,
            _ => 0,
        }
    }

    /// States beside the hidden one.
    pub fn cells(&self) -> usize {
        usize::from(self.kind == LSTM)
    }

    /// Floats of one state of all rows.
    pub fn states(&self) -> usize {
        self.batch * self.units
    }

    /// float32 of what the forward pass keeps: gates [time][batch][kept][units], states c [time + 1][batch][units] (LSTM), states h [time + 1][batch][units].
    pub fn residual(&self) -> Checked<usize> {
        let states = elements(&[self.time + 1, self.batch, self.units, 1 + self.cells()])?;
        Ok(elements(&[self.time, self.batch, self.units, self.kept()])? + states)
    }

    /// Where the states c and h lie in what the forward pass keeps.
    pub fn kept_states(&self, residual: *mut f32) -> (*mut f32, *mut f32) {
        let cells = residual.wrapping_add(self.time * self.states() * self.kept());
        (cells, cells.wrapping_add((self.time + 1) * self.states() * self.cells()))
    }

    /// The time of a step.
    pub fn time_of(&self, step: usize) -> usize {
        if self.reverse {
            self.time - 1 - step
        } else {
            step
        }
    }

    /// # Safety
    /// The mask must be valid.
    #[inline(always)]
    pub unsafe fn skipped(&self, row: usize, t: usize) -> bool {
        !self.mask.is_null() && *self.mask.add(row * self.time + t) == 0
    }

    /// Steps whose gates' gradients give the weights' gradients in one product.
    pub fn chunk(&self) -> usize {
        (ROWS / self.batch).clamp(1, self.time.max(1))
    }
}

/// A state before the first step (or a gradient after the last), `n` values from `at` on: what is given, or zeros.
///
/// # Safety
/// They must be valid, at `given` unless it is null.
pub unsafe fn begin(to: *mut f32, given: *const f32, at: usize, n: usize) {
    if given.is_null() {
        std::ptr::write_bytes(to.add(at), 0, n);
    } else {
        std::ptr::copy(given.add(at), to.add(at), n);
    }
}

/// Hands out `n` values of a state or gradient from `at` on, where somebody wants them.
///
/// # Safety
/// They must be valid, at `to` unless it is null.
pub unsafe fn end(to: *mut f32, from: *const f32, at: usize, n: usize) {
    if !to.is_null() {
        std::ptr::copy(from.add(at), to.add(at), n);
    }
}

/// Zeros for what no step adds to: the first worker alone writes them.
///
/// # Safety
/// They must be valid; null is left out.
pub unsafe fn clear(worker: &Worker, gradients: &[(*mut f32, usize)]) {
    for &(to, n) in gradients {
        if !to.is_null() && worker.index == 0 {
            std::ptr::write_bytes(to, 0, n);
        }
    }
}

/// Gradients of the gates of some steps, [rows][width], from which those of the weights follow: each worker adds up its share of the columns.
#[derive(Clone, Copy)]
pub struct Gradients {
    pub rows: usize,
    pub dz: *const f32,
    pub width: usize,
    /// Are there sums of later steps already?
    pub more: bool,
}

impl Gradients {
    /// to [units, n] (+)= A^T D, of n columns D from `from` on and A [rows, units]; from one row of `to` to the next, `ld`. Null is left out.
    ///
    /// # Safety
    /// All of these must be valid.
    pub unsafe fn weights<S: Simd>(
        &self,
        s: S,
        worker: &mut Worker,
        a: *const f32,
        units: usize,
        from: usize,
        n: usize,
        to: *mut f32,
        ld: usize,
    ) {
        let (j0, j1) = worker.share_columns(n);
        if !to.is_null() && j1 > j0 {
            let p = Product::new(units, j1 - j0, self.rows, a, units, self.dz.add(from + j0), self.width, to.add(j0), ld);
            gemm(s, &p.transpose_a().accumulate(self.more), worker.products);
        }
    }

    /// to [n] (+)= the sums of n columns from `from` on. Null is left out.
    ///
    /// # Safety
    /// All of these must be valid.
    pub unsafe fn biases<S: Simd>(&self, s: S, worker: &Worker, from: usize, n: usize, to: *mut f32) {
        let (j0, j1) = worker.share_columns(n);
        if !to.is_null() && j1 > j0 {
            sum_rows(s, self.dz.add(from + j0), self.rows, self.width, j1 - j0, to.add(j0), self.more);
        }
    }
}

kernel! {
    /// to[j] (+)= the sum of column j over rows.
    ///
    /// # Safety
    /// `columns` values of each row, and at `to`, must be valid.
    unsafe fn sum_rows(s, from: *const f32, rows: usize, row: usize, columns: usize, to: *mut f32, accumulate: bool) {
        let mut j = 0;
        while j < columns {
            let n = S::LANES.min(columns - j);
            let mut sum = if accumulate { some(s, to.add(j), n) } else { s.splat(0.0) };
            for r in 0..rows {
                sum = s.add(sum, some(s, from.add(r * row + j), n));
            }
            keep(s, to.add(j), sum, n);
            j += S::LANES;
        }
    }
}
