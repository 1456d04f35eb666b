//! The equations of SimpleRNN, LSTM and GRU for one vector of units, forward and backward: those of whole sequences (`sequence/`) and of projected inputs
//! (recurrence.rs) are these. Gates are i f n o of an LSTM, z r n of a GRU; h is the state, c that of an LSTM's cell.

use crate::commands::recurrent::RNN_TANH;
use crate::math;
use crate::simd::Simd;

/// Of a SimpleRNN: h = tanh(x) or relu(x).
#[inline(always)]
pub fn rnn_state<S: Simd>(s: S, kind: i32, x: S::F) -> S::F {
    if kind == RNN_TANH {
        math::tanh(s, x)
    } else {
        s.pmax(x, s.splat(0.0))
    }
}

/// Of an LSTM: c = f c' + i n.
#[inline(always)]
pub fn lstm_cell<S: Simd>(s: S, i: S::F, f: S::F, n: S::F, before: S::F) -> S::F {
    s.fma(f, before, s.mul(i, n))
}

/// Of an LSTM: h = o tanh(c).
#[inline(always)]
pub fn lstm_state<S: Simd>(s: S, o: S::F, c: S::F) -> S::F {
    s.mul(o, math::tanh(s, c))
}

/// Of a GRU: h = z h' + (1 - z) n.
#[inline(always)]
pub fn gru_state<S: Simd>(s: S, z: S::F, n: S::F, before: S::F) -> S::F {
    s.fma(z, s.sub(before, n), n)
}

/// The derivative of a sigmoid, by its value.
#[inline(always)]
pub fn sigmoid_slope<S: Simd>(s: S, v: S::F) -> S::F {
    s.mul(v, s.sub(s.splat(1.0), v))
}

/// The derivative of tanh, by its value.
#[inline(always)]
pub fn tanh_slope<S: Simd>(s: S, v: S::F) -> S::F {
    s.sub(s.splat(1.0), s.mul(v, v))
}

/// Of a SimpleRNN: the gradient of what its function saw, from g, that of h.
#[inline(always)]
pub fn rnn_gradient<S: Simd>(s: S, kind: i32, g: S::F, h: S::F) -> S::F {
    if kind == RNN_TANH {
        s.mul(g, tanh_slope(s, h))
    } else {
        s.select(s.lt(s.splat(0.0), h), g, s.splat(0.0))
    }
}

/// Of an LSTM: the gradients of what the gates' functions saw, and of c', from g, that of h, and dc, what came back to c from the step after.
#[inline(always)]
pub fn lstm_gradients<S: Simd>(s: S, [i, f, n, o]: [S::F; 4], before: S::F, c: S::F, g: S::F, dc: S::F) -> ([S::F; 4], S::F) {
    let tanh = math::tanh(s, c);
    let dc = math::without_tiny(s, s.fma(s.mul(g, o), tanh_slope(s, tanh), dc));
    let di = s.mul(s.mul(dc, n), sigmoid_slope(s, i));
    let df = s.mul(s.mul(dc, before), sigmoid_slope(s, f));
    let dn = s.mul(s.mul(dc, i), tanh_slope(s, n));
    let d_o = s.mul(s.mul(g, tanh), sigmoid_slope(s, o));
    ([di, df, dn, d_o], s.mul(dc, f))
}

/// Of a GRU: the gradients of what the functions of z and n saw, and the part of that of h' which passes no product, from g, that of h.
#[inline(always)]
pub fn gru_gradients<S: Simd>(s: S, z: S::F, n: S::F, before: S::F, g: S::F) -> [S::F; 3] {
    let dn = s.mul(s.mul(g, s.sub(s.splat(1.0), z)), tanh_slope(s, n));
    let dz = s.mul(s.mul(g, s.sub(before, n)), sigmoid_slope(s, z));
    [dz, dn, s.mul(g, z)]
}

/// Of a GRU: the gradient of what the function of r saw, from that of r times `by`.
#[inline(always)]
pub fn gru_reset_gradient<S: Simd>(s: S, r: S::F, by: S::F, d: S::F) -> S::F {
    s.mul(s.mul(d, by), sigmoid_slope(s, r))
}
