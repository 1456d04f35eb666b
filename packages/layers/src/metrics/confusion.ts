import {
  asTensor,
  oneHot,
  type Tensor,
  type TensorLike,
  tensor,
  topK,
  ValueError,
  where,
  zeros,
} from '@recurra/tensor';
import { alignRanks, floatingOrNull, maskedWeights } from '../losses.js';
import type { Variable } from '../variable.js';
import { Metric, type UpdateOptions } from './metric.js';

/** Options of metrics that count right and wrong decisions. */
export interface ThresholdOptions {
  readonly name?: string;
  /** Predictions above it are positive; several give several results. 0.5, or none with `topK`. */
  readonly thresholds?: number | readonly number[];
  /** Count the k largest predictions as positive, the others as negative. */
  readonly topK?: number | null;
  /** Look at one class of [batch, classes] alone. */
  readonly classId?: number | null;
}

/** The four counts of a decision, per threshold. */
type Count = 'truePositives' | 'falsePositives' | 'trueNegatives' | 'falseNegatives';

const LOWEST = -1e10;

/** Weighted counts per threshold [thresholds] (or [thresholds, labels] with `perLabel`). */
function countAt(
  thresholds: Tensor,
  yTrue: TensorLike,
  yPred: TensorLike,
  wanted: readonly Count[],
  settings: UpdateOptions & {
    readonly topK?: number | null;
    readonly classId?: number | null;
    readonly perLabel?: boolean;
    readonly labelWeights?: Tensor | null;
  },
): Tensor[] {
  let [p, t] = alignRanks(asTensor(yPred).cast('float32'), asTensor(yTrue).cast('float32'));
  if (settings.topK) {
    const hits = oneHot(topK(p, settings.topK).indices, p.shape[p.rank - 1]!).sum(-2);
    p = where(hits.greater(0), p, LOWEST);
  }
  if (settings.classId !== null && settings.classId !== undefined) {
    if (p.rank < 2) throw new ValueError(`classId: expected predictions [batch, classes], received rank ${p.rank}`);
    t = t.narrow(-1, settings.classId, 1);
    p = p.narrow(-1, settings.classId, 1);
  }
  let weights = maskedWeights(floatingOrNull(settings.sampleWeight), settings.mask ?? null, 'sum');
  if (weights) {
    while (weights.rank < p.rank) weights = weights.expandDims(-1);
    weights = weights.broadcastTo(p.shape);
  }
  if (settings.labelWeights) weights = (weights ?? p.onesLike()).mul(settings.labelWeights);
  const shape = settings.perLabel ? [1, -1, p.shape[p.rank - 1]!] : [1, -1];
  const scores = p.reshape(shape);
  const positive = t.notEqual(0).reshape(shape);
  const w = weights ? weights.reshape(shape) : null;
  const above = scores.greater(thresholds.reshape(settings.perLabel ? [-1, 1, 1] : [-1, 1]));
  return wanted.map((kind) => {
    const label = kind === 'truePositives' || kind === 'falseNegatives' ? positive : positive.logicalNot();
    const decision = kind === 'truePositives' || kind === 'falsePositives' ? above : above.logicalNot();
    const hits = label.logicalAnd(decision).cast('float32');
    return (w ? hits.mul(w) : hits).sum(1);
  });
}

abstract class Counting extends Metric {
  protected readonly counts: Partial<Record<Count, Variable>> = {};
  private readonly settings: ThresholdOptions;
  private readonly thresholds: Tensor;
  private readonly wanted: readonly Count[];

