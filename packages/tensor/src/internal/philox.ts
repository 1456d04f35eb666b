/**
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a bijection from a
 * 128-bit counter and a 64-bit key to 128 random bits. Stateless, so that any element of a stream is computed alone.
 */
// Names of their own: a look-up of a global for each product is slow where globals are watched (in a test runner).
const { floor, imul } = Math;
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high 32 bits of the unsigned product. */
function mulHigh(a: number, b: number): number {
  const ah = a >>> 16;
  const al = a & 0xffff;
  const bh = b >>> 16;
  const bl = b & 0xffff;
  const mid = ah * bl + ((al * bl) >>> 16);
  const cross = (mid & 0xffff) + al * bh;
  return (ah * bh + floor(mid / 65536) + floor(cross / 65536)) >>> 0;
}

/** Writes the four 32-bit words of block (c0, c1, c2, c3) under key (k0, k1) to `out`. */
export function philox(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, out: Uint32Array): void {
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}
