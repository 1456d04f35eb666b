import { randomNormal, type Tensor } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import { type Context, Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { SeedGenerator } from '../base/seed.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link GaussianNoise}. */
export interface GaussianNoiseOptions extends LayerOptions {
  /** Draws the same noise in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/** In training, adds normal noise of mean 0 and standard deviation `stddev` (0..1) to each element; else the identity. Keras `GaussianNoise`. */
export class GaussianNoise extends Layer {
  static override readonly positional: readonly string[] = ['stddev'];
  readonly stddev: number;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<GaussianNoiseOptions>;
  private readonly generator: SeedGenerator;

  constructor(stddev: number, options: GaussianNoiseOptions = {}) {
    super(options);
    checkValue('GaussianNoise', 'stddev', stddev, rules.share);
    this.stddev = stddev;
    this.settled = settle<GaussianNoiseOptions>('GaussianNoise', options, { seed: null });
    this.generator = new SeedGenerator(this.settled.seed, this.name, (v) => this.keep(v));
  }

  override get className(): string {
    return 'GaussianNoise';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor, { training }: Context): Tensor {
    if (!training || this.stddev === 0) return x;
    return x.add(randomNormal(x.shape, { key: this.generator.next(), std: this.stddev, dtype: this.dtype }));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    return { stddev: this.stddev, ...super.fields() };
  }
}
