import { LSTMCell, type LSTMCellOptions } from '@recurra/cells';
import { LSTM_CELL_OPTIONS } from '@recurra/cells/extend';
import { CellLayer, type Only, type RecurrentOptions, type Rest } from './rnn.js';

/** Options of {@link LSTM}. */
export type LSTMOptions = RecurrentOptions & LSTMCellOptions;

/**
 * Long short-term memory layer; the equations stand at `LSTMCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`; with `returnState` also h and c. Keras `LSTM`.
 */
export class LSTM<const A extends Rest<LSTMOptions> = Rest<LSTMOptions>> extends CellLayer<A> {
  /** @param units width of the output and of the state @param rest see {@link LSTMOptions} */
  constructor(units: number, ...rest: A & Only<A, LSTMOptions>) {
    super('LSTM', [units], rest[0], LSTMCell, LSTM_CELL_OPTIONS);
  }

  override get className(): string {
    return 'LSTM';
  }

  protected override get independentSamples(): boolean {
    return this.ownStepsApart;
  }
}
