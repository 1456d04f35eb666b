import { type TextVectorizationOptions as Arguments, TextVectorization as Vectorizer } from '@recurra/preprocessing';
import { type Tensor, ValueError } from '@recurra/tensor';
import type { LayerConfig } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import { outputMode, plainOf } from './encoded.js';
import { vocabularyFields, withoutSizes } from './lookup-settings.js';
import { TextLayer } from './text-layer.js';

/** Options of {@link TextVectorization}; those of Keras. */
export interface TextVectorizationOptions extends LayerOptions, Arguments {
  /** Accepted for Keras' sake, and false: tensors are dense. */
  readonly sparse?: boolean;
  /** Accepted for Keras' sake, and 'utf-8'. */
  readonly encoding?: string;
}

type ListOfTexts = Parameters<Vectorizer['call']>[0];

/** Several texts, also in Keras' way of one text a row: [['a b'], ['c']]. */
type TextRows = ListOfTexts | readonly (readonly [string])[];

/**
 * Texts to ids, int32 [texts, length], or to rows of numbers [texts, vocabulary]. Stands before a model, as Keras recommends: `model.predict(vectorize.apply(texts))`,
 * `dataset.map((text) => vectorize.apply([text]))`. The rules are those of `TextVectorization` of `@recurra/preprocessing`. A learnt vocabulary is in the
 * configuration; functions for `standardize` and `split` cannot be saved. Keras `TextVectorization`.
 *
 * Throws `ValueError` for contradictory options, for use before `adapt` where there is no vocabulary, and within a model.
 */
export class TextVectorization extends TextLayer {
  protected override readonly settled: Settled<TextVectorizationOptions>;
  private readonly vectorizer: Vectorizer;

  constructor(options: TextVectorizationOptions = {}) {
    super(options);
    const s = settle<TextVectorizationOptions>('TextVectorization', options, {
      maxTokens: null,
      standardize: 'lowerAndStripPunctuation',
      split: 'whitespace',
      ngrams: null,
      outputMode: 'int',
      outputSequenceLength: null,
      padToMaxTokens: false,
      sparse: false,
      ragged: false,
      vocabulary: null,
      idfWeights: null,
      encoding: 'utf-8',
    });
    const rest = plainOf('TextVectorization', s);
    const name = (value: unknown): never =>
      (typeof value === 'string' ? (STANDARDIZE[value] ?? value) : value) as never;
    this.settled = {
      ...s,
      standardize: name(s.standardize),
      outputMode: outputMode('TextVectorization', s.outputMode, ['int', 'multiHot', 'count', 'tfIdf']),
    };
    this.vectorizer = new Vectorizer({
      ...rest,
      standardize: this.settled.standardize,
      outputMode: this.settled.outputMode,
    });
  }

  override get className(): string {
    return 'TextVectorization';
  }

  /** Learns the vocabulary (and, for 'tfIdf', document frequencies) from texts. */
  adapt(texts: ListOfTexts): void {
    this.vectorizer.adapt(texts);
  }

  /** {@link TextVectorization.adapt} over a stream of texts, or of batches of them. */
  async adaptStream(stream: AsyncIterable<string | readonly string[]>): Promise<void> {
    await this.vectorizer.adaptStream(stream);
  }

  /** The tokens of a text, with n-grams. */
  tokens(text: string): string[] {
    return this.vectorizer.tokens(text);
  }

  /** The tokens by id, with padding ('', mode 'int') and `[UNK]` unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): string[] {
    return this.vectorizer.getVocabulary(includeSpecialTokens);
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly string[], idfWeights: readonly number[] | null = null): void {
    this.vectorizer.setVocabulary(vocabulary, idfWeights);
  }

  /** The inverse document frequency of each token, in mode 'tfIdf'; else `null`. */
  get idfWeights(): Float64Array | null {
    return this.vectorizer.idfWeights;
  }

  /** Number of ids: what an Embedding needs as its input size. */
  get vocabularySize(): number {
    return this.vectorizer.vocabularySize;
  }

  /** int32 [texts, length] in mode 'int', padded with 0; else float32 [texts, vocabulary]. */
  override apply(texts: TextRows): Tensor {
    return super.apply(texts as never) as Tensor;
  }

  override call(texts: TextRows): Tensor {
    return this.vectorizer.call(
      Array.isArray(texts) && texts.length > 0 && texts.every(isRow) ? texts.flat() : (texts as ListOfTexts),
    );
  }

  /** Ids of the texts in lists, as long as the texts are. */
  callRagged(texts: ListOfTexts): number[][] {
    return this.vectorizer.callRagged(texts);
  }

  protected override fields(): Record<string, unknown> {
    for (const key of ['standardize', 'split'] as const)
      if (typeof this.settled[key] === 'function')
        throw new ValueError(
          `getConfig: expected a name for ${key} of "${this.name}", received a function, which cannot be saved`,
        );
    return { ...this.settled, ...vocabularyFields(this.vectorizer) };
  }

  static override fromConfig<L>(config: LayerConfig): L {
    return new TextVectorization(withoutSizes(config)) as L;
  }
}

/** Keras' spelling. */
const STANDARDIZE: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  lower_and_strip_punctuation: 'lowerAndStripPunctuation',
  strip_punctuation: 'stripPunctuation',
});

const isRow = (row: unknown): row is readonly [string] =>
  Array.isArray(row) && row.length === 1 && typeof row[0] === 'string';
