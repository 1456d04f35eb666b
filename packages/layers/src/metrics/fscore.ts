import { max, type Tensor, type TensorLike, tensor } from '@recurra/tensor';
import { EPSILON, rules } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { asTargets } from '../losses/alignment.js';
import { checkBinary } from './counting.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';
import { toRows } from './rows.js';

/** Options of {@link F1Score}. */
export interface F1ScoreOptions extends MetricOptions {
  /**
   * `null`: one score per class. 'micro': one of all classes' counts together; 'macro': the mean of the classes; 'weighted': that mean, by
   * how often each class occurs.
   */
  readonly average?: 'micro' | 'macro' | 'weighted' | null;
  /** Predictions above it are positive; `null`: the largest of a row is, and no other. */
  readonly threshold?: number | null;
}

/** Options of {@link FBetaScore}. */
export interface FBetaScoreOptions extends F1ScoreOptions {
  /** How much more recall counts than precision; 1. */
  readonly beta?: number;
}

interface Counts {
  readonly truePositives: Variable;
  readonly falsePositives: Variable;
  readonly falseNegatives: Variable;
  /** How often each class occurs. */
  readonly intermediateWeights: Variable;
}

const FSCORE = {
  average: rules.oneOf('micro', 'macro', 'weighted', null),
  beta: rules.positive,
  threshold: rules.orNull({
    expected: 'a number > 0 and at most 1',
    accepts: (v) => rules.share.accepts(v) && v !== 0,
  }),
};

/** Scores this close to 0 choose nothing: a row of zeros has no largest. */
const NOTHING = 1e-9;

/**
 * (1 + beta^2) P R / (beta^2 P + R), of precision P and recall R; targets 0 and 1, predictions [batch, classes] (steps of sequences count
 * like samples). Keras `FBetaScore`.
 */
export class FBetaScore extends Metric {
  override readonly direction = 'up';
  private readonly settings: { readonly average: F1ScoreOptions['average']; beta: number; threshold: number | null };
  private counts: Counts | null = null;

  constructor(
    options: FBetaScoreOptions = {},
    name = 'fbetaScore',
    defaults: Readonly<Record<string, unknown>> = { average: null, beta: 1, threshold: null },
    className = 'FBetaScore',
  ) {
    super(name, options, defaults, className, FSCORE);
    const { average = null, beta = 1, threshold = null } = options;
    this.settings = { average, beta, threshold };
  }

  private build(classes: number): Counts {
    const zeros = (kind: string): Variable => this.addZeros(kind, this.settings.average === 'micro' ? [] : [classes]);
    this.counts = {
      truePositives: zeros('truePositives'),
      falsePositives: zeros('falsePositives'),
      falseNegatives: zeros('falseNegatives'),
      intermediateWeights: zeros('intermediateWeights'),
    };
    return this.counts;
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { threshold, average } = this.settings;
    const given = asTargets(yTrue, this.className);
    checkBinary(given, this.className);
    const { targets, predictions, weights } = toRows(given, yPred, options, this.className);
    const counts = this.counts ?? this.build(predictions.shape[1]!);
    const chosen = (
      threshold === null
        ? predictions
            .greaterEqual(max(predictions, -1, { keepDims: true }))
            .logicalAnd(predictions.abs().greater(NOTHING))
        : predictions.greater(threshold)
    ).cast(predictions.dtype);
    const add = (variable: Variable, hits: Tensor): void =>
      accumulate(variable, (weights ? hits.mul(weights) : hits).sum(average === 'micro' ? null : 0));
    add(counts.truePositives, chosen.mul(targets));
    add(counts.falsePositives, chosen.mul(targets.neg().add(1)));
    add(counts.falseNegatives, chosen.neg().add(1).mul(targets));
    add(counts.intermediateWeights, targets);
  }

  result(): Tensor {
    const { average, beta } = this.settings;
    if (!this.counts) return tensor(0).cast(this.dtype);
    const tp = this.counts.truePositives.value;
    const precision = tp.div(tp.add(this.counts.falsePositives.value).add(EPSILON));
    const recall = tp.div(tp.add(this.counts.falseNegatives.value).add(EPSILON));
    const score = precision
      .mul(recall)
      .div(
        precision
          .mul(beta ** 2)
          .add(recall)
          .add(EPSILON),
      )
      .mul(1 + beta ** 2);
    if (average === 'weighted') {
      const occurs = this.counts.intermediateWeights.value;
      return score.mul(occurs.div(occurs.sum().add(EPSILON))).sum();
    }
    return average === null ? score : score.mean();
  }
}

/** The harmonic mean of precision and recall: {@link FBetaScore} with beta 1. */
export class F1Score extends FBetaScore {
  constructor(options: F1ScoreOptions = {}) {
    super(options, 'f1Score', { average: null, threshold: null }, 'F1Score');
  }
}
