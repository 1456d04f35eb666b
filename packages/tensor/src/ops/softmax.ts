import { DTypeError, ShapeError } from '../errors.js';
import { logSoftmaxRows, normalizeRows, softmaxRows } from '../primitives/rows.js';
import { checkRules, flag, integer, notNegative, type Rules } from '../rules.js';
import { type Axes, formatShape, normalizeAxis } from '../shape.js';
import { asTensor, bind, expectFloating, type Tensor, type TensorLike } from '../tensor.js';
import { stopGradient } from './elementwise.js';
import { checkIds } from './indices.js';
import { logsumexp } from './reduction.js';
import { isClass } from './sorting.js';

/** e^x / sum(e^x) over an axis (or several), without overflow. */
export function softmax(x: TensorLike, axis: Axes = -1): Tensor {
  const t = asTensor(x);
  expectFloating(t, 'softmax');
  const last = oneAxis(t, axis);
  if (last !== null) return along(t, last, (rows) => bind(softmaxRows, [rows], null)[0]!);
  const e = t.sub(stopGradient(t.max(axis, { keepDims: true }))).exp();
  return e.div(e.sum(axis, { keepDims: true }));
}

/** log(softmax(x)), computed as x - logsumexp(x). */
export function logSoftmax(x: TensorLike, axis: Axes = -1): Tensor {
  const t = asTensor(x);
  expectFloating(t, 'logSoftmax');
  const last = oneAxis(t, axis);
  if (last !== null) return along(t, last, (rows) => bind(logSoftmaxRows, [rows], null)[0]!);
  const shifted = t.sub(stopGradient(t.max(axis, { keepDims: true })));
  return shifted.sub(logsumexp(shifted, axis, { keepDims: true }));
}

const NORMALIZATION = { axis: integer, epsilon: notNegative };

/**
 * gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance over an axis; `epsilon` 1e-3 (Keras). gamma and beta [size of
 * that axis], 1 and 0 where absent. Ba et al. 2016. Throws `ShapeError` where they have another size.
 */
export function layerNormalization(
  x: TensorLike,
  gamma: TensorLike | null = null,
  beta: TensorLike | null = null,
  options: { readonly axis?: number; readonly epsilon?: number } = {},
): Tensor {
  checkRules('layerNormalization', options, NORMALIZATION);
  const { axis = -1, epsilon = 1e-3 } = options;
  const t = asTensor(x);
  expectFloating(t, 'layerNormalization');
  const a = normalizeAxis(axis, t.rank, 'layerNormalization');
  const size = t.shape[a]!;
  const side = (value: TensorLike, name: string): Tensor => {
    const v = asTensor(value);
    if (v.rank !== 1 || v.shape[0] !== size)
      throw new ShapeError(
        `layerNormalization: expected ${name} of shape [${size}], received ${formatShape(v.shape)} for ${formatShape(t.shape)} along axis ${axis}`,
      );
    return v;
  };
  return along(t, a, (rows) => {
    let y = bind(normalizeRows, [rows], { epsilon })[0]!;
    if (gamma !== null) y = y.mul(side(gamma, 'gamma'));
    if (beta !== null) y = y.add(side(beta, 'beta'));
    return y;
  });
}

/** The axis, if it is one (and the tensor has any); `null` for several. */
function oneAxis(t: Tensor, axis: Axes): number | null {
  if (axis === null || axis === undefined || t.rank === 0) return null;
  if (typeof axis === 'number') return normalizeAxis(axis, t.rank, 'softmax');
  return axis.length === 1 ? normalizeAxis(axis[0]!, t.rank, 'softmax') : null;
}

/** A function of rows along any axis. */
function along(t: Tensor, axis: number, f: (rows: Tensor) => Tensor): Tensor {
  if (axis === t.rank - 1) return f(t);
  return f(t.moveaxis(axis, -1)).moveaxis(-1, axis);
}

/** Keras' epsilon: probabilities are kept this far from 0 and 1 before a logarithm. */
export const EPSILON = 1e-7;

/** Options of the cross-entropies: are the outputs scores before softmax / sigmoid? */
export interface CrossentropyOptions {
  readonly fromLogits?: boolean;
  readonly axis?: number;
}

const CROSSENTROPY = { fromLogits: flag, axis: integer } satisfies Rules<CrossentropyOptions>;

