import { allocate } from '../dtype.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { compare } from '../internal/order.js';
import { denseData, ndarray } from '../ndarray.js';
import {
  scatterAdd,
  segmentMax as segmentMaxPrimitive,
  sort as sortPrimitive,
  takeAlong,
} from '../primitives/indexing.js';
import { checkRules, checkValue, countOrZero, flag, oneOf } from '../rules.js';
import { checkShape, formatShape, normalizeAxis, rowMajorStrides, type Shape, sizeOf } from '../shape.js';
import { asTensor, bind, Tensor, type TensorLike } from '../tensor.js';
import { arange } from './creation.js';
import { checkIds, checkIndexTuples } from './indices.js';

/** Elements in ascending order along an axis, NaN last; or in descending order, NaN first. Equal elements keep their order. */
export function sort(x: TensorLike, axis = -1, options: { descending?: boolean } = {}): Tensor {
  return sortBoth(x, axis, options, 'sort')[0];
}

/** The indices that sort along an axis; equal elements keep their order. int32. */
export function argsort(x: TensorLike, axis = -1, options: { descending?: boolean } = {}): Tensor {
  return sortBoth(x, axis, options, 'argsort')[1];
}

const SORT = { descending: flag };

function sortBoth(x: TensorLike, axis: number, options: { descending?: boolean }, operation: string): [Tensor, Tensor] {
  checkRules(operation, options, SORT);
  const { descending = false } = options;
  const t = asTensor(x);
  if (t.rank === 0) return [t, t.zerosLike().cast('int32')];
  return bind(sortPrimitive, [t], { axis: normalizeAxis(axis, t.rank, operation), descending }) as [Tensor, Tensor];
}

/** The k largest elements of the last axis, in descending order, NaN first, and their indices; of equal ones the first. */
export function topK(x: TensorLike, k: number): { values: Tensor; indices: Tensor } {
  const t = asTensor(x);
  const n = t.shape[t.rank - 1] ?? 0;
  if (!Number.isInteger(k) || k < 0 || k > n) throw new ValueError(`topK: expected k in 0..${n}, received ${k}`);
  const [values, indices] = sortBoth(t, -1, { descending: true }, 'topK');
  return { values: values.narrow(-1, 0, k), indices: indices.narrow(-1, 0, k) };
}

/**
 * Is each target (ids [n]) among the k largest predictions of its row ([n, classes])? bool [n]. A NaN is no score: it is never a hit,
 * and stands before no other (Keras). Throws `ValueError` for a target that is no class.
 */
export function inTopK(targets: TensorLike, predictions: TensorLike, k: number): Tensor {
  const scores = asTensor(predictions);
  const at = checkIds(targets, scores.shape[scores.rank - 1] ?? 0, 'inTopK').expandDims(-1);
  const own = takeAlongAxis(scores, at, -1);
  // What is compared with NaN is false: own equals itself unless it is one.
  checkValue('inTopK', 'k', k, countOrZero);
  const hit = scores.greater(own).cast('int32').sum(-1).less(k);
  return hit.logicalAnd(own.equal(own).squeeze(-1));
}

/** Slices of x along an axis, by indices of any shape (NumPy's take); `null` takes from the flattened x. */
export function take(x: TensorLike, indices: TensorLike, axis: number | null = null): Tensor {
  return asTensor(x).take(indices, axis);
}

/** y[..., j, ...] = x[..., indices[..., j, ...], ...]: one index per element; other axes of one size. */
export function takeAlongAxis(x: TensorLike, indices: TensorLike, axis = -1): Tensor {
  const t = asTensor(x);
  const index = asTensor(indices, 'int32');
  if (index.dtype !== 'int32')
    throw new DTypeError(`takeAlongAxis: expected indices of dtype int32, received ${index.dtype}`);
  return bind(takeAlong, [t, index], { axis: normalizeAxis(axis, t.rank, 'takeAlongAxis') })[0]!;
}

/**
 * 1 where the class index is, 0 elsewhere, along a new axis; whole numbers outside of 0..classes-1 give all zeros (Keras). Throws
 * `DTypeError` for indices that are not int32, `ValueError` for a negative number of classes.
 */
export function oneHot(indices: TensorLike, classes: number, axis = -1): Tensor {
  return isClass(indices, classes, axis, 'oneHot').cast('float32');
}

/** @internal {@link oneHot} as booleans. */
export function isClass(indices: TensorLike, classes: number, axis: number, operation: string): Tensor {
  const index = asTensor(indices, 'int32');
  if (index.dtype !== 'int32')
    throw new DTypeError(
      `${operation}: expected class indices of dtype int32, received ${index.dtype}. Round and cast them first.`,
    );
  if (!(Number.isInteger(classes) && classes >= 0))
    throw new ValueError(`${operation}: expected a number of classes >= 0, received ${classes}`);
  const rank = index.rank + 1;
  const at = normalizeAxis(axis, rank, operation);
  const range = arange(0, classes, 1, 'int32').reshape(
    Array.from({ length: rank }, (_, i) => (i === at ? classes : 1)),
  );
  return index.expandDims(at).equal(range);
}

/** The distinct elements, ascending; NaN once, at the end. Reads data: not traceable. */
export function unique(x: TensorLike): Tensor {
  const t = asTensor(x);
  const values = [...new Set(denseData(t.concrete('unique')))].sort(compare);
  const data = allocate(t.dtype, values.length);
  data.set(values);
  return new Tensor([values.length], t.dtype, ndarray(t.dtype, [values.length], data));
}

const SEARCH = { side: oneOf('left', 'right') };

