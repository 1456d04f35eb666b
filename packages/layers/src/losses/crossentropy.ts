import { guard } from '@recurra/compiler/extend';
import {
  binaryCrossentropy as binaryOp,
  categoricalCrossentropy as categoricalOp,
  ShapeError,
  sparseCategoricalCrossentropy as sparseOp,
  type Tensor,
  type TensorLike,
  ValueError,
  where,
} from '@recurra/tensor';
import { checkRules } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';
import { alignTargets, asPredictions, asTargets, classIndices } from './alignment.js';
import { FunctionLoss, type LossOptions } from './loss.js';
import { rulesOf } from './options.js';

/** Options of the cross-entropy functions. */
export interface CrossentropyFunctionOptions {
  /** Are the predictions scores before sigmoid / softmax? false. */
  readonly fromLogits?: boolean;
  /** Moves the targets by this share towards uniform; 0. */
  readonly labelSmoothing?: number;
  /** The axis of the classes (binary: that is averaged); -1. */
  readonly axis?: number;
}

/** Options of the cross-entropies as losses. */
export interface CrossentropyLossOptions extends LossOptions, CrossentropyFunctionOptions {}

/** Defaults of {@link CrossentropyFunctionOptions}. */
export const CROSSENTROPY_DEFAULTS = { fromLogits: false, labelSmoothing: 0, axis: -1 } as const;

const CROSSENTROPY = rulesOf('fromLogits', 'labelSmoothing', 'axis');
const SPARSE = rulesOf('fromLogits', 'ignoreClass', 'axis');

/** Binary targets and predictions in one shape, the targets smoothed. Throws `ValueError` for targets outside of 0..1. */
export function binaryTargets(
  yTrue: TensorLike,
  yPred: TensorLike,
  labelSmoothing: number,
  what: string,
): [Tensor, Tensor] {
  const targets = asTargets(yTrue, what);
  guard(targets, (data) => {
    for (const label of data)
      if (!(label >= 0 && label <= 1))
        throw new ValueError(
          `${what}: expected targets in 0..1, received ${label}. Class indices of more than two classes need sparseCategoricalCrossentropy and one unit a class; labels -1 and 1 need hinge, or become 0 and 1.`,
        );
  });
  const [t, p] = alignTargets(targets, yPred, what);
  return [labelSmoothing === 0 ? t : t.mul(1 - labelSmoothing).add(0.5 * labelSmoothing), p];
}

/** Distributions over classes as targets, smoothed, and predictions of their shape. Throws `ShapeError` for a single class. */
export function categoricalTargets(
  yTrue: TensorLike,
  yPred: TensorLike,
  labelSmoothing: number,
  axis: number,
  what: string,
): [Tensor, Tensor] {
  const [t, p] = alignTargets(yTrue, yPred, what);
  const classes = t.shape[axis < 0 ? axis + t.rank : axis] ?? 1;
  if (classes === 1)
    throw new ShapeError(
      `${what}: expected predictions of at least 2 classes along axis ${axis}, received 1, for which the loss is always 0. One unit needs binaryCrossentropy.`,
    );
  return [labelSmoothing === 0 ? t : t.mul(1 - labelSmoothing).add(labelSmoothing / classes), p];
}

/**
 * -(y log p + (1 - y) log(1 - p)), mean over `axis`; p clipped to [1e-7, 1 - 1e-7]. Throws `ShapeError` where the shapes differ, `ValueError`
 * for targets outside of 0..1.
 */
export function binaryCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: CrossentropyFunctionOptions = {},
): Tensor {
  checkRules('binaryCrossentropy', options, CROSSENTROPY);
  const { fromLogits = false, labelSmoothing = 0, axis = -1 } = options;
  const [t, p] = binaryTargets(yTrue, yPred, labelSmoothing, 'binaryCrossentropy');
  return binaryOp(t, p, { fromLogits }).mean(axis);
}

/**
 * -sum(y log p) over the classes (`axis`), for one-hot or soft targets; p normalised and clipped. Throws `ShapeError` where the shapes differ
 * and for a single class.
 */
