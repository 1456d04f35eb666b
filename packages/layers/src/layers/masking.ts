import type { Tensor } from '@recurra/tensor';
import { rules } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';

/** Options of {@link Masking}. */
export interface MaskingOptions extends LayerOptions {
  /** 0 */
  readonly maskValue?: number;
}

/** Masks the steps [batch, time, features] whose features all equal `maskValue` (0), and sets them to 0. Keras `Masking`. */
export class Masking extends Layer {
  protected override readonly settled: Settled<MaskingOptions>;

  constructor(options: MaskingOptions = {}) {
    super(options);
    this.settled = settle<MaskingOptions>('Masking', options, { maskValue: 0 }, { maskValue: rules.isNumber });
  }

  override get className(): string {
    return 'Masking';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor): Tensor {
    return x.mul(this.valid(x).expandDims(-1).cast(x.dtype));
  }

  private valid(x: Tensor): Tensor {
    return x.notEqual(this.settled.maskValue).any(-1);
  }

  override computeMask(inputs: Tensor): Tensor | null {
    return this.valid(inputs);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }
}
