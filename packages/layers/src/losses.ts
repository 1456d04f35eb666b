import { guard } from '@recurra/compiler';
import {
  asTensor,
  binaryCrossentropy as binaryOp,
  camelCase,
  categoricalCrossentropy as categoricalOp,
  type DType,
  EPSILON,
  formatShape,
  ShapeError,
  type SnakeCase,
  sparseCategoricalCrossentropy as sparseOp,
  type Tensor,
  type TensorLike,
  ValueError,
  where,
} from '@recurra/tensor';

/** How the losses of single samples become one number. */
export type Reduction = 'sumOverBatchSize' | 'sum' | 'mean' | 'meanWithSampleWeight' | 'none';

/** Options of every loss. */
export interface LossOptions {
  /** 'sumOverBatchSize': the mean over all losses, whatever the weights. */
  readonly reduction?: Reduction;
  readonly name?: string;
}

/** Two tensors whose ranks differ by a last axis of size 1, made to agree (Keras' rule). */
export function alignRanks(a: Tensor, b: Tensor, expandRank1 = true): [Tensor, Tensor] {
  const fit = (long: Tensor, short: Tensor): [Tensor, Tensor] => {
    if (long.shape[long.rank - 1] !== 1) return [long, short];
    return short.rank === 1 && expandRank1 ? [long, short.expandDims(-1)] : [long.squeeze(-1), short];
  };
  if (a.rank === b.rank + 1) return fit(a, b);
  if (b.rank === a.rank + 1) {
    const [y, x] = fit(b, a);
    return [x, y];
  }
  return [a, b];
}

/** Weights that may be absent, as a tensor of `dtype` or `null`. */
export function floatingOrNull(value: TensorLike | null | undefined, dtype: DType = 'float32'): Tensor | null {
  return value === null || value === undefined ? null : asTensor(value).cast(dtype);
}

/** Class indices as int32 of the predictions' shape without their last axis (a last axis of size 1 of their own is dropped). */
export function classIndices(labels: Tensor, predictions: Tensor): Tensor {
  const indices = labels.cast('int32');
  return indices.rank === predictions.rank && indices.shape[indices.rank - 1] === 1 ? indices.squeeze(-1) : indices;
}

/** Sample weights joined with a mask: masked samples weigh 0; for means the others weigh more, so that the mean is theirs. */
export function maskedWeights(weights: Tensor | null, mask: Tensor | null, reduction: Reduction): Tensor | null {
  if (!mask) return weights;
  let factor = mask.cast('float32');
  if (reduction === 'mean' || reduction === 'sumOverBatchSize')
    factor = factor.mul(factor.onesLike().sum().divideNoNan(factor.sum()));
  if (!weights) return factor;
  const [f, w] = alignRanks(factor, weights);
  return w.mul(f);
}

/**
 * The distance between predictions and targets. `call` gives one number per sample; `apply` weighs and reduces them.
 */
export abstract class Loss {
  readonly name: string;
  readonly reduction: Reduction;

  constructor(name: string, options: LossOptions) {
    this.name = options.name ?? name;
    const reduction = camelCase(options.reduction ?? 'sumOverBatchSize') as Reduction;
    if (!['sumOverBatchSize', 'sum', 'mean', 'meanWithSampleWeight', 'none'].includes(reduction))
      throw new ValueError(
        `${name}: expected reduction 'sumOverBatchSize', 'sum', 'mean', 'meanWithSampleWeight' or 'none', received ${JSON.stringify(options.reduction)}`,
      );
    this.reduction = reduction;
  }

  /** One loss per sample (the last axis is folded). */
  abstract call(yTrue: Tensor, yPred: Tensor): Tensor;

  /** Which samples count, by the labels; `null`: all. */
  protected labelMask(_yTrue: Tensor, _yPred: Tensor): Tensor | null {
    return null;
  }

  /** The reduced loss, with optional weights (of the samples, or of their steps) and mask. */
  apply(
    yTrue: TensorLike,
    yPred: Tensor,
    options: { sampleWeight?: TensorLike | null; mask?: Tensor | null } = {},
  ): Tensor {
    const target = asTensor(yTrue);
    const values = this.call(target, yPred);
    const own = this.labelMask(target, yPred);
    const given = options.mask ?? null;
    const mask = own && given ? own.logicalAnd(given) : (own ?? given);
    const weights = floatingOrNull(options.sampleWeight, values.dtype);
    const all = maskedWeights(weights, mask, this.reduction);
    if (!all) return reduceValues(values, null, this.reduction);
    const [v, w] = alignRanks(values, all);
    return reduceValues(v.mul(w), w, this.reduction);
  }
}

