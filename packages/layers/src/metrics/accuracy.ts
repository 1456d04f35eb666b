import { inTopK, type Tensor, ValueError } from '@recurra/tensor';
import { alignRanks, classIndices } from '../losses.js';
import { MeanMetricWrapper } from './metric.js';

/** 1 where prediction = target. */
export function accuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  const [t, p] = alignRanks(yTrue.cast(yPred.dtype), yPred);
  return t.equal(p).cast('float32');
}

/** 1 where the prediction is on the target's side of the threshold. */
export function binaryAccuracy(yTrue: Tensor, yPred: Tensor, threshold = 0.5): Tensor {
  const [t, p] = alignRanks(yTrue, yPred);
  return t.cast('float32').equal(p.greater(threshold).cast('float32')).cast('float32');
}

/** 1 where the largest prediction (last axis) stands where the largest target does. */
export function categoricalAccuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  return yTrue.argMax(-1).equal(yPred.argMax(-1)).cast('float32');
}

/** 1 where the largest prediction stands at the target's index. */
export function sparseCategoricalAccuracy(yTrue: Tensor, yPred: Tensor): Tensor {
  return classIndices(yTrue, yPred).equal(yPred.argMax(-1)).cast('float32');
}

/** 1 where the target's index is among the k largest predictions. */
export function sparseTopKCategoricalAccuracy(yTrue: Tensor, yPred: Tensor, k = 5): Tensor {
  const t = yTrue.cast('int32');
  const classes = yPred.shape[yPred.rank - 1]!;
  if (yPred.rank < 2)
    throw new ValueError(`topK accuracy: expected predictions [..., classes], received rank ${yPred.rank}`);
  return inTopK(t.flatten(), yPred.reshape([-1, classes]), k)
    .cast('float32')
    .reshape(t.shape);
}

/** {@link sparseTopKCategoricalAccuracy} for one-hot targets. */
export function topKCategoricalAccuracy(yTrue: Tensor, yPred: Tensor, k = 5): Tensor {
  return sparseTopKCategoricalAccuracy(yTrue.argMax(-1), yPred, k);
}

interface Named {
  readonly name?: string;
}

/** Share of predictions that equal their target. */
export class Accuracy extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(accuracy, { name: options.name ?? 'accuracy' });
  }
}
/** Share of predictions on the right side of `threshold` (0.5). */
export class BinaryAccuracy extends MeanMetricWrapper {
  constructor(options: Named & { readonly threshold?: number } = {}) {
    super((t, p) => binaryAccuracy(t, p, options.threshold), { name: options.name ?? 'binaryAccuracy' });
  }
}
/** Share of samples whose most likely class is the target's, targets one-hot. */
export class CategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(categoricalAccuracy, { name: options.name ?? 'categoricalAccuracy' });
  }
}
/** Share of samples whose most likely class is the target, targets are indices. */
export class SparseCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: Named = {}) {
    super(sparseCategoricalAccuracy, { name: options.name ?? 'sparseCategoricalAccuracy' });
  }
}
/** Share of samples whose target is among the `k` (5) most likely classes, targets one-hot. */
export class TopKCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: Named & { readonly k?: number } = {}) {
    super((t, p) => topKCategoricalAccuracy(t, p, options.k), { name: options.name ?? 'topKCategoricalAccuracy' });
  }
}
/** Share of samples whose target is among the `k` (5) most likely classes, targets are indices. */
export class SparseTopKCategoricalAccuracy extends MeanMetricWrapper {
  constructor(options: Named & { readonly k?: number } = {}) {
    super((t, p) => sparseTopKCategoricalAccuracy(t, p, options.k), {
      name: options.name ?? 'sparseTopKCategoricalAccuracy',
    });
  }
}
