/**
 * The part of SimpleRNN, LSTM and GRU that runs along time, on inputs that have been projected (x W + b) before: for what the kernels of
 * whole sequences (sequence.ts) leave out, since it gives each gate an operand of its own: recurrent dropout, and a GRU that resets
 * the state before its product.
 *
 * Each gate's product is its own: panels of 16 units. Workers share the batch; they meet around the sequence, and once before the weights'
 * gradients, which they share by panels, in chunks of rows that do not depend on how many workers there are.
 */
import {
  RECURRENT_GRU as GRU, RECURRENT_GRU_BEFORE as GRU_BEFORE, RECURRENT_LSTM as LSTM, RECURRENT_RNN_RELU as RNN_RELU, RECURRENT_RNN_TANH as RNN_TANH,
  RecurrenceBackwardCommand, RecurrenceForwardCommand,
} from "./generated/commands";
import { loadTail, pairsTimesPanel, panels16, share, storePairs, storeTail } from "./sequence";
import { barrier } from "./sync";
import { tile2x16 } from "./tiles";
import { fma, sigmoid4, tanh4, withoutTiny } from "./vector";

/**
 * The exact functions: here products take most of the time, and with the cheaper ones of sequence.ts the gradient of a saturated GRU that resets
 * before its product left the tolerance of the golden files. A call, not a copy of the code in four places.
 */
function tanhOf(x: v128): v128 {
  return tanh4(x);
}

/** Rows of a chunk of the weights' gradients. */
const ROWS: i32 = 512;

let kind: i32, B: i32, T: i32, H: i32;
/** Gates, panels of a gate, units with padding, values that a step keeps per unit. */
let G: i32, Q: i32, HP: i32, KEPT: i32;

function shape(): void {
  G = kind == LSTM ? 4 : kind >= GRU ? 3 : 1;
  KEPT = kind == LSTM || kind == GRU ? 4 : kind == GRU_BEFORE ? 3 : 0;
  Q = panels16(H);
  HP = Q * 16;
}

// @ts-ignore: decorator
@inline
function f(n: i32): usize {
  return <usize>n << 2;
}

function sizes(k: i32, b: i32, t: i32, h: i32): void {
  kind = k; B = b; T = t; H = h;
  shape();
}
function keptSize(): i64 {
  return <i64>T * B * KEPT * HP;
}
function cellSize(slots: i32): i64 {
  return kind == LSTM ? <i64>slots * B * HP : 0;
}
function pairs(): i32 {
  return (B + 1) >> 1;
}

/** Floats of what the forward pass leaves for the backward pass: gates, states c, states h. Counted in 64 bits, as those of sequences. */
export function recurrenceResidual(k: i32, b: i32, t: i32, h: i32): f64 {
  sizes(k, b, t, h);
  const size: i64 = keptSize() + cellSize(T + 1) + (<i64>T + 1) * B * HP;
  return <f64>size;
}
/** Floats of scratch memory of the forward pass. */
export function recurrenceForwardScratch(k: i32, b: i32, t: i32, h: i32): f64 {
  sizes(k, b, t, h);
  const panels = <i64>HP;
  const size: i64 = G * panels * panels + 4 * panels + 4 * panels * pairs() * G + cellSize(1) + panels * B;
  return <f64>size;
}
/** Floats of scratch memory of the backward pass. */
export function recurrenceBackwardScratch(k: i32, b: i32, t: i32, h: i32): f64 {
  sizes(k, b, t, h);
  const panels = <i64>HP;
  const size: i64 = 2 * G * panels * panels + 2 * panels * pairs() * (G + 2) + cellSize(1) + panels * G * T * B + 16;
  return <f64>size;
}

/** What is the same for all rows of a step. */
let maskAt: usize, dropAt: usize, zeroOutput: bool;

// @ts-ignore: decorator
@inline
function skipped(b: i32): bool {
  return maskAt != 0 && load<u8>(maskAt + b * T) == 0;
}

