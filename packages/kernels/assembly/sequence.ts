/**
 * Whole sequences of SimpleRNN, LSTM and GRU, forward and backward.
 *
 * Weights are packed once a call, input kernel above recurrent kernel, so that a step is one product [x_t, h] [W; U]. The
 * columns of a panel hold all gates of a few units (LSTM and GRU: 4 units; SimpleRNN: 16), so that gates are computed
 * right after their panel, while it is in the first-level cache. What the forward pass keeps lies [step][panel][batch][...].
 *
 * Workers share the batch for all steps, and the weights' gradients by panels: forward they meet only around the sequence,
 * backward once in as many steps as make 256 rows, whose gates' gradients are then still in cache. Sums run in one order however
 * many workers there are.
 */
import {
  RECURRENT_GRU as GRU, RECURRENT_LSTM as LSTM, RECURRENT_RNN_RELU as RNN_RELU, RECURRENT_RNN_TANH as RNN_TANH,
  SequenceBackwardCommand, SequenceForwardCommand,
} from "./generated/commands";
import { barrier } from "./sync";
import { packPairs, tile2x16, tile3x12 } from "./tiles";
import { fma, gate4, gateTanh4, tanh4, withoutTiny } from "./vector";

let kind: i32, B: i32, T: i32, E: i32, H: i32;
/** Units of a panel, panels, units with padding, gates of the weights' columns, rows of a group. */
let UP: i32, P: i32, HU: i32, G: i32, R: i32;
/** Floats of a panel's row of weights; depth of the packed operand of one step. */
let W: i32, K: i32;

function setup(command: usize): void {
  const args = changetype<SequenceForwardCommand>(command);
  kind = args.kind;
  B = args.batch;
  T = args.time;
  E = args.features;
  H = args.units;
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

/**
 * Floats of what the forward pass leaves for the backward pass: gates, states c, states h. Sizes are counted in 64 bits: what is too large
 * for memory must not come out small.
 */
export function residualSize(k: i32, b: i32, t: i32, e: i32, h: i32): f64 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  const size: i64 = gatesSize() + cellSize(T + 1) + hiddenSize(T + 1);
  return <f64>size;
}
function gatesSize(): i64 {
  return kind <= RNN_RELU ? 0 : <i64>P * T * B * 16;
}
function cellSize(slots: i32): i64 {
  return kind == LSTM ? <i64>P * slots * B * 4 : 0;
}
function hiddenSize(slots: i32): i64 {
  return <i64>P * slots * B * UP;
}

/** Floats of scratch memory of the forward pass. */
export function forwardScratch(k: i32, b: i32, t: i32, e: i32, h: i32): f64 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  const rows = <i64>groups() * R;
  const size: i64 = <i64>P * K * W + <i64>P * 32 + 2 * rows * K + rows * 32 + cellSize(1) + hiddenSize(1) + 64;
  return <f64>size;
}

/** Floats of scratch memory of the backward pass. */
export function backwardScratch(k: i32, b: i32, t: i32, e: i32, h: i32): f64 {
  kind = k; B = b; T = t; E = e; H = h;
  shape();
  const pairs = (<i64>B + 1) / 2;
  const size: i64 =
    <i64>(panels16(E) + panels16(H)) * P * W * 16 + // packed transposed weights
    pairs * 2 * P * 16 * 2 + // packed gradients of the gates, for inputs and states
    pairs * 2 * panels16(H) * 16 + // dh
    <i64>P * B * 4 + // dc
    pairs * 32 + 64 + // tiles at the edges, and a row of zeros
    <i64>2 * P * chunkSteps() * B * 16 + // gradients of the gates: of the steps at hand, and of those before, which others may still read
    <i64>P * gradientRows() * 16; // gradients of the weights
  return <f64>size;
}
/** Steps whose weights' gradients are taken together: about 256 rows. */
function chunkSteps(): i32 {
  return min(T, max(1, 256 / max(1, B)));
}
export function panels16(n: i32): i32 {
  return (n + 15) / 16;
}
/** Rows of the weights' gradients: inputs, states, and ones for the bias, in groups of R. */
function gradientRows(): i32 {
  return (groupsOf(E) + groupsOf(HU) + 2) * R;
}
function groupsOf(n: i32): i32 {
  return (n + R - 1) / R;
}

