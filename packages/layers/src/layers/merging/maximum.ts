import type { Tensor } from '@recurra/tensor';
import type { LayerOptions } from '../../base/options.js';
import { foldUnmasked, Merge } from './merge.js';

/**
 * max(a, b, ...) of a list of tensors [batch, ...], element by element. A masked element gives way to what it meets.
 *
 * Broadcasting and the output's mask as in {@link Merge}. Keras `Maximum`.
 */
export class Maximum extends Merge {
  constructor(options: LayerOptions = {}) {
    super('Maximum', options);
  }

  override get className(): string {
    return 'Maximum';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override merge(inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): Tensor {
    return foldUnmasked(inputs, masks, (a, b) => a.maximum(b));
  }
}