function reduceValues(values: Tensor, weights: Tensor | null, reduction: Reduction): Tensor {
  if (reduction === 'none' || values.rank === 0) return values;
  const total = values.sum();
  if (reduction === 'sum') return total;
  return total.divideNoNan(reduction === 'meanWithSampleWeight' && weights ? weights.sum() : values.size);
}

/** Targets and predictions in one dtype and rank. */
function pair(yTrue: TensorLike, yPred: TensorLike, name: string): [Tensor, Tensor] {
  const p = asTensor(yPred);
  const [t, q] = alignRanks(asTensor(yTrue).cast(p.dtype), p);
  if (t.rank !== q.rank || t.shape.some((d, i) => d !== q.shape[i] && d !== 1 && q.shape[i] !== 1))
    throw new ShapeError(
      `${name}: expected targets shaped as the predictions ${formatShape(p.shape)}, received ${formatShape(asTensor(yTrue).shape)}`,
    );
  return [t, q];
}

/** mean((y - p)^2) over the last axis. */
export function meanSquaredError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'meanSquaredError');
  return p.sub(t).square().mean(-1);
}

/** mean(|y - p|) over the last axis. */
export function meanAbsoluteError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'meanAbsoluteError');
  return p.sub(t).abs().mean(-1);
}

/** Squared within `delta` of the target, linear beyond: mean over the last axis of e^2 / 2 or delta (|e| - delta / 2). */
export function huber(yTrue: TensorLike, yPred: TensorLike, delta = 1): Tensor {
  const [t, p] = pair(yTrue, yPred, 'huber');
  const error = p.sub(t);
  const size = error.abs();
  return where(size.lessEqual(delta), error.square().mul(0.5), size.mul(delta).sub(0.5 * delta * delta)).mean(-1);
}

/** 100 * mean(|(y - p) / y|) over the last axis; |y| at least 1e-7. */
export function meanAbsolutePercentageError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'meanAbsolutePercentageError');
  return t.sub(p).div(t.abs().maximum(EPSILON)).abs().mean(-1).mul(100);
}

/** mean((log(1 + y) - log(1 + p))^2) over the last axis; both at least 1e-7. */
export function meanSquaredLogarithmicError(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'meanSquaredLogarithmicError');
  return p.maximum(EPSILON).add(1).log().sub(t.maximum(EPSILON).add(1).log()).square().mean(-1);
}

/** The cosine of the angle between y and p along `axis`: sum(y p) / (|y| |p|). */
export function cosineSimilarity(yTrue: TensorLike, yPred: TensorLike, axis = -1): Tensor {
  const [t, p] = pair(yTrue, yPred, 'cosineSimilarity');
  // A floor under the squared norms, so that zeros have no direction rather than none that is a number.
  const unit = (x: Tensor): Tensor => x.mul(x.square().sum(axis, true).maximum(1e-12).rsqrt());
  return unit(t).mul(unit(p)).sum(axis);
}

/** mean(log(cosh(p - y))) over the last axis: squared for small errors, linear for large ones. */
export function logCosh(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'logCosh');
  const error = p.sub(t);
  return error.add(error.mul(-2).softplus()).sub(Math.LN2).mean(-1);
}

/** Labels -1 and 1, from labels that are all 0 or 1. */
function signedLabels(t: Tensor): Tensor {
  const binary = t.equal(0).logicalOr(t.equal(1)).all();
  return binary.select(t.mul(2).sub(1), t);
}

/** mean(max(1 - y p, 0)) over the last axis, y -1 or 1 (0 / 1 labels are turned into them). */
export function hinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'hinge');
  return signedLabels(t).mul(p).neg().add(1).relu().mean(-1);
}

/** mean(max(1 - y p, 0)^2) over the last axis, y -1 or 1 (0 / 1 labels are turned into them). */
export function squaredHinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'squaredHinge');
  return signedLabels(t).mul(p).neg().add(1).relu().square().mean(-1);
}

/** max(max((1 - y) p) - sum(y p) + 1, 0) over the last axis, y one-hot. */
export function categoricalHinge(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'categoricalHinge');
  return t.neg().add(1).mul(p).max(-1).sub(t.mul(p).sum(-1)).add(1).relu();
}

/** sum(y log(y / p)) over the last axis; both clipped to [1e-7, 1]. */
export function klDivergence(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'klDivergence');
  const target = t.clip(EPSILON, 1);
  return target.mul(target.div(p.clip(EPSILON, 1)).log()).sum(-1);
}

/** mean(p - y log p) over the last axis. */
export function poisson(yTrue: TensorLike, yPred: TensorLike): Tensor {
  const [t, p] = pair(yTrue, yPred, 'poisson');
  return p.sub(t.mul(p.add(EPSILON).log())).mean(-1);
}

/** Options of the cross-entropies. */
export interface CrossentropyLossOptions extends LossOptions {
  /** Are the predictions scores before sigmoid / softmax? false. */
  readonly fromLogits?: boolean;
  /** Moves the targets by this share towards uniform; 0. */
  readonly labelSmoothing?: number;
}

