import type { Tensor } from '@recurra/tensor';
import { flatten, flattenNumbers, type Nested, type Numbers, nest } from '../internal/nested.js';
import { compareBytes } from '../internal/order.js';
import { IndexLookup, type LookupOptions } from './index-lookup.js';

/** Strings in nested lists. */
export type Strings = Nested<string>;

/**
 * Strings to ids, or to rows of numbers. Unknown strings share `numOovIndices` ids (`[UNK]`). With `invert`, ids to strings: `call` then
 * takes numbers and gives strings. Keras `StringLookup`, with its order of the vocabulary: by falling count, ties by falling UTF-8 bytes.
 *
 * Throws `ValueError` for contradictory options, repeated tokens, and unknown strings with `numOovIndices: 0`.
 */
export class StringLookup {
  private readonly lookup: IndexLookup<string>;

  constructor(options: LookupOptions<string> = {}) {
    this.lookup = new IndexLookup<string>(
      {
        name: 'StringLookup',
        maxTokens: options.maxTokens ?? null,
        numOovIndices: options.numOovIndices ?? 1,
        maskToken: options.maskToken ?? null,
        oovToken: options.oovToken ?? '[UNK]',
        vocabulary: options.vocabulary ?? null,
        idfWeights: options.idfWeights ?? null,
        invert: options.invert ?? false,
        outputMode: options.outputMode ?? 'int',
        padToMaxTokens: options.padToMaxTokens ?? false,
        salt: options.salt ?? null,
      },
      compareBytes,
    );
  }

  /** Learns the vocabulary. A flat list is one document; of nested lists, each row is one. */
  adapt(data: Strings): void {
    this.lookup.reset();
    const rows = Array.isArray(data) && Array.isArray(data[0]) ? (data as readonly Strings[]) : [data];
    for (const row of rows) this.lookup.count(flatten('StringLookup', row).flat);
    this.lookup.finish();
  }

  /** {@link StringLookup.adapt} over a stream of documents, each one token or a list. */
  async adaptStream(stream: AsyncIterable<Strings>): Promise<void> {
    this.lookup.reset();
    for await (const document of stream) this.lookup.count(flatten('StringLookup', document).flat);
    this.lookup.finish();
  }

  /** The strings by id, with mask and unknown token unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): string[] {
    return this.lookup.vocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly string[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** Number of ids. */
  get vocabularySize(): number {
    return this.lookup.size;
  }

  /** Ids of strings, int32 [...shape]; or rows of numbers, as `outputMode` says. With `invert`: the strings of ids. */
  call(x: Strings): Tensor;
  call(x: Numbers): Strings;
  call(x: Strings | Numbers): Tensor | Strings {
    const { outputMode, invert } = this.lookup.settings;
    if (invert) return this.invert(x as Numbers);
    const { flat, shape } = flatten('StringLookup', x as Strings);
    const ids = Int32Array.from(flat, (s) => this.lookup.id(s));
    return this.lookup.encode(ids, shape, outputMode === 'int' ? 'int32' : 'float32');
  }

  /** Strings of ids, in nested lists. */
  invert(x: Numbers): Strings {
    const { flat, shape } = flattenNumbers('StringLookup', x);
    return nest(
      Array.from(flat, (id) => this.lookup.token(id)),
      shape,
    );
  }
}
