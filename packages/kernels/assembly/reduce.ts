/**
 * Reductions of a dense [outer, n, inner] to [outer, inner]. Sums and products of integers run in int32, modulo 2^32; those of floats in float64: along n in four interleaved
 * partial sums of two lanes (inner = 1), or one sum a column (inner > 1), from the first element to the last; rounded once.
 */
import {
  ArgReduceCommand, CumulateCommand, DATA_TYPE_BOOL, DATA_TYPE_FLOAT32, DATA_TYPE_INT32, REDUCTION_ALL, REDUCTION_ANY, REDUCTION_MAX,
  REDUCTION_MIN, REDUCTION_PROD, REDUCTION_SUM, ReduceCommand,
} from "./generated/commands";

// @ts-ignore: decorator
@inline
function read(p: usize, type: i32): f64 {
  if (type == DATA_TYPE_FLOAT32) return <f64>load<f32>(p);
  if (type == DATA_TYPE_INT32) return <f64>load<i32>(p);
  return <f64>load<u8>(p);
}

// @ts-ignore: decorator
@inline
function readInteger(p: usize, type: i32): i32 {
  return type == DATA_TYPE_INT32 ? load<i32>(p) : <i32>load<u8>(p);
}

/** The sum of n dense float32. */
function sumDense(p: usize, n: i32): f64 {
  let a = f64x2.splat(0), b = a, c = a, d = a;
  const end8 = p + (<usize>(n & ~7) << 2);
  for (; p < end8; p += 32) {
    const u = v128.load(p);
    const v = v128.load(p, 16);
    a = f64x2.add(a, f64x2.promote_low_f32x4(u));
    b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(u, u, 1, 1)));
    c = f64x2.add(c, f64x2.promote_low_f32x4(v));
    d = f64x2.add(d, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1)));
  }
  const s = f64x2.add(f64x2.add(a, c), f64x2.add(b, d));
  let total = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (let k = n & 7; k > 0; k--, p += 4) total += <f64>load<f32>(p);
  return total;
}

/** Largest or smallest of n dense float32; NaN if any is. */
function extremeDense(p: usize, n: i32, largest: bool): f32 {
  let best = v128.load32_splat(p);
  const end = p + (<usize>(n & ~3) << 2);
  if (largest) for (; p < end; p += 16) best = f32x4.max(best, v128.load(p));
  else for (; p < end; p += 16) best = f32x4.min(best, v128.load(p));
  for (let k = n & 3; k > 0; k--, p += 4) best = largest ? f32x4.max(best, v128.load32_splat(p)) : f32x4.min(best, v128.load32_splat(p));
  const a = f32x4.extract_lane(best, 0), b = f32x4.extract_lane(best, 1), c = f32x4.extract_lane(best, 2), d = f32x4.extract_lane(best, 3);
  return largest ? max(max(a, b), max(c, d)) : min(min(a, b), min(c, d));
}

// @ts-ignore: decorator
@inline
function fold(kind: i32, acc: f64, v: f64): f64 {
  if (kind == REDUCTION_SUM) return acc + v;
  if (kind == REDUCTION_PROD) return acc * v;
  if (kind == REDUCTION_MAX) return max(acc, v);
  if (kind == REDUCTION_MIN) return min(acc, v);
  if (kind == REDUCTION_ANY) return v != 0 ? 1 : acc;
  return v == 0 ? 0 : acc;
}

// @ts-ignore: decorator
@inline
function start(kind: i32): f64 {
  if (kind == REDUCTION_PROD || kind == REDUCTION_ALL) return 1;
  if (kind == REDUCTION_MAX) return -Infinity;
  if (kind == REDUCTION_MIN) return Infinity;
  return 0;
}

function write(to: usize, at: i32, v: f64, type: i32): void {
  if (type == DATA_TYPE_FLOAT32) store<f32>(to + (<usize>at << 2), <f32>v);
  else if (type == DATA_TYPE_INT32) store<i32>(to + (<usize>at << 2), <i32>v);
  else store<u8>(to + at, v != 0 ? 1 : 0);
}

/** Sums or products modulo 2^32. */
function reduceIntegers(
  product: bool, outer: i32, n: i32, inner: i32, from: usize, to: usize, type: i32, worker: i32, workers: i32,
): void {
  const bytes: usize = type == DATA_TYPE_BOOL ? 1 : 4;
  const step = <usize>inner * bytes;
  const total = outer * inner;
  const last = <i32>((<i64>total * (worker + 1)) / workers);
  for (let r = <i32>((<i64>total * worker) / workers); r < last; r++) {
    let p = from + (<usize>(r / inner) * n * inner + (r % inner)) * bytes;
    let acc: i32 = product ? 1 : 0;
    if (product) for (let k = n; k > 0; k--, p += step) acc *= readInteger(p, type);
    else for (let k = n; k > 0; k--, p += step) acc += readInteger(p, type);
    store<i32>(to + (<usize>r << 2), acc);
  }
}

