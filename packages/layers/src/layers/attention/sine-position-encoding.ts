import { ShapeError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { describeValue, isFloating } from '@recurra/tensor/extend';
import { type Context, Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import { checkPositionArguments, type PositionArguments } from './positions.js';

/** Options of {@link SinePositionEncoding}. */
export interface SinePositionEncodingOptions extends LayerOptions {
  /** The longest wave is 2 pi times as long; 10000. */
  readonly maxWavelength?: number;
}

/**
 * Vectors of the places in a sequence that are not learned: inputs [..., time, features] -> for place t and feature i, with angle = t maxWavelength^(-2
 * floor(i / 2) / features), sin(angle) where i is even and cos(angle) where it is odd; in the shape of the inputs, to be added to them. A mask passes through. Vaswani et al. 2017. KerasHub
 * `SinePositionEncoding`.
 */
export class SinePositionEncoding extends Layer<Tensor, Tensor, PositionArguments> {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<SinePositionEncodingOptions>;

  constructor(options: SinePositionEncodingOptions = {}) {
    super(options);
    this.settled = settle<SinePositionEncodingOptions>('SinePositionEncoding', options, { maxWavelength: 10000 });
    const { maxWavelength } = this.settled;
    if (typeof maxWavelength !== 'number' || !(maxWavelength > 0) || maxWavelength === Infinity)
      throw new ValueError(
        `SinePositionEncoding: expected maxWavelength > 0, received ${describeValue(maxWavelength)}`,
      );
  }

  override get className(): string {
    return 'SinePositionEncoding';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    if (shape.length < 2)
      throw new ShapeError(
        `${this.label}: expected inputs [batch, ..., time, features], received ${formatPartial(shape)}`,
      );
  }

  call(x: Tensor, context: Context & PositionArguments): Tensor {
    const start = checkPositionArguments(this.label, context);
    const [time, features] = x.shape.slice(-2) as [number, number];
    const { maxWavelength } = this.settled;
    const values = new Float64Array(time * features);
    for (let i = 0; i < features; i++) {
      const frequency = maxWavelength ** ((-2 * Math.floor(i / 2)) / features);
      const wave = i % 2 === 0 ? Math.sin : Math.cos;
      for (let t = 0; t < time; t++) values[t * features + i] = wave((start + t) * frequency);
    }
    const dtype = isFloating(x.dtype) ? x.dtype : this.dtype;
    return tensor(values, { shape: [time, features] })
      .cast(dtype)
      .broadcastTo(x.shape);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }
}
