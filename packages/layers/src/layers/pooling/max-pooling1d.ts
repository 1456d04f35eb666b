import { maxPool1d, type Tensor } from '@recurra/tensor';
import type { OneInteger } from '../convolution/time-axis.js';
import { Pooling1D, type Pooling1DOptions } from './pooling1d.js';

/**
 * The largest value of each window of `poolSize` (2) steps: [batch, time, channels] -> [batch, windows, channels]. Throws `ShapeError` for sequences
 * shorter than one window. Keras `MaxPooling1D`.
 */
export class MaxPooling1D extends Pooling1D {
  constructor(poolSize: OneInteger = 2, options: Pooling1DOptions = {}) {
    super('MaxPooling1D', poolSize, options);
  }

  override get className(): string {
    return 'MaxPooling1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected pool(x: Tensor, size: number, options: { strides: number; padding: 'valid' | 'same' }): Tensor {
    return maxPool1d(x, size, options);
  }
}
