import { randomUniform, type Tensor } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import { type Context, Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { SeedGenerator } from '../base/seed.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link AlphaDropout}. */
export interface AlphaDropoutOptions extends LayerOptions {
  /** Sizes of the draw; `null` or 1 where one draw counts for the whole axis of that place. `null`: each element has its own. */
  readonly noiseShape?: readonly (number | null)[] | null;
  /** Draws the same masks in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/** What selu tends to for small inputs: -scale * alpha. */
const SATURATED = -1.6732632423543772 * 1.0507009873554805;

/**
 * Dropout that keeps mean 0 and variance 1, for layers with selu. In training, a share `rate` of the elements becomes s = -1.7581 (what selu tends to), and all
 * go through a x + b with a = ((1 - rate) (1 + rate s^2))^(-1/2), b = -a s rate; else the identity. Klambauer et al. 2017. Keras `AlphaDropout`.
 */
export class AlphaDropout extends Layer {
  static override readonly positional: readonly string[] = ['rate'];
  readonly rate: number;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<AlphaDropoutOptions>;
  private readonly generator: SeedGenerator;

  constructor(rate: number, options: AlphaDropoutOptions = {}) {
    super(options);
    // Keras takes 1, and divides by 0 in the first step of training.
    checkValue('AlphaDropout', 'rate', rate, rules.decay);
    this.rate = rate;
    this.settled = settle<AlphaDropoutOptions>('AlphaDropout', options, { seed: null, noiseShape: null });
    this.generator = new SeedGenerator(this.settled.seed, this.name, (v) => this.keep(v));
  }

  override get className(): string {
    return 'AlphaDropout';
  }

  protected override get independentSamples(): boolean {
    return this.settled.noiseShape === null;
  }

  call(x: Tensor, { training }: Context): Tensor {
    const { rate } = this;
    if (!training || rate === 0) return x;
    const shape = this.settled.noiseShape?.map((d, i) => d ?? x.shape[i]!) ?? x.shape;
    const keep = randomUniform(shape, { key: this.generator.next() }).greaterEqual(rate);
    const a = ((1 - rate) * (1 + rate * SATURATED ** 2)) ** -0.5;
    const kept = keep.cast(x.dtype);
    return x
      .mul(kept)
      .add(kept.mul(-SATURATED).add(SATURATED))
      .mul(a)
      .add(-a * SATURATED * rate);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    return { rate: this.rate, ...super.fields() };
  }
}
