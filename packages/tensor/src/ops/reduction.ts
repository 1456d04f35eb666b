import { toFloating } from '../dtype.js';
import { ValueError } from '../errors.js';
import type { ExtremumOptions, ReduceOptions, RunningOptions } from '../primitives/reduce.js';
import { checkRules, isNumber } from '../rules.js';
import { type Axes, normalizeAxes } from '../shape.js';
import { asTensor, REDUCE, rootAboveZero, type Tensor, type TensorLike } from '../tensor.js';
import { isfinite, stopGradient } from './elementwise.js';
import { sort } from './sorting.js';

/** Sum over axes (all by default). Accumulated in float64, rounded once. */
export function sum(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).sum(axis, options);
}
/** Product over axes; its gradient is right where elements are 0. */
export function prod(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).prod(axis, options);
}
/** Arithmetic mean over axes; NaN of an empty set. */
export function mean(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).mean(axis, options);
}
/** Population variance over axes. */
export function variance(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).variance(axis, options);
}
/** Population standard deviation over axes. */
export function std(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).std(axis, options);
}
/** Largest element (at least `initial`, if given); the gradient is shared equally among ties. */
export function max(x: TensorLike, axis?: Axes, options?: ExtremumOptions): Tensor {
  return asTensor(x).max(axis, options);
}
/** Smallest element (at most `initial`, if given); the gradient is shared equally among ties. */
export function min(x: TensorLike, axis?: Axes, options?: ExtremumOptions): Tensor {
  return asTensor(x).min(axis, options);
}
/** Is any element true? */
export function any(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).any(axis, options);
}
/** Are all elements true? */
export function all(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).all(axis, options);
}
/** How many elements are not 0. int32. */
export function countNonzero(x: TensorLike, axis?: Axes, options?: ReduceOptions): Tensor {
  return asTensor(x).countNonzero(axis, options);
}
/** Index of the first largest element along `axis`, or in the flattened tensor. int32. */
export function argmax(x: TensorLike, axis?: number | null, options?: ReduceOptions): Tensor {
  return asTensor(x).argmax(axis, options);
}
/** Index of the first smallest element along `axis`, or in the flattened tensor. int32. */
export function argmin(x: TensorLike, axis?: number | null, options?: ReduceOptions): Tensor {
  return asTensor(x).argmin(axis, options);
}
/** Running sum along an axis, or of the flattened tensor (`null`). */
export function cumsum(x: TensorLike, axis: number | null = null, options?: RunningOptions): Tensor {
  return asTensor(x).cumsum(axis, options);
}
/** Running product along an axis, or of the flattened tensor (`null`). */
export function cumprod(x: TensorLike, axis: number | null = null, options?: RunningOptions): Tensor {
  return asTensor(x).cumprod(axis, options);
}

const NORM = { ...REDUCE, ord: isNumber };

/** log(sum(e^x)) over axes, without overflow: the maximum m is taken out, m + log(sum(e^(x - m))). */
export function logsumexp(x: TensorLike, axis?: Axes, options: ReduceOptions = {}): Tensor {
  checkRules('logsumexp', options, REDUCE);
  const t = floating(x);
  const top = stopGradient(t.max(axis, { keepDims: true }));
  const shift = isfinite(top).select(top, top.zerosLike());
  const y = t.sub(shift).exp().sum(axis, { keepDims: true }).log().add(shift);
  return options.keepDims ? y : y.squeeze(normalizeAxes(axis, t.rank, 'logsumexp'));
}

/** The p-norm over axes: sum(|x|^p)^(1/p); p = 2 by default, Infinity is the largest |x|. Where it is 0, so is its gradient (PyTorch). */
export function norm(x: TensorLike, axis?: Axes, options: ReduceOptions & { ord?: number } = {}): Tensor {
  checkRules('norm', options, NORM);
  const { ord = 2, keepDims = false } = options;
  const t = floating(x);
  if (ord === Infinity) return t.abs().max(axis, { keepDims });
  if (ord === 1) return t.abs().sum(axis, { keepDims });
  if (ord === 2) return rootAboveZero(t.square().sum(axis, { keepDims }), (v) => v.sqrt());
  if (!(ord > 0)) throw new ValueError(`norm: expected ord > 0 or Infinity, received ${ord}`);
  const powers = rootAboveZero(t.abs(), (v) => v.pow(ord));
  return rootAboveZero(powers.sum(axis, { keepDims }), (v) => v.pow(1 / ord));
}

/** The middle of the sorted elements along `axis` (or of all): the mean of the two middle ones for an even count; NaN if one of them is. */
export function median(x: TensorLike, axis: number | null = null, options: ReduceOptions = {}): Tensor {
  checkRules('median', options, REDUCE);
  const t = floating(x);
  const from = axis === null ? t.flatten() : t.moveaxis(axis, -1);
  const n = from.shape[from.rank - 1]!;
  if (n === 0) throw new ValueError('median: expected at least one element, received none');
  const sorted = sort(from, -1);
  const between = sorted.narrow(-1, Math.floor((n - 1) / 2), n % 2 === 0 ? 2 : 1).mean(-1);
  // NaN is sorted last.
  const last = sorted.at(-1, -1);
  const middle = last.equal(last).select(between, last);
  if (!options.keepDims) return middle;
  return axis === null ? middle.reshape(t.shape.map(() => 1)) : middle.expandDims(axis);
}

function floating(x: TensorLike): Tensor {
  const t = asTensor(x);
  return t.cast(toFloating(t.dtype));
}
