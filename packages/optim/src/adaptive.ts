import { full, type Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link RMSprop}; `learningRate` 0.001. */
export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the mean of squared gradients; 0.9. */
  readonly rho?: number;
  /** Share of the last step that is repeated; 0. */
  readonly momentum?: number;
  /** Keeps the division finite; 1e-7. */
  readonly epsilon?: number;
  /** Divide by the variance instead of the uncentred square; false. */
  readonly centered?: boolean;
}

const RMSPROP_RULES = {
  ...OPTIMIZER_RULES,
  rho: rules.decay,
  momentum: rules.share,
  epsilon: rules.notNegative,
  centered: rules.flag,
} satisfies Rules<RMSpropOptions>;

/** v = mean of g^2; w -= lr * g / sqrt(v + epsilon) (Hinton 2012), with Keras' options. */
export class RMSprop extends Optimizer {
  readonly name = 'RMSprop';
  private readonly rho: number;
  private readonly momentum: number;
  private readonly epsilon: number;
  private readonly centered: boolean;

  constructor(options: RMSpropOptions = {}) {
    super(options, 0.001, RMSPROP_RULES);
    this.rho = options.rho ?? 0.9;
    this.momentum = options.momentum ?? 0;
    this.epsilon = options.epsilon ?? 1e-7;
    this.centered = options.centered ?? false;
  }

  protected createSlots(parameter: Tensor): Slots {
    const zero = parameter.zerosLike();
    return {
      velocity: zero,
      ...(this.momentum > 0 ? { momentum: zero } : {}),
      ...(this.centered ? { averageGradient: zero } : {}),
    };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const velocity = slots['velocity']!.mul(this.rho).add(gradient.square().mul(1 - this.rho));
    const next: Record<string, Tensor> = { ...slots, velocity };
    let divisor = velocity.add(this.epsilon);
    if (this.centered) {
      const mean = slots['averageGradient']!.mul(this.rho).add(gradient.mul(1 - this.rho));
      next['averageGradient'] = mean;
      divisor = velocity.sub(mean.square()).add(this.epsilon);
    }
    let move = gradient.mul(learningRate).div(divisor.sqrt());
    if (this.momentum > 0) {
      move = slots['momentum']!.mul(this.momentum).add(move);
      next['momentum'] = move;
    }
    return { parameter: parameter.sub(move), slots: next };
  }
}

/** Options of {@link Adagrad}; `learningRate` 0.001. */
export interface AdagradOptions extends OptimizerOptions {
  /** Start of the sum of squares; 0.1. */
  readonly initialAccumulatorValue?: number;
  /** Keeps the division finite; 1e-7. */
  readonly epsilon?: number;
}

const ADAGRAD_RULES = {
  ...OPTIMIZER_RULES,
  initialAccumulatorValue: rules.notNegative,
  epsilon: rules.notNegative,
} satisfies Rules<AdagradOptions>;

/** a += g^2; w -= lr * g / sqrt(a + epsilon) (Duchi et al. 2011). */
export class Adagrad extends Optimizer {
  readonly name = 'Adagrad';
  private readonly start: number;
  private readonly epsilon: number;

  constructor(options: AdagradOptions = {}) {
    super(options, 0.001, ADAGRAD_RULES);
    this.start = options.initialAccumulatorValue ?? 0.1;
    this.epsilon = options.epsilon ?? 1e-7;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { accumulator: full(parameter.shape, this.start, parameter.dtype) };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const accumulator = slots['accumulator']!.add(gradient.square());
    const move = gradient.mul(learningRate).div(accumulator.add(this.epsilon).sqrt());
    return { parameter: parameter.sub(move), slots: { accumulator } };
  }
}

/** Options of {@link Adadelta}; `learningRate` 0.001. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of both means; 0.95. */
  readonly rho?: number;
  /** Added under both roots; 1e-7. */
  readonly epsilon?: number;
}

const ADADELTA_RULES = {
  ...OPTIMIZER_RULES,
  rho: rules.decay,
  epsilon: rules.notNegative,
} satisfies Rules<AdadeltaOptions>;

