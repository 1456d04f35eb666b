import { treeLeaves, treeUnflatten } from '@recurra/autograd';
import { treeLeavesLike, treePaths } from '@recurra/autograd/extend';
import { ShapeError, scalar, Tensor, ValueError } from '@recurra/tensor';
import {
  describeValue,
  formatShape,
  isSerialized,
  type Rule,
  type Rules,
  rules,
  sameShape,
  snakeCase,
  withDefaults,
} from '@recurra/tensor/extend';
import { clipByGlobalNorm, clipByNorm } from './clip.js';
import { deserializeSchedule, type LearningRate, learningRateAt, RATE, serializeSchedule } from './schedule.js';
import { checkLayout, inOrderOf, keyOf, type Layout, layoutOf, type Slots, withoutSubnormals } from './slots.js';

/** Options that all optimizers share (Keras' names, in camelCase). At most one of the three clippings may be given. */
export interface OptimizerOptions {
  /** Step size, or a schedule of it. */
  readonly learningRate?: LearningRate;
  /** Decoupled weight decay: each step first shrinks the parameters by learningRate * weightDecay. `null`: none. */
  readonly weightDecay?: number | null;
  /** Parameters that do not decay: texts or expressions found in their paths, e.g. `['bias']`. */
  readonly excludeFromWeightDecay?: readonly (string | RegExp)[];
  /** Each gradient is scaled down to at most this norm. */
  readonly clipnorm?: number | null;
  /** Each element of the gradients is clipped to [-clipvalue, clipvalue]. */
  readonly clipvalue?: number | null;
  /** All gradients are scaled down together to at most this norm. */
  readonly globalClipnorm?: number | null;
  /** Keep an exponential moving average of the parameters; `finalize` returns it. */
  readonly useEma?: boolean;
  /** Momentum of the average; 0.99. */
  readonly emaMomentum?: number;
  /** Overwrite the parameters with the average every so many steps. `null`: only in `finalize`. */
  readonly emaOverwriteFrequency?: number | null;
  /**
   * Gradients are divided by it: they are of a loss that {@link Optimizer.scaleLoss} multiplied by it, as `fit` does. A loop of your own
   * calls `scaleLoss`, too. `null`: neither.
   */
  readonly lossScaleFactor?: number | null;
  /** Average the gradients of so many calls before each real step. */
  readonly gradientAccumulationSteps?: number | null;
  /** A name, for the configuration; that of the class. */
  readonly name?: string | null;
}

/** The defaults, in the order of Keras' configuration. */
const DEFAULTS: Required<OptimizerOptions> = {
  name: null,
  learningRate: 0.001,
  weightDecay: null,
  clipnorm: null,
  globalClipnorm: null,
  clipvalue: null,
  useEma: false,
  emaMomentum: 0.99,
  emaOverwriteFrequency: null,
  lossScaleFactor: null,
  gradientAccumulationSteps: null,
  excludeFromWeightDecay: [],
};

/** The rules of the options that all optimizers share; each class spreads them into its own. */
export const OPTIMIZER_RULES: Rules<OptimizerOptions> = {
  learningRate: RATE,
  weightDecay: rules.orNull(rules.notNegative),
  excludeFromWeightDecay: rules.patterns,
  clipnorm: rules.orNull(rules.positive),
  clipvalue: rules.orNull(rules.positive),
  globalClipnorm: rules.orNull(rules.positive),
  useEma: rules.flag,
  emaMomentum: rules.share,
  emaOverwriteFrequency: rules.orNull(rules.count),
  gradientAccumulationSteps: rules.orNull(rules.count),
  lossScaleFactor: rules.orNull(rules.positive),
  name: rules.orNull(rules.text),
};

/** Defaults of a class: of all options that are its own, and of shared ones where they are others. */
export type OwnDefaults<T extends OptimizerOptions> = OptimizerOptions & Required<Omit<T, keyof OptimizerOptions>>;

