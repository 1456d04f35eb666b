import { ShapeError, type Tensor } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import { bothEnds, TimeAxis } from '../convolution/time-axis.js';

/**
 * Takes `cropping` (1; or two numbers: before, after) steps away at both ends of [batch, time, channels]. Throws `ShapeError` where nothing would be
 * left. Keras `Cropping1D`.
 */
export class Cropping1D extends Layer {
  static override readonly positional: readonly string[] = ['cropping'];
  /** Steps at the beginning and at the end. */
  readonly cropping: readonly [number, number];
  protected override readonly settled: Settled<LayerOptions>;
  private readonly axis = new TimeAxis('channels_last');

  constructor(cropping: number | readonly [number, number] = 1, options: LayerOptions = {}) {
    super(options);
    this.cropping = bothEnds('Cropping1D', 'cropping', cropping);
    this.settled = settle<LayerOptions>('Cropping1D', options, {});
  }

  override get className(): string {
    return 'Cropping1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.computeOutputShape(shape);
  }

  call(x: Tensor): Tensor {
    const [before, after] = this.cropping;
    return x.narrow(1, before, x.shape[1]! - before - after);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    this.axis.check(this.label, inputShape);
    const [batch, time, channels] = inputShape as [number | null, number | null, number | null];
    const [before, after] = this.cropping;
    if (time !== null && time <= before + after)
      throw new ShapeError(
        `${this.label}: expected more than ${before + after} steps, which cropping takes away, received ${formatPartial(inputShape)}`,
      );
    return [batch, time === null ? null : time - before - after, channels];
  }

  protected override fields(): Record<string, unknown> {
    return { cropping: [...this.cropping] };
  }
}
