import { type DType, type Tensor, type TensorLike, zeros } from '@recurra/tensor';
import { checkRules, type Rule, rules } from '@recurra/tensor/extend';
import { Variable } from '../base/variable.js';
import { expectConfig } from '../internal/configuration.js';
import { checkNamed, WEIGHING } from '../losses/options.js';

/** What goes with an update: weights of the samples (or of their steps), and which steps count. */
export interface UpdateOptions {
  /** [n] weighs samples, [n, time] their steps. */
  readonly sampleWeight?: TensorLike | null;
  readonly mask?: Tensor | null;
}

/** Is a metric better when larger ('up') or smaller ('down')? `null`: it does not say. */
export type Direction = 'up' | 'down' | null;

/** Options of every metric. */
export interface MetricOptions {
  /** Its name in logs; by default that of its class. */
  readonly name?: string;
  /** The dtype of the accumulators; 'float32'. */
  readonly dtype?: DType;
}

const COMMON = { name: true, dtype: true };
const COMMON_RULES: Readonly<Record<string, Rule>> = { dtype: rules.oneOf('float32', 'float64', 'int32') };

/** A metric as plain data: its options, under Keras' names in camelCase. */
export interface MetricConfig {
  readonly name: string;
  readonly dtype: DType;
  readonly [option: string]: unknown;
}

/** A number (or several) kept over batches: `updateState` with each, `result` at any time, `resetState` to start again. */
export abstract class Metric {
  /** Keras' name of the class. */
  readonly className: string;
  readonly name: string;
  readonly dtype: DType;
  /** Is more better ('up') or less ('down')? What callbacks that monitor the metric ask. */
  readonly direction: Direction = null;
  private readonly own: Variable[] = [];
  private readonly fields: Readonly<Record<string, unknown>>;

  /**
   * @param name the name of metrics of the class that have no own
   * @param defaults the class's own options with their defaults; others are refused
   * @param className Keras' name of the class; by default that of the JavaScript class
   * @param classRules what the class's own options may be, where that is no rule of all classes (`losses/options.ts`)
   */
  constructor(
    name: string,
    options: MetricOptions = {},
    defaults: Readonly<Record<string, unknown>> = {},
    className?: string,
    classRules: Readonly<Record<string, Rule>> = {},
  ) {
    this.className = className ?? new.target.name;
    // What a class of one's own takes beside these, it checks itself.
    const { dtype = 'float32', name: own = name } = options ?? {};
    if (className === undefined) checkNamed(this.className, { dtype, name: own }, COMMON, COMMON_RULES);
    else checkNamed(className, options, { ...COMMON, ...defaults }, { ...COMMON_RULES, ...classRules });
    this.name = own;
    this.dtype = dtype;
    const given = options as Readonly<Record<string, unknown>>;
    this.fields = Object.fromEntries(
      Object.entries(defaults).map(([key, value]) => [key, given[key] === undefined ? value : given[key]]),
    );
  }

  /** The accumulators. */
  get variables(): readonly Variable[] {
    return this.own;
  }

  /** Takes one batch in. Throws `ShapeError` where targets, predictions, weights and mask do not fit (`losses/alignment.ts`). */
  abstract updateState(yTrue: TensorLike, yPred: TensorLike, options?: UpdateOptions): void;

  /** The value over all batches since the last reset. */
  abstract result(): Tensor;

  /** Forgets all batches. */
  resetState(): void {
    // What they hold is not read: it lies with the engine.
    for (const v of this.own) v.assign(zeros(v.shape, v.dtype));
  }

  /** Name, dtype and options, under Keras' names in camelCase. */
  getConfig(): MetricConfig {
    return { name: this.name, dtype: this.dtype, ...this.fields };
  }

  /** The metric that {@link getConfig} describes. */
  static fromConfig<T extends Metric>(this: new (options: never) => T, config: Readonly<Record<string, unknown>>): T {
    expectConfig('fromConfig', config);
    return new this(config as never);
  }

  /** An accumulator that begins with `value`. */
  protected addVariable(name: string, value: Tensor): Variable {
    const variable = new Variable(value, `${this.name}/${name}`, { trainable: false });
    this.own.push(variable);
    return variable;
  }

  /** An accumulator of zeros, in the metric's dtype. */
  protected addZeros(name: string, shape: readonly number[] = []): Variable {
    return this.addVariable(name, zeros([...shape], this.dtype));
  }
}

/** Throws `ValueError` for what does not go with an update: options of other names, a mask that is no tensor. */
export function checkUpdate(label: string, options: UpdateOptions): void {
  checkRules<UpdateOptions>(label, options, WEIGHING);
}

/** Adds to an accumulator, in its dtype. */
export function accumulate(variable: Variable, value: Tensor): void {
  variable.assign(variable.value.add(value.cast(variable.value.dtype)));
}
