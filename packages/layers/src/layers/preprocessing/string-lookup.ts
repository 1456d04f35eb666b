import { StringLookup as Lookup, type LookupMode } from '@recurra/preprocessing';
import type { Tensor } from '@recurra/tensor';
import type { LayerConfig } from '../../base/layer.js';
import type { Settled } from '../../base/options.js';
import { plainOf } from './encoded.js';
import { type LookupLayerOptions, lookupSettings, vocabularyFields, withoutSizes } from './lookup-settings.js';
import { TextLayer, type Texts } from './text-layer.js';

/** Options of {@link StringLookup}; those of Keras. */
export type StringLookupOptions = LookupLayerOptions<string>;

/** Ids, in nested lists or a tensor. */
type Ids = Parameters<Lookup['invert']>[0];

/**
 * Strings to ids, or to rows of numbers; with `invert`, ids to strings. Stands before a model: `model.predict(lookup.apply(words))`, `dataset.map`. The rules
 * are those of `StringLookup` of `@recurra/preprocessing`. A learnt vocabulary is in the configuration. Keras `StringLookup`.
 *
 * Throws `ValueError` for contradictory options, repeated tokens, unknown strings with `numOovIndices: 0`, and within a model.
 */
export class StringLookup extends TextLayer {
  protected override readonly settled: Settled<StringLookupOptions> & { readonly outputMode: LookupMode };
  private readonly lookup: Lookup;

  constructor(options: StringLookupOptions = {}) {
    super(options);
    this.settled = lookupSettings<string>('StringLookup', options, '[UNK]');
    this.lookup = new Lookup(plainOf('StringLookup', this.settled));
  }

  override get className(): string {
    return 'StringLookup';
  }

  /** Learns the vocabulary. A flat list is one document; of nested lists, each row is one. */
  adapt(data: Texts): void {
    this.lookup.adapt(data);
  }

  /** {@link StringLookup.adapt} over a stream of such data. */
  async adaptStream(stream: AsyncIterable<Texts>): Promise<void> {
    await this.lookup.adaptStream(stream);
  }

  /** The tokens by id, with mask and unknown token unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): string[] {
    return this.lookup.getVocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly string[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** Number of ids: what an Embedding needs as its input size. */
  get vocabularySize(): number {
    return this.lookup.vocabularySize;
  }

  /** Ids of strings, int32 [...shape]; or rows of numbers, as `outputMode` says. With `invert`: the strings of ids. */
  override apply(texts: Texts): Tensor;
  override apply(ids: Ids): Texts;
  override apply(inputs: Texts | Ids): Tensor | Texts {
    if (this.settled.invert) return this.lookup.invert(inputs as Ids);
    return super.apply(inputs as never) as Tensor;
  }

  override call(texts: Texts): Tensor;
  override call(ids: Ids): Texts;
  override call(inputs: Texts | Ids): Tensor | Texts {
    return this.lookup.call(inputs as Ids);
  }

  /** Strings of ids, in nested lists. */
  invert(ids: Ids): Texts {
    return this.lookup.invert(ids);
  }

  protected override fields(): Record<string, unknown> {
    return { ...this.settled, ...vocabularyFields(this.lookup), oovMethod: 'floormod' };
  }

  static override fromConfig<L>(config: LayerConfig): L {
    return new StringLookup(withoutSizes(config)) as L;
  }
}
