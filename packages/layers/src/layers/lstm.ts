import { LSTM_CELL_OPTIONS, LSTMCell, type LSTMCellOptions } from '@recurra/cells';
import {
  type AnyRecurrent,
  cellOptions,
  describeRegularizer,
  RECURRENT_DEFAULTS,
  type RecurrentOptions,
  RNN,
  recurrentFields,
} from './rnn.js';

/** Options of {@link LSTM}. */
export type LSTMOptions = RecurrentOptions & LSTMCellOptions;

/**
 * Long short-term memory layer; the equations stand at `LSTMCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`; with `returnState` also h and c. Keras `LSTM`.
 */
export class LSTM<const O extends LSTMOptions = Record<never, never>> extends RNN<O> {
  static override readonly positional: readonly string[] = ['units'];
  readonly #options: LSTMOptions;

  constructor(units: number, options: O = {} as O) {
    super(new LSTMCell(units, cellOptions('LSTM', options, LSTM_CELL_OPTIONS)), options, {
      ...RECURRENT_DEFAULTS,
      ...UNSET,
    });
    this.#options = options;
  }

  override get className(): string {
    return 'LSTM';
  }

  protected override fields(): Record<string, unknown> {
    return {
      ...recurrentFields(this.settled),
      ...this.cell.getConfig!(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }

  override mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    return new LSTM(this.units, { ...this.#options, trainable: this.trainable, ...options });
  }
}

/** The cell checks its options, and keeps them. */
const UNSET: Readonly<Record<string, undefined>> = Object.fromEntries(
  Object.keys(LSTM_CELL_OPTIONS).map((key) => [key, undefined]),
);
