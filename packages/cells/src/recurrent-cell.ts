import { type DType, type Shape, splitKey, Tensor, ValueError, zeros } from '@recurra/tensor';
import { checkRules, checkValue, describeValue, nextKey, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import type { Cell, CellStep, Constants, DropoutMasks, WeightRules } from './cell.js';
import { type InitializeOptions, type InitializerIdentifier, resolveInitializer } from './initializers.js';

/** Sizes of the state: one tensor [batch, size], or a list of them. */
export type StateSize<S> = S extends Tensor ? number : { readonly [K in keyof S]: number };

/** How the first values of one parameter are made. */
export interface ParamSpec {
  readonly shape: Shape;
  /** 'glorotUniform' */
  readonly initializer?: InitializerIdentifier;
}

const SPECS: Rule = {
  expected: 'an object with at least one name of a parameter and its { shape, initializer }',
  accepts: (v) =>
    typeof v === 'object' &&
    v !== null &&
    !Array.isArray(v) &&
    Object.keys(v).length > 0 &&
    Object.values(v).every((spec) => typeof spec === 'object' && spec !== null),
};
const SPEC = {
  shape: {
    expected: 'a list of integers >= 0',
    accepts: (v: unknown) => Array.isArray(v) && v.every((size) => Number.isInteger(size) && size >= 0),
    required: true,
  },
  initializer: rules.anything,
} satisfies Rules<ParamSpec>;
const OPTIONS = {
  key: rules.instanceOf(Tensor, 'a key, as randomKey() makes it'),
  dtype: rules.dtype,
} satisfies Rules<InitializeOptions>;

/**
 * First values of parameters by name, each drawn from a key of its own:
 * `initializeParams({ kernel: { shape: [3, 4] }, bias: { shape: [4], initializer: 'zeros' } }, options)`.
 */
export function initializeParams<K extends string>(
  specs: { readonly [N in K]: ParamSpec },
  options: InitializeOptions = {},
): { readonly [N in K]: Tensor } {
  checkValue('initializeParams', 'the parameters', specs, SPECS);
  checkRules('initializeParams', options, OPTIONS);
  const names = Object.keys(specs) as K[];
  for (const name of names) checkRules<ParamSpec>(`initializeParams, "${name}"`, specs[name], SPEC);
  const keys = splitKey(options.key ?? nextKey(), names.length);
  return Object.fromEntries(
    names.map((name, i) => {
      const { shape, initializer = 'glorotUniform' } = specs[name];
      return [name, resolveInitializer(initializer).create(shape, { ...options, key: keys[i]! })];
    }),
  ) as { readonly [N in K]: Tensor };
}

/**
 * A cell of one's own. A subclass says how large its state is (`stateSize`), makes its parameters, any tree of tensors (`init`), and writes one step.
 * What it writes is tensor operations: gradients and compiled loops follow from them. `RNN` makes the parameters weights.
 *
 * A cell whose steps have more axes than one of features names them (`stepAxes`); then `init`, `initialState` and `drawMasks` read the shape of a step, their
 * last argument, and `outputShape` says what comes out ({@link Cell}).
 *
 * To be saved, it has `getConfig`, the arguments that make it again; those of {@link RecurrentCell.positional} stand before the options. Reading
 * it back takes `customObjects: { MinimalCell }`. Keras: a cell class with `units`, `state_size`, `output_size`, `call`.
 *
 * ```ts
 * type Params = { readonly kernel: Tensor; readonly recurrentKernel: Tensor };
 * class MinimalCell extends RecurrentCell<Params> {
 *   readonly stateSize: number;
 *   constructor(readonly units: number) {
 *     super();
 *     this.stateSize = units;
 *   }
 *   init(features: number, options: InitializeOptions): Params {
 *     const { units } = this;
 *     return initializeParams({ kernel: { shape: [features, units] }, recurrentKernel: { shape: [units, units] } }, options);
 *   }
 *   step({ kernel, recurrentKernel }: Params, x: Tensor, h: Tensor) {
 *     const output = x.matmul(kernel).add(h.matmul(recurrentKernel));
 *     return { output, state: output };
 *   }
 *   override getConfig() {
 *     return { units: this.units };
 *   }
 * }
 * ```
 */
export abstract class RecurrentCell<P, S extends Tensor | readonly Tensor[] = Tensor> implements Cell<P, S> {
  /** The arguments of the constructor that stand before the options, by their names in the configuration. */
  static readonly positional: readonly string[] = ['units'];
  /** Size of the state, or of each tensor of it. */
  abstract readonly stateSize: StateSize<S>;
  /** Does `step` read constants? false. */
  readonly takesConstants: boolean = false;

  /** Width of the output: by default the (first) size of the state. */
  get outputSize(): number {
    return this.sizes()[0]!;
  }

  /** Fresh parameters for inputs of `inputSize` features; in the dtype and from the key of the options ({@link initializeParams}). */
  abstract init(inputSize: number, options: InitializeOptions, step?: Shape): P;

  /** The output [batch, outputSize], or [batch, ...outputShape(step)], and the next state. */
  abstract step(params: P, input: Tensor, state: S, masks?: DropoutMasks, constants?: Constants): CellStep<S>;

  /** The state before the first step: zeros. */
  initialState(batch: number, dtype: DType = 'float32', _step?: Shape): S {
    const states = this.sizes().map((size) => zeros([batch, size], dtype));
    return (Array.isArray(this.stateSize) ? states : states[0]) as S;
  }

  /** Dropout masks of one sequence in training: none. */
  drawMasks(_batch: number, _inputSize: number, _options?: InitializeOptions, _step?: Shape): DropoutMasks | null {
    return null;
  }

  /** What goes with the parameter at a path of the tree (`kernel`, `gate.bias`) in training: nothing. */
  rules(_path: string): WeightRules {
    return {};
  }

  /** Name of the class. */
  get className(): string {
    return this.constructor.name;
  }

  /** The arguments that make this cell again. Throws `ValueError` unless the subclass writes it. */
  getConfig(): Readonly<Record<string, unknown>> {
    throw new ValueError(
      `${this.className}: expected the cell to say how it is made, so that it can be saved. Write getConfig().`,
    );
  }

  /** The cell that a configuration describes. Keras `from_config`. */
  static fromConfig<C>(
    // biome-ignore lint/suspicious/noExplicitAny: the constructors of subclasses take what they take
    this: { new (...args: any[]): C; readonly positional: readonly string[] },
    config: Readonly<Record<string, unknown>>,
  ): C {
    const options = { ...config };
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked makes the cell
    const args = this.positional.map((key) => {
      const value = options[key];
      delete options[key];
      return value;
    });
    return new this(...args, ...(Object.keys(options).length > 0 ? [options] : []));
  }

  private sizes(): readonly number[] {
    const { stateSize } = this as { stateSize: unknown };
    const sizes = (Array.isArray(stateSize) ? stateSize : [stateSize]) as readonly number[];
    if (sizes.length === 0 || sizes.some((size) => !Number.isInteger(size) || size < 1))
      throw new ValueError(
        `${this.className}: expected stateSize to be an integer >= 1 or a list of them, received ${describeValue(stateSize)}`,
      );
    return sizes;
  }
}
