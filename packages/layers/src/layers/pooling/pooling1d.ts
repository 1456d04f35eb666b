import type { Tensor } from '@recurra/tensor';
import { knownName } from '@recurra/tensor/extend';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import {
  type DataFormat,
  type OneInteger,
  oneInteger,
  resolveDataFormat,
  TimeAxis,
  windowCount,
} from '../convolution/time-axis.js';

/** Options of {@link MaxPooling1D} and {@link AveragePooling1D}. */
export interface Pooling1DOptions extends LayerOptions {
  /** Steps from one window to the next; `null`: the size of a window. */
  readonly strides?: OneInteger | null;
  /** 'valid': windows that lie inside of the sequence; 'same': one for each stride, those at the ends of fewer steps. 'valid'. */
  readonly padding?: 'valid' | 'same';
  /** 'channelsLast': [batch, time, channels]; 'channelsFirst': [batch, channels, time]. */
  readonly dataFormat?: DataFormat | null;
}

/** What the two poolings have in common: all but what they make of a window. */
export abstract class Pooling1D extends Layer {
  static override readonly positional: readonly string[] = ['poolSize'];
  /** Steps in a window. */
  readonly poolSize: number;
  protected override readonly settled: Settled<Pooling1DOptions>;
  private readonly strides: number;
  private readonly padding: 'valid' | 'same';
  private readonly axis: TimeAxis;

  constructor(label: string, poolSize: OneInteger, options: Pooling1DOptions) {
    super(options);
    this.poolSize = oneInteger(label, 'poolSize', poolSize);
    const settled = settle<Pooling1DOptions>(label, options, { padding: 'valid', strides: null, dataFormat: null });
    this.strides = settled.strides === null ? this.poolSize : oneInteger(label, 'strides', settled.strides);
    this.padding = knownName(['valid', 'same'], settled.padding, `${label}: padding`);
    const dataFormat = resolveDataFormat(label, settled.dataFormat);
    this.axis = new TimeAxis(dataFormat);
    this.settled = { padding: this.padding, strides: [this.strides], dataFormat };
  }

  /** The windows' values, [batch, windows, channels], of [batch, time, channels]. */
  protected abstract pool(x: Tensor, size: number, options: { strides: number; padding: 'valid' | 'same' }): Tensor;

  protected override checkInputs(shape: PartialShape): void {
    this.computeOutputShape(shape);
  }

  call(x: Tensor): Tensor {
    const { axis, poolSize, strides, padding } = this;
    return axis.swap(this.pool(axis.swap(x), poolSize, { strides, padding }));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    const { axis } = this;
    axis.check(this.label, inputShape);
    const count = windowCount(this.label, inputShape[axis.time]!, this.poolSize, this.strides, this.padding);
    return axis.shape(inputShape[0]!, count, inputShape[axis.channels]!);
  }

  protected override fields(): Record<string, unknown> {
    return { poolSize: [this.poolSize], ...super.fields() };
  }
}
