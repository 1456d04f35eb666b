import { type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkOptions, checkValue, type OptionTable, type Rule, rules } from '@recurra/tensor/extend';
import { refuseEndless } from '../internal/endless.js';
import { sortByBytes } from '../internal/order.js';
import { checkOneText, checkText, type ListOf, textsOf } from '../internal/texts.js';
import { IndexLookup, type LookupMode } from '../lookup/index-lookup.js';

/** Options of {@link TextVectorization}; those of Keras. */
export interface TextVectorizationOptions {
  /** Largest size of the vocabulary, with padding and unknown tokens; `null` (default): no limit. */
  readonly maxTokens?: number | null;
  /** What is done to a text first; 'lowerAndStripPunctuation'. Lower case concerns A-Z alone, as in TensorFlow. */
  readonly standardize?: 'lowerAndStripPunctuation' | 'lower' | 'stripPunctuation' | ((text: string) => string) | null;
  /** How it is cut: 'whitespace' (default), 'character' (code points), a function (see `segmenter`), or `null`: not at all. */
  readonly split?: 'whitespace' | 'character' | ((text: string) => string[]) | null;
  /** Also runs of tokens, joined by spaces: up to so many, or of just these lengths; `null`. */
  readonly ngrams?: number | readonly number[] | null;
  /** 'int' (default): ids in order; 'multiHot', 'count', 'tfIdf': one row of numbers a text. */
  readonly outputMode?: Exclude<LookupMode, 'oneHot'>;
  /** Length that ids are padded or cut to; `null` (default): that of the longest text. */
  readonly outputSequenceLength?: number | null;
  /** Rows of `maxTokens` numbers, however many tokens there are; false. */
  readonly padToMaxTokens?: boolean;
  /** The known tokens, most frequent first; without it, `adapt` learns them. */
  readonly vocabulary?: readonly string[] | null;
  /** The inverse document frequency of each token of the vocabulary, for 'tfIdf'. */
  readonly idfWeights?: readonly number[] | null;
  /** Ids as lists of their own lengths (see {@link TextVectorization.callRagged}), not padded; false. */
  readonly ragged?: boolean;
}

