import { ShapeError, type Tensor, type TensorLike, tensor, ValueError, where } from '@recurra/tensor';
import { formatShape, rules } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { asPredictions } from '../losses/alignment.js';
import { type Count, countAt, thresholdList } from './counting.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';

/** Options of {@link AUC}. */
export interface AUCOptions extends MetricOptions {
  /** Thresholds that stand for the whole curve; 200. */
  readonly numThresholds?: number;
  /**
   * 'ROC': recall over the false positive rate; 'PR': precision over recall; 'PRGAIN': precision gain over recall gain (Flach & Kull 2015).
   */
  readonly curve?: 'ROC' | 'PR' | 'PRGAIN';
  /** 'interpolation': trapezoids (ROC) or interpolated true positives (PR); 'minoring', 'majoring': bounds from below, above. */
  readonly summationMethod?: 'interpolation' | 'minoring' | 'majoring';
  /** Thresholds of one's own, strictly between 0 and 1. */
  readonly thresholds?: readonly number[] | null;
  /** Predictions are scores before a sigmoid; false. */
  readonly fromLogits?: boolean;
  /** One curve per label of [batch, labels], averaged, rather than one for all; false. */
  readonly multiLabel?: boolean;
  /** How many labels; by default those of the first batch. */
  readonly numLabels?: number | null;
  /** Weights of the labels. */
  readonly labelWeights?: readonly number[] | null;
}

const COUNTS = ['truePositives', 'falsePositives', 'trueNegatives', 'falseNegatives'] as const satisfies Count[];

/** Just beyond 0 and 1, so that the first threshold lets everything through and the last one nothing. */
const EDGE = 1e-7;

const AUC_RULES = {
  curve: rules.oneOf('ROC', 'PR', 'PRGAIN'),
  summationMethod: rules.oneOf('interpolation', 'minoring', 'majoring'),
  numThresholds: { expected: 'an integer >= 2', accepts: (v: unknown) => Number.isInteger(v) && (v as number) > 1 },
};

/**
 * Area under the ROC or precision-recall curve, from counts at a row of thresholds (Keras `AUC`). Scores beyond 0..1 count as 0 and 1.
 */
export class AUC extends Metric {
  override readonly direction = 'up';
  private readonly options: AUCOptions;
  private readonly thresholds: Tensor;
  private counts: Readonly<Record<Count, Variable>> | null = null;

  constructor(options: AUCOptions = {}) {
    const { thresholds = null, numThresholds = 200, multiLabel = false, numLabels = null } = options ?? {};
    super(
      'auc',
      options,
      {
        numThresholds: Array.isArray(thresholds) ? thresholds.length + 2 : 200,
        curve: 'ROC',
        summationMethod: 'interpolation',
        multiLabel: false,
        numLabels: null,
        labelWeights: null,
        fromLogits: false,
        thresholds: null,
      },
      'AUC',
      AUC_RULES,
    );
    if (numLabels !== null && !multiLabel)
      throw new ValueError('AUC: expected multiLabel with numLabels, received none');
    this.options = options;
    const inner = thresholds
      ? thresholdList(thresholds).sort((a, b) => a - b)
      : Array.from({ length: numThresholds - 2 }, (_, i) => (i + 1) / (numThresholds - 1));
    this.thresholds = tensor([-EDGE, ...inner, 1 + EDGE]);
    if (!multiLabel || numLabels !== null) this.build(numLabels);
  }