/** Four of H values from `unit` on. */
function some(at: usize, unit: i32): v128 {
  return H - unit >= 4 ? v128.load(at + f(unit)) : loadTail(at + f(unit), H - unit);
}

/** The dropout mask of a gate's operand, for four units of a row. */
function kept(gate: i32, b: i32, unit: i32): v128 {
  return dropAt ? some(dropAt + f((gate * B + b) * H), unit) : f32x4.splat(1);
}

/** A gate's columns of the recurrent kernel [H, G H] in panels of 16, padded with zeros. */
function packGate(source: usize, j0: i32, j1: i32, to: usize): void {
  for (let j = j0; j < j1; j++) {
    const gate = j / Q, unit = (j - gate * Q) * 16;
    const at = to + f(j * HP * 16);
    for (let k = 0; k < HP; k++)
      for (let u = 0; u < 16; u += 4)
        v128.store(at + f(k * 16 + u), k < H ? some(source + f((k * G + gate) * H), unit + u) : f32x4.splat(0));
  }
}

/** Their transposes: panels of 16 rows of the kernel, for dz U^T. */
function packGateTransposed(source: usize, j0: i32, j1: i32, to: usize): void {
  for (let j = j0; j < j1; j++) {
    const gate = j / Q, first = (j - gate * Q) * 16;
    const at = to + f(j * HP * 16);
    for (let u = 0; u < HP; u++)
      for (let r = 0; r < 16; r++)
        store<f32>(at + f(u * 16 + r), first + r < H && u < H ? load<f32>(source + f(((first + r) * G + gate) * H + u)) : 0);
  }
}

/** Pairs of rows of states [row][HP], each as the gate sees it, into an operand [pair][HP][2]. */
function packStates(h: usize, gate: i32, g0: i32, g1: i32, to: usize): void {
  for (let g = g0; g < g1; g++) {
    const b = g * 2;
    const at = to + f(b * HP);
    for (let u = 0; u < HP; u += 4) {
      let first = v128.load(h + f(b * HP + u));
      let second = b + 1 < B ? v128.load(h + f((b + 1) * HP + u)) : f32x4.splat(0);
      if (dropAt) {
        first = f32x4.mul(first, kept(gate, b, u));
        if (b + 1 < B) second = f32x4.mul(second, kept(gate, b + 1, u));
      }
      storePairs(at + f(u * 2), first, second);
    }
  }
}

/** z of one gate: an operand [pair][HP][2] times its panels; rows of z hold all gates. */
function gateProduct(a: usize, weights: usize, gate: i32, z: usize, g0: i32, g1: i32): void {
  const row = f(G * HP);
  for (let q = 0; q < Q; q++)
    pairsTimesPanel(a, f(HP * 2), weights + f((gate * Q + q) * HP * 16), HP, z + f(gate * HP + q * 16), row * 2, row, g0, g1, false);
}

/** Writes a row's new state and output; a step that does not count leaves the state before. */
function keep(h: v128, from: usize, into: usize, y: usize, b: i32, unit: i32): void {
  let state = h;
  let output = h;
  if (skipped(b)) {
    state = v128.load(from);
    output = zeroOutput ? f32x4.splat(0) : state;
  }
  v128.store(into, state);
  if (y) storeTail(y + f(unit), output, H - unit);
}

/** A gate of one row, in place: of the product z, the projected input x and the bias. */
function activate(z: usize, x: usize, bias: usize, candidate: bool): void {
  for (let u = 0; u < HP; u += 4) {
    const at = z + f(u);
    const v = f32x4.add(f32x4.add(v128.load(at), v128.load(bias + f(u))), some(x, u));
    v128.store(at, candidate ? tanhOf(v) : sigmoid4(v));
  }
}

