import { Recurrent } from '@recurra/kernels';
import { type DType, relu, type Tensor, tanh, zeros } from '@recurra/tensor';
import { BaseCell, type CellParams, type DropoutMasks, type SequenceKernel } from './cell.js';

const kernel = (kind: number, activation: 'tanh' | 'relu'): SequenceKernel => ({
  ...{ kind, gates: 1, states: 1, projectedOnly: false },
  recurrentBias: () => null,
  cell: (units) => new SimpleRNNCell(units, { activation }),
});
const TANH = kernel(Recurrent.rnnTanh, 'tanh');
const RELU = kernel(Recurrent.rnnRelu, 'relu');

/**
 * The fully connected recurrent cell: h_t = activation(x_t W + h_{t-1} U + b).
 *
 * Shapes: x [batch, features], h [batch, units], W (`kernel`) [features, units], U (`recurrentKernel`) [units, units],
 * b (`bias`) [units]. The state is h. Keras `SimpleRNNCell`.
 */
export class SimpleRNNCell extends BaseCell<Tensor> {
  readonly className = 'SimpleRNNCell';
  protected readonly gates = 1;

  get sequenceKernel(): SequenceKernel | null {
    return this.activation === tanh ? TANH : this.activation === relu ? RELU : null;
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
    const h = this.activation(projected.add(this.recurrentProduct(params, state, masks)));
    return { output: h, state: h };
  }
}
