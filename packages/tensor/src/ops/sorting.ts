import { allocate } from '../dtype.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { ndarray } from '../ndarray.js';
import {
  scatterAdd,
  segmentMax as segmentMaxPrimitive,
  sort as sortPrimitive,
  takeAlong,
} from '../primitives/indexing.js';
import { normalizeAxis, rowMajorStrides, type Shape, sizeOf } from '../shape.js';
import { asTensor, bind, Tensor, type TensorLike } from '../tensor.js';
import { arange } from './creation.js';

/** Elements in ascending order along an axis (descending on request), NaN last. */
export function sort(x: TensorLike, axis = -1, options: { descending?: boolean } = {}): Tensor {
  return sortBoth(x, axis, options.descending ?? false)[0];
}

/** The indices that sort along an axis; equal elements keep their order. int32. */
export function argsort(x: TensorLike, axis = -1, options: { descending?: boolean } = {}): Tensor {
  return sortBoth(x, axis, options.descending ?? false)[1];
}

function sortBoth(x: TensorLike, axis: number, descending: boolean): [Tensor, Tensor] {
  const t = asTensor(x);
  if (t.rank === 0) return [t, t.zerosLike().cast('int32')];
  return bind(sortPrimitive, [t], { axis: normalizeAxis(axis, t.rank, 'sort'), descending }) as [Tensor, Tensor];
}

/** The k largest elements of the last axis, in descending order, and their indices; of equal ones the first. */
export function topK(x: TensorLike, k: number): { values: Tensor; indices: Tensor } {
  const t = asTensor(x);
  const n = t.shape[t.rank - 1] ?? 0;
  if (!Number.isInteger(k) || k < 0 || k > n) throw new ValueError(`topK: expected k in 0..${n}, received ${k}`);
  const [values, indices] = sortBoth(t, -1, true);
  return { values: values.narrow(-1, 0, k), indices: indices.narrow(-1, 0, k) };
}

/** Is each target (int [n]) among the k largest predictions of its row ([n, classes])? bool [n]. */
export function inTopK(targets: TensorLike, predictions: TensorLike, k: number): Tensor {
  const scores = asTensor(predictions);
  const at = asTensor(targets, 'int32').cast('int32').expandDims(-1);
  const own = takeAlongAxis(scores, at, -1);
  return scores.greater(own).cast('int32').sum(-1).less(k);
}

/** Slices of x along an axis, by indices of any shape (NumPy's take); `null` takes from the flattened x. */
export function take(x: TensorLike, indices: TensorLike, axis: number | null = null): Tensor {
  return axis === null ? asTensor(x).flatten().gather(indices, 0) : asTensor(x).gather(indices, axis);
}

/** y[..., j, ...] = x[..., indices[..., j, ...], ...]: one index per element; other axes of one size. */
export function takeAlongAxis(x: TensorLike, indices: TensorLike, axis = -1): Tensor {
  const t = asTensor(x);
  const index = asTensor(indices, 'int32');
  if (index.dtype !== 'int32')
    throw new DTypeError(`takeAlongAxis: expected indices of dtype int32, received ${index.dtype}`);
  return bind(takeAlong, [t, index], { axis: normalizeAxis(axis, t.rank, 'takeAlongAxis') })[0]!;
}

/** 1 where the class index is, 0 elsewhere, along a new axis; indices outside of 0..classes-1 give all zeros. */
export function oneHot(indices: TensorLike, classes: number, axis = -1): Tensor {
  const index = asTensor(indices, 'int32');
  const rank = index.rank + 1;
  const at = normalizeAxis(axis, rank, 'oneHot');
  const range = arange(0, classes, 1, index.dtype).reshape(
    Array.from({ length: rank }, (_, i) => (i === at ? classes : 1)),
  );
  return index.expandDims(at).equal(range).cast('float32');
}

