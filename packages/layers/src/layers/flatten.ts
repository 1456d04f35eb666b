import { ShapeError, type Tensor } from '@recurra/tensor';
import { sizeOf } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { formatPartial, type PartialShape } from '../base/symbolic.js';
import { type DataFormat, resolveDataFormat } from './convolution/time-axis.js';

/** Options of {@link Flatten}. */
export interface FlattenOptions extends LayerOptions {
  /** Where the features stand: 'channelsFirst' moves axis 1 to the end before flattening; 'channelsLast'. */
  readonly dataFormat?: DataFormat | null;
}

/**
 * All axes after the batch axis as one: [batch, a, b, ...] -> [batch, a * b * ...], [batch] -> [batch, 1]. A mask ends here: its steps are gone.
 * Keras `Flatten`.
 */
export class Flatten extends Layer {
  protected override readonly settled: Settled<FlattenOptions>;

  constructor(options: FlattenOptions = {}) {
    super(options);
    const given = settle<FlattenOptions>('Flatten', options, { dataFormat: null });
    this.settled = { dataFormat: resolveDataFormat('Flatten', given.dataFormat) };
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
    const last = this.settled.dataFormat === 'channels_first' && x.rank > 2 ? x.moveaxis(1, -1) : x;
    return last.reshape([x.shape[0]!, sizeOf(x.shape.slice(1))]);
  }
}
