import { randomNormal, type Tensor } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import { type Context, Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { SeedGenerator } from '../base/seed.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link GaussianDropout}. */
export interface GaussianDropoutOptions extends LayerOptions {
  /** Draws the same noise in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/**
 * In training, multiplies each element by normal noise of mean 1 and standard deviation sqrt(rate / (1 - rate)): that of dropout; else the identity.
 * `rate` is in 0..1 without 1, where the deviation is infinite. Srivastava et al. 2014. Keras `GaussianDropout`.
 */
export class GaussianDropout extends Layer {
  static override readonly positional: readonly string[] = ['rate'];
  readonly rate: number;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<GaussianDropoutOptions>;
  private readonly generator: SeedGenerator;

  constructor(rate: number, options: GaussianDropoutOptions = {}) {
    super(options);
    // Keras takes 1, and divides by 0 in the first step of training.
    checkValue('GaussianDropout', 'rate', rate, rules.decay);
    this.rate = rate;
    this.settled = settle<GaussianDropoutOptions>('GaussianDropout', options, { seed: null });
    this.generator = new SeedGenerator(this.settled.seed, this.name, (v) => this.keep(v));
  }

  override get className(): string {
    return 'GaussianDropout';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor, { training }: Context): Tensor {
    if (!training || this.rate === 0) return x;
    const std = Math.sqrt(this.rate / (1 - this.rate));
    return x.mul(randomNormal(x.shape, { key: this.generator.next(), mean: 1, std, dtype: this.dtype }));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    return { rate: this.rate, ...super.fields() };
  }
}
