import { averagePool1d, type Tensor } from '@recurra/tensor';
import type { OneInteger } from '../convolution/time-axis.js';
import { Pooling1D, type Pooling1DOptions } from './pooling1d.js';

/**
 * The mean of each window of `poolSize` (2) steps, of those that lie inside of the sequence: [batch, time, channels] -> [batch, windows, channels].
 * Throws `ShapeError` for sequences shorter than one window. Keras `AveragePooling1D`.
 */
export class AveragePooling1D extends Pooling1D {
  constructor(poolSize: OneInteger = 2, options: Pooling1DOptions = {}) {
    super('AveragePooling1D', poolSize, options);
  }

  override get className(): string {
    return 'AveragePooling1D';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected pool(x: Tensor, size: number, options: { strides: number; padding: 'valid' | 'same' }): Tensor {
    return averagePool1d(x, size, options);
  }
}
