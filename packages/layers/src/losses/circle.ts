import { eye, logsumexp, ShapeError, type Tensor, type TensorLike, where } from '@recurra/tensor';
import { asTensor, checkRules, formatShape } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';
import { asPredictions, asTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { rulesOf } from './options.js';

/** Options of {@link circle}. */
export interface CircleOptions {
  /** The scale of the similarities; 80. */
  readonly gamma?: number;
  /** How far positive pairs may stay from 1, negative ones must stay from it; 0.4. */
  readonly margin?: number;
  /** Leave out the pairs of a sample with itself; true. */
  readonly removeDiagonal?: boolean;
}

const CIRCLE = rulesOf('gamma', 'margin', 'removeDiagonal');

/** Stands for minus infinity where its sum and its gradient must be numbers. */
const NOTHING = -1e30;

/**
 * Pulls embeddings of one class together and pushes those of others apart: log(1 + sum exp(positive pairs) sum exp(negative pairs)), each
 * pair weighed by how far it is from where it should be. Sun et al. 2020. Labels [n] (or [n, 1]) are class indices, predictions [n, features]
 * embeddings of length 1. A sample without a positive or without a negative partner loses 0.
 *
 * @param reference labels and embeddings to compare with; by default the batch itself
 */
export function circle(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: CircleOptions = {},
  reference: { readonly labels: TensorLike; readonly embeddings: TensorLike } | null = null,
): Tensor {
  checkRules('circle', options, CIRCLE);
  const { gamma = 80, margin = 0.4, removeDiagonal = true } = options;
  const p = floating(asPredictions(yPred, 'circle'));
  const column = (labels: TensorLike, embeddings: Tensor): Tensor => {
    const t = asTargets(labels, 'circle');
    if (embeddings.rank !== 2 || t.size !== embeddings.shape[0] || t.rank > 2)
      throw new ShapeError(
        `circle: expected embeddings [n, features] and one class index each, [n] or [n, 1], received ${formatShape(embeddings.shape)} and ${formatShape(t.shape)}`,
      );
    return t.cast('int32').reshape([-1, 1]);
  };
  const labels = column(yTrue, p);
  const others = reference ? floating(asTensor(reference.embeddings)) : p;
  const otherLabels = reference ? column(reference.labels, others) : labels;

  const distance = p.matmul(others.transpose()).neg().add(1).maximum(0);
  const same = labels.equal(otherLabels.transpose());
  const itself = eye(labels.shape[0]!, otherLabels.shape[0]!).notEqual(0);
  const positive = removeDiagonal ? same.logicalAnd(itself.logicalNot()) : same;
  const negative = same.logicalNot();
  // Weights of pairs: the distance from their optimum, never below 0.
  const positiveWeight = distance.add(margin).maximum(0);
  const negativeWeight = distance
    .neg()
    .add(1 + margin)
    .maximum(0);
  const pull = positiveWeight.mul(distance.neg().add(margin)).mul(-gamma);
  const push = negativeWeight.mul(distance.neg().add(1 - margin)).mul(gamma);
  const over = (pairs: Tensor, which: Tensor): Tensor => logsumexp(where(which, pairs, NOTHING), 1);
  return over(pull, positive).add(over(push, negative)).softplus();
}

/** Keras `Circle`: {@link circle}, reduced over the samples that lose more than 0. */
export class Circle extends FunctionLoss {
  constructor(options: LossOptions & CircleOptions = {}) {
    super('Circle', circle, options, { gamma: 80, margin: 0.4, removeDiagonal: true });
  }

  protected override labelMask(_yTrue: Tensor, _yPred: Tensor, values: Tensor): Tensor {
    return values.greater(0);
  }
}
