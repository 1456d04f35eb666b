import type { Fields, Layout } from '@recurra/kernels';
import { type DType, type Shape, ValueError } from '@recurra/tensor';
import { isContiguous, rowMajorStrides, sizeOf } from '@recurra/tensor/extend';
import type { Variable } from '../variable.js';
import type { Address } from './program.js';

const MOST = 2 ** 31 - 64;

/** Bytes of an element. */
export function bytesOf(dtype: DType): number {
  return dtype === 'float64' ? 8 : dtype === 'bool' ? 1 : 4;
}

/** A block whose size the engine knows: a word of a command. */
export interface Sized {
  readonly layout: Layout;
  readonly fields: Fields<Address>;
  readonly name: string;
}

/** A block of memory that values of a schedule live in. */
export class Buffer {
  /** Its size; 0 for what an engine sizes, and for what others lie in. */
  readonly bytes: number;
  readonly dtype: DType;
  /** Where it is: among intermediate values, among constants, in the block of a variable, or inside of another buffer (what loops need). */
  place: 'arena' | 'own' | 'fixed' | 'inner' = 'arena';
  /** What says how large it is, where the engine does. */
  sized: Sized | null = null;
  /** The variable whose block it is (fixed). */
  variable: Variable | null = null;
  /** The buffer around an inner one, and those that it is around. Their lifetimes are positions in the body of the loop. */
  parent: Buffer | null = null;
  inner: readonly Buffer[] = [];
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

/** A buffer around others. */
export function bufferAround(inner: readonly Buffer[]): Buffer {
  const around = new Buffer('float32', 0);
  around.inner = inner;
  for (const buffer of inner) {
    buffer.place = 'inner';
    buffer.parent = around;
  }
  return around;
}