  private build(labels: number | null): NonNullable<AUC['counts']> {
    const shape = labels === null ? this.thresholds.shape : [...this.thresholds.shape, labels];
    const zeros = (kind: Count): Variable => this.addZeros(kind, shape);
    this.counts = {
      truePositives: zeros('truePositives'),
      falsePositives: zeros('falsePositives'),
      trueNegatives: zeros('trueNegatives'),
      falseNegatives: zeros('falseNegatives'),
    };
    return this.counts;
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { fromLogits = false, multiLabel = false, labelWeights = null } = this.options;
    const scores = asPredictions(yPred, this.className).cast(this.dtype);
    const labels = scores.shape[scores.rank - 1]!;
    if (multiLabel && scores.rank !== 2)
      throw new ShapeError(
        `AUC: expected predictions [batch, labels] with multiLabel, received ${formatShape(scores.shape)}`,
      );
    if (labelWeights && labelWeights.length !== labels)
      throw new ShapeError(
        `AUC: expected predictions of ${labelWeights.length} labels, as labelWeights, received ${formatShape(scores.shape)}`,
      );
    const counts = this.counts ?? this.build(labels);
    countAt(this.thresholds, yTrue, fromLogits ? scores.sigmoid() : scores, COUNTS, {
      ...options,
      what: this.className,
      clip: true,
      perLabel: multiLabel,
      labelWeights: !multiLabel && labelWeights ? tensor([...labelWeights]).cast(this.dtype) : null,
    }).forEach((found, i) => {
      accumulate(counts[COUNTS[i]!], found);
    });
  }

  result(): Tensor {
    if (!this.counts) return tensor(0).cast(this.dtype);
    const { multiLabel = false, labelWeights = null } = this.options;
    const perLabel = this.areas(this.counts).sum(0);
    if (!multiLabel) return perLabel;
    if (!labelWeights) return perLabel.mean();
    const w = tensor([...labelWeights]).cast(this.dtype);
    return perLabel.mul(w).sum().divideNoNan(w.sum());
  }

  /** The areas between neighbouring thresholds. */
  private areas(counts: NonNullable<AUC['counts']>): Tensor {
    const { curve = 'ROC', summationMethod = 'interpolation' } = this.options;
    const [tp, fp, tn, fn] = COUNTS.map((kind) => counts[kind].value) as [Tensor, Tensor, Tensor, Tensor];
    const n = tp.shape[0]!;
    const first = (x: Tensor): Tensor => x.narrow(0, 0, n - 1);
    const rest = (x: Tensor): Tensor => x.narrow(0, 1, n - 1);
    const recall = tp.divideNoNan(tp.add(fn));
    if (curve === 'PR' && summationMethod === 'interpolation') {
      // Davis & Goadrich 2006: between two thresholds true positives grow linearly with all positives.
      const all = tp.add(fp);
      const dtp = first(tp).sub(rest(tp));
      const slope = dtp.divideNoNan(first(all).sub(rest(all)).maximum(0));
      const intercept = rest(tp).sub(slope.mul(rest(all)));
      const both = first(all).greater(0).logicalAnd(rest(all).greater(0));
      const ratio = where(both, first(all).divideNoNan(rest(all).maximum(0)), 1);
      return slope.mul(dtp.add(intercept.mul(ratio.log()))).divideNoNan(rest(tp).add(rest(fn)).maximum(0));
    }
    const [x, y] = {
      ROC: () => [fp.divideNoNan(fp.add(tn)), recall],
      PR: () => [recall, tp.divideNoNan(tp.add(fp))],
      PRGAIN: () => {
        // Without true positives the gains diverge: recall gain 0, precision gain 1. A recall below the share of positives gains nothing.
        const scale = tp.add(fn).divideNoNan(tn.add(fp));
        const gain = (wrong: Tensor): Tensor => scale.mul(wrong.divideNoNan(tp)).neg().add(1);
        const none = tp.equal(0);
        return [where(none, 0, gain(fn)).maximum(0), where(none, 1, gain(fp))];
      },
    }[curve]() as [Tensor, Tensor];
    const [a, b] = [first(y), rest(y)];
    const height = {
      interpolation: () => a.add(b).div(2),
      minoring: () => a.minimum(b),
      majoring: () => a.maximum(b),
    }[summationMethod]();
    return first(x).sub(rest(x)).mul(height);
  }
}
