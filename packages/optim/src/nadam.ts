import { scalar, type Tensor } from '@recurra/tensor';
import { AdamFamily, type AdamOptions, correction, moments } from './adam-family.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Adam with Nesterov's momentum under the schedule u_t = beta1 * (1 - 0.96^t / 2) (Dozat 2016). */
export class Nadam extends AdamFamily {
  readonly name = 'Nadam';

  constructor(options: AdamOptions = {}) {
    super(options);
  }

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
