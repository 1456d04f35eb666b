import {
  type Activation,
  type ActivationIdentifier,
  type DType,
  randomUniform,
  resolveActivation,
  type Shape,
  ShapeError,
  splitKey,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import {
  checkRules,
  checkValue,
  describeActivation,
  describeValue,
  formatShape,
  nextKey,
  type Rule,
  type Rules,
  registeredName,
  rules,
  sameShape,
} from '@recurra/tensor/extend';
import { type Constraint, type ConstraintIdentifier, resolveConstraint } from './constraints.js';
import { computeDType } from './dtype.js';
import {
  type InitializeOptions,
  type Initializer,
  type InitializerIdentifier,
  resolveInitializer,
} from './initializers.js';
import { type Regularizer, type RegularizerIdentifier, resolveRegularizer } from './regularizers.js';

/** Weights of a gated or simple cell, in Keras' layout. */
export interface CellParams {
  /** [features, gates * units] */
  readonly kernel: Tensor;
  /** [units, gates * units] */
  readonly recurrentKernel: Tensor;
  /** [gates * units]; [2, 3 * units] for a GRU with `resetAfter` (input bias, recurrent bias); absent without bias. */
  readonly bias?: Tensor;
}

/** What dropout multiplies by: one draw for all steps of a sequence. */
export interface DropoutMasks {
  /** [batch, features]; with recurrent dropout [gates, batch, features], as in Keras. */
  readonly input?: Tensor;
  /** [gates, batch, units] */
  readonly recurrent?: Tensor;
  /** Those of the cells of a stack. */
  readonly cells?: readonly DropoutMasks[];
}

/** Tensors that every step sees: an encoder's outputs that a decoder attends to. */
export type Constants = readonly Tensor[];

/** What a step gives. */
export interface CellStep<S> {
  /** [batch, outputSize], or [batch, ...outputShape(step)] */
  readonly output: Tensor;
  readonly state: S;
}

/** The kernel for whole sequences of a cell, and what has to be known of it. Cells that share one compute the same. */
export interface SequenceKernel {
  /** Its number: `Recurrent` of `@recurra/kernels`. */
  readonly kind: number;
  /** Gates: columns of weights for each unit. */
  readonly gates: number;
  /** Tensors [batch, units] of the state; the first is the output. */
  readonly states: 1 | 2;
  /** Does it take inputs that have been projected alone? */
  readonly projectedOnly: boolean;
  /** The part of the bias that goes into the recurrent product, where inputs are projected before; `null` for none. */
  recurrentBias(bias: Tensor): Tensor | null;
  /** A cell of so many units that computes what the kernel does, step by step. */
  cell(units: number): Cell<CellParams, unknown>;
}

/**
 * One step of a recurrent network, as pure functions: parameters and states are trees of tensors that the caller keeps.
 * `runSequence` walks it along time.
 *
 * What a step sees is [batch, features], unless the cell names other axes (`stepAxes`). Where sizes matter, `runSequence` and `RNN` give the shape of
 * one step without the batch as `step`: [features], or as many sizes as there are axes. `inputSize` is its last.
 */
export interface Cell<P, S> {
  /** Width of the output. */
  readonly outputSize: number;
  /** Names of the axes of one step, the batch aside: ['features'], unless the cell says so. */
  readonly stepAxes?: readonly string[];
  /** Shape of the output of one step, the batch aside: [outputSize], unless the cell says so. */
  outputShape?(step: Shape): Shape;
  /** Fresh parameters for inputs of `inputSize` features. */
  init(inputSize: number, options?: InitializeOptions, step?: Shape): P;
  /** The state before the first step: zeros. */
  initialState(batch: number, dtype?: DType, step?: Shape): S;
  /**
   * The output [batch, outputSize] and the next state from the input [batch, features] and the last state; applies the masks. `constants` are
   * what the caller gives beside the sequence: the same tensors at each step.
   */
  step(params: P, input: Tensor, state: S, masks?: DropoutMasks, constants?: Constants): CellStep<S>;
  /** Does `step` read constants? A cell that does not say so refuses them. */
  readonly takesConstants?: boolean;
  /**
   * Throws `ShapeError` for parameters that `init` does not make for steps of this shape (without the batch): of another number of units or features. Absent: `step` sees by itself
   * what does not fit.
   */
  expectParams?(params: P, step: Shape): void;
  /** Dropout masks of one sequence in training; `null` where the cell has no dropout. */
  drawMasks(batch: number, inputSize: number, options?: InitializeOptions, step?: Shape): DropoutMasks | null;
  /** Makes dropout draw the same masks in every run; none: from the run's key. */
  readonly seed?: number | null;
  /**
   * The part of the step that does not depend on the state, for inputs of any leading shape: computed once for the whole
   * sequence, and handed to {@link Cell.stepProjected} one step at a time. Absent where there is none. An input mask comes
   * in a shape that broadcasts with the inputs (behind an axis of gates).
   */
  project?(params: P, inputs: Tensor, masks?: DropoutMasks): Tensor;
  stepProjected?(params: P, projected: Tensor, state: S, masks?: DropoutMasks, constants?: Constants): CellStep<S>;
  /** The kernel that computes whole sequences of this cell in compiled steps; absent or `null` where there is none. */
  readonly sequenceKernel?: SequenceKernel | null;
  /** Name of the class in Keras; cells without one cannot be saved. */
  readonly className?: string;
  /** The arguments that make this cell again, in camelCase, as Keras' `get_config`. */
  getConfig?(): Readonly<Record<string, unknown>>;
  /** What goes with the parameter at a path of the tree (`kernel`, `cells.0.bias`) in training. */
  rules?(path: string): WeightRules;
}

/** A penalty and a bound for one weight. */
export interface WeightRules {
  readonly regularizer?: Regularizer | null;
  readonly constraint?: Constraint | null;
}

/** Options that SimpleRNN, LSTM and GRU cells share; names and defaults of Keras. */
export interface CellOptions {
  /** 'tanh' */
  readonly activation?: ActivationIdentifier;
  /** true */
  readonly useBias?: boolean;
  /** 'glorotUniform' */
  readonly kernelInitializer?: InitializerIdentifier;
  /** 'orthogonal' */
  readonly recurrentInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  /** Penalties that training adds to the loss; none. */
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly recurrentRegularizer?: RegularizerIdentifier | null;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  /** What weights are brought back to after each step; none. */
  readonly kernelConstraint?: ConstraintIdentifier | null;
  readonly recurrentConstraint?: ConstraintIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
  /** Share of the inputs that are dropped in training; 0. */
  readonly dropout?: number;
  /** Share of the recurrent state that is dropped in training; 0. With it each gate has masks of its own (Keras). */
  readonly recurrentDropout?: number;
  /** Makes dropout draw the same masks in every run; `null`: from the global generator. */
  readonly seed?: number | null;
}

/** What is resolved where it is used: a name, an object or a function; `null` where that stands for none. */
export const IDENTIFIER: Rule = rules.anything;
const INITIALIZER: Rule = { expected: 'a name or an initializer', accepts: (v) => v !== null };
const SEED = rules.orNull(rules.countOrZero);

/** Rules of {@link CellOptions}. */
export const CELL_OPTIONS: Rules<CellOptions> = {
  activation: IDENTIFIER,
  useBias: rules.flag,
  kernelInitializer: INITIALIZER,
  recurrentInitializer: INITIALIZER,
  biasInitializer: INITIALIZER,
  kernelRegularizer: IDENTIFIER,
  recurrentRegularizer: IDENTIFIER,
  biasRegularizer: IDENTIFIER,
  kernelConstraint: IDENTIFIER,
  recurrentConstraint: IDENTIFIER,
  biasConstraint: IDENTIFIER,
  dropout: rules.decay,
  recurrentDropout: rules.decay,
  seed: SEED,
};

// biome-ignore lint/suspicious/noExplicitAny: a cell of any parameters and states
export type AnyCell = Cell<any, any>;

/** Throws `ValueError` for what is no cell: a class rather than an instance, a layer. */
export function expectCell(label: string, cell: unknown): asserts cell is AnyCell {
  const given = cell as Partial<AnyCell> | null | undefined;
  if (
    typeof given !== 'object' ||
    typeof given?.step !== 'function' ||
    typeof given.init !== 'function' ||
    typeof given.initialState !== 'function' ||
    !Number.isInteger(given.outputSize)
  )
    throw new ValueError(
      `${label}: expected a cell with outputSize, init(), initialState() and step(), received ${describeValue(cell)}. A cell of your own extends RecurrentCell.`,
    );
}

/** Names of the axes of one step's input, the batch aside. */
export function stepAxesOf(cell: Pick<AnyCell, 'stepAxes'>): readonly string[] {
  return cell.stepAxes ?? ['features'];
}

/** Shape of the output for one step's input of this shape, the batch aside. */
export function outputShapeOf(cell: Pick<AnyCell, 'outputShape' | 'outputSize'>, step: Shape): Shape {
  return cell.outputShape?.(step) ?? [cell.outputSize];
}

/** A cell as Keras writes it down. Throws `ValueError` for one that does not say how it is made. */
export function describeCell(cell: Pick<Cell<unknown, unknown>, 'className' | 'getConfig'>): object {
  if (!cell.className || !cell.getConfig)
    throw new ValueError('getConfig: expected a cell with className and getConfig() to be written down, received none');
  const registered = registeredName(cell.constructor);
  const module = registered === null ? 'keras.layers' : null;
  return { module, className: cell.className, config: cell.getConfig(), registeredName: registered };
}

/** An object as Keras writes it down, or nothing. */
function described(module: string, object: { readonly name: string; readonly config: object } | null): object | null {
  return object && { module, className: object.name, config: object.config, registeredName: null };
}

/** An initializer as Keras writes it down. */
export function describeInitializer(initializer: Initializer): object {
  return described('keras.initializers', initializer)!;
}
/** A regularizer as Keras writes it down, or `null`. */
export function describeRegularizer(regularizer: Regularizer | null): object | null {
  return described('keras.regularizers', regularizer);
}
/** A constraint as Keras writes it down, or `null`. */
export function describeConstraint(constraint: Constraint | null): object | null {
  return described('keras.constraints', constraint);
}
/** Zeros, at the rate, among 1 / (1 - rate). */
export function dropoutMask(rate: number, shape: Shape, key: Tensor, dtype: DType): Tensor {
  return randomUniform(shape, { key })
    .greaterEqual(rate)
    .cast(dtype)
    .div(1 - rate);
}

/** What the three kinds of cells have in common. */
export abstract class BaseCell<S> implements Cell<CellParams, S> {
  readonly units: number;
  protected readonly activation: Activation;
  protected readonly useBias: boolean;
  protected readonly kernelInitializer: Initializer;
  protected readonly recurrentInitializer: Initializer;
  protected readonly biasInitializer: Initializer;
  readonly dropout: number;
  readonly recurrentDropout: number;
  /** The options as they were given. */
  readonly options: CellOptions;
  /** Name of the class in Keras. */
  abstract readonly className: string;
  private readonly penalties: Readonly<Record<string, WeightRules>>;
  /** Number of gates: columns of the kernels per unit. */
  protected abstract readonly gates: number;
  /** Leading sizes of the kernels: none; a convolution has its window there. */
  protected readonly window: Shape = [];

  /** @param units width of the state; @param options see {@link CellOptions} */
  constructor(units: number, options: CellOptions = {}, names: Rules<CellOptions> = CELL_OPTIONS) {
    checkRules(new.target.name, options, names);
    checkValue(new.target.name, 'units', units, rules.count);
    this.units = units;
    this.options = options;
    this.penalties = {
      kernel: {
        regularizer: resolveRegularizer(options.kernelRegularizer),
        constraint: resolveConstraint(options.kernelConstraint),
      },
      recurrentKernel: {
        regularizer: resolveRegularizer(options.recurrentRegularizer),
        constraint: resolveConstraint(options.recurrentConstraint),
      },
      bias: {
        regularizer: resolveRegularizer(options.biasRegularizer),
        constraint: resolveConstraint(options.biasConstraint),
      },
    };
    this.activation = resolveActivation(options.activation === undefined ? 'tanh' : options.activation);
    this.useBias = options.useBias ?? true;
    this.kernelInitializer = resolveInitializer(options.kernelInitializer ?? 'glorotUniform');
    this.recurrentInitializer = resolveInitializer(options.recurrentInitializer ?? 'orthogonal');
    this.biasInitializer = resolveInitializer(options.biasInitializer ?? 'zeros');
    this.dropout = options.dropout ?? 0;
    this.recurrentDropout = options.recurrentDropout ?? 0;
  }

  get seed(): number | null {
    return this.options.seed ?? null;
  }

  rules(path: string): WeightRules {
    return this.penalties[path] ?? {};
  }

  /** The arguments that make this cell again, in the order of Keras' `get_config`. */
  getConfig(): Readonly<Record<string, unknown>> {
    const { options } = this;
    return {
      units: this.units,
      activation: describeActivation(options.activation === undefined ? 'tanh' : options.activation),
      ...this.gateConfig(),
      useBias: this.useBias,
      kernelInitializer: describeInitializer(this.kernelInitializer),
      recurrentInitializer: describeInitializer(this.recurrentInitializer),
      biasInitializer: describeInitializer(this.biasInitializer),
      kernelRegularizer: describeRegularizer(this.penalties['kernel']!.regularizer!),
      recurrentRegularizer: describeRegularizer(this.penalties['recurrentKernel']!.regularizer!),
      biasRegularizer: describeRegularizer(this.penalties['bias']!.regularizer!),
      kernelConstraint: describeConstraint(this.penalties['kernel']!.constraint!),
      recurrentConstraint: describeConstraint(this.penalties['recurrentKernel']!.constraint!),
      biasConstraint: describeConstraint(this.penalties['bias']!.constraint!),
      dropout: this.dropout,
      recurrentDropout: this.recurrentDropout,
      seed: options.seed ?? null,
    };
  }

  /** The arguments that this kind of cell has beside the common ones. */
  protected gateConfig(): Readonly<Record<string, unknown>> {
    return {};
  }

  get outputSize(): number {
    return this.units;
  }

  /** The kernel for whole sequences: only for the activations that it has. */
  abstract readonly sequenceKernel: SequenceKernel | null;

  /** Fresh parameters for inputs of `inputSize` features. */
  init(inputSize: number, options: InitializeOptions = {}): CellParams {
    const [a, b, c] = splitKey(options.key ?? nextKey(), 3);
    const dtype = options.dtype ?? 'float32';
    const width = this.gates * this.units;
    return {
      kernel: this.kernelInitializer.create([...this.window, inputSize, width], { key: a!, dtype }),
      recurrentKernel: this.recurrentInitializer.create([...this.window, this.units, width], { key: b!, dtype }),
      ...(this.useBias ? { bias: this.createBias({ key: c!, dtype }) } : {}),
    };
  }

  protected createBias(options: InitializeOptions): Tensor {
    return this.biasInitializer.create(this.biasShape, options);
  }

  protected get biasShape(): number[] {
    return [this.gates * this.units];
  }

  /** Kernels for whole sequences read parameters as they are: what does not fit would be read beside them. A bias may be left out. */
  expectParams(params: CellParams, step: Shape): void {
    // A subclass with an `init` of its own has parameters of its own.
    if (this.init !== BaseCell.prototype.init) return;
    const inputSize = step.at(-1)!;
    const width = this.gates * this.units;
    const { kernel, recurrentKernel, bias } = params;
    const expected: [string, Tensor | undefined, number[]][] = [
      ['kernel', kernel, [kernel?.shape?.[0] ?? inputSize, width]],
      ['recurrentKernel', recurrentKernel, [this.units, width]],
      ...(bias ? [['bias', bias, this.biasShape] as [string, Tensor, number[]]] : []),
    ];
    for (const [name, given, shape] of expected)
      if (!given?.shape || !sameShape(given.shape, shape))
        throw new ShapeError(
          `${this.className}: expected ${name} of shape ${formatShape(shape)} for ${this.units} units, received ${given?.shape ? formatShape(given.shape) : describeValue(given)}`,
        );
    this.expectFeatures(params, inputSize, `inputs of ${inputSize}`);
  }

  private expectFeatures({ kernel }: CellParams, features: number | undefined, received: string): void {
    if (features !== kernel.shape[0])
      throw new ShapeError(
        `${this.constructor.name}: expected inputs of ${kernel.shape[0]} features, received ${received}`,
      );
  }

  /** The state before the first step: zeros. */
  abstract initialState(batch: number, dtype?: DType): S;

  /** {@link Cell.step} from the projected input. */
  abstract stepProjected(
    params: CellParams,
    projected: Tensor,
    state: S,
    masks?: DropoutMasks,
  ): { output: Tensor; state: S };

  step(params: CellParams, input: Tensor, state: S, masks?: DropoutMasks): { output: Tensor; state: S } {
    return this.stepProjected(params, this.project(params, input, masks), state, masks);
  }

  /** Dropout masks of one sequence in training, scaled by 1 / (1 - rate); `null` without dropout. */
  drawMasks(batch: number, inputSize: number, options: InitializeOptions = {}): DropoutMasks | null {
    if (this.dropout === 0 && this.recurrentDropout === 0) return null;
    const [a, b] = splitKey(options.key ?? nextKey());
    const dtype = options.dtype ?? 'float32';
    const gates = this.recurrentDropout > 0 && this.gates > 1 ? [this.gates] : [];
    return {
      ...(this.dropout > 0 ? { input: dropoutMask(this.dropout, [...gates, batch, inputSize], a!, dtype) } : {}),
      ...(this.recurrentDropout > 0
        ? { recurrent: dropoutMask(this.recurrentDropout, [this.gates, batch, this.units], b!, dtype) }
        : {}),
    };
  }

  /** x W + b for inputs of any leading shape and dtype (they are cast to the parameters'), dropped where the masks say. */
  project(params: CellParams, inputs: Tensor, masks?: DropoutMasks): Tensor {
    this.expectFeatures(params, inputs.shape[inputs.rank - 1], `shape ${formatShape(inputs.shape)}`);
    const cast = inputs.cast(computeDType(params, inputs));
    const seen = masks?.input ? cast.mul(masks.input) : cast;
    const product = seen.rank > inputs.rank ? this.gateProducts(seen, params.kernel) : seen.matmul(params.kernel);
    const bias = this.inputBias(params);
    return bias ? product.add(bias) : product;
  }

  protected inputBias(params: CellParams): Tensor | undefined {
    return params.bias;
  }

  /** h U, h dropped where the masks say. */
  protected recurrentProduct(params: CellParams, state: Tensor, masks: DropoutMasks | undefined): Tensor {
    if (!masks?.recurrent) return state.matmul(params.recurrentKernel);
    return this.gateProducts(state.mul(masks.recurrent), params.recurrentKernel);
  }

  /** One operand for each gate, [gates, ..., features], times that gate's part of a kernel: [..., gates * units]. */
  private gateProducts(operands: Tensor, kernel: Tensor): Tensor {
    const [features] = kernel.shape as readonly [number];
    const parts = kernel.reshape([features, this.gates, this.units]).transpose([1, 0, 2]);
    const ones = new Array<number>(operands.rank - 3).fill(1);
    const products = operands.matmul(parts.reshape([this.gates, ...ones, features, this.units]));
    return products.moveaxis(0, -2).reshape([...operands.shape.slice(1, -1), this.gates * this.units]);
  }
}
