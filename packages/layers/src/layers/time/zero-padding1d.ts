import { pad, type Tensor } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import { bothEnds, type DataFormat, resolveDataFormat, TimeAxis } from '../convolution/time-axis.js';

/** Options of {@link ZeroPadding1D}. */
export interface ZeroPadding1DOptions extends LayerOptions {
  /** 'channelsLast': [batch, time, channels]; 'channelsFirst': [batch, channels, time]. */
  readonly dataFormat?: DataFormat | null;
}

/** Adds `padding` (1; or two numbers: before, after) steps of zeros at both ends of the sequence. Keras `ZeroPadding1D`. */
export class ZeroPadding1D extends Layer {
  static override readonly positional: readonly string[] = ['padding'];
  /** Steps before and after. */
  readonly padding: readonly [number, number];
  protected override readonly settled: Settled<ZeroPadding1DOptions>;
  private readonly axis: TimeAxis;

  constructor(padding: number | readonly [number, number] = 1, options: ZeroPadding1DOptions = {}) {
    super(options);
    this.padding = bothEnds('ZeroPadding1D', 'padding', padding);
    const settled = settle<ZeroPadding1DOptions>('ZeroPadding1D', options, { dataFormat: null });
    const dataFormat = resolveDataFormat('ZeroPadding1D', settled.dataFormat);
    this.axis = new TimeAxis(dataFormat);
    this.settled = { dataFormat };
  }

  override get className(): string {
    return 'ZeroPadding1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.axis.check(this.label, shape);
  }

  call(x: Tensor): Tensor {
    const ends = this.axis.time === 1 ? [[0, 0], this.padding, [0, 0]] : [[0, 0], [0, 0], this.padding];
    return pad(x, ends as [number, number][]);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    this.axis.check(this.label, inputShape);
    const time = inputShape[this.axis.time]!;
    const [before, after] = this.padding;
    const longer = time === null ? null : time + before + after;
    return this.axis.shape(inputShape[0]!, longer, inputShape[this.axis.channels]!);
  }

  protected override fields(): Record<string, unknown> {
    return { padding: [...this.padding], ...super.fields() };
  }
}
