import { type Tensor, tensor } from '@recurra/tensor';
import { flattenNumbers, type Numbers } from '../internal/nested.js';
import { IndexLookup, type LookupOptions } from './index-lookup.js';

/**
 * Integers to ids, or to rows of numbers: for codes that are not 0, 1, 2, ... Unknown ones share `numOovIndices` ids (-1), spread by their
 * remainder. Keras `IntegerLookup`. Throws as `StringLookup`.
 */
export class IntegerLookup {
  private readonly lookup: IndexLookup<number>;

  constructor(options: LookupOptions<number> = {}) {
    this.lookup = new IndexLookup<number>(
      {
        name: 'IntegerLookup',
        maxTokens: options.maxTokens ?? null,
        numOovIndices: options.numOovIndices ?? 1,
        maskToken: options.maskToken ?? null,
        oovToken: options.oovToken ?? -1,
        vocabulary: options.vocabulary ?? null,
        idfWeights: options.idfWeights ?? null,
        invert: options.invert ?? false,
        outputMode: options.outputMode ?? 'int',
        padToMaxTokens: options.padToMaxTokens ?? false,
        salt: options.salt ?? null,
      },
      (a, b) => a - b,
    );
  }

  /** Learns the vocabulary. A list is one document; of nested lists (or a tensor of rank 2), each row is one. */
  adapt(data: Numbers): void {
    this.lookup.reset();
    const { flat, shape } = flattenNumbers('IntegerLookup', data);
    const rows = shape.length > 1 ? shape[0]! : 1;
    const width = rows === 0 ? 0 : flat.length / rows;
    const all = Array.from(flat);
    for (let r = 0; r < rows; r++) this.lookup.count(all.slice(r * width, (r + 1) * width));
    this.lookup.finish();
  }

  /** {@link IntegerLookup.adapt} over a stream of documents, each one number or a list. */
  async adaptStream(stream: AsyncIterable<Numbers>): Promise<void> {
    this.lookup.reset();
    for await (const document of stream) this.lookup.count(Array.from(flattenNumbers('IntegerLookup', document).flat));
    this.lookup.finish();
  }

  /** The numbers by id, with mask and unknown token unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): number[] {
    return this.lookup.vocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly number[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** Number of ids. */
  get vocabularySize(): number {
    return this.lookup.size;
  }

  /** Ids of integers, int32 [...shape]; rows of numbers, as `outputMode` says; with `invert`, the integers of ids. */
  call(x: Numbers): Tensor {
    const { flat, shape } = flattenNumbers('IntegerLookup', x);
    const { outputMode, invert } = this.lookup.settings;
    if (invert)
      return tensor(
        Int32Array.from(flat, (id) => this.lookup.token(id)),
        { shape, dtype: 'int32' },
      );
    const ids = Int32Array.from(flat, (v) => this.lookup.id(v));
    return this.lookup.encode(ids, shape, outputMode === 'int' ? 'int32' : 'float32');
  }

  /** The integers of ids. */
  invert(x: Numbers): Tensor {
    const { flat, shape } = flattenNumbers('IntegerLookup', x);
    return tensor(
      Int32Array.from(flat, (id) => this.lookup.token(id)),
      { shape, dtype: 'int32' },
    );
  }
}
