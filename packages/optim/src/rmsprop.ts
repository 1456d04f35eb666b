import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
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

const RULES = {
  ...OPTIMIZER_RULES,
  rho: rules.decay,
  momentum: rules.share,
  epsilon: rules.notNegative,
  centered: rules.flag,
} satisfies Rules<RMSpropOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<RMSpropOptions> = {
  learningRate: 0.001,
  rho: 0.9,
  momentum: 0,
  epsilon: 1e-7,
  centered: false,
};

/** v = mean of g^2; w -= lr * g / sqrt(v + epsilon) (Hinton 2012), with Keras' options. */
export class RMSprop extends Optimizer {
  readonly name = 'RMSprop';
  private readonly rho: number;
  private readonly momentum: number;
  private readonly epsilon: number;
  private readonly centered: boolean;

  constructor(options: RMSpropOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<RMSpropOptions>;
    this.rho = own.rho;
    this.momentum = own.momentum;
    this.epsilon = own.epsilon;
    this.centered = own.centered;
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