export function recurrenceForward(command: usize, worker: i32, workers: i32): void {
  const args = changetype<RecurrenceForwardCommand>(command);
  sizes(args.kind, args.batch, args.time, args.units);
  const reverse = args.reverse;
  const xs = args.x;
  const recurrent = args.recurrent;
  const bias = args.bias;
  const drop = args.drop;
  const h0 = args.h0;
  const c0 = args.c0;
  const mask = args.mask;
  zeroOutput = args.zeroOutput != 0;
  const residual = args.residual;
  const scratch = args.scratch;
  const ys = args.ys;
  const hT = args.h;
  const cT = args.c;

  const weights = scratch;
  const biases = weights + f(G * HP * HP);
  const operand = biases + f(4 * HP);
  const z = operand + f(2 * pairs() * G * HP);
  const own = z + f(2 * pairs() * G * HP);
  const slots = residual ? T + 1 : 1;
  const cells = residual ? residual + f(<i32>keptSize()) : own;
  const hidden = cells + f(<i32>cellSize(slots));

  packGate(recurrent, share(G * Q, worker, workers), share(G * Q, worker + 1, workers), weights);
  if (worker == 0)
    for (let g = 0; g < 4; g++)
      for (let u = 0; u < HP; u += 4)
        v128.store(biases + f(g * HP + u), bias && g < G ? some(bias + f(g * H), u) : f32x4.splat(0));
  const g0 = share(pairs(), worker, workers);
  const g1 = share(pairs(), worker + 1, workers);
  const r0 = g0 * 2;
  const r1 = min(B, g1 * 2);
  for (let b = r0; b < r1; b++)
    for (let u = 0; u < HP; u += 4) {
      v128.store(hidden + f(b * HP + u), h0 ? some(h0 + f(b * H), u) : f32x4.splat(0));
      if (kind == LSTM) v128.store(cells + f(b * HP + u), c0 ? some(c0 + f(b * H), u) : f32x4.splat(0));
    }
  barrier();

  dropAt = drop;
  const row = f(G * HP);
  for (let s = 0; s < T; s++) {
    const time = reverse ? T - 1 - s : s;
    maskAt = mask ? mask + time : 0;
    const from = f((residual ? s : 0) * B * HP);
    const into = f((residual ? s + 1 : 0) * B * HP);
    // A GRU that resets before its product computes its candidate below.
    const direct = kind == GRU_BEFORE ? 2 : G;
    for (let g = 0; g < direct; g++) {
      if (drop || g == 0) packStates(hidden + from, g, g0, g1, operand);
      gateProduct(operand, weights, g, z, g0, g1);
    }
    if (kind >= GRU)
      for (let b = r0; b < r1; b++)
        for (let g = 0; g < 2; g++)
          activate(z + <usize>b * row + f(g * HP), xs + f(((b * T + time) * G + g) * H), biases + f(g * HP), false);
    if (kind == GRU_BEFORE) {
      for (let g = g0; g < g1; g++)
        for (let u = 0; u < HP; u += 4) {
          const b = g * 2;
          const first = resetState(z + <usize>b * row, hidden + from, b, u);
          const second = b + 1 < B ? resetState(z + <usize>(b + 1) * row, hidden + from, b + 1, u) : f32x4.splat(0);
          storePairs(operand + f(b * HP + u * 2), first, second);
        }
      gateProduct(operand, weights, 2, z, g0, g1);
    }
    for (let b = r0; b < r1; b++) {
      const x = xs + f((b * T + time) * G * H);
      const y = ys ? ys + f((b * T + time) * H) : 0;
      const h = hidden + from + f(b * HP);
      const next = hidden + into + f(b * HP);
      const zs = z + <usize>b * row;
      const gates = residual ? residual + f((s * B + b) * KEPT * HP) : 0;
      if (kind <= RNN_RELU) {
        for (let u = 0; u < HP; u += 4) {
          const v = f32x4.add(v128.load(zs + f(u)), some(x, u));
          keep(kind == RNN_TANH ? tanhOf(v) : f32x4.pmax(v, f32x4.splat(0)), h + f(u), next + f(u), y, b, u);
        }
        continue;
      }
      if (kind == LSTM) {
        for (let g = 0; g < 4; g++) activate(zs + f(g * HP), x + f(g * H), biases + f(g * HP), g == 2);
        const c = cells + from + f(b * HP);
        const cNext = cells + into + f(b * HP);
        for (let u = 0; u < HP; u += 4) {
          const before = v128.load(c + f(u));
          const after = fma(v128.load(zs + f(HP + u)), before, f32x4.mul(v128.load(zs + f(u)), v128.load(zs + f(2 * HP + u))));
          v128.store(cNext + f(u), skipped(b) ? before : after);
          keep(f32x4.mul(v128.load(zs + f(3 * HP + u)), tanhOf(after)), h + f(u), next + f(u), y, b, u);
        }
      } else {
        if (kind == GRU)
          for (let u = 0; u < HP; u += 4) {
            // The recurrent part of the candidate, with its bias, times the reset gate; activate adds the input's part.
            const at = zs + f(2 * HP + u);
            const inner = f32x4.add(v128.load(at), v128.load(biases + f(2 * HP + u)));
            if (gates) v128.store(gates + f(3 * HP + u), inner);
            v128.store(at, f32x4.mul(v128.load(zs + f(HP + u)), inner));
          }
        activate(zs + f(2 * HP), x + f(2 * H), biases + f(3 * HP), true);
        for (let u = 0; u < HP; u += 4) {
          const update = v128.load(zs + f(u));
          const n = v128.load(zs + f(2 * HP + u));
          keep(fma(update, f32x4.sub(v128.load(h + f(u)), n), n), h + f(u), next + f(u), y, b, u);
        }
      }
      if (gates) memory.copy(gates, zs, f((kind == LSTM ? 4 : 3) * HP));
    }
  }
  const last = f((residual ? T : 0) * B * HP);
  for (let b = r0; b < r1; b++)
    for (let u = 0; u < H; u += 4) {
      if (hT) storeTail(hT + f(b * H + u), v128.load(hidden + last + f(b * HP + u)), H - u);
      if (cT && kind == LSTM) storeTail(cT + f(b * H + u), v128.load(cells + last + f(b * HP + u)), H - u);
    }
}

