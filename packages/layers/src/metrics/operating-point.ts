import { type Tensor, type TensorLike, tensor, where } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { type Count, countAt } from './counting.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';

/** Options of the metrics at an operating point. */
export interface OperatingPointOptions extends MetricOptions {
  /** Thresholds from 0 to 1 that are tried; 200. */
  readonly numThresholds?: number;
  /** Look at one class of [batch, classes] alone. */
  readonly classId?: number | null;
}

const COUNTS = ['truePositives', 'falsePositives', 'trueNegatives', 'falseNegatives'] as const satisfies Count[];

/** What may be given, for the best of another. */
type Share = 'specificity' | 'sensitivity' | 'recall' | 'precision';

/** The four shares of a confusion matrix, per threshold. */
interface Rates {
  readonly sensitivity: Tensor;
  readonly specificity: Tensor;
  readonly precision: Tensor;
}

/** The best of one share over the thresholds at which another is at least a given value; 0 where there is none. */
abstract class OperatingPoint extends Metric {
  override readonly direction = 'up';
  private readonly counts: Readonly<Record<Count, Variable>>;
  private readonly thresholds: Tensor;
  private readonly least: number;
  private readonly classId: number | null;

  constructor(
    className: string,
    name: string,
    given: Share,
    options: OperatingPointOptions & { readonly [share in Share]?: number },
  ) {
    super(name, options, { numThresholds: 200, [given]: undefined, classId: null }, className, {
      [given]: rules.share,
    });
    const least = options?.[given];
    checkValue(className, given, least, rules.share);
    const { numThresholds = 200, classId = null } = options!;
    this.least = least!;
    this.classId = classId;
    this.thresholds = tensor(
      numThresholds === 1 ? [0.5] : Array.from({ length: numThresholds }, (_, i) => i / (numThresholds - 1)),
    );
    const zeros = (kind: Count): Variable => this.addZeros(kind, [numThresholds]);
    this.counts = {
      truePositives: zeros('truePositives'),
      falsePositives: zeros('falsePositives'),
      trueNegatives: zeros('trueNegatives'),
      falseNegatives: zeros('falseNegatives'),
    };
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    countAt(this.thresholds, yTrue, yPred, COUNTS, {
      ...options,
      what: this.className,
      classId: this.classId,
      clip: true,
    }).forEach((found, i) => {
      accumulate(this.counts[COUNTS[i]!], found);
    });
  }

  /** Which share must be at least the given value, and which is wanted. */
  protected abstract choose(rates: Rates): { readonly held: Tensor; readonly wanted: Tensor };

  result(): Tensor {
    const [tp, fp, tn, fn] = COUNTS.map((kind) => this.counts[kind].value) as [Tensor, Tensor, Tensor, Tensor];
    const { held, wanted } = this.choose({
      sensitivity: tp.divideNoNan(tp.add(fn)),
      specificity: tn.divideNoNan(tn.add(fp)),
      precision: tp.divideNoNan(tp.add(fp)),
    });
    return where(held.greaterEqual(this.least), wanted, 0).max();
  }
}

/** The highest share of positives found (recall) where at least `specificity` of the negatives are kept out. */
export class SensitivityAtSpecificity extends OperatingPoint {
  constructor(options: OperatingPointOptions & { readonly specificity: number }) {
    super('SensitivityAtSpecificity', 'sensitivityAtSpecificity', 'specificity', options);
  }
  protected choose({ sensitivity, specificity }: Rates): { held: Tensor; wanted: Tensor } {
    return { held: specificity, wanted: sensitivity };
  }
}

/** The highest share of negatives kept out where at least `sensitivity` of the positives are found. */
export class SpecificityAtSensitivity extends OperatingPoint {
  constructor(options: OperatingPointOptions & { readonly sensitivity: number }) {
    super('SpecificityAtSensitivity', 'specificityAtSensitivity', 'sensitivity', options);
  }
  protected choose({ sensitivity, specificity }: Rates): { held: Tensor; wanted: Tensor } {
    return { held: sensitivity, wanted: specificity };
  }
}

/** The highest precision where at least `recall` of the positives are found. */
export class PrecisionAtRecall extends OperatingPoint {
  constructor(options: OperatingPointOptions & { readonly recall: number }) {
    super('PrecisionAtRecall', 'precisionAtRecall', 'recall', options);
  }
  protected choose({ sensitivity, precision }: Rates): { held: Tensor; wanted: Tensor } {
    return { held: sensitivity, wanted: precision };
  }
}

/** The highest recall where at least `precision` of the positive decisions are right. */
export class RecallAtPrecision extends OperatingPoint {
  constructor(options: OperatingPointOptions & { readonly precision: number }) {
    super('RecallAtPrecision', 'recallAtPrecision', 'precision', options);
  }
  protected choose({ sensitivity, precision }: Rates): { held: Tensor; wanted: Tensor } {
    return { held: precision, wanted: sensitivity };
  }
}
