import { relu, type Tensor } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';

/** Options of {@link ReLU}. */
export interface ReLUOptions extends LayerOptions {
  /** The largest output, >= 0; `null` (default): none. */
  readonly maxValue?: number | null;
  /** The slope below the threshold, >= 0; 0. */
  readonly negativeSlope?: number;
  /** Where inputs begin to pass, >= 0; 0. */
  readonly threshold?: number;
}

/**
 * The rectifier, element by element: x from `threshold` on, at most `maxValue`; negativeSlope * (x - threshold) below. By default max(x, 0).
 * Keras `ReLU`.
 */
export class ReLU extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<ReLUOptions>;

  constructor(options: ReLUOptions = {}) {
    super(options);
    this.settled = settle<ReLUOptions>(
      'ReLU',
      options,
      { maxValue: null, negativeSlope: 0, threshold: 0 },
      {
        maxValue: rules.orNull(rules.notNegative),
        negativeSlope: rules.notNegative,
        threshold: rules.notNegative,
      },
    );
  }

  override get className(): string {
    return 'ReLU';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor): Tensor {
    return relu(x, this.settled);
  }
}