/** Rules for whatever options there are, which take any value. */
function namesOf(options: OptimizerOptions): Readonly<Record<string, Rule>> {
  return Object.fromEntries(Object.keys(options ?? {}).map((key) => [key, rules.anything]));
}

/** The state of an optimizer: a tree of tensors, made by `init` and replaced by every `update`. */
export interface OptimizerState {
  /** Calls of `update` so far. int32 scalar. */
  readonly iteration: Tensor;
  /** Per parameter, in the order of the leaves that `init` saw. */
  readonly slots: readonly Slots[];
  /** Values of the optimizer as a whole. */
  readonly shared: Slots;
  /** Moving averages of the parameters, with `useEma`. */
  readonly averages: readonly Tensor[];
  /** Sums of gradients, with `gradientAccumulationSteps`. */
  readonly accumulators: readonly Tensor[];
  /**
   * The places of the parameters that `init` saw, in the order of `slots`: parameters whose keys come in another order later meet
   * their own slots. Without it, the order of the parameters' leaves counts.
   */
  readonly paths?: readonly string[];
}

/** What a rule gets for one parameter. */
export interface StepContext {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly slots: Slots;
  readonly shared: Slots;
  readonly learningRate: Tensor;
  /** 1 in the first step; a float32 scalar. */
  readonly step: Tensor;
}

/**
 * A first-order optimizer as pure functions over trees: `init(parameters)` makes the state, `update(gradients, state,
 * parameters)` returns new parameters and a new state, and changes nothing. Formulas and defaults are Keras'.
 */
export abstract class Optimizer {
  /** The class name in Keras. */
  abstract readonly name: string;
  readonly learningRate: LearningRate;
  /** All options, with defaults in the place of those that were not given. */
  readonly options: Required<OptimizerOptions>;
  /** What `createSlots` makes, by path, dtype and shape of the parameter. */
  private readonly layouts = new Map<string, Layout>();
  private sharedLayout: Layout | null = null;

  /**
   * `defaults` has the class's own options, in the order of its configuration, and shared ones whose default is another; `table` has a rule
   * for each option of the class; a class of your own that gives none takes any further options.
   * Throws `ValueError` for options that are unknown or out of range, and for more than one kind of clipping.
   */
  constructor(
    options: OptimizerOptions = {},
    defaults: OptimizerOptions = {},
    table: Rules<OptimizerOptions> = OPTIMIZER_RULES,
  ) {
    const label = new.target.name;
    const known = table === OPTIMIZER_RULES ? { ...namesOf(options), ...table } : table;
    this.options = withDefaults(label, options, { ...DEFAULTS, ...defaults }, known) as Required<OptimizerOptions>;
    this.learningRate = this.options.learningRate;
    const clips = (['clipnorm', 'clipvalue', 'globalClipnorm'] as const).filter((k) => this.options[k] !== null);
    if (clips.length > 1)
      throw new ValueError(
        `${label}: expected at most one of clipnorm, clipvalue and globalClipnorm, received ${clips.join(' and ')}`,
      );
  }

  /** The slots of one parameter before the first step. */
  protected abstract createSlots(parameter: Tensor, path: string): Slots;

  /** One step of one parameter: its new value and slots. */
  protected abstract step(context: StepContext): { parameter: Tensor; slots: Slots };

  /** Values shared by all parameters before the first step. */
  protected createShared(): Slots {
    return {};
  }

  /** The shared values of a step, from those of the step before. */
  protected advanceShared(shared: Slots, _step: Tensor): Slots {
    return shared;
  }

  /** The decay of one parameter; overridden where parameters are treated in different ways. */
  protected weightDecayOf(_parameter: Tensor, _path: string): number | null {
    return this.options.weightDecay;
  }

  /**
   * The loss that gradients are taken of: times `lossScaleFactor`, so that small gradients do not vanish; `update` takes the factor out of
   * them again. Keras `scale_loss`.
   */
  scaleLoss(loss: Tensor, _state: OptimizerState): Tensor {
    const { lossScaleFactor } = this.options;
    return lossScaleFactor === null ? loss : loss.mul(lossScaleFactor);
  }

