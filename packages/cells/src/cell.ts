import {
  type Activation,
  type ActivationIdentifier,
  type DType,
  formatShape,
  nextKey,
  randomUniform,
  resolveActivation,
  ShapeError,
  splitKey,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { computeDType } from './dtype.js';
import {
  type InitializeOptions,
  type Initializer,
  type InitializerIdentifier,
  resolveInitializer,
} from './initializers.js';

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

/** Cells that have a kernel for a whole sequence. */
export type SequenceKind = 'rnnTanh' | 'rnnRelu' | 'lstm' | 'gru' | 'gruBefore';

/**
 * One step of a recurrent network, as pure functions: parameters and states are trees of tensors that the caller keeps.
 * `runSequence` walks it along time.
 */
export interface Cell<P, S> {
  /** Width of the output. */
  readonly outputSize: number;
  /** Fresh parameters for inputs of `inputSize` features. */
  init(inputSize: number, options?: InitializeOptions): P;
  /** The state before the first step: zeros. */
  initialState(batch: number, dtype?: DType): S;
  /** The output [batch, outputSize] and the next state from the input [batch, features] and the last state; applies the masks. */
  step(params: P, input: Tensor, state: S, masks?: DropoutMasks): { output: Tensor; state: S };
  /** Dropout masks of one sequence in training; `null` where the cell has no dropout. */
  drawMasks(batch: number, inputSize: number, options?: InitializeOptions): DropoutMasks | null;
  /**
   * The part of the step that does not depend on the state, for inputs of any leading shape: computed once for the whole
   * sequence, and handed to {@link Cell.stepProjected} one step at a time. Absent where there is none. An input mask comes
   * in a shape that broadcasts with the inputs (behind an axis of gates).
   */
  project?(params: P, inputs: Tensor, masks?: DropoutMasks): Tensor;
  stepProjected?(params: P, projected: Tensor, state: S, masks?: DropoutMasks): { output: Tensor; state: S };
  /** The kernel that computes whole sequences of this cell in compiled steps; absent or `null` where there is none. */
  readonly sequenceKind?: SequenceKind | null;
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
  /** Share of the inputs that are dropped in training; 0. */
  readonly dropout?: number;
  /** Share of the recurrent state that is dropped in training; 0. With it each gate has masks of its own (Keras). */
  readonly recurrentDropout?: number;
}

/** What the three kinds of cells have in common. */
export abstract class BaseCell<S> implements Cell<CellParams, S> {
  readonly units: number;
  protected readonly activation: Activation;
  protected readonly useBias: boolean;
  protected readonly kernelInitializer: Initializer;
  protected readonly recurrentInitializer: Initializer;
  protected readonly biasInitializer: Initializer;
  private readonly dropout: number;
  private readonly recurrentDropout: number;
  /** Number of gates: columns of the kernels per unit. */
  protected abstract readonly gates: number;

  /** @param units width of the state; @param options see {@link CellOptions} */
  constructor(units: number, options: CellOptions = {}) {
    if (!Number.isInteger(units) || units < 1)
      throw new ValueError(`${new.target.name}: expected units to be an integer >= 1, received ${units}`);
    this.units = units;
    this.activation = resolveActivation(options.activation === undefined ? 'tanh' : options.activation);
    this.useBias = options.useBias ?? true;
    this.kernelInitializer = resolveInitializer(options.kernelInitializer ?? 'glorotUniform');
    this.recurrentInitializer = resolveInitializer(options.recurrentInitializer ?? 'orthogonal');
    this.biasInitializer = resolveInitializer(options.biasInitializer ?? 'zeros');
    this.dropout = options.dropout ?? 0;
    this.recurrentDropout = options.recurrentDropout ?? 0;
    for (const rate of [this.dropout, this.recurrentDropout])
      if (!(rate >= 0 && rate < 1))
        throw new ValueError(`${new.target.name}: expected dropout rates in 0 <= rate < 1, received ${rate}`);
  }

  get outputSize(): number {
    return this.units;
  }

  /** The kernel for whole sequences: only for the activations that it has. */
  abstract readonly sequenceKind: SequenceKind | null;

  /** Fresh parameters for inputs of `inputSize` features. */
  init(inputSize: number, options: InitializeOptions = {}): CellParams {
    const [a, b, c] = splitKey(options.key ?? nextKey(), 3);
    const dtype = options.dtype ?? 'float32';
    const width = this.gates * this.units;
    return {
      kernel: this.kernelInitializer.create([inputSize, width], { key: a!, dtype }),
      recurrentKernel: this.recurrentInitializer.create([this.units, width], { key: b!, dtype }),
      ...(this.useBias ? { bias: this.createBias({ key: c!, dtype }) } : {}),
    };
  }

  protected createBias(options: InitializeOptions): Tensor {
    return this.biasInitializer.create([this.gates * this.units], options);
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
    const draw = (rate: number, shape: number[], key: Tensor): Tensor =>
      randomUniform(shape, { key })
        .greaterEqual(rate)
        .cast(dtype)
        .div(1 - rate);
    const gates = this.recurrentDropout > 0 && this.gates > 1 ? [this.gates] : [];
    return {
      ...(this.dropout > 0 ? { input: draw(this.dropout, [...gates, batch, inputSize], a!) } : {}),
      ...(this.recurrentDropout > 0
        ? { recurrent: draw(this.recurrentDropout, [this.gates, batch, this.units], b!) }
        : {}),
    };
  }

  /** x W + b for inputs of any leading shape and dtype (they are cast to the parameters'), dropped where the masks say. */
  project(params: CellParams, inputs: Tensor, masks?: DropoutMasks): Tensor {
    const features = inputs.shape[inputs.rank - 1];
    if (features !== params.kernel.shape[0])
      throw new ShapeError(
        `${this.constructor.name}: expected inputs of ${params.kernel.shape[0]} features, received shape ${formatShape(inputs.shape)}`,
      );
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
