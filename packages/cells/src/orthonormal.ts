/** Rows that are taken against all rows before them at once. */
const BLOCK = 32;
/** Elements of a row that are worked on at a time: eight parts of rows stay in the fast caches. */
const CHUNK = 1024;

/**
 * Makes the rows of a matrix [count, length] (count <= length) orthonormal, in place: Gram-Schmidt, in the order of the rows, in float64. Blocks of rows
 * are taken against all rows before them by products of four rows with four, which reads memory a quarter as often as row by row. A block that has lost
 * much of its length that way is taken once more ("twice is enough", Giraud et al. 2005), so that rows are orthogonal to the last digits, also where
 * the matrix is square.
 */
export function orthonormalize(rows: Float64Array, count: number, length: number): void {
  const products = new Float64Array(BLOCK * count);
  for (let from = 0; from < count; from += BLOCK) {
    const size = Math.min(BLOCK, count - from);
    if (from > 0) {
      const before = normsOf(rows, length, from, size);
      takeOut(rows, length, from, size, products);
      const after = normsOf(rows, length, from, size);
      if (after.some((norm, i) => norm < 0.5 * before[i]!)) takeOut(rows, length, from, size, products);
    }
    for (let i = from; i < from + size; i++) {
      for (let pass = 0; pass < 2; pass++) takeOutOne(rows, length, i, from, i);
      const norm = Math.sqrt(dotOf(rows, i * length, i * length, length));
      for (let k = i * length; k < (i + 1) * length; k++) rows[k]! /= norm;
    }
  }
}

/** Squares of the lengths of rows. */
function normsOf(rows: Float64Array, length: number, from: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => dotOf(rows, (from + i) * length, (from + i) * length, length));
}

function dotOf(v: Float64Array, a: number, b: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += v[a + k]! * v[b + k]!;
  return sum;
}

/** Takes the parts along the rows from..to out of row `i`. */
function takeOutOne(v: Float64Array, length: number, i: number, from: number, to: number): void {
  for (let j = from; j < to; j++) {
    const dot = dotOf(v, i * length, j * length, length);
    for (let k = 0; k < length; k++) v[i * length + k]! -= dot * v[j * length + k]!;
  }
}

/** Takes the parts along all rows before `from` (a multiple of four) out of the `size` rows from there on. */
function takeOut(v: Float64Array, length: number, from: number, size: number, products: Float64Array): void {
  const whole = size - (size % 4);
  products.fill(0, 0, whole * from);
  for (const step of [dots, subtract])
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(length, start + CHUNK);
      for (let j = 0; j < from; j += 4)
        for (let i = 0; i < whole; i += 4)
          step(v, (from + i) * length, j * length, length, start, end, products, i * from + j, from);
    }
  for (let i = whole; i < size; i++) takeOutOne(v, length, from + i, 0, from);
}

/** Adds the products of four rows at `a` with four at `b`, over a part of them, to a tile of `c`. */
function dots(
  v: Float64Array,
  a: number,
  b: number,
  length: number,
  start: number,
  end: number,
  c: Float64Array,
  at: number,
  stride: number,
): void {
  const [a1, a2, a3] = [a + length, a + 2 * length, a + 3 * length];
  const [b1, b2, b3] = [b + length, b + 2 * length, b + 3 * length];
  let [s00, s01, s02, s03] = [0, 0, 0, 0];
  let [s10, s11, s12, s13] = [0, 0, 0, 0];
  let [s20, s21, s22, s23] = [0, 0, 0, 0];
  let [s30, s31, s32, s33] = [0, 0, 0, 0];
  for (let k = start; k < end; k++) {
    const x0 = v[a + k]!;
    const x1 = v[a1 + k]!;
    const x2 = v[a2 + k]!;
    const x3 = v[a3 + k]!;
    const y0 = v[b + k]!;
    const y1 = v[b1 + k]!;
    const y2 = v[b2 + k]!;
    const y3 = v[b3 + k]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  const sums = [s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33];
  for (let i = 0; i < 16; i++) c[at + (i >> 2) * stride + (i & 3)]! += sums[i]!;
}

/** Subtracts from four rows at `a` a tile of `c` times four rows at `b`, over a part of them. */
function subtract(
  v: Float64Array,
  a: number,
  b: number,
  length: number,
  start: number,
  end: number,
  c: Float64Array,
  at: number,
  stride: number,
): void {
  const [b1, b2, b3] = [b + length, b + 2 * length, b + 3 * length];
  for (let i = 0; i < 4; i++) {
    const row = a + i * length;
    const place = at + i * stride;
    const c0 = c[place]!;
    const c1 = c[place + 1]!;
    const c2 = c[place + 2]!;
    const c3 = c[place + 3]!;
    for (let k = start; k < end; k++)
      v[row + k]! -= c0 * v[b + k]! + c1 * v[b1 + k]! + c2 * v[b2 + k]! + c3 * v[b3 + k]!;
  }
}
