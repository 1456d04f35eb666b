import { GRUCell, type GRUCellOptions } from '@recurra/cells';
import { GRU_CELL_OPTIONS } from '@recurra/cells/extend';
import { CellLayer, type Only, type RecurrentOptions, type Rest } from './rnn.js';

/** Options of {@link GRU}. */
export type GRUOptions = RecurrentOptions & GRUCellOptions;

/**
 * Gated recurrent unit layer; the equations stand at `GRUCell`. [batch, time, features] -> [batch, units], or [batch, time,
 * units] with `returnSequences`. Keras `GRU`.
 */
export class GRU<const A extends Rest<GRUOptions> = Rest<GRUOptions>> extends CellLayer<A> {
  /** @param units width of the output and of the state @param rest see {@link GRUOptions} */
  constructor(units: number, ...rest: A & Only<A, GRUOptions>) {
    super('GRU', [units], rest[0], GRUCell, GRU_CELL_OPTIONS);
  }

  override get className(): string {
    return 'GRU';
  }

  protected override get independentSamples(): boolean {
    return this.ownStepsApart;
  }
}
