import type { Tensor } from '@recurra/tensor';
import type { LayerOptions } from '../../base/options.js';
import { Merge } from './merge.js';

/**
 * a + b + ... of a list of tensors [batch, ...], for residual connections. Masked elements are added like others.
 *
 * Broadcasting and the output's mask as in {@link Merge}. Keras `Add`.
 */
export class Add extends Merge {
  constructor(options: LayerOptions = {}) {
    super('Add', options);
  }

  override get className(): string {
    return 'Add';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => a.add(b));
  }
}
