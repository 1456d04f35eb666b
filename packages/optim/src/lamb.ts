import type { Tensor } from '@recurra/tensor';
import { AdamFamily, type AdamOptions, correction, moments } from './adam-family.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Adam with each step scaled to the norm of its weights (You et al. 2020), for large batches. */
export class Lamb extends AdamFamily {
  readonly name = 'Lamb';

  constructor(options: AdamOptions = {}) {
    super(options);
  }

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