/** The reset gate of a row times the state: what the candidate's product sees. */
function resetState(zs: usize, hidden: usize, b: i32, u: i32): v128 {
  return f32x4.mul(f32x4.mul(v128.load(zs + f(HP + u)), v128.load(hidden + f(b * HP + u))), kept(2, b, u));
}

/** Where a gate's gradient of one row and step begins in the history of panels [gate][panel][step][row][16]. */
function gradientAt(history: usize, gate: i32, s: i32, b: i32, unit: i32): usize {
  return history + f((((gate * Q + (unit >> 4)) * T + s) * B + b) * 16 + (unit & 15));
}

/** Pairs of rows of a gate's gradients of step s into an operand [pair][HP][2]. */
function packGradients(history: usize, zeros: usize, gate: i32, s: i32, g0: i32, g1: i32, to: usize): void {
  for (let g = g0; g < g1; g++) {
    const b = g * 2;
    for (let u = 0; u < HP; u += 4) {
      const first = gradientAt(history, gate, s, b, u);
      storePairs(to + f(b * HP + u * 2), v128.load(first), v128.load(b + 1 < B ? first + 64 : zeros));
    }
  }
}

/** dz U^T of one gate, to `to` [row][HP]. */
function backProduct(a: usize, weights: usize, gate: i32, to: usize, g0: i32, g1: i32, accumulate: bool): void {
  const row = f(HP);
  for (let q = 0; q < Q; q++)
    pairsTimesPanel(a, row * 2, weights + f((gate * Q + q) * HP * 16), HP, to + f(q * 16), row * 2, row, g0, g1, accumulate);
}

