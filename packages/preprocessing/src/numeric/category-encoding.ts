import { type Tensor, ValueError } from '@recurra/tensor';
import { checkRules, rules } from '@recurra/tensor/extend';
import { flattenNumbers, type Numbers } from '../internal/nested.js';
import { type EncodeMode, encodeIds } from '../lookup/encode.js';

/**
 * Ids 0..numTokens-1 as rows of numbers: one a sample with 1 for each id that occurs ('multiHot'), or how often, or with how much weight, it
 * does ('count'), or one an id ('oneHot'). Keras `CategoryEncoding`. Throws `ValueError` for ids out of range.
 */
export class CategoryEncoding {
  private readonly numTokens: number;
  private readonly outputMode: EncodeMode;

  constructor(numTokens: number, options: { readonly outputMode?: EncodeMode } = {}) {
    if (!(Number.isInteger(numTokens) && numTokens >= 1))
      throw new ValueError(`CategoryEncoding: expected numTokens to be an integer >= 1, received ${numTokens}`);
    checkRules('CategoryEncoding', options, { outputMode: rules.oneOf('oneHot', 'multiHot', 'count') });
    this.numTokens = numTokens;
    this.outputMode = options.outputMode ?? 'multiHot';
  }

  /** float32 [samples, numTokens] ('oneHot': [..., numTokens]). */
  call(x: Numbers, options: { readonly countWeights?: Numbers } = {}): Tensor {
    const { flat, shape } = flattenNumbers('CategoryEncoding', x);
    if (options.countWeights !== undefined && this.outputMode !== 'count')
      throw new ValueError(
        `CategoryEncoding: expected outputMode 'count' with countWeights, received '${this.outputMode}'`,
      );
    const weights =
      options.countWeights === undefined ? null : flattenNumbers('CategoryEncoding', options.countWeights).flat;
    return encodeIds('CategoryEncoding', flat, shape, this.outputMode, this.numTokens, 'float32', weights);
  }
}