  constructor(name: string, options: ThresholdOptions, wanted: readonly Count[]) {
    super(options.name ?? name);
    const given = options.thresholds ?? (options.topK ? LOWEST : 0.5);
    const list = typeof given === 'number' ? [given] : given;
    if (list.some((v) => !(v === LOWEST || (v >= 0 && v <= 1))))
      throw new ValueError(`${name}: expected thresholds in 0..1, received ${JSON.stringify(options.thresholds)}`);
    this.settings = options;
    this.thresholds = tensor([...list]);
    this.wanted = wanted;
    for (const kind of wanted) this.counts[kind] = this.addVariable(kind, zeros([list.length]));
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    const found = countAt(this.thresholds, yTrue, yPred, this.wanted, {
      ...options,
      topK: this.settings.topK ?? null,
      classId: this.settings.classId ?? null,
    });
    this.wanted.forEach((kind, i) => {
      const variable = this.counts[kind]!;
      variable.assign(variable.value.add(found[i]!));
    });
  }

  protected value(kind: Count): Tensor {
    return this.counts[kind]!.value;
  }

  protected finish(x: Tensor): Tensor {
    return Array.isArray(this.settings.thresholds) ? x : x.at(0);
  }
}

/** Share of the positive decisions that are right: TP / (TP + FP). */
export class Precision extends Counting {
  constructor(options: ThresholdOptions = {}) {
    super('precision', options, ['truePositives', 'falsePositives']);
  }
  result(): Tensor {
    const tp = this.value('truePositives');
    return this.finish(tp.divideNoNan(tp.add(this.value('falsePositives'))));
  }
}

/** Share of the positives that are found: TP / (TP + FN). */
export class Recall extends Counting {
  constructor(options: ThresholdOptions = {}) {
    super('recall', options, ['truePositives', 'falseNegatives']);
  }
  result(): Tensor {
    const tp = this.value('truePositives');
    return this.finish(tp.divideNoNan(tp.add(this.value('falseNegatives'))));
  }
}

/** One of the four counts, as it is. */
abstract class SingleCount extends Counting {
  private readonly kind: Count;

  constructor(kind: Count, options: ThresholdOptions) {
    super(kind, options, [kind]);
    this.kind = kind;
  }

  result(): Tensor {
    return this.finish(this.value(this.kind));
  }
}

/** How many positive decisions are right. */
export class TruePositives extends SingleCount {
  constructor(options: ThresholdOptions = {}) {
    super('truePositives', options);
  }
}

/** How many negative decisions are right. */
export class TrueNegatives extends SingleCount {
  constructor(options: ThresholdOptions = {}) {
    super('trueNegatives', options);
  }
}

/** How many positive decisions are wrong. */
export class FalsePositives extends SingleCount {
  constructor(options: ThresholdOptions = {}) {
    super('falsePositives', options);
  }
}

/** How many negative decisions are wrong. */
export class FalseNegatives extends SingleCount {
  constructor(options: ThresholdOptions = {}) {
    super('falseNegatives', options);
  }
}

/** Options of {@link AUC}. */
export interface AUCOptions {
  readonly name?: string;
  /** Thresholds that stand for the whole curve; 200. */
  readonly numThresholds?: number;
  /** 'ROC': recall over the false positive rate; 'PR': precision over recall. */
  readonly curve?: 'ROC' | 'PR';
  /** 'interpolation': trapezoids (ROC) or interpolated true positives (PR); 'minoring', 'majoring': bounds from below, above. */
  readonly summationMethod?: 'interpolation' | 'minoring' | 'majoring';
  /** Thresholds of one's own, strictly between 0 and 1. */
  readonly thresholds?: readonly number[];
  /** Predictions are scores before a sigmoid; false. */
  readonly fromLogits?: boolean;
  /** One curve per label of [batch, labels], averaged, rather than one for all; false. */
  readonly multiLabel?: boolean;
  readonly numLabels?: number | null;
  /** Weights of the labels. */
  readonly labelWeights?: readonly number[] | null;
}

/** Area under the ROC or precision-recall curve, from counts at a row of thresholds (Keras `AUC`). */
export class AUC extends Metric {
  private readonly options: AUCOptions;
  private readonly thresholds: Tensor;
  private readonly counts: Record<Count, Variable>;

