/**
 * Register tiles: the innermost loops of every matrix product. They are not unrolled: V8 then keeps all sums in registers
 * (unrolled by 2 or 4, the same tiles run at half the speed). Both operands come packed, so that two pointers move.
 *
 * Sums run over k in order, one fused multiply-add after another, whichever tile computes them: a result does not depend on
 * how rows and columns were divided among tiles or threads.
 */
import { fma } from "./vector";

/** C[2, 16] (+)= A B; A packed [k][2], B packed [k][16]; rows of C are `ldc` bytes apart. */
export function tile2x16(a: usize, b: usize, k: i32, c: usize, ldc: usize, accumulate: bool): void {
  let s00: v128, s01: v128, s02: v128, s03: v128;
  let s10: v128, s11: v128, s12: v128, s13: v128;
  const d = c + ldc;
  if (accumulate) {
    s00 = v128.load(c); s01 = v128.load(c, 16); s02 = v128.load(c, 32); s03 = v128.load(c, 48);
    s10 = v128.load(d); s11 = v128.load(d, 16); s12 = v128.load(d, 32); s13 = v128.load(d, 48);
  } else {
    s00 = f32x4.splat(0); s01 = s00; s02 = s00; s03 = s00;
    s10 = s00; s11 = s00; s12 = s00; s13 = s00;
  }
  const end = b + (<usize>k << 6);
  while (b < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    const a0 = v128.load32_splat(a);
    s00 = fma(a0, b0, s00);
    s01 = fma(a0, b1, s01);
    s02 = fma(a0, b2, s02);
    s03 = fma(a0, b3, s03);
    const a1 = v128.load32_splat(a, 4);
    s10 = fma(a1, b0, s10);
    s11 = fma(a1, b1, s11);
    s12 = fma(a1, b2, s12);
    s13 = fma(a1, b3, s13);
    a += 8;
    b += 64;
  }
  v128.store(c, s00); v128.store(c, s01, 16); v128.store(c, s02, 32); v128.store(c, s03, 48);
  v128.store(d, s10); v128.store(d, s11, 16); v128.store(d, s12, 32); v128.store(d, s13, 48);
}

/** C[1, 16] (+)= A B; elements of A are `astep` bytes apart, rows of B `bstep` bytes. */
export function tile1x16(a: usize, astep: usize, b: usize, bstep: usize, k: i32, c: usize, accumulate: bool): void {
  let s0: v128, s1: v128, s2: v128, s3: v128;
  if (accumulate) {
    s0 = v128.load(c); s1 = v128.load(c, 16); s2 = v128.load(c, 32); s3 = v128.load(c, 48);
  } else {
    s0 = f32x4.splat(0); s1 = s0; s2 = s0; s3 = s0;
  }
  for (; k > 0; k--) {
    const v = v128.load32_splat(a);
    s0 = fma(v, v128.load(b), s0);
    s1 = fma(v, v128.load(b, 16), s1);
    s2 = fma(v, v128.load(b, 32), s2);
    s3 = fma(v, v128.load(b, 48), s3);
    a += astep;
    b += bstep;
  }
  v128.store(c, s0); v128.store(c, s1, 16); v128.store(c, s2, 32); v128.store(c, s3, 48);
}

/**
 * C[3, 12] (+)= A B: three gates of four units (GRU). A packed [k][3]; rows of B are `bstep` bytes apart, their first eight
 * columns at `b`, the last four at `third`. Rows of C are `ldc` bytes apart.
 */
export function tile3x12(a: usize, b: usize, third: usize, bstep: usize, k: i32, c: usize, ldc: usize, accumulate: bool): void {
  let s00: v128, s01: v128, s02: v128;
  let s10: v128, s11: v128, s12: v128;
  let s20: v128, s21: v128, s22: v128;
  const d = c + ldc;
  const e = d + ldc;
  if (accumulate) {
    s00 = v128.load(c); s01 = v128.load(c, 16); s02 = v128.load(c, 32);
    s10 = v128.load(d); s11 = v128.load(d, 16); s12 = v128.load(d, 32);
    s20 = v128.load(e); s21 = v128.load(e, 16); s22 = v128.load(e, 32);
  } else {
    s00 = f32x4.splat(0); s01 = s00; s02 = s00;
    s10 = s00; s11 = s00; s12 = s00;
    s20 = s00; s21 = s00; s22 = s00;
  }
  for (; k > 0; k--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(third);
    const a0 = v128.load32_splat(a);
    s00 = fma(a0, b0, s00);
    s01 = fma(a0, b1, s01);
    s02 = fma(a0, b2, s02);
    const a1 = v128.load32_splat(a, 4);
    s10 = fma(a1, b0, s10);
    s11 = fma(a1, b1, s11);
    s12 = fma(a1, b2, s12);
    const a2 = v128.load32_splat(a, 8);
    s20 = fma(a2, b0, s20);
    s21 = fma(a2, b1, s21);
    s22 = fma(a2, b2, s22);
    a += 12;
    b += bstep;
    third += bstep;
  }
  v128.store(c, s00); v128.store(c, s01, 16); v128.store(c, s02, 32);
  v128.store(d, s10); v128.store(d, s11, 16); v128.store(d, s12, 32);
  v128.store(e, s20); v128.store(e, s21, 16); v128.store(e, s22, 32);
}

