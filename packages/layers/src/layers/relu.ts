import { relu, type Tensor, ValueError } from '@recurra/tensor';
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
    this.settled = settle<ReLUOptions>('ReLU', options, { maxValue: null, negativeSlope: 0, threshold: 0 });
    for (const [name, value] of Object.entries(this.settled))
      if (!(value === null && name === 'maxValue') && !(typeof value === 'number' && value >= 0))
        throw new ValueError(`ReLU: expected ${name} to be a number >= 0, received ${String(value)}`);
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
