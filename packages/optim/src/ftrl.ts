import { full, type Tensor } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import { OPTIMIZER_RULES, Optimizer, type OptimizerOptions, type OwnDefaults, type StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** Options of {@link Ftrl}; `learningRate` 0.001. */
export interface FtrlOptions extends OptimizerOptions {
  /** Exponent of the adaptive rate, <= 0; -0.5. */
  readonly learningRatePower?: number;
  /** Start of the sum of squares; 0.1. */
  readonly initialAccumulatorValue?: number;
  readonly l1RegularizationStrength?: number;
  readonly l2RegularizationStrength?: number;
  readonly l2ShrinkageRegularizationStrength?: number;
  readonly beta?: number;
}

const RULES = {
  ...OPTIMIZER_RULES,
  learningRatePower: rules.notPositive,
  initialAccumulatorValue: rules.notNegative,
  l1RegularizationStrength: rules.notNegative,
  l2RegularizationStrength: rules.notNegative,
  l2ShrinkageRegularizationStrength: rules.notNegative,
  beta: rules.notNegative,
} satisfies Rules<FtrlOptions>;

/** In the order of Keras' configuration. */
const DEFAULTS: OwnDefaults<FtrlOptions> = {
  learningRate: 0.001,
  learningRatePower: -0.5,
  initialAccumulatorValue: 0.1,
  l1RegularizationStrength: 0,
  l2RegularizationStrength: 0,
  l2ShrinkageRegularizationStrength: 0,
  beta: 0,
};

/** "Follow the regularized leader" with L1 and L2 terms (McMahan et al. 2013), for sparse linear models. */
export class Ftrl extends Optimizer {
  readonly name = 'Ftrl';
  private readonly power: number;
  private readonly start: number;
  private readonly l1: number;
  private readonly l2: number;
  private readonly shrinkage: number;
  private readonly beta: number;

  constructor(options: FtrlOptions = {}) {
    super(options, DEFAULTS, RULES);
    const own = this.options as Required<FtrlOptions>;
    this.power = -own.learningRatePower;
    this.start = own.initialAccumulatorValue;
    this.l1 = own.l1RegularizationStrength;
    this.l2 = own.l2RegularizationStrength;
    this.shrinkage = own.l2ShrinkageRegularizationStrength;
    this.beta = own.beta;
  }

  protected createSlots(parameter: Tensor): Slots {
    return { accumulator: full(parameter.shape, this.start, parameter.dtype), linear: parameter.zerosLike() };
  }

  protected step({ parameter, gradient, slots, learningRate }: StepContext): { parameter: Tensor; slots: Slots } {
    const last = slots['accumulator']!;
    const accumulator = last.add(gradient.square());
    const rise = accumulator.pow(this.power).sub(last.pow(this.power)).div(learningRate);
    const linear = slots['linear']!.add(gradient.add(parameter.mul(2 * this.shrinkage))).sub(rise.mul(parameter));
    const l2 = learningRate
      .reciprocal()
      .mul(this.beta / 2)
      .add(this.l2);
    const quadratic = accumulator.pow(this.power).div(learningRate).add(l2.mul(2));
    return { parameter: linear.clip(-this.l1, this.l1).sub(linear).div(quadratic), slots: { accumulator, linear } };
  }
}
