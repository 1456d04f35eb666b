import { ShapeError, ValueError } from './errors.js';
import { describeValue } from './names.js';

/** Sizes of the dimensions, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** The highest rank of a tensor. */
export const MAX_RANK = 8;

/** The number of elements of a shape (1 for a scalar). */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

/** Are two shapes equal? */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

/** `[2, 3]` as text, for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Row-major strides, in elements. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** Throws `ShapeError` unless it is an array. */
export function expectShape(shape: Shape, operation: string): void {
  if (!Array.isArray(shape))
    throw new ShapeError(`${operation}: expected a shape such as [2, 3], received ${describeValue(shape)}`);
}

/** Throws unless every dimension is a non-negative integer and the rank is at most {@link MAX_RANK}. */
export function checkShape(shape: Shape, operation: string): void {
  expectShape(shape, operation);
  if (shape.length > MAX_RANK)
    throw new ShapeError(`${operation}: expected a rank of at most ${MAX_RANK}, received shape ${formatShape(shape)}`);
  for (const dimension of shape)
    if (!Number.isInteger(dimension) || dimension < 0)
      throw new ShapeError(
        `${operation}: expected dimensions that are integers >= 0, received shape ${formatShape(shape)}`,
      );
}

/** NumPy's rule: align at the right; sizes must be equal, or one of them 1. */
export function broadcastShapes(a: Shape, b: Shape, operation: string): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const x = a[a.length - i] ?? 1;
    const y = b[b.length - i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new ShapeError(
        `${operation}: expected shapes that broadcast (equal sizes or 1, aligned at the right), received ${formatShape(a)} and ${formatShape(b)}`,
      );
    shape[rank - i] = x === 1 ? y : x;
  }
  return shape;
}

/** One axis, negative counted from the end, as an index in `0..rank-1`. */
export function normalizeAxis(axis: number, rank: number, operation: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new ValueError(
      `${operation}: expected an axis in ${-rank}..${rank - 1} for a tensor of rank ${rank}, received ${describeValue(axis)}`,
    );
  return axis < 0 ? axis + rank : axis;
}

/** Which axes: one, several, or `null` / absent for all. */
export type Axes = number | readonly number[] | null | undefined;

/** Axes as a sorted list of distinct indices; `null` and `undefined` mean all. */
export function normalizeAxes(axes: Axes, rank: number, operation: string): number[] {
  if (axes === null || axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  if (typeof axes !== 'number' && !Array.isArray(axes))
    throw new ValueError(
      `${operation}: expected an axis, an array of axes, or null for all, received ${describeValue(axes)}`,
    );
  const list = (typeof axes === 'number' ? [axes] : (axes as readonly number[])).map((axis) =>
    normalizeAxis(axis, rank, operation),
  );
  if (new Set(list).size !== list.length)
    throw new ValueError(`${operation}: expected distinct axes, received ${JSON.stringify(axes)}`);
  return list.sort((a, b) => a - b);
}

/** The shape after reducing `axes`, kept as size 1 with `keepDims`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));
}
