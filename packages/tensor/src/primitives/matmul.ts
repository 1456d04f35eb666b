import { allocate, type TypedArray } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { type NDArray, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive } from '../primitive.js';
import { broadcastShapes, formatShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';

/** Rows of A that are packed together: 4 x MC x K doubles should stay in the second-level cache. */
const PACK_LIMIT = 32_768;

/** Room for packed panels, kept between products so that small ones do not spend their time on allocation. */
const room: { a: Float64Array | null; b: Float64Array | null } = { a: null, b: null };

function scratch(side: 'a' | 'b', length: number): Float64Array {
  const kept = room[side];
  if (kept !== null && kept.length >= length) return kept;
  const grown = new Float64Array(length);
  // Large panels are left to the collector: only what small and middling products need is kept.
  if (length <= 4 * PACK_LIMIT) room[side] = grown;
  return grown;
}

/**
 * One matrix product y[m, n] = a[m, k] b[k, n] over strided a and b into dense y.
 *
 * Both operands are packed into float64 panels of four rows (a) and four columns (b), so that the inner loop reads two
 * moving pointers without strides or conversions and keeps 4 x 4 sums in registers. Sums are float64, rounded once.
 */
export function gemm(
  m: number,
  n: number,
  k: number,
  a: TypedArray,
  aOffset: number,
  aRow: number,
  aCol: number,
  b: TypedArray,
  bOffset: number,
  bRow: number,
  bCol: number,
  y: TypedArray,
  yOffset: number,
): void {
  if (m < 4 || n < 4) {
    gemmSmall(m, n, k, a, aOffset, aRow, aCol, b, bOffset, bRow, bCol, y, yOffset);
    return;
  }
  const panelsN = Math.ceil(n / 4);
  const packedB = scratch('b', panelsN * 4 * k);
  for (let p = 0, at = 0; p < panelsN; p++) {
    const j = p * 4;
    let from = bOffset + j * bCol;
    if (j + 4 <= n)
      for (let q = 0; q < k; q++, at += 4, from += bRow) {
        packedB[at] = b[from]!;
        packedB[at + 1] = b[from + bCol]!;
        packedB[at + 2] = b[from + 2 * bCol]!;
        packedB[at + 3] = b[from + 3 * bCol]!;
      }
    else
      for (let q = 0; q < k; q++, at += 4, from += bRow)
        for (let c = 0; c < 4; c++) packedB[at + c] = j + c < n ? b[from + c * bCol]! : 0;
  }
  const block = Math.max(4, Math.floor(PACK_LIMIT / Math.max(1, k) / 4) * 4);
  const packedA = scratch('a', Math.min(block, Math.ceil(m / 4) * 4) * k);
  for (let i0 = 0; i0 < m; i0 += block) {
    const rows = Math.min(block, m - i0);
    const panelsM = Math.ceil(rows / 4);
    for (let p = 0, at = 0; p < panelsM; p++) {
      let from = aOffset + (i0 + p * 4) * aRow;
      if (p * 4 + 4 <= rows)
        for (let q = 0; q < k; q++, at += 4, from += aCol) {
          packedA[at] = a[from]!;
          packedA[at + 1] = a[from + aRow]!;
          packedA[at + 2] = a[from + 2 * aRow]!;
          packedA[at + 3] = a[from + 3 * aRow]!;
        }
      else
        for (let q = 0; q < k; q++, at += 4, from += aCol)
          for (let r = 0; r < 4; r++) packedA[at + r] = p * 4 + r < rows ? a[from + r * aRow]! : 0;
    }
    for (let p = 0; p < panelsN; p++) {
      const j = p * 4;
      const width = Math.min(4, n - j);
      for (let r = 0; r < panelsM; r++) {
        const i = i0 + r * 4;
        let u = r * 4 * k;
        let v = p * 4 * k;
        // biome-ignore format: a register tile
        let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
        let s10 = 0,
          s11 = 0,
          s12 = 0,
          s13 = 0;
        let s20 = 0,
          s21 = 0,
          s22 = 0,
          s23 = 0;
        let s30 = 0,
          s31 = 0,
          s32 = 0,
          s33 = 0;
        for (let q = 0; q < k; q++, u += 4, v += 4) {
          const b0 = packedB[v]!,
            b1 = packedB[v + 1]!,
            b2 = packedB[v + 2]!,
            b3 = packedB[v + 3]!;
          const a0 = packedA[u]!;
          s00 += a0 * b0;
          s01 += a0 * b1;
          s02 += a0 * b2;
          s03 += a0 * b3;
          const a1 = packedA[u + 1]!;
          s10 += a1 * b0;
          s11 += a1 * b1;
          s12 += a1 * b2;
          s13 += a1 * b3;
          const a2 = packedA[u + 2]!;
          s20 += a2 * b0;
          s21 += a2 * b1;
          s22 += a2 * b2;
          s23 += a2 * b3;
          const a3 = packedA[u + 3]!;
          s30 += a3 * b0;
          s31 += a3 * b1;
          s32 += a3 * b2;
          s33 += a3 * b3;
        }
        const height = Math.min(4, m - i);
        const o = yOffset + i * n + j;
        store(y, o, width, s00, s01, s02, s03);
        if (height > 1) store(y, o + n, width, s10, s11, s12, s13);
        if (height > 2) store(y, o + 2 * n, width, s20, s21, s22, s23);
        if (height > 3) store(y, o + 3 * n, width, s30, s31, s32, s33);
      }
    }
  }
}

function store(y: TypedArray, at: number, width: number, v0: number, v1: number, v2: number, v3: number): void {
  y[at] = v0;
  if (width > 1) y[at + 1] = v1;
  if (width > 2) y[at + 2] = v2;
  if (width > 3) y[at + 3] = v3;
}

/** Products with a thin side (a vector, a few rows): packing would cost as much as the product. */
function gemmSmall(
  m: number,
  n: number,
  k: number,
  a: TypedArray,
  aOffset: number,
  aRow: number,
  aCol: number,
  b: TypedArray,
  bOffset: number,
  bRow: number,
  bCol: number,
  y: TypedArray,
  yOffset: number,
): void {
  if (bCol === 1 && n >= 4) {
    const sums = new Float64Array(n);
    for (let i = 0; i < m; i++) {
      sums.fill(0);
      for (let q = 0; q < k; q++) {
        const v = a[aOffset + i * aRow + q * aCol]!;
        for (let j = 0, from = bOffset + q * bRow; j < n; j++) sums[j]! += v * b[from + j]!;
      }
      for (let j = 0; j < n; j++) y[yOffset + i * n + j] = sums[j]!;
    }
    return;
  }
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      let u = aOffset + i * aRow;
      let v = bOffset + j * bCol;
      for (let q = 0; q < k; q++, u += aCol, v += bRow) sum += a[u]! * b[v]!;
      y[yOffset + i * n + j] = sum;
    }
}