export function categoricalCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: CrossentropyFunctionOptions = {},
): Tensor {
  checkRules('categoricalCrossentropy', options, CROSSENTROPY);
  const { fromLogits = false, labelSmoothing = 0, axis = -1 } = options;
  const [t, p] = categoricalTargets(yTrue, yPred, labelSmoothing, axis, 'categoricalCrossentropy');
  return categoricalOp(t, p, { fromLogits, axis });
}

/** Throws `ValueError` for a label that is no class index: it would count as no class at all. */
export function checkLabels(labels: Tensor, classes: number, what: string, ignoreClass: number | null = null): void {
  guard(labels, (data) => {
    for (const label of data)
      if (label !== ignoreClass && !(Number.isInteger(label) && label >= 0 && label < classes))
        throw new ValueError(
          `${what}: expected labels that are class indices in 0..${classes - 1}, received ${label}. The last layer needs one unit a class.`,
        );
  });
}

/** Options of the sparse cross-entropy. */
export interface SparseCrossentropyOptions {
  /** Are the predictions scores before softmax? false. */
  readonly fromLogits?: boolean;
  /** Labels of this class lose nothing; `null`: all count. */
  readonly ignoreClass?: number | null;
  /** The axis of the classes; -1. */
  readonly axis?: number;
}

/**
 * -log p[y], for class indices y; with `ignoreClass`, labels of that class lose nothing. Throws `ShapeError` for targets of another shape,
 * `ValueError` for labels that are no class indices.
 */
export function sparseCategoricalCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: SparseCrossentropyOptions = {},
): Tensor {
  const what = 'sparseCategoricalCrossentropy';
  checkRules(what, options, SPARSE);
  const { fromLogits = false, ignoreClass = null, axis = -1 } = options;
  const p = floating(asPredictions(yPred, what));
  const labels = asTargets(yTrue, what);
  const t = classIndices(labels, p, what, axis);
  checkLabels(labels, p.shape[axis < 0 ? axis + p.rank : axis]!, what, ignoreClass);
  if (ignoreClass === null) return sparseOp(t, p, { fromLogits, axis });
  const valid = t.notEqual(ignoreClass);
  // Predictions of ignored labels may be anything, also NaN.
  const loss = sparseOp(where(valid, t, 0), where(valid.expandDims(axis), p, 0), { fromLogits, axis });
  return where(valid, loss, 0);
}

/** Keras `BinaryCrossentropy`: {@link binaryCrossentropy}, reduced. Targets 0 / 1, predictions of a sigmoid. */
export class BinaryCrossentropy extends FunctionLoss {
  protected override readonly folded: number;

  constructor(options: CrossentropyLossOptions = {}) {
    super('BinaryCrossentropy', binaryCrossentropy, options, CROSSENTROPY_DEFAULTS);
    this.folded = options.axis ?? -1;
  }
}

/** Keras `CategoricalCrossentropy`: {@link categoricalCrossentropy}, reduced. Targets one-hot. */
export class CategoricalCrossentropy extends FunctionLoss {
  protected override readonly folded: number;

  constructor(options: CrossentropyLossOptions = {}) {
    super('CategoricalCrossentropy', categoricalCrossentropy, options, CROSSENTROPY_DEFAULTS);
    this.folded = options.axis ?? -1;
  }
}

/** Keras `SparseCategoricalCrossentropy`: {@link sparseCategoricalCrossentropy}, reduced. Targets are class indices. */
export class SparseCategoricalCrossentropy extends FunctionLoss {
  protected override readonly folded: number;
  private readonly ignoreClass: number | null;

  constructor(options: LossOptions & SparseCrossentropyOptions = {}) {
    super('SparseCategoricalCrossentropy', sparseCategoricalCrossentropy, options, {
      fromLogits: false,
      ignoreClass: null,
      axis: -1,
    });
    this.folded = options.axis ?? -1;
    this.ignoreClass = options.ignoreClass ?? null;
  }

  protected override labelMask(yTrue: Tensor, yPred: Tensor): Tensor | null {
    if (this.ignoreClass === null) return null;
    return classIndices(yTrue, yPred, this.className, this.folded).notEqual(this.ignoreClass);
  }
}