/** Steps in the unit of the weights: d = -rms(d) / rms(g) * g, w += lr * d (Zeiler 2012). */
export class Adadelta extends Optimizer {
  readonly name = 'Adadelta';
  private readonly rho: number;
  private readonly epsilon: number;

  constructor(options: AdadeltaOptions = {}) {
    super(options, 0.001, ADADELTA_RULES);
    this.rho = options.rho ?? 0.95;
    this.epsilon = options.epsilon ?? 1e-7;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { accumulatedGrad: parameter.zerosLike(), accumulatedDelta: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const mean = (m: Tensor, x: Tensor): Tensor => m.mul(this.rho).add(x.square().mul(1 - this.rho));
    const rms = (m: Tensor): Tensor => m.add(this.epsilon).sqrt();
    const accumulatedGrad = mean(slots['accumulatedGrad']!, gradient);
    const delta = rms(slots['accumulatedDelta']!).mul(gradient).div(rms(accumulatedGrad)).neg();
    const accumulatedDelta = mean(slots['accumulatedDelta']!, delta);
    return { parameter: parameter.add(delta.mul(learningRate)), slots: { accumulatedGrad, accumulatedDelta } };
  }
}

/** Options of {@link Ftrl}; `learningRate` 0.001. */
export interface FtrlOptions extends OptimizerOptions {
  /** Exponent of the adaptive rate, <= 0; -0.5. */
  readonly learningRatePower?: number;
  /** Start of the sum of squares; 0.1. */
  readonly initialAccumulatorValue?: number;
  readonly l1RegularizationStrength?: number;
  readonly l2RegularizationStrength?: number;
  readonly l2ShrinkageRegularizationStrength?: number;
  readonly beta?: number;
}

const FTRL_RULES = {
  ...OPTIMIZER_RULES,
  learningRatePower: rules.notPositive,
  initialAccumulatorValue: rules.notNegative,
  l1RegularizationStrength: rules.notNegative,
  l2RegularizationStrength: rules.notNegative,
  l2ShrinkageRegularizationStrength: rules.notNegative,
  beta: rules.notNegative,
} satisfies Rules<FtrlOptions>;

/** "Follow the regularized leader" with L1 and L2 terms (McMahan et al. 2013), for sparse linear models. */
export class Ftrl extends Optimizer {
  readonly name = 'Ftrl';
  private readonly power: number;
  private readonly start: number;
  private readonly l1: number;
  private readonly l2: number;
  private readonly shrinkage: number;
  private readonly beta: number;

  constructor(options: FtrlOptions = {}) {
    super(options, 0.001, FTRL_RULES);
    this.power = -(options.learningRatePower ?? -0.5);
    this.start = options.initialAccumulatorValue ?? 0.1;
    this.l1 = options.l1RegularizationStrength ?? 0;
    this.l2 = options.l2RegularizationStrength ?? 0;
    this.shrinkage = options.l2ShrinkageRegularizationStrength ?? 0;
    this.beta = options.beta ?? 0;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { accumulator: full(parameter.shape, this.start, parameter.dtype), linear: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const last = slots['accumulator']!;
    const accumulator = last.add(gradient.square());
    const rise = accumulator.pow(this.power).sub(last.pow(this.power)).div(learningRate);
    const linear = slots['linear']!.add(gradient.add(parameter.mul(2 * this.shrinkage))).sub(rise.mul(parameter));
    const l2 = learningRate
      .reciprocal()
      .mul(this.beta / 2)
      .add(this.l2);
    const quadratic = accumulator.pow(this.power).div(learningRate).add(l2.mul(2));
    return { parameter: linear.clip(-this.l1, this.l1).sub(linear).div(quadratic), slots: { accumulator, linear } };
  }
}

/** Options of {@link Adafactor}; `learningRate` 0.001. */
export interface AdafactorOptions extends OptimizerOptions {
  /** beta2 at step t is 1 - t^beta2Decay; -0.8. */
  readonly beta2Decay?: number;
  /** Added to squared gradients; 1e-30. */
  readonly epsilon1?: number;
  /** Lowest scale of the parameters; 1e-3. */
  readonly epsilon2?: number;
  /** Largest root mean square of a step before the rate; 1. */
  readonly clipThreshold?: number;
  /**
   * Let the rate be at most 1 / sqrt(t); true. With `false` it is the learning rate itself, as documented by Keras, whose 3.15 limits
   * the rate in both cases.
   */
  readonly relativeStep?: boolean;
}

const ADAFACTOR_RULES = {
  ...OPTIMIZER_RULES,
  beta2Decay: rules.notPositive,
  epsilon1: rules.notNegative,
  epsilon2: rules.notNegative,
  clipThreshold: rules.positive,
  relativeStep: rules.flag,
} satisfies Rules<AdafactorOptions>;

/** Adam without a full second moment: for matrices, row and column means stand for it (Shazeer & Stern 2018). */
export class Adafactor extends Optimizer {
  readonly name = 'Adafactor';
  private readonly decay: number;
  private readonly epsilon1: number;
  private readonly epsilon2: number;
  private readonly threshold: number;
  private readonly relativeStep: boolean;

