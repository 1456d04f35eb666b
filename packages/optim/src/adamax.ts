import type { Tensor } from '@recurra/tensor';
import { AdamFamily, type AdamOptions, correction } from './adam-family.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Adam with the infinity norm: u = max(beta2 * u, |g|); w -= lr / (1 - beta1^t) * m / (u + epsilon). */
export class Adamax extends AdamFamily {
  readonly name = 'Adamax';

  constructor(options: AdamOptions = {}) {
    super(options);
  }

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
