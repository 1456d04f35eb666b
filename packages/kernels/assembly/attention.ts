/**
 * Scaled dot-product attention over [batch, time, heads, depth], a block of queries and keys at a time: the matrix of all scores is
 * never kept. The forward pass leaves the logarithm of each row's sum; from it the backward pass computes the block's
 * probabilities again (Dao et al. 2022). Workers share the heads of all samples.
 */
import { AttentionBackwardCommand, AttentionForwardCommand } from "./generated/commands";
import { GEMM_SCRATCH, gemm } from "./gemm";
import { expNegative4, fma, log4 } from "./vector";

/** Rows and columns of a block of scores. */
const QUERIES: i32 = 64;
const KEYS: i32 = 256;
/** From one row of a block to the next: no power of two, or a column's rows would share a few sets of the first-level cache. */
const LINE: i32 = KEYS + 16;
/**
 * What stands for scores that do not count: below all others. Where no score of a row counts, all of them are this, and their shares are equal
 * (Keras); from such a row, nothing flows back to queries and keys.
 */
const MASKED: f32 = -2.3819763e38;

let B: i32, N: i32, TQ: i32, TK: i32, D: i32, DV: i32, causal: bool, scale: f32;
/** Bytes from one sample, head and query of the mask to the next; 0 where one mask is for all. */
let maskSample: i32, maskHead: i32, maskQuery: i32;
let q: usize, k: usize, v: usize, mask: usize, out: usize, sums: usize;
let scores: usize, work: usize;

function setup(command: usize, scratch: usize): void {
  const args = changetype<AttentionForwardCommand>(command);
  B = args.batch;
  N = args.heads;
  TQ = args.queries;
  TK = args.keys;
  D = args.depth;
  DV = args.valueDepth;
  causal = args.causal != 0;
  scale = args.scale;
  maskSample = args.maskSample;
  maskHead = args.maskHead;
  maskQuery = args.maskQuery;
  q = args.q;
  k = args.k;
  v = args.v;
  mask = args.mask;
  out = args.out;
  sums = args.sums;
  work = scratch;
  scores = scratch + GEMM_SCRATCH;
}

// @ts-ignore: decorator
@inline
function f(n: i32): usize {
  return <usize>n << 2;
}

/** The address of step t of one head. */
// @ts-ignore: decorator
@inline
function at(base: usize, time: i32, depth: i32, b: i32, n: i32, t: i32): usize {
  return base + f(((b * time + t) * N + n) * depth);
}

/** What the numbers in `scores` are still to be multiplied by: the scale, where it is positive and nothing is masked. */
let factor: f32;

/** Sets the scores of a row whose bytes are 0. */
// @ts-ignore: decorator
@inline
function keep(row: usize, bytes: usize, columns: i32): void {
  const none = f32x4.splat(MASKED);
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const words = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(bytes + j)));
    v128.store(row + f(j), v128.bitselect(v128.load(row + f(j)), none, i32x4.ne(words, i32x4.splat(0))));
  }
  for (; j < columns; j++) if (load<u8>(bytes + j) == 0) store<f32>(row + f(j), MASKED);
}

/** Scores of queries i0 .. i0 + rows for keys j0 .. j0 + columns, masked, into `scores` [rows, KEYS]. */
function scoreBlock(b: i32, n: i32, i0: i32, rows: i32, j0: i32, columns: i32): void {
  gemm(rows, columns, D, at(q, TQ, D, b, n, i0), f(N * D), 4, at(k, TK, D, b, n, j0), 4, f(N * D), scores, f(LINE), 0, 0, work);
  factor = scale;
  if (!mask && !causal && scale > 0) return;
  factor = 1;
  const s = f32x4.splat(scale);
  for (let i = 0; i < rows; i++) {
    const row = scores + f(i * LINE);
    for (let j = 0; j < columns; j += 4) v128.store(row + f(j), f32x4.mul(v128.load(row + f(j)), s));
    if (mask) keep(row, mask + b * maskSample + n * maskHead + (i0 + i) * maskQuery + j0, columns);
    if (causal) for (let j = max(0, i0 + i + 1 - j0); j < columns; j++) store<f32>(row + f(j), MASKED);
  }
}