  /** Does its state keep moving averages of the parameters? */
  get keepsAverages(): boolean {
    return this.options.useEma;
  }

  /**
   * All options as plain data, in Keras' order, its names in camelCase; `fromConfig` makes the optimizer again. Throws `ValueError` for a
   * schedule of your own, which is no data.
   * @param learningRate the rate as it is now, where it was set after
   */
  getConfig(learningRate: LearningRate = this.learningRate): Readonly<Record<string, unknown>> {
    const { excludeFromWeightDecay, name, ...rest } = this.options;
    return {
      name: name ?? snakeCase(this.name),
      ...rest,
      learningRate: typeof learningRate === 'number' ? learningRate : serializeSchedule(learningRate),
      // Keras sets it by a method, and does not save it.
      ...(excludeFromWeightDecay.length > 0 ? { excludeFromWeightDecay: excludeFromWeightDecay.map(patternData) } : {}),
    };
  }

  /**
   * The optimizer that {@link getConfig} describes, or Keras' `get_config` with its keys in camelCase; without its state. Throws `ValueError` as
   * the constructor does.
   */
  static fromConfig<O extends Optimizer>(
    this: new (
      options: never,
    ) => O,
    config: Readonly<Record<string, unknown>>,
  ): O {
    const { learningRate, excludeFromWeightDecay } = config;
    return new this({
      ...config,
      ...(isSerialized(learningRate) ? { learningRate: deserializeSchedule(learningRate) } : {}),
      ...(Array.isArray(excludeFromWeightDecay)
        ? { excludeFromWeightDecay: excludeFromWeightDecay.map(patternFrom) }
        : {}),
    } as never);
  }

  /** The state before the first step, for parameters of this structure. */
  init(parameters: unknown): OptimizerState {
    const leaves = treeLeaves(parameters);
    const { useEma, gradientAccumulationSteps } = this.options;
    const places = treePaths(parameters);
    return {
      iteration: scalar(0, 'int32'),
      slots: leaves.map((leaf, i) => {
        const slots = this.createSlots(leaf, places[i]!);
        this.layouts.set(`${places[i]} ${keyOf(leaf)}`, layoutOf(slots));
        return slots;
      }),
      shared: this.createShared(),
      averages: useEma ? leaves.map((leaf) => leaf.zerosLike()) : [],
      accumulators: gradientAccumulationSteps ? leaves.map((leaf) => leaf.zerosLike()) : [],
      paths: places,
    };
  }

  /** The learning rate that the next step will use. */
  currentLearningRate(state: OptimizerState): Tensor {
    return learningRateAt(this.learningRate, this.checkMade(state).iteration);
  }

