import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Adadelta}; `learningRate` 0.001. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** Decay of both means; 0.95. */
  readonly rho?: number;
  /** Added under both roots; 1e-7. */
  readonly epsilon?: number;
}

const RULES = {
  ...OPTIMIZER_RULES,
  rho: rules.decay,
  epsilon: rules.notNegative,
} satisfies Rules<AdadeltaOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<AdadeltaOptions> = { learningRate: 0.001, rho: 0.95, epsilon: 1e-7 };

/** Steps in the unit of the weights: d = -rms(d) / rms(g) * g, w += lr * d (Zeiler 2012). */
export class Adadelta extends Optimizer {
  readonly name = 'Adadelta';
  private readonly rho: number;
  private readonly epsilon: number;

  constructor(options: AdadeltaOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<AdadeltaOptions>;
    this.rho = own.rho;
    this.epsilon = own.epsilon;
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
