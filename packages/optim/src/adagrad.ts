import { full, type Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Adagrad}; `learningRate` 0.001. */
export interface AdagradOptions extends OptimizerOptions {
  /** Start of the sum of squares; 0.1. */
  readonly initialAccumulatorValue?: number;
  /** Keeps the division finite; 1e-7. */
  readonly epsilon?: number;
}

const RULES = {
  ...OPTIMIZER_RULES,
  initialAccumulatorValue: rules.notNegative,
  epsilon: rules.notNegative,
} satisfies Rules<AdagradOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<AdagradOptions> = { learningRate: 0.001, initialAccumulatorValue: 0.1, epsilon: 1e-7 };

/** a += g^2; w -= lr * g / sqrt(a + epsilon) (Duchi et al. 2011). */
export class Adagrad extends Optimizer {
  readonly name = 'Adagrad';
  private readonly start: number;
  private readonly epsilon: number;

  constructor(options: AdagradOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<AdagradOptions>;
    this.start = own.initialAccumulatorValue;
    this.epsilon = own.epsilon;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { accumulator: full(parameter.shape, this.start, parameter.dtype) };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const accumulator = slots['accumulator']!.add(gradient.square());
    const move = gradient.mul(learningRate).div(accumulator.add(this.epsilon).sqrt());
    return { parameter: parameter.sub(move), slots: { accumulator } };
  }
}
