import { type DType, type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, describeValue, type Rule, rules } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { classNameToName } from '../internal/class-name.js';
import { alignRanks, asPredictions, asTargets, joinWeights, type Weighing } from '../losses/alignment.js';
import {
  accumulate,
  checkUpdate,
  type Direction,
  Metric,
  type MetricConfig,
  type MetricOptions,
  type UpdateOptions,
} from './metric.js';

/** Axes from..to-1. */
const axes = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** Values brought down to one per sample, times their weights; weights brought down likewise. */
function samplewise(
  values: Tensor,
  weighing: Weighing,
  what: string,
  fold: (x: Tensor, axes: number[]) => Tensor,
): { values: Tensor; weights: Tensor | null } {
  let v = values;
  let w = joinWeights(weighing, values, what);
  if (w) {
    // A single weight stands for the batch as a whole.
    if (w.rank === 0 && v.rank > 0) v = fold(v, axes(0, v.rank));
    v = v.mul(w);
    if (w.rank > 1) w = fold(w.broadcastTo(values.shape), axes(1, values.rank));
  }
  if (v.rank > 1) v = fold(v, axes(1, v.rank));
  return { values: v, weights: w };
}

/** Numbers to average: integers become floating. */
const summable = (dtype: DType): DType => (dtype === 'int32' ? 'float32' : dtype);

/** The weighted mean of all values: sum(w v) / sum(w), 0 before the first. */
export class Mean extends Metric {
  protected readonly total: Variable;
  protected readonly count: Variable;

  constructor(
    options: MetricOptions = {},
    name = 'mean',
    defaults: Readonly<Record<string, unknown>> = {},
    className = 'Mean',
    classRules: Readonly<Record<string, Rule>> = {},
  ) {
    super(name, options, defaults, className, classRules);
    this.total = this.addZeros('total');
    this.count = this.addZeros('count');
  }

  /** Takes values in (a second argument is ignored, so that all metrics are updated alike). */
  updateState(values: TensorLike, _unused?: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    this.add(asTargets(values, this.className, 'values'), options);
  }

  protected add(values: Tensor, weighing: Weighing): void {
    const s = samplewise(values.cast(summable(this.dtype)), weighing, this.name, (x, over) => x.mean(over));
    accumulate(this.total, s.values.sum());
    accumulate(this.count, s.weights ? s.weights.sum() : asTensor(s.values.shape[0] ?? 1));
  }

  result(): Tensor {
    return this.total.value.divideNoNan(this.count.value);
  }
}

/** The weighted sum of all values. */
export class Sum extends Metric {
  private readonly total: Variable;

  constructor(options: MetricOptions = {}) {
    super('sum', options, {}, 'Sum');
    this.total = this.addZeros('total');
  }

  updateState(values: TensorLike, _unused?: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const v = asTargets(values, this.className, 'values').cast(summable(this.dtype));
    accumulate(this.total, samplewise(v, options, this.name, (x, over) => x.sum(over)).values.sum());
  }

  result(): Tensor {
    return this.total.value;
  }
}

/** A function of targets and predictions, as metrics average them: one value per sample (or step, or element). */
export type MetricFunction = (yTrue: Tensor, yPred: Tensor) => Tensor;

/** Options of {@link MeanMetricWrapper}. */
export interface MeanMetricOptions extends MetricOptions {
  /** Is more better ('up') or less ('down')? What callbacks that monitor the metric go by; `null`: they need `mode`. */
  readonly direction?: Direction;
}

/**
 * The mean of a function of targets and predictions. The function gets both in one rank: targets [n] of predictions [n, 1] become [n, 1]. Its
 * name is the metric's; a function without a name is called 'metric'.
 */
export class MeanMetricWrapper extends Mean {
  override readonly direction: Direction;
  private readonly f: MetricFunction;

  constructor(f: MetricFunction, options: MeanMetricOptions = {}, own?: OwnMetric) {
    if (typeof f !== 'function')
      throw new ValueError(`MeanMetricWrapper: expected a function, received ${describeValue(f)}`);
    super(
      options,
      own ? (own.name ?? classNameToName(own.className)) : f.name || 'metric',
      own ? (own.defaults ?? {}) : { direction: null },
      own?.className ?? 'MeanMetricWrapper',
      own ? (own.rules ?? {}) : { direction: rules.oneOf('up', 'down', null) },
    );
    this.direction = own ? own.direction : (options.direction ?? null);
    this.f = f;
  }

  override updateState(yTrue: TensorLike, yPred?: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    if (yPred === undefined)
      throw new ValueError(`${this.className}: expected targets and predictions, received one argument`);
    const [t, p] = alignRanks(asTargets(yTrue, this.className), asPredictions(yPred, this.className));
    this.add(asTensor(this.f(t, p)), options);
  }

  /** Throws `ValueError` for a function of one's own: it is no data. */
  override getConfig(): MetricConfig {
    if (this.className === 'MeanMetricWrapper')
      throw new ValueError(
        `metric "${this.name}": expected a metric that can be written as data, received a function. Make it a class with getConfig.`,
      );
    return super.getConfig();
  }
}

/** What a class of its own tells its base {@link MeanMetricWrapper}. */
export interface OwnMetric {
  /** Keras' name of the class. */
  readonly className: string;
  readonly direction: Direction;
  /** Its own options with their defaults. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** What they may be, where that is no rule of all classes. */
  readonly rules?: Readonly<Record<string, Rule>>;
  /** The name of metrics of the class that have no own, where it is not the class's. */
  readonly name?: string;
}