  constructor(options: AdafactorOptions = {}) {
    super(options, 0.001, ADAFACTOR_RULES);
    this.decay = options.beta2Decay ?? -0.8;
    this.epsilon1 = options.epsilon1 ?? 1e-30;
    this.epsilon2 = options.epsilon2 ?? 1e-3;
    this.threshold = options.clipThreshold ?? 1;
    this.relativeStep = options.relativeStep ?? true;
  }

  protected createSlots(parameter: Tensor): Slots {
    return parameter.rank < 2
      ? { velocity: parameter.zerosLike() }
      : { rows: parameter.sum(-1).zerosLike(), columns: parameter.sum(-2).zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const rms = (x: Tensor): Tensor => x.square().mean().sqrt();
    const limited = this.relativeStep ? learningRate.minimum(step.rsqrt()) : learningRate;
    const rate = limited.mul(rms(parameter).maximum(this.epsilon2));
    const square = gradient.square().add(this.epsilon1);
    const keep = step.pow(this.decay).neg().add(1);
    const mean = (m: Tensor, x: Tensor): Tensor => m.mul(keep).add(x.mul(keep.neg().add(1)));
    let velocity: Tensor;
    let next: Slots;
    if (parameter.rank < 2) {
      velocity = mean(slots['velocity']!, square);
      next = { velocity };
    } else {
      const rows = mean(slots['rows']!, square.mean(-1));
      const columns = mean(slots['columns']!, square.mean(-2));
      velocity = rows
        .div(rows.mean(-1, { keepDims: true }))
        .expandDims(-1)
        .mul(columns.expandDims(-2));
      next = { rows, columns };
    }
    const direction = gradient.div(velocity.sqrt());
    const clipped = direction.div(rms(direction).div(this.threshold).maximum(1));
    return { parameter: parameter.sub(clipped.mul(rate)), slots: next };
  }
}

/** Options of {@link Lion}; `learningRate` 0.001. */
export interface LionOptions extends OptimizerOptions {
  /** Weight of the momentum in the step; 0.9. */
  readonly beta1?: number;
  /** Decay of the momentum; 0.99. */
  readonly beta2?: number;
}

const LION_RULES = { ...OPTIMIZER_RULES, beta1: rules.decay, beta2: rules.decay } satisfies Rules<LionOptions>;

/** Steps of one size: w -= lr * sign(beta1 * m + (1 - beta1) * g); m = beta2 * m + (1 - beta2) * g (Chen et al. 2023). */
export class Lion extends Optimizer {
  readonly name = 'Lion';
  private readonly beta1: number;
  private readonly beta2: number;

  constructor(options: LionOptions = {}) {
    super(options, 0.001, LION_RULES);
    this.beta1 = options.beta1 ?? 0.9;
    this.beta2 = options.beta2 ?? 0.99;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { momentum: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const m = slots['momentum']!;
    const sign = m
      .mul(this.beta1)
      .add(gradient.mul(1 - this.beta1))
      .sign();
    return {
      parameter: parameter.sub(sign.mul(learningRate)),
      slots: { momentum: m.mul(this.beta2).add(gradient.mul(1 - this.beta2)) },
    };
  }
}
