import type { Tensor } from '@recurra/tensor';
import type { LayerOptions } from '../../base/options.js';
import { Merge, wide } from './merge.js';

/**
 * a * b * ... of a list of tensors [batch, ...]. Masked elements of an input count as 1; where all inputs have masks, elements that are masked in each are 0.
 *
 * Broadcasting and the output's mask as in {@link Merge}. Keras `Multiply`.
 */
export class Multiply extends Merge {
  constructor(options: LayerOptions = {}) {
    super('Multiply', options);
  }

  override get className(): string {
    return 'Multiply';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override merge(inputs: readonly Tensor[], masks: readonly (Tensor | null)[]): Tensor {
    const wideMasks = masks.map((mask, i) => mask && wide(mask, inputs[i]!.rank));
    const product = inputs
      .map((x, i) => (wideMasks[i] ? wideMasks[i].select(x, 1).cast(x.dtype) : x))
      .reduce((a, b) => a.mul(b));
    if (wideMasks.some((mask) => mask === null)) return product;
    const any = wideMasks.reduce((a, b) => a!.logicalOr(b!))!;
    return any.select(product, 0).cast(product.dtype);
  }
}
