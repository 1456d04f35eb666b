import { type Tensor, type TensorLike, type TypedArray, tensor, ValueError } from '@recurra/tensor';
import { asTensor, checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { Dataset } from '../dataset/dataset.js';
import { shuffledIndices } from '../dataset/split.js';

/** Options of {@link timeseriesDatasetFromArray}; those of Keras. */
export interface TimeseriesOptions {
  /** Steps of a window. */
  readonly sequenceLength: number;
  /** Steps from the start of one window to the next; 1. */
  readonly sequenceStride?: number;
  /** Steps from one element of a window to the next; 1. */
  readonly samplingRate?: number;
  /** Windows of a batch; 128. `null`: single windows. */
  readonly batchSize?: number | null;
  /** Windows in random order, another in each epoch; false. */
  readonly shuffle?: boolean;
  /** 0 */
  readonly seed?: number;
  /** Only steps from here on are used; 0. */
  readonly startIndex?: number;
  /** ... and before this one; all. */
  readonly endIndex?: number;
}

const SERIES_RULES = {
  sequenceLength: rules.required(rules.count),
  sequenceStride: rules.count,
  samplingRate: rules.count,
  batchSize: rules.orNull(rules.count),
  shuffle: rules.flag,
  seed: rules.countOrZero,
  startIndex: rules.countOrZero,
  endIndex: rules.count,
} satisfies Rules<TimeseriesOptions>;

function integer(name: string, what: string, value: number, low: number, below: number): void {
  if (!(Number.isInteger(value) && value >= low && value < below))
    throw new ValueError(
      `${name}: expected ${what} to be an integer >= ${low}${below === Infinity ? '' : ` and < ${below}`}, received ${value}`,
    );
}

/** Rows of a tensor [time, ...] at some steps: [steps, ...], in one copy. */
function rowsAt(x: Tensor, steps: readonly number[], shape: readonly number[]): Tensor {
  const time = x.shape[0]!;
  const inner = x.size / time;
  const data = x.data as TypedArray;
  const out = new (data.constructor as new (n: number) => TypedArray)(steps.length * inner);
  steps.forEach((step, i) => {
    // Past its end a typed array has nothing to copy, and zeros would stay.
    if (!(step >= 0 && step < time)) throw new ValueError(`expected steps in 0..${time - 1}, received ${step}`);
    out.set(data.subarray(step * inner, (step + 1) * inner), i * inner);
  });
  return tensor(out, { shape: [...shape, ...x.shape.slice(1)], dtype: x.dtype });
}

/**
 * Batches of windows over a series: from steps x_0, x_1, ... windows [x_s, x_{s+r}, ..., x_{s+(n-1)r}] for s = 0, stride, 2 stride, ...
 * [batch, sequenceLength, ...]. With targets, pairs with `targets[s]`: the target of a window stands at the index of its first step, so
 * shift targets to look ahead (see `windows` for horizons). With fewer targets than windows there are only so many windows. Keras
 * `timeseries_dataset_from_array`.
 *
 * data [time, ...], targets [time, ...]. Throws `ValueError` for options that leave no window or point outside of the data, and where
 * `startIndex` leads to windows beyond the last target.
 */
export function timeseriesDatasetFromArray(
  data: TensorLike,
  targets: null | undefined,
  options: TimeseriesOptions,
): Dataset<Tensor>;
export function timeseriesDatasetFromArray(
  data: TensorLike,
  targets: TensorLike,
  options: TimeseriesOptions,
): Dataset<[Tensor, Tensor]>;
export function timeseriesDatasetFromArray(
  data: TensorLike,
  targets: TensorLike | null | undefined,
  options: TimeseriesOptions,
): Dataset<Tensor> | Dataset<[Tensor, Tensor]> {
  const name = 'timeseriesDatasetFromArray';
  checkRules(name, options, SERIES_RULES);
  const x = asTensor(data);
  const y = targets === null || targets === undefined ? null : asTensor(targets);
  const time = x.shape[0] ?? 0;
  const { sequenceLength, sequenceStride = 1, samplingRate = 1, batchSize = 128, shuffle = false, seed = 0 } = options;
  const { startIndex = 0, endIndex = time } = options;
  integer(name, 'sequenceLength', sequenceLength, 1, Infinity);
  integer(name, 'sequenceStride', sequenceStride, 1, Math.max(2, time));
  integer(name, 'samplingRate', samplingRate, 1, Math.max(2, time));
  if (batchSize !== null) integer(name, 'batchSize', batchSize, 1, Infinity);
  integer(name, 'startIndex', startIndex, 0, time);
  integer(name, 'endIndex', endIndex, startIndex + 1, time + 1);
  let count = endIndex - startIndex - (sequenceLength - 1) * samplingRate;
  if (y) count = Math.min(count, y.shape[0] ?? 0);
  if (count < 1)
    throw new ValueError(
      `${name}: expected at least one window of ${sequenceLength} steps ${samplingRate} apart, received ${endIndex - startIndex} steps${y ? ` and ${y.shape[0]} targets` : ''}`,
    );
  const windows = Math.ceil(count / sequenceStride);
  const last = startIndex + (windows - 1) * sequenceStride;
  if (y && last >= y.shape[0]!)
    throw new ValueError(
      `${name}: expected a target for each window, the last of which begins at step ${last}, received ${y.shape[0]} targets. Targets count from step 0 of the data, not from startIndex (${startIndex}).`,
    );
  const starts = Dataset.range(windows).map((i) => startIndex + i * sequenceStride);
  const ordered = shuffle ? starts.shuffle({ seed }) : starts;
  const stepsOf = (first: readonly number[]): number[] =>
    first.flatMap((s) => Array.from({ length: sequenceLength }, (_, k) => s + k * samplingRate));
  const inputs = (first: readonly number[], shape: readonly number[]): Tensor => rowsAt(x, stepsOf(first), shape);
  if (batchSize === null) {
    if (!y) return ordered.map((s) => inputs([s], [sequenceLength]));
    return ordered.map((s) => [inputs([s], [sequenceLength]), rowsAt(y, [s], [])] as [Tensor, Tensor]);
  }
  const batches = ordered.chunk(batchSize);
  if (!y) return batches.map((first) => inputs(first, [first.length, sequenceLength]));
  return batches.map(
    (first) => [inputs(first, [first.length, sequenceLength]), rowsAt(y, first, [first.length])] as [Tensor, Tensor],
  );
}

/** Options of {@link TimeseriesGenerator}; those of Keras. */
export interface TimeseriesGeneratorOptions {
  /** Steps from one element of a window to the next; 1. */
  readonly samplingRate?: number;
  /** Steps from one window to the next; 1. */
  readonly stride?: number;
  /** Only steps from here on are used; 0. */
  readonly startIndex?: number;
  /** ... up to this one, inclusive; the last. */
  readonly endIndex?: number;
  /** Windows at random, with repetition; false. */
  readonly shuffle?: boolean;
  /** 0 */
  readonly seed?: number;
  /** Steps of a window from the last to the first; false. */
  readonly reverse?: boolean;
  /** 128 */
  readonly batchSize?: number;
}

const GENERATOR_RULES = {
  samplingRate: rules.count,
  stride: rules.count,
  startIndex: rules.countOrZero,
  endIndex: rules.countOrZero,
  shuffle: rules.flag,
  seed: rules.countOrZero,
  reverse: rules.flag,
  batchSize: rules.count,
} satisfies Rules<TimeseriesGeneratorOptions>;

/**
 * Batches of windows of the `length` steps before each target: [x_{t-length}, ..., x_{t-1}] and y_t. Keras' (legacy)
 * `TimeseriesGenerator`; `timeseriesDatasetFromArray` is what took its place. Throws `ValueError` for data and targets of different
 * lengths, or no step that has so many before it.
 */
export class TimeseriesGenerator implements Iterable<[Tensor, Tensor]> {
  private readonly data: Tensor;
  private readonly targets: Tensor;
  private readonly size: number;
  private readonly options: Required<TimeseriesGeneratorOptions>;

  constructor(data: TensorLike, targets: TensorLike, length: number, options: TimeseriesGeneratorOptions = {}) {
    checkRules('TimeseriesGenerator', options, GENERATOR_RULES);
    this.data = asTensor(data);
    this.targets = asTensor(targets);
    const time = this.data.shape[0] ?? 0;
    if (this.targets.shape[0] !== time)
      throw new ValueError(
        `TimeseriesGenerator: expected as many targets as steps, ${time}, received ${this.targets.shape[0]}`,
      );
    const { samplingRate = 1, stride = 1, startIndex = 0, endIndex = time - 1, batchSize = 128 } = options;
    integer('TimeseriesGenerator', 'length', length, 1, Infinity);
    integer('TimeseriesGenerator', 'samplingRate', samplingRate, 1, Infinity);
    integer('TimeseriesGenerator', 'stride', stride, 1, Infinity);
    integer('TimeseriesGenerator', 'batchSize', batchSize, 1, Infinity);
    integer('TimeseriesGenerator', 'startIndex', startIndex, 0, Infinity);
    integer('TimeseriesGenerator', 'endIndex', endIndex, 0, time);
    if (startIndex + length > endIndex)
      throw new ValueError(
        `TimeseriesGenerator: expected startIndex + length <= endIndex, received ${startIndex} + ${length} and ${endIndex}`,
      );
    this.size = length;
    const { shuffle = false, seed = 0, reverse = false } = options;
    this.options = {
      samplingRate,
      stride,
      startIndex: startIndex + length,
      endIndex,
      shuffle,
      seed,
      reverse,
      batchSize,
    };
  }

  /** Number of batches. */
  get length(): number {
    const { startIndex, endIndex, batchSize, stride } = this.options;
    return Math.floor((endIndex - startIndex + batchSize * stride) / (batchSize * stride));
  }

  /** Batch `index`: windows [batch, steps, ...] and targets [batch, ...]. */
  at(index: number): [Tensor, Tensor] {
    integer('TimeseriesGenerator', 'the index', index, 0, this.length);
    const { samplingRate, stride, startIndex, endIndex, shuffle, seed, reverse, batchSize } = this.options;
    const rows: number[] = [];
    if (shuffle) {
      const n = endIndex + 1 - startIndex;
      const order = shuffledIndices(n, seed + index);
      for (let i = 0; i < batchSize; i++) rows.push(startIndex + order[i % n]!);
    } else {
      const first = startIndex + batchSize * stride * index;
      for (let r = first; r < Math.min(first + batchSize * stride, endIndex + 1); r += stride) rows.push(r);
    }
    const steps = rows.flatMap((row) => {
      const own: number[] = [];
      for (let s = row - this.size; s < row; s += samplingRate) own.push(s);
      return reverse ? own.reverse() : own;
    });
    const x = rowsAt(this.data, steps, [rows.length, steps.length / rows.length]);
    return [x, rowsAt(this.targets, rows, [rows.length])];
  }

  *[Symbol.iterator](): Iterator<[Tensor, Tensor]> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** Options of {@link windows}. */
export interface WindowOptions {
  /** Steps of the past that a forecast sees. */
  readonly length: number;
  /** Steps that it forecasts; 1. */
  readonly horizon?: number;
  /** Steps between the two; 0. */
  readonly gap?: number;
  /** Steps from one window to the next; 1. */
  readonly stride?: number;
  /** Features that are forecast, by index; all. */
  readonly targets?: readonly number[] | null;
}

const WINDOW_RULES = {
  length: rules.required(rules.count),
  horizon: rules.count,
  gap: rules.countOrZero,
  stride: rules.count,
  targets: rules.anything,
} satisfies Rules<WindowOptions>;

/**
 * All windows of a series for a forecast: x [windows, length, features] and, `gap` steps later, y [windows, horizon, targets]. A series [time] has
 * one feature. Cut a series into training and test parts first (`splitSeries`), so that no window reaches across.
 */
export function windows(series: TensorLike, options: WindowOptions): { x: Tensor; y: Tensor } {
  checkRules('windows', options, WINDOW_RULES);
  const { length, horizon = 1, gap = 0, stride = 1, targets = null } = options;
  const t = asTensor(series);
  const s = t.rank === 1 ? t.expandDims(1) : t;
  if (s.rank !== 2)
    throw new ValueError(`windows: expected a series [time] or [time, features], received rank ${t.rank}`);
  const [time, features] = s.shape as readonly [number, number];
  const count = Math.floor((time - length - gap - horizon) / stride) + 1;
  if (time < length + gap + horizon)
    throw new ValueError(
      `windows: expected a series of at least ${length + gap + horizon} steps (length, gap and horizon), received ${time}`,
    );
  const steps = (first: number, n: number): number[] =>
    Array.from({ length: count * n }, (_, i) => Math.floor(i / n) * stride + first + (i % n));
  const x = rowsAt(s, steps(0, length), [count, length]);
  const all = rowsAt(s, steps(length + gap, horizon), [count, horizon]);
  if (targets === null) return { x, y: all };
  for (const k of targets) integer('windows', 'each of targets', k, 0, features);
  return { x, y: all.gather(tensor(Int32Array.from(targets)), 2) };
}

const SIZE = rules.notNegative;

/** The first and last steps of a series, by shares or numbers of steps, in order: nothing of the future in what is learnt from. */
export function splitSeries(
  series: TensorLike,
  options: { readonly testSize?: number; readonly validationSize?: number } = {},
): { train: Tensor; validation: Tensor; test: Tensor } {
  checkRules('splitSeries', options, { testSize: SIZE, validationSize: SIZE });
  const { testSize = 0.2, validationSize = 0 } = options;
  const t = asTensor(series);
  const time = t.shape[0] ?? 0;
  const steps = (size: number): number => (size < 1 ? Math.round(time * size) : size);
  const [test, validation] = [steps(testSize), steps(validationSize)];
  const train = time - test - validation;
  if (![test, validation].every((n) => Number.isInteger(n) && n >= 0) || train < 1)
    throw new ValueError(
      `splitSeries: expected shares below 1 or numbers of steps that leave some to train on, received testSize ${testSize} and validationSize ${validationSize} of ${time} steps`,
    );
  return {
    train: t.narrow(0, 0, train),
    validation: t.narrow(0, train, validation),
    test: t.narrow(0, train + validation, test),
  };
}

/** x_t - x_{t-lag}: a trend (lag 1) or a season (lag of its period) taken out; `lag` steps shorter. {@link undifference} is its inverse. */
export function difference(series: TensorLike, lag = 1): Tensor {
  const t = asTensor(series);
  integer('difference', 'lag', lag, 1, Math.max(1, t.shape[0] ?? 0));
  const n = t.shape[0]! - lag;
  return t.narrow(0, lag, n).sub(t.narrow(0, 0, n));
}

/** The series whose {@link difference} this is, after the `lag` steps `before` it: `lag` steps longer. */
export function undifference(differences: TensorLike, before: TensorLike): Tensor {
  const d = asTensor(differences);
  const b = asTensor(before);
  const lag = b.shape[0] ?? 0;
  integer('undifference', 'the number of steps before', lag, 1, Infinity);
  if (d.shape.slice(1).join() !== b.shape.slice(1).join())
    throw new ValueError(
      `undifference: expected steps of one shape, received ${JSON.stringify(d.shape)} after ${JSON.stringify(b.shape)}`,
    );
  const inner = b.size / lag;
  const out = new Float64Array(b.size + d.size);
  out.set(b.data as TypedArray);
  const own = d.data;
  for (let i = 0; i < d.size; i++) out[b.size + i] = own[i]! + out[b.size + i - lag * inner]!;
  const data = d.dtype === 'float64' ? out : Float32Array.from(out);
  return tensor(data, {
    shape: [lag + d.shape[0]!, ...d.shape.slice(1)],
    dtype: d.dtype === 'float64' ? 'float64' : 'float32',
  });
}