  /**
   * One step. `gradients` has the structure of `parameters`, and meets it by key; `state` was made by `init` for parameters of this
   * structure, or by `update`, and the new state has its structure, to the order of keys.
   * Throws `ShapeError` where a gradient has not the shape of its parameter, `ValueError` where the structures differ.
   */
  update<T>(
    gradients: T,
    state: OptimizerState,
    parameters: T,
    learningRate: Tensor = this.currentLearningRate(state),
  ): { parameters: T; state: OptimizerState } {
    if (!(learningRate instanceof Tensor) || learningRate.rank !== 0)
      throw new ValueError(
        `${this.name}: expected the learning rate of a step to be a scalar tensor, received ${describeValue(learningRate)}`,
      );
    const order = this.orderOf(state, parameters);
    const values = inOrder(treeLeaves(parameters), order);
    const paths = inOrder(treePaths(parameters), order);
    let grads = inOrder(treeLeavesLike(parameters, gradients, `${this.name}: gradients`), order);
    grads.forEach((g, i) => {
      if (!sameShape(g.shape, values[i]!.shape))
        throw new ShapeError(
          `${this.name}: expected a gradient of shape ${formatShape(values[i]!.shape)} for "${paths[i]}", received ${formatShape(g.shape)}`,
        );
    });
    this.checkState(state, values, paths);
    const { gradientAccumulationSteps, useEma, emaMomentum, emaOverwriteFrequency, lossScaleFactor } = this.options;
    if (lossScaleFactor !== null) grads = grads.map((g) => g.div(lossScaleFactor));
    const count = state.iteration.add(1);
    let accumulators = state.accumulators;
    let due: Tensor | null = null;
    if (gradientAccumulationSteps) {
      const sums = grads.map((g, i) => g.add(state.accumulators[i]!));
      due = count.mod(gradientAccumulationSteps).equal(0);
      accumulators = sums.map((sum) => due!.select(sum.zerosLike(), sum));
      grads = sums.map((sum) => sum.div(gradientAccumulationSteps));
    }
    grads = this.clip(grads);
    // With accumulation, formulas count the real steps.
    const taken = gradientAccumulationSteps ? state.iteration.floorDivide(gradientAccumulationSteps) : state.iteration;
    const step = taken.add(1).cast('float32');
    const advanced = inOrderOf(state.shared, this.advanceShared(state.shared, step), `${this.name}: shared state`);
    const results = values.map((value, i) => {
      const decay = this.excluded(paths[i]!) ? null : this.weightDecayOf(value, paths[i]!);
      const parameter = decay === null ? value : value.sub(value.mul(learningRate.mul(decay)));
      const context = { parameter, gradient: grads[i]!, slots: state.slots[i]!, shared: advanced, learningRate, step };
      const result = this.step(context);
      // A rule may name its slots in any order; the state keeps the one that it has.
      return {
        parameter: result.parameter,
        slots: inOrderOf(state.slots[i]!, withoutSubnormals(result.slots), `${this.name}: slots of "${paths[i]}"`),
      };
    });
    // With accumulation the step is computed in every call, and taken when it is due: the same operations each time.
    const choose = (next: Tensor, last: Tensor): Tensor => (due ? due.select(next, last) : next);
    const chooseAll = (next: Slots, last: Slots): Slots =>
      due ? Object.fromEntries(Object.entries(next).map(([k, v]) => [k, choose(v, last[k]!)])) : next;
    let next = results.map((r, i) => choose(r.parameter, values[i]!));
    const slots = results.map((r, i) => chooseAll(r.slots, state.slots[i]!));
    let averages = state.averages;
    if (useEma) {
      const momentum = taken.notEqual(0).cast('float32').mul(emaMomentum);
      averages = next.map((value, i) => momentum.mul(state.averages[i]!).add(momentum.neg().add(1).mul(value)));
      if (emaOverwriteFrequency) {
        const overwrite = taken.add(1).mod(emaOverwriteFrequency).equal(0);
        next = next.map((value, i) => overwrite.select(averages[i]!, value));
      }
    }
    return {
      parameters: treeUnflatten(parameters, inParameters(next, order)),
      state: {
        ...state,
        iteration: count,
        slots,
        shared: chooseAll(advanced, state.shared),
        averages,
        accumulators,
      },
    };
  }

  /** What training leaves at its end: the moving averages with `useEma`, else the parameters themselves. */
  finalize<T>(state: OptimizerState, parameters: T): T {
    if (!this.options.useEma) return parameters;
    return treeUnflatten(parameters, inParameters(state.averages, this.orderOf(state, parameters)));
  }

  private checkMade(state: OptimizerState): OptimizerState {
    if (!(state?.iteration instanceof Tensor))
      throw new ValueError(`${this.name}: expected a state made by init, received ${describeValue(state)}`);
    return state;
  }

