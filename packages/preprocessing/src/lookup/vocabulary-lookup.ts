import { checkRules, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { refuseEndless } from '../internal/endless.js';
import { IndexLookup, type LookupOptions, SALT } from './index-lookup.js';

/** What options may be; tokens are texts or integers, as those of the class. */
const lookupRules = (token: Rule): Rules<LookupOptions<unknown>> => ({
  maxTokens: rules.anything,
  numOovIndices: rules.countOrZero,
  maskToken: rules.orNull(token),
  oovToken: token,
  vocabulary: rules.anything,
  idfWeights: rules.anything,
  invert: rules.flag,
  outputMode: rules.oneOf('int', 'oneHot', 'multiHot', 'count', 'tfIdf'),
  padToMaxTokens: rules.flag,
  salt: SALT,
});

/** What `StringLookup` and `IntegerLookup` have in common: a vocabulary that is given or learnt. */
export abstract class VocabularyLookup<K extends string | number, Data> {
  protected readonly lookup: IndexLookup<K>;

  protected constructor(name: string, options: LookupOptions<K>, oovToken: K, sort: (tokens: K[]) => K[]) {
    const token = typeof oovToken === 'string' ? rules.text : rules.integer;
    checkRules<LookupOptions<K>>(name, options, lookupRules(token) as Rules<LookupOptions<K>>);
    this.lookup = new IndexLookup<K>(
      {
        name,
        maxTokens: options.maxTokens ?? null,
        numOovIndices: options.numOovIndices ?? 1,
        maskToken: options.maskToken ?? null,
        oovToken: options.oovToken ?? oovToken,
        vocabulary: options.vocabulary ?? null,
        idfWeights: options.idfWeights ?? null,
        invert: options.invert ?? false,
        outputMode: options.outputMode ?? 'int',
        padToMaxTokens: options.padToMaxTokens ?? false,
        salt: options.salt ?? null,
      },
      sort,
    );
  }

  /** The documents in data: a flat list is one; of nested lists (or a tensor of rank 2), each row is one. */
  protected abstract documents(data: Data): Iterable<readonly K[]>;

  /** Learns the vocabulary. A flat list is one document; of nested lists (or a tensor of rank 2), each row is one. */
  adapt(data: Data): void {
    this.lookup.reset();
    for (const document of this.documents(data)) this.lookup.count(document);
    this.lookup.finish();
  }

  /** {@link VocabularyLookup.adapt} over a stream of such data. Throws `ValueError` for an endless data set. */
  async adaptStream(stream: AsyncIterable<Data>): Promise<void> {
    refuseEndless(`${this.lookup.settings.name}.adaptStream`, stream);
    this.lookup.reset();
    for await (const data of stream) for (const document of this.documents(data)) this.lookup.count(document);
    this.lookup.finish();
  }

  /** The tokens by id, with mask and unknown token unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): K[] {
    return this.lookup.vocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly K[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** The inverse document frequency of each id, in mode 'tfIdf'; else `null`. */
  get idfWeights(): Float64Array | null {
    return this.lookup.idfWeights;
  }

  /** Number of ids. */
  get vocabularySize(): number {
    return this.lookup.size;
  }
}
