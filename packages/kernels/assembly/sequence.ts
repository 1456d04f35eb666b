/**
 * Whole sequences of SimpleRNN, LSTM and GRU, forward and backward.
 *
 * Weights are packed once a call, input kernel above recurrent kernel, so that a step is one product [x_t, h] [W; U]. The
 * columns of a panel hold all gates of a few units (LSTM and GRU: 4 units; SimpleRNN: 16), so that gates are computed
 * right after their panel, while it is in the first-level cache. Histories lie [panel][step][batch][...]: a panel of
 * all steps is then a packed operand of the weights' gradient as it stands.
 *
 * Workers share the batch for all steps and meet only around them; the weights' gradients they share by panels. Sums
 * run in one order however many workers there are.
 */
import { barrier } from "./sync";
import { packPairs, tile2x16, tile3x12 } from "./tiles";
import { fma, gate4, tanh4 } from "./vector";

const RNN_TANH: i32 = 0;
const RNN_RELU: i32 = 1;
const LSTM: i32 = 2;
const GRU: i32 = 3;

let kind: i32, B: i32, T: i32, E: i32, H: i32;
/** Units of a panel, panels, units with padding, gates of the weights' columns, rows of a group. */
let UP: i32, P: i32, HU: i32, G: i32, R: i32;
/** Floats of a panel's row of weights; depth of the packed operand of one step. */
let W: i32, K: i32;

function setup(command: usize): void {
  kind = load<i32>(command, 8);
  B = load<i32>(command, 12);
  T = load<i32>(command, 16);
  E = load<i32>(command, 20);
  H = load<i32>(command, 24);
  shape();
}

function shape(): void {
  UP = kind <= RNN_RELU ? 16 : 4;
  G = kind == LSTM ? 4 : kind == GRU ? 3 : 1;
  P = (H + UP - 1) / UP;
  HU = P * UP;
  R = kind == GRU ? 3 : 2;
  W = kind == GRU ? 12 : 16;
  K = E + HU;
}

// @ts-ignore: decorator
@inline
function f(n: i32): usize {
  return <usize>n << 2;
}

/** Groups of R rows that the batch takes. */
function groups(): i32 {
  return (B + R - 1) / R;
}

/** Floats of what the forward pass leaves for the backward pass: gates, states c, states h. */
export function residualSize(k: i32, b: i32, t: i32, e: i32, h: i32): i32 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  return gatesSize() + cellSize(T + 1) + hiddenSize(T + 1);
}
function gatesSize(): i32 {
  return kind <= RNN_RELU ? 0 : P * T * B * 16;
}
function cellSize(slots: i32): i32 {
  return kind == LSTM ? P * slots * B * 4 : 0;
}
function hiddenSize(slots: i32): i32 {
  return P * slots * B * UP;
}

/** Floats of scratch memory of the forward pass. */
export function forwardScratch(k: i32, b: i32, t: i32, e: i32, h: i32): i32 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  return P * K * W + P * 32 + 2 * groups() * R * K + groups() * R * 32 + cellSize(1) + hiddenSize(1) + 64;
}

/** Floats of scratch memory of the backward pass. */
export function backwardScratch(k: i32, b: i32, t: i32, e: i32, h: i32): i32 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  const pairs = (B + 1) / 2;
  return (
    (panels16(E) + panels16(H)) * P * W * 16 + // packed transposed weights
    pairs * 2 * P * 16 * 2 + // packed gradients of the gates, for inputs and states
    pairs * 2 * panels16(H) * 16 + // dh
    P * B * 4 + // dc
    pairs * 32 + 64 + // tiles at the edges
    P * T * B * 16 + // gradients of the gates, of all steps
    P * gradientRows() * 16 // gradients of the weights
  );
}
function panels16(n: i32): i32 {
  return (n + 15) / 16;
}
/** Rows of the weights' gradients: inputs, states, and ones for the bias, in groups of R. */
function gradientRows(): i32 {
  return (groupsOf(E) + groupsOf(HU) + 2) * R;
}
function groupsOf(n: i32): i32 {
  return (n + R - 1) / R;
}

