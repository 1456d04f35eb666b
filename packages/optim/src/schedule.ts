import { scalar, Tensor, tensor, ValueError, where } from '@recurra/tensor';
import {
  checkRules,
  checkSerialized,
  checkValue,
  lookupByName,
  type Rule,
  type Rules,
  rules,
  type Serialized,
} from '@recurra/tensor/extend';

/** A learning rate as a function of the step (0 first), in tensor operations, so that it traces into compiled steps. */
export interface Schedule {
  /** Name of the class, as in Keras. */
  readonly name: string;
  /** The learning rate at a step (scalar tensor). */
  at(step: Tensor): Tensor;
  /** The arguments, in camelCase. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A learning rate: a number, or a schedule. */
export type LearningRate = number | Schedule;

/** Is it a schedule? Texts, arrays and tensors have a method `at` too. */
export function isSchedule(value: unknown): value is Schedule {
  const schedule = value as Schedule | null;
  return typeof schedule === 'object' && typeof schedule?.at === 'function' && typeof schedule.config === 'object';
}

const STEP = rules.instanceOf(Tensor, 'a scalar tensor');
/** What may be a learning rate. */
export const RATE: Rule = {
  expected: 'a learning rate >= 0 (a number or a schedule)',
  accepts: (v) => rules.notNegative.accepts(v) || isSchedule(v),
};

/** The learning rate at `step` as a float32 scalar. */
export function learningRateAt(rate: LearningRate, step: Tensor): Tensor {
  checkValue('learningRateAt', 'the step', step, STEP);
  checkValue('learningRateAt', 'the rate', rate, RATE);
  return typeof rate === 'number' ? scalar(rate) : rate.at(step);
}

/** `config` has all arguments in the order of Keras' configuration; the name in it is that of a schedule without one. */
function define(
  className: string,
  { name }: ScheduleOptions,
  config: Readonly<Record<string, unknown>>,
  at: (step: Tensor) => Tensor,
): Schedule {
  return {
    name: className,
    config: name === undefined ? config : { ...config, name },
    at: (step) => at(step.cast('float32')),
  };
}

/** A schedule as data, as Keras writes it down (keys in camelCase). */
export type SerializedSchedule = Serialized;

/** The schedules by Keras' names of their classes. */
const BY_NAME: Readonly<Record<string, (options: never) => Schedule>> = {
  ExponentialDecay: exponentialDecay,
  InverseTimeDecay: inverseTimeDecay,
  PiecewiseConstantDecay: piecewiseConstantDecay,
  PolynomialDecay: polynomialDecay,
  CosineDecay: cosineDecay,
  CosineDecayRestarts: cosineDecayRestarts,
};

const SCHEDULE: Rule = { expected: 'a schedule', accepts: isSchedule };

/** A schedule as data, with all of its arguments. Throws `ValueError` for one of your own, which only code describes. */
export function serializeSchedule(schedule: Schedule): SerializedSchedule {
  checkValue('serializeSchedule', 'the schedule', schedule, SCHEDULE);
  const { name: className, config } = schedule;
  lookupByName(BY_NAME, className, 'serializeSchedule: class of schedules');
  return { module: 'keras.optimizers.schedules', className, config: { ...config }, registeredName: null };
}

/**
 * The schedule that {@link serializeSchedule} wrote, or Keras, with the keys in camelCase. Throws `ValueError` for an unknown class and for
 * arguments that do not fit.
 */
export function deserializeSchedule(data: SerializedSchedule): Schedule {
  checkSerialized('deserializeSchedule', 'a schedule', data);
  const make = lookupByName(BY_NAME, data.className, 'deserializeSchedule: class of schedules');
  return make(data.config as never);
}

/** What all schedules take. */
export interface ScheduleOptions {
  /** A name; kept in `config` alone. */
  readonly name?: string;
}

/** Arguments of {@link exponentialDecay} and {@link inverseTimeDecay}. */
export interface DecayOptions extends ScheduleOptions {
  readonly initialLearningRate: number;
  readonly decaySteps: number;
  readonly decayRate: number;
  /** Decay in steps, at whole multiples of `decaySteps`, rather than smoothly. */
  readonly staircase?: boolean;
}

/** initial * rate^(step / decaySteps). Keras `ExponentialDecay`. */
export function exponentialDecay(options: DecayOptions): Schedule {
  checkRules('exponentialDecay', options, DECAY_RULES);
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  return define(
    'ExponentialDecay',
    options,
    { initialLearningRate, decaySteps, decayRate, staircase, name: 'ExponentialDecay' },
    (step) => {
      const p = step.div(decaySteps);
      return scalar(decayRate)
        .pow(staircase ? p.floor() : p)
        .mul(initialLearningRate);
    },
  );
}

/** initial / (1 + rate * step / decaySteps). Keras `InverseTimeDecay`. */
export function inverseTimeDecay(options: DecayOptions): Schedule {
  checkRules('inverseTimeDecay', options, DECAY_RULES);
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  return define(
    'InverseTimeDecay',
    options,
    { initialLearningRate, decaySteps, decayRate, staircase, name: 'InverseTimeDecay' },
    (step) => {
      const p = step.div(decaySteps);
      return scalar(initialLearningRate).div((staircase ? p.floor() : p).mul(decayRate).add(1));
    },
  );
}

/** Arguments of {@link piecewiseConstantDecay}. */
export interface PiecewiseConstantDecayOptions extends ScheduleOptions {
  readonly boundaries: readonly number[];
  readonly values: readonly number[];
}

/** values[i] for boundaries[i-1] < step <= boundaries[i]. Keras `PiecewiseConstantDecay`. */
export function piecewiseConstantDecay(options: PiecewiseConstantDecayOptions): Schedule {
  checkRules('piecewiseConstantDecay', options, PIECEWISE_RULES);
  const { boundaries, values } = options;
  if (values.length !== boundaries.length + 1)
    throw new ValueError(
      `piecewiseConstantDecay: expected one value more than the ${boundaries.length} boundaries, received ${values.length}`,
    );
  return define('PiecewiseConstantDecay', options, { boundaries, values, name: 'PiecewiseConstant' }, (step) =>
    boundaries.reduceRight(
      (rest, boundary, i) => where(step.lessEqual(boundary), values[i]!, rest),
      scalar(values[values.length - 1]!),
    ),
  );
}

/** Arguments of {@link polynomialDecay}. */
export interface PolynomialDecayOptions extends ScheduleOptions {
  readonly initialLearningRate: number;
  readonly decaySteps: number;
  readonly endLearningRate?: number;
  readonly power?: number;
  readonly cycle?: boolean;
}

/** (initial - end) * (1 - step / decaySteps)^power + end; with `cycle`, decaySteps grows to the next multiple. Keras `PolynomialDecay`. */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  checkRules('polynomialDecay', options, POLYNOMIAL_RULES);
  const { initialLearningRate, decaySteps, endLearningRate = 0.0001, power = 1, cycle = false } = options;
  return define(
    'PolynomialDecay',
    options,
    { initialLearningRate, decaySteps, endLearningRate, power, cycle, name: 'PolynomialDecay' },
    (step) => {
      const span = cycle ? step.div(decaySteps).ceil().maximum(1).mul(decaySteps) : scalar(decaySteps);
      const p = (cycle ? step : step.minimum(decaySteps)).div(span);
      return p
        .neg()
        .add(1)
        .pow(power)
        .mul(initialLearningRate - endLearningRate)
        .add(endLearningRate);
    },
  );
}

