import type { Tensor } from '@recurra/tensor';
import type { LayerOptions } from '../../base/options.js';
import { Merge } from './merge.js';

/**
 * a - b of a list of two tensors [batch, ...]. Masked elements are subtracted like others.
 *
 * Broadcasting and the output's mask as in {@link Merge}. Keras `Subtract`.
 */
export class Subtract extends Merge {
  constructor(options: LayerOptions = {}) {
    super('Subtract', options);
  }

  override get className(): string {
    return 'Subtract';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override readonly counts = [2, 2] as const;

  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs[0]!.sub(inputs[1]!);
  }
}