/** Packs one kernel of `rows` rows into panels, `first` rows from the top of each panel. */
function packWeights(source: usize, rows: i32, first: i32, depth: i32, to: usize, p0: i32, p1: i32): void {
  for (let p = p0; p < p1; p++)
    for (let k = 0; k < rows; k++) {
      const row = source + f(k * G * H);
      const at = to + f((p * depth + first + k) * W);
      for (let g = 0; g < G; g++)
        for (let u = 0; u < UP; u++) {
          const unit = p * UP + u;
          store<f32>(at + f(g * UP + u), unit < H ? load<f32>(row + f(g * H + unit)) : 0);
        }
    }
}

/** Rows of zeros for the units that pad the last panel. */
function packZeros(first: i32, rows: i32, to: usize, p0: i32, p1: i32): void {
  for (let p = p0; p < p1; p++) memory.fill(to + f((p * K + first) * W), 0, f(rows * W));
}

/** The first worker's share of `count` things begins at 0, ... */
// @ts-ignore: decorator
@inline
function share(count: i32, worker: i32, workers: i32): i32 {
  return <i32>((<i64>count * worker) / workers);
}

/** Rows b .. of one step's inputs into the packed operand. */
function packStep(x: usize, time: i32, g0: i32, g1: i32, a: usize): void {
  const row = f(T * E);
  for (let g = g0; g < g1; g++) {
    const b = g * R;
    const from = x + <usize>b * row + f(time * E);
    const to = a + f(g * K * R);
    if (R == 2) packPairs(from, row, 4, min(2, B - b), E, to);
    else packTriple(from, row, min(3, B - b), E, to);
  }
}

/** Three rows into [k][3]. */
function packTriple(from: usize, row: usize, rows: i32, k: i32, to: usize): void {
  const second = rows > 1 ? from + row : from;
  const third = rows > 2 ? second + row : second;
  for (let q: usize = 0, end = f(k); q < end; q += 4, to += 12) {
    store<f32>(to, load<f32>(from + q));
    store<f32>(to, load<f32>(second + q), 4);
    store<f32>(to, load<f32>(third + q), 8);
  }
}

/** The states of four units of one row, for the next step's packed operand [k][R]. */
// @ts-ignore: decorator
@inline
function scatterState(a: usize, h: v128): void {
  const step: usize = R == 2 ? 8 : 12;
  store<f32>(a, f32x4.extract_lane(h, 0));
  store<f32>(a + step, f32x4.extract_lane(h, 1));
  store<f32>(a + step * 2, f32x4.extract_lane(h, 2));
  store<f32>(a + step * 3, f32x4.extract_lane(h, 3));
}

/** Four values of which `count` count, the others 0. */
function loadTail(from: usize, count: i32): v128 {
  let v = f32x4.splat(0);
  if (count > 0) v = f32x4.replace_lane(v, 0, load<f32>(from));
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(from, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(from, 8));
  if (count > 3) v = f32x4.replace_lane(v, 3, load<f32>(from, 12));
  return v;
}

