import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { ADAM_RULES, AdamFamily, type AdamOptions, correction } from './adam-family.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link ScheduleFreeAdamW}; `learningRate` 0.0025, `epsilon` 1e-8. */
export interface ScheduleFreeOptions extends AdamOptions {
  /** The rate rises linearly over so many steps; 0. */
  readonly warmupSteps?: number;
}

// The average of its iterates divides by beta1.
const RULES = {
  ...ADAM_RULES,
  beta1: rules.openDecay,
  warmupSteps: rules.countOrZero,
} satisfies Rules<ScheduleFreeOptions>;

/**
 * Schedule-free AdamW (Defazio et al. 2024): an average of the iterates takes the place of a decaying learning rate.
 * z -= lr * g / (sqrt(v / (1 - beta2^t)) + epsilon); x moves to z by 1 / t: it is the mean of all z; the parameters are (1 - beta1) z + beta1 x.
 *
 * Steps are those of Keras 3.15 on JAX. On TensorFlow and PyTorch Keras takes x from z after its update, which differs from the paper.
 */
export class ScheduleFreeAdamW extends AdamFamily {
  readonly name = 'ScheduleFreeAdamW';
  private readonly warmupSteps: number;

  /** `learningRate` 0.0025, `epsilon` 1e-8; the rate rises linearly over `warmupSteps` (0). */
  constructor(options: ScheduleFreeOptions = {}) {
    const defaults: ScheduleFreeOptions = { learningRate: 0.0025, epsilon: 1e-8, warmupSteps: 0 };
    super(options, defaults, RULES);
    this.warmupSteps = (this.options as Required<ScheduleFreeOptions>).warmupSteps;
  }

  protected override createSlots(parameter: Tensor): Slots {
    return { momentum: parameter, velocity: parameter.zerosLike() };
  }

  /**
   * @internal The iterate that the parameters were made of: the one before this step, as in the paper, and in Keras on JAX. On TensorFlow and PyTorch Keras
   * 3.15 reads the one after it: what it keeps as the old value is the variable itself, which has been updated by then.
   */
  protected iterate(before: Tensor, _after: Tensor): Tensor {
    return before;
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
    const before = slots['momentum']!;
    const z = before.sub(gradient.mul(rate).div(divisor));
    const weight = step.reciprocal();
    const average = parameter.sub(this.iterate(before, z).mul(1 - this.beta1)).div(this.beta1);
    const x = average.mul(weight.neg().add(1)).add(z.mul(weight));
    return { parameter: z.mul(1 - this.beta1).add(x.mul(this.beta1)), slots: { momentum: z, velocity } };
  }
}
