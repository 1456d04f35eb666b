/** Windows over time of [batch, time, channels]: the place of the largest element, sums, and the way back of both. Windows end where the sequence does. */
import { POOLING_PICK, POOLING_SUM, POOLING_UNPICK, PoolingCommand } from "./generated/commands";

let B: i32, T: i32, C: i32, N: i32, size: i32, stride: i32, before: i32;

// @ts-ignore: decorator
@inline
function f(n: i32): usize {
  return <usize>n << 2;
}

/** What stays the largest: it is not less, or NaN, which counts as larger than all. */
// @ts-ignore: decorator
@inline
function stays4(best: v128, x: v128): v128 {
  return v128.or(f32x4.ge(best, x), f32x4.ne(best, best));
}

/** y = v where s is largest, the first of equals. */
function pick(s: usize, v: usize, y: usize, steps: i32, channels: i32): void {
  const row = f(C);
  let c = 0;
  for (; c + 4 <= channels; c += 4, s += 16, v += 16, y += 16) {
    let best = v128.load(s);
    let value = v128.load(v);
    let p = s, q = v;
    for (let t = 1; t < steps; t++) {
      p += row;
      q += row;
      const x = v128.load(p);
      const keep = stays4(best, x);
      best = v128.bitselect(best, x, keep);
      value = v128.bitselect(value, v128.load(q), keep);
    }
    v128.store(y, value);
  }
  for (; c < channels; c++, s += 4, v += 4, y += 4) store<f32>(y, load<f32>(v + f(largest(s, steps) * C)));
}

/** The step of the largest of one channel. */
// @ts-ignore: decorator
@inline
function largest(s: usize, steps: i32): i32 {
  const row = f(C);
  let at = 0;
  let best = load<f32>(s);
  for (let t = 1; t < steps; t++) {
    s += row;
    const x = load<f32>(s);
    if (!(best >= x || best != best)) {
      best = x;
      at = t;
    }
  }
  return at;
}

/** dx += g where s is largest. */
function unpick(s: usize, g: usize, dx: usize, steps: i32, channels: i32): void {
  const row = f(C);
  let c = 0;
  for (; c + 4 <= channels; c += 4, s += 16, g += 16, dx += 16) {
    let best = v128.load(s);
    let at = i32x4.splat(0);
    let p = s;
    for (let t = 1; t < steps; t++) {
      p += row;
      const x = v128.load(p);
      const keep = stays4(best, x);
      best = v128.bitselect(best, x, keep);
      at = v128.bitselect(at, i32x4.splat(t), keep);
    }
    add(dx + f(i32x4.extract_lane(at, 0) * C), load<f32>(g));
    add(dx + f(i32x4.extract_lane(at, 1) * C) + 4, load<f32>(g, 4));
    add(dx + f(i32x4.extract_lane(at, 2) * C) + 8, load<f32>(g, 8));
    add(dx + f(i32x4.extract_lane(at, 3) * C) + 12, load<f32>(g, 12));
  }
  for (; c < channels; c++, s += 4, g += 4, dx += 4) add(dx + f(largest(s, steps) * C), load<f32>(g));
}

// @ts-ignore: decorator
@inline
function add(to: usize, value: f32): void {
  store<f32>(to, load<f32>(to) + value);
}

/** y = the sum of x's steps. */
function sum(x: usize, y: usize, steps: i32, channels: i32): void {
  const row = f(C);
  let c = 0;
  for (; c + 4 <= channels; c += 4, x += 16, y += 16) {
    let total = f32x4.splat(0);
    let p = x;
    for (let t = 0; t < steps; t++, p += row) total = f32x4.add(total, v128.load(p));
    v128.store(y, total);
  }
  for (; c < channels; c++, x += 4, y += 4) {
    let total: f32 = 0;
    let p = x;
    for (let t = 0; t < steps; t++, p += row) total += load<f32>(p);
    store<f32>(y, total);
  }
}

/** dx's steps += g. */
function spread(g: usize, dx: usize, steps: i32, channels: i32): void {
  for (let t = 0; t < steps; t++, dx += f(C)) {
    let c = 0;
    for (; c + 4 <= channels; c += 4) v128.store(dx + f(c), f32x4.add(v128.load(dx + f(c)), v128.load(g + f(c))));
    for (; c < channels; c++) add(dx + f(c), load<f32>(g + f(c)));
  }
}

export function pooling(command: usize, worker: i32, workers: i32): void {
  const args = changetype<PoolingCommand>(command);
  const kind = args.kind;
  B = args.batch;
  T = args.time;
  C = args.channels;
  N = args.windows;
  size = args.size;
  stride = args.stride;
  before = args.before;
  const compared = args.compared, from = args.from, to = args.to;
  // Shares are of samples, or of channels in fours.
  let first = 0, last = B, c0 = 0, c1 = C;
  if (B >= workers) {
    first = <i32>((<i64>B * worker) / workers);
    last = <i32>((<i64>B * (worker + 1)) / workers);
  } else {
    const fours = (C + 3) >> 2;
    c0 = min(C, <i32>((<i64>fours * worker) / workers) << 2);
    c1 = min(C, <i32>((<i64>fours * (worker + 1)) / workers) << 2);
  }
  const channels = c1 - c0;
  if (channels <= 0) return;
  const back = kind == POOLING_UNPICK || kind > POOLING_SUM;
  for (let b = first; b < last; b++) {
    if (back) for (let t = 0; t < T; t++) memory.fill(to + f((b * T + t) * C + c0), 0, f(channels));
    for (let n = 0; n < N; n++) {
      const begin = max(0, n * stride - before);
      const steps = min(T, n * stride - before + size) - begin;
      const window = f((b * T + begin) * C + c0);
      const one = f((b * N + n) * C + c0);
      if (kind == POOLING_PICK) pick(compared + window, from + window, to + one, steps, channels);
      else if (kind == POOLING_UNPICK) unpick(compared + window, from + one, to + window, steps, channels);
      else if (kind == POOLING_SUM) sum(from + window, to + one, steps, channels);
      else spread(from + one, to + window, steps, channels);
    }
  }
}