/** Where to insert each value into the ascending `sorted` to keep the order: before equal ones (left) or after (right); NaN comes last. */
export function searchsorted(
  sorted: TensorLike,
  values: TensorLike,
  options: { side?: 'left' | 'right' } = {},
): Tensor {
  checkRules('searchsorted', options, SEARCH);
  const edges = asTensor(sorted);
  if (edges.rank !== 1)
    throw new ShapeError(`searchsorted: expected one sorted axis, received shape ${formatShape(edges.shape)}`);
  const v = asTensor(values).expandDims(-1);
  // NaN is above every number, and equal to NaN.
  const right = options.side === 'right';
  const below = right
    ? edges.lessEqual(v).logicalOr(v.notEqual(v))
    : edges.less(v).logicalOr(v.notEqual(v).logicalAnd(edges.equal(edges)));
  return below.cast('int32').sum(-1);
}

/** The bin of each value: the number of ascending `bins` that are <= it. */
export function digitize(values: TensorLike, bins: TensorLike): Tensor {
  return searchsorted(bins, values, { side: 'right' });
}

const BINCOUNT = { minLength: countOrZero };
/** The longest result of {@link bincount}: a gigabyte. */
const MOST_COUNTS = 2 ** 28;

/** How often each of 0, 1, 2, ... occurs, at least `minLength` long. Reads data: not traceable. */
export function bincount(x: TensorLike, options: { minLength?: number } = {}): Tensor {
  checkRules('bincount', options, BINCOUNT);
  const t = asTensor(x, 'int32');
  if (t.dtype !== 'int32') throw new DTypeError(`bincount: expected dtype int32, received ${t.dtype}`);
  const data = denseData(t.concrete('bincount'));
  let length = options.minLength ?? 0;
  for (const v of data) {
    if (v < 0) throw new ValueError(`bincount: expected values >= 0, received ${v}`);
    if (v >= length) length = v + 1;
  }
  if (length > MOST_COUNTS)
    throw new ValueError(
      `bincount: expected values below ${MOST_COUNTS}, received ${length - 1}: the result has a count for each value up to the largest. Count unique(x) instead.`,
    );
  const counts = new Int32Array(length);
  for (const v of data) counts[v]!++;
  return new Tensor([length], 'int32', ndarray('int32', [length], counts));
}

/** Sums the slices of `data` that share a segment id: y[s] = sum of data[i] with ids[i] = s. Throws `ValueError` for ids outside of 0..segments-1. */
export function segmentSum(data: TensorLike, segmentIds: TensorLike, segments: number): Tensor {
  return bind(scatterAdd, [asTensor(data), checkIds(segmentIds, segments, 'segmentSum')], {
    axis: 0,
    size: segments,
  })[0]!;
}

/** The largest of the slices of `data` that share a segment id; the lowest value for an empty segment. Ids as for {@link segmentSum}. */
export function segmentMax(data: TensorLike, segmentIds: TensorLike, segments: number): Tensor {
  return bind(segmentMaxPrimitive, [asTensor(data), checkIds(segmentIds, segments, 'segmentMax')], {
    size: segments,
  })[0]!;
}

/** Index tuples along the last axis as row-major positions in the leading axes of `shape`; checked one by one before they are joined. */
function linearIndex(indices: Tensor, shape: Shape, operation: string): { flat: Tensor; depth: number } {
  const depth = indices.shape[indices.rank - 1] ?? 0;
  if (indices.rank < 1 || depth > shape.length)
    throw new ShapeError(
      `${operation}: expected index tuples of at most ${shape.length} numbers along the last axis, received shape ${formatShape(indices.shape)}`,
    );
  const sizes = shape.slice(0, depth);
  const weights = asTensor(Int32Array.from(rowMajorStrides(sizes)), 'int32');
  return { flat: checkIndexTuples(indices, sizes, operation).mul(weights).sum(-1).flatten(), depth };
}

/**
 * Zeros of `shape` with `values` summed in at index tuples (the last axis of `indices`); negative indices count from the end. Throws
 * `ValueError` for an index beyond its axis, `ShapeError` unless there is a value (or slice) for each tuple.
 */
export function scatter(indices: TensorLike, values: TensorLike, shape: Shape): Tensor {
  checkShape(shape, 'scatter');
  return scatterInto(asTensor(indices, 'int32'), asTensor(values), shape, 'scatter');
}

function scatterInto(index: Tensor, values: Tensor, shape: Shape, operation: string): Tensor {
  const { flat, depth } = linearIndex(index, shape, operation);
  const rest = shape.slice(depth);
  const expected = [...index.shape.slice(0, -1), ...rest];
  if (values.size !== sizeOf(expected))
    throw new ShapeError(
      `${operation}: expected values of shape ${formatShape(expected)}, one for each index tuple, received ${formatShape(values.shape)}`,
    );
  const size = sizeOf(shape.slice(0, depth));
  return bind(scatterAdd, [values.reshape([flat.size, ...rest]), flat], { axis: 0, size })[0]!.reshape(shape);
}

/** `x` with the elements (or slices) at index tuples replaced; of equal tuples the sum is written. Throws as {@link scatter} does. */
export function scatterUpdate(x: TensorLike, indices: TensorLike, updates: TensorLike): Tensor {
  const t = asTensor(x);
  const values = asTensor(updates).cast(t.dtype);
  const index = asTensor(indices, 'int32');
  const hit = scatterInto(index, values.onesLike().cast('int32'), t.shape, 'scatterUpdate').notEqual(0);
  return hit.select(scatterInto(index, values, t.shape, 'scatterUpdate'), t);
}
