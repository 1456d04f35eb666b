import { elu, type Tensor } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';

/** Options of {@link ELU}. */
export interface ELUOptions extends LayerOptions {
  /** Minus the limit for small inputs; 1. */
  readonly alpha?: number;
}

/** x where x > 0, alpha * (e^x - 1) below, element by element. Clevert et al. 2016. Keras `ELU`. */
export class ELU extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly settled: Settled<ELUOptions>;

  constructor(options: ELUOptions = {}) {
    super(options);
    this.settled = settle<ELUOptions>('ELU', options, { alpha: 1 }, { alpha: rules.anyNumber });
  }

  override get className(): string {
    return 'ELU';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor): Tensor {
    return elu(x, this.settled);
  }
}