/**
 * Packs rows i0 .. i0 + rows, columns k of A into pairs of rows: [pair][k][2], the last pair padded with zeros. `row` and
 * `column` are A's strides in bytes.
 */
export function packPairs(a: usize, row: usize, column: usize, rows: i32, k: i32, to: usize): void {
  let i = 0;
  // Columns of rows that lie side by side: sixteen at a time, so that each line of memory is read once.
  if (row == 4)
    for (; i + 16 <= rows; i += 16) {
      let p = a + <usize>i * row;
      const next = <usize>k << 3;
      for (let q = 0; q < k; q++, p += column, to += 8) {
        let at = to;
        const u = v128.load(p), v = v128.load(p, 16), w = v128.load(p, 32), x = v128.load(p, 48);
        v128.store64_lane(at, u, 0); at += next;
        v128.store64_lane(at, u, 1); at += next;
        v128.store64_lane(at, v, 0); at += next;
        v128.store64_lane(at, v, 1); at += next;
        v128.store64_lane(at, w, 0); at += next;
        v128.store64_lane(at, w, 1); at += next;
        v128.store64_lane(at, x, 0); at += next;
        v128.store64_lane(at, x, 1);
      }
      to += next * 7;
    }
  for (; i + 2 <= rows; i += 2) {
    let p = a + <usize>i * row;
    if (row == 4) {
      for (let q = 0; q < k; q++, p += column, to += 8) store<u64>(to, load<u64>(p));
      continue;
    }
    let r = p + row;
    let q = 0;
    if (column == 4)
      for (; q + 4 <= k; q += 4, p += 16, r += 16, to += 32) {
        const u = v128.load(p);
        const v = v128.load(r);
        v128.store(to, v128.shuffle<f32>(u, v, 0, 4, 1, 5));
        v128.store(to, v128.shuffle<f32>(u, v, 2, 6, 3, 7), 16);
      }
    for (; q < k; q++, p += column, r += column, to += 8) {
      store<f32>(to, load<f32>(p));
      store<f32>(to, load<f32>(r), 4);
    }
  }
  if (i < rows) {
    let p = a + <usize>i * row;
    for (let q = 0; q < k; q++, p += column, to += 8) {
      store<f32>(to, load<f32>(p));
      store<f32>(to, 0, 4);
    }
  }
}

/** Packs columns j .. j + columns (at most 16), rows k of B into [k][16], padded with zeros; strides in bytes. */
export function packPanel(b: usize, row: usize, column: usize, columns: i32, k: i32, to: usize): void {
  if (columns == 16 && column == 4) {
    for (let q = 0; q < k; q++, b += row, to += 64) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
      v128.store(to, v128.load(b, 32), 32);
      v128.store(to, v128.load(b, 48), 48);
    }
    return;
  }
  if (columns == 16 && row == 4) {
    let q = 0;
    for (; q + 4 <= k; q += 4, b += 16, to += 256)
      for (let j: usize = 0; j < 16; j += 4) {
        let p = b + j * column;
        const r0 = v128.load(p); p += column;
        const r1 = v128.load(p); p += column;
        const r2 = v128.load(p); p += column;
        const r3 = v128.load(p);
        const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
        const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
        const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
        const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
        const o = to + (j << 2);
        v128.store(o, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
        v128.store(o, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7), 64);
        v128.store(o, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5), 128);
        v128.store(o, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7), 192);
      }
    for (; q < k; q++, b += 4, to += 64)
      for (let j: usize = 0; j < 16; j++) store<f32>(to + (j << 2), load<f32>(b + j * column));
    return;
  }
  for (let q = 0; q < k; q++, b += row, to += 64) {
    let p = b;
    let j = 0;
    for (; j < columns; j++, p += column) store<f32>(to + (<usize>j << 2), load<f32>(p));
    for (; j < 16; j++) store<f32>(to + (<usize>j << 2), 0);
  }
}
