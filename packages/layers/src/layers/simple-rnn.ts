import { type CellOptions, SimpleRNNCell } from '@recurra/cells';
import { CELL_OPTIONS } from '@recurra/cells/extend';
import { CellLayer, type Only, type RecurrentOptions, type Rest } from './rnn.js';

/** Options of {@link SimpleRNN}. */
export type SimpleRNNOptions = RecurrentOptions & CellOptions;

/**
 * Fully connected recurrent layer: h_t = activation(x_t W + h_{t-1} U + b), activation 'tanh'.
 * [batch, time, features] -> [batch, units], or [batch, time, units] with `returnSequences`. Keras `SimpleRNN`.
 */
export class SimpleRNN<const A extends Rest<SimpleRNNOptions> = Rest<SimpleRNNOptions>> extends CellLayer<A> {
  /** @param units width of the output and of the state @param rest see {@link SimpleRNNOptions} */
  constructor(units: number, ...rest: A & Only<A, SimpleRNNOptions>) {
    super('SimpleRNN', [units], rest[0], SimpleRNNCell, CELL_OPTIONS);
  }

  override get className(): string {
    return 'SimpleRNN';
  }

  protected override get independentSamples(): boolean {
    return this.ownStepsApart;
  }

  protected override fields(): Record<string, unknown> {
    // Keras writes the seed down for the other kinds only.
    const { seed, ...rest } = super.fields();
    return seed === null ? rest : { ...rest, seed };
  }
}
