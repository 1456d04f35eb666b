import { DTypeError, ValueError } from './errors.js';

/** Element types. `float32` is the default; `bool` is stored as one byte, 0 or 1. */
export type DType = 'float32' | 'float64' | 'int32' | 'bool';

/** The typed arrays that back tensors. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/**
 * What all typed arrays of numbers have in common, under one type: index it, iterate over it, call its methods without knowing which
 * one it is.
 */
export interface NumericArray extends Iterable<number> {
  readonly length: number;
  readonly BYTES_PER_ELEMENT: number;
  readonly byteLength: number;
  readonly byteOffset: number;
  readonly buffer: ArrayBufferLike;
  [index: number]: number;
  at(index: number): number | undefined;
  every(test: (value: number, index: number) => unknown): boolean;
  fill(value: number, start?: number, end?: number): this;
  filter(test: (value: number, index: number) => unknown): NumericArray;
  find(test: (value: number, index: number) => unknown): number | undefined;
  findIndex(test: (value: number, index: number) => unknown): number;
  forEach(f: (value: number, index: number) => void): void;
  includes(value: number, from?: number): boolean;
  indexOf(value: number, from?: number): number;
  join(separator?: string): string;
  lastIndexOf(value: number): number;
  map(f: (value: number, index: number) => number): NumericArray;
  reduce(f: (total: number, value: number, index: number) => number): number;
  reduce<U>(f: (total: U, value: number, index: number) => U, initial: U): U;
  set(values: ArrayLike<number>, offset?: number): void;
  slice(start?: number, end?: number): NumericArray;
  some(test: (value: number, index: number) => unknown): boolean;
  sort(compare?: (a: number, b: number) => number): this;
  subarray(start?: number, end?: number): NumericArray;
}

/** The dtypes in order of promotion. */
const ORDER: readonly DType[] = ['bool', 'int32', 'float32', 'float64'];

/**
 * The one rule of type promotion: the result of an operation on two dtypes is the later of the two in
 * `bool < int32 < float32 < float64`. A JavaScript number is weak: it takes the dtype of the tensor beside it, except
 * that a fractional number with an integer or boolean tensor makes `float32`, and an integer with a boolean `int32`.
 */
export function promoteTypes(a: DType, b: DType): DType {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}

/** The dtype that a JavaScript number takes beside a tensor of `dtype` (see {@link promoteTypes}). */
export function weakNumberType(value: number, dtype: DType): DType {
  if (dtype === 'float32' || dtype === 'float64') return dtype;
  return value === (value | 0) ? 'int32' : 'float32';
}

/** The floating-point types, the only ones that carry gradients. */
export type FloatDType = 'float32' | 'float64';

/** Is `dtype` one of the floating-point types? */
export function isFloating(dtype: DType): dtype is FloatDType {
  return dtype === 'float32' || dtype === 'float64';
}

/** `dtype` itself where it is floating, else `float32`: the result type of `exp`, `mean`, `divide`, ... */
export function toFloating(dtype: DType): DType {
  return isFloating(dtype) ? dtype : 'float32';
}

/** Throws `DTypeError` for what is no dtype; `operation` is who was given it. */
export function expectDType(dtype: unknown, operation: string): asserts dtype is DType {
  if (!ORDER.includes(dtype as DType))
    throw new DTypeError(`${operation}: expected dtype float32, float64, int32 or bool, received ${String(dtype)}`);
}

/** A zeroed typed array of `length` elements. Throws `DTypeError` for another dtype, `ValueError` where there is no memory for so many. */
export function allocate(dtype: DType, length: number): TypedArray {
  try {
    return make(dtype, length);
  } catch (error) {
    if (error instanceof RangeError)
      throw new ValueError(`expected a size for which there is memory, received ${length} elements of dtype ${dtype}`);
    throw error;
  }
}

function make(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'bool':
      return new Uint8Array(length);
    default:
      throw new DTypeError(`expected dtype float32, float64, int32 or bool, received ${String(dtype)}`);
  }
}
