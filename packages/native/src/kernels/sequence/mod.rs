//! Whole sequences of SimpleRNN, LSTM and GRU, forward and backward.
//!
//! Weights are packed once a call, all gates of one vector of units side by side, so that a step's product of a panel leaves what the gates need, in the
//! first-level cache (panels.rs, packed.rs). The units that fill no vector have a panel of their own, where the columns of all gates lie side by side, and their
//! gates are computed of all rows together (rest.rs): both leave no lanes empty. Of few rows, packing the weights would cost as much as some steps: they are read
//! where they lie (plain.rs), backward by dot products. Workers share the batch for all steps and meet only around the sequence (forward.rs); backward they meet
//! once in as many steps as make 256 rows, whose gates' gradients then give the weights' gradients in large products, shared by columns (backward.rs). Every sum
//! runs in one order however many workers there are.

mod backward;
mod forward;
mod gates;
mod packed;
mod panels;
mod plain;
mod rest;

pub use backward::backward;
pub use forward::forward;

use super::steps::Steps;
use crate::commands::recurrent::{GRU, LSTM, RNN_TANH};
use crate::memory::{elements, Checked, Operands};

/// The most rows of a step that make it worth while to multiply the inputs of many steps at once: then only the state's weights are read again in every step.
const FEW: usize = 8;

/// What both commands say of a sequence.
#[derive(Clone, Copy)]
struct Sequence {
    steps: Steps,
    features: usize,
}

impl Sequence {
    fn read(o: &Operands) -> Checked<Sequence> {
        use crate::commands::word::sequence_forward as w;
        let kind = o.int(w::KIND)?;
        if !(RNN_TANH..=GRU).contains(&kind) {
            return Err(format!("a sequence of kind {kind}"));
        }
        let [batch, time, features, units] = [o.size(w::BATCH)?, o.size(w::TIME)?, o.size(w::FEATURES)?, o.size(w::UNITS)?];
        let mask = o.optional_bytes(w::MASK, elements(&[batch, time])?)?;
        let steps = Steps { kind, batch, time, units, reverse: o.flag(w::REVERSE)?, mask, zero_output: o.flag(w::ZERO_OUTPUT)? };
        Ok(Sequence { steps, features })
    }
}

/// Is it a cell with gates, whose panels have all gates of the same units?
fn is_gated(kind: i32) -> bool {
    kind >= LSTM
}

/// Values of a unit that the products of a step give, or their gradients: of a GRU, the candidate's two parts are kept apart.
fn sums(kind: i32) -> usize {
    if is_gated(kind) {
        4
    } else {
        1
    }
}

/// float32 of what the forward pass leaves for the backward pass.
pub fn residual(o: &Operands) -> Checked<usize> {
    Sequence::read(o)?.steps.residual()
}