  /**
   * For each slot of the state, which leaf of the parameters it belongs to; `null` where the orders agree.
   * Throws `ValueError` where the state was made for other parameters.
   */
  private orderOf(state: OptimizerState, parameters: unknown): readonly number[] | null {
    const paths = treePaths(parameters);
    const known = this.checkMade(state).paths;
    if (!known || (known.length === paths.length && known.every((path, i) => path === paths[i]))) return null;
    const order = known.map((path) => paths.indexOf(path));
    if (known.length !== paths.length || order.includes(-1) || new Set(order).size !== order.length)
      throw new ValueError(
        `${this.name}: expected a state and parameters of one structure, received a state for [${known.join(', ')}] and the parameters [${paths.join(', ')}]. Call init with these parameters.`,
      );
    return order;
  }

  /** Throws `ValueError` unless the state is as `init` makes it for these parameters: numbers, names, shapes and dtypes. */
  private checkState(state: OptimizerState, values: readonly Tensor[], paths: readonly string[]): void {
    const { useEma, gradientAccumulationSteps } = this.options;
    const expected = { slots: true, averages: useEma === true, accumulators: Boolean(gradientAccumulationSteps) };
    for (const [key, used] of Object.entries(expected) as [keyof typeof expected, boolean][])
      if (state[key]?.length !== (used ? values.length : 0))
        throw new ValueError(
          `${this.name}: expected a state made by init of this optimizer, with ${used ? values.length : 0} ${key} for ${values.length} parameters, received ${state[key]?.length ?? 'none'}`,
        );
    checkLayout({ iteration: 'int32 []' }, { iteration: state.iteration }, `${this.name}: state`);
    values.forEach((value, i) => {
      const key = keyOf(value);
      const place = `${paths[i]} ${key}`;
      let layout = this.layouts.get(place);
      if (!layout) {
        layout = layoutOf(this.createSlots(value, paths[i]!));
        this.layouts.set(place, layout);
      }
      checkLayout(layout, state.slots[i]!, `${this.name}: slots of "${paths[i]}"`);
      for (const of of ['averages', 'accumulators'] as const) {
        const own = state[of][i];
        if (own) checkLayout({ [of]: key }, { [of]: own }, `${this.name}: ${of} of "${paths[i]}"`);
      }
    });
    this.sharedLayout ??= layoutOf(this.createShared());
    checkLayout(this.sharedLayout, state.shared, `${this.name}: shared state`);
  }

  private excluded(path: string): boolean {
    // `search` begins at the start of the text, whatever flags an expression has; `test` goes on from its last match.
    return this.options.excludeFromWeightDecay.some((pattern) =>
      typeof pattern === 'string' ? path.includes(pattern) : path.search(pattern) >= 0,
    );
  }

  private clip(gradients: Tensor[]): Tensor[] {
    const { clipnorm, clipvalue, globalClipnorm } = this.options;
    if (clipnorm) return gradients.map((g) => clipByNorm(g, clipnorm));
    if (globalClipnorm) return clipByGlobalNorm(gradients, globalClipnorm);
    if (clipvalue) return gradients.map((g) => g.clip(-clipvalue, clipvalue));
    return gradients;
  }
}

/** A pattern as data: a text as it is, an expression as its source and flags. */
const patternData = (pattern: string | RegExp): unknown =>
  typeof pattern === 'string' ? pattern : { pattern: pattern.source, flags: pattern.flags };

/** What {@link patternData} wrote; the rule of the option refuses what is left as it is. */
function patternFrom(data: unknown): unknown {
  const { pattern, flags = '' } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  return typeof pattern === 'string' && typeof flags === 'string' ? new RegExp(pattern, flags) : data;
}

/** The values of parameters' leaves in the order of a state. */
function inOrder<V>(leaves: readonly V[], order: readonly number[] | null): V[] {
  return order ? order.map((i) => leaves[i]!) : [...leaves];
}

/** What is in the order of a state in that of the parameters' leaves. */
function inParameters<V>(values: readonly V[], order: readonly number[] | null): readonly V[] {
  return order ? values.map((_, leaf) => values[order.indexOf(leaf)]!) : values;
}
