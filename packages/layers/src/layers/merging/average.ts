import type { DType, Tensor } from '@recurra/tensor';
import { toFloating } from '@recurra/tensor/extend';
import type { LayerOptions } from '../../base/options.js';
import { Merge } from './merge.js';

/**
 * (a + b + ...) / n of a list of n tensors [batch, ...]. Masked elements count like others.
 *
 * Broadcasting and the output's mask as in {@link Merge}. Keras `Average`.
 */
export class Average extends Merge {
  constructor(options: LayerOptions = {}) {
    super('Average', options);
  }

  override get className(): string {
    return 'Average';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override mergedType(dtype: DType): DType {
    return toFloating(dtype);
  }

  protected override merge(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => a.add(b)).div(inputs.length);
  }
}
