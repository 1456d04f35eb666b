import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Lion}; `learningRate` 0.001. */
export interface LionOptions extends OptimizerOptions {
  /** Weight of the momentum in the step; 0.9. */
  readonly beta1?: number;
  /** Decay of the momentum; 0.99. */
  readonly beta2?: number;
}

const RULES = { ...OPTIMIZER_RULES, beta1: rules.decay, beta2: rules.decay } satisfies Rules<LionOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<LionOptions> = { learningRate: 0.001, beta1: 0.9, beta2: 0.99 };

/** Steps of one size: w -= lr * sign(beta1 * m + (1 - beta1) * g); m = beta2 * m + (1 - beta2) * g (Chen et al. 2023). */
export class Lion extends Optimizer {
  readonly name = 'Lion';
  private readonly beta1: number;
  private readonly beta2: number;

  constructor(options: LionOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<LionOptions>;
    this.beta1 = own.beta1;
    this.beta2 = own.beta2;
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
