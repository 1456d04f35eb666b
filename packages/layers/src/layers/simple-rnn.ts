import { CELL_OPTIONS, type CellOptions, SimpleRNNCell } from '@recurra/cells';
import { CellLayer, type RecurrentOptions } from './rnn.js';

/** Options of {@link SimpleRNN}. */
export type SimpleRNNOptions = RecurrentOptions & CellOptions;

/**
 * Fully connected recurrent layer: h_t = activation(x_t W + h_{t-1} U + b), activation 'tanh'.
 * [batch, time, features] -> [batch, units], or [batch, time, units] with `returnSequences`. Keras `SimpleRNN`.
 */
export class SimpleRNN<const O extends SimpleRNNOptions = Record<never, never>> extends CellLayer<O> {
  constructor(units: number, options: O = {} as O) {
    super('SimpleRNN', units, options, SimpleRNNCell, CELL_OPTIONS);
  }

  override get className(): string {
    return 'SimpleRNN';
  }

  protected override fields(): Record<string, unknown> {
    // Keras writes the seed down for the other kinds only.
    const { seed, ...rest } = super.fields();
    return seed === null ? rest : { ...rest, seed };
  }
}