/** The distinct elements, ascending. Reads data: not traceable. */
export function unique(x: TensorLike): Tensor {
  const t = asTensor(x);
  const values = [...new Set(t.data)].sort((a, b) => a - b);
  const data = allocate(t.dtype, values.length);
  data.set(values);
  return new Tensor([values.length], t.dtype, ndarray(t.dtype, [values.length], data));
}

/** Where to insert each value into the ascending `sorted` to keep the order: before equal ones (left) or after (right). */
export function searchSorted(
  sorted: TensorLike,
  values: TensorLike,
  options: { side?: 'left' | 'right' } = {},
): Tensor {
  const edges = asTensor(sorted);
  const v = asTensor(values).expandDims(-1);
  const below = options.side === 'right' ? edges.lessEqual(v) : edges.less(v);
  return below.cast('int32').sum(-1);
}

/** The bin of each value: the number of ascending `bins` that are <= it. */
export function digitize(values: TensorLike, bins: TensorLike): Tensor {
  return searchSorted(bins, values, { side: 'right' });
}

/** How often each of 0, 1, 2, ... occurs, at least `minLength` long. Reads data: not traceable. */
export function binCount(x: TensorLike, options: { minLength?: number } = {}): Tensor {
  const t = asTensor(x, 'int32');
  if (t.dtype !== 'int32') throw new DTypeError(`binCount: expected dtype int32, received ${t.dtype}`);
  const data = t.data;
  let length = options.minLength ?? 0;
  for (const v of data) {
    if (v < 0) throw new ValueError(`binCount: expected values >= 0, received ${v}`);
    if (v >= length) length = v + 1;
  }
  const counts = new Int32Array(length);
  for (const v of data) counts[v]!++;
  return new Tensor([length], 'int32', ndarray('int32', [length], counts));
}

/** Sums the slices of `data` that share a segment id: y[s] = sum of data[i] with ids[i] = s. */
export function segmentSum(data: TensorLike, segmentIds: TensorLike, segments: number): Tensor {
  return bind(scatterAdd, [asTensor(data), asTensor(segmentIds, 'int32')], { axis: 0, size: segments })[0]!;
}

/** The largest of the slices of `data` that share a segment id; the lowest value for an empty segment. */
export function segmentMax(data: TensorLike, segmentIds: TensorLike, segments: number): Tensor {
  return bind(segmentMaxPrimitive, [asTensor(data), asTensor(segmentIds, 'int32')], { size: segments })[0]!;
}

/** Index tuples along the last axis as row-major positions in the leading axes of `shape`. */
function linearIndex(indices: Tensor, shape: Shape): { flat: Tensor; depth: number } {
  const depth = indices.shape[indices.rank - 1] ?? 0;
  if (indices.rank < 1 || depth > shape.length)
    throw new ShapeError(`scatter: expected index tuples of at most ${shape.length} numbers, received ${depth}`);
  const strides = rowMajorStrides(shape.slice(0, depth));
  const weights = asTensor(Int32Array.from(strides), 'int32');
  return { flat: indices.mul(weights).sum(-1).flatten(), depth };
}

/** Zeros of `shape` with `values` summed in at index tuples (the last axis of `indices`). */
export function scatter(indices: TensorLike, values: TensorLike, shape: Shape): Tensor {
  const index = asTensor(indices, 'int32');
  const { flat, depth } = linearIndex(index, shape);
  const rest = shape.slice(depth);
  const updates = asTensor(values).reshape([flat.size, ...rest]);
  const size = sizeOf(shape.slice(0, depth));
  return bind(scatterAdd, [updates, flat], { axis: 0, size })[0]!.reshape(shape);
}

/** `x` with the elements (or slices) at index tuples replaced; of equal tuples the sum is written. */
export function scatterUpdate(x: TensorLike, indices: TensorLike, updates: TensorLike): Tensor {
  const t = asTensor(x);
  const values = asTensor(updates).cast(t.dtype);
  const index = asTensor(indices, 'int32');
  const hit = scatter(index, values.onesLike(), t.shape).notEqual(0);
  return hit.select(scatter(index, values, t.shape), t);
}
