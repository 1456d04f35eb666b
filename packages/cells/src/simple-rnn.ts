import { type DType, relu, type Tensor, tanh, zeros } from '@recurra/tensor';
import { BaseCell, type CellParams, type DropoutMasks, type SequenceKind } from './cell.js';

/**
 * The fully connected recurrent cell: h_t = activation(x_t W + h_{t-1} U + b).
 *
 * Shapes: x [batch, features], h [batch, units], W (`kernel`) [features, units], U (`recurrentKernel`) [units, units],
 * b (`bias`) [units]. The state is h. Keras `SimpleRNNCell`.
 */
export class SimpleRNNCell extends BaseCell<Tensor> {
  readonly className = 'SimpleRNNCell';
  protected readonly gates = 1;

  get sequenceKind(): SequenceKind | null {
    return this.activation === tanh ? 'rnnTanh' : this.activation === relu ? 'rnnRelu' : null;
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