export function reduce(command: usize, worker: i32, workers: i32, scratch: usize): void {
  const args = changetype<ReduceCommand>(command);
  const kind = args.kind;
  const outer = args.outer;
  const n = args.n;
  const inner = args.inner;
  const from = args.from;
  const to = args.to;
  const type = args.dtype;
  const result = args.resultDtype;
  const bytes = type == DATA_TYPE_BOOL ? 1 : 4;
  if (result == DATA_TYPE_INT32 && kind <= REDUCTION_PROD) {
    reduceIntegers(kind == REDUCTION_PROD, outer, n, inner, from, to, type, worker, workers);
    return;
  }
  if (inner == 1) {
    const o0 = <i32>((<i64>outer * worker) / workers);
    const o1 = <i32>((<i64>outer * (worker + 1)) / workers);
    for (let o = o0; o < o1; o++) {
      let p = from + <usize>o * n * bytes;
      if (type == DATA_TYPE_FLOAT32 && kind == REDUCTION_SUM) {
        write(to, o, sumDense(p, n), result);
        continue;
      }
      if (type == DATA_TYPE_FLOAT32 && (kind == REDUCTION_MAX || kind == REDUCTION_MIN) && n > 0) {
        store<f32>(to + (<usize>o << 2), extremeDense(p, n, kind == REDUCTION_MAX));
        continue;
      }
      let acc = start(kind);
      for (let k = n; k > 0; k--, p += bytes) acc = fold(kind, acc, read(p, type));
      write(to, o, acc, result);
    }
    return;
  }
  // Columns: blocks of 64, their float64 sums in scratch memory.
  const columns = (inner + 63) >> 6;
  const tasks = outer * columns;
  const t0 = <i32>((<i64>tasks * worker) / workers);
  const t1 = <i32>((<i64>tasks * (worker + 1)) / workers);
  for (let t = t0; t < t1; t++) {
    const o = t / columns;
    const c = (t % columns) << 6;
    const width = min(64, inner - c);
    for (let j = 0; j < width; j++) store<f64>(scratch + (<usize>j << 3), start(kind));
    for (let k = 0; k < n; k++) {
      let p = from + (<usize>(o * n + k) * inner + c) * bytes;
      let acc = scratch;
      let j = 0;
      if (type == DATA_TYPE_FLOAT32 && kind == REDUCTION_SUM)
        for (; j + 4 <= width; j += 4, p += 16, acc += 32) {
          const v = v128.load(p);
          v128.store(acc, f64x2.add(v128.load(acc), f64x2.promote_low_f32x4(v)));
          v128.store(acc, f64x2.add(v128.load(acc, 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1))), 16);
        }
      for (; j < width; j++, p += bytes, acc += 8) store<f64>(acc, fold(kind, load<f64>(acc), read(p, type)));
    }
    for (let j = 0; j < width; j++) write(to, o * inner + c + j, load<f64>(scratch + (<usize>j << 3)), result);
  }
}

/** The index of the first largest (or smallest) of n, or of the first NaN. */
export function argReduce(command: usize, worker: i32, workers: i32): void {
  const args = changetype<ArgReduceCommand>(command);
  const largest = args.largest != 0;
  const outer = args.outer;
  const n = args.n;
  const inner = args.inner;
  const from = args.from;
  const to = args.to;
  const type = args.dtype;
  const bytes = type == DATA_TYPE_BOOL ? 1 : 4;
  const total = outer * inner;
  const r1 = <i32>((<i64>total * (worker + 1)) / workers);
  for (let r = <i32>((<i64>total * worker) / workers); r < r1; r++) {
    let p = from + (<usize>(r / inner) * n * inner + (r % inner)) * bytes;
    let best = read(p, type);
    let at = 0;
    for (let k = 1; k < n; k++) {
      p += <usize>inner * bytes;
      const v = read(p, type);
      if (largest ? !(v <= best) : !(v >= best)) {
        if (best != best) break;
        best = v;
        at = k;
      }
    }
    store<i32>(to + (<usize>r << 2), at);
  }
}

/**
 * Running sums or products along n, rounded at every step. float32
 * totals run in float64, int32 ones modulo 2^32.
 */
export function cumulate(command: usize, worker: i32, workers: i32): void {
  const args = changetype<CumulateCommand>(command);
  const product = args.product != 0;
  const exclusive = args.exclusive != 0;
  const reverse = args.reverse != 0;
  const outer = args.outer;
  const n = args.n;
  const inner = args.inner;
  const from = args.from;
  const to = args.to;
  const type = args.dtype;
  const rows = outer * inner;
  const last = <i32>((<i64>rows * (worker + 1)) / workers);
  for (let r = <i32>((<i64>rows * worker) / workers); r < last; r++) {
    const start = (r / inner) * n * inner + (r % inner);
    if (type == DATA_TYPE_INT32) {
      let whole: i32 = product ? 1 : 0;
      for (let k = 0; k < n; k++) {
        const at = <usize>(start + (reverse ? n - 1 - k : k) * inner) << 2;
        const next = product ? whole * load<i32>(from + at) : whole + load<i32>(from + at);
        store<i32>(to + at, exclusive ? whole : next);
        whole = next;
      }
      continue;
    }
    let total: f64 = product ? 1 : 0;
    for (let k = 0; k < n; k++) {
      const at = <usize>(start + (reverse ? n - 1 - k : k) * inner) << 2;
      const v = <f64>load<f32>(from + at);
      const next = product ? total * v : total + v;
      store<f32>(to + at, <f32>(exclusive ? total : next));
      total = next;
    }
  }
}
