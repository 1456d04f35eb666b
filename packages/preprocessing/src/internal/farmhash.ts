/**
 * FarmHash Fingerprint64 (Pike & Alakuijala, public description; the function behind TensorFlow's `string_to_hash_bucket_fast`), in BigInt
 * arithmetic modulo 2^64.
 */

const MASK = (1n << 64n) - 1n;
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

const wrap = (x: bigint): bigint => x & MASK;
const rotate = (x: bigint, n: bigint): bigint => (n === 0n ? x : wrap((x >> n) | (x << (64n - n))));
const mixShift = (x: bigint): bigint => x ^ (x >> 47n);

function mix16(u: bigint, v: bigint, multiplier: bigint): bigint {
  let a = wrap((u ^ v) * multiplier);
  a ^= a >> 47n;
  let b = wrap((v ^ a) * multiplier);
  b ^= b >> 47n;
  return wrap(b * multiplier);
}

/** The 64-bit fingerprint of bytes. */
export function fingerprint64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = bytes.length;
  const size = BigInt(n);
  const word = (at: number): bigint => view.getBigUint64(at, true);
  const half = (at: number): bigint => BigInt(view.getUint32(at, true));
  const factor = K2 + size * 2n;
  if (n === 0) return K2;
  if (n < 4) {
    const a = BigInt(bytes[0]!);
    const b = BigInt(bytes[n >> 1]!);
    const c = BigInt(bytes[n - 1]!);
    const y = a + (b << 8n);
    const z = size + (c << 2n);
    return wrap(mixShift(wrap(y * K2) ^ wrap(z * K0)) * K2);
  }
  if (n < 8) return mix16(size + (half(0) << 3n), half(n - 4), factor);
  if (n <= 16) {
    const a = wrap(word(0) + K2);
    const b = word(n - 8);
    const c = wrap(rotate(b, 37n) * factor + a);
    const d = wrap((rotate(a, 25n) + b) * factor);
    return mix16(c, d, factor);
  }
  if (n <= 32) {
    const a = wrap(word(0) * K1);
    const b = word(8);
    const c = wrap(word(n - 8) * factor);
    const d = wrap(word(n - 16) * K2);
    return mix16(wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d), wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
  }
  if (n <= 64) {
    const a = wrap(word(0) * K2);
    const b = word(8);
    const c = wrap(word(n - 8) * factor);
    const d = wrap(word(n - 16) * K2);
    const y = wrap(rotate(wrap(a + b), 43n) + rotate(c, 30n) + d);
    const z = mix16(y, wrap(a + rotate(wrap(b + K2), 18n) + c), factor);
    const e = wrap(word(16) * factor);
    const f = word(24);
    const g = wrap((y + word(n - 32)) * factor);
    const h = wrap((z + word(n - 24)) * factor);
    return mix16(wrap(rotate(wrap(e + f), 43n) + rotate(g, 30n) + h), wrap(e + rotate(wrap(f + a), 18n) + g), factor);
  }
  const weak = (at: number, a0: bigint, b0: bigint): [bigint, bigint] => {
    let a = wrap(a0 + word(at));
    let b = rotate(wrap(b0 + a + word(at + 24)), 21n);
    const c = a;
    a = wrap(a + word(at + 8) + word(at + 16));
    b = wrap(b + rotate(a, 44n));
    return [wrap(a + word(at + 24)), wrap(b + c)];
  };
  const seed = 81n;
  let x = seed;
  let y = wrap(seed * K1 + 113n);
  let z = wrap(mixShift(wrap(y * K2 + 113n)) * K2);
  let v: [bigint, bigint] = [0n, 0n];
  let w: [bigint, bigint] = [0n, 0n];
  x = wrap(x * K2 + word(0));
  const end = Math.floor((n - 1) / 64) * 64;
  const rest = end + ((n - 1) & 63) - 63;
  let at = 0;
  do {
    x = wrap(rotate(wrap(x + y + v[0] + word(at + 8)), 37n) * K1);
    y = wrap(rotate(wrap(y + v[1] + word(at + 48)), 42n) * K1);
    x ^= w[1];
    y = wrap(y + v[0] + word(at + 40));
    z = wrap(rotate(wrap(z + w[0]), 33n) * K1);
    v = weak(at, wrap(v[1] * K1), wrap(x + w[0]));
    w = weak(at + 32, wrap(z + w[1]), wrap(y + word(at + 16)));
    [z, x] = [x, z];
    at += 64;
  } while (at !== end);
  const multiplier = K1 + ((z & 0xffn) << 1n);
  at = rest;
  w[0] = wrap(w[0] + BigInt((n - 1) & 63));
  v[0] = wrap(v[0] + w[0]);
  w[0] = wrap(w[0] + v[0]);
  x = wrap(rotate(wrap(x + y + v[0] + word(at + 8)), 37n) * multiplier);
  y = wrap(rotate(wrap(y + v[1] + word(at + 48)), 42n) * multiplier);
  x ^= wrap(w[1] * 9n);
  y = wrap(y + v[0] * 9n + word(at + 40));
  z = wrap(rotate(wrap(z + w[0]), 33n) * multiplier);
  v = weak(at, wrap(v[1] * multiplier), wrap(x + w[0]));
  w = weak(at + 32, wrap(z + w[1]), wrap(y + word(at + 16)));
  [z, x] = [x, z];
  return mix16(
    wrap(mix16(v[0], w[0], multiplier) + mixShift(y) * K0 + z),
    wrap(mix16(v[1], w[1], multiplier) + x),
    multiplier,
  );
}
