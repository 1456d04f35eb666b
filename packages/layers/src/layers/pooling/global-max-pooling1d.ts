import type { Tensor } from '@recurra/tensor';
import { GlobalPooling1D, type GlobalPooling1DOptions } from './global-pooling1d.js';

/** The largest value of each channel over all steps: [batch, time, channels] -> [batch, channels]. Masks do not count, as in Keras `GlobalMaxPooling1D`. */
export class GlobalMaxPooling1D extends GlobalPooling1D {
  constructor(options: GlobalPooling1DOptions = {}) {
    super('GlobalMaxPooling1D', options);
  }

  override get className(): string {
    return 'GlobalMaxPooling1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(x: Tensor): Tensor {
    return x.max(this.axis.time, { keepDims: this.settled.keepdims });
  }
}
