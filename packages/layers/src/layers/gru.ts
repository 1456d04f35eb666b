import { GRU_CELL_OPTIONS, GRUCell, type GRUCellOptions } from '@recurra/cells';
import { CellLayer, type RecurrentOptions } from './rnn.js';

/** Options of {@link GRU}. */
export type GRUOptions = RecurrentOptions & GRUCellOptions;

/**
 * Gated recurrent unit layer; the equations stand at `GRUCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`. Keras `GRU`.
 */
export class GRU<const O extends GRUOptions = Record<never, never>> extends CellLayer<O> {
  constructor(units: number, options: O = {} as O) {
    super('GRU', units, options, GRUCell, GRU_CELL_OPTIONS);
  }

  override get className(): string {
    return 'GRU';
  }
}
