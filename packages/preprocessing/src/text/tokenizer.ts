import { FormatError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { checkText, type ListOf, listOf } from '../internal/texts.js';
import { FILTERS, type Splitter, WORD_RULES, type WordOptions, wordSplitter } from './words.js';

/** A text, or the words of one. */
export type Text = string | readonly string[];

/** How {@link Tokenizer} turns texts into rows of a matrix. */
export type MatrixMode = 'binary' | 'count' | 'freq' | 'tfidf';

/** Options of {@link Tokenizer}: those of Keras, in camelCase. */
export interface TokenizerOptions {
  /** Only the `numWords - 1` most frequent words get ids; `null`: all. */
  readonly numWords?: number | null;
  /** Characters that count as separators. */
  readonly filters?: string;
  readonly lower?: boolean;
  readonly split?: string;
  /** Characters instead of words; false. */
  readonly charLevel?: boolean;
  /** Stands for unknown words, with id 1; `null`: unknown words are left out. */
  readonly oovToken?: string | null;
  /** Splits a text in a way of one's own, e.g. `segmentWords` for Chinese; takes the place of filters, lower and split. */
  readonly analyzer?: ((text: string) => string[]) | null;
}

const TOKENIZER_RULES = {
  ...WORD_RULES,
  numWords: rules.orNull(rules.count),
  charLevel: rules.flag,
  oovToken: rules.orNull(rules.text),
  analyzer: rules.orNull(rules.callable),
} satisfies Rules<TokenizerOptions>;

/**
 * Words to ids, by frequency: the most frequent word of the fitted texts is 1, then 2, ...; 0 is left for padding. Ties keep
 * the order of first appearance. Keras' (legacy) `Tokenizer`, with the JSON of its `to_json`.
 */
export class Tokenizer {
  readonly numWords: number | null;
  readonly oovToken: string | null;
  /** Id of every word seen (also beyond `numWords`). */
  readonly wordIndex: Map<string, number> = new Map();
  /** Word of every id. */
  readonly indexWord: Map<number, string> = new Map();
  /** How often each word occurred. */
  readonly wordCounts: Map<string, number> = new Map();
  /** In how many texts each word occurred. */
  readonly wordDocs: Map<string, number> = new Map();
  /** In how many texts each id occurred. */
  readonly indexDocs: Map<number, number> = new Map();
  /** How many texts were fitted. */
  documentCount = 0;
  private readonly words: Required<WordOptions>;
  private readonly charLevel: boolean;
  /** Has it an analyzer of its own? {@link Tokenizer.toJson} leaves that out: it is code. */
  readonly hasAnalyzer: boolean;
  private readonly analyzer: Splitter;

  constructor(options: TokenizerOptions = {}) {
    checkRules('Tokenizer', options, TOKENIZER_RULES);
    const {
      numWords = null,
      oovToken = null,
      filters = FILTERS,
      lower = true,
      split = ' ',
      charLevel = false,
      analyzer = null,
    } = options;
    this.numWords = numWords;
    this.oovToken = oovToken;
    this.words = { filters, lower, split };
    this.charLevel = charLevel;
    const plain = wordSplitter(this.words, 'Tokenizer');
    this.hasAnalyzer = analyzer !== null;
    this.analyzer = charLevel ? (text) => [...(lower ? text.toLowerCase() : text)] : (analyzer ?? plain);
  }

  /** The number of rows that an Embedding needs: one more than the largest id (0 is padding). */
  get vocabularySize(): number {
    let all = 1;
    for (const id of this.indexWord.keys()) all = Math.max(all, id + 1);
    if (this.numWords === null) return all;
    // Unknown words have their token's id, also where that lies beyond `numWords`.
    const unknown = this.oovToken === null ? undefined : this.wordIndex.get(this.oovToken);
    return Math.max(Math.min(all, this.numWords), (unknown ?? 0) + 1);
  }

  /** The words of a text, as the options say. */
  private analyze(name: string, text: Text, index: number): readonly string[] {
    if (typeof text === 'string') return this.analyzer(text);
    if (!Array.isArray(text)) checkText(name, text, index);
    (text as readonly unknown[]).forEach((word, k) => {
      if (typeof word !== 'string')
        throw new ValueError(
          `${name}: expected words (strings) in the text at index ${index}, received ${word === null ? 'null' : typeof word} as word ${k}`,
        );
    });
    const words = text as readonly string[];
    return this.words.lower ? words.map((w) => w.toLowerCase()) : words;
  }

  /**
   * Counts the words of texts, and gives ids by their frequency. May be called again with more texts. Throws `ValueError` for one string
   * instead of a list, and for an item that is no text, by its index; nothing is counted then.
   */
  fitOnTexts(texts: ListOf<Text>): void {
    // One look into a table for each word: its place in lists of counts, and of the last text that had it.
    const places = new Map<string, number>();
    const counts: number[] = [];
    const documents: number[] = [];
    const last: number[] = [];
    const before = this.documentCount;
    let document = before;
    for (const text of listOf('Tokenizer.fitOnTexts', 'texts', texts)) {
      document++;
      for (const word of this.analyze('Tokenizer.fitOnTexts', text, document - before - 1)) {
        const place = places.get(word);
        if (place === undefined) {
          places.set(word, counts.length);
          counts.push(1);
          documents.push(1);
          last.push(document);
        } else {
          counts[place]!++;
          if (last[place] !== document) {
            last[place] = document;
            documents[place]!++;
          }
        }
      }
    }
    this.documentCount = document;
    for (const [word, place] of places) {
      this.wordCounts.set(word, (this.wordCounts.get(word) ?? 0) + counts[place]!);
      this.wordDocs.set(word, (this.wordDocs.get(word) ?? 0) + documents[place]!);
    }
    const sorted = [...this.wordCounts].sort((a, b) => b[1] - a[1]).map(([word]) => word);
    const vocabulary = this.oovToken === null ? sorted : [this.oovToken, ...sorted];
    this.wordIndex.clear();
    this.indexWord.clear();
    // A word that is also the unknown token takes the later id, as in Keras.
    vocabulary.forEach((word, i) => {
      this.wordIndex.set(word, i + 1);
    });
    for (const [word, id] of this.wordIndex) this.indexWord.set(id, word);
    for (const [word, count] of this.wordDocs) this.indexDocs.set(this.wordIndex.get(word)!, count);
  }

  /** Counts ids for the matrix modes, where texts are ids already. */
  fitOnSequences(sequences: Iterable<readonly number[]>): void {
    for (const sequence of sequencesOf('Tokenizer.fitOnSequences', sequences)) {
      this.documentCount++;
      for (const id of new Set(sequence)) this.indexDocs.set(id, (this.indexDocs.get(id) ?? 0) + 1);
    }
  }

  /**
   * The ids of texts; unknown words are left out, or become the unknown token's id. Throws `ValueError` for one string instead of a list, and
   * for an item that is no text, by its index.
   */
  textsToSequences(texts: ListOf<Text>): number[][] {
    const oov = this.oovToken === null ? undefined : this.wordIndex.get(this.oovToken);
    return Array.from(listOf('Tokenizer.textsToSequences', 'texts', texts), (text, i) => {
      const ids: number[] = [];
      for (const word of this.analyze('Tokenizer.textsToSequences', text, i)) {
        const id = this.wordIndex.get(word);
        if (id !== undefined && (this.numWords === null || id < this.numWords)) ids.push(id);
        else if (oov !== undefined) ids.push(oov);
      }
      return ids;
    });
  }

  /** The words of ids, joined by spaces; unknown ids are left out, or become the unknown token. */
  sequencesToTexts(sequences: Iterable<readonly number[]>): string[] {
    const oov = this.oovToken === null ? undefined : this.indexWord.get(this.wordIndex.get(this.oovToken) ?? -1);
    return Array.from(sequencesOf('Tokenizer.sequencesToTexts', sequences), (sequence) => {
      const words: string[] = [];
      for (const id of sequence) {
        const word = this.indexWord.get(id);
        if (word !== undefined && (this.numWords === null || id < this.numWords)) words.push(word);
        else if (oov !== undefined) words.push(oov);
      }
      return words.join(' ');
    });
  }

  /** {@link Tokenizer.sequencesToMatrix} of texts. */
  textsToMatrix(texts: ListOf<Text>, mode: MatrixMode = 'binary'): Tensor {
    return this.sequencesToMatrix(this.textsToSequences(texts), mode);
  }

  /**
   * One row a text, one column an id: present or not (`binary`), how often (`count`), its share (`freq`), or
   * (1 + log count) * log(1 + texts / (1 + texts with it)) (`tfidf`). float64 [texts, numWords or vocabulary + 1].
   */
  sequencesToMatrix(sequences: readonly (readonly number[])[], mode: MatrixMode = 'binary'): Tensor {
    if (!['binary', 'count', 'freq', 'tfidf'].includes(mode))
      throw new ValueError(`sequencesToMatrix: expected mode 'binary', 'count', 'freq' or 'tfidf', received '${mode}'`);
    if (this.numWords === null && this.wordIndex.size === 0)
      throw new ValueError(
        'sequencesToMatrix: expected numWords, or a tokenizer that was fitted on texts; received neither',
      );
    if (mode === 'tfidf' && this.documentCount === 0)
      throw new ValueError('sequencesToMatrix: expected a fitted tokenizer for tfidf, received one that saw no texts');
    const columns = this.numWords ?? this.wordIndex.size + 1;
    const rows = [...sequencesOf('Tokenizer.sequencesToMatrix', sequences)];
    const data = new Float64Array(rows.length * columns);
    rows.forEach((sequence, row) => {
      const counts = new Map<number, number>();
      for (const id of sequence) if (id < columns) counts.set(id, (counts.get(id) ?? 0) + 1);
      for (const [id, count] of counts) {
        let value = 1;
        if (mode === 'count') value = count;
        else if (mode === 'freq') value = count / sequence.length;
        else if (mode === 'tfidf')
          value = (1 + Math.log(count)) * Math.log(1 + this.documentCount / (1 + (this.indexDocs.get(id) ?? 0)));
        data[row * columns + id] = value;
      }
    });
    return tensor(data, { shape: [rows.length, columns] });
  }

  /** Options and counts as the JSON that Keras' `to_json` writes. An `analyzer` cannot be written: give it again at loading. */
  toJson(): string {
    return JSON.stringify({
      class_name: 'Tokenizer',
      config: {
        num_words: this.numWords,
        filters: this.words.filters,
        lower: this.words.lower,
        split: this.words.split,
        char_level: this.charLevel,
        oov_token: this.oovToken,
        document_count: this.documentCount,
        word_counts: mapToJson(this.wordCounts),
        word_docs: mapToJson(this.wordDocs),
        index_docs: mapToJson(this.indexDocs),
        index_word: mapToJson(this.indexWord),
        word_index: mapToJson(this.wordIndex),
      },
    });
  }

  /** The tokenizer of {@link Tokenizer.toJson}, or of Keras' `to_json`. Throws `FormatError` for anything else. */
  static fromJson(json: string, options: Pick<TokenizerOptions, 'analyzer'> = {}): Tokenizer {
    let parsed: { class_name?: unknown; config?: Record<string, unknown> };
    try {
      parsed = JSON.parse(json);
    } catch (error) {
      throw new FormatError(
        `Tokenizer.fromJson: expected JSON, received text that does not parse (${(error as Error).message})`,
      );
    }
    const c = parsed?.config;
    if (parsed?.class_name !== 'Tokenizer' || typeof c !== 'object' || c === null || Array.isArray(c))
      throw new FormatError(
        'Tokenizer.fromJson: expected {"class_name": "Tokenizer", "config": {...}}, received other JSON',
      );
    const own = (key: string): unknown => (Object.hasOwn(c, key) ? c[key] : undefined);
    const refuse = (key: string, expected: string, received: unknown): never => {
      throw new FormatError(
        `Tokenizer.fromJson: expected "${key}" to be ${expected}, received ${JSON.stringify(received)}`,
      );
    };
    /** An option; where it is left out, the default. */
    const option = <V>(key: string, expected: string, is: (value: unknown) => boolean): V | undefined => {
      const value = own(key);
      return value === undefined || is(value) ? (value as V | undefined) : refuse(key, expected, value);
    };
    const isText = (value: unknown): boolean => typeof value === 'string';
    const isFlag = (value: unknown): boolean => typeof value === 'boolean';
    const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
    const isId = (value: unknown): boolean => isCount(value) && value !== 0;
    const numWords = option<number | null>('num_words', 'an integer >= 1 or null', (v) => v === null || isId(v));
    const filters = option<string>('filters', 'a text', isText);
    const lower = option<boolean>('lower', 'true or false', isFlag);
    const split = option<string>('split', 'a text that is not empty', (v) => isText(v) && v !== '');
    const charLevel = option<boolean>('char_level', 'true or false', isFlag);
    const oovToken = option<string | null>('oov_token', 'a text or null', (v) => v === null || isText(v));
    const tokenizer = new Tokenizer({
      ...(numWords === undefined ? {} : { numWords }),
      ...(filters === undefined ? {} : { filters }),
      ...(lower === undefined ? {} : { lower }),
      ...(split === undefined ? {} : { split }),
      ...(charLevel === undefined ? {} : { charLevel }),
      ...(oovToken === undefined ? {} : { oovToken }),
      ...options,
    });
    tokenizer.documentCount = option<number>('document_count', 'an integer >= 0', isCount) ?? 0;
    /** A table by words: counts or ids. */
    const byWord = (
      key: string,
      table: Map<string, number>,
      expected: string,
      is: (value: unknown) => boolean,
    ): void => {
      for (const [word, n] of jsonToEntries(own(key), key)) {
        if (!is(n)) refuse(key, `a table of ${expected}`, { [word]: n });
        table.set(word, n as number);
      }
    };
    /** A table by ids, each of them as it is written. */
    const byId = <V>(key: string, table: Map<number, V>, expected: string, is: (value: unknown) => boolean): void => {
      for (const [id, value] of jsonToEntries(own(key), key)) {
        if (!isId(Number(id)) || String(Number(id)) !== id || !is(value))
          refuse(key, `a table of ${expected} by ids >= 1`, { [id]: value });
        table.set(Number(id), value as V);
      }
    };
    byWord('word_counts', tokenizer.wordCounts, 'integers >= 0', isCount);
    byWord('word_docs', tokenizer.wordDocs, 'integers >= 0', isCount);
    byWord('word_index', tokenizer.wordIndex, 'ids >= 1', isId);
    byId('index_docs', tokenizer.indexDocs, 'integers >= 0', isCount);
    byId('index_word', tokenizer.indexWord, 'words', isText);
    // The two are one table, from both sides.
    const { wordIndex, indexWord } = tokenizer;
    for (const [word, id] of wordIndex)
      if (indexWord.get(id) !== word)
        refuse('index_word', `to have ${JSON.stringify(word)} at ${id}, as word_index says`, indexWord.get(id) ?? null);
    if (indexWord.size !== wordIndex.size)
      refuse('index_word', `a table of ${wordIndex.size} words, as word_index is`, indexWord.size);
    return tokenizer;
  }
}

/** Lists of ids. Throws `ValueError` for anything else, by its index: an id below 0 would land in another row. */
function* sequencesOf(name: string, sequences: Iterable<readonly number[]>): Generator<readonly number[], void, void> {
  let index = 0;
  for (const sequence of listOf(name, 'lists of ids', sequences)) {
    if (!Array.isArray(sequence) && !ArrayBuffer.isView(sequence))
      throw new ValueError(
        `${name}: expected lists of ids, received ${sequence === null ? 'null' : typeof sequence} at index ${index}. One list of ids needs another around it.`,
      );
    for (const id of sequence as Iterable<unknown>)
      if (!(Number.isInteger(id) && (id as number) >= 0))
        throw new ValueError(`${name}: expected ids to be integers >= 0, received ${String(id)} in list ${index}`);
    index++;
    yield sequence;
  }
}

/** An object in the order of the map: a plain object would move keys like "2024" to the front. */
function mapToJson(map: ReadonlyMap<string | number, unknown>): string {
  return `{${[...map].map(([k, v]) => `${JSON.stringify(String(k))}: ${JSON.stringify(v)}`).join(', ')}}`;
}

/** The entries of a flat JSON object (of numbers and texts), in the order of the text. Throws `FormatError` for other JSON. */
function jsonToEntries(text: unknown, key: string): [string, unknown][] {
  if (typeof text !== 'string')
    throw new FormatError(`Tokenizer.fromJson: expected "${key}" to be a JSON text, received ${typeof text}`);
  const refuse = (received: string): FormatError =>
    new FormatError(`Tokenizer.fromJson: expected "${key}" to be the JSON of a flat object, received ${received}`);
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    throw refuse(`text that does not parse (${(error as Error).message})`);
  }
  if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) throw refuse(JSON.stringify(entries));
  const table = entries as Record<string, unknown>;
  if (Object.values(table).some((value) => typeof value === 'object')) throw refuse('objects in it');
  // All texts, one behind the other: those before a colon are keys.
  const order = new Set<string>();
  for (const [, name, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?/g))
    if (colon !== undefined) order.add(JSON.parse(name!) as string);
  return Array.from(order, (name) => [name, table[name]]);
}
