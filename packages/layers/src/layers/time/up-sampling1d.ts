import { repeat, type Tensor } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { expectInteger, type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import { TimeAxis } from '../convolution/time-axis.js';

/** Each step `size` (2) times: [batch, time, channels] -> [batch, time * size, channels]. Keras `UpSampling1D`. */
export class UpSampling1D extends Layer {
  static override readonly positional: readonly string[] = ['size'];
  /** How often each step comes. */
  readonly size: number;
  protected override readonly settled: Settled<LayerOptions>;
  private readonly axis = new TimeAxis('channels_last');

  constructor(size = 2, options: LayerOptions = {}) {
    super(options);
    this.size = expectInteger('UpSampling1D', 'size', size);
    this.settled = settle<LayerOptions>('UpSampling1D', options, {});
  }

  override get className(): string {
    return 'UpSampling1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.axis.check(this.label, shape);
  }

  call(x: Tensor): Tensor {
    return repeat(x, this.size, 1);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    this.axis.check(this.label, inputShape);
    const [batch, time, channels] = inputShape as [number | null, number | null, number | null];
    return [batch, time === null ? null : time * this.size, channels];
  }

  protected override fields(): Record<string, unknown> {
    return { size: this.size };
  }
}
