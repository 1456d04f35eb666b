import {
  type Cell,
  type CellOptions,
  type CellParams,
  GRUCell,
  type GRUCellOptions,
  LSTMCell,
  type LSTMCellOptions,
  type LSTMState,
  runSequence,
  SimpleRNNCell,
} from '@recurra/cells';
import { formatShape, nextKey, type Shape, ShapeError, stopGradient, type Tensor, ValueError } from '@recurra/tensor';
import { type CallOptions, Layer, type LayerConfig, type LayerOptions, type PartialShape } from '../layer.js';
import { Variable } from '../variable.js';
import { configOf } from './core.js';

/** Options of recurrent layers, beside those of their cells. */
export interface RecurrentOptions extends LayerOptions {
  /** Give the outputs of all steps [batch, time, units] rather than the last [batch, units]; false. */
  readonly returnSequences?: boolean;
  /** Give the final state(s) after the output; false. */
  readonly returnState?: boolean;
  /** Walk the sequence backwards, and give outputs in the order in which they came; false. */
  readonly goBackwards?: boolean;
  /** Start each batch with the final state of the batch before (equal sizes needed; `resetState` clears); false. */
  readonly stateful?: boolean;
  /** Accepted for Keras' sake: compiled steps have kernels and loops for sequences, eager evaluation walks step by step. */
  readonly unroll?: boolean;
  /** Skipped steps give zeros instead of the output before; false. */
  readonly zeroOutputForMask?: boolean;
}

/** What SimpleRNN, LSTM and GRU have in common: a cell, walked along [batch, time, features]. */
export abstract class RecurrentLayer<S> extends Layer {
  readonly units: number;
  readonly options: RecurrentOptions;
  private params!: { kernel: Variable; recurrentKernel: Variable; bias: Variable | undefined };
  private states: Variable[] | null = null;
  protected abstract readonly cell: Cell<CellParams, S>;
  /** Name of the cell in weight paths. */
  protected abstract readonly cellName: string;

  constructor(units: number, options: RecurrentOptions) {
    super(options);
    this.units = units;
    this.options = options;
  }

  protected abstract flatten(state: S): Tensor[];
  protected abstract unflatten(states: readonly Tensor[]): S;

  /** Clears the state that a stateful layer keeps. */
  override resetState(): void {
    for (const state of this.states ?? []) state.assign(state.value.zerosLike());
  }

  /** The states that a stateful layer keeps, or none. */
  get currentStates(): Tensor[] {
    return (this.states ?? []).map((s) => s.value);
  }

  protected override checkInput(shape: Shape): void {
    this.expectRank(
      shape,
      3,
      '[batch, time, features]',
      'Token ids need an Embedding first; a series needs a last axis of features.',
    );
    const features = this.built ? this.params.kernel.value.shape[0] : shape[2];
    if (features !== shape[2])
      throw new ShapeError(`${this.label}: expected ${features} features, received ${formatShape(shape)}`);
  }

  protected override createWeights(inputShape: PartialShape): void {
    const features = inputShape[2];
    if (inputShape.length !== 3 || features === null || features === undefined)
      throw new ShapeError(
        `${this.label}: expected input of rank 3 [batch, time, features] with known features, received ${JSON.stringify(inputShape)}`,
      );
    const { kernel, recurrentKernel, bias } = this.cell.init(features, { key: nextKey() });
    this.params = {
      kernel: this.addVariable(`${this.cellName}/kernel`, kernel),
      recurrentKernel: this.addVariable(`${this.cellName}/recurrent_kernel`, recurrentKernel),
      bias: bias && this.addVariable(`${this.cellName}/bias`, bias),
    };
  }

  protected call(x: Tensor, { training = false, mask = null, initialState = null }: CallOptions): Tensor[] {
    const {
      returnSequences = false,
      returnState = false,
      goBackwards = false,
      stateful = false,
      zeroOutputForMask = false,
    } = this.options;
    const { kernel, recurrentKernel, bias } = this.params;
    const params: CellParams = {
      kernel: kernel.value,
      recurrentKernel: recurrentKernel.value,
      ...(bias ? { bias: bias.value } : {}),
    };
    const batch = x.shape[0]!;
    const start = this.startState(batch, x, initialState, stateful);
    const result = runSequence(this.cell, params, x, {
      reverse: goBackwards,
      zeroOutputForMask,
      returnSequences,
      initialState: start,
      dropout: training ? this.cell.drawMasks(batch, x.shape[2]!, { dtype: x.dtype }) : null,
      ...(mask ? { mask } : {}),
    });
    if (stateful)
      this.flatten(result.state).forEach((value, i) => {
        this.states![i]!.assign(stopGradient(value));
      });
    const output = returnSequences ? (goBackwards ? result.outputs!.flip(1) : result.outputs!) : result.output;
    return returnState ? [output, ...this.flatten(result.state)] : [output];
  }

