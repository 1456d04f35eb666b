import { leakyRelu, type Tensor } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';

/** Options of {@link LeakyReLU}. */
export interface LeakyReLUOptions extends LayerOptions {
  /** The slope below 0, >= 0; 0.3. */
  readonly negativeSlope?: number;
}

/** x where x > 0, negativeSlope * x (0.3) below, element by element. Keras `LeakyReLU`. */
export class LeakyReLU extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<LeakyReLUOptions>;

  constructor(options: LeakyReLUOptions = {}) {
    super(options);
    this.settled = settle<LeakyReLUOptions>(
      'LeakyReLU',
      options,
      { negativeSlope: 0.3 },
      {
        negativeSlope: rules.notNegative,
      },
    );
  }

  override get className(): string {
    return 'LeakyReLU';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor): Tensor {
    return leakyRelu(x, this.settled);
  }
}
