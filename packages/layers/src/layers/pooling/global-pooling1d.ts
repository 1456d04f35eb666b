import { ShapeError } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import { type DataFormat, resolveDataFormat, TimeAxis } from '../convolution/time-axis.js';

/** Options of {@link GlobalMaxPooling1D} and {@link GlobalAveragePooling1D}. */
export interface GlobalPooling1DOptions extends LayerOptions {
  /** 'channelsLast': [batch, time, channels]; 'channelsFirst': [batch, channels, time]. */
  readonly dataFormat?: DataFormat | null;
  /** Keep the axis of time, with size 1; false. */
  readonly keepdims?: boolean;
}

/** What the poolings over the whole of time have in common. */
export abstract class GlobalPooling1D extends Layer {
  protected override readonly settled: Settled<GlobalPooling1DOptions>;
  protected readonly axis: TimeAxis;

  constructor(label: string, options: GlobalPooling1DOptions) {
    super(options);
    const settled = settle<GlobalPooling1DOptions>(label, options, { dataFormat: null, keepdims: false });
    const dataFormat = resolveDataFormat(label, settled.dataFormat);
    this.axis = new TimeAxis(dataFormat);
    this.settled = { ...settled, dataFormat };
  }

  protected override checkInputs(shape: PartialShape): void {
    this.axis.check(this.label, shape);
    if (shape[this.axis.time] === 0)
      throw new ShapeError(`${this.label}: expected at least one step, received ${formatPartial(shape)}`);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    this.checkInputs(inputShape);
    const [batch, channels] = [inputShape[0]!, inputShape[this.axis.channels]!];
    return this.settled.keepdims ? this.axis.shape(batch, 1, channels) : [batch, channels];
  }
}
