import { dropoutMask } from '@recurra/cells/extend';
import type { Tensor } from '@recurra/tensor';
import { checkValue, rules } from '@recurra/tensor/extend';
import { type Context, Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { SeedGenerator } from '../base/seed.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link Dropout}. */
export interface DropoutOptions extends LayerOptions {
  /** Sizes of the mask; `null` or 1 where one draw counts for the whole axis of that place. `null`: each element has its own. */
  readonly noiseShape?: readonly (number | null)[] | null;
  /** Draws the same masks in each run; `null`: from the run's key (`setSeed`). */
  readonly seed?: number | null;
}

/**
 * In training, sets a share `rate` of the elements to 0 and scales the others by 1 / (1 - rate); else the identity.
 * Srivastava et al. 2014. Keras `Dropout`.
 */
export class Dropout extends Layer {
  static override readonly positional: readonly string[] = ['rate'];
  readonly rate: number;
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<DropoutOptions>;
  private readonly generator: SeedGenerator;

  constructor(rate: number, options: DropoutOptions = {}) {
    super(options);
    checkValue('Dropout', 'rate', rate, rules.share);
    this.rate = rate;
    this.settled = settle<DropoutOptions>('Dropout', options, { noiseShape: null, seed: null });
    this.generator = new SeedGenerator(this.settled.seed, this.name, (v) => this.keep(v));
  }

  override get className(): string {
    return 'Dropout';
  }

  protected override get independentSamples(): boolean {
    return this.settled.noiseShape === null;
  }

  call(x: Tensor, { training }: Context): Tensor {
    if (!training || this.rate === 0) return x;
    if (this.rate === 1) return x.zerosLike();
    const shape = this.settled.noiseShape?.map((d, i) => d ?? x.shape[i]!) ?? x.shape;
    return x.mul(dropoutMask(this.rate, shape, this.generator.next(), x.dtype));
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    const { noiseShape, seed } = this.settled;
    return { rate: this.rate, seed, noiseShape };
  }
}
