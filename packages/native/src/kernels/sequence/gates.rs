//! What a step's products become: gates, new states and outputs, some vectors of units in one go.

use crate::commands::recurrent::{GRU, LSTM};
use crate::kernel;
use crate::kernels::cells::{gru_state, lstm_cell, lstm_state, rnn_state};
use crate::math;
use crate::simd::{keep, some, Simd};

/// Vectors of units whose gates are computed in one go, and how many floats each thing of one lies after that of the one before: the rows of a panel, the
/// vectors of a row, or those of values without gaps.
#[derive(Clone, Copy)]
pub struct Run {
    pub count: usize,
    /// Lanes in use, and those of the last vector.
    pub lanes: usize,
    pub last: usize,
    /// What the products left, and from one gate's to the next.
    pub line: *mut f32,
    pub line_step: usize,
    pub line_gate: usize,
    pub bias: *const f32,
    pub bias_step: usize,
    pub bias_gate: usize,
    /// The place of the gates, or null where they are not kept.
    pub gates: *mut f32,
    pub gates_step: usize,
    pub gates_gate: usize,
    /// The states before and after.
    pub cell: *const f32,
    pub next_cell: *mut f32,
    pub hidden: *const f32,
    pub next_hidden: *mut f32,
    pub state_step: usize,
    /// The output, or null.
    pub y: *mut f32,
    pub y_step: usize,
    /// Which values are there, or null: all. The state stays as it was where none is.
    pub mask: *const u8,
    pub mask_step: usize,
    pub zero_output: bool,
}

impl Run {
    /// # Safety
    /// The vector must exist.
    #[inline(always)]
    unsafe fn skipped(&self, v: usize) -> bool {
        !self.mask.is_null() && *self.mask.add(v * self.mask_step) == 0
    }

    /// Lanes in use of a vector; WHOLE: all of them, of every vector.
    #[inline(always)]
    fn lanes<S: Simd, const WHOLE: bool>(&self, _: S, v: usize) -> usize {
        if WHOLE {
            S::LANES
        } else if v + 1 == self.count {
            self.last
        } else {
            self.lanes
        }
    }

    /// Writes the new state of a vector, and the output.
    ///
    /// # Safety
    /// The vector must exist.
    #[inline(always)]
    unsafe fn put<S: Simd, const WHOLE: bool>(&self, s: S, v: usize, h: S::F) {
        let (at, skipped, n) = (v * self.state_step, self.skipped(v), self.lanes::<S, WHOLE>(s, v));
        let state = if skipped { some(s, self.hidden.add(at), n) } else { h };
        keep(s, self.next_hidden.add(at), state, n);
        if !self.y.is_null() {
            keep(s, self.y.add(v * self.y_step), if skipped && self.zero_output { s.splat(0.0) } else { state }, n);
        }
    }
}

/// Gates, states and outputs of an LSTM, from what the products left.
///
/// What waits for the new cell state comes in a second loop: one row's chain of functions is longer than what a processor looks ahead. What it needs is left in
/// the places of the first and the third sum: where the units of a row fill no vector, its end is written over the begin of the next one, which was read before.
///
/// # Safety
/// All that `r` points to must be valid.
#[inline(always)]
unsafe fn lstm_gates<S: Simd, const WHOLE: bool>(s: S, r: Run) {
    for v in 0..r.count {
        let (line, bias) = (r.line.add(v * r.line_step), r.bias.add(v * r.bias_step));
        let get = |k: usize| s.add(s.load(line.add(k * r.line_gate)), s.load(bias.add(k * r.bias_gate)));
        let i = math::gate(s, get(0));
        let forget = math::gate(s, get(1));
        let candidate = math::tanh(s, get(2));
        let o = math::gate(s, get(3));
        let n = r.lanes::<S, WHOLE>(s, v);
        let before = some(s, r.cell.add(v * r.state_step), n);
        let c = lstm_cell(s, i, forget, candidate, before);
        s.store(line, c);
        s.store(line.add(2 * r.line_gate), o);
        keep(s, r.next_cell.add(v * r.state_step), if r.skipped(v) { before } else { c }, n);
        if !r.gates.is_null() {
            let gates = r.gates.add(v * r.gates_step);
            keep(s, gates, i, n);
            keep(s, gates.add(r.gates_gate), forget, n);
            keep(s, gates.add(2 * r.gates_gate), candidate, n);
            keep(s, gates.add(3 * r.gates_gate), o, n);
        }
    }
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        r.put::<S, WHOLE>(s, v, lstm_state(s, s.load(line.add(2 * r.line_gate)), s.load(line)));
    }
}

/// As [`lstm_gates`], of a GRU: the products left the input's part of the candidate, update, reset, the recurrent part of the candidate, with biases.
///
/// # Safety
/// All that `r` points to must be valid.
#[inline(always)]
unsafe fn gru_gates<S: Simd, const WHOLE: bool>(s: S, r: Run) {
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        let get = |k: usize| s.load(line.add(k * r.line_gate));
        let update = math::gate(s, get(1));
        let reset = math::gate(s, get(2));
        let inner = get(3);
        s.store(line, s.fma(reset, inner, get(0)));
        s.store(line.add(2 * r.line_gate), update);
        if !r.gates.is_null() {
            let gates = r.gates.add(v * r.gates_step);
            let n = r.lanes::<S, WHOLE>(s, v);
            keep(s, gates, update, n);
            keep(s, gates.add(r.gates_gate), reset, n);
            keep(s, gates.add(3 * r.gates_gate), inner, n);
        }
    }
    for v in 0..r.count {
        let line = r.line.add(v * r.line_step);
        let candidate = math::tanh(s, s.load(line));
        if !r.gates.is_null() {
            keep(s, r.gates.add(v * r.gates_step + 2 * r.gates_gate), candidate, r.lanes::<S, WHOLE>(s, v));
        }
        let (update, before) = (s.load(line.add(2 * r.line_gate)), some(s, r.hidden.add(v * r.state_step), r.lanes::<S, WHOLE>(s, v)));
        r.put::<S, WHOLE>(s, v, gru_state(s, update, candidate, before));
    }
}

/// States and outputs of a SimpleRNN.
///
/// # Safety
/// All that `r` points to must be valid; the lines and biases are whole vectors.
#[inline(always)]
unsafe fn rnn_states<S: Simd, const WHOLE: bool>(s: S, r: Run, kind: i32) {
    for v in 0..r.count {
        let x = s.add(s.load(r.line.add(v * r.line_step)), s.load(r.bias.add(v * r.bias_step)));
        r.put::<S, WHOLE>(s, v, rnn_state(s, kind, x));
    }
}

kernel! {
    /// Gates, states and outputs of a cell of any kind.
    ///
    /// # Safety
    /// All that `r` points to must be valid.
    pub unsafe fn compute(s, kind: i32, r: *const Run) {
        let r = *r;
        match (kind, r.lanes == S::LANES && r.last == S::LANES) {
            (LSTM, true) => lstm_gates::<S, true>(s, r),
            (LSTM, false) => lstm_gates::<S, false>(s, r),
            (GRU, true) => gru_gates::<S, true>(s, r),
            (GRU, false) => gru_gates::<S, false>(s, r),
            (_, true) => rnn_states::<S, true>(s, r, kind),
            (_, false) => rnn_states::<S, false>(s, r, kind),
        }
    }
}
