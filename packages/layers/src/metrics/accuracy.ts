import { ShapeError, type Tensor, type TensorLike, takeAlongAxis, where } from '@recurra/tensor';
import { checkRules, checkValue, promoteTypes } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';
import { alignShapes, alignTargets, asPredictions, asTargets, classIndices } from '../losses/alignment.js';
import { given, RULES, rulesOf } from '../losses/options.js';
import { MeanMetricWrapper } from './mean.js';
import type { MetricOptions } from './metric.js';

/** 1 where prediction = target, compared as they are: 1.5 is not 1. Throws `ShapeError` where the shapes differ. */
export function accuracy(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const given = asTargets(yTrue, 'accuracy');
  const predictions = asPredictions(yPred, 'accuracy');
  // Whole numbers stay whole: beyond 2^24, float32 does not tell them apart.
  const dtype = promoteTypes(given.dtype, predictions.dtype);
  const [t, p] = alignShapes(given.cast(dtype), predictions.cast(dtype), 'accuracy');
  return t.equal(p).cast('float32');
}

/** 1 where the prediction is on the target's side of the threshold; NaN is on neither. Throws `ShapeError` where the shapes differ. */
export function binaryAccuracy(yTrue: TensorLike, yPred: TensorLike, threshold = 0.5): Tensor {
  checkValue('binaryAccuracy', 'threshold', threshold, RULES.threshold);
  const [t, p] = alignTargets(yTrue, yPred, 'binaryAccuracy');
  return where(p.greater(threshold), t.equal(1), p.lessEqual(threshold).logicalAnd(t.equal(0))).cast('float32');
}

/** Is the largest of the last axis at `index`, in rows whose largest is a number? */
function hits(index: Tensor, scores: Tensor): Tensor {
  const largest = scores.max(-1);
  return index.equal(scores.argmax(-1)).logicalAnd(largest.equal(largest)).cast('float32');
}

/**
 * 1 where the largest prediction (last axis) stands where the largest target does; rows with NaN are no hits. Throws `ShapeError` where the
 * shapes differ.
 */
export function categoricalAccuracy(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'categoricalAccuracy');
  return hits(t.argmax(-1), p);
}

/**
 * 1 where the largest prediction stands at the target's index; rows with NaN are no hits. Throws `ShapeError` for targets of another shape.
 */
export function sparseCategoricalAccuracy(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const p = floating(asPredictions(yPred, 'sparseCategoricalAccuracy'));
  return hits(classIndices(yTrue, p, 'sparseCategoricalAccuracy'), p);
}

/** Options of {@link sparseTopKCategoricalAccuracy}. */
export interface SparseTopKOptions {
  /** How many of the largest count; 5. */
  readonly k?: number;
  /** The predictions are class indices in order of their scores, not scores; false. */
  readonly fromSortedIds?: boolean;
}

const SPARSE_TOP_K = rulesOf('k', 'fromSortedIds');

/**
 * 1 where the target's index is among the k (5) largest predictions; of equal ones all count. A score that is NaN is no hit, nor is an index
 * that is none. Throws `ShapeError` for targets of another shape, `ValueError` unless k >= 1.
 */
export function sparseTopKCategoricalAccuracy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: number | SparseTopKOptions = {},
): Tensor {
  const what = 'sparseTopKCategoricalAccuracy';
  const settings = typeof options === 'number' ? { k: options } : options;
  checkRules(what, settings, SPARSE_TOP_K);
  const { k = 5, fromSortedIds = false } = settings;
  const p = floating(asPredictions(yPred, what));
  if (p.rank < 2) throw new ShapeError(`${what}: expected predictions [..., classes], received rank ${p.rank}`);
  const t = classIndices(yTrue, p, what).expandDims(-1);
  const classes = p.shape[p.rank - 1]!;
  if (fromSortedIds) return p.narrow(-1, 0, Math.min(k, classes)).equal(t.cast(p.dtype)).any(-1).cast('float32');
  const known = t.greaterEqual(0).logicalAnd(t.less(classes));
  const own = takeAlongAxis(p, where(known, t, 0), -1);
  // Fewer than k are larger. A comparison with NaN is never true, so that it must be left out by itself.
  const among = p.greater(own).cast('int32').sum(-1).less(k);
  return among.logicalAnd(known.logicalAnd(own.equal(own)).squeeze(-1)).cast('float32');
}

/** {@link sparseTopKCategoricalAccuracy} for one-hot targets. */
export function topKCategoricalAccuracy(yTrue: TensorLike, yPred: TensorLike, k = 5): Tensor {
  checkValue('topKCategoricalAccuracy', 'k', k, RULES.k);
  const [t, p] = alignTargets(yTrue, yPred, 'topKCategoricalAccuracy');
  return sparseTopKCategoricalAccuracy(t.argmax(-1), p, k);
}

/** Share of predictions that equal their target. */
export class Accuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(accuracy, options, { className: 'Accuracy', direction: 'up' });
  }
}

/** Share of predictions on the right side of `threshold` (0.5). */
export class BinaryAccuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions & { readonly threshold?: number } = {}) {
    super((t, p) => binaryAccuracy(t, p, options?.threshold), options, {
      className: 'BinaryAccuracy',
      direction: 'up',
      defaults: { threshold: 0.5 },
    });
  }
}

/** Share of samples whose most likely class is the target's, targets one-hot. */
export class CategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(categoricalAccuracy, options, { className: 'CategoricalAccuracy', direction: 'up' });
  }
}

/** Share of samples whose most likely class is the target, targets are indices. */
export class SparseCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions = {}) {
    super(sparseCategoricalAccuracy, options, { className: 'SparseCategoricalAccuracy', direction: 'up' });
  }
}

/** Share of samples whose target is among the `k` (5) most likely classes, targets one-hot. */
export class TopKCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions & { readonly k?: number } = {}) {
    super((t, p) => topKCategoricalAccuracy(t, p, options?.k), options, {
      className: 'TopKCategoricalAccuracy',
      direction: 'up',
      defaults: { k: 5 },
    });
  }
}

/** Share of samples whose target is among the `k` (5) most likely classes, targets are indices. */
export class SparseTopKCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: MetricOptions & SparseTopKOptions = {}) {
    const { k, fromSortedIds } = options ?? {};
    super((t, p) => sparseTopKCategoricalAccuracy(t, p, given({ k, fromSortedIds })), options, {
      className: 'SparseTopKCategoricalAccuracy',
      direction: 'up',
      defaults: { k: 5, fromSortedIds: false },
    });
  }
}
