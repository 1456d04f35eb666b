import { guard } from '@recurra/compiler/extend';
import { oneHot, ShapeError, type Tensor, type TensorLike, tensor, topK, ValueError, where } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';
import type { Variable } from '../base/variable.js';
import { alignTargets, asTargets, joinWeights } from '../losses/alignment.js';
import { accumulate, checkUpdate, Metric, type MetricOptions, type UpdateOptions } from './metric.js';

/** The four counts of a decision. */
export type Count = 'truePositives' | 'falsePositives' | 'trueNegatives' | 'falseNegatives';

/** Below every score: what `topK` leaves out. */
const LOWEST = -1e10;

/** How decisions are counted. */
export interface CountSettings extends UpdateOptions {
  /** Who counts, for messages. */
  readonly what: string;
  readonly topK?: number | null;
  readonly classId?: number | null;
  /** Count each label of [batch, labels] alone. */
  readonly perLabel?: boolean;
  readonly labelWeights?: Tensor | null;
  /** Bring scores into 0..1 first. */
  readonly clip?: boolean;
}

/** Targets 0 and 1. Throws `ValueError` for others, which would all count as 1. */
export function checkBinary(targets: Tensor, what: string): void {
  guard(targets, (data) => {
    for (const label of data)
      if (label !== 0 && label !== 1)
        throw new ValueError(
          `${what}: expected targets 0 and 1, received ${label}. Class indices become such targets by oneHot.`,
        );
  });
}

/**
 * Weighted counts per threshold, [thresholds] (or [thresholds, labels] with `perLabel`). A score that is NaN is never right: it misses
 * positives, and counts negatives as positive.
 */
export function countAt(
  thresholds: Tensor,
  yTrue: TensorLike,
  yPred: TensorLike,
  wanted: readonly Count[],
  settings: CountSettings,
): Tensor[] {
  const { what, classId = null } = settings;
  const targets = asTargets(yTrue, what);
  checkBinary(targets, what);
  let [t, p] = alignTargets(targets, yPred, what);
  if (settings.clip) p = p.clip(0, 1);
  if (settings.topK) {
    const chosen = oneHot(topK(p, settings.topK).indices, p.shape[p.rank - 1]!).sum(-2);
    p = where(chosen.greater(0), p, LOWEST);
  }
  let weights = joinWeights(settings, p, what);
  if (classId !== null) {
    const classes = p.rank < 2 ? 0 : p.shape[p.rank - 1]!;
    if (classId >= classes)
      throw new ShapeError(
        `${what}: expected predictions [batch, classes] of more than ${classId} classes with classId ${classId}, received ${formatShape(p.shape)}`,
      );
    t = t.narrow(-1, classId, 1);
    p = p.narrow(-1, classId, 1);
    if (weights && weights.rank === t.rank && weights.shape[t.rank - 1]! > 1) weights = weights.narrow(-1, classId, 1);
  }
  weights = weights ? weights.broadcastTo(p.shape) : null;
  if (settings.labelWeights) weights = (weights ?? p.onesLike()).mul(settings.labelWeights);
  const shape = settings.perLabel ? [1, -1, p.shape[p.rank - 1]!] : [1, -1];
  const scores = p.reshape(shape);
  const positive = t.notEqual(0).reshape(shape);
  const w = weights ? weights.reshape(shape) : null;
  const limits = thresholds.cast(p.dtype).reshape(settings.perLabel ? [-1, 1, 1] : [-1, 1]);
  const above = scores.greater(limits);
  const below = scores.lessEqual(limits);
  return wanted.map((kind) => {
    const hits = {
      truePositives: () => positive.logicalAnd(above),
      falseNegatives: () => positive.logicalAnd(above.logicalNot()),
      trueNegatives: () => positive.logicalNot().logicalAnd(below),
      falsePositives: () => positive.logicalNot().logicalAnd(below.logicalNot()),
    }
      [kind]()
      .cast(p.dtype);
    return (w ? hits.mul(w) : hits).sum(1);
  });
}

/** The thresholds as a list. */
export function thresholdList(given: number | readonly number[]): number[] {
  return typeof given === 'number' ? [given] : [...given];
}

/** Options of the four counts. */
export interface CountOptions extends MetricOptions {
  /** Predictions above it are positive; several give several results. 0.5. */
  readonly thresholds?: number | readonly number[] | null;
}

/** Options of metrics that count right and wrong decisions. */
export interface ThresholdOptions extends CountOptions {
  /** Count the k largest predictions as positive, the others as negative; there is then no threshold by default. */
  readonly topK?: number | null;
  /** Look at one class of [batch, classes] alone. */
  readonly classId?: number | null;
}

/** A metric of counts at one threshold or several. */
export abstract class Counting extends Metric {
  private readonly counts: ReadonlyMap<Count, Variable>;
  private readonly settings: ThresholdOptions;
  private readonly thresholds: Tensor;

  constructor(
    name: string,
    className: string,
    options: ThresholdOptions,
    wanted: readonly Count[],
    defaults: Readonly<Record<string, unknown>>,
  ) {
    super(name, options, defaults, className);
    const { thresholds = null } = options;
    const list = thresholds === null ? [options.topK ? LOWEST : 0.5] : thresholdList(thresholds);
    this.settings = options;
    this.thresholds = tensor(list);
    this.counts = new Map(wanted.map((kind) => [kind, this.addZeros(kind, [list.length])]));
  }

  updateState(yTrue: TensorLike, yPred: TensorLike, options: UpdateOptions = {}): void {
    checkUpdate(this.className, options);
    const { topK = null, classId = null } = this.settings;
    const wanted = [...this.counts.keys()];
    countAt(this.thresholds, yTrue, yPred, wanted, { ...options, what: this.className, topK, classId }).forEach(
      (found, i) => {
        accumulate(this.counts.get(wanted[i]!)!, found);
      },
    );
  }

  protected value(kind: Count): Tensor {
    return this.counts.get(kind)!.value;
  }

  /** One threshold has one result. */
  protected finish(x: Tensor): Tensor {
    return x.size === 1 ? x.at(0) : x;
  }
}

/** One of the four counts, as it is. */
abstract class SingleCount extends Counting {
  private readonly kind: Count;

  constructor(kind: Count, className: string, options: CountOptions) {
    super(kind, className, options, [kind], { thresholds: null });
    this.kind = kind;
  }

  result(): Tensor {
    return this.finish(this.value(this.kind));
  }
}

/** How many positive decisions are right. */
export class TruePositives extends SingleCount {
  override readonly direction = 'up';

  constructor(options: CountOptions = {}) {
    super('truePositives', 'TruePositives', options);
  }
}

/** How many negative decisions are right. */
export class TrueNegatives extends SingleCount {
  override readonly direction = 'up';

  constructor(options: CountOptions = {}) {
    super('trueNegatives', 'TrueNegatives', options);
  }
}

/** How many positive decisions are wrong. */
export class FalsePositives extends SingleCount {
  override readonly direction = 'down';

  constructor(options: CountOptions = {}) {
    super('falsePositives', 'FalsePositives', options);
  }
}

/** How many negative decisions are wrong. */
export class FalseNegatives extends SingleCount {
  override readonly direction = 'down';

  constructor(options: CountOptions = {}) {
    super('falseNegatives', 'FalseNegatives', options);
  }
}