/** -(y log p + (1 - y) log(1 - p)), mean over the last axis; p clipped to [1e-7, 1 - 1e-7]. */
export function binaryCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: CrossentropyLossOptions = {},
): Tensor {
  const { fromLogits = false, labelSmoothing = 0 } = options;
  const [t, p] = pair(yTrue, yPred, 'binaryCrossentropy');
  const target = labelSmoothing === 0 ? t : t.mul(1 - labelSmoothing).add(0.5 * labelSmoothing);
  return binaryOp(target.broadcastTo(p.shape), p, { fromLogits }).mean(-1);
}

/** -sum(y log p) over the classes (last axis), for one-hot or soft targets; p normalised and clipped. */
export function categoricalCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: CrossentropyLossOptions = {},
): Tensor {
  const { fromLogits = false, labelSmoothing = 0 } = options;
  const p = asTensor(yPred);
  const t = asTensor(yTrue).cast(p.dtype);
  const classes = t.shape[t.rank - 1] ?? 1;
  const target = labelSmoothing === 0 ? t : t.mul(1 - labelSmoothing).add(labelSmoothing / classes);
  return categoricalOp(target, p, { fromLogits });
}

/** Throws `ValueError` for a label that is no class index: it would count as no class at all. */
function checkLabels(labels: Tensor, classes: number, ignoreClass: number | null): void {
  guard(labels, ({ data }) => {
    for (const label of data)
      if (label !== ignoreClass && !(Number.isInteger(label) && label >= 0 && label < classes))
        throw new ValueError(
          `sparseCategoricalCrossentropy: expected labels that are class indices in 0..${classes - 1}, received ${label}. The last layer needs one unit a class.`,
        );
  });
}

/** Options of the sparse cross-entropy. */
export interface SparseCrossentropyOptions {
  /** Are the predictions scores before softmax? false. */
  readonly fromLogits?: boolean;
  /** Labels of this class lose nothing; `null`: all count. */
  readonly ignoreClass?: number | null;
}

/** -log p[y], for class indices y; with `ignoreClass`, labels of that class lose nothing. */
export function sparseCategoricalCrossentropy(
  yTrue: TensorLike,
  yPred: TensorLike,
  options: SparseCrossentropyOptions = {},
): Tensor {
  const { fromLogits = false, ignoreClass = null } = options;
  const p = asTensor(yPred);
  const labels = asTensor(yTrue);
  checkLabels(labels, p.shape[p.rank - 1] ?? 0, ignoreClass);
  const t = classIndices(labels, p);
  if (ignoreClass === null) return sparseOp(t, p, { fromLogits });
  const valid = t.notEqual(ignoreClass);
  const loss = sparseOp(valid.select(t, t.zerosLike()), p, { fromLogits });
  return valid.select(loss, loss.zerosLike());
}

/** A loss that is a function of targets and predictions, its own options bound into it. */
abstract class FunctionLoss extends Loss {
  private readonly f: (yTrue: Tensor, yPred: Tensor) => Tensor;

  constructor(name: string, f: (yTrue: Tensor, yPred: Tensor) => Tensor, options: LossOptions) {
    super(name, options);
    this.f = f;
  }

  call(yTrue: Tensor, yPred: Tensor): Tensor {
    return this.f(yTrue, yPred);
  }
}

/** Keras `MeanSquaredError`: {@link meanSquaredError}, reduced. */
export class MeanSquaredError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('meanSquaredError', meanSquaredError, options);
  }
}

/** Keras `MeanAbsoluteError`: {@link meanAbsoluteError}, reduced. */
export class MeanAbsoluteError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('meanAbsoluteError', meanAbsoluteError, options);
  }
}

/** Keras `MeanAbsolutePercentageError`: {@link meanAbsolutePercentageError}, reduced. */
export class MeanAbsolutePercentageError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('meanAbsolutePercentageError', meanAbsolutePercentageError, options);
  }
}

/** Keras `MeanSquaredLogarithmicError`: {@link meanSquaredLogarithmicError}, reduced. */
export class MeanSquaredLogarithmicError extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('meanSquaredLogarithmicError', meanSquaredLogarithmicError, options);
  }
}

/** Keras `LogCosh`: {@link logCosh}, reduced. */
export class LogCosh extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('logCosh', logCosh, options);
  }
}

/** Keras `Hinge`: {@link hinge}, reduced. */
export class Hinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('hinge', hinge, options);
  }
}

/** Keras `SquaredHinge`: {@link squaredHinge}, reduced. */
export class SquaredHinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('squaredHinge', squaredHinge, options);
  }
}

