import { guard } from '@recurra/compiler/extend';
import { type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { alignTargets, asTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';

/** Labels -1 and 1, from labels that are all 0 or 1. */
function signedLabels(t: Tensor): Tensor {
  const binary = t.equal(0).logicalOr(t.equal(1)).all();
  return binary.select(t.mul(2).sub(1), t);
}

/** max(1 - y p, 0), labels as -1 and 1. */
function margins(yTrue: TensorLike, yPred: TensorLike, what: string): Tensor {
  const targets = asTargets(yTrue, what);
  guard(targets, (data) => {
    for (const label of data)
      if (label !== 0 && label !== 1 && label !== -1)
        throw new ValueError(
          `${what}: expected targets -1 and 1 (or 0 and 1), received ${label}. One-hot targets of more classes need categoricalHinge.`,
        );
  });
  const [t, p] = alignTargets(targets, yPred, what);
  return signedLabels(t).mul(p).neg().add(1).maximum(0);
}

/**
 * mean(max(1 - y p, 0)) over the last axis, y -1 or 1 (0 / 1 labels are turned into them). Throws `ShapeError` where the shapes differ,
 * `ValueError` for other labels.
 */
export function hinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  return margins(yTrue, yPred, 'hinge').mean(-1);
}

/**
 * mean(max(1 - y p, 0)^2) over the last axis, y -1 or 1 (0 / 1 labels are turned into them). Throws `ShapeError` where the shapes differ,
 * `ValueError` for other labels.
 */
export function squaredHinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  return margins(yTrue, yPred, 'squaredHinge').square().mean(-1);
}

/** max(max((1 - y) p) - sum(y p) + 1, 0) over the last axis, y one-hot. Throws `ShapeError` where the shapes differ. */
export function categoricalHinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'categoricalHinge');
  return t.neg().add(1).mul(p).max(-1).sub(t.mul(p).sum(-1)).add(1).maximum(0);
}

/** Keras `Hinge`: {@link hinge}, reduced. */
export class Hinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('Hinge', hinge, options);
  }
}

/** Keras `SquaredHinge`: {@link squaredHinge}, reduced. */
export class SquaredHinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('SquaredHinge', squaredHinge, options);
  }
}

/** Keras `CategoricalHinge`: {@link categoricalHinge}, reduced. */
export class CategoricalHinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('CategoricalHinge', categoricalHinge, options);
  }
}