/** Offsets of every matrix of a stack, in row-major order of the (broadcast) batch shape. */
function batchOffsets(x: NDArray, batch: readonly number[]): number[] {
  const own = x.shape.slice(0, -2);
  const lead = batch.length - own.length;
  let offsets = [x.offset];
  for (let axis = 0; axis < batch.length; axis++) {
    const stride = axis < lead || own[axis - lead] === 1 ? 0 : x.strides[axis - lead]!;
    offsets = offsets.flatMap((offset) => Array.from({ length: batch[axis]! }, (_, i) => offset + i * stride));
  }
  return offsets;
}

/** y[..., m, n] = sum over k of a[..., m, k] b[..., k, n], leading axes broadcast; ranks of at least 2. */
export const matmul: Primitive<null> = definePrimitive<null>({
  name: 'matmul',
  abstract: ([a, b]) => {
    const p = a!.shape;
    const q = b!.shape;
    if (a!.dtype !== b!.dtype)
      throw new DTypeError(`matmul: expected two operands of one dtype, received ${a!.dtype} and ${b!.dtype}`);
    if (p.length < 2 || q.length < 2 || p[p.length - 1] !== q[q.length - 2])
      throw new ShapeError(
        `matmul: expected shapes [..., m, k] and [..., k, n], received ${formatShape(p)} and ${formatShape(q)}`,
      );
    const batch = broadcastShapes(p.slice(0, -2), q.slice(0, -2), 'matmul');
    return [{ shape: [...batch, p[p.length - 2]!, q[q.length - 1]!], dtype: a!.dtype === 'bool' ? 'int32' : a!.dtype }];
  },
  evaluate: ([a, b], _params, [out]) => {
    const rank = out!.shape.length;
    const [m, n] = [out!.shape[rank - 2]!, out!.shape[rank - 1]!];
    const k = a!.shape[a!.shape.length - 1]!;
    const y = allocate(out!.dtype, sizeOf(out!.shape));
    const [aRow, aCol] = a!.strides.slice(-2) as [number, number];
    const [bRow, bCol] = b!.strides.slice(-2) as [number, number];
    const batch = out!.shape.slice(0, -2);
    // One matrix b for a stack of row-major a: a single taller product.
    if (
      b!.shape.length === 2 &&
      aCol === 1 &&
      a!.strides.every((s, i) => i >= a!.shape.length - 1 || s === a!.strides[i + 1]! * a!.shape[i + 1]!)
    ) {
      gemm(sizeOf(batch) * m, n, k, a!.data, a!.offset, aRow, aCol, b!.data, b!.offset, bRow, bCol, y, 0);
      return [ndarray(out!.dtype, out!.shape, y)];
    }
    const aOffsets = batchOffsets(a!, batch);
    const bOffsets = batchOffsets(b!, batch);
    for (let i = 0; i < aOffsets.length; i++)
      gemm(m, n, k, a!.data, aOffsets[i]!, aRow, aCol, b!.data, bOffsets[i]!, bRow, bCol, y, i * m * n);
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, needs }) => {
    const [a, b] = inputs as readonly [Tensor, Tensor];
    const g = cotangents[0]!;
    // da = g b^T, db = a^T g; with one matrix b for a stack of a, db is one product over all rows of the stack.
    const shared = b.rank === 2 && a.rank > 2;
    const rows = (t: Tensor): Tensor => t.reshape([sizeOf(t.shape.slice(0, -1)), t.shape[t.rank - 1]!]);
    return [
      needs[0] ? g.matmul(b.swapaxes(-1, -2)).sumToShape(a.shape) : null,
      needs[1]
        ? shared
          ? rows(a).transpose().matmul(rows(g))
          : a.swapaxes(-1, -2).matmul(g).sumToShape(b.shape)
        : null,
    ];
  },
  samples: [
    { inputs: [{ shape: [2, 3] }, { shape: [3, 4] }], params: null },
    { inputs: [{ shape: [5, 6] }, { shape: [6, 7] }], params: null },
    { inputs: [{ shape: [2, 1, 2, 3] }, { shape: [3, 3, 2] }], params: null },
    { inputs: [{ shape: [2, 2, 3] }, { shape: [3, 2] }], params: null },
    { inputs: [{ shape: [2, 0] }, { shape: [0, 3] }], params: null },
  ],
});
