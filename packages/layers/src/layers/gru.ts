import { GRU_CELL_OPTIONS, GRUCell, type GRUCellOptions } from '@recurra/cells';
import {
  type AnyRecurrent,
  cellOptions,
  describeRegularizer,
  RECURRENT_DEFAULTS,
  type RecurrentOptions,
  RNN,
  recurrentFields,
} from './rnn.js';

/** Options of {@link GRU}. */
export type GRUOptions = RecurrentOptions & GRUCellOptions;

/**
 * Gated recurrent unit layer; the equations stand at `GRUCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`. Keras `GRU`.
 */
export class GRU<const O extends GRUOptions = Record<never, never>> extends RNN<O> {
  static override readonly positional: readonly string[] = ['units'];
  readonly #options: GRUOptions;

  constructor(units: number, options: O = {} as O) {
    super(new GRUCell(units, cellOptions('GRU', options, GRU_CELL_OPTIONS)), options, {
      ...RECURRENT_DEFAULTS,
      ...UNSET,
    });
    this.#options = options;
  }

  override get className(): string {
    return 'GRU';
  }

  protected override fields(): Record<string, unknown> {
    return {
      ...recurrentFields(this.settled),
      ...this.cell.getConfig!(),
      activityRegularizer: describeRegularizer(this.activityRegularizer),
    };
  }

  override mirrored(options: { readonly name: string; readonly goBackwards: boolean }): AnyRecurrent {
    return new GRU(this.units, { ...this.#options, trainable: this.trainable, ...options });
  }
}

/** The cell checks its options, and keeps them. */
const UNSET: Readonly<Record<string, undefined>> = Object.fromEntries(
  Object.keys(GRU_CELL_OPTIONS).map((key) => [key, undefined]),
);