/** The last units' weights, those that pad the vector like the last one: as zeros they would make NaN of infinite inputs, which the way back spreads. */
function loadLast(from: usize, units: i32): v128 {
  if (units <= 0) return f32x4.splat(0);
  const last = f32x4.splat(load<f32>(from + f(units - 1)));
  return v128.bitselect(loadTail(from, units), last, lanes(units));
}

/** The first n lanes. */
// @ts-ignore: decorator
@inline
function lanes(n: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(n));
}

/** Packs one kernel of `rows` rows into panels, `first` rows from the top of each panel. */
function packWeights(source: usize, rows: i32, first: i32, depth: i32, to: usize, p0: i32, p1: i32): void {
  for (let p = p0; p < p1; p++)
    for (let k = 0; k < rows; k++) {
      const row = source + f(k * G * H);
      const at = to + f((p * depth + first + k) * W);
      for (let g = 0; g < G; g++)
        for (let u = 0; u < UP; u += 4) {
          const unit = p * UP + u;
          const from = row + f(g * H + unit);
          v128.store(at + f(g * UP + u), H - unit >= 4 ? v128.load(from) : loadLast(from, H - unit));
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
export function share(count: i32, worker: i32, workers: i32): i32 {
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
export function loadTail(from: usize, count: i32): v128 {
  let v = f32x4.splat(0);
  if (count > 0) v = f32x4.replace_lane(v, 0, load<f32>(from));
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(from, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(from, 8));
  if (count > 3) v = f32x4.replace_lane(v, 3, load<f32>(from, 12));
  return v;
}

/** Writes `count` of four values. */
export function storeTail(to: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, v);
    return;
  }
  if (count > 0) store<f32>(to, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8);
}

/** Bytes of packed operands of the weights' gradients that are used for all panels before the next ones: they stay in the second-level cache. */
const OPERANDS: usize = 96 << 10;

/** Rows of a panel of weights that stay in the first-level cache while all groups of rows are multiplied by them. */
const DEPTH: i32 = 256;

/**
 * Pairs of rows g0 .. g1 times one panel [depth][16]: C (+)= A B. `step` bytes from one pair's operand to the next, `cStep` and `ld` from
 * one pair's result, and one row's, to the next.
 */
export function pairsTimesPanel(
  a: usize, step: usize, panel: usize, depth: i32, c: usize, cStep: usize, ld: usize, g0: i32, g1: i32, accumulate: bool,
): void {
  for (let k = 0; k < depth; k += DEPTH) {
    const part = min(DEPTH, depth - k);
    const b = panel + f(k * 16);
    let from = a + f(k * 2) + <usize>g0 * step;
    let to = c + <usize>g0 * cStep;
    for (let g = g0; g < g1; g++, from += step, to += cStep) tile2x16(from, b, part, to, ld, accumulate || k > 0);
  }
}

/** The same for triples of rows and a panel [depth][12]. */
function triplesTimesPanel(a: usize, step: usize, panel: usize, depth: i32, c: usize, cStep: usize, g0: i32, g1: i32): void {
  // A sum of nothing is written too.
  for (let k = 0; k == 0 || k < depth; k += DEPTH) {
    const part = min(DEPTH, depth - k);
    const b = panel + f(k * 12);
    for (let g = g0; g < g1; g++) tile3x12(a + f(k * 3) + <usize>g * step, b, b + 32, 48, part, c + <usize>g * cStep, 64, k > 0);
  }
}

/** The interleaved halves of four values of two rows: what a packed operand [k][2] holds. */
// @ts-ignore: decorator
@inline
export function storePairs(at: usize, a: v128, b: v128): void {
  v128.store(at, v128.shuffle<f32>(a, b, 0, 4, 1, 5));
  v128.store(at, v128.shuffle<f32>(a, b, 2, 6, 3, 7), 16);
}

/** The same of three rows: [k][3]. */
// @ts-ignore: decorator
@inline
function storeTriples(at: usize, a: v128, b: v128, c: v128): void {
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5); // a0 b0 a1 b1
  const bc = v128.shuffle<f32>(b, c, 1, 5, 2, 6); // b1 c1 b2 c2
  const ca = v128.shuffle<f32>(c, a, 2, 7, 3, 6); // c2 a3 c3 a2
  v128.store(at, v128.shuffle<f32>(ab, v128.shuffle<f32>(c, a, 0, 5, 0, 5), 0, 1, 4, 5)); // a0 b0 c0 a1
  v128.store(at, v128.shuffle<f32>(bc, ca, 0, 1, 7, 2), 16); // b1 c1 a2 b2
  v128.store(at, v128.shuffle<f32>(ca, b, 0, 1, 7, 2), 32); // c2 a3 b3 c3
}

/** What is the same for all panels of a step; set before them. */
let maskAt: usize, ysAt: usize, ysRow: usize, zeroOutput: bool;

/** Writes the state of a row and its output; a step that does not count leaves the state before. Returns the state. */
// @ts-ignore: decorator
@inline
function keep(h: v128, from: usize, into: usize, b: i32, unit: i32): v128 {
  let state = h;
  // Units that only pad stay 0: the next step has rows of zeros for them.
  if (H - unit < 4) state = v128.and(h, lanes(H - unit));
  let y = state;
  if (maskAt != 0 && load<u8>(maskAt + b * T) == 0) {
    state = v128.load(from);
    y = zeroOutput ? f32x4.splat(0) : state;
  }
  v128.store(into, state);
  if (ysAt) {
    const at = ysAt + <usize>b * ysRow + f(unit);
    if (H - unit >= 4) v128.store(at, y);
    else storeTail(at, y, H - unit);
  }
  return state;
}

/** The gates of rows b0 .. b1: z + bias becomes i, f, n, o, in `to`. */
function lstmGates(z: usize, w: usize, to: usize, b0: i32, b1: i32): void {
  const end = z + (<usize>b1 << 6);
  to += <usize>b0 << 6;
  for (z += <usize>b0 << 6; z < end; z += 64, to += 64) {
    v128.store(to, gate4(f32x4.add(v128.load(z), v128.load(w))));
    v128.store(to, gate4(f32x4.add(v128.load(z, 16), v128.load(w, 16))), 16);
    v128.store(to, gateTanh4(f32x4.add(v128.load(z, 32), v128.load(w, 32))), 32);
    v128.store(to, gate4(f32x4.add(v128.load(z, 48), v128.load(w, 48))), 48);
  }
}

/** c of one row from its gates, and h. */
// @ts-ignore: decorator
@inline
function lstmRow(gates: usize, from: usize, into: usize, b: i32): v128 {
  const before = v128.load(from);
  const c = fma(v128.load(gates, 16), before, f32x4.mul(v128.load(gates), v128.load(gates, 32)));
  v128.store(into, maskAt != 0 && load<u8>(maskAt + b * T) == 0 ? before : c);
  return f32x4.mul(v128.load(gates, 48), gateTanh4(c));
}

/** A panel of an LSTM for rows b0 .. b1: `cFrom`, `hFrom` ... are those of row 0. The gates go to `kept`, or stay in z. */
function lstmPanel(
  z: usize, w: usize, cFrom: usize, cInto: usize, hFrom: usize, hInto: usize, kept: usize, next: usize, unit: i32, b0: i32, b1: i32,
): void {
  const gates = kept ? kept : z;
  // All gates first: short loops of independent work keep the processor busier than one row after the other.
  lstmGates(z, w, gates, b0, b1);
  const group = f(K * 2);
  let packed = next + f((b0 >> 1) * K * 2 + (E + unit) * 2);
  for (let b = b0; b < b1; b += 2, packed += group) {
    const o = <usize>b << 4;
    const g = gates + (o << 2);
    const h = keep(lstmRow(g, cFrom + o, cInto + o, b), hFrom + o, hInto + o, b, unit);
    if (b + 1 < b1) {
      const second = lstmRow(g + 64, cFrom + o + 16, cInto + o + 16, b + 1);
      storePairs(packed, h, keep(second, hFrom + o + 16, hInto + o + 16, b + 1, unit));
    } else storePairs(packed, h, f32x4.splat(0));
  }
}

// @ts-ignore: decorator
@inline
function gruRow(z: usize, w: usize, from: usize, gates: usize): v128 {
  const update = gate4(f32x4.add(f32x4.add(v128.load(z), v128.load(w)), f32x4.add(v128.load(z, 192), v128.load(w, 64))));
  const reset = gate4(f32x4.add(f32x4.add(v128.load(z, 16), v128.load(w, 16)), f32x4.add(v128.load(z, 208), v128.load(w, 80))));
  const inner = f32x4.add(v128.load(z, 224), v128.load(w, 96));
  const n = gateTanh4(fma(reset, inner, f32x4.add(v128.load(z, 32), v128.load(w, 32))));
  if (gates) {
    v128.store(gates, update);
    v128.store(gates, reset, 16);
    v128.store(gates, n, 32);
    v128.store(gates, inner, 48);
  }
  return fma(update, f32x4.sub(v128.load(from), n), n);
}

function gruPanel(z: usize, w: usize, hFrom: usize, hInto: usize, gates: usize, next: usize, unit: i32, b0: i32, b1: i32): void {
  const group = f(K * 3);
  let packed = next + f((b0 / 3) * K * 3 + (E + unit) * 3);
  let at = z + f((b0 / 3) * 96);
  const gateStep: usize = gates ? 64 : 0;
  for (let b = b0; b < b1; b += 3, packed += group, at += 384) {
    const o = <usize>b << 4;
    const g = gates + <usize>b * gateStep;
    const h = keep(gruRow(at, w, hFrom + o, g), hFrom + o, hInto + o, b, unit);
    let h2 = f32x4.splat(0), h3 = f32x4.splat(0);
    if (b + 1 < b1) h2 = keep(gruRow(at + 64, w, hFrom + o + 16, g + gateStep), hFrom + o + 16, hInto + o + 16, b + 1, unit);
    if (b + 2 < b1)
      h3 = keep(gruRow(at + 128, w, hFrom + o + 32, g + gateStep * 2), hFrom + o + 32, hInto + o + 32, b + 2, unit);
    storeTriples(packed, h, h2, h3);
  }
}

/**
 * A panel of a SimpleRNN. It takes the exact tanh: nothing but 1 - h^2 carries its gradient, which for saturated units hangs on the
 * last digits of h.
 */
function rnnPanel(z: usize, w: usize, hFrom: usize, hInto: usize, next: usize, unit: i32, b0: i32, b1: i32): void {
  const group = f(K * 2);
  const tanh = kind == RNN_TANH;
  const units = min(16, (H - unit + 3) & ~3);
  const zero = f32x4.splat(0);
  let packed = next + f((b0 >> 1) * K * 2 + (E + unit) * 2);
  for (let b = b0; b < b1; b += 2, packed += group) {
    const o = <usize>b << 6;
    for (let u = 0; u < units; u += 4) {
      const at = o + f(u);
      const bias = v128.load(w + f(u));
      const v = f32x4.add(v128.load(z + at), bias);
      const h = keep(tanh ? tanh4(v) : f32x4.pmax(v, zero), hFrom + at, hInto + at, b, unit + u);
      let h2 = zero;
      if (b + 1 < b1) {
        const v2 = f32x4.add(v128.load(z + at + 64), bias);
        h2 = keep(tanh ? tanh4(v2) : f32x4.pmax(v2, zero), hFrom + at + 64, hInto + at + 64, b + 1, unit + u);
      }
      storePairs(packed + f(u * 2), h, h2);
    }
    // Units that only pad: kept at 0.
    for (let u = units; u < 16; u += 4) {
      v128.store(hInto + o + f(u), zero);
      if (b + 1 < b1) v128.store(hInto + o + f(u) + 64, zero);
    }
  }
}

export function sequenceForward(command: usize, worker: i32, workers: i32): void {
  const args = changetype<SequenceForwardCommand>(command);
  setup(command);
  const reverse = args.reverse;
  const x = args.x;
  const kernel = args.kernel;
  const recurrent = args.recurrent;
  const bias = args.bias;
  const h0 = args.h0;
  const c0 = args.c0;
  const mask = args.mask;
  const zeroOut = args.zeroOutput;
  const residual = args.residual;
  const scratch = args.scratch;
  const ys = args.ys;
  const hT = args.h;
  const cT = args.c;

  const packed = scratch;
  const biases = packed + f(P * K * W);
  const a0 = biases + f(P * 32);
  const a1 = a0 + f(groups() * R * K);
  const z = a1 + f(groups() * R * K);
  const own = z + f(groups() * R * 32);
  const gates = residual;
  const slots = residual ? T + 1 : 1;
  const cells = residual ? gates + f(<i32>gatesSize()) : own;
  const hidden = cells + f(<i32>cellSize(slots));

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
      const at = hiddenAt(hidden, u, 0, b);
      const h = h0 ? loadTail(h0 + f(b * H + u), H - u) : f32x4.splat(0);
      v128.store(at, h);
      scatterState(stateAt(a0, b, u), h);
      if (kind == LSTM)
        v128.store(cells + f((u * B) + b * 4), c0 ? loadTail(c0 + f(b * H + u), H - u) : f32x4.splat(0));
    }
  barrier();

  const r0 = g0 * R;
  ysRow = f(T * H);
  zeroOutput = zeroOut != 0;
  let current = a0;
  let next = a1;
  for (let s = 0; s < T; s++) {
    const time = reverse ? T - 1 - s : s;
    packStep(x, time, g0, g1, current);
    maskAt = mask ? mask + time : 0;
    ysAt = ys ? ys + f(time * H) : 0;
    const from = residual ? s : 0;
    const into = residual ? s + 1 : 0;
    for (let p = 0; p < P; p++) {
      const hFrom = hidden + f((from * P + p) * B * UP);
      const hInto = hidden + f((into * P + p) * B * UP);
      const kept = residual && kind >= LSTM ? gates + f((s * P + p) * B * 16) : 0;
      if (kind == GRU) {
        const wx = packed + f(p * E * 12);
        const wh = packed + f((P * E + p * HU) * 12);
        triplesTimesPanel(current, f(K * 3), wx, E, z, f(96), g0, g1);
        triplesTimesPanel(current + f(E * 3), f(K * 3), wh, HU, z + 192, f(96), g0, g1);
        gruPanel(z, biases + f(p * 32), hFrom, hInto, kept, next, p * 4, r0, b1);
        continue;
      }
      const w = packed + f(p * K * 16);
      pairsTimesPanel(current, f(K * 2), w, K, z, f(32), 64, g0, g1, false);
      if (kind == LSTM) {
        const cFrom = cells + f((from * P + p) * B * 4);
        const cInto = cells + f((into * P + p) * B * 4);
        lstmPanel(z, biases + f(p * 32), cFrom, cInto, hFrom, hInto, kept, next, p * 4, r0, b1);
      } else rnnPanel(z, biases + f(p * 32), hFrom, hInto, next, p * 16, r0, b1);
    }
    const spare = current;
    current = next;
    next = spare;
  }
  const last = residual ? T : 0;
  for (let b = g0 * R; b < b1; b++)
    for (let u = 0; u < H; u += 4) {
      if (hT) storeTail(hT + f(b * H + u), v128.load(hiddenAt(hidden, u, last, b)), H - u);
      if (cT && kind == LSTM) storeTail(cT + f(b * H + u), v128.load(cells + f((last * P + u / 4) * B * 4 + b * 4)), H - u);
    }
}

