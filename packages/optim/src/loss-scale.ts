import { treeLeaves, treeUnflatten } from '@recurra/autograd';
import { treeLeavesLike } from '@recurra/autograd/extend';
import { scalar, type Tensor, ValueError } from '@recurra/tensor';
import { checkRules, describeValue, type Rules, rules } from '@recurra/tensor/extend';
import { Optimizer, type OptimizerState } from './optimizer.js';
import type { LearningRate } from './schedule.js';
import { serializeOptimizer } from './serialize.js';
import type { Slots } from './slots.js';

/** Options of {@link LossScaleOptimizer}. */
export interface LossScaleOptions {
  /** The scale before the first step; 2^15. It falls quickly and rises slowly: begin high. */
  readonly initialScale?: number;
  /** Steps with finite gradients after which the scale doubles; 2000. */
  readonly dynamicGrowthSteps?: number;
  /** A name, for the configuration. */
  readonly name?: string | null;
}

const RULES: Rules<LossScaleOptions> = {
  initialScale: rules.positive,
  dynamicGrowthSteps: rules.count,
  name: rules.orNull(rules.text),
};

/** What Keras' configurations of this class held once, though only these values were allowed: they are read, and others refused. */
const FORMER: Readonly<Record<string, unknown>> = {
  weightDecay: null,
  clipnorm: null,
  globalClipnorm: null,
  clipvalue: null,
  useEma: false,
  emaMomentum: 0.99,
  emaOverwriteFrequency: null,
  lossScaleFactor: null,
  gradientAccumulationSteps: null,
};

/**
 * An optimizer around another one, with a loss scale that follows the gradients: one that is not finite halves the scale, and the step is left
 * out; after `dynamicGrowthSteps` finite ones the scale doubles. Keras `LossScaleOptimizer`.
 *
 * Throws `ValueError` for an inner optimizer with a `lossScaleFactor` of its own (Keras drops that one without a word).
 */
export class LossScaleOptimizer extends Optimizer {
  readonly name = 'LossScaleOptimizer';
  readonly inner: Optimizer;
  private readonly initialScale: number;
  private readonly growth: number;
  private readonly ownName: string | null;

  constructor(inner: Optimizer, options: LossScaleOptions = {}) {
    const label = 'LossScaleOptimizer';
    if (!(inner instanceof Optimizer) || inner instanceof LossScaleOptimizer || inner.options.lossScaleFactor !== null)
      throw new ValueError(
        `${label}: expected an optimizer without a loss scale of its own, received ${
          inner instanceof Optimizer && inner.options.lossScaleFactor !== null
            ? `${describeValue(inner)} with lossScaleFactor ${inner.options.lossScaleFactor}. Leave it out`
            : describeValue(inner)
        }`,
      );
    checkRules(label, options, RULES);
    super({ learningRate: inner.learningRate });
    const { initialScale = 2 ** 15, dynamicGrowthSteps = 2000, name = null } = options;
    this.inner = inner;
    this.initialScale = initialScale;
    this.growth = dynamicGrowthSteps;
    this.ownName = name;
  }

  /**
   * As {@link LossScaleOptimizer.getConfig} has it, with the inner optimizer made already: `deserializeOptimizer` makes both. Throws
   * `ValueError` for one that is still data.
   */
  static override fromConfig<O extends Optimizer>(
    this: new (
      inner: never,
      options?: never,
    ) => O,
    config: Readonly<Record<string, unknown>>,
  ): O {
    const { innerOptimizer, ...rest } = config;
    if (!(innerOptimizer instanceof Optimizer))
      throw new ValueError(
        `LossScaleOptimizer: expected innerOptimizer to be an Optimizer, received ${describeValue(innerOptimizer)}. Data are read by deserializeOptimizer.`,
      );
    const kept = Object.entries(rest).filter(([key, value]) => !(Object.hasOwn(FORMER, key) && FORMER[key] === value));
    return new this(innerOptimizer as never, Object.fromEntries(kept) as never);
  }

  override get keepsAverages(): boolean {
    return this.inner.keepsAverages;
  }

  protected createSlots(): Slots {
    return {};
  }

  protected step(): { parameter: Tensor; slots: Slots } {
    throw new ValueError('LossScaleOptimizer: expected update to be called, which the inner optimizer does');
  }

  override init(parameters: unknown): OptimizerState {
    const state = this.inner.init(parameters);
    const own = { stepCounter: scalar(0, 'int32'), dynamicScale: scalar(this.initialScale) };
    return { ...state, shared: { ...state.shared, ...own } };
  }

  override scaleLoss(loss: Tensor, state: OptimizerState): Tensor {
    return loss.mul(state.shared['dynamicScale'] ?? this.initialScale);
  }

  override update<T>(
    gradients: T,
    state: OptimizerState,
    parameters: T,
    learningRate?: Tensor,
  ): { parameters: T; state: OptimizerState } {
    const { stepCounter, dynamicScale, ...shared } = state?.shared ?? {};
    if (!stepCounter || !dynamicScale)
      throw new ValueError(
        `${this.name}: expected a state made by init of this optimizer, received ${describeValue(state)} without a loss scale`,
      );
    const leaves = treeLeavesLike(parameters, gradients, `${this.name}: gradients`);
    const finite = leaves.map((g) => g.isfinite().all()).reduce((a, b) => a.logicalAnd(b), scalar(1, 'bool'));
    const unscaled = treeUnflatten(
      parameters,
      leaves.map((g) => g.div(dynamicScale.cast(g.dtype))),
    );
    const before: OptimizerState = { ...state, shared };
    const next = this.inner.update(unscaled, before, parameters, ...(learningRate ? [learningRate] : []));
    // The step is computed in any case, and taken where it is finite: the same operations each time.
    const choose = <S>(after: S, last: S): S => {
      const kept = treeLeaves(last);
      return treeUnflatten(
        last,
        treeLeavesLike(last, after, this.name).map((value, i) => finite.select(value, kept[i]!)),
      );
    };
    const grown = stepCounter.equal(this.growth - 1);
    const counted = grown.select(stepCounter.zerosLike(), stepCounter.add(1));
    const { iteration, slots, averages, accumulators } = next.state;
    return {
      parameters: choose(next.parameters, parameters),
      state: {
        ...state,
        iteration: finite.select(iteration, before.iteration),
        slots: slots.map((own, i) => choose(own, before.slots[i]!)),
        averages: averages.map((own, i) => finite.select(own, before.averages[i]!)),
        accumulators: accumulators.map((own, i) => finite.select(own, before.accumulators[i]!)),
        shared: {
          ...choose(next.state.shared, shared),
          stepCounter: finite.select(counted, stepCounter.zerosLike()),
          dynamicScale: finite.select(grown.select(dynamicScale.mul(2), dynamicScale), dynamicScale.mul(0.5)),
        },
      },
    };
  }

  override finalize<T>(state: OptimizerState, parameters: T): T {
    const { stepCounter: _counter, dynamicScale: _scale, ...shared } = state.shared;
    return this.inner.finalize({ ...state, shared }, parameters);
  }

  override getConfig(learningRate: LearningRate = this.inner.learningRate): Readonly<Record<string, unknown>> {
    return {
      name: this.ownName ?? 'loss_scale_optimizer',
      innerOptimizer: serializeOptimizer(this.inner, learningRate),
      initialScale: this.initialScale,
      dynamicGrowthSteps: this.growth,
    };
  }
}
