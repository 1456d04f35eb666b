/**
 * Functions of whole rows [rows, n], forward and backward: softmax, its logarithm, and normalization to mean 0 and variance 1. A row stays in the
 * first-level cache from its first pass to its last. Sums run in float32 over 256 elements, in four partial sums of four lanes, and in
 * float64 over those.
 */
import {
  ROWS_LOG_SOFTMAX, ROWS_LOG_SOFTMAX_BACKWARD, ROWS_NORMALIZE, ROWS_SOFTMAX, ROWS_SOFTMAX_BACKWARD, RowsCommand,
} from "./generated/commands";
import { expNegative4, fma, log4 } from "./vector";

/** Bytes of a part of a row whose sum is float32. */
const PART: usize = 1024;

// @ts-ignore: decorator
@inline
function total(x: v128): f64 {
  return (<f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1)) + (<f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3));
}

/** The sum of a * b over `bytes` bytes; of a alone where b is 0. */
function dot(a: usize, b: usize, bytes: usize): f64 {
  let sum: f64 = 0;
  const one = f32x4.splat(1);
  const whole = a + (bytes & ~15);
  const distance = b - a;
  let p = a;
  while (p < whole) {
    const end = min(whole, p + PART);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (; p + 64 <= end; p += 64) {
      s0 = fma(v128.load(p), b ? v128.load(p + distance) : one, s0);
      s1 = fma(v128.load(p, 16), b ? v128.load(p + distance, 16) : one, s1);
      s2 = fma(v128.load(p, 32), b ? v128.load(p + distance, 32) : one, s2);
      s3 = fma(v128.load(p, 48), b ? v128.load(p + distance, 48) : one, s3);
    }
    for (; p < end; p += 16) s0 = fma(v128.load(p), b ? v128.load(p + distance) : one, s0);
    sum += total(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }
  for (; p < a + bytes; p += 4) sum += <f64>load<f32>(p) * (b ? <f64>load<f32>(p + distance) : 1);
  return sum;
}

/** The largest of a row, NaN if any is. */
function largest(x: usize, bytes: usize): f32 {
  let best = v128.load32_splat(x);
  let p = x;
  for (const end = x + (bytes & ~15); p < end; p += 16) best = f32x4.max(best, v128.load(p));
  for (; p < x + bytes; p += 4) best = f32x4.max(best, v128.load32_splat(p));
  return max(max(f32x4.extract_lane(best, 0), f32x4.extract_lane(best, 1)), max(f32x4.extract_lane(best, 2), f32x4.extract_lane(best, 3)));
}

/** y = e^(x - shift) of a row; to itself, or (y = 0) for the sum alone. Returns the sum. */
function exponentials(x: usize, y: usize, bytes: usize, shift: f32): f64 {
  const s = f32x4.splat(shift);
  let sum: f64 = 0;
  const whole = x + (bytes & ~15);
  const distance = y - x;
  let p = x;
  while (p < whole) {
    const end = min(whole, p + PART);
    let part = f32x4.splat(0);
    for (; p < end; p += 16) {
      const e = expNegative4(f32x4.sub(v128.load(p), s));
      if (y) v128.store(p + distance, e);
      part = f32x4.add(part, e);
    }
    sum += total(part);
  }
  for (; p < x + bytes; p += 4) {
    const e = f32x4.extract_lane(expNegative4(f32x4.sub(v128.load32_splat(p), s)), 0);
    if (y) store<f32>(p + distance, e);
    sum += <f64>e;
  }
  return sum;
}

/** y = x * scale + shift */
function affine(x: usize, y: usize, bytes: usize, scale: f32, shift: f32): void {
  const a = f32x4.splat(scale), b = f32x4.splat(shift);
  const end = x + (bytes & ~15);
  const distance = y - x;
  let p = x;
  for (; p < end; p += 16) v128.store(p + distance, f32x4.add(f32x4.mul(v128.load(p), a), b));
  for (; p < x + bytes; p += 4) store<f32>(p + distance, load<f32>(p) * scale + shift);
}

/** Sum of (x - mean)^2 */
function squares(x: usize, bytes: usize, mean: f32): f64 {
  const m = f32x4.splat(mean);
  let sum: f64 = 0;
  const whole = x + (bytes & ~15);
  let p = x;
  while (p < whole) {
    const end = min(whole, p + PART);
    let s0 = f32x4.splat(0), s1 = s0;
    for (; p + 32 <= end; p += 32) {
      const u = f32x4.sub(v128.load(p), m), v = f32x4.sub(v128.load(p, 16), m);
      s0 = fma(u, u, s0);
      s1 = fma(v, v, s1);
    }
    for (; p < end; p += 16) {
      const u = f32x4.sub(v128.load(p), m);
      s0 = fma(u, u, s0);
    }
    sum += total(f32x4.add(s0, s1));
  }
  for (; p < x + bytes; p += 4) {
    const d = <f64>load<f32>(p) - <f64>mean;
    sum += d * d;
  }
  return sum;
}

export function rows(command: usize, worker: i32, workers: i32): void {
  const args = changetype<RowsCommand>(command);
  const kind = args.kind;
  const count = args.count;
  const n = args.n;
  const bytes = <usize>n << 2;
  const first = <usize><i32>((<i64>count * worker) / workers);
  const last = <usize><i32>((<i64>count * (worker + 1)) / workers);
  const gradient = args.gradient;
  const epsilon = <f64>args.epsilon;
  const size = <f64>n;
  for (let i = first; i < last; i++) {
    const at = i * bytes;
    const x = args.x + at;
    const out = args.out + at;
    const g = gradient + at;
    if (kind == ROWS_SOFTMAX) {
      const sum = exponentials(x, out, bytes, largest(x, bytes));
      affine(out, out, bytes, <f32>(1 / sum), 0);
      continue;
    }
    if (kind == ROWS_LOG_SOFTMAX) {
      const m = largest(x, bytes);
      // The largest first: x - m is exact where it matters, next to the largest.
      const sum = exponentials(x, 0, bytes, m);
      const low = f32x4.extract_lane(log4(f32x4.splat(<f32>sum)), 0);
      shift2(x, out, bytes, m, low);
      continue;
    }
    if (kind == ROWS_SOFTMAX_BACKWARD) {
      const s = <f32>dot(g, x, bytes);
      let p: usize = 0;
      const v = f32x4.splat(s);
      for (; p < (bytes & ~15); p += 16) v128.store(out + p, f32x4.mul(v128.load(x + p), f32x4.sub(v128.load(g + p), v)));
      for (; p < bytes; p += 4) store<f32>(out + p, load<f32>(x + p) * (load<f32>(g + p) - s));
      continue;
    }
    if (kind == ROWS_LOG_SOFTMAX_BACKWARD) {
      const s = f32x4.splat(<f32>dot(g, 0, bytes));
      let p: usize = 0;
      for (; p < (bytes & ~15); p += 16) v128.store(out + p, f32x4.sub(v128.load(g + p), f32x4.mul(expNegative4(v128.load(x + p)), s)));
      for (; p < bytes; p += 4) {
        const e = f32x4.mul(expNegative4(v128.load32_splat(x + p)), s);
        store<f32>(out + p, load<f32>(g + p) - f32x4.extract_lane(e, 0));
      }
      continue;
    }
    const mean = <f32>(dot(x, 0, bytes) / size);
    const r = 1 / Math.sqrt(squares(x, bytes, mean) / size + epsilon);
    if (kind == ROWS_NORMALIZE) {
      centre(x, out, bytes, mean, <f32>r);
      continue;
    }
    // y first, where the result will be.
    centre(x, out, bytes, mean, <f32>r);
    const a = f32x4.splat(<f32>(dot(g, 0, bytes) / size));
    const b = f32x4.splat(<f32>(dot(g, out, bytes) / size));
    const scale = f32x4.splat(<f32>r);
    let p: usize = 0;
    for (; p < (bytes & ~15); p += 16)
      v128.store(out + p, f32x4.mul(f32x4.sub(f32x4.sub(v128.load(g + p), a), f32x4.mul(v128.load(out + p), b)), scale));
    for (; p < bytes; p += 4) {
      const d = f32x4.mul(f32x4.sub(f32x4.sub(v128.load32_splat(g + p), a), f32x4.mul(v128.load32_splat(out + p), b)), scale);
      store<f32>(out + p, f32x4.extract_lane(d, 0));
    }
  }
}

/** y = (x - a) - b */
function shift2(x: usize, y: usize, bytes: usize, a: f32, b: f32): void {
  const u = f32x4.splat(a), v = f32x4.splat(b);
  let p: usize = 0;
  for (; p < (bytes & ~15); p += 16) v128.store(y + p, f32x4.sub(f32x4.sub(v128.load(x + p), u), v));
  for (; p < bytes; p += 4) store<f32>(y + p, load<f32>(x + p) - a - b);
}

/** y = (x - mean) * scale */
function centre(x: usize, y: usize, bytes: usize, mean: f32, scale: f32): void {
  const m = f32x4.splat(mean), s = f32x4.splat(scale);
  let p: usize = 0;
  for (; p < (bytes & ~15); p += 16) v128.store(y + p, f32x4.mul(f32x4.sub(v128.load(x + p), m), s));
  for (; p < bytes; p += 4) store<f32>(y + p, (load<f32>(x + p) - mean) * scale);
}
