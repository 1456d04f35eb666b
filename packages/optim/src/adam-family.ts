import { scalar, type Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults } from './optimizer.js';
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

/** Rules of those options. */
export const ADAM_RULES: Rules<AdamOptions> = {
  ...OPTIMIZER_RULES,
  beta1: rules.decay,
  beta2: rules.decay,
  epsilon: rules.notNegative,
};

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<AdamOptions> = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

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
export abstract class AdamFamily extends Optimizer {
  protected readonly beta1: number;
  protected readonly beta2: number;
  protected readonly epsilon: number;

  constructor(options: AdamOptions = {}, defaults: AdamOptions = {}, rules: Rules<AdamOptions> = ADAM_RULES) {
    super(options, { ...DEFAULTS, ...defaults }, rules);
    const own = this.options as Required<AdamOptions>;
    this.beta1 = own.beta1;
    this.beta2 = own.beta2;
    this.epsilon = own.epsilon;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { momentum: parameter.zerosLike(), velocity: parameter.zerosLike() };
  }
}
