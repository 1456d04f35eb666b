import { Recurrent } from '@recurra/kernels';
import { concat, type DType, ones, sigmoid, split, type Tensor, tanh, zeros } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import type { CellParams, DropoutMasks, SequenceKernel } from './cell.js';
import { GATED_CELL_OPTIONS, GatedCell, type GatedCellOptions } from './gated.js';
import type { InitializeOptions } from './initializers.js';

/** Options of {@link LSTMCell}. */
export interface LSTMCellOptions extends GatedCellOptions {
  /** Start the bias of the forget gate at 1, so that memories last at first (Jozefowicz et al. 2015); true. */
  readonly unitForgetBias?: boolean;
}

/** Rules of {@link LSTMCellOptions}. */
export const LSTM_CELL_OPTIONS: Rules<LSTMCellOptions> = { ...GATED_CELL_OPTIONS, unitForgetBias: rules.flag };

/** The state of an LSTM: what it says (h) and what it remembers (c), both [batch, units]. */
export interface LSTMState {
  readonly h: Tensor;
  readonly c: Tensor;
}

const KERNEL: SequenceKernel = {
  ...{ kind: Recurrent.lstm, gates: 4, states: 2, projectedOnly: false },
  recurrentBias: () => null,
  cell: (units) => new LSTMCell(units),
};

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; forget gates: Gers et al. 2000):
 *
 *     [i, f, g, o] = x_t W + h_{t-1} U + b
 *     c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
 *     h_t = sigmoid(o) * tanh(c_t)
 *
 * Shapes: W (`kernel`) [features, 4 units], U (`recurrentKernel`) [units, 4 units], b (`bias`) [4 units], gates in Keras'
 * order: input, forget, candidate, output. Keras `LSTMCell`.
 */
export class LSTMCell extends GatedCell<LSTMState> {
  readonly className: string = 'LSTMCell';
  protected readonly gates = 4;
  /** The axis along which projected inputs hold the gates. */
  protected readonly gateAxis: number = -1;
  private readonly unitForgetBias: boolean;

  /** @param units width of both states; @param options `activation` 'tanh', `recurrentActivation` 'sigmoid', ... */
  constructor(units: number, options: LSTMCellOptions = {}) {
    super(units, options, LSTM_CELL_OPTIONS);
    this.unitForgetBias = options.unitForgetBias ?? true;
  }

  protected override gateConfig(): Readonly<Record<string, unknown>> {
    return { ...super.gateConfig(), unitForgetBias: this.unitForgetBias };
  }

  get sequenceKernel(): SequenceKernel | null {
    return this.activation === tanh && this.recurrentActivation === sigmoid ? KERNEL : null;
  }

  protected override createBias(options: InitializeOptions): Tensor {
    const whole = super.createBias(options);
    if (!this.unitForgetBias) return whole;
    const u = this.units;
    return concat([whole.narrow(0, 0, u), ones([u], whole.dtype), whole.narrow(0, 2 * u, 2 * u)]);
  }

  initialState(batch: number, dtype: DType = 'float32'): LSTMState {
    const zero = zeros([batch, this.units], dtype);
    return { h: zero, c: zero };
  }

  stepProjected(
    params: CellParams,
    projected: Tensor,
    state: LSTMState,
    masks?: DropoutMasks,
  ): { output: Tensor; state: LSTMState } {
    const z = projected.add(this.recurrentProduct(params, state.h, masks));
    const [i, f, g, o] = split(z, 4, this.gateAxis) as [Tensor, Tensor, Tensor, Tensor];
    const gate = this.recurrentActivation;
    const c = gate(f)
      .mul(state.c)
      .add(gate(i).mul(this.activation(g)));
    const h = gate(o).mul(this.activation(c));
    return { output: h, state: { h, c } };
  }
}
