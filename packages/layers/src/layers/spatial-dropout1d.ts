import { dropoutMask } from '@recurra/cells/extend';
import type { Tensor } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import { type Context, Layer, type LayerConfig } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { SeedGenerator } from '../base/seed.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link SpatialDropout1D}. */
export interface SpatialDropout1DOptions extends LayerOptions {
  /** Draws the same masks in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/**
 * In training, sets a share `rate` of the features of [batch, time, features] to 0, each at all steps of its sample, and scales the others by 1 / (1 - rate);
 * else the identity. Tompson et al. 2015. Keras `SpatialDropout1D`.
 */
export class SpatialDropout1D extends Layer {
  static override readonly positional: readonly string[] = ['rate'];
  readonly rate: number;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<SpatialDropout1DOptions>;
  private readonly generator: SeedGenerator;

  constructor(rate: number, options: SpatialDropout1DOptions = {}) {
    super(options);
    checkValue('SpatialDropout1D', 'rate', rate, rules.share);
    this.rate = rate;
    this.settled = settle<SpatialDropout1DOptions>('SpatialDropout1D', options, { seed: null });
    this.generator = new SeedGenerator(this.settled.seed, this.name, (v) => this.keep(v));
  }

  override get className(): string {
    return 'SpatialDropout1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.expectRank(shape, 3, '[batch, time, features]', 'For other ranks, use Dropout.');
  }

  call(x: Tensor, { training }: Context): Tensor {
    if (!training || this.rate === 0) return x;
    if (this.rate === 1) return x.zerosLike();
    const shape = [x.shape[0]!, 1, x.shape[2]!];
    return x.mul(dropoutMask(this.rate, shape, this.generator.next(), x.dtype));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  /** As short as Keras writes it: without `trainable`, and the dtype as its name. */
  override getConfig(): LayerConfig {
    return { rate: this.rate, seed: this.settled.seed, name: this.name, dtype: this.dtype };
  }
}