  constructor(options: AUCOptions = {}) {
    super(options.name ?? 'auc');
    this.options = options;
    let inner = options.thresholds ? [...options.thresholds].sort((a, b) => a - b) : [];
    if (!options.thresholds) {
      const n = options.numThresholds ?? 200;
      if (!(n > 1)) throw new ValueError(`AUC: expected numThresholds > 1, received ${n}`);
      inner = Array.from({ length: n - 2 }, (_, i) => (i + 1) / (n - 1));
    }
    this.thresholds = tensor([-1e-7, ...inner, 1 + 1e-7]);
    const n = inner.length + 2;
    if (options.multiLabel && !options.numLabels)
      throw new ValueError('AUC: expected numLabels with multiLabel, received none');
    const shape = options.multiLabel ? [n, options.numLabels!] : [n];
    this.counts = {
      truePositives: this.addVariable('truePositives', zeros(shape)),
      falsePositives: this.addVariable('falsePositives', zeros(shape)),
      trueNegatives: this.addVariable('trueNegatives', zeros(shape)),
      falseNegatives: this.addVariable('falseNegatives', zeros(shape)),
    };
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    const kinds = Object.keys(this.counts) as Count[];
    const { fromLogits = false, multiLabel = false, labelWeights = null } = this.options;
    const scores = asTensor(yPred).cast('float32');
    const found = countAt(this.thresholds, yTrue, fromLogits ? scores.sigmoid() : scores, kinds, {
      ...options,
      perLabel: multiLabel,
      labelWeights: !multiLabel && labelWeights ? tensor([...labelWeights]) : null,
    });
    kinds.forEach((kind, i) => {
      this.counts[kind].assign(this.counts[kind].value.add(found[i]!));
    });
  }

  result(): Tensor {
    const { curve = 'ROC', summationMethod = 'interpolation', multiLabel = false, labelWeights = null } = this.options;
    const tp = this.counts.truePositives.value;
    const fp = this.counts.falsePositives.value;
    const fn = this.counts.falseNegatives.value;
    const tn = this.counts.trueNegatives.value;
    const n = tp.shape[0]!;
    const first = (x: Tensor): Tensor => x.narrow(0, 0, n - 1);
    const rest = (x: Tensor): Tensor => x.narrow(0, 1, n - 1);
    let area: Tensor;
    if (curve === 'PR' && summationMethod === 'interpolation') {
      // Davis & Goadrich 2006: between two thresholds true positives grow linearly with all positives.
      const all = tp.add(fp);
      const dtp = first(tp).sub(rest(tp));
      const slope = dtp.divideNoNan(first(all).sub(rest(all)).maximum(0));
      const intercept = rest(tp).sub(slope.mul(rest(all)));
      const both = first(all).greater(0).logicalAnd(rest(all).greater(0));
      const ratio = both.select(first(all).divideNoNan(rest(all).maximum(0)), 1);
      area = slope.mul(dtp.add(intercept.mul(ratio.log()))).divideNoNan(rest(tp).add(rest(fn)).maximum(0));
    } else {
      const recall = tp.divideNoNan(tp.add(fn));
      const [x, y] = curve === 'ROC' ? [fp.divideNoNan(fp.add(tn)), recall] : [recall, tp.divideNoNan(tp.add(fp))];
      const [a, b] = [first(y), rest(y)];
      const height =
        summationMethod === 'interpolation'
          ? a.add(b).div(2)
          : summationMethod === 'minoring'
            ? a.minimum(b)
            : a.maximum(b);
      area = first(x).sub(rest(x)).mul(height);
    }
    const perLabel = area.sum(0);
    if (!multiLabel) return perLabel;
    if (!labelWeights) return perLabel.mean();
    const w = tensor([...labelWeights]);
    return perLabel.mul(w).sum().divideNoNan(w.sum());
  }
}
