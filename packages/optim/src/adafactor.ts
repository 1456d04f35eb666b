import type { Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Adafactor}; `learningRate` 0.001. */
export interface AdafactorOptions extends OptimizerOptions {
  /** beta2 at step t is 1 - t^beta2Decay; -0.8. */
  readonly beta2Decay?: number;
  /** Added to squared gradients; 1e-30. */
  readonly epsilon1?: number;
  /** Lowest scale of the parameters; 1e-3. */
  readonly epsilon2?: number;
  /** Largest root mean square of a step before the rate; 1. */
  readonly clipThreshold?: number;
  /**
   * Let the rate be at most 1 / sqrt(t); true. With `false` it is the learning rate itself, as documented by Keras, whose 3.15 limits
   * the rate in both cases.
   */
  readonly relativeStep?: boolean;
}

const RULES = {
  ...OPTIMIZER_RULES,
  beta2Decay: rules.notPositive,
  epsilon1: rules.notNegative,
  epsilon2: rules.notNegative,
  clipThreshold: rules.positive,
  relativeStep: rules.flag,
} satisfies Rules<AdafactorOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<AdafactorOptions> = {
  learningRate: 0.001,
  beta2Decay: -0.8,
  epsilon1: 1e-30,
  epsilon2: 1e-3,
  clipThreshold: 1,
  relativeStep: true,
};

/** Adam without a full second moment: for matrices, row and column means stand for it (Shazeer & Stern 2018). */
export class Adafactor extends Optimizer {
  readonly name = 'Adafactor';
  private readonly decay: number;
  private readonly epsilon1: number;
  private readonly epsilon2: number;
  private readonly threshold: number;
  private readonly relativeStep: boolean;

  constructor(options: AdafactorOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<AdafactorOptions>;
    this.decay = own.beta2Decay;
    this.epsilon1 = own.epsilon1;
    this.epsilon2 = own.epsilon2;
    this.threshold = own.clipThreshold;
    this.relativeStep = own.relativeStep;
  }

  protected createSlots(parameter: Tensor): Slots {
    return parameter.rank < 2
      ? { velocity: parameter.zerosLike() }
      : { rows: parameter.sum(-1).zerosLike(), columns: parameter.sum(-2).zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate, step }: StepContext): { parameter: Tensor; slots: Slots } {
    const rms = (x: Tensor): Tensor => x.square().mean().sqrt();
    const limited = this.relativeStep ? learningRate.minimum(step.rsqrt()) : learningRate;
    const rate = limited.mul(rms(parameter).maximum(this.epsilon2));
    const square = gradient.square().add(this.epsilon1);
    const keep = step.pow(this.decay).neg().add(1);
    const mean = (m: Tensor, x: Tensor): Tensor => m.mul(keep).add(x.mul(keep.neg().add(1)));
    let direction: Tensor;
    let next: Slots;
    if (parameter.rank < 2) {
      const velocity = mean(slots['velocity']!, square);
      direction = gradient.div(velocity.sqrt());
      next = { velocity };
    } else {
      const rows = mean(slots['rows']!, square.mean(-1));
      const columns = mean(slots['columns']!, square.mean(-2));
      const share = rows.div(rows.mean(-1, { keepDims: true }));
      // Root by root: where a row and a column have had no gradient, their product is too small for float32, and 0 / 0 would be NaN (as in Keras).
      direction = gradient.div(share.sqrt().expandDims(-1)).div(columns.sqrt().expandDims(-2));
      next = { rows, columns };
    }
    const clipped = direction.div(rms(direction).div(this.threshold).maximum(1));
    return { parameter: parameter.sub(clipped.mul(rate)), slots: next };
  }
}
