import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { ADAM_RULES, AdamFamily, type AdamOptions, correction, moments } from './adam-family.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Adam} and {@link AdamW}. */
export interface AmsgradOptions extends AdamOptions {
  /** Divide by the largest v so far; false. */
  readonly amsgrad?: boolean;
}

/** Rules of those options. */
export const AMSGRAD_RULES: Rules<AmsgradOptions> = { ...ADAM_RULES, amsgrad: rules.flag };

/**
 * Adam (Kingma & Ba 2015): m = mean of g, v = mean of g^2, both exponentially weighted;
 * w -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon). `amsgrad` (Reddi et al. 2018) divides by the
 * largest v so far.
 */
export class Adam extends AdamFamily {
  readonly name: string = 'Adam';
  private readonly amsgrad: boolean;

  constructor(options: AmsgradOptions = {}) {
    super(options, { amsgrad: false } as AmsgradOptions, AMSGRAD_RULES);
    this.amsgrad = (this.options as Required<AmsgradOptions>).amsgrad;
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