// @ts-ignore: decorator
@inline
function total4(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** e^(score - shift) for one row, of `columns` scores. Returns their total. */
// @ts-ignore: decorator
@inline
function exponentials(row: usize, columns: i32, shift: f32): f32 {
  const s = f32x4.splat(-shift);
  const scaled = f32x4.splat(factor);
  let total = f32x4.splat(0);
  const end = row + f(columns & ~3);
  for (; row < end; row += 16) {
    const e = expNegative4(fma(v128.load(row), scaled, s));
    v128.store(row, e);
    total = f32x4.add(total, e);
  }
  let rest: f32 = 0;
  for (let j = columns & 3; j > 0; j--, row += 4) {
    const e = f32x4.extract_lane(expNegative4(fma(v128.load32_splat(row), scaled, s)), 0);
    store<f32>(row, e);
    rest += e;
  }
  return total4(total) + rest;
}

/** Shares of one row, from the logarithm of its sum over all keys. */
// @ts-ignore: decorator
@inline
function shares(row: usize, columns: i32, lse: f32): void {
  if (lse <= MASKED) for (let j = 0; j < columns; j++) store<f32>(row + f(j), <f32>1 / <f32>TK);
  else exponentials(row, columns, lse);
}

// @ts-ignore: decorator
@inline
function logarithm(x: f32): f32 {
  return f32x4.extract_lane(log4(f32x4.splat(x)), 0);
}

/** The largest of a row's scores (the factor, which is taken to be positive, applied). */
// @ts-ignore: decorator
@inline
function largest(row: usize, columns: i32): f32 {
  let best: f32 = -Infinity;
  let j = 0;
  if (columns >= 4) {
    let m = v128.load(row);
    for (j = 4; j + 4 <= columns; j += 4) m = f32x4.pmax(m, v128.load(row + f(j)));
    best = max(max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)), max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)));
  }
  for (; j < columns; j++) best = max(best, load<f32>(row + f(j)));
  return best * factor;
}

/** log(sum e^score) of each row, over all blocks of keys. */
function rowSums(b: i32, n: i32, i0: i32, rows: i32, lse: usize): void {
  // Largest score and sum so far, beside the scores.
  const best = scores + f(QUERIES * LINE * 2);
  const total = best + f(QUERIES);
  for (let i = 0; i < rows; i++) {
    store<f32>(best + f(i), -Infinity);
    store<f32>(total + f(i), 0);
  }
  for (let j0 = 0; j0 < TK; j0 += KEYS) {
    const columns = min(KEYS, TK - j0);
    scoreBlock(b, n, i0, rows, j0, columns);
    for (let i = 0; i < rows; i++) {
      const row = scores + f(i * LINE);
      const m = max(load<f32>(best + f(i)), largest(row, columns));
      const before = f32x4.extract_lane(expNegative4(f32x4.splat(load<f32>(best + f(i)) - m)), 0);
      const sum = load<f32>(total + f(i)) * before + exponentials(row, columns, m);
      store<f32>(best + f(i), m);
      store<f32>(total + f(i), sum);
    }
  }
  for (let i = 0; i < rows; i++) store<f32>(lse + f(i), load<f32>(best + f(i)) + logarithm(load<f32>(total + f(i))));
}

/** Zeros for all steps of one head: what comes of no queries, or no keys. */
function clear(base: usize, time: i32, depth: i32, b: i32, n: i32): void {
  for (let t = 0; t < time; t++) memory.fill(at(base, time, depth, b, n, t), 0, f(depth));
}

/** [batch, heads, queries, keys, depth, value depth, causal, scale, bytes of the mask a sample, a head, a query, q, k, v, mask, out, sums] */
export function attentionForward(command: usize, worker: i32, workers: i32, scratch: usize): void {
  setup(command, scratch);
  const totals = scores + f(QUERIES * LINE * 2);
  const heads = B * N;
  const last = <i32>((<i64>heads * (worker + 1)) / workers);
  for (let h = <i32>((<i64>heads * worker) / workers); h < last; h++) {
    const b = h / N;
    const n = h % N;
    if (TK == 0) {
      clear(out, TQ, DV, b, n);
      continue;
    }
    for (let i0 = 0; i0 < TQ; i0 += QUERIES) {
      const rows = min(QUERIES, TQ - i0);
      const lse = sums + f(h * TQ + i0);
      if (TK <= KEYS) {
        // One block of keys: its scores are computed once.
        scoreBlock(b, n, i0, rows, 0, TK);
        for (let i = 0; i < rows; i++) {
          const row = scores + f(i * LINE);
          const m = largest(row, TK);
          const sum = exponentials(row, TK, m);
          store<f32>(totals + f(i), 1 / sum);
          store<f32>(lse + f(i), m + logarithm(sum));
        }
        const o = at(out, TQ, DV, b, n, i0);
        gemm(rows, DV, TK, scores, f(LINE), 4, at(v, TK, DV, b, n, 0), f(N * DV), 4, o, f(N * DV), 0, 0, work);
        // Divided by the sums at the end: there are fewer values than scores.
        for (let i = 0; i < rows; i++) {
          const r = load<f32>(totals + f(i));
          const row = o + f(i * N * DV);
          let e = 0;
          for (; e + 4 <= DV; e += 4) v128.store(row + f(e), f32x4.mul(v128.load(row + f(e)), f32x4.splat(r)));
          for (; e < DV; e++) store<f32>(row + f(e), load<f32>(row + f(e)) * r);
        }
        continue;
      }
      rowSums(b, n, i0, rows, lse);
      for (let j0 = 0; j0 < TK; j0 += KEYS) {
        const columns = min(KEYS, TK - j0);
        scoreBlock(b, n, i0, rows, j0, columns);
        for (let i = 0; i < rows; i++) shares(scores + f(i * LINE), columns, load<f32>(lse + f(i)));
        gemm(rows, DV, columns, scores, f(LINE), 4, at(v, TK, DV, b, n, j0), f(N * DV), 4, at(out, TQ, DV, b, n, i0), f(N * DV), 0, 0, work, j0 > 0);
      }
    }
  }
}