export function recurrenceBackward(command: usize, worker: i32, workers: i32, own: usize, ownBytes: usize): void {
  const args = changetype<RecurrenceBackwardCommand>(command);
  sizes(args.kind, args.batch, args.time, args.units);
  const reverse = args.reverse;
  const recurrent = args.recurrent;
  dropAt = args.drop;
  const mask = args.mask;
  zeroOutput = args.zeroOutput != 0;
  const residual = args.residual;
  const scratch = args.scratch;
  const dys = args.dys;
  const dhT = args.dh;
  const dcT = args.dc;
  const dx = args.dx;
  const dRecurrent = args.dRecurrent;
  const dBias = args.dBias;
  const dh0 = args.dh0;
  const dc0 = args.dc0;

  const cells = residual + f(<i32>keptSize());
  const hidden = cells + f(<i32>cellSize(T + 1));
  const weights = scratch;
  const sums = weights + f(G * HP * HP);
  const operand = sums + f(G * HP * HP);
  const dh = operand + f(2 * pairs() * G * HP);
  const partial = dh + f(2 * pairs() * HP);
  const dc = partial + f(2 * pairs() * HP);
  const history = dc + f(<i32>cellSize(1));
  const zeros = history + f(G * T * B * HP);

  const j0 = share(G * Q, worker, workers);
  const j1 = share(G * Q, worker + 1, workers);
  packGateTransposed(recurrent, j0, j1, weights);
  if (worker == 0) memory.fill(zeros, 0, 64);
  const g0 = share(pairs(), worker, workers);
  const g1 = share(pairs(), worker + 1, workers);
  const r0 = g0 * 2;
  const r1 = min(B, g1 * 2);
  memory.fill(dh + f(r0 * HP), 0, f((g1 - g0) * 2 * HP));
  for (let b = r0; b < r1; b++)
    for (let u = 0; u < HP; u += 4) {
      if (dhT) v128.store(dh + f(b * HP + u), some(dhT + f(b * H), u));
      if (kind == LSTM) v128.store(dc + f(b * HP + u), dcT ? some(dcT + f(b * H), u) : f32x4.splat(0));
    }
  barrier();

  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  for (let s = T - 1; s >= 0; s--) {
    const time = reverse ? T - 1 - s : s;
    maskAt = mask ? mask + time : 0;
    for (let b = r0; b < r1; b++) {
      const skip = skipped(b);
      const dy = dys && !(skip && zeroOutput) ? dys + f((b * T + time) * H) : 0;
      const to = dx ? dx + f((b * T + time) * G * H) : 0;
      const gates = residual + f((s * B + b) * KEPT * HP);
      for (let u = 0; u < HP; u += 4) {
        const carry = dh + f(b * HP + u);
        let g = withoutTiny(v128.load(carry));
        if (dy) g = f32x4.add(g, some(dy, u));
        if (skip) {
          // Its gradient goes on, that of its gates is 0.
          v128.store(carry, g);
          for (let k = 0; k < G; k++) {
            v128.store(gradientAt(history, k, s, b, u), zero);
            if (to) storeTail(to + f(k * H + u), zero, H - u);
          }
          continue;
        }
        if (kind <= RNN_RELU) {
          const h = v128.load(hidden + f(((s + 1) * B + b) * HP + u));
          const d = kind == RNN_TANH ? f32x4.mul(g, f32x4.sub(one, f32x4.mul(h, h))) : v128.and(g, f32x4.gt(h, zero));
          v128.store(carry, zero);
          leave(history, to, 0, s, b, u, d, d);
        } else if (kind == LSTM) {
          const i = v128.load(gates + f(u));
          const forget = v128.load(gates + f(HP + u));
          const n = v128.load(gates + f(2 * HP + u));
          const o = v128.load(gates + f(3 * HP + u));
          const t = tanhOf(v128.load(cells + f(((s + 1) * B + b) * HP + u)));
          const dcAt = dc + f(b * HP + u);
          const dC = withoutTiny(fma(f32x4.mul(g, o), f32x4.sub(one, f32x4.mul(t, t)), v128.load(dcAt)));
          const before = v128.load(cells + f((s * B + b) * HP + u));
          const dI = f32x4.mul(f32x4.mul(dC, n), f32x4.mul(i, f32x4.sub(one, i)));
          const dF = f32x4.mul(f32x4.mul(dC, before), f32x4.mul(forget, f32x4.sub(one, forget)));
          const dN = f32x4.mul(f32x4.mul(dC, i), f32x4.sub(one, f32x4.mul(n, n)));
          const dO = f32x4.mul(f32x4.mul(g, t), f32x4.mul(o, f32x4.sub(one, o)));
          leave(history, to, 0, s, b, u, dI, dI);
          leave(history, to, 1, s, b, u, dF, dF);
          leave(history, to, 2, s, b, u, dN, dN);
          leave(history, to, 3, s, b, u, dO, dO);
          v128.store(dcAt, withoutTiny(f32x4.mul(dC, forget)));
          v128.store(carry, zero);
        } else {
          const update = v128.load(gates + f(u));
          const n = v128.load(gates + f(2 * HP + u));
          const before = v128.load(hidden + f((s * B + b) * HP + u));
          const dN = f32x4.mul(f32x4.mul(g, f32x4.sub(one, update)), f32x4.sub(one, f32x4.mul(n, n)));
          const dZ = f32x4.mul(f32x4.mul(g, f32x4.sub(before, n)), f32x4.mul(update, f32x4.sub(one, update)));
          leave(history, to, 0, s, b, u, dZ, dZ);
          v128.store(carry, withoutTiny(f32x4.mul(g, update)));
          if (kind == GRU_BEFORE) {
            leave(history, to, 2, s, b, u, dN, dN);
            continue;
          }
          const reset = v128.load(gates + f(HP + u));
          const dR = f32x4.mul(f32x4.mul(dN, v128.load(gates + f(3 * HP + u))), f32x4.mul(reset, f32x4.sub(one, reset)));
          leave(history, to, 1, s, b, u, dR, dR);
          // The candidate's input sees dN, its recurrent part dN * r.
          leave(history, to, 2, s, b, u, dN, f32x4.mul(dN, reset));
        }
      }
    }
    if (kind == GRU_BEFORE) {
      packGradients(history, zeros, 2, s, g0, g1, operand);
      backProduct(operand, weights, 2, partial, g0, g1, false);
      for (let b = r0; b < r1; b++) {
        if (skipped(b)) continue;
        const gates = residual + f((s * B + b) * KEPT * HP);
        const to = dx ? dx + f((b * T + time) * G * H) : 0;
        for (let u = 0; u < HP; u += 4) {
          const reset = v128.load(gates + f(HP + u));
          const d = f32x4.mul(v128.load(partial + f(b * HP + u)), kept(2, b, u)); // of r * h
          const carry = dh + f(b * HP + u);
          v128.store(carry, fma(d, reset, v128.load(carry)));
          const before = v128.load(hidden + f((s * B + b) * HP + u));
          const dR = f32x4.mul(f32x4.mul(d, before), f32x4.mul(reset, f32x4.sub(one, reset)));
          leave(history, to, 1, s, b, u, dR, dR);
        }
      }
    }
    for (let g = 0; g < (kind == GRU_BEFORE ? 2 : G); g++) {
      packGradients(history, zeros, g, s, g0, g1, operand);
      if (!dropAt) {
        backProduct(operand, weights, g, dh, g0, g1, true);
        continue;
      }
      backProduct(operand, weights, g, partial, g0, g1, false);
      for (let b = r0; b < r1; b++)
        for (let u = 0; u < HP; u += 4) {
          const carry = dh + f(b * HP + u);
          v128.store(carry, fma(v128.load(partial + f(b * HP + u)), kept(g, b, u), v128.load(carry)));
        }
    }
  }
  for (let b = r0; b < r1; b++) {
    if (dh0) memory.copy(dh0 + f(b * H), dh + f(b * HP), f(H));
    if (dc0 && kind == LSTM) memory.copy(dc0 + f(b * H), dc + f(b * HP), f(H));
  }
  if (!dRecurrent && !dBias) return;
  barrier();
  if (dRecurrent) weightGradients(history, hidden, residual, sums, j0, j1, own, ownBytes);
  for (let j = j0; j < j1; j++) {
    const gate = j / Q, unit = (j - gate * Q) * 16;
    if (dRecurrent) for (let k = 0; k < H; k++) spread(sums + f((j * HP + k) * 16), dRecurrent + f((k * G + gate) * H), unit);
    if (dBias) {
      sumRows(history + f(j * T * B * 16), sums + f(j * HP * 16));
      spread(sums + f(j * HP * 16), dBias + f(gate * H), unit);
    }
  }
}

