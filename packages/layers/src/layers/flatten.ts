import { ShapeError, type Tensor } from '@recurra/tensor';
import { knownName, type SnakeCase } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { formatPartial, type PartialShape } from '../base/symbolic.js';

/** Options of {@link Flatten}. */
export interface FlattenOptions extends LayerOptions {
  /** Where the features stand: 'channelsFirst' moves axis 1 to the end before flattening; 'channelsLast'. */
  readonly dataFormat?: SnakeCase<'channelsLast' | 'channelsFirst'> | 'channelsLast' | 'channelsFirst' | null;
}

/**
 * All axes after the batch axis as one: [batch, a, b, ...] -> [batch, a * b * ...], [batch] -> [batch, 1]. A mask ends here: its steps are gone.
 * Keras `Flatten`.
 */
export class Flatten extends Layer {
  protected override readonly settled: Settled<FlattenOptions>;
  private readonly channelsFirst: boolean;

  constructor(options: FlattenOptions = {}) {
    super(options);
    const { dataFormat } = settle<FlattenOptions>('Flatten', options, { dataFormat: null });
    this.channelsFirst =
      knownName(['channelsLast', 'channelsFirst'], dataFormat ?? 'channelsLast', 'Flatten: dataFormat') ===
      'channelsFirst';
    this.settled = { dataFormat: this.channelsFirst ? 'channels_first' : 'channels_last' };
  }

  override get className(): string {
    return 'Flatten';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    if (shape.length === 0)
      throw new ShapeError(`${this.label}: expected input with a batch axis, received ${formatPartial(shape)}`);
  }

  call(x: Tensor): Tensor {
    const last = this.channelsFirst && x.rank > 2 ? x.moveaxis(1, -1) : x;
    return last.reshape([x.shape[0]!, x.shape.slice(1).reduce((a, b) => a * b, 1)]);
  }
}
