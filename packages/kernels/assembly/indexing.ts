/** Slices by index, and their sums. */
import {
  CheckIndicesCommand, CheckedSize, ERROR_KIND_FLOAT, ERROR_KIND_INTEGER, GatherCommand, ScatterAddCommand,
} from "./generated/commands";
import { fail } from "./sync";

/** Copies a row of floats: shorter than a call for those of a few hundred bytes. */
// @ts-ignore: decorator
@inline
function copyRow(to: usize, from: usize, bytes: usize): void {
  if (bytes > 2048) {
    memory.copy(to, from, bytes);
    return;
  }
  const end = to + bytes;
  for (; to + 16 <= end; to += 16, from += 16) v128.store(to, v128.load(from));
  for (; to < end; to += 4, from += 4) store<u32>(to, load<u32>(from));
}

/** to[o, i, :] = from[o, indices[i], :], four bytes an element. */
export function gather(command: usize, worker: i32, workers: i32): void {
  const args = changetype<GatherCommand>(command);
  const outer = args.outer;
  const size = args.size;
  const inner = args.inner;
  const count = args.count;
  const from = args.from;
  const indices = args.indices;
  const to = args.to;
  const row = <usize>inner << 2;
  const total = outer * count;
  const r1 = <i32>((<i64>total * (worker + 1)) / workers);
  for (let r = <i32>((<i64>total * worker) / workers); r < r1; r++) {
    const o = r / count;
    let index = load<i32>(indices + (<usize>(r - o * count) << 2));
    if (index < 0) index += size;
    if (<u32>index >= <u32>size) {
      fail(ERROR_KIND_INTEGER, load<i32>(indices + (<usize>(r - o * count) << 2)), command);
      continue;
    }
    copyRow(to + <usize>r * row, from + <usize>(o * size + index) * row, row);
  }
}

/**
 * to[o, indices[i], :] += updates[o, i, :], from zeros, in order of i.
 * Workers own slots, so that every slot is summed in one order.
 */
export function scatterAdd(command: usize, worker: i32, workers: i32): void {
  const args = changetype<ScatterAddCommand>(command);
  const outer = args.outer;
  const size = args.size;
  const inner = args.inner;
  const count = args.count;
  const updates = args.updates;
  const indices = args.indices;
  const to = args.to;
  const integers = args.integers != 0;
  const row = <usize>inner << 2;
  const first = <i32>((<i64>size * worker) / workers);
  const last = <i32>((<i64>size * (worker + 1)) / workers);
  for (let o = 0; o < outer; o++) {
    memory.fill(to + <usize>(o * size + first) * row, 0, <usize>(last - first) * row);
    for (let i = 0; i < count; i++) {
      let index = load<i32>(indices + (<usize>i << 2));
      if (index < 0) index += size;
      if (<u32>index >= <u32>size) {
        if (worker == 0) fail(ERROR_KIND_INTEGER, load<i32>(indices + (<usize>i << 2)), command);
        continue;
      }
      if (index < first || index >= last) continue;
      let d = to + <usize>(o * size + index) * row;
      let p = updates + <usize>(o * count + i) * row;
      const end = p + row;
      if (integers) for (; p < end; p += 4, d += 4) store<i32>(d, load<i32>(d) + load<i32>(p));
      else {
        for (; p + 16 <= end; p += 16, d += 16) v128.store(d, f32x4.add(v128.load(d), v128.load(p)));
        for (; p < end; p += 4, d += 4) store<f32>(d, load<f32>(d) + load<f32>(p));
      }
    }
  }
}

/**
 * to[i] = the place that from[i] names along an axis of the size of its turn, counted from
 * the end where that is allowed. A value that names none fails.
 */
export function checkIndices(command: usize, worker: i32, workers: i32): void {
  const args = changetype<CheckIndicesCommand>(command);
  const count = args.count;
  const floats = args.floats != 0;
  const negative = args.negative != 0;
  const from = args.from;
  const to = args.to;
  const sizes = args.sizes;
  const last = <i32>((<i64>count * (worker + 1)) / workers);
  for (let i = <i32>((<i64>count * worker) / workers); i < last; i++) {
    const at = <usize>i << 2;
    const size = changetype<CheckedSize>(command + offsetof<CheckIndicesCommand>() + <usize>(i % sizes) * offsetof<CheckedSize>()).size;
    let index: i32;
    if (floats) {
      const value = load<f32>(from + at);
      // What is no integer of 32 bits becomes another value, or (NaN) 0.
      index = <i32>value;
      if (<f32>index != value) {
        fail(ERROR_KIND_FLOAT, load<i32>(from + at), command);
        continue;
      }
    } else index = load<i32>(from + at);
    if (negative && index < 0) index += size;
    if (<u32>index >= <u32>size) {
      fail(floats ? ERROR_KIND_FLOAT : ERROR_KIND_INTEGER, load<i32>(from + at), command);
      continue;
    }
    store<i32>(to + at, index);
  }
}
