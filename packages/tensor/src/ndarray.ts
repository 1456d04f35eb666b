import { allocate, type DType, type TypedArray } from './dtype.js';
import { rowMajorStrides, type Shape, sizeOf } from './shape.js';

/**
 * Concrete storage of a tensor: a typed array seen through strides (in elements; 0 repeats, negative walks backwards).
 * Views (reshape, transpose, slice, broadcast) share `data`. The evaluation rules of primitives work on these.
 */
export interface NDArray {
  readonly data: TypedArray;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A new row-major array over `data` (zeros if absent). */
export function ndarray(dtype: DType, shape: Shape, data: TypedArray = allocate(dtype, sizeOf(shape))): NDArray {
  return { data, dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
}

/** Do the elements lie row-major, without gaps? */
export function isContiguous(a: Pick<NDArray, 'shape' | 'strides'>): boolean {
  let stride = 1;
  for (let i = a.shape.length - 1; i >= 0; i--) {
    const size = a.shape[i]!;
    if (size === 0) return true;
    if (size !== 1 && a.strides[i] !== stride) return false;
    stride *= size;
  }
  return true;
}

/**
 * Calls `row` for every innermost run of `shape`, walked by two operands with their own strides. Size-1 dimensions are
 * dropped and neighbouring dimensions merged where both operands allow it, so that runs are long. `out` counts the
 * elements done, row-major.
 */
export function forEachRun2(
  shape: Shape,
  offsetA: number,
  stridesA: readonly number[],
  offsetB: number,
  stridesB: readonly number[],
  row: (a: number, strideA: number, b: number, strideB: number, out: number, length: number) => void,
): void {
  const dims: number[] = [];
  const sa: number[] = [];
  const sb: number[] = [];
  for (let i = 0; i < shape.length; i++) {
    const size = shape[i]!;
    if (size === 0) return;
    if (size === 1) continue;
    const last = dims.length - 1;
    if (last >= 0 && sa[last] === stridesA[i]! * size && sb[last] === stridesB[i]! * size) {
      dims[last] = dims[last]! * size;
      sa[last] = stridesA[i]!;
      sb[last] = stridesB[i]!;
    } else {
      dims.push(size);
      sa.push(stridesA[i]!);
      sb.push(stridesB[i]!);
    }
  }
  const outer = dims.length - 1;
  if (outer < 0) {
    row(offsetA, 0, offsetB, 0, 0, 1);
    return;
  }
  const length = dims[outer]!;
  const strideA = sa[outer]!;
  const strideB = sb[outer]!;
  if (outer === 0) {
    row(offsetA, strideA, offsetB, strideB, 0, length);
    return;
  }
  const index = new Array<number>(outer).fill(0);
  let a = offsetA;
  let b = offsetB;
  let out = 0;
  for (;;) {
    row(a, strideA, b, strideB, out, length);
    out += length;
    let d = outer - 1;
    for (; d >= 0; d--) {
      a += sa[d]!;
      b += sb[d]!;
      if (++index[d]! < dims[d]!) break;
      a -= sa[d]! * dims[d]!;
      b -= sb[d]! * dims[d]!;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/** {@link forEachRun2} for one operand. */
export function forEachRun(
  a: NDArray,
  row: (start: number, stride: number, out: number, length: number) => void,
): void {
  forEachRun2(a.shape, a.offset, a.strides, a.offset, a.strides, (start, stride, _b, _t, out, length) =>
    row(start, stride, out, length),
  );
}

/** The elements row-major: the backing array itself where `a` covers it, a window of it, or a copy. */
export function denseData(a: NDArray): TypedArray {
  const size = sizeOf(a.shape);
  if (isContiguous(a)) {
    return a.offset === 0 && a.data.length === size ? a.data : a.data.subarray(a.offset, a.offset + size);
  }
  const out = allocate(a.dtype, size);
  const data = a.data;
  forEachRun(a, (start, stride, at, length) => {
    for (let i = 0, k = start; i < length; i++, k += stride) out[at + i] = data[k]!;
  });
  return out;
}

/** {@link denseData} in an array of its own: writing to it changes nothing else. */
export function copiedData(a: NDArray): TypedArray {
  const data = denseData(a);
  return data.buffer === a.data.buffer ? data.slice() : data;
}

/** `a` with row-major elements (itself where it already is). */
export function contiguous(a: NDArray): NDArray {
  return isContiguous(a) ? a : ndarray(a.dtype, a.shape, denseData(a));
}

/** The strides of `a` seen as the larger `shape`: 0 along every repeated dimension. */
export function broadcastStrides(a: Pick<NDArray, 'shape' | 'strides'>, shape: Shape): number[] {
  const lead = shape.length - a.shape.length;
  return shape.map((_, i) => (i < lead || a.shape[i - lead] === 1 ? 0 : a.strides[i - lead]!));
}

/** `a` with its axes in the order of `permutation`: a view. */
export function permuted(a: NDArray, permutation: readonly number[]): NDArray {
  return {
    ...a,
    shape: permutation.map((axis) => a.shape[axis]!),
    strides: permutation.map((axis) => a.strides[axis]!),
  };
}
