/** Matrix products of any strides, blocked for the caches, with bias and activation applied while a block is in cache. */
import { ACTIVATION_RELU, ACTIVATION_SIGMOID, ACTIVATION_TANH } from "./generated/commands";
import { packPairs, packPanel, tile1x16, tile2x16 } from "./tiles";
import { sigmoid4, tanh4 } from "./vector";

/** Depth of a block: a panel of B (16 columns) is 16 KiB and stays in the first-level cache. */
const KC: i32 = 256;
/** Rows of a block of A (128 KiB) and columns of a block of B (256 KiB), for the second-level cache. */
const MC: i32 = 128;
const NC: i32 = 256;

/** Bytes of scratch memory that {@link gemm} uses. */
export const GEMM_SCRATCH: usize = <usize>(MC * KC + NC * KC) * 4 + 256;

/** activation(x + bias) */
function finish(c: usize, rows: i32, columns: i32, ldc: usize, bias: usize, activation: i32): void {
  const whole = (<usize>columns << 2) & ~15;
  // The usual cases have loops of their own: choosing in the loop takes as long as ten additions.
  const plain = bias != 0 && activation <= ACTIVATION_RELU;
  const low = f32x4.splat(activation == ACTIVATION_RELU ? 0 : -Infinity);
  for (let i = 0; i < rows; i++, c += ldc) {
    let j: usize = 0;
    if (plain) for (; j < whole; j += 16) v128.store(c + j, f32x4.pmax(f32x4.add(v128.load(c + j), v128.load(bias + j)), low));
    else for (; j < whole; j += 16) v128.store(c + j, activate(v128.load(c + j), bias ? v128.load(bias + j) : f32x4.splat(0), activation));
    for (; j < <usize>columns << 2; j += 4) {
      const v = activate(v128.load32_splat(c + j), bias ? v128.load32_splat(bias + j) : f32x4.splat(0), activation);
      store<f32>(c + j, f32x4.extract_lane(v, 0));
    }
  }
}

function activate(x: v128, bias: v128, activation: i32): v128 {
  const v = f32x4.add(x, bias);
  if (activation == ACTIVATION_RELU) return f32x4.pmax(v, f32x4.splat(0));
  if (activation == ACTIVATION_TANH) return tanh4(v);
  if (activation == ACTIVATION_SIGMOID) return sigmoid4(v);
  return v;
}

/** A tile at the edge: computed beside, then its valid part is copied. */
function edge(a: usize, b: usize, k: i32, c: usize, ldc: usize, rows: i32, columns: i32, accumulate: bool, beside: usize): void {
  if (accumulate)
    for (let i = 0; i < rows; i++)
      memory.copy(beside + (<usize>i << 6), c + <usize>i * ldc, <usize>columns << 2);
  tile2x16(a, b, k, beside, 64, accumulate);
  for (let i = 0; i < rows; i++) memory.copy(c + <usize>i * ldc, beside + (<usize>i << 6), <usize>columns << 2);
}

/**
 * C[m, n] = activation(A[m, k] B[k, n] + bias), or C += A B (then without bias and activation). Strides in bytes: rows and columns of A and B, rows of C (whose columns
 * are dense). `scratch`: GEMM_SCRATCH bytes.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: usize, aColumn: usize,
  b: usize, bRow: usize, bColumn: usize,
  c: usize, ldc: usize,
  bias: usize, activation: i32, scratch: usize, accumulate: bool = false,
): void {
  if (k == 0) {
    if (accumulate) return;
    for (let i = 0; i < m; i++) memory.fill(c + <usize>i * ldc, 0, <usize>n << 2);
    if (bias || activation) finish(c, m, n, ldc, bias, activation);
    return;
  }
  if (m <= 2 && bColumn == 4 && n >= 16) {
    // A vector times a matrix: packing would cost as much as the product.
    for (let i = 0; i < m; i++) {
      const row = a + <usize>i * aRow;
      const to = c + <usize>i * ldc;
      let j = 0;
      for (; j + 16 <= n; j += 16) tile1x16(row, aColumn, b + (<usize>j << 2), bRow, k, to + (<usize>j << 2), accumulate);
      for (; j < n; j++) {
        let sum: f32 = 0;
        let p = row;
        let q = b + (<usize>j << 2);
        let s = f32x4.splat(0);
        for (let e = 0; e < k; e++, p += aColumn, q += bRow) s = fmaLane(p, q, s);
        sum = f32x4.extract_lane(s, 0);
        if (accumulate) sum += load<f32>(to + (<usize>j << 2));
        store<f32>(to + (<usize>j << 2), sum);
      }
    }
    if (bias || activation) finish(c, m, n, ldc, bias, activation);
    return;
  }
  const packedA = scratch;
  const packedB = scratch + <usize>(MC * KC * 4);
  const beside = packedB + <usize>(NC * KC * 4);
  for (let j0 = 0; j0 < n; j0 += NC) {
    const columns = min(NC, n - j0);
    for (let q0 = 0; q0 < k; q0 += KC) {
      const depth = min(KC, k - q0);
      for (let j = 0; j < columns; j += 16)
        packPanel(b + <usize>q0 * bRow + <usize>(j0 + j) * bColumn, bRow, bColumn, min(16, columns - j), depth, packedB + <usize>(j * depth) * 4);
      const more = accumulate || q0 > 0;
      for (let i0 = 0; i0 < m; i0 += MC) {
        const rows = min(MC, m - i0);
        packPairs(a + <usize>i0 * aRow + <usize>q0 * aColumn, aRow, aColumn, rows, depth, packedA);
        for (let j = 0; j < columns; j += 16) {
          const panel = packedB + <usize>(j * depth) * 4;
          const width = min(16, columns - j);
          for (let i = 0; i < rows; i += 2) {
            const at = c + <usize>(i0 + i) * ldc + (<usize>(j0 + j) << 2);
            const pair = packedA + <usize>(i * depth) * 4;
            if (width == 16 && i + 2 <= rows) tile2x16(pair, panel, depth, at, ldc, more);
            else if (width == 16) tile1x16(pair, 8, panel, 64, depth, at, more);
            else edge(pair, panel, depth, at, ldc, min(2, rows - i), width, more, beside);
          }
        }
        if ((bias || activation) && q0 + depth == k)
          finish(c + <usize>i0 * ldc + (<usize>j0 << 2), rows, columns, ldc, bias ? bias + (<usize>j0 << 2) : 0, activation);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function fmaLane(a: usize, b: usize, s: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(v128.load32_zero(a), v128.load32_zero(b), s);
  return f32x4.add(f32x4.mul(v128.load32_zero(a), v128.load32_zero(b)), s);
}