  private startState(batch: number, x: Tensor, given: readonly Tensor[] | null, stateful: boolean): S {
    const zero = this.cell.initialState(batch, x.dtype);
    const count = this.flatten(zero).length;
    if (stateful) {
      this.states ??= this.flatten(zero).map(
        (value, i) => new Variable(value, `${this.name}/state_${i}`, { trainable: false }),
      );
      const kept = this.states[0]!.value.shape[0];
      if (kept !== batch)
        throw new ShapeError(
          `${this.label}: expected batches of ${kept}, as before, since the layer is stateful; received ${batch}`,
        );
    }
    if (given) {
      if (given.length !== count)
        throw new ValueError(`${this.label}: expected ${count} initial state(s), received ${given.length}`);
      for (const state of given)
        if (state.rank !== 2 || state.shape[0] !== batch || state.shape[1] !== this.units)
          throw new ShapeError(
            `${this.label}: expected initial states of shape [${batch}, ${this.units}], received ${formatShape(state.shape)}`,
          );
      return this.unflatten(given);
    }
    return stateful ? this.unflatten(this.currentStates) : zero;
  }

  override computeMask(_inputs: Tensor, mask: Tensor | null): Tensor | null {
    return this.options.returnSequences ? mask : null;
  }

  computeOutputShape(inputShape: PartialShape): PartialShape {
    return this.options.returnSequences ? [inputShape[0]!, inputShape[1]!, this.units] : [inputShape[0]!, this.units];
  }

  override getConfig(): LayerConfig {
    return { ...super.getConfig(), units: this.units, ...configOf(this.options) };
  }

  /** The same layer walking the other way, with weights of its own: what Bidirectional runs beside it. */
  abstract mirrored(name: string, goBackwards: boolean): RecurrentLayer<S>;
}

/** A recurrent layer whose whole state is its output. */
abstract class SingleStateLayer extends RecurrentLayer<Tensor> {
  protected flatten(state: Tensor): Tensor[] {
    return [state];
  }

  protected unflatten(states: readonly Tensor[]): Tensor {
    return states[0]!;
  }
}

/** Options of {@link SimpleRNN}. */
export type SimpleRNNOptions = RecurrentOptions & CellOptions;

/**
 * Fully connected recurrent layer: h_t = activation(x_t W + h_{t-1} U + b), activation 'tanh'.
 * [batch, time, features] -> [batch, units], or [batch, time, units] with `returnSequences`. Keras `SimpleRNN`.
 */
export class SimpleRNN extends SingleStateLayer {
  readonly className = 'SimpleRNN';
  protected readonly cell: SimpleRNNCell;
  protected readonly cellName = 'simple_rnn_cell';

  constructor(units: number, options: SimpleRNNOptions = {}) {
    super(units, options);
    this.cell = new SimpleRNNCell(units, options);
  }

  mirrored(name: string, goBackwards: boolean): SimpleRNN {
    return new SimpleRNN(this.units, { ...this.options, name, goBackwards });
  }
}

/** Options of {@link LSTM}. */
export type LSTMOptions = RecurrentOptions & LSTMCellOptions;

/**
 * Long short-term memory layer; the equations stand at `LSTMCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`; with `returnState` also h and c. Keras `LSTM`.
 */
export class LSTM extends RecurrentLayer<LSTMState> {
  readonly className = 'LSTM';
  protected readonly cell: LSTMCell;
  protected readonly cellName = 'lstm_cell';

  constructor(units: number, options: LSTMOptions = {}) {
    super(units, options);
    this.cell = new LSTMCell(units, options);
  }

  protected flatten({ h, c }: LSTMState): Tensor[] {
    return [h, c];
  }

  protected unflatten(states: readonly Tensor[]): LSTMState {
    return { h: states[0]!, c: states[1]! };
  }

  mirrored(name: string, goBackwards: boolean): LSTM {
    return new LSTM(this.units, { ...this.options, name, goBackwards });
  }
}

/** Options of {@link GRU}. */
export type GRUOptions = RecurrentOptions & GRUCellOptions;

/**
 * Gated recurrent unit layer; the equations stand at `GRUCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`. Keras `GRU`.
 */
export class GRU extends SingleStateLayer {
  readonly className = 'GRU';
  protected readonly cell: GRUCell;
  protected readonly cellName = 'gru_cell';

  constructor(units: number, options: GRUOptions = {}) {
    super(units, options);
    this.cell = new GRUCell(units, options);
  }

  mirrored(name: string, goBackwards: boolean): GRU {
    return new GRU(this.units, { ...this.options, name, goBackwards });
  }
}