export function attentionBackward(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<AttentionBackwardCommand>(command);
  setup(command, scratch);
  const g = args.gradient;
  const dq = args.dq;
  const dk = args.dk;
  const dv = args.dv;
  const slopes = scores + f(QUERIES * LINE);
  const dots = scores + f(QUERIES * LINE * 2);
  const heads = B * N;
  const last = <i32>((<i64>heads * (worker + 1)) / workers);
  for (let h = <i32>((<i64>heads * worker) / workers); h < last; h++) {
    const b = h / N;
    const n = h % N;
    if (TQ == 0 || TK == 0) {
      if (dq) clear(dq, TQ, D, b, n);
      if (dk) clear(dk, TK, D, b, n);
      if (dv) clear(dv, TK, DV, b, n);
      continue;
    }
    for (let i0 = 0; i0 < TQ; i0 += QUERIES) {
      const rows = min(QUERIES, TQ - i0);
      const lse = sums + f(h * TQ + i0);
      const go = at(g, TQ, DV, b, n, i0);
      const o = at(out, TQ, DV, b, n, i0);
      for (let i = 0; i < rows; i++) {
        const row = f(i * N * DV);
        let sum = f32x4.splat(0);
        let e = 0;
        for (; e + 4 <= DV; e += 4) sum = fma(v128.load(go + row + f(e)), v128.load(o + row + f(e)), sum);
        let dot = total4(sum);
        for (; e < DV; e++) dot += load<f32>(go + row + f(e)) * load<f32>(o + row + f(e));
        store<f32>(dots + f(i), dot);
      }
      for (let j0 = 0; j0 < TK; j0 += KEYS) {
        const columns = min(KEYS, TK - j0);
        scoreBlock(b, n, i0, rows, j0, columns);
        for (let i = 0; i < rows; i++) shares(scores + f(i * LINE), columns, load<f32>(lse + f(i)));
        const first = i0 == 0;
        if (dv) gemm(columns, DV, rows, scores, 4, f(LINE), go, f(N * DV), 4, at(dv, TK, DV, b, n, j0), f(N * DV), 0, 0, work, !first);
        if (!dq && !dk) continue;
        gemm(rows, columns, DV, go, f(N * DV), 4, at(v, TK, DV, b, n, j0), 4, f(N * DV), slopes, f(LINE), 0, 0, work);
        const s = f32x4.splat(scale);
        for (let i = 0; i < rows; i++) {
          const p = scores + f(i * LINE);
          const d = slopes + f(i * LINE);
          if (load<f32>(lse + f(i)) <= MASKED) {
            memory.fill(d, 0, f(columns));
            continue;
          }
          const dot = f32x4.splat(load<f32>(dots + f(i)));
          for (let j = 0; j < columns; j += 4)
            v128.store(d + f(j), f32x4.mul(f32x4.mul(v128.load(p + f(j)), f32x4.sub(v128.load(d + f(j)), dot)), s));
        }
        if (dq) gemm(rows, D, columns, slopes, f(LINE), 4, at(k, TK, D, b, n, j0), f(N * D), 4, at(dq, TQ, D, b, n, i0), f(N * D), 0, 0, work, j0 > 0);
        if (dk) gemm(columns, D, rows, slopes, 4, f(LINE), at(q, TQ, D, b, n, i0), f(N * D), 4, at(dk, TK, D, b, n, j0), f(N * D), 0, 0, work, !first);
      }
    }
  }
}