/** Four units (from a multiple of 4) of a row in the history of states. */
// @ts-ignore: decorator
@inline
function hiddenAt(hidden: usize, unit: i32, slot: i32, b: i32): usize {
  if (kind <= RNN_RELU) return hidden + f(((slot * P + (unit >> 4)) * B + b) * 16 + (unit & 15));
  return hidden + f(((slot * P + (unit >> 2)) * B + b) * 4);
}

/** Their place in a packed operand. */
// @ts-ignore: decorator
@inline
function stateAt(a: usize, b: i32, unit: i32): usize {
  const g = R == 2 ? b >> 1 : b / 3;
  return a + f(g * K * R + (E + unit) * R + b - g * R);
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

/** Sixteen units of SimpleRNN for rows b0 .. b1. */
function rnnBackPanel(dz: usize, after: usize, dh: usize, ld: usize, unit: i32, b0: i32, b1: i32): void {
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  const tanh = kind == RNN_TANH;
  for (let b = b0; b < b1; b++) {
    const to = dz + (<usize>b << 6);
    const carry = dh + <usize>b * ld;
    const valid = maskAt == 0 || load<u8>(maskAt + b * T) != 0;
    for (let u = 0; u < 16; u += 4) {
      if (unit + u >= H) {
        v128.store(to + f(u), zero);
        continue;
      }
      const g = incoming(carry + f(u), b, unit + u);
      const h = v128.load(after + (<usize>b << 6) + f(u));
      const d = tanh ? f32x4.mul(g, f32x4.sub(one, f32x4.mul(h, h))) : v128.and(g, f32x4.gt(h, zero));
      v128.store(to + f(u), valid ? d : zero);
      v128.store(carry + f(u), valid ? zero : g);
    }
  }
}

/** What is the same for all panels of a backward step. */
let dysAt: usize, dysRow: usize;

/** The gradient of four units' outputs and states of a row, where it has not vanished; nothing flows back from a skipped step's output of zeros. */
// @ts-ignore: decorator
@inline
function incoming(carry: usize, b: i32, unit: i32): v128 {
  const g = withoutTiny(v128.load(carry));
  if (dysAt == 0 || (zeroOutput && maskAt != 0 && load<u8>(maskAt + b * T) == 0)) return g;
  const at = dysAt + <usize>b * dysRow + f(unit);
  return f32x4.add(g, H - unit >= 4 ? v128.load(at) : loadTail(at, H - unit));
}

/** A row of a step that does not count: its gradient goes on, that of its gates is 0. */
function skipRow(carry: usize, g: v128, dz: usize): void {
  const zero = f32x4.splat(0);
  v128.store(carry, g);
  v128.store(dz, zero);
  v128.store(dz, zero, 16);
  v128.store(dz, zero, 32);
  v128.store(dz, zero, 48);
}

// @ts-ignore: decorator
@inline
function lstmBackRow(carry: usize, gates: usize, before: usize, after: usize, dc: usize, dz: usize, b: i32, unit: i32): void {
  const one = f32x4.splat(1);
  const g = incoming(carry, b, unit);
  if (maskAt != 0 && load<u8>(maskAt + b * T) == 0) {
    skipRow(carry, g, dz);
    return;
  }
  const i = v128.load(gates);
  const forget = v128.load(gates, 16);
  const n = v128.load(gates, 32);
  const o = v128.load(gates, 48);
  const t = gateTanh4(v128.load(after));
  const dC = withoutTiny(fma(f32x4.mul(g, o), f32x4.sub(one, f32x4.mul(t, t)), v128.load(dc)));
  v128.store(dz, f32x4.mul(f32x4.mul(dC, n), f32x4.mul(i, f32x4.sub(one, i))));
  v128.store(dz, f32x4.mul(f32x4.mul(dC, v128.load(before)), f32x4.mul(forget, f32x4.sub(one, forget))), 16);
  v128.store(dz, f32x4.mul(f32x4.mul(dC, i), f32x4.sub(one, f32x4.mul(n, n))), 32);
  v128.store(dz, f32x4.mul(f32x4.mul(g, t), f32x4.mul(o, f32x4.sub(one, o))), 48);
  v128.store(dc, f32x4.mul(dC, forget));
  v128.store(carry, f32x4.splat(0));
}

/** dM, the gradient of the candidate's recurrent part, comes fourth. */
// @ts-ignore: decorator
@inline
function gruBackRow(carry: usize, gates: usize, before: usize, dz: usize, b: i32, unit: i32): void {
  const one = f32x4.splat(1);
  const g = incoming(carry, b, unit);
  if (maskAt != 0 && load<u8>(maskAt + b * T) == 0) {
    skipRow(carry, g, dz);
    return;
  }
  const update = v128.load(gates);
  const reset = v128.load(gates, 16);
  const n = v128.load(gates, 32);
  const dN = f32x4.mul(f32x4.mul(g, f32x4.sub(one, update)), f32x4.sub(one, f32x4.mul(n, n)));
  v128.store(dz, f32x4.mul(f32x4.mul(g, f32x4.sub(v128.load(before), n)), f32x4.mul(update, f32x4.sub(one, update))));
  v128.store(dz, f32x4.mul(f32x4.mul(dN, v128.load(gates, 48)), f32x4.mul(reset, f32x4.sub(one, reset))), 16);
  v128.store(dz, dN, 32);
  v128.store(dz, f32x4.mul(dN, reset), 48);
  v128.store(carry, f32x4.mul(g, update));
}

/** The 16 gradients of two rows, interleaved for a packed operand. */
// @ts-ignore: decorator
@inline
function packGates(to: usize, dz: usize, second: usize, third: usize): void {
  storePairs(to, v128.load(dz), v128.load(second));
  storePairs(to + 32, v128.load(dz, 16), v128.load(second, 16));
  storePairs(to + 64, v128.load(dz + third), v128.load(second + third));
}

export function sequenceBackward(command: usize, worker: i32, workers: i32, own: usize, ownBytes: usize): void {
  const args = changetype<SequenceBackwardCommand>(command);
  setup(command);
  const reverse = args.reverse;
  const x = args.x;
  const kernel = args.kernel;
  const recurrent = args.recurrent;
  const mask = args.mask;
  const zeroOut = args.zeroOutput;
  const residual = args.residual;
  const scratch = args.scratch;
  const dys = args.dys;
  const dhT = args.dh;
  const dcT = args.dc;
  const dx = args.dx;
  const dKernel = args.dKernel;
  const dRecurrent = args.dRecurrent;
  const dBias = args.dBias;
  const dh0 = args.dh0;
  const dc0 = args.dc0;

  const slots = T + 1;
  const gates = residual;
  const cells = gates + f(<i32>gatesSize());
  const hidden = cells + f(<i32>cellSize(slots));

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
  const zeros = beside + f(pairs * 32);
  const dz = beside + f(pairs * 32 + 64);
  const chunk = chunkSteps();
  const sums = dz + f(2 * P * chunk * B * 16);
  const wanted = dKernel != 0 || dRecurrent != 0 || dBias != 0;
  const p0 = share(P, worker, workers);
  const p1 = share(P, worker + 1, workers);

  if (dx) packTransposed(kernel, E, packedX, share(EP, worker, workers), share(EP, worker + 1, workers));
  packTransposed(recurrent, H, packedH, share(HP, worker, workers), share(HP, worker + 1, workers));
  const g0 = share(pairs, worker, workers);
  const g1 = share(pairs, worker + 1, workers);
  const r0 = g0 * 2;
  const r1 = min(B, g1 * 2);
  if (worker == 0) memory.fill(zeros, 0, 64);
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

  const zero = f32x4.splat(0);
  dysRow = f(T * H);
  zeroOutput = zeroOut != 0;
  for (let s = T - 1; s >= 0; s--) {
    const time = reverse ? T - 1 - s : s;
    maskAt = mask ? mask + time : 0;
    dysAt = dys ? dys + f(time * H) : 0;
    const s0 = s - (s % chunk);
    const current = dz + f(((s / chunk) & 1) * P * chunk * B * 16);
    for (let p = 0; p < P; p++) {
      const own = current + f((p * chunk + s - s0) * B * 16);
      if (kind <= RNN_RELU) rnnBackPanel(own, hidden + f(((s + 1) * P + p) * B * 16), dh + f(p * 16), ld, p * 16, r0, r1);
      else {
        const unit = p * 4;
        let carry = dh + <usize>r0 * ld + f(unit);
        const kept = gates + f((s * P + p) * B * 16);
        if (kind == LSTM) {
          const before = cells + f((s * P + p) * B * 4);
          const after = cells + f(((s + 1) * P + p) * B * 4);
          const cellGradient = dc + f(p * B * 4);
          for (let b = r0; b < r1; b++, carry += ld) {
            const o = <usize>b << 4;
            lstmBackRow(carry, kept + (o << 2), before + o, after + o, cellGradient + o, own + (o << 2), b, unit);
          }
        } else {
          const before = hidden + f((s * P + p) * B * 4);
          for (let b = r0; b < r1; b++, carry += ld) {
            const o = <usize>b << 4;
            gruBackRow(carry, kept + (o << 2), before + o, own + (o << 2), b, unit);
          }
        }
      }
      // The packed operands of the products below; the row beside an odd last one is zeros.
      for (let g = g0; g < g1; g++) {
        const first = own + f(g * 32);
        const second = g * 2 + 1 < B ? first + 64 : zeros;
        const to = f(g * 2 * P * W + p * W * 2);
        packGates(da + to, first, second, 32);
        if (kind == GRU) packGates(db + to, first, second, 48);
        else storePairs(da + to + 96, v128.load(first, 48), v128.load(second, 48));
      }
    }
    if (dx)
      for (let q = 0; q < EP; q++) {
        const panel = packedX + f(q * depth * 16);
        const columns = min(16, E - q * 16);
        const to = dx + f(time * E + q * 16);
        // Pairs whose tile lies in dx as a whole; the others are computed beside it.
        const whole = columns == 16 ? min(g1, B >> 1) : g0;
        pairsTimesPanel(da, f(2 * depth), panel, depth, to, f(2 * T * E), f(T * E), g0, whole, false);
        pairsTimesPanel(da, f(2 * depth), panel, depth, beside, f(32), 64, max(g0, whole), g1, false);
        for (let g = max(g0, whole); g < g1; g++) {
          const row = to + f(g * 2 * T * E);
          memory.copy(row, beside + f(g * 32), f(columns));
          if (g * 2 + 1 < B) memory.copy(row + f(T * E), beside + f(g * 32) + 64, f(columns));
        }
      }
    const source = kind == GRU ? db : da;
    for (let q = 0; q < HP; q++) {
      pairsTimesPanel(source, f(2 * depth), packedH + f(q * depth * 16), depth, dh + f(q * 16), ld * 2, ld, g0, g1, true);
    }
    if (wanted && s == s0) {
      barrier();
      weightGradients(reverse, x, hidden, current, sums, s0, min(T, s0 + chunk), p0, p1, own, ownBytes);
    }
  }
  for (let b = r0; b < r1; b++) {
    if (dh0) memory.copy(dh0 + f(b * H), dh + <usize>b * ld, f(H));
    if (dc0 && kind == LSTM)
      for (let p = 0; p < P; p++) storeTail(dc0 + f(b * H + p * 4), v128.load(dc + f((p * B + b) * 4)), H - p * 4);
  }
  if (wanted) spreadGradients(sums, dKernel, dRecurrent, dBias, p0, p1);
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
    for (let s = s0; s < s1; s++) {
      if (R == 2) {
        let from = hidden + f((s * P + unit / UP) * B * UP + (unit % UP));
        for (let b = 0; b < B; b++, from += f(UP), to += 8) store<u64>(to, load<u64>(from));
      } else
        for (let j = 0; j < 3; j++) {
          const u = unit + j;
          let from = hidden + f((s * P + (u >> 2)) * B * 4 + (u & 3));
          for (let b = 0; b < B; b++, from += 16) store<f32>(to + f(b * 3 + j), u < HU ? load<f32>(from) : 0);
          if (j == 2) to += f(B * 3);
        }
    }
    return;
  }
  for (let r = (s1 - s0) * B; r > 0; r--) for (let j = 0; j < R; j++, to += 4) store<f32>(to, j == 0 ? 1 : 0);
}