/** A gate's gradient for its input, where that is wanted, and for its recurrent product. */
function leave(history: usize, to: usize, gate: i32, s: i32, b: i32, u: i32, input: v128, recurrent: v128): void {
  v128.store(gradientAt(history, gate, s, b, u), withoutTiny(recurrent));
  if (to) storeTail(to + f(gate * H + u), withoutTiny(input), H - u);
}

function spread(from: usize, to: usize, unit: i32): void {
  for (let u = 0; u < 16; u += 4) storeTail(to + f(unit + u), v128.load(from + f(u)), H - unit - u);
}

function sumRows(from: usize, to: usize): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (const end = from + f(T * B * 16); from < end; from += 64) {
    s0 = f32x4.add(s0, v128.load(from));
    s1 = f32x4.add(s1, v128.load(from, 16));
    s2 = f32x4.add(s2, v128.load(from, 32));
    s3 = f32x4.add(s3, v128.load(from, 48));
  }
  v128.store(to, s0);
  v128.store(to, s1, 16);
  v128.store(to, s2, 32);
  v128.store(to, s3, 48);
}

/** Units k, k + 1 of rows first .. last of what a gate's product saw, packed [row][2]. */
function packSeen(hidden: usize, residual: usize, gate: i32, k: i32, first: i32, last: i32, to: usize): void {
  const resets = kind == GRU_BEFORE && gate == 2;
  for (let r = first; r < last; r++, to += 8) {
    let v = v128.load64_zero(hidden + f(r * HP + k));
    if (resets) v = f32x4.mul(v, v128.load64_zero(residual + f(r * KEPT * HP + HP + k)));
    if (dropAt) {
      const b = r % B;
      // For an odd H the last value is another row's; its unit only pads, and its sums are not used.
      v = f32x4.mul(v, v128.load64_zero(dropAt + f((gate * B + b) * H + k)));
    }
    v128.store64_lane(to, v, 0);
  }
}

