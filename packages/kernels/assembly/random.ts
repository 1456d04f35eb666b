/** Philox 4x32-10 (Salmon et al., SC 2011): four words of a stream from a counter and a key. */
import { RandomCommand } from "./generated/commands";

const M0: u64 = 0xd2511f53;
const M1: u64 = 0xcd9e8d57;
const W0: u32 = 0x9e3779b9;
const W1: u32 = 0xbb67ae85;

/** One block of four words: counter (c, 0, 0, stream) under a key. */
export function philox(c: u32, stream: u32, key0: u32, key1: u32): v128 {
  let c0 = c, c1: u32 = 0, c2: u32 = 0, c3 = stream;
  let k0 = key0, k1 = key1;
  for (let round = 0; round < 10; round++) {
    const p = M0 * <u64>c0;
    const q = M1 * <u64>c2;
    c0 = <u32>(q >> 32) ^ c1 ^ k0;
    c1 = <u32>q;
    c2 = <u32>(p >> 32) ^ c3 ^ k1;
    c3 = <u32>p;
    k0 += W0;
    k1 += W1;
  }
  let v = i32x4.splat(c0);
  v = i32x4.replace_lane(v, 1, c1);
  v = i32x4.replace_lane(v, 2, c2);
  return i32x4.replace_lane(v, 3, c3);
}

/** Words as uniform float32 of 24 bits in [0, 1). */
// @ts-ignore: decorator
@inline
export function uniform(words: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), f32x4.splat(5.9604644775390625e-8));
}

/** Raw words, or uniform float32 of 24 bits in [0, 1). The key is two int32. */
export function random(command: usize, worker: i32, workers: i32): void {
  const args = changetype<RandomCommand>(command);
  const count = args.count;
  const key = args.key;
  const to = args.to;
  const asUniform = args.uniform != 0;
  const stream = args.stream;
  const key0 = load<u32>(key);
  const key1 = load<u32>(key, 4);
  const blocks = (count + 3) >> 2;
  const end = <i32>((<i64>blocks * (worker + 1)) / workers);
  for (let c = <i32>((<i64>blocks * worker) / workers); c < end; c++) {
    let v = philox(c, stream, key0, key1);
    if (asUniform) v = uniform(v);
    const at = to + (<usize>c << 4);
    const left = count - (c << 2);
    if (left >= 4) v128.store(at, v);
    else {
      if (left > 0) store<i32>(at, i32x4.extract_lane(v, 0));
      if (left > 1) store<i32>(at, i32x4.extract_lane(v, 1), 4);
      if (left > 2) store<i32>(at, i32x4.extract_lane(v, 2), 8);
    }
  }
}