/**
 * [dW; dU; db] += [x, h, 1]^T dz of steps s0 .. s1, for panels p0 .. p1. Some groups of rows at a time, so that the packed operand
 * stays in cache. The last steps come first, and begin the sums.
 */
function weightGradients(
  reverse: i32, x: usize, hidden: usize, dz: usize, sums: usize, s0: i32, s1: i32, p0: i32, p1: i32, own: usize, ownBytes: usize,
): void {
  const xGroups = groupsOf(E);
  const total = xGroups + groupsOf(HU) + 1;
  const chunk = chunkSteps();
  const rows = (s1 - s0) * B;
  const more = s1 < T;
  const block = max(1, <i32>(min(ownBytes, OPERANDS) >> 2) / max(1, rows * R));
  for (let ga = 0; ga < total; ga += block) {
    const gb = min(total, ga + block);
    for (let g = ga; g < gb; g++) packGroup(reverse, x, hidden, g, s0, s1, own + f((g - ga) * rows * R));
    for (let p = p0; p < p1; p++) {
      const panel = dz + f(p * chunk * B * 16);
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

/** The sums of panels p0 .. p1 to the columns of the weights' gradients. */
function spreadGradients(sums: usize, dKernel: usize, dRecurrent: usize, dBias: usize, p0: i32, p1: i32): void {
  const xGroups = groupsOf(E);
  const hGroups = groupsOf(HU);
  const total = xGroups + hGroups + 1;
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
