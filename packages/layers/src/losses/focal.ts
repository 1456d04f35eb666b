import {
  binaryCrossentropy as binaryOp,
  oneHot,
  softmax,
  sum,
  type Tensor,
  type TensorLike,
  where,
} from '@recurra/tensor';
import { checkRules, checkValue, EPSILON } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';
import { asPredictions, asTargets, classIndices } from './alignment.js';
import {
  binaryTargets,
  CROSSENTROPY_DEFAULTS,
  type CrossentropyFunctionOptions,
  categoricalTargets,
  checkLabels,
} from './crossentropy.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { RULES, rulesOf } from './options.js';

/** Options of the focal cross-entropies. */
export interface FocalOptions extends CrossentropyFunctionOptions {
  /** How much the easy ones count less: (1 - p)^gamma; 2. With 0 all count alike. */
  readonly gamma?: number;
  /** A weight of the classes: of class 1 against class 0 (binary, with `applyClassBalancing`), of all of them (categorical); 0.25. */
  readonly alpha?: number;
}

/** Options of the binary focal cross-entropy. */
export interface BinaryFocalOptions extends FocalOptions {
  /** Weigh class 1 by `alpha`, class 0 by 1 - alpha; false. */
  readonly applyClassBalancing?: boolean;
}

const CATEGORICAL = rulesOf('gamma', 'alpha', 'fromLogits', 'labelSmoothing', 'axis');
const BINARY = { ...CATEGORICAL, ...rulesOf('applyClassBalancing') };

/** base^gamma for base >= 0, whose gradient is a number at 0 too. */
function focus(base: Tensor, gamma: number): Tensor | null {
  if (gamma === 0) return null;
  return (gamma < 1 ? base.maximum(EPSILON) : base).pow(gamma);
}

/**
 * The binary cross-entropy, times (1 - p)^gamma of the true class: what is already right counts less. Mean over `axis`. Lin et al. 2017.
 * Throws `ShapeError` where the shapes differ, `ValueError` for targets outside of 0..1.
 */
export function binaryFocalCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: BinaryFocalOptions = {},
): Tensor {
  const what = 'binaryFocalCrossentropy';
  checkRules(what, options, BINARY);
  const { gamma = 2, alpha = 0.25, applyClassBalancing = false, fromLogits = false } = options;
  const { labelSmoothing = 0, axis = -1 } = options;
  const [t, given] = binaryTargets(yTrue, yPred, labelSmoothing, what);
  const p = fromLogits ? given.sigmoid() : given;
  let loss = binaryOp(t, p);
  const wrong = t
    .mul(p)
    .add(t.neg().add(1).mul(p.neg().add(1)))
    .neg()
    .add(1);
  const factor = focus(wrong, gamma);
  if (factor) loss = factor.mul(loss);
  if (applyClassBalancing)
    loss = t
      .mul(alpha)
      .add(
        t
          .neg()
          .add(1)
          .mul(1 - alpha),
      )
      .mul(loss);
  return loss.mean(axis);
}

/**
 * -alpha sum((1 - p)^gamma y log p) over the classes (`axis`), y one-hot or soft; p normalised and clipped. Lin et al. 2017. Throws
 * `ShapeError` where the shapes differ and for a single class.
 */
export function categoricalFocalCrossentropy(yTrue: TensorLike, yPred: TensorLike, options: FocalOptions = {}): Tensor {
  const what = 'categoricalFocalCrossentropy';
  checkRules(what, options, CATEGORICAL);
  const { gamma = 2, alpha = 0.25, fromLogits = false, labelSmoothing = 0, axis = -1 } = options;
  const [t, given] = categoricalTargets(yTrue, yPred, labelSmoothing, axis, what);
  const scores = fromLogits ? softmax(given, axis) : given;
  const p = scores.divideNoNan(sum(scores, axis, { keepDims: true })).clip(EPSILON, 1 - EPSILON);
  const loss = t.mul(p.log()).neg();
  const factor = focus(p.neg().add(1), gamma);
  return (factor ? factor.mul(loss) : loss).sum(axis).mul(alpha);
}

/**
 * (1 - p[y]^q) / q for class indices y: between cross-entropy (q to 0) and mean absolute error (q to 1), for labels that are partly wrong.
 * Zhang & Sabuncu 2018. Throws `ShapeError` for targets of another shape, `ValueError` unless 0 < q < 1 and for labels that are no class
 * indices.
 */
export function categoricalGeneralizedCrossEntropy(yTrue: TensorLike, yPred: TensorLike, q = 0.5): Tensor {
  const what = 'categoricalGeneralizedCrossEntropy';
  checkValue(what, 'q', q, RULES.q);
  const p = floating(asPredictions(yPred, what));
  const labels = asTargets(yTrue, what);
  const index = classIndices(labels, p, what);
  const classes = p.shape[p.rank - 1]!;
  checkLabels(labels, classes, what);
  const own = oneHot(index, classes).cast(p.dtype).mul(p).sum(-1);
  // The power has an infinite slope at 0. Behind a softmax it is multiplied by p and vanishes: 0 is its limit.
  const positive = own.greater(0);
  const power = where(positive, where(positive, own, 1).pow(q), 0);
  return power.neg().add(1).div(q);
}

/** Keras `BinaryFocalCrossentropy`: {@link binaryFocalCrossentropy}, reduced. */
export class BinaryFocalCrossentropy extends FunctionLoss {
  protected override readonly folded: number;

  constructor(options: LossOptions & BinaryFocalOptions = {}) {
    super('BinaryFocalCrossentropy', binaryFocalCrossentropy, options, {
      ...CROSSENTROPY_DEFAULTS,
      applyClassBalancing: false,
      alpha: 0.25,
      gamma: 2,
    });
    this.folded = options.axis ?? -1;
  }
}

/** Keras `CategoricalFocalCrossentropy`: {@link categoricalFocalCrossentropy}, reduced. Targets one-hot. */
export class CategoricalFocalCrossentropy extends FunctionLoss {
  protected override readonly folded: number;

  constructor(options: LossOptions & FocalOptions = {}) {
    super('CategoricalFocalCrossentropy', categoricalFocalCrossentropy, options, {
      ...CROSSENTROPY_DEFAULTS,
      alpha: 0.25,
      gamma: 2,
    });
    this.folded = options.axis ?? -1;
  }
}

/** Keras `CategoricalGeneralizedCrossEntropy`: {@link categoricalGeneralizedCrossEntropy}, reduced. Targets are class indices. */
export class CategoricalGeneralizedCrossEntropy extends FunctionLoss {
  constructor(options: LossOptions & { readonly q?: number } = {}) {
    super(
      'CategoricalGeneralizedCrossEntropy',
      (t, p, { q }: { readonly q: number }) => categoricalGeneralizedCrossEntropy(t, p, q),
      options,
      { q: 0.5 },
    );
  }
}
