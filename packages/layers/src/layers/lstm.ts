import { LSTM_CELL_OPTIONS, LSTMCell, type LSTMCellOptions } from '@recurra/cells';
import { CellLayer, type RecurrentOptions } from './rnn.js';

/** Options of {@link LSTM}. */
export type LSTMOptions = RecurrentOptions & LSTMCellOptions;

/**
 * Long short-term memory layer; the equations stand at `LSTMCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`; with `returnState` also h and c. Keras `LSTM`.
 */
export class LSTM<const O extends LSTMOptions = Record<never, never>> extends CellLayer<O> {
  constructor(units: number, options: O = {} as O) {
    super('LSTM', units, options, LSTMCell, LSTM_CELL_OPTIONS);
  }

  override get className(): string {
    return 'LSTM';
  }
}
