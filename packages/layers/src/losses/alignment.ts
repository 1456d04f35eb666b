/**
 * The one rule by which targets, predictions, weights, masks and class weights meet, in every loss, every metric and the training loop:
 *
 * - **Targets** have the predictions' shape. A last axis of size 1 may be missing on either side ([n] for [n, 1]). Nothing else broadcasts.
 * - **Class indices** have the predictions' shape without the class axis; a last axis of size 1 is dropped.
 * - **Weights and masks** begin at the first axis: [n] weighs samples, [n, time] weighs steps, whatever axes the losses have beyond. A size
 *   of 1 after the first axis is stretched, a last axis of size 1 is dropped, a single number scales everything.
 * - **Class weights** become weights of samples [n], or of steps [n, time] where each step has a class.
 *
 * Keras compares from the last axis, as NumPy does: there, targets [8, 1] meet predictions [8, 2], and weights [n] of losses [n, time] land
 * on time where n = time and fail otherwise. Nobody means that; here the first is refused and the second weighs samples.
 */
import { guard } from '@recurra/compiler/extend';
import { type DType, type Shape, ShapeError, Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, formatShape, isFloating, sameShape } from '@recurra/tensor/extend';
import { floating } from '../internal/floating.js';

/**
 * Targets in the rank of the predictions, where they differ by a last axis of size 1: targets [n] become [n, 1], targets [n, time] of
 * predictions [n, time, 1] become [n, time, 1] (so that steps stay steps; Keras folds them). Predictions [n] of targets [n, 1] become [n, 1].
 * Other ranks stay as they are.
 */
export function alignRanks(targets: Tensor, predictions: Tensor): [Tensor, Tensor] {
  if (predictions.rank === targets.rank + 1 && predictions.shape[targets.rank] === 1)
    return [targets.expandDims(-1), predictions];
  if (targets.rank === predictions.rank + 1 && targets.shape[predictions.rank] === 1)
    return predictions.rank === 1 ? [targets, predictions.expandDims(-1)] : [targets.squeeze(-1), predictions];
  return [targets, predictions];
}