/** Keras `CategoricalHinge`: {@link categoricalHinge}, reduced. */
export class CategoricalHinge extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('categoricalHinge', categoricalHinge, options);
  }
}

/** Keras `KLDivergence`: {@link klDivergence}, reduced. */
export class KLDivergence extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('klDivergence', klDivergence, options);
  }
}

/** Keras `Poisson`: {@link poisson}, reduced. */
export class Poisson extends FunctionLoss {
  constructor(options: LossOptions = {}) {
    super('poisson', poisson, options);
  }
}

/** Keras `CosineSimilarity`: minus {@link cosineSimilarity}, reduced; -1 where directions agree. */
export class CosineSimilarity extends FunctionLoss {
  constructor(options: LossOptions & { readonly axis?: number } = {}) {
    super('cosineSimilarity', (t, p) => cosineSimilarity(t, p, options.axis).neg(), options);
  }
}

/** Keras `Huber`: {@link huber} with `delta` 1, reduced. */
export class Huber extends FunctionLoss {
  constructor(options: LossOptions & { readonly delta?: number } = {}) {
    super('huber', (t, p) => huber(t, p, options.delta), options);
  }
}

/** Keras `BinaryCrossentropy`: {@link binaryCrossentropy}, reduced. Targets 0 / 1, predictions of a sigmoid. */
export class BinaryCrossentropy extends FunctionLoss {
  constructor(options: CrossentropyLossOptions = {}) {
    super('binaryCrossentropy', (t, p) => binaryCrossentropy(t, p, options), options);
  }
}

/** Keras `CategoricalCrossentropy`: {@link categoricalCrossentropy}, reduced. Targets one-hot. */
export class CategoricalCrossentropy extends FunctionLoss {
  constructor(options: CrossentropyLossOptions = {}) {
    super('categoricalCrossentropy', (t, p) => categoricalCrossentropy(t, p, options), options);
  }
}

/** Keras `SparseCategoricalCrossentropy`: {@link sparseCategoricalCrossentropy}, reduced. Targets are class indices. */
export class SparseCategoricalCrossentropy extends FunctionLoss {
  private readonly ignoreClass: number | null;

  constructor(options: LossOptions & SparseCrossentropyOptions = {}) {
    super('sparseCategoricalCrossentropy', (t, p) => sparseCategoricalCrossentropy(t, p, options), options);
    this.ignoreClass = options.ignoreClass ?? null;
  }

  protected override labelMask(yTrue: Tensor, yPred: Tensor): Tensor | null {
    return this.ignoreClass === null ? null : classIndices(yTrue, yPred).notEqual(this.ignoreClass);
  }
}

/** A user's own function as a loss. */
class CustomLoss extends FunctionLoss {}

/** Names of losses. */
export type LossName =
  | 'binaryCrossentropy'
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'meanSquaredError'
  | 'meanAbsoluteError'
  | 'huber'
  | 'meanAbsolutePercentageError'
  | 'meanSquaredLogarithmicError'
  | 'cosineSimilarity'
  | 'logCosh'
  | 'hinge'
  | 'squaredHinge'
  | 'categoricalHinge'
  | 'klDivergence'
  | 'poisson'
  | 'mse'
  | 'mae';

/** A loss by name (camelCase or snake_case), one with options, or a function that gives one loss per sample. */
export type LossIdentifier = LossName | SnakeCase<LossName> | Loss | ((yTrue: Tensor, yPred: Tensor) => Tensor);

/** The losses by name. */
export const losses: Record<LossName, new () => Loss> = {
  binaryCrossentropy: BinaryCrossentropy,
  categoricalCrossentropy: CategoricalCrossentropy,
  sparseCategoricalCrossentropy: SparseCategoricalCrossentropy,
  meanSquaredError: MeanSquaredError,
  meanAbsoluteError: MeanAbsoluteError,
  huber: Huber,
  meanAbsolutePercentageError: MeanAbsolutePercentageError,
  meanSquaredLogarithmicError: MeanSquaredLogarithmicError,
  cosineSimilarity: CosineSimilarity,
  logCosh: LogCosh,
  hinge: Hinge,
  squaredHinge: SquaredHinge,
  categoricalHinge: CategoricalHinge,
  klDivergence: KLDivergence,
  poisson: Poisson,
  mse: MeanSquaredError,
  mae: MeanAbsoluteError,
};

/** The loss that an identifier names. Throws `ValueError` with the known names. */
export function resolveLoss(identifier: LossIdentifier): Loss {
  if (identifier instanceof Loss) return identifier;
  if (typeof identifier === 'function') return new CustomLoss(identifier.name || 'loss', identifier, {});
  const found = losses[camelCase(identifier) as LossName];
  if (!found)
    throw new ValueError(`loss: expected one of ${Object.keys(losses).join(', ')} or a Loss, received "${identifier}"`);
  return new found();
}
