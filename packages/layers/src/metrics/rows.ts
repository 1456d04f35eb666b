import { ShapeError, type Tensor, type TensorLike } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';
import { alignTargets, joinWeights } from '../losses/alignment.js';
import type { UpdateOptions } from './metric.js';

/** Targets, predictions and weights as rows: samples (or steps) by outputs. */
export interface Rows {
  readonly targets: Tensor;
  readonly predictions: Tensor;
  /** Of the same shape, or `null`. */
  readonly weights: Tensor | null;
}

/**
 * A batch [n, ..., outputs] as rows [n * ..., outputs], in the dtype of the predictions. Throws `ShapeError` for predictions without an
 * axis of outputs, and where shapes do not fit.
 */
export function toRows(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions, what: string): Rows {
  const [t, p] = alignTargets(yTrue, yPred, what);
  if (p.rank < 2)
    throw new ShapeError(`${what}: expected predictions [batch, outputs], received ${formatShape(p.shape)}`);
  const weights = joinWeights(options, p, what)?.broadcastTo(p.shape) ?? null;
  const outputs = p.shape[p.rank - 1]!;
  const rows = (x: Tensor): Tensor => x.reshape([-1, outputs]);
  return { targets: rows(t), predictions: rows(p), weights: weights && rows(weights) };
}
