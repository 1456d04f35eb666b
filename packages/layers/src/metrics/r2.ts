import { scalar, type Tensor, type TensorLike, tensor, where } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { isRecord } from '../base/tree.js';
import type { Variable } from '../base/variable.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';
import { toRows } from './rows.js';

/** Options of {@link R2Score}. */
export interface R2ScoreOptions extends MetricOptions {
  /** How the scores of several outputs become one: their mean, the mean weighted by the targets' variances, or `null`, not at all. */
  readonly classAggregation?: 'uniformAverage' | 'varianceWeightedAverage' | null;
  /** Variables that explain the targets, for the adjusted score; 0: the plain one. */
  readonly numRegressors?: number;
}

interface Sums {
  readonly squaredSum: Variable;
  readonly sum: Variable;
  readonly residual: Variable;
  readonly count: Variable;
}

/** Keras' snake_case is read too. */
const AGGREGATIONS: ReadonlyMap<unknown, R2ScoreOptions['classAggregation']> = new Map([
  ['uniformAverage', 'uniformAverage'],
  ['uniform_average', 'uniformAverage'],
  ['varianceWeightedAverage', 'varianceWeightedAverage'],
  ['variance_weighted_average', 'varianceWeightedAverage'],
  [null, null],
]);

const R2 = {
  classAggregation: rules.oneOf('uniformAverage', 'varianceWeightedAverage', null),
  numRegressors: rules.countOrZero,
};

/**
 * The share of the targets' variance that predictions explain: 1 - sum((y - p)^2) / sum((y - mean y)^2), over [batch, outputs]. Where targets
 * do not vary it is 0, and NaN for predictions without error (Keras).
 */
export class R2Score extends Metric {
  override readonly direction = 'up';
  private readonly aggregation: R2ScoreOptions['classAggregation'];
  private readonly regressors: number;
  private readonly samples: Variable;
  private sums: Sums | null = null;

  constructor(options: R2ScoreOptions = {}) {
    const { classAggregation = 'uniformAverage', numRegressors = 0 } = options ?? {};
    const aggregation = AGGREGATIONS.get(classAggregation);
    super(
      'r2Score',
      (aggregation === undefined || !isRecord(options)
        ? options
        : { ...options, classAggregation: aggregation }) as object,
      {
        classAggregation: 'uniformAverage',
        numRegressors: 0,
      },
      'R2Score',
      R2,
    );
    this.aggregation = aggregation!;
    this.regressors = numRegressors;
    this.samples = this.addZeros('numSamples');
  }

  private build(outputs: number): Sums {
    const zeros = (name: string): Variable => this.addZeros(name, [outputs]);
    this.sums = {
      squaredSum: zeros('squaredSum'),
      sum: zeros('sum'),
      residual: zeros('residual'),
      count: zeros('count'),
    };
    return this.sums;
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { targets, predictions, weights } = toRows(yTrue, yPred, options, this.className);
    const sums = this.sums ?? this.build(predictions.shape[1]!);
    const weighted = (x: Tensor): Tensor => (weights ? x.mul(weights) : x).sum(0);
    accumulate(sums.sum, weighted(targets));
    accumulate(sums.squaredSum, weighted(targets.square()));
    accumulate(sums.residual, weighted(targets.sub(predictions).square()));
    accumulate(sums.count, weighted(targets.onesLike()));
    accumulate(this.samples, scalar(targets.size));
  }

  result(): Tensor {
    if (!this.sums) return tensor(Number.NaN).cast(this.dtype);
    const sum = this.sums.sum.value;
    const total = this.sums.squaredSum.value.sub(sum.mul(sum.div(this.sums.count.value)));
    const ratio = this.sums.residual.value.div(total).neg().add(1);
    // Infinite where targets do not vary.
    const scores = where(ratio.abs().equal(Infinity), 0, ratio);
    const score =
      this.aggregation === 'uniformAverage'
        ? scores.mean()
        : this.aggregation === 'varianceWeightedAverage'
          ? total.mul(scores).sum().div(total.sum())
          : scores;
    if (this.regressors === 0) return score;
    // The adjusted score, where there are more samples than explaining variables; else the plain one (Keras, with a warning).
    const n = this.samples.value;
    const freedom = n.sub(this.regressors + 1);
    const adjusted = score
      .neg()
      .add(1)
      .mul(n.sub(1))
      .div(where(freedom.greater(0), freedom, 1))
      .neg()
      .add(1);
    return where(freedom.greater(0), adjusted, score);
  }
}