/** The first string in nested lists, or `null`. */
function firstString(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  for (const item of value) {
    if (typeof item === 'number') continue;
    const found = firstString(item);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Targets as a tensor. Throws `ValueError`, naming the argument and what turns labels into numbers, where they are strings, and where there
 * are none.
 *
 * @param what who asks, for messages
 * @param argument how the caller calls them: 'targets', 'y'
 */
export function asTargets(value: TensorLike | null | undefined, what: string, argument = 'targets'): Tensor {
  if (value instanceof Tensor) return value;
  if (value === null || value === undefined) throw new ValueError(`${what}: expected ${argument}, received ${value}`);
  const text = firstString(value);
  if (text !== null)
    throw new ValueError(
      `${what}: expected numbers as ${argument}, received the string ${JSON.stringify(text)}. StringLookup of @recurra/preprocessing turns labels into class indices, oneHot turns those into vectors.`,
    );
  return asTensor(value);
}

/** Predictions as a tensor. Throws `ValueError` where there are none. */
export function asPredictions(value: TensorLike | null | undefined, what: string): Tensor {
  return asTargets(value, what, 'predictions');
}

/** Weights that may be absent, as a tensor of `dtype` or `null`. */
function floatingOrNull(value: TensorLike | null | undefined, dtype: DType = 'float32'): Tensor | null {
  return value === null || value === undefined ? null : asTensor(value).cast(dtype);
}

/** Why targets of this shape may have been given for such predictions, and what to do. */
function targetsHint(targets: Shape, predictions: Shape): string {
  const classes = predictions[predictions.length - 1];
  const last = targets[targets.length - 1];
  const indices = sameShape(targets, predictions.slice(0, -1)) || sameShape(targets, [...predictions.slice(0, -1), 1]);
  if (indices && classes !== 1)
    return ' If they are class indices, sparseCategoricalCrossentropy (sparseCategoricalAccuracy) takes them, or oneHot makes vectors of them.';
  if (targets.length === predictions.length && sameShape(targets.slice(0, -1), predictions.slice(0, -1)))
    return ` Give the last layer ${last} unit${last === 1 ? '' : 's'}, or targets of ${classes}.`;
  return '';
}

/**
 * Targets and predictions in one shape and one floating dtype (the predictions'). Throws `ShapeError` unless the shapes are equal or differ
 * by a last axis of size 1, which the other side then gets or loses.
 */
export function alignTargets(yTrue: TensorLike, yPred: TensorLike, what: string): [Tensor, Tensor] {
  const predictions = floating(asPredictions(yPred, what));
  return alignShapes(asTargets(yTrue, what).cast(predictions.dtype), predictions, what);
}

/** {@link alignTargets} in the dtypes that are given. */
export function alignShapes(targets: Tensor, predictions: Tensor, what: string): [Tensor, Tensor] {
  const [t, p] = alignRanks(targets, predictions);
  if (!sameShape(t.shape, p.shape)) {
    const { shape, rank } = predictions;
    const other = rank > 1 && shape[rank - 1] === 1 ? ` or ${formatShape(shape.slice(0, -1))}` : '';
    throw new ShapeError(
      `${what}: expected targets of shape ${formatShape(shape)}${other}, as the predictions, received ${formatShape(targets.shape)}.${targetsHint(targets.shape, shape)}`,
    );
  }
  return [t, p];
}

/**
 * Class indices as int32 of the predictions' shape without the class axis. Throws `ShapeError` for other shapes, naming the loss that takes
 * one-hot targets.
 */
export function classIndices(
  labels: TensorLike,
  predictions: Tensor,
  what = 'sparseCategoricalCrossentropy',
  axis = -1,
): Tensor {
  const given = asTargets(labels, what);
  if (predictions.rank === 0)
    throw new ShapeError(`${what}: expected predictions [..., classes], received a single number`);
  const at = axis < 0 ? axis + predictions.rank : axis;
  const expected = predictions.shape.filter((_, i) => i !== at);
  const classes = predictions.shape[at]!;
  if (isFloating(given.dtype))
    guard(given, (data) => {
      for (const label of data)
        if (!Number.isInteger(label))
          throw new ValueError(`${what}: expected class indices in 0..${classes - 1}, received ${label}`);
    });
  let indices = given.cast('int32');
  if (indices.rank === predictions.rank && indices.shape[at] === 1) indices = indices.squeeze(at);
  if (!sameShape(indices.shape, expected)) {
    const oneHot = sameShape(given.shape, predictions.shape);
    throw new ShapeError(
      `${what}: expected class indices of shape ${formatShape(expected)} for predictions ${formatShape(predictions.shape)}, received ${formatShape(given.shape)}.${oneHot ? ' If they are one-hot, categoricalCrossentropy (categoricalAccuracy) takes them.' : ''}`,
    );
  }
  return indices;
}

/**
 * Weights as a tensor that multiplies values of `shape`: [n] weighs samples, [n, time] steps. Throws `ShapeError` naming the shapes that fit.
 *
 * @param argument how the caller calls them: 'sample weights', 'mask'
 */
export function alignWeights(weights: Tensor, shape: Shape, what: string, argument = 'sample weights'): Tensor {
  if (weights.rank === 0) return weights;
  const w = weights.rank === shape.length + 1 && weights.shape[weights.rank - 1] === 1 ? weights.squeeze(-1) : weights;
  if (w.rank > shape.length || !w.shape.every((size, i) => size === shape[i] || (i > 0 && size === 1))) {
    const prefixes = shape.map((_, i) => formatShape(shape.slice(0, i + 1)));
    const expected =
      shape.length === 0
        ? `a single number, since one value stands for the whole batch (return one a sample to weigh them),`
        : `shape ${prefixes.join(' or ')}`;
    throw new ShapeError(`${what}: expected ${argument} of ${expected} received ${formatShape(weights.shape)}`);
  }
  // As many axes as the values: what is written out keeps its sizes of 1, what is not is the same for all.
  return w.rank === shape.length
    ? w
    : w.reshape([...w.shape, ...new Array<number>(shape.length - w.rank).fill(1)]).broadcastTo(shape);
}

/** What weighs values: given weights, a mask (0 and 1), or both. */
export interface Weighing {
  readonly sampleWeight?: TensorLike | null | undefined;
  readonly mask?: Tensor | null | undefined;
}

/**
 * Weights and mask as one tensor that multiplies `values`, or `null` where there are neither. With `rescale`, what the mask leaves weighs
 * total / left more, so that a mean over all values is the mean over those left (Keras). A mask of a single value for the whole batch says
 * nothing and is dropped.
 */
export function joinWeights(
  { sampleWeight, mask }: Weighing,
  values: { readonly shape: Shape; readonly dtype: DType },
  what: string,
  options: { readonly rescale?: boolean } = {},
): Tensor | null {
  const { shape, dtype } = values;
  const given = floatingOrNull(sampleWeight, dtype);
  const weights = given && alignWeights(given, shape, what);
  if (!mask || shape.length === 0) return weights;
  let factor = alignWeights(mask.cast(dtype), shape, what, 'a mask');
  if (options.rescale) factor = factor.mul(factor.onesLike().sum().divideNoNan(factor.sum()));
  return weights ? weights.mul(factor) : factor;
}

/** Weights of classes: from class indices to numbers >= 0. */
export type ClassWeights = Readonly<Record<number, number>>;

/**
 * The weight of every sample (or step) by its class. Classes without a weight count 1 (Keras).
 *
 * Targets are class indices [n] or [n, 1], or one-hot rows [n, classes], whose largest element tells the class. Targets of sequences need
 * the shape of the predictions to be told from one another: [n, time] or [n, time, 1] for predictions [n, time, classes] or [n, time, 1], and
 * one-hot [n, time, classes]; they give [n, time]. Keras takes [n, time] for one-hot rows.
 *
 * Throws `ShapeError` for other shapes, `ValueError` for weights that are none, for targets that are no whole numbers and for rows without
 * one largest element (several labels at once have no one class). Reads data: for targets that are known, not traced.
 */
export function classWeights(
  yTrue: TensorLike,
  weights: ClassWeights,
  predictionShape: readonly (number | null)[] | null = null,
  what = 'fit',
): Tensor {
  const table = new Map<number, number>();
  for (const [name, weight] of Object.entries(weights)) {
    const index = Number(name);
    if (!Number.isInteger(index) || index < 0 || !(weight >= 0 && weight < Infinity))
      throw new ValueError(
        `${what}: expected classWeight from class indices to weights >= 0, received ${name}: ${weight}`,
      );
    table.set(index, weight);
  }
  const y = asTargets(yTrue, what, 'targets with classWeight');
  const { shape, rank } = y;
  const last = shape[rank - 1] ?? 0;
  const oneHot = predictionShape
    ? rank === predictionShape.length && last > 1 && last === predictionShape[rank - 1]
    : rank === 2 && last > 1;
  const allowed = predictionShape ? Math.max(1, predictionShape.length - 1) : 1;
  // Where there is a single step, the last size of 1 is time.
  const outer = oneHot || (rank > allowed && last === 1) ? shape.slice(0, -1) : shape;
  if (rank === 0 || outer.length !== allowed)
    throw new ShapeError(
      `${what}: expected targets ${predictionShape ? `for predictions [${predictionShape.map((d) => d ?? '?').join(', ')}]` : '[samples] or [samples, classes]'} with classWeight, received ${formatShape(shape)}`,
    );
  const { data } = y;
  const result = new Float32Array(oneHot ? data.length / last : data.length);
  for (let i = 0; i < result.length; i++) {
    const label = oneHot ? largestOf(data, i * last, last, what) : data[i]!;
    if (!Number.isInteger(label) || label < 0)
      throw new ValueError(`${what}: expected class indices as targets with classWeight, received ${label}`);
    result[i] = table.get(label) ?? 1;
  }
  return asTensor(result).reshape(outer);
}

/** Where the one largest of `count` numbers stands. */
function largestOf(data: ArrayLike<number>, start: number, count: number, what: string): number {
  let best = 0;
  let ties = 1;
  for (let k = 1; k < count; k++) {
    const difference = data[start + k]! - data[start + best]!;
    if (difference > 0) {
      best = k;
      ties = 1;
    } else if (difference === 0) ties++;
    else if (Number.isNaN(difference)) ties = 2;
  }
  if (ties > 1)
    throw new ValueError(
      `${what}: expected one-hot targets with classWeight, received the row [${Array.from({ length: Math.min(count, 8) }, (_, k) => data[start + k]).join(', ')}${count > 8 ? ', ...' : ''}], which has no one class. Weigh several labels at once by sampleWeight.`,
    );
  return best;
}
