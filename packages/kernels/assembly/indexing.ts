/** Slices by index, and their sums. */
import { fail } from "./sync";

/** Codes that the host turns into errors. */
const OUT_OF_RANGE_GATHER: i32 = 1;
const OUT_OF_RANGE_SCATTER: i32 = 2;

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

/** [outer, size, inner, count, from, indices, to]: to[o, i, :] = from[o, indices[i], :], four bytes an element. */
export function gather(command: usize, worker: i32, workers: i32): void {
  const outer = load<i32>(command, 8);
  const size = load<i32>(command, 12);
  const inner = load<i32>(command, 16);
  const count = load<i32>(command, 20);
  const from = <usize>load<u32>(command, 24);
  const indices = <usize>load<u32>(command, 28);
  const to = <usize>load<u32>(command, 32);
  const row = <usize>inner << 2;
  const total = outer * count;
  const r1 = <i32>((<i64>total * (worker + 1)) / workers);
  for (let r = <i32>((<i64>total * worker) / workers); r < r1; r++) {
    const o = r / count;
    let index = load<i32>(indices + (<usize>(r - o * count) << 2));
    if (index < 0) index += size;
    if (<u32>index >= <u32>size) {
      fail(OUT_OF_RANGE_GATHER, load<i32>(indices + (<usize>(r - o * count) << 2)));
      continue;
    }
    copyRow(to + <usize>r * row, from + <usize>(o * size + index) * row, row);
  }
}

/**
 * [outer, size, inner, count, updates, indices, to, type]: to[o, indices[i], :] += updates[o, i, :], from zeros, in order of i.
 * Workers own slots, so that every slot is summed in one order.
 */
export function scatterAdd(command: usize, worker: i32, workers: i32): void {
  const outer = load<i32>(command, 8);
  const size = load<i32>(command, 12);
  const inner = load<i32>(command, 16);
  const count = load<i32>(command, 20);
  const updates = <usize>load<u32>(command, 24);
  const indices = <usize>load<u32>(command, 28);
  const to = <usize>load<u32>(command, 32);
  const integers = load<i32>(command, 36) != 0;
  const row = <usize>inner << 2;
  const first = <i32>((<i64>size * worker) / workers);
  const last = <i32>((<i64>size * (worker + 1)) / workers);
  for (let o = 0; o < outer; o++) {
    memory.fill(to + <usize>(o * size + first) * row, 0, <usize>(last - first) * row);
    for (let i = 0; i < count; i++) {
      let index = load<i32>(indices + (<usize>i << 2));
      if (index < 0) index += size;
      if (<u32>index >= <u32>size) {
        if (worker == 0) fail(OUT_OF_RANGE_SCATTER, load<i32>(indices + (<usize>i << 2)));
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
