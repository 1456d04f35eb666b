import { guard } from '@recurra/compiler/extend';
import { diagonal, oneHot, type Tensor, type TensorLike, ValueError, where } from '@recurra/tensor';
import { asTensor, checkOptions, checkValue, describeValue, EPSILON, rules } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { alignShapes, asPredictions, asTargets, joinWeights } from '../losses/alignment.js';
import { checkLabels } from '../losses/crossentropy.js';
import { RULES } from '../losses/options.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';

/** Options of the mean over all classes, targets and predictions as class indices. */
export interface MeanIoUOptions extends MetricOptions {
  readonly numClasses: number;
  /** Targets of this class do not count; `null`: all do. */
  readonly ignoreClass?: number | null;
  /** Are targets class indices (true), or vectors whose largest element tells the class? */
  readonly sparseYTrue?: boolean;
  /** Are predictions class indices (true), or vectors whose largest element tells the class? */
  readonly sparseYPred?: boolean;
  /** The axis of the classes in vectors; -1. */
  readonly axis?: number;
}

/** Options of {@link IoU}. */
export interface IoUOptions extends MeanIoUOptions {
  /** The classes that are averaged. */
  readonly targetClassIds: readonly number[];
}

/** The options of {@link IoU}; `undefined`: must be given. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  numClasses: undefined,
  targetClassIds: undefined,
  ignoreClass: null,
  sparseYTrue: true,
  sparseYPred: true,
  axis: -1,
};

/** Options of a class, checked, with what it derives for {@link IoU}. */
function derive<T extends object, D extends object>(
  { className, defaults }: { readonly className: string; readonly defaults: Readonly<Record<string, unknown>> },
  options: T,
  derived: D,
): T & D {
  checkOptions<object>(className, options, { name: true, dtype: true, ...defaults });
  // What a class derives stands behind what was given: a mistake there is told first, by its own rule.
  return { ...options, ...derived };
}

/**
 * Intersection over union: TP / (TP + FP + FN) of each class in `targetClassIds`, averaged over those that occur. Keras `IoU`; the counts are
 * int32, so that they stay exact, and weights must be whole numbers (`dtype: 'float32'` takes others).
 *
 * Throws `ValueError` for targets that are no class (but `ignoreClass`); predictions that are none are left out (Keras).
 */
export class IoU extends Metric {
  override readonly direction = 'up';
  private readonly matrix: Variable;
  private readonly settings: Required<Omit<IoUOptions, 'name' | 'dtype'>>;

  constructor(
    options: IoUOptions,
    name = 'ioU',
    own?: { readonly className: string; readonly defaults: Readonly<Record<string, unknown>> },
  ) {
    const {
      numClasses,
      targetClassIds,
      ignoreClass = null,
      sparseYTrue = true,
      sparseYPred = true,
      axis = -1,
    } = options ?? {};
    const className = own?.className ?? 'IoU';
    const defaults = own?.defaults ?? DEFAULTS;
    // What a class derives from its own options is none of them.
    const shown = Object.entries(options ?? {}).filter(([key]) => key in defaults || !(key in DEFAULTS));
    super(name, { dtype: 'int32', ...Object.fromEntries(shown) }, defaults, className);
    checkValue(className, 'numClasses', numClasses, RULES.numClasses);
    if (
      !Array.isArray(targetClassIds) ||
      targetClassIds.some((id) => !(Number.isInteger(id) && id >= 0 && id < numClasses))
    )
      throw new ValueError(
        `${className}: expected targetClassIds as class indices in 0..${numClasses - 1}, received ${describeValue(targetClassIds)}`,
      );
    this.settings = { numClasses, targetClassIds, ignoreClass, sparseYTrue, sparseYPred, axis };
    this.matrix = this.addZeros('totalConfusionMatrix', [numClasses, numClasses]);
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { numClasses, ignoreClass, sparseYTrue, sparseYPred, axis } = this.settings;
    const given = asTargets(yTrue, this.className);
    if (sparseYTrue) checkLabels(given, numClasses, this.className, ignoreClass);
    const scores = asPredictions(yPred, this.className);
    const labels = (sparseYTrue ? given : given.argmax(axis)).cast('int32');
    const [t, p] = alignShapes(labels, (sparseYPred ? scores : scores.argmax(axis)).cast('int32'), this.className);
    if (this.dtype === 'int32' && options.sampleWeight !== null && options.sampleWeight !== undefined)
      guard(asTensor(options.sampleWeight), (data) => {
        for (const weight of data)
          if (!Number.isInteger(weight))
            throw new ValueError(
              `${this.className}: expected whole numbers as sample weights, since counts are int32, received ${weight}. Give the metric dtype: 'float32'.`,
            );
      });
    const weights = joinWeights(options, { shape: t.shape, dtype: 'float32' }, this.className);
    const counts = ignoreClass === null ? null : t.notEqual(ignoreClass).cast('float32');
    // What is no class has a row of zeros.
    let rows = oneHot(t.flatten(), numClasses);
    for (const w of [counts, weights]) if (w) rows = rows.mul(w.broadcastTo(t.shape).reshape([-1, 1]));
    accumulate(this.matrix, rows.transpose().matmul(oneHot(p.flatten(), numClasses)));
  }