/**
 * -sum(target * log(output)) over `axis`, for target distributions. Probabilities are first normalised to sum 1 and clipped
 * to [1e-7, 1 - 1e-7] (Keras; where all are 0, which has no sum of 1, they stay so: Keras gives NaN). Throws `ShapeError` unless the shapes agree.
 */
export function categoricalCrossentropy(
  target: TensorLike,
  output: TensorLike,
  options: CrossentropyOptions = {},
): Tensor {
  checkRules('categoricalCrossentropy', options, CROSSENTROPY);
  const { fromLogits = false, axis = -1 } = options;
  const y = asTensor(output);
  const t = asTensor(target).cast(y.dtype);
  if (t.rank !== y.rank || t.shape.some((d, i) => d !== y.shape[i]))
    throw new ShapeError(
      `categoricalCrossentropy: expected target and output of one shape, received ${formatShape(t.shape)} and ${formatShape(y.shape)}. For class indices use the sparse one.`,
    );
  const logs = fromLogits
    ? logSoftmax(y, axis)
    : y
        .divideNoNan(y.sum(axis, { keepDims: true }))
        .clip(EPSILON, 1 - EPSILON)
        .log();
  return weighted(t, logs).sum(axis).neg();
}

/** w x, where nothing of what is infinite is nothing: 0 * Infinity = 0. */
function weighted(w: Tensor, x: Tensor): Tensor {
  const gone = w.equal(0).logicalAnd(x.abs().equal(Infinity));
  return w.mul(gone.select(0, x));
}

/**
 * {@link categoricalCrossentropy} for class indices: -log(output[target]); target has the shape of output without `axis`. Throws
 * `ValueError` for a target that is no class index.
 */
export function sparseCategoricalCrossentropy(
  target: TensorLike,
  output: TensorLike,
  options: CrossentropyOptions = {},
): Tensor {
  checkRules('sparseCategoricalCrossentropy', options, CROSSENTROPY);
  const { axis = -1 } = options;
  const y = asTensor(output);
  let index = asTensor(target);
  if (index.rank === y.rank && index.shape[index.rank - 1] === 1) index = index.squeeze(-1);
  if (index.rank !== y.rank - 1)
    throw new ShapeError(
      `sparseCategoricalCrossentropy: expected targets of rank ${y.rank - 1}, received shape ${formatShape(index.shape)} for output ${formatShape(y.shape)}`,
    );
  // As Keras on TensorFlow: probabilities are clipped, and their logarithms normalised (not the probabilities first).
  const logs = logSoftmax(options.fromLogits ? y : y.clip(EPSILON, 1 - EPSILON).log(), axis);
  const classes = y.shape[axis < 0 ? axis + y.rank : axis]!;
  const own = isClass(checkIds(index, classes, 'sparseCategoricalCrossentropy'), classes, axis, 'oneHot');
  // Chosen, not multiplied: a score of -Infinity elsewhere counts for nothing.
  return own.select(logs, 0).sum(axis).neg();
}

const BINARY = { fromLogits: flag };

/**
 * -(t log(y) + (1 - t) log(1 - y)), element by element; probabilities clipped to [1e-7, 1 - 1e-7] (Keras). From logits z:
 * t softplus(-z) + (1 - t) softplus(z), whose gradient is sigmoid(z) - t everywhere.
 */
export function binaryCrossentropy(
  target: TensorLike,
  output: TensorLike,
  options: { fromLogits?: boolean } = {},
): Tensor {
  checkRules('binaryCrossentropy', options, BINARY);
  const y = asTensor(output);
  if (y.dtype === 'int32' || y.dtype === 'bool')
    throw new DTypeError(`binaryCrossentropy: expected floating outputs, received ${y.dtype}`);
  const t = asTensor(target).cast(y.dtype);
  if (t.rank !== y.rank || t.shape.some((d, i) => d !== y.shape[i]))
    throw new ShapeError(
      `binaryCrossentropy: expected target and output of one shape, received ${formatShape(t.shape)} and ${formatShape(y.shape)}`,
    );
  if (options.fromLogits) return weighted(t, y.neg().softplus()).add(weighted(t.neg().add(1), y.softplus()));
  const p = y.clip(EPSILON, 1 - EPSILON);
  return t
    .mul(p.log())
    .add(t.neg().add(1).mul(p.neg().add(1).log()))
    .neg();
}
