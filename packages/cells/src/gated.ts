import { type Activation, type ActivationIdentifier, resolveActivation } from '@recurra/tensor';
import { describeActivation, type Rules } from '@recurra/tensor/extend';
import { BaseCell, CELL_OPTIONS, type CellOptions, IDENTIFIER } from './cell.js';

/** Options of cells that have gates: LSTM and GRU. */
export interface GatedCellOptions extends CellOptions {
  /** The gates' activation; 'sigmoid'. */
  readonly recurrentActivation?: ActivationIdentifier;
}

/** Rules of {@link GatedCellOptions}. */
export const GATED_CELL_OPTIONS: Rules<GatedCellOptions> = { ...CELL_OPTIONS, recurrentActivation: IDENTIFIER };

/** What LSTM and GRU cells have in common beside {@link BaseCell}: the activation of their gates. */
export abstract class GatedCell<S> extends BaseCell<S> {
  protected readonly recurrentActivation: Activation;

  /** @param units width of the state; @param options see {@link GatedCellOptions} */
  constructor(units: number, options: GatedCellOptions, names: Rules<GatedCellOptions>) {
    super(units, options, names);
    this.recurrentActivation = resolveActivation(
      options.recurrentActivation === undefined ? 'sigmoid' : options.recurrentActivation,
    );
  }

  protected override gateConfig(): Readonly<Record<string, unknown>> {
    const { recurrentActivation = 'sigmoid' } = this.options as GatedCellOptions;
    return { recurrentActivation: describeActivation(recurrentActivation, 'recurrentActivation') };
  }
}
