import { Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { camelCase, checkRules, describeValue, normalizeAxis, type Rule } from '@recurra/tensor/extend';
import { classNameToName } from '../internal/class-name.js';
import { expectConfig } from '../internal/configuration.js';
import { floating } from '../internal/floating.js';
import { alignRanks, asPredictions, asTargets, joinWeights } from './alignment.js';
import { checkNamed, WEIGHING } from './options.js';

/** How the losses of single samples become one number. */
export type Reduction = 'sumOverBatchSize' | 'sum' | 'mean' | 'meanWithSampleWeight' | 'none';

const REDUCTIONS: readonly Reduction[] = ['sumOverBatchSize', 'sum', 'mean', 'meanWithSampleWeight', 'none'];

const COMMON = { reduction: true, name: true };
const COMMON_RULES: Readonly<Record<string, Rule>> = {
  reduction: {
    expected: `one of ${REDUCTIONS.map((r) => `'${r}'`).join(', ')}, or null`,
    accepts: (v) => v === null || (typeof v === 'string' && REDUCTIONS.includes(camelCase(v) as Reduction)),
  },
};

/** Options of every loss. */
export interface LossOptions {
  /**
   * 'sumOverBatchSize' ('mean'): the mean over all losses, whatever the weights. 'meanWithSampleWeight': divided by the sum of the weights
   * instead. 'sum', 'none' (or `null`): as they are.
   */
  readonly reduction?: Reduction | null;
  readonly name?: string;
}

/** A loss as plain data: its options, under Keras' names in camelCase. */
export interface LossConfig {
  readonly name: string;
  readonly reduction: Reduction;
  readonly [option: string]: unknown;
}

/** Weights and mask of a batch. */
export interface LossWeights {
  /** [n] weighs samples, [n, time] their steps. */
  readonly sampleWeight?: TensorLike | null;
  /** Which steps of the predictions count. */
  readonly mask?: Tensor | null;
}

/**
 * The distance between predictions and targets. `call` gives one number per sample; `apply` weighs and reduces them.
 *
 * Shapes meet by the rule of `alignment.ts`: targets have the predictions' shape (a last axis of size 1 apart), weights and masks begin at
 * the first axis.
 */
export abstract class Loss {
  /** Keras' name of the class. */
  readonly className: string;
  readonly name: string;
  readonly reduction: Reduction;
  /** A loss is better when smaller. */
  readonly direction = 'down' as const;
  /** The axis (or axes) of the predictions that `call` folds; `null`: all. */
  protected readonly folded: number | readonly number[] | null = -1;
  protected readonly fields: Readonly<Record<string, unknown>>;

  /**
   * @param name the name of losses of the class that have no own
   * @param defaults the class's own options with their defaults; others are refused
   * @param className Keras' name of the class; by default that of the JavaScript class
   * @param classRules what the class's own options may be, where that is no rule of all classes (`losses/options.ts`)
   */
  constructor(
    name: string,
    options: LossOptions = {},
    defaults: Readonly<Record<string, unknown>> = {},
    className?: string,
    classRules: Readonly<Record<string, Rule>> = {},
  ) {
    this.className = className ?? new.target.name;
    // What a class of one's own takes beside these, it checks itself.
    const { reduction = 'sumOverBatchSize', name: own = name } = options ?? {};
    if (className === undefined) checkNamed(this.className, { reduction, name: own }, COMMON, COMMON_RULES);
    else checkNamed(className, options, { ...COMMON, ...defaults }, { ...COMMON_RULES, ...classRules });
    this.name = own;
    this.reduction = reduction === null ? 'none' : (camelCase(reduction) as Reduction);
    const given = options as Readonly<Record<string, unknown>>;
    this.fields = Object.fromEntries(
      Object.entries(defaults).map(([key, value]) => [key, given[key] === undefined ? value : given[key]]),
    );
  }

  /** One loss per sample (the last axis is folded). */
  abstract call(yTrue: Tensor, yPred: Tensor): Tensor;

  /** Which values count, by labels and losses; `null`: all. */
  protected labelMask(_yTrue: Tensor, _yPred: Tensor, _values: Tensor): Tensor | null {
    return null;
  }

  /**
   * The reduced loss, with optional weights (of the samples, or of their steps) and mask. Throws `ShapeError` where shapes do not fit, and
   * where weights would have to weigh an axis that the loss folds.
   */
  apply(yTrue: TensorLike, yPred: TensorLike, options: LossWeights = {}): Tensor {
    checkRules<LossWeights>(this.className, options, WEIGHING);
    const [target, predictions] = alignRanks(
      asTargets(yTrue, this.className),
      floating(asPredictions(yPred, this.className)),
    );
    const values = this.values(target, predictions, options.mask ?? null);
    const own = this.labelMask(target, predictions, values);
    const given = values.rank === 0 ? null : this.lossMask(options.mask ?? null, predictions);
    const mask = own && given ? own.logicalAnd(given) : (own ?? given);
    if (options.sampleWeight !== undefined && options.sampleWeight !== null) this.expectUnfolded(0, predictions);
    const weights = joinWeights({ sampleWeight: options.sampleWeight, mask }, values, this.className, {
      rescale: this.reduction === 'mean' || this.reduction === 'sumOverBatchSize',
    });
    return reduceValues(weights ? values.mul(weights) : values, weights, this.reduction);
  }

  /** The losses; some use the mask themselves. */
  protected values(yTrue: Tensor, yPred: Tensor, _mask: Tensor | null): Tensor {
    return this.call(yTrue, yPred);
  }

  /** The mask of the predictions as one of the losses. */
  protected lossMask(mask: Tensor | null, yPred: Tensor): Tensor | null {
    if (mask) for (let axis = 0; axis < mask.rank; axis++) this.expectUnfolded(axis, yPred);
    return mask;
  }

  /** Throws `ValueError` where the loss folds an axis (of several) that weights or masks tell apart. */
  private expectUnfolded(axis: number, { rank }: Tensor): void {
    const { folded } = this;
    if (folded === null || folded === -1) return;
    for (const f of typeof folded === 'number' ? [folded] : folded)
      if (normalizeAxis(f, rank, this.className) === axis)
        throw new ValueError(
          `${this.className}: expected an axis other than ${f} with weights or a mask, which weigh that axis element by element; the loss folds it`,
        );
  }

  /** Name, reduction and options, under Keras' names in camelCase. */
  getConfig(): LossConfig {
    return { name: this.name, reduction: this.reduction, ...this.fields };
  }

  /** The loss that {@link getConfig} describes. */
  static fromConfig<T extends Loss>(this: new (options: never) => T, config: Readonly<Record<string, unknown>>): T {
    expectConfig('fromConfig', config);
    return new this(config as never);
  }
}

function reduceValues(values: Tensor, weights: Tensor | null, reduction: Reduction): Tensor {
  if (reduction === 'none' || values.rank === 0) return values;
  const total = values.sum();
  if (reduction === 'sum') return total;
  return total.divideNoNan(reduction === 'meanWithSampleWeight' && weights ? weights.sum() : values.size);
}

/** A loss that is a function of targets and predictions, its own options bound into it. */
export abstract class FunctionLoss extends Loss {
  private readonly f: (yTrue: Tensor, yPred: Tensor, own: never) => Tensor;

  /** @param f gets the class's own options, with their defaults, as a third argument */
  constructor(
    className: string,
    f: (yTrue: Tensor, yPred: Tensor, own: never) => Tensor,
    options: LossOptions,
    defaults: Readonly<Record<string, unknown>> = {},
    name: string = classNameToName(className),
    classRules: Readonly<Record<string, Rule>> = {},
  ) {
    super(name, options, defaults, className, classRules);
    this.f = f;
  }

  call(yTrue: Tensor, yPred: Tensor): Tensor {
    return this.f(yTrue, yPred, this.fields as never);
  }
}

/**
 * A user's own function as a loss (Keras `LossFunctionWrapper`): of targets and predictions, to one loss a sample. It gets both in one rank,
 * as the built-in losses do: [n] for predictions [n, 1] becomes [n, 1]. A function that gives a single number has reduced it already: masks
 * then change nothing, and weights of samples are refused.
 */
export class CustomLoss extends Loss {
  private readonly f: (yTrue: Tensor, yPred: Tensor) => Tensor;

  constructor(f: (yTrue: Tensor, yPred: Tensor) => Tensor, options: LossOptions = {}) {
    super(f.name || 'loss', options, {}, 'LossFunctionWrapper');
    this.f = f;
  }

  call(yTrue: Tensor, yPred: Tensor): Tensor {
    const value: unknown = this.f(yTrue, yPred);
    if (!(value instanceof Tensor))
      throw new ValueError(
        `loss "${this.name}": expected a function that returns a tensor, made of the predictions it gets, received ${value instanceof Promise ? 'a promise' : describeValue(value)}`,
      );
    return value;
  }

  /** Throws `ValueError`: a function is no data. */
  override getConfig(): never {
    throw new ValueError(
      `loss "${this.name}": expected a loss that can be written as data, received a function. Make it a class with getConfig.`,
    );
  }
}