  result(): Tensor {
    const dtype = this.dtype === 'int32' ? 'float32' : this.dtype;
    const matrix = this.matrix.value.cast(dtype);
    const right = diagonal(matrix);
    const union = matrix.sum(0).add(matrix.sum(1)).sub(right);
    const ids = [...this.settings.targetClassIds];
    const occurs = union.gather(ids).greater(1e-9);
    const scores = where(occurs, right.gather(ids).div(union.gather(ids).add(EPSILON)), 0);
    return scores.sum().div(occurs.cast(dtype).sum().add(EPSILON));
  }
}

/** A class by Keras' name, and its own options. */
interface Own {
  readonly className: string;
  readonly defaults: Readonly<Record<string, unknown>>;
}

const MEAN: Own = {
  className: 'MeanIoU',
  defaults: { numClasses: undefined, ignoreClass: null, sparseYTrue: true, sparseYPred: true, axis: -1 },
};

const BINARY: Own = { className: 'BinaryIoU', defaults: { targetClassIds: [0, 1], threshold: 0.5 } };

const ONE_HOT: Own = {
  className: 'OneHotIoU',
  defaults: { numClasses: undefined, targetClassIds: undefined, ignoreClass: null, sparseYPred: false, axis: -1 },
};

const ONE_HOT_MEAN: Own = {
  className: 'OneHotMeanIoU',
  defaults: { numClasses: undefined, ignoreClass: null, sparseYPred: false, axis: -1 },
};

/** {@link IoU} averaged over all classes. */
export class MeanIoU extends IoU {
  constructor(options: MeanIoUOptions, name = 'meanIoU', own: Own = MEAN) {
    const all = Array.from({ length: rules.count.accepts(options?.numClasses) ? options.numClasses : 0 }, (_, i) => i);
    super(
      own === MEAN ? derive(MEAN, options, { targetClassIds: all }) : { ...options, targetClassIds: all },
      name,
      own,
    );
  }
}

/** Options of {@link BinaryIoU}. */
export interface BinaryIoUOptions extends MetricOptions {
  /** The classes that are averaged; both. */
  readonly targetClassIds?: readonly number[];
  /** Predictions from it on are class 1; 0.5. */
  readonly threshold?: number;
}

/** {@link IoU} of two classes, from scores and a threshold. */
export class BinaryIoU extends IoU {
  private readonly threshold: number;

  constructor(options: BinaryIoUOptions = {}) {
    const { targetClassIds = [0, 1], threshold = 0.5 } = options ?? {};
    super(derive(BINARY, options, { numClasses: 2, targetClassIds }), 'binaryIoU', BINARY);
    this.threshold = threshold;
  }

  override updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    super.updateState(yTrue, asPredictions(yPred, this.className).greaterEqual(this.threshold), options);
  }
}

/** Options of {@link OneHotMeanIoU}. */
export interface OneHotMeanIoUOptions extends Omit<MeanIoUOptions, 'sparseYTrue'> {
  /** Are predictions class indices, or vectors (false)? */
  readonly sparseYPred?: boolean;
}

/** Options of {@link OneHotIoU}. */
export interface OneHotIoUOptions extends OneHotMeanIoUOptions {
  /** The classes that are averaged. */
  readonly targetClassIds: readonly number[];
}

/** {@link IoU} of one-hot targets and scores. */
export class OneHotIoU extends IoU {
  constructor(options: OneHotIoUOptions) {
    const { sparseYPred = false } = options ?? {};
    super(derive(ONE_HOT, options, { sparseYPred, sparseYTrue: false }), 'oneHotIoU', ONE_HOT);
  }
}

/** {@link MeanIoU} of one-hot targets and scores. */
export class OneHotMeanIoU extends MeanIoU {
  constructor(options: OneHotMeanIoUOptions) {
    const { sparseYPred = false } = options ?? {};
    super(derive(ONE_HOT_MEAN, options, { sparseYPred, sparseYTrue: false }), 'oneHotMeanIoU', ONE_HOT_MEAN);
  }
}
