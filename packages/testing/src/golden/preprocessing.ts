import {
  type MatrixMode,
  padSequences,
  type Sequence,
  Tokenizer,
  textToWordSequence,
  toCategorical,
} from '@recurra/preprocessing';
import { camelCase } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: arguments as the golden files write them
type Json = any;

const camelKeys = (config: Json): Json =>
  Object.fromEntries(Object.entries<Json>(config).map(([k, v]) => [camelCase(k), v]));
const object = (map: ReadonlyMap<unknown, unknown>): [string, unknown][] =>
  [...map].map(([k, v]) => [String(k), v] as [string, unknown]).sort();
const sorted = (o: Json): [string, unknown][] => Object.entries(o).sort();

function replayTokenizer(c: GoldenCase, comparison: Comparison): boolean {
  const tokenizer = new Tokenizer(camelKeys(c['config']));
  const out = c['outputs'];
  const modes: MatrixMode[] = ['binary', 'count', 'freq', 'tfidf'];
  if (c['inputs'].sequences) {
    tokenizer.fitOnSequences(c['inputs'].sequences);
    comparison.equal('index_docs', object(tokenizer.indexDocs), sorted(out.index_docs));
    comparison.equal('document_count', tokenizer.documentCount, out.document_count);
    for (const mode of modes)
      comparison.tensor(
        mode,
        tokenizer.sequencesToMatrix([[1, 2, 2], [5, 9], []], mode),
        out[`sequences_to_matrix_${mode}`],
        TOLERANCES.reduction,
      );
    return true;
  }
  tokenizer.fitOnTexts(c['inputs'].fit_on_texts);
  const texts = c['inputs'].texts;
  const check = (t: Tokenizer, what: string): void => {
    comparison.equal(`${what} word_index`, object(t.wordIndex), sorted(out.word_index));
    comparison.equal(`${what} index_word`, object(t.indexWord), sorted(out.index_word));
    comparison.equal(`${what} word_counts`, [...t.wordCounts], out.word_counts);
    comparison.equal(`${what} word_docs`, object(t.wordDocs), sorted(out.word_docs));
    comparison.equal(`${what} index_docs`, object(t.indexDocs), sorted(out.index_docs));
    comparison.equal(`${what} document_count`, t.documentCount, out.document_count);
    const sequences = t.textsToSequences(texts);
    comparison.equal(`${what} texts_to_sequences`, sequences, out.texts_to_sequences);
    comparison.equal(`${what} sequences_to_texts`, t.sequencesToTexts(sequences), out.sequences_to_texts);
    const unknown = out.sequences_to_texts_of_unknown_ids;
    comparison.equal(`${what} texts of unknown ids`, t.sequencesToTexts(unknown.sequences), unknown.texts);
    for (const mode of modes)
      comparison.tensor(
        `${what} ${mode}`,
        t.textsToMatrix(texts, mode),
        out[`texts_to_matrix_${mode}`],
        TOLERANCES.reduction,
      );
  };
  check(tokenizer, 'fitted');
  check(Tokenizer.fromJson(tokenizer.toJson()), 'own JSON');
  check(Tokenizer.fromJson(JSON.stringify(out.to_json)), "Keras' JSON");
  // The JSON texts agree as data; nested ones are compared parsed.
  const plain = (json: Json): Json => {
    const config = Object.entries<Json>(json.config).map(([k, v]) => [
      k,
      typeof v === 'string' && v.startsWith('{') ? Object.entries(JSON.parse(v)).sort() : v,
    ]);
    return [json.class_name, config.sort()];
  };
  comparison.equal('to_json', plain(JSON.parse(tokenizer.toJson())), plain(out.to_json));
  return true;
}

/** Replays one case of the area `preprocessing`: the Tokenizer, words, padding, one-hot labels. */
export function replayPreprocessing(c: GoldenCase, comparison: Comparison, file: string): boolean {
  if (file === 'tokenizer.json') return replayTokenizer(c, comparison);
  const { function: name, ...config } = c['config'];
  if (name === 'pad_sequences') {
    const { maxlen, dtype, ...rest } = config;
    const options = { ...rest, ...(maxlen === undefined ? {} : { maxLength: maxlen }) };
    if (dtype === 'object') {
      const { shape, data } = c['outputs'].out;
      const found = padSequences(c['inputs'].sequences as string[][], { ...options, dtype: 'string' });
      comparison.equal('shape', [found.length, found[0]!.length], shape);
      comparison.equal('out', found.flat(), data);
    } else
      comparison.tensor(
        'out',
        padSequences(c['inputs'].sequences as Sequence[], { ...options, ...(dtype ? { dtype } : {}) }),
        c['outputs'].out,
        TOLERANCES.exact,
      );
    return true;
  }
  if (name === 'to_categorical') {
    comparison.tensor(
      'out',
      toCategorical(toTensor(c['inputs'].x), config.num_classes),
      c['outputs'].out,
      TOLERANCES.exact,
    );
    return true;
  }
  if (name === 'text_to_word_sequence') {
    comparison.equal(
      'words',
      (c['inputs'].texts as string[]).map((t) => textToWordSequence(t, config)),
      c['outputs'].words,
    );
    return true;
  }
  return false;
}