/** Writes `count` of four values. */
function storeTail(to: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, v);
    return;
  }
  if (count > 0) store<f32>(to, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

export function sequenceForward(command: usize, worker: i32, workers: i32): void {
  setup(command);
  const reverse = load<i32>(command, 28);
  const x = <usize>load<u32>(command, 32);
  const kernel = <usize>load<u32>(command, 36);
  const recurrent = <usize>load<u32>(command, 40);
  const bias = <usize>load<u32>(command, 44);
  const h0 = <usize>load<u32>(command, 48);
  const c0 = <usize>load<u32>(command, 52);
  const mask = <usize>load<u32>(command, 56);
  const zeroOut = load<i32>(command, 60);
  const residual = <usize>load<u32>(command, 64);
  const scratch = <usize>load<u32>(command, 68);
  const ys = <usize>load<u32>(command, 72);
  const hT = <usize>load<u32>(command, 76);
  const cT = <usize>load<u32>(command, 80);

  const packed = scratch;
  const biases = packed + f(P * K * W);
  const a0 = biases + f(P * 32);
  const a1 = a0 + f(groups() * R * K);
  const z = a1 + f(groups() * R * K);
  const own = z + f(groups() * R * 32);
  const gates = residual;
  const slots = residual ? T + 1 : 1;
  const cells = residual ? gates + f(gatesSize()) : own;
  const hidden = cells + f(cellSize(slots));

  // Packed weights: shared, each worker packs some panels.
  const p0 = share(P, worker, workers);
  const p1 = share(P, worker + 1, workers);
  if (kind == GRU) {
    packWeights(kernel, E, 0, E, packed, p0, p1);
    const states = packed + f(P * E * W);
    for (let p = p0; p < p1; p++) memory.fill(states + f((p * HU + H) * W), 0, f((HU - H) * W));
    packWeights(recurrent, H, 0, HU, states, p0, p1);
  } else {
    packWeights(kernel, E, 0, K, packed, p0, p1);
    packWeights(recurrent, H, E, K, packed, p0, p1);
    packZeros(E + H, HU - H, packed, p0, p1);
  }
  for (let p = p0; p < p1; p++)
    for (let part = 0; part < (kind == GRU ? 2 : 1); part++)
      for (let g = 0; g < G; g++)
        for (let u = 0; u < UP; u++) {
          const unit = p * UP + u;
          store<f32>(
            biases + f(p * 32 + part * 16 + g * UP + u),
            bias && unit < H ? load<f32>(bias + f(part * G * H + g * H + unit)) : 0,
          );
        }

  // The state before the first step.
  const g0 = share(groups(), worker, workers);
  const g1 = share(groups(), worker + 1, workers);
  memory.fill(a0 + f(g0 * R * K), 0, f((g1 - g0) * R * K));
  memory.fill(a1 + f(g0 * R * K), 0, f((g1 - g0) * R * K));
  const b1 = min(B, g1 * R);
  for (let b = g0 * R; b < b1; b++)
    for (let u = 0; u < HU; u += 4) {
      const at = hiddenAt(hidden, slots, u, 0, b);
      const h = h0 ? loadTail(h0 + f(b * H + u), H - u) : f32x4.splat(0);
      v128.store(at, h);
      scatterState(stateAt(a0, b, u), h);
      if (kind == LSTM)
        v128.store(cells + f((u * slots * B) + b * 4), c0 ? loadTail(c0 + f(b * H + u), H - u) : f32x4.splat(0));
    }
  barrier();

  let current = a0;
  let next = a1;
  for (let s = 0; s < T; s++) {
    const time = reverse ? T - 1 - s : s;
    packStep(x, time, g0, g1, current);
    for (let p = 0; p < P; p++) {
      if (kind == GRU) {
        const wx = packed + f(p * E * 12);
        const wh = packed + f((P * E + p * HU) * 12);
        for (let g = g0; g < g1; g++) {
          const at = z + f(g * 96);
          const a = current + f(g * K * 3);
          tile3x12(a, wx, wx + 32, 48, E, at, 64, false);
          tile3x12(a + f(E * 3), wh, wh + 32, 48, HU, at + 192, 64, false);
        }
      } else {
        const w = packed + f(p * K * 16);
        for (let g = g0; g < g1; g++) tile2x16(current + f(g * K * 2), w, K, z + f(g * 32), 64, false);
      }
      const from = residual ? s : 0;
      const into = residual ? s + 1 : 0;
      for (let b = g0 * R; b < b1; b++) {
        const valid = mask ? load<u8>(mask + b * T + time) != 0 : true;
        if (kind == LSTM) {
          const at = z + f(b * 16);
          const w = biases + f(p * 32);
          const i = gate4(f32x4.add(v128.load(at), v128.load(w)));
          const forget = gate4(f32x4.add(v128.load(at, 16), v128.load(w, 16)));
          const n = tanh4(f32x4.add(v128.load(at, 32), v128.load(w, 32)));
          const o = gate4(f32x4.add(v128.load(at, 48), v128.load(w, 48)));
          const before = v128.load(cells + f((p * slots + from) * B * 4 + b * 4));
          const c = fma(forget, before, f32x4.mul(i, n));
          const h = f32x4.mul(o, tanh4(c));
          if (residual) {
            const g = gates + f(((p * T + s) * B + b) * 16);
            v128.store(g, i);
            v128.store(g, forget, 16);
            v128.store(g, n, 32);
            v128.store(g, o, 48);
          }
          v128.store(cells + f((p * slots + into) * B * 4 + b * 4), valid ? c : before);
          finishUnits(h, hidden, slots, p * 4, from, into, b, valid, next, ys, time, zeroOut);
        } else if (kind == GRU) {
          const at = z + f((b / 3) * 96 + (b % 3) * 16);
          const w = biases + f(p * 32);
          const update = gate4(f32x4.add(f32x4.add(v128.load(at), v128.load(w)), f32x4.add(v128.load(at, 192), v128.load(w, 64))));
          const reset = gate4(f32x4.add(f32x4.add(v128.load(at, 16), v128.load(w, 16)), f32x4.add(v128.load(at, 208), v128.load(w, 80))));
          const inner = f32x4.add(v128.load(at, 224), v128.load(w, 96));
          const n = tanh4(fma(reset, inner, f32x4.add(v128.load(at, 32), v128.load(w, 32))));
          const before = v128.load(hidden + f(((p * slots + from) * B + b) * 4));
          const h = fma(update, f32x4.sub(before, n), n);
          if (residual) {
            const g = gates + f(((p * T + s) * B + b) * 16);
            v128.store(g, update);
            v128.store(g, reset, 16);
            v128.store(g, n, 32);
            v128.store(g, inner, 48);
          }
          finishUnits(h, hidden, slots, p * 4, from, into, b, valid, next, ys, time, zeroOut);
        } else {
          const at = z + f(b * 16);
          const w = biases + f(p * 32);
          for (let u = 0; u < 16; u += 4) {
            if (p * 16 + u >= H) {
              // Units that only pad: kept at 0.
              v128.store(hiddenAt(hidden, slots, p * 16 + u, into, b), f32x4.splat(0));
              continue;
            }
            const v = f32x4.add(v128.load(at + f(u)), v128.load(w + f(u)));
            const h = kind == RNN_TANH ? tanh4(v) : f32x4.max(v, f32x4.splat(0));
            finishUnits(h, hidden, slots, p * 16 + u, from, into, b, valid, next, ys, time, zeroOut);
          }
        }
      }
    }
    const spare = current;
    current = next;
    next = spare;
  }
  const last = residual ? T : 0;
  for (let b = g0 * R; b < b1; b++)
    for (let u = 0; u < H; u += 4) {
      if (hT) storeTail(hT + f(b * H + u), v128.load(hiddenAt(hidden, slots, u, last, b)), H - u);
      if (cT && kind == LSTM) storeTail(cT + f(b * H + u), v128.load(cells + f((u / 4 * slots + last) * B * 4 + b * 4)), H - u);
    }
}

/** Four units (from a multiple of 4) of a row in the history of states. */
// @ts-ignore: decorator
@inline
function hiddenAt(hidden: usize, slots: i32, unit: i32, slot: i32, b: i32): usize {
  if (kind <= RNN_RELU) return hidden + f((((unit >> 4) * slots + slot) * B + b) * 16 + (unit & 15));
  return hidden + f((((unit >> 2) * slots + slot) * B + b) * 4);
}

/** Their place in a packed operand. */
// @ts-ignore: decorator
@inline
function stateAt(a: usize, b: i32, unit: i32): usize {
  const g = R == 2 ? b >> 1 : b / 3;
  return a + f(g * K * R + (E + unit) * R + b - g * R);
}

// @ts-ignore: decorator
@inline
function finishUnits(
  h: v128, hidden: usize, slots: i32, unit: i32, from: i32, into: i32, b: i32, valid: bool, next: usize, ys: usize, time: i32, zeroOut: i32,
): void {
  const state = valid ? h : v128.load(hiddenAt(hidden, slots, unit, from, b));
  v128.store(hiddenAt(hidden, slots, unit, into, b), state);
  scatterState(stateAt(next, b, unit), state);
  if (ys) storeTail(ys + f((b * T + time) * H + unit), zeroOut && !valid ? f32x4.splat(0) : state, H - unit);
}

/** Packs the transpose of a kernel [rows, G * H] for dz W^T: panels of 16 rows of W, depth in the order of dz. */
function packTransposed(source: usize, rows: i32, to: usize, q0: i32, q1: i32): void {
  const depth = P * W;
  for (let q = q0; q < q1; q++)
    for (let p = 0; p < P; p++)
      for (let g = 0; g < G; g++)
        for (let u = 0; u < UP; u++) {
          const unit = p * UP + u;
          const at = to + f((q * depth + p * W + g * UP + u) * 16);
          for (let j = 0; j < 16; j++) {
            const row = q * 16 + j;
            store<f32>(at + f(j), row < rows && unit < H ? load<f32>(source + f(row * G * H + g * H + unit)) : 0);
          }
        }
}

export function sequenceBackward(command: usize, worker: i32, workers: i32, own: usize, ownBytes: usize): void {
  setup(command);
  const reverse = load<i32>(command, 28);
  const x = <usize>load<u32>(command, 32);
  const kernel = <usize>load<u32>(command, 36);
  const recurrent = <usize>load<u32>(command, 40);
  const mask = <usize>load<u32>(command, 56);
  const zeroOut = load<i32>(command, 60);
  const residual = <usize>load<u32>(command, 64);
  const scratch = <usize>load<u32>(command, 68);
  const dys = <usize>load<u32>(command, 72);
  const dhT = <usize>load<u32>(command, 76);
  const dcT = <usize>load<u32>(command, 80);
  const dx = <usize>load<u32>(command, 84);
  const dKernel = <usize>load<u32>(command, 88);
  const dRecurrent = <usize>load<u32>(command, 92);
  const dBias = <usize>load<u32>(command, 96);
  const dh0 = <usize>load<u32>(command, 100);
  const dc0 = <usize>load<u32>(command, 104);

  const slots = T + 1;
  const gates = residual;
  const cells = gates + f(gatesSize());
  const hidden = cells + f(cellSize(slots));

  const depth = P * W;
  const EP = panels16(E);
  const HP = panels16(H);
  const ld = f(HP * 16);
  const pairs = (B + 1) / 2;
  const packedX = scratch;
  const packedH = packedX + f(EP * depth * 16);
  const da = packedH + f(HP * depth * 16);
  const db = da + f(pairs * 2 * P * 16);
  const dh = db + f(pairs * 2 * P * 16);
  const dc = dh + f(pairs * 2 * HP * 16);
  const beside = dc + f(P * B * 4);
  const dz = beside + f(pairs * 32 + 64);
  const sums = dz + f(P * T * B * 16);

  if (dx) packTransposed(kernel, E, packedX, share(EP, worker, workers), share(EP, worker + 1, workers));
  packTransposed(recurrent, H, packedH, share(HP, worker, workers), share(HP, worker + 1, workers));
  const g0 = share(pairs, worker, workers);
  const g1 = share(pairs, worker + 1, workers);
  const r0 = g0 * 2;
  const r1 = min(B, g1 * 2);
  memory.fill(dh + <usize>r0 * ld, 0, <usize>((g1 - g0) * 2) * ld);
  memory.fill(da + f(g0 * 2 * P * 16), 0, f((g1 - g0) * 2 * P * 16));
  memory.fill(db + f(g0 * 2 * P * 16), 0, f((g1 - g0) * 2 * P * 16));
  for (let b = r0; b < r1; b++) {
    if (dhT) memory.copy(dh + <usize>b * ld, dhT + f(b * H), f(H));
    if (kind == LSTM)
      for (let p = 0; p < P; p++)
        v128.store(dc + f((p * B + b) * 4), dcT ? loadTail(dcT + f(b * H + p * 4), H - p * 4) : f32x4.splat(0));
  }
  barrier();

  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  for (let s = T - 1; s >= 0; s--) {
    const time = reverse ? T - 1 - s : s;
    for (let p = 0; p < P; p++)
      for (let b = r0; b < r1; b++) {
        const valid = mask ? load<u8>(mask + b * T + time) != 0 : true;
        const packedAt = f((b >> 1) * 2 * P * W + p * W * 2 + (b & 1));
        const to = dz + f(((p * T + s) * B + b) * 16);
        if (kind <= RNN_RELU) {
          for (let u = 0; u < 16; u += 4) {
            const unit = p * 16 + u;
            if (unit >= H) {
              v128.store(to + f(u), zero);
              scatterPair(da + packedAt + f(u * 2), zero);
              continue;
            }
            const carry = dh + <usize>b * ld + f(unit);
            let g = v128.load(carry);
            if (dys && (valid || !zeroOut)) g = f32x4.add(g, loadTail(dys + f((b * T + time) * H + unit), H - unit));
            const h = v128.load(hiddenAt(hidden, slots, unit, s + 1, b));
            let d = kind == RNN_TANH ? f32x4.mul(g, f32x4.sub(one, f32x4.mul(h, h))) : v128.and(g, f32x4.gt(h, zero));
            if (!valid) d = zero;
            v128.store(carry, valid ? zero : g);
            v128.store(to + f(u), d);
            scatterPair(da + packedAt + f(u * 2), d);
          }
          continue;
        }
        const unit = p * 4;
        const carry = dh + <usize>b * ld + f(unit);
        let g = v128.load(carry);
        if (dys && (valid || !zeroOut))
          g = f32x4.add(g, H - unit >= 4 ? v128.load(dys + f((b * T + time) * H + unit)) : loadTail(dys + f((b * T + time) * H + unit), H - unit));
        if (!valid) {
          v128.store(carry, g);
          v128.store(to, zero);
          v128.store(to, zero, 16);
          v128.store(to, zero, 32);
          v128.store(to, zero, 48);
          for (let k: usize = 0; k < f(W * 2); k += 8) {
            store<f32>(da + packedAt + k, 0);
            store<f32>(db + packedAt + k, 0);
          }
          continue;
        }
        const at = gates + f(((p * T + s) * B + b) * 16);
        if (kind == LSTM) {
          const i = v128.load(at);
          const forget = v128.load(at, 16);
          const n = v128.load(at, 32);
          const o = v128.load(at, 48);
          const c = v128.load(cells + f((p * slots + s + 1) * B * 4 + b * 4));
          const before = v128.load(cells + f((p * slots + s) * B * 4 + b * 4));
          const t = tanh4(c);
          const dcAt = dc + f((p * B + b) * 4);
          const dO = f32x4.mul(f32x4.mul(g, t), f32x4.mul(o, f32x4.sub(one, o)));
          const dC = fma(f32x4.mul(g, o), f32x4.sub(one, f32x4.mul(t, t)), v128.load(dcAt));
          const dI = f32x4.mul(f32x4.mul(dC, n), f32x4.mul(i, f32x4.sub(one, i)));
          const dF = f32x4.mul(f32x4.mul(dC, before), f32x4.mul(forget, f32x4.sub(one, forget)));
          const dN = f32x4.mul(f32x4.mul(dC, i), f32x4.sub(one, f32x4.mul(n, n)));
          v128.store(dcAt, f32x4.mul(dC, forget));
          v128.store(carry, zero);
          v128.store(to, dI);
          v128.store(to, dF, 16);
          v128.store(to, dN, 32);
          v128.store(to, dO, 48);
          const a = da + packedAt;
          scatterPair(a, dI);
          scatterPair(a + 32, dF);
          scatterPair(a + 64, dN);
          scatterPair(a + 96, dO);
        } else {
          const update = v128.load(at);
          const reset = v128.load(at, 16);
          const n = v128.load(at, 32);
          const inner = v128.load(at, 48);
          const before = v128.load(hidden + f(((p * slots + s) * B + b) * 4));
          const dU = f32x4.mul(f32x4.mul(g, f32x4.sub(before, n)), f32x4.mul(update, f32x4.sub(one, update)));
          const dN = f32x4.mul(f32x4.mul(g, f32x4.sub(one, update)), f32x4.sub(one, f32x4.mul(n, n)));
          const dR = f32x4.mul(f32x4.mul(dN, inner), f32x4.mul(reset, f32x4.sub(one, reset)));
          const dM = f32x4.mul(dN, reset);
          v128.store(carry, f32x4.mul(g, update));
          v128.store(to, dU);
          v128.store(to, dR, 16);
          v128.store(to, dN, 32);
          v128.store(to, dM, 48);
          const a = da + packedAt;
          scatterPair(a, dU);
          scatterPair(a + 32, dR);
          scatterPair(a + 64, dN);
          const m = db + packedAt;
          scatterPair(m, dU);
          scatterPair(m + 32, dR);
          scatterPair(m + 64, dM);
        }
      }
    if (dx)
      for (let q = 0; q < EP; q++) {
        const panel = packedX + f(q * depth * 16);
        const columns = min(16, E - q * 16);
        for (let g = g0; g < g1; g++) {
          const to = dx + f((g * 2 * T + time) * E + q * 16);
          const a = da + f(g * 2 * depth);
          if (columns == 16 && g * 2 + 1 < B) {
            tile2x16(a, panel, depth, to, f(T * E), false);
          } else {
            const tile = beside + f(g * 32);
            tile2x16(a, panel, depth, tile, 64, false);
            memory.copy(to, tile, f(columns));
            if (g * 2 + 1 < B) memory.copy(to + f(T * E), tile + 64, f(columns));
          }
        }
      }
    const source = kind == GRU ? db : da;
    for (let q = 0; q < HP; q++) {
      const panel = packedH + f(q * depth * 16);
      for (let g = g0; g < g1; g++)
        tile2x16(source + f(g * 2 * depth), panel, depth, dh + <usize>(g * 2) * ld + f(q * 16), ld, true);
    }
  }
  for (let b = r0; b < r1; b++) {
    if (dh0) memory.copy(dh0 + f(b * H), dh + <usize>b * ld, f(H));
    if (dc0 && kind == LSTM)
      for (let p = 0; p < P; p++) storeTail(dc0 + f(b * H + p * 4), v128.load(dc + f((p * B + b) * 4)), H - p * 4);
  }
  barrier();
  if (dKernel || dRecurrent || dBias)
    weightGradients(reverse, x, hidden, dz, sums, dKernel, dRecurrent, dBias, share(P, worker, workers), share(P, worker + 1, workers), own, ownBytes);
}

/** Four gradients of one row into [k][2]. */
// @ts-ignore: decorator
@inline
function scatterPair(a: usize, v: v128): void {
  store<f32>(a, f32x4.extract_lane(v, 0));
  store<f32>(a, f32x4.extract_lane(v, 1), 8);
  store<f32>(a, f32x4.extract_lane(v, 2), 16);
  store<f32>(a, f32x4.extract_lane(v, 3), 24);
}

/** One group of R rows of [x, h, 1]^T for steps s0 .. s1, packed [step, row][R]. */
function packGroup(reverse: i32, x: usize, hidden: usize, g: i32, s0: i32, s1: i32, to: usize): void {
  const xGroups = groupsOf(E);
  if (g < xGroups) {
    const count = E - g * R;
    for (let s = s0; s < s1; s++) {
      let from = x + f((reverse ? T - 1 - s : s) * E + g * R);
      if (R == 2) {
        if (count > 1) for (let b = 0; b < B; b++, from += f(T * E), to += 8) store<u64>(to, load<u64>(from));
        else for (let b = 0; b < B; b++, from += f(T * E), to += 8) store<u64>(to, <u64>load<u32>(from));
      } else
        for (let b = 0; b < B; b++, from += f(T * E), to += 12) {
          store<f32>(to, load<f32>(from));
          store<f32>(to, count > 1 ? load<f32>(from, 4) : 0, 4);
          store<f32>(to, count > 2 ? load<f32>(from, 8) : 0, 8);
        }
    }
    return;
  }
  const unit = (g - xGroups) * R;
  if (unit < HU) {
    const slots = T + 1;
    for (let s = s0; s < s1; s++) {
      if (R == 2) {
        let from = hidden + f(((unit / UP) * slots + s) * B * UP + (unit % UP));
        for (let b = 0; b < B; b++, from += f(UP), to += 8) store<u64>(to, load<u64>(from));
      } else
        for (let j = 0; j < 3; j++) {
          const u = unit + j;
          let from = hidden + f(((u >> 2) * slots + s) * B * 4 + (u & 3));
          for (let b = 0; b < B; b++, from += 16) store<f32>(to + f(b * 3 + j), u < HU ? load<f32>(from) : 0);
          if (j == 2) to += f(B * 3);
        }
    }
    return;
  }
  for (let r = (s1 - s0) * B; r > 0; r--) for (let j = 0; j < R; j++, to += 4) store<f32>(to, j == 0 ? 1 : 0);
}

/**
 * [dW; dU; db] = [x, h, 1]^T dz, summed over steps and rows in order. A chunk of steps and some groups of rows at a time, so
 * that the packed operand stays in cache; each worker does panels p0 .. p1.
 */
function weightGradients(
  reverse: i32, x: usize, hidden: usize, dz: usize, sums: usize, dKernel: usize, dRecurrent: usize, dBias: usize, p0: i32, p1: i32, own: usize, ownBytes: usize,
): void {
  const xGroups = groupsOf(E);
  const hGroups = groupsOf(HU);
  const total = xGroups + hGroups + 1;
  const steps = max(1, 256 / B);
  const block = max(1, <i32>(ownBytes >> 2) / (steps * B * R));
  for (let s0 = 0; s0 < T; s0 += steps) {
    const s1 = min(T, s0 + steps);
    const rows = (s1 - s0) * B;
    const more = s0 > 0;
    for (let ga = 0; ga < total; ga += block) {
      const gb = min(total, ga + block);
      for (let g = ga; g < gb; g++) packGroup(reverse, x, hidden, g, s0, s1, own + f((g - ga) * rows * R));
      for (let p = p0; p < p1; p++) {
        const panel = dz + f((p * T + s0) * B * 16);
        const into = sums + f(p * (total + 1) * R * 16);
        for (let g = ga; g < gb; g++) {
          const a = own + f((g - ga) * rows * R);
          if (R == 2) {
            tile2x16(a, panel, rows, into + f(g * 32), 64, more);
            continue;
          }
          // Inputs see dn, states (and the recurrent bias) see dn * r, the fourth part.
          const states = g >= xGroups && g < total - 1;
          tile3x12(a, panel, panel + (states ? 48 : 32), 64, rows, into + f(g * 48), 64, more);
          if (g == total - 1) tile3x12(a, panel, panel + 48, 64, rows, into + f(total * 48), 64, more);
        }
      }
    }
  }
  const ones = (xGroups + hGroups) * R;
  for (let p = p0; p < p1; p++) {
    const from = sums + f(p * (total + 1) * R * 16);
    if (dKernel) for (let e = 0; e < E; e++) spread(from + f(e * 16), dKernel + f(e * G * H), p);
    if (dRecurrent) for (let u = 0; u < H; u++) spread(from + f((xGroups * R + u) * 16), dRecurrent + f(u * G * H), p);
    if (dBias) {
      spread(from + f(ones * 16), dBias, p);
      if (kind == GRU) spread(from + f((ones + 3) * 16), dBias + f(3 * H), p);
    }
  }
}

/** A row of a panel to the columns of its gates. */
function spread(from: usize, to: usize, p: i32): void {
  for (let g = 0; g < G; g++)
    for (let u = 0; u < UP; u += 4)
      storeTail(to + f(g * H + p * UP + u), v128.load(from + f(g * UP + u)), H - p * UP - u);
}