const cosine = (fraction: Tensor): Tensor => fraction.mul(Math.PI).cos().add(1).mul(0.5);

/** Arguments of {@link cosineDecay}. */
export interface CosineDecayOptions extends ScheduleOptions {
  readonly initialLearningRate: number;
  readonly decaySteps: number;
  readonly alpha?: number;
  readonly warmupTarget?: number | null;
  readonly warmupSteps?: number;
}

/**
 * Half a cosine from the start to alpha times it over `decaySteps`; before it, with `warmupTarget`, a line from the initial
 * rate to the target over `warmupSteps`. Keras `CosineDecay` (Loshchilov & Hutter 2017).
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  checkRules('cosineDecay', options, COSINE_RULES);
  const { initialLearningRate, decaySteps, alpha = 0, warmupTarget = null, warmupSteps = 0 } = options;
  const decay = (step: Tensor, from: number): Tensor =>
    cosine(step.div(decaySteps))
      .mul(1 - alpha)
      .add(alpha)
      .mul(from);
  return define(
    'CosineDecay',
    options,
    { initialLearningRate, decaySteps, alpha, name: 'CosineDecay', warmupTarget, warmupSteps },
    (step) => {
      if (warmupTarget === null) return decay(step.minimum(decaySteps), initialLearningRate);
      const s = step.minimum(decaySteps + warmupSteps);
      const warm = s
        .div(Math.max(1, warmupSteps))
        .mul(warmupTarget - initialLearningRate)
        .add(initialLearningRate);
      return where(s.less(warmupSteps), warm, decay(s.sub(warmupSteps), warmupTarget));
    },
  );
}

/** Arguments of {@link cosineDecayRestarts}. */
export interface CosineDecayRestartsOptions extends ScheduleOptions {
  readonly initialLearningRate: number;
  readonly firstDecaySteps: number;
  readonly tMul?: number;
  readonly mMul?: number;
  readonly alpha?: number;
}

