import { CategoryEncoding as Encoding } from '@recurra/preprocessing';
import { type EncodeMode, encodedShape } from '@recurra/preprocessing/extend';
import type { Tensor } from '@recurra/tensor';
import { type Context, Layer } from '../../base/layer.js';
import { expectInteger, type LayerOptions, settle } from '../../base/options.js';
import { outputMode, plainOf } from './encoded.js';
import { hostCall } from './host-call.js';

/** Options of {@link CategoryEncoding}; those of Keras. */
export interface CategoryEncodingOptions extends LayerOptions {
  /** 'multiHot' (default), 'oneHot' or 'count' */
  readonly outputMode?: EncodeMode;
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
}

/** What `apply` may be told. */
export interface CategoryEncodingArguments {
  /** What each id counts, of the shape of the ids; with 'count' alone. */
  readonly countWeights?: Tensor;
}

/**
 * Ids 0..numTokens-1 as rows of numbers: [batch, n] -> [batch, numTokens] with 1 for each id that occurs ('multiHot'), or how often it does ('count'), or one row an
 * id ('oneHot'). The rules are those of `CategoryEncoding` of `@recurra/preprocessing`. Has no gradient. Keras `CategoryEncoding`.
 *
 * Throws `ValueError` for ids out of range.
 */
export class CategoryEncoding extends Layer<Tensor, Tensor, CategoryEncodingArguments> {
  static override readonly positional: readonly string[] = ['numTokens'];
  protected override readonly callArguments: readonly string[] = ['countWeights'];
  readonly numTokens: number;
  private readonly mode: EncodeMode;
  private readonly encoding: Encoding;

  constructor(numTokens: number, options: CategoryEncodingOptions = {}) {
    super(options);
    this.numTokens = expectInteger('CategoryEncoding', 'numTokens', numTokens);
    const s = settle<CategoryEncodingOptions>('CategoryEncoding', options, { outputMode: 'multiHot', sparse: false });
    plainOf('CategoryEncoding', s);
    this.mode = outputMode('CategoryEncoding', s.outputMode, ['multiHot', 'oneHot', 'count']);
    this.encoding = new Encoding(numTokens, { outputMode: this.mode });
  }

  override get className(): string {
    return 'CategoryEncoding';
  }

  call(x: Tensor, { countWeights }: Context & CategoryEncodingArguments): Tensor {
    return hostCall(countWeights ? [x, countWeights] : [x], {
      operation: this.label,
      run: (ids, weights) => this.encoding.call(ids!, weights ? { countWeights: weights } : {}),
      shape: (shape) => encodedShape(shape!, this.mode, this.numTokens),
      dtype: this.dtype,
    });
  }

  protected override fields(): Record<string, unknown> {
    return { numTokens: this.numTokens, outputMode: this.mode };
  }
}