/** dU = (what the gates saw)^T dz, for panels j0 .. j1. */
function weightGradients(
  history: usize, hidden: usize, residual: usize, sums: usize, j0: i32, j1: i32, own: usize, ownBytes: usize,
): void {
  const total = T * B;
  const units = (H + 1) & ~1;
  const block = max(1, <i32>(ownBytes / (ROWS * 8))) * 2;
  // A sum of nothing is written too.
  for (let first = 0; first == 0 || first < total; first += ROWS) {
    const last = min(total, first + ROWS);
    const rows = last - first;
    for (let k0 = 0; k0 < units; k0 += block) {
      const k1 = min(units, k0 + block);
      let packed = -1;
      for (let j = j0; j < j1; j++) {
        const gate = j / Q;
        // Gates that see the same share one operand.
        const seen = dropAt ? gate : kind == GRU_BEFORE && gate == 2 ? 2 : 0;
        if (seen != packed) {
          for (let k = k0; k < k1; k += 2) packSeen(hidden, residual, gate, k, first, last, own + f((k - k0) * rows));
          packed = seen;
        }
        const panel = history + f((j * total + first) * 16);
        for (let k = k0; k < k1; k += 2)
          tile2x16(own + f((k - k0) * rows), panel, rows, sums + f((j * HP + k) * 16), 64, first > 0);
      }
    }
  }
}
