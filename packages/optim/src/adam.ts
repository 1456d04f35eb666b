import { scalar, type Tensor } from '@recurra/tensor';
import { type Rules, rules, withDefaults } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of the Adam family; `learningRate` 0.001. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients; 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients; 0.999. */
  readonly beta2?: number;
  /** Keeps the division finite; 1e-7. Added after the bias correction of the step size (Keras' "epsilon hat"). */
  readonly epsilon?: number;
}

const ADAM_RULES = {
  ...OPTIMIZER_RULES,
  beta1: rules.decay,
  beta2: rules.decay,
  epsilon: rules.notNegative,
} satisfies Rules<AdamOptions>;
const AMSGRAD_RULES = { ...ADAM_RULES, amsgrad: rules.flag } satisfies Rules<AmsgradOptions>;
// The average of its iterates divides by beta1.
const SCHEDULE_FREE_RULES = {
  ...ADAM_RULES,
  beta1: rules.openDecay,
  warmupSteps: rules.countOrZero,
} satisfies Rules<ScheduleFreeOptions>;

/** Options of {@link Adam} and {@link AdamW}. */
export interface AmsgradOptions extends AdamOptions {
  /** Divide by the largest v so far; false. */
  readonly amsgrad?: boolean;
}

/** Options of {@link ScheduleFreeAdamW}; `learningRate` 0.0025, `epsilon` 1e-8. */
export interface ScheduleFreeOptions extends AdamOptions {
  /** The rate rises linearly over so many steps; 0. */
  readonly warmupSteps?: number;
}

/** m and v moved towards the gradient and its square. */
export function moments(slots: Slots, gradient: Tensor, beta1: number, beta2: number): { m: Tensor; v: Tensor } {
  const m = slots['momentum']!;
  const v = slots['velocity']!;
  return {
    m: m.add(gradient.sub(m).mul(1 - beta1)),
    v: v.add(
      gradient
        .square()
        .sub(v)
        .mul(1 - beta2),
    ),
  };
}

/** 1 - beta^step */
export function correction(beta: number, step: Tensor): Tensor {
  return scalar(beta).pow(step).neg().add(1);
}

/** What Adam and its relatives have in common: two decays, an epsilon, and a mean of the gradients with one of their squares. */
abstract class AdamFamily extends Optimizer {
  protected readonly beta1: number;
  protected readonly beta2: number;
  protected readonly epsilon: number;

  constructor(options: AdamOptions = {}, learningRate = 0.001, rules: Rules<AdamOptions> = ADAM_RULES) {
    super(options, learningRate, rules);
    this.beta1 = options.beta1 ?? 0.9;
    this.beta2 = options.beta2 ?? 0.999;
    this.epsilon = options.epsilon ?? 1e-7;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { momentum: parameter.zerosLike(), velocity: parameter.zerosLike() };
  }
}

/**
 * Adam (Kingma & Ba 2015): m = mean of g, v = mean of g^2, both exponentially weighted;
 * w -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon). `amsgrad` (Reddi et al. 2018) divides by the
 * largest v so far.
 */
export class Adam extends AdamFamily {
  readonly name: string = 'Adam';
  private readonly amsgrad: boolean;

  constructor(options: AmsgradOptions = {}) {
    super(options, 0.001, AMSGRAD_RULES);
    this.amsgrad = options.amsgrad ?? false;
  }

  protected override createSlots(parameter: Tensor): Slots {
    return { ...super.createSlots(parameter), ...(this.amsgrad ? { velocityHat: parameter.zerosLike() } : {}) };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const { m, v } = moments(slots, gradient, this.beta1, this.beta2);
    const rate = learningRate.mul(correction(this.beta2, step).sqrt()).div(correction(this.beta1, step));
    const next: Record<string, Tensor> = { momentum: m, velocity: v };
    let divisor = v;
    if (this.amsgrad) {
      divisor = slots['velocityHat']!.maximum(v);
      next['velocityHat'] = divisor;
    }
    return { parameter: parameter.sub(m.mul(rate).div(divisor.sqrt().add(this.epsilon))), slots: next };
  }
}

/** {@link Adam} with decoupled weight decay, 0.004 by default (Loshchilov & Hutter 2019). */
export class AdamW extends Adam {
  override readonly name = 'AdamW';

  constructor(options: AmsgradOptions = {}) {
    super(withDefaults<AmsgradOptions>('AdamW', options, { weightDecay: 0.004 }, AMSGRAD_RULES));
  }
}

/** Adam with the infinity norm: u = max(beta2 * u, |g|); w -= lr / (1 - beta1^t) * m / (u + epsilon). */
export class Adamax extends AdamFamily {
  readonly name = 'Adamax';

