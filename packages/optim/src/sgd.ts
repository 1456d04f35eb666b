import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link SGD}; `learningRate` 0.01. */
export interface SGDOptions extends OptimizerOptions {
  /** Share of the last step that is repeated; 0. */
  readonly momentum?: number;
  /** Look ahead along the momentum (Nesterov); false. */
  readonly nesterov?: boolean;
}

const RULES = { ...OPTIMIZER_RULES, momentum: rules.share, nesterov: rules.flag } satisfies Rules<SGDOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<SGDOptions> = { learningRate: 0.01, momentum: 0, nesterov: false };

/**
 * Stochastic gradient descent: w -= lr * g; with momentum v = momentum * v - lr * g and w += v, or, with Nesterov's,
 * w += momentum * v - lr * g.
 */
export class SGD extends Optimizer {
  readonly name = 'SGD';
  private readonly momentum: number;
  private readonly nesterov: boolean;

  constructor(options: SGDOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<SGDOptions>;
    this.momentum = own.momentum;
    this.nesterov = own.nesterov;
  }

  protected createSlots(parameter: Tensor): Slots {
    return this.momentum === 0 ? {} : { momentum: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const move = gradient.mul(learningRate);
    if (this.momentum === 0) return { parameter: parameter.sub(move), slots };
    const momentum = slots['momentum']!.mul(this.momentum).sub(move);
    const step = this.nesterov ? momentum.mul(this.momentum).sub(move) : momentum;
    return { parameter: parameter.add(step), slots: { momentum } };
  }
}
