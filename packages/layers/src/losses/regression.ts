import type { Tensor, TensorLike } from '@recurra/tensor';
import { checkValue, EPSILON } from '@recurra/tensor/extend';
import { unit } from '../internal/unit.js';
import { alignTargets } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { RULES } from './options.js';

/** mean((y - p)^2) over the last axis. Throws `ShapeError` where the shapes differ. */
export function meanSquaredError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'meanSquaredError');
  return p.sub(t).square().mean(-1);
}

/** mean(|y - p|) over the last axis. Throws `ShapeError` where the shapes differ. */
export function meanAbsoluteError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'meanAbsoluteError');
  return p.sub(t).abs().mean(-1);
}

/**
 * Squared within `delta` of the target, linear beyond: mean over the last axis of e^2 / 2 or delta (|e| - delta / 2). Huber 1964. Throws
 * `ShapeError` where the shapes differ.
 */
export function huber(yTrue: TensorLike, yPred: TensorLike, delta = 1): Tensor {
  checkValue('huber', 'delta', delta, RULES.delta);
  const [t, p] = alignTargets(yTrue, yPred, 'huber');
  const size = p.sub(t).abs();
  // q = min(|e|, delta) and the rest: e^2 of a huge error would be infinite, and its gradient not a number, where the line is taken.
  const inner = size.minimum(delta);
  return inner.square().mul(0.5).add(size.sub(inner).mul(delta)).mean(-1);
}

/** 100 * mean(|(y - p) / y|) over the last axis; |y| at least 1e-7. Throws `ShapeError` where the shapes differ. */
export function meanAbsolutePercentageError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'meanAbsolutePercentageError');
  return t.sub(p).div(t.abs().maximum(EPSILON)).abs().mean(-1).mul(100);
}

/** mean((log(1 + y) - log(1 + p))^2) over the last axis; both at least 1e-7. Throws `ShapeError` where the shapes differ. */
export function meanSquaredLogarithmicError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'meanSquaredLogarithmicError');
  return p.maximum(EPSILON).add(1).log().sub(t.maximum(EPSILON).add(1).log()).square().mean(-1);
}

/**
 * The cosine of the angle between y and p along `axis`: sum(y p) / (|y| |p|), lengths at least 1e-7. Zeros have no direction: 0. Throws
 * `ShapeError` where the shapes differ.
 */
export function cosineSimilarity(yTrue: TensorLike, yPred: TensorLike, axis = -1): Tensor {
  checkValue('cosineSimilarity', 'axis', axis, RULES.axis);
  const [t, p] = alignTargets(yTrue, yPred, 'cosineSimilarity');
  return unit(t, axis, EPSILON)
    .mul(unit(p, axis, EPSILON))
    .sum(axis);
}

/**
 * mean(log(cosh(p - y))) over the last axis: squared for small errors, linear for large ones, as |e| + log(1 + exp(-2 |e|)) - log 2. Throws
 * `ShapeError` where the shapes differ.
 */
export function logCosh(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = alignTargets(yTrue, yPred, 'logCosh');
  const size = p.sub(t).abs();
  return size.add(size.mul(-2).softplus()).sub(Math.LN2).mean(-1);
}

/** Keras `MeanSquaredError`: {@link meanSquaredError}, reduced. */
export class MeanSquaredError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('MeanSquaredError', meanSquaredError, options);
  }
}

/** Keras `MeanAbsoluteError`: {@link meanAbsoluteError}, reduced. */
export class MeanAbsoluteError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('MeanAbsoluteError', meanAbsoluteError, options);
  }
}

/** Keras `MeanAbsolutePercentageError`: {@link meanAbsolutePercentageError}, reduced. */
export class MeanAbsolutePercentageError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('MeanAbsolutePercentageError', meanAbsolutePercentageError, options);
  }
}

/** Keras `MeanSquaredLogarithmicError`: {@link meanSquaredLogarithmicError}, reduced. */
export class MeanSquaredLogarithmicError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('MeanSquaredLogarithmicError', meanSquaredLogarithmicError, options);
  }
}

/** Keras `LogCosh`: {@link logCosh}, reduced. */
export class LogCosh extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('LogCosh', logCosh, options);
  }
}

/** Keras `Huber`: {@link huber} with `delta` 1, reduced. */
export class Huber extends FunctionLoss {
  constructor(options: LossOptions & { readonly delta?: number } = {}) {
    super(
      'Huber',
      (t, p, { delta }: { readonly delta: number }) => huber(t, p, delta),
      options,
      { delta: 1 },
      'huberLoss',
    );
  }
}

/** Keras `CosineSimilarity`: minus {@link cosineSimilarity} along `axis` (-1), reduced; -1 where directions agree. */
export class CosineSimilarity extends FunctionLoss {
  protected override readonly folded: number;

  constructor(options: LossOptions & { readonly axis?: number } = {}) {
    super(
      'CosineSimilarity',
      (t, p, { axis }: { readonly axis: number }) => cosineSimilarity(t, p, axis).neg(),
      options,
      { axis: -1 },
    );
    this.folded = options.axis ?? -1;
  }
}