  protected override createSlots(parameter: Tensor): Slots {
    return { momentum: parameter.zerosLike(), norm: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const last = slots['momentum']!;
    const m = last.add(gradient.sub(last).mul(1 - this.beta1));
    const u = slots['norm']!.mul(this.beta2).maximum(gradient.abs());
    const rate = learningRate.div(correction(this.beta1, step));
    return { parameter: parameter.sub(m.mul(rate).div(u.add(this.epsilon))), slots: { momentum: m, norm: u } };
  }
}

/** Adam with Nesterov's momentum under the schedule u_t = beta1 * (1 - 0.96^t / 2) (Dozat 2016). */
export class Nadam extends AdamFamily {
  readonly name = 'Nadam';

  protected override createShared(): Slots {
    return { product: scalar(1) };
  }

  protected override advanceShared(shared: Slots, step: Tensor): Slots {
    return { product: shared['product']!.mul(this.schedule(step)) };
  }

  private schedule(step: Tensor): Tensor {
    return scalar(0.96).pow(step).mul(-0.5).add(1).mul(this.beta1);
  }

  protected step({ parameter, gradient, slots, shared, learningRate, step }: StepContext): {
    parameter: Tensor;
    slots: Slots;
  } {
    const { m, v } = moments(slots, gradient, this.beta1, this.beta2);
    const u = this.schedule(step);
    const after = this.schedule(step.add(1));
    const product = shared['product']!;
    const mean = m
      .mul(after.div(product.mul(after).neg().add(1)))
      .add(gradient.mul(u.neg().add(1).div(product.neg().add(1))));
    const square = v.div(correction(this.beta2, step));
    return {
      parameter: parameter.sub(mean.mul(learningRate).div(square.sqrt().add(this.epsilon))),
      slots: { momentum: m, velocity: v },
    };
  }
}

/** Adam with each step scaled to the norm of its weights (You et al. 2020), for large batches. */
export class Lamb extends AdamFamily {
  readonly name = 'Lamb';

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const { m, v } = moments(slots, gradient, this.beta1, this.beta2);
    const direction = m
      .div(correction(this.beta1, step))
      .div(v.div(correction(this.beta2, step)).sqrt().add(this.epsilon));
    const weights = parameter.square().sum().sqrt();
    const length = direction.square().sum().sqrt();
    const both = weights.greater(0).logicalAnd(length.greater(0));
    const ratio = both.select(weights.divideNoNan(length), 1);
    return { parameter: parameter.sub(direction.mul(ratio.mul(learningRate))), slots: { momentum: m, velocity: v } };
  }
}

/**
 * Schedule-free AdamW (Defazio et al. 2024): an average of the iterates takes the place of a decaying learning rate.
 * z -= lr * g / (sqrt(v / (1 - beta2^t)) + epsilon); x moves to z by 1 / t; the parameters are (1 - beta1) z + beta1 x.
 */
export class ScheduleFreeAdamW extends AdamFamily {
  readonly name = 'ScheduleFreeAdamW';
  private readonly warmupSteps: number;

  /** `learningRate` 0.0025, `epsilon` 1e-8; the rate rises linearly over `warmupSteps` (0). */
  constructor(options: ScheduleFreeOptions = {}) {
    super(
      withDefaults<ScheduleFreeOptions>('ScheduleFreeAdamW', options, { epsilon: 1e-8 }, SCHEDULE_FREE_RULES),
      0.0025,
      SCHEDULE_FREE_RULES,
    );
    this.warmupSteps = options.warmupSteps ?? 0;
  }

  protected override createSlots(parameter: Tensor): Slots {
    return { momentum: parameter, velocity: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const rate = this.warmupSteps > 0 ? learningRate.mul(step.div(this.warmupSteps).minimum(1)) : learningRate;
    const v = slots['velocity']!;
    const velocity = v.add(
      gradient
        .square()
        .sub(v)
        .mul(1 - this.beta2),
    );
    const divisor = velocity.div(correction(this.beta2, step)).sqrt().add(this.epsilon);
    const z = slots['momentum']!.sub(gradient.mul(rate).div(divisor));
    const weight = step.reciprocal();
    // Keras 3.15 on TensorFlow reads z here after its update (the paper: before); so do we, so that trajectories agree.
    const average = parameter.sub(z.mul(1 - this.beta1)).div(this.beta1);
    const x = average.mul(weight.neg().add(1)).add(z.mul(weight));
    return { parameter: z.mul(1 - this.beta1).add(x.mul(this.beta1)), slots: { momentum: z, velocity } };
  }
}