const PUNCTUATION = /[!"#$%&()*+,\-./:;<=>?@[\\\]^_`{|}~']/g;
const UPPER = /[A-Z]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const BEYOND_ASCII = /[^\x00-\x7f]/;
const lower = (text: string): string =>
  BEYOND_ASCII.test(text) ? text.replace(UPPER, (run) => run.toLowerCase()) : text.toLowerCase();

/** What a UTF-16 unit is to the splitter at whitespace: part of a token, punctuation to leave out, or a space. */
const KINDS = { token: 0, punctuation: 1, space: 2 } as const;

/** Tokens between ASCII whitespace, with or without punctuation, in one pass. */
function whitespaceTokens(stripPunctuation: boolean): (text: string) => string[] {
  const kinds = new Uint8Array(0x10000);
  for (const c of ' \t\n\v\f\r') kinds[c.charCodeAt(0)] = KINDS.space;
  if (stripPunctuation)
    for (let c = 33; c < 127; c++)
      if (String.fromCharCode(c).replace(PUNCTUATION, '') === '') kinds[c] = KINDS.punctuation;
  return (text) => {
    const tokens: string[] = [];
    const { length } = text;
    let token = '';
    for (let i = 0; i < length; ) {
      const kind = kinds[text.charCodeAt(i)]!;
      if (kind === KINDS.token) {
        const start = i++;
        while (i < length && kinds[text.charCodeAt(i)] === KINDS.token) i++;
        // Most tokens are one run; punctuation within one joins two.
        token = token === '' ? text.slice(start, i) : token + text.slice(start, i);
        continue;
      }
      if (kind === KINDS.space && token !== '') {
        tokens.push(token);
        token = '';
      }
      i++;
    }
    if (token !== '') tokens.push(token);
    return tokens;
  };
}

const NGRAMS: Rule = {
  expected: 'an integer >= 1, a list of such, or null',
  accepts: (v) =>
    v === null || rules.count.accepts(v) || (Array.isArray(v) && v.length > 0 && v.every(rules.count.accepts)),
};

/**
 * Texts to ids or rows of numbers: standardize, split, n-grams, look up. Id 0 is padding (mode 'int'), then comes the unknown token `[UNK]`,
 * then the vocabulary by falling frequency, ties by falling UTF-8 bytes. Keras `TextVectorization`, with TensorFlow's ways: only A-Z are made
 * lower case ('ÉCOLE' becomes 'École'), whitespace is that of ASCII.
 *
 * Throws `ValueError` for contradictory options, and for use before `adapt` where there is no vocabulary.
 */
export class TextVectorization {
  private readonly lookup: IndexLookup<string>;
  private readonly standardize: (text: string) => string;
  private readonly split: (text: string) => string[];
  private readonly lengths: readonly number[] | null;
  private readonly outputSequenceLength: number | null;
  private readonly ragged: boolean;

  constructor(options: TextVectorizationOptions = {}) {
    checkOptions('TextVectorization', options, {
      maxTokens: true,
      standardize: true,
      split: true,
      ngrams: true,
      outputMode: true,
      outputSequenceLength: true,
      padToMaxTokens: true,
      vocabulary: true,
      idfWeights: true,
      ragged: true,
    } satisfies OptionTable<TextVectorizationOptions>);
    if (options.ngrams !== undefined) checkValue('TextVectorization', 'ngrams', options.ngrams, NGRAMS);
    const { standardize = 'lowerAndStripPunctuation', split = 'whitespace', ngrams = null } = options;
    const { outputMode = 'int', outputSequenceLength = null, ragged = false } = options;
    if (outputMode !== 'int' && (outputSequenceLength !== null || ragged))
      throw new ValueError(
        `TextVectorization: expected outputMode 'int' with outputSequenceLength or ragged, received '${outputMode}'`,
      );
    if (outputSequenceLength !== null && !(Number.isInteger(outputSequenceLength) && outputSequenceLength > 0))
      throw new ValueError(
        `TextVectorization: expected outputSequenceLength to be an integer >= 1 or null, received ${outputSequenceLength}`,
      );
    this.lengths =
      typeof ngrams === 'number'
        ? Array.from({ length: ngrams }, (_, i) => i + 1)
        : ngrams === null
          ? null
          : [...ngrams];
    this.outputSequenceLength = outputSequenceLength;
    this.ragged = ragged;
    const strips = standardize === 'lowerAndStripPunctuation' || standardize === 'stripPunctuation';
    // Punctuation is left out on the way, where the text is cut at spaces.
    const fused = split === 'whitespace' && strips;
    this.standardize = standardizer(fused ? (standardize === 'stripPunctuation' ? null : 'lower') : standardize);
    this.split = fused ? whitespaceTokens(true) : splitter(split);
    this.lookup = new IndexLookup<string>(
      {
        name: 'TextVectorization',
        maxTokens: options.maxTokens ?? null,
        numOovIndices: 1,
        maskToken: '',
        oovToken: '[UNK]',
        vocabulary: options.vocabulary ?? null,
        idfWeights: options.idfWeights ?? null,
        invert: false,
        outputMode,
        padToMaxTokens: options.padToMaxTokens ?? false,
        salt: null,
      },
      sortByBytes,
    );
  }

  /** The tokens of a text, with n-grams. */
  tokens(text: string): string[] {
    checkOneText('TextVectorization.tokens', text);
    const tokens = this.split(this.standardize(text));
    if (!this.lengths) return tokens;
    const all: string[] = [];
    for (const n of this.lengths)
      for (let i = 0; i + n <= tokens.length; i++) all.push(n === 1 ? tokens[i]! : tokens.slice(i, i + n).join(' '));
    return all;
  }

  /**
   * Learns the vocabulary (and, for 'tfIdf', document frequencies) from texts. Throws `ValueError` for one string instead of a list, and for
   * an item that is no string, by its index.
   */
  adapt(texts: ListOf<string>): void {
    this.lookup.reset();
    for (const text of textsOf('TextVectorization.adapt', texts)) this.lookup.count(this.tokens(text));
    this.lookup.finish();
  }

  /**
   * {@link TextVectorization.adapt} over a stream of texts, or of batches of them. Throws `ValueError` for an endless data set, and for what
   * is no text, by its index in the stream.
   */
  async adaptStream(stream: AsyncIterable<string | readonly string[]>): Promise<void> {
    const name = 'TextVectorization.adaptStream';
    refuseEndless(name, stream);
    this.lookup.reset();
    let index = 0;
    for await (const batch of stream)
      for (const text of Array.isArray(batch) ? (batch as readonly string[]) : [batch as string]) {
        checkText(name, text, index++);
        this.lookup.count(this.tokens(text));
      }
    this.lookup.finish();
  }

  /** The tokens by id, with padding ('', mode 'int') and `[UNK]` unless `includeSpecialTokens` is false. */
  getVocabulary(includeSpecialTokens = true): string[] {
    return this.lookup.vocabulary(includeSpecialTokens);
  }

  /** The inverse document frequency log(1 + documents / (1 + documents with it)) of each token, in mode 'tfIdf'; else `null`. */
  get idfWeights(): Float64Array | null {
    return this.lookup.idfWeights;
  }

  /** Replaces the vocabulary (and the inverse document frequencies, for 'tfIdf'). */
  setVocabulary(vocabulary: readonly string[], idfWeights: readonly number[] | null = null): void {
    this.lookup.setVocabulary(vocabulary, idfWeights);
  }

  /** Number of ids: what an Embedding needs as its input size. */
  get vocabularySize(): number {
    return this.lookup.size;
  }

  /** Ids of the texts in lists, as long as the texts are. */
  callRagged(texts: ListOf<string>): number[][] {
    return Array.from(textsOf('TextVectorization', texts), (text) =>
      this.tokens(text).map((token) => this.lookup.id(token)),
    );
  }

  /** int32 [texts, length] in mode 'int', padded with 0; else float32 [texts, vocabulary]. */
  call(texts: ListOf<string>): Tensor {
    if (this.ragged)
      throw new ValueError('TextVectorization: expected callRagged for ragged: true, since a tensor has one length');
    const rows = this.callRagged(texts);
    const { outputMode } = this.lookup.settings;
    if (outputMode === 'int') {
      const length = this.outputSequenceLength ?? rows.reduce((n, row) => Math.max(n, row.length), 0);
      const data = new Int32Array(rows.length * length);
      rows.forEach((row, i) => {
        for (let k = 0; k < Math.min(length, row.length); k++) data[i * length + k] = row[k]!;
      });
      return tensor(data, { shape: [rows.length, length], dtype: 'int32' });
    }
    // One row a text: encoded each for itself, since texts differ in length.
    const encoded = rows.map((row) => this.lookup.encode(row, [row.length], 'float32'));
    const depth = encoded[0]?.shape[0] ?? this.vocabularySize;
    const data = new Float32Array(rows.length * depth);
    encoded.forEach((row, i) => {
      data.set(row.data as Float32Array, i * depth);
    });
    return tensor(data, { shape: [rows.length, depth], dtype: 'float32' });
  }
}

function standardizer(how: TextVectorizationOptions['standardize']): (text: string) => string {
  if (typeof how === 'function') return how;
  switch (how) {
    case null:
      return (text) => text;
    case 'lower':
      return lower;
    case 'stripPunctuation':
      return (text) => text.replace(PUNCTUATION, '');
    case 'lowerAndStripPunctuation':
      return (text) => lower(text).replace(PUNCTUATION, '');
    default:
      throw new ValueError(
        `TextVectorization: expected standardize 'lowerAndStripPunctuation', 'lower', 'stripPunctuation', a function or null, received '${String(how)}'`,
      );
  }
}

function splitter(how: TextVectorizationOptions['split']): (text: string) => string[] {
  if (typeof how === 'function') return how;
  switch (how) {
    case null:
      return (text) => [text];
    case 'whitespace':
      return whitespaceTokens(false);
    case 'character':
      return (text) => [...text];
    default:
      throw new ValueError(
        `TextVectorization: expected split 'whitespace', 'character', a function or null, received '${String(how)}'`,
      );
  }
}
