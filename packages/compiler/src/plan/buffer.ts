import { type DType, type Shape, ValueError } from '@recurra/tensor';
import { isContiguous, rowMajorStrides, sizeOf } from '@recurra/tensor/extend';
import { bytesOf } from '../runtime.js';
import type { Variable } from '../variable.js';

const MOST = 2 ** 31 - 64;

/** A block of memory that values of a plan live in. */
export class Buffer {
  readonly bytes: number;
  readonly dtype: DType;
  /** Where it is: in the arena, in the plan's own block, in that of a variable, or inside of another buffer (what loops need). */
  place: 'arena' | 'own' | 'fixed' | 'inner' = 'arena';
  /** Offset (arena, own, inner). */
  at = -1;
  /** The variable whose block it is (fixed). */
  variable: Variable | null = null;
  /** The buffer around an inner one. */
  parent: Buffer | null = null;
  /** The positions of the first and the last command that touch it; -1 is the copying in of inputs. */
  first: number = Number.MAX_SAFE_INTEGER;
  last = -2;

  constructor(dtype: DType, size: number) {
    // Kernels count elements in 32 bits, with a sign. Of wider types so many do not fit into memory, which is told when the step begins.
    if (dtype === 'bool' && size >= MOST)
      throw new ValueError(`compiled step: expected tensors of fewer than ${MOST} booleans, received one of ${size}`);
    this.dtype = dtype;
    this.bytes = size * bytesOf(dtype);
  }

  /** The outermost buffer around it: itself, unless it is an inner one. */
  get root(): Buffer {
    return this.parent?.root ?? this;
  }

  /** Notes that the command at `position` reads or writes it. */
  touch(position: number): void {
    if (position < this.first) this.first = position;
    if (position > this.last) this.last = position;
  }
}

/** Elements of a buffer, seen through strides (in elements): what a view is in a plan. */
export interface Ref {
  readonly buffer: Buffer;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A fresh dense buffer of this shape. */
export function denseRef(dtype: DType, shape: Shape): Ref {
  return { buffer: new Buffer(dtype, sizeOf(shape)), dtype, shape, strides: rowMajorStrides(shape), offset: 0 };
}

/** Sizes and strides without axes of size 1, neighbours merged where a single stride walks both. */
export function mergeAxes(shape: Shape, strides: readonly number[]): { dims: number[]; strides: number[] } {
  const dims: number[] = [];
  const steps: number[] = [];
  shape.forEach((size, i) => {
    if (size === 1) return;
    const last = dims.length - 1;
    if (last >= 0 && steps[last] === strides[i]! * size) {
      dims[last] = dims[last]! * size;
      steps[last] = strides[i]!;
    } else {
      dims.push(size);
      steps.push(strides[i]!);
    }
  });
  return { dims, strides: steps };
}

/** The strides that show the elements of `ref` as `shape`, or `null` where only a copy can. */
export function reshapeStrides(ref: Ref, shape: Shape): number[] | null {
  if (isContiguous(ref)) return rowMajorStrides(shape);
  const { dims, strides } = mergeAxes(ref.shape, ref.strides);
  const result = new Array<number>(shape.length).fill(0);
  // Walk both shapes from the right; every axis of the new one must lie inside of one merged axis of the old one.
  let axis = dims.length - 1;
  let left = axis >= 0 ? dims[axis]! : 1;
  let stride = axis >= 0 ? strides[axis]! : 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i]!;
    if (size === 1) continue;
    if (left === 1 && axis > 0) {
      axis--;
      left = dims[axis]!;
      stride = strides[axis]!;
    }
    if (left % size !== 0) return null;
    result[i] = stride;
    stride *= size;
    left /= size;
  }
  return result;
}

/** Places buffers of the arena: the largest first, each at the lowest offset that is free for its whole life. Returns the size. */
export function placeBuffers(buffers: readonly Buffer[]): number {
  const ALIGNMENT = 64;
  const placed: Buffer[] = [];
  let total = 0;
  const size = (b: Buffer): number => Math.ceil(Math.max(b.bytes, 1) / ALIGNMENT) * ALIGNMENT;
  for (const buffer of [...buffers].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    let offset = 0;
    for (const other of placed) {
      if (other.first > buffer.last || other.last < buffer.first) continue;
      if (offset + size(buffer) <= other.at) break;
      offset = Math.max(offset, other.at + size(other));
    }
    buffer.at = offset;
    total = Math.max(total, offset + size(buffer));
    let i = placed.length;
    while (i > 0 && placed[i - 1]!.at > offset) i--;
    placed.splice(i, 0, buffer);
  }
  return total;
}
