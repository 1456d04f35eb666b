import type { Tensor } from '@recurra/tensor';
import type { Context } from '../../base/layer.js';
import { GlobalPooling1D, type GlobalPooling1DOptions } from './global-pooling1d.js';

/**
 * The mean of each channel over the steps that the mask lets count, all without one: [batch, time, channels] -> [batch, channels]. NaN for a sequence of which
 * no step counts. Keras `GlobalAveragePooling1D`.
 */
export class GlobalAveragePooling1D extends GlobalPooling1D {
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];

  constructor(options: GlobalPooling1DOptions = {}) {
    super('GlobalAveragePooling1D', options);
  }

  override get className(): string {
    return 'GlobalAveragePooling1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor, { mask }: Context): Tensor {
    const { time, channels } = this.axis;
    const keepDims = this.settled.keepdims;
    if (!mask) return x.mean(time, { keepDims });
    const counts = mask.cast('bool').expandDims(channels);
    const total = counts.select(x, x.zerosLike()).sum(time, { keepDims });
    return total.div(counts.cast(x.dtype).sum(time, { keepDims }));
  }

  override computeMask(): null {
    return null;
  }
}
