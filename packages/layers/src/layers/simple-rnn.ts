import { CELL_OPTIONS, type CellOptions, SimpleRNNCell } from '@recurra/cells';
import {
  type AnyRecurrent,
  cellOptions,
  describeRegularizer,
  RECURRENT_DEFAULTS,
  type RecurrentOptions,
  RNN,
  recurrentFields,
} from './rnn.js';

/** Options of {@link SimpleRNN}. */
export type SimpleRNNOptions = RecurrentOptions & CellOptions;

/**
 * Fully connected recurrent layer: h_t = activation(x_t W + h_{t-1} U + b), activation 'tanh'.
 * [batch, time, features] -> [batch, units], or [batch, time, units] with `returnSequences`. Keras `SimpleRNN`.
 */
export class SimpleRNN<const O extends SimpleRNNOptions = Record<never, never>> extends RNN<O> {
  static override readonly positional: readonly string[] = ['units'];
  readonly #options: SimpleRNNOptions;

  constructor(units: number, options: O = {} as O) {
    super(new SimpleRNNCell(units, cellOptions('SimpleRNN', options, CELL_OPTIONS)), options, {
      ...RECURRENT_DEFAULTS,
      ...UNSET,
    });
    this.#options = options;
  }

  override get className(): string {
    return 'SimpleRNN';
  }

  protected override fields(): Record<string, unknown> {
    // Keras writes the seed down for the other kinds only.
    const { seed, ...cell } = this.cell.getConfig!();
    return {
      ...recurrentFields(this.settled),
      ...cell,
      ...(seed === null ? {} : { seed }),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }

  override mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    return new SimpleRNN(this.units, { ...this.#options, trainable: this.trainable, ...options });
  }
}

/** The cell checks its options, and keeps them. */
const UNSET: Readonly<Record<string, undefined>> = Object.fromEntries(
  Object.keys(CELL_OPTIONS).map((key) => [key, undefined]),
);
