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
  /** [batch, features], or absent. */
  readonly input?: Tensor;
  /** [batch, units], or absent. */
  readonly recurrent?: Tensor;
  /** Those of the cells of a stack. */
  readonly cells?: readonly DropoutMasks[];
}

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
  /** The output [batch, outputSize] and the next state from the input [batch, features] and the last state. */
  step(params: P, input: Tensor, state: S, masks?: DropoutMasks): { output: Tensor; state: S };
  /** Dropout masks of one sequence in training; `null` where the cell has no dropout. */
  drawMasks(batch: number, inputSize: number, options?: InitializeOptions): DropoutMasks | null;
  /**
   * The part of the step that does not depend on the state, for inputs of any leading shape: computed once for the whole
   * sequence, and handed to {@link Cell.stepProjected} one step at a time. Absent where there is none.
   */
  project?(params: P, inputs: Tensor): Tensor;
  stepProjected?(params: P, projected: Tensor, state: S, masks?: DropoutMasks): { output: Tensor; state: S };
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
  /** Share of the recurrent state that is dropped in training; 0. One mask serves all gates and steps. */
  readonly recurrentDropout?: number;
}

/** What the three kinds of cells have in common. */
export abstract class BaseCell {
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

  constructor(units: number, options: CellOptions) {
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

  /** Dropout masks of one sequence in training, scaled by 1 / (1 - rate); `null` without dropout. */
  drawMasks(batch: number, inputSize: number, options: InitializeOptions = {}): DropoutMasks | null {
    if (this.dropout === 0 && this.recurrentDropout === 0) return null;
    const [a, b] = splitKey(options.key ?? nextKey());
    const dtype = options.dtype ?? 'float32';
    const draw = (rate: number, width: number, key: Tensor): Tensor =>
      randomUniform([batch, width], { key })
        .greaterEqual(rate)
        .cast(dtype)
        .div(1 - rate);
    return {
      ...(this.dropout > 0 ? { input: draw(this.dropout, inputSize, a!) } : {}),
      ...(this.recurrentDropout > 0 ? { recurrent: draw(this.recurrentDropout, this.units, b!) } : {}),
    };
  }

  /** x W + b for inputs of any leading shape. */
  project(params: CellParams, inputs: Tensor): Tensor {
    const features = inputs.shape[inputs.rank - 1];
    if (features !== params.kernel.shape[0])
      throw new ShapeError(
        `${this.constructor.name}: expected inputs of ${params.kernel.shape[0]} features, received shape ${formatShape(inputs.shape)}`,
      );
    const bias = this.inputBias(params);
    const y = inputs.matmul(params.kernel);
    return bias ? y.add(bias) : y;
  }

  protected inputBias(params: CellParams): Tensor | undefined {
    return params.bias;
  }

  /** The state as the recurrent kernel sees it: with dropout in training. */
  protected dropped(state: Tensor, masks: DropoutMasks | undefined): Tensor {
    return masks?.recurrent ? state.mul(masks.recurrent) : state;
  }
}