/**
 * Cosine decay that restarts: the i-th period is tMul^i times as long and starts at mMul^i times the rate. Keras
 * `CosineDecayRestarts` (SGDR). Periods are counted exactly, where Keras takes logarithms in float32. Throws `ValueError` for tMul < 1.
 */
export function cosineDecayRestarts(options: CosineDecayRestartsOptions): Schedule {
  checkRules('cosineDecayRestarts', options, RESTARTS_RULES);
  const { initialLearningRate, firstDecaySteps, tMul = 2, mMul = 1, alpha = 0 } = options;
  const { starts, lengths } = tMul === 1 ? { starts: [], lengths: [] } : periods(firstDecaySteps, tMul);
  return define(
    'CosineDecayRestarts',
    options,
    { initialLearningRate, firstDecaySteps, tMul, mMul, alpha, name: 'SGDRDecay' },
    (step) => {
      let restart: Tensor;
      let fraction: Tensor;
      if (tMul === 1) {
        fraction = step.div(firstDecaySteps);
        restart = fraction.floor();
        fraction = fraction.sub(restart);
      } else {
        // The number of periods before a step is a logarithm, which float32 rounds to either side of a whole number. The starts of
        // periods that are reached count them exactly.
        const reached = step.greaterEqual(tensor(starts.map((start) => Math.ceil(start))));
        const last = (values: readonly number[]): Tensor => reached.select(tensor([...values]), 0).max();
        restart = reached.cast('float32').sum().sub(1);
        fraction = step.sub(last(starts)).div(last(lengths));
      }
      return cosine(fraction)
        .mul(scalar(mMul).pow(restart))
        .mul(1 - alpha)
        .add(alpha)
        .mul(initialLearningRate);
    },
  );
}

/** Steps are float32 in schedules: whole numbers up to here. */
const LAST_STEP = 2 ** 24;
const MOST_PERIODS = 2 ** 16;

/** Where the periods of {@link cosineDecayRestarts} start, and how long they are; both grow. */
function periods(first: number, factor: number): { starts: number[]; lengths: number[] } {
  const starts: number[] = [];
  const lengths: number[] = [];
  for (let start = 0, length = first; start <= LAST_STEP; start += length, length *= factor) {
    if (starts.length === MOST_PERIODS)
      throw new ValueError(
        `learning-rate schedule: expected tMul to be 1 or larger by enough for at most ${MOST_PERIODS} periods in ${LAST_STEP} steps, received ${factor} with firstDecaySteps ${first}`,
      );
    // Products such as 10 * 1.3 end a rounding error away from whole steps.
    const whole = Math.round(start);
    starts.push(Math.abs(start - whole) < 1e-9 * whole ? whole : start);
    lengths.push(length);
  }
  return { starts, lengths };
}

const rate = rules.required(rules.notNegative);
const DECAY_RULES: Rules<DecayOptions> = {
  name: rules.text,
  initialLearningRate: rate,
  decaySteps: rules.required(rules.positive),
  decayRate: rules.required(rules.notNegative),
  staircase: rules.flag,
};
const PIECEWISE_RULES: Rules<PiecewiseConstantDecayOptions> = {
  name: rules.text,
  boundaries: rules.required(rules.growing),
  values: rules.required(rules.numbers),
};
const POLYNOMIAL_RULES: Rules<PolynomialDecayOptions> = {
  name: rules.text,
  initialLearningRate: rate,
  decaySteps: rules.required(rules.positive),
  endLearningRate: rules.notNegative,
  power: rules.notNegative,
  cycle: rules.flag,
};
const COSINE_RULES: Rules<CosineDecayOptions> = {
  name: rules.text,
  initialLearningRate: rate,
  decaySteps: rules.required(rules.positive),
  alpha: rules.anyNumber,
  warmupTarget: rules.orNull(rules.notNegative),
  warmupSteps: rules.notNegative,
};
const RESTARTS_RULES: Rules<CosineDecayRestartsOptions> = {
  name: rules.text,
  initialLearningRate: rate,
  firstDecaySteps: rules.required(rules.positive),
  tMul: rules.atLeastOne,
  mMul: rules.notNegative,
  alpha: rules.anyNumber,
};
