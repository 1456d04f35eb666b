import { Recurrent } from '@recurra/kernels';
import { type DType, sigmoid, split, type Tensor, tanh, zeros } from '@recurra/tensor';
import { type Rules, rules } from '@recurra/tensor/extend';
import type { CellParams, DropoutMasks, SequenceKernel } from './cell.js';
import { GATED_CELL_OPTIONS, GatedCell, type GatedCellOptions } from './gated.js';

/** Options of {@link GRUCell}. */
export interface GRUCellOptions extends GatedCellOptions {
  /** Apply the reset gate after the recurrent product (as cuDNN and Keras' default) or before (the paper); true. */
  readonly resetAfter?: boolean;
}

/** Rules of {@link GRUCellOptions}. */
export const GRU_CELL_OPTIONS: Rules<GRUCellOptions> = { ...GATED_CELL_OPTIONS, resetAfter: rules.flag };

const kernel = (resetAfter: boolean): SequenceKernel => ({
  ...{ kind: resetAfter ? Recurrent.gru : Recurrent.gruBefore, gates: 3, states: 1 },
  // The reset gate is known before its product, not before the whole one.
  projectedOnly: !resetAfter,
  recurrentBias: (bias) => (resetAfter ? bias.at(1) : null),
  cell: (units) => new GRUCell(units, { resetAfter }),
});
const AFTER = kernel(true);
const BEFORE = kernel(false);

/**
 * The gated recurrent unit (Cho et al. 2014):
 *
 *     z = sigmoid(x_t W_z + h U_z + b_z)          update gate
 *     r = sigmoid(x_t W_r + h U_r + b_r)          reset gate
 *     n = tanh(x_t W_n + b_n + r * (h U_n + b'_n))     resetAfter (default), with a bias of its own inside
 *     n = tanh(x_t W_n + b_n + (r * h) U_n)            otherwise
 *     h_t = z * h + (1 - z) * n
 *
 * Shapes: W (`kernel`) [features, 3 units], U (`recurrentKernel`) [units, 3 units], gates in Keras' order z, r, h; `bias`
 * [2, 3 units] (input, recurrent) with resetAfter, else [3 units]. The state is h. Keras `GRUCell`.
 */
export class GRUCell extends GatedCell<Tensor> {
  readonly className = 'GRUCell';
  protected readonly gates = 3;
  private readonly resetAfter: boolean;

  /** @param units width of the state; @param options `resetAfter` true, `recurrentActivation` 'sigmoid', ... */
  constructor(units: number, options: GRUCellOptions = {}) {
    super(units, options, GRU_CELL_OPTIONS);
    this.resetAfter = options.resetAfter ?? true;
  }

  protected override gateConfig(): Readonly<Record<string, unknown>> {
    return { ...super.gateConfig(), resetAfter: this.resetAfter };
  }

  get sequenceKernel(): SequenceKernel | null {
    if (this.activation !== tanh || this.recurrentActivation !== sigmoid) return null;
    return this.resetAfter ? AFTER : BEFORE;
  }

  protected override get biasShape(): number[] {
    return this.resetAfter ? [2, ...super.biasShape] : super.biasShape;
  }

  protected override inputBias(params: CellParams): Tensor | undefined {
    return this.resetAfter ? params.bias?.at(0) : params.bias;
  }

  initialState(batch: number, dtype: DType = 'float32'): Tensor {
    return zeros([batch, this.units], dtype);
  }

  stepProjected(
    params: CellParams,
    projected: Tensor,
    state: Tensor,
    masks?: DropoutMasks,
  ): { output: Tensor; state: Tensor } {
    const gate = this.recurrentActivation;
    const [xz, xr, xn] = split(projected, 3, -1) as [Tensor, Tensor, Tensor];
    let z: Tensor;
    let n: Tensor;
    if (this.resetAfter) {
      const product = this.recurrentProduct(params, state, masks);
      const inner = params.bias ? product.add(params.bias.at(1)) : product;
      const [hz, hr, hn] = split(inner, 3, -1) as [Tensor, Tensor, Tensor];
      z = gate(xz.add(hz));
      n = this.activation(xn.add(gate(xr.add(hr)).mul(hn)));
    } else {
      const u = this.units;
      const [uz, ur, un] = split(params.recurrentKernel, [u, 2 * u], -1) as [Tensor, Tensor, Tensor];
      const seen = (k: number): Tensor => (masks?.recurrent ? state.mul(masks.recurrent.at(k)) : state);
      z = gate(xz.add(seen(0).matmul(uz)));
      const r = gate(xr.add(seen(1).matmul(ur)));
      n = this.activation(xn.add(r.mul(seen(2)).matmul(un)));
    }
    const h = z.mul(state).add(z.neg().add(1).mul(n));
    return { output: h, state: h };
  }
}
