import { jit } from '@recurra/compiler';
import * as layers from '@recurra/layers';
import {
  CategoryEncoding,
  Discretization,
  Hashing,
  hashingTrick,
  IntegerLookup,
  type MatrixMode,
  makeSamplingTable,
  Normalization,
  normalize,
  oneHot,
  padSequences,
  type Sequence,
  StringLookup,
  skipgrams,
  TextVectorization,
  TimeseriesGenerator,
  Tokenizer,
  textToWordSequence,
  timeseriesDatasetFromArray,
  toCategorical,
} from '@recurra/preprocessing';
import type { Nested } from '@recurra/preprocessing/extend';
import { Tensor, tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { camelKeys, type GoldenCase, type GoldenTensor, toTensor } from './format.js';
import { fromKerasConfig } from './layers.js';

// biome-ignore lint/suspicious/noExplicitAny: arguments as the golden files write them
type Json = any;

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

/** Strings of a golden tensor as nested lists. */
function strings({ shape, data }: GoldenTensor): Nested<string> {
  const nest = (level: number, from: number, count: number): Nested<string> => {
    if (level === shape.length) return data[from] as string;
    const size = count / shape[level]!;
    return Array.from({ length: shape[level]! }, (_, i) => nest(level + 1, from + i * size, size));
  };
  return nest(0, 0, data.length);
}

/** Keras' snake_case modes as ours. */
const MODES: Record<string, string> = { one_hot: 'oneHot', multi_hot: 'multiHot', tf_idf: 'tfIdf' };
const STANDARDIZE: Record<string, string> = {
  lower_and_strip_punctuation: 'lowerAndStripPunctuation',
  strip_punctuation: 'stripPunctuation',
};
const options = (args: Json): Json => {
  const own = camelKeys(args);
  if (own.outputMode) own.outputMode = MODES[own.outputMode] ?? own.outputMode;
  if (own.standardize) own.standardize = STANDARDIZE[own.standardize] ?? own.standardize;
  return own;
};

/** A layer from Keras' arguments, and again from its configuration: both give the same, eagerly and (of numbers) in a compiled step. */
async function replayLayers(
  className: string,
  args: Json,
  adapt: (layer: Json) => void,
  x: Json,
  expected: GoldenTensor,
  comparison: Comparison,
  call: Json = {},
): Promise<void> {
  const layer: Json = layers.deserializeLayer({ className, config: fromKerasConfig(args) });
  adapt(layer);
  const found = await layer.apply(x, call);
  const tolerance = TOLERANCES.reduction;
  comparison.tensor('out of the layer', asGolden(found, expected), expected, tolerance);
  const config = JSON.parse(JSON.stringify(layers.serializeLayer(layer)));
  const again: Json = layers.deserializeLayer(config);
  if (layer.weights.length > 0) {
    again.build(x.shape);
    again.setWeights(layer.getWeights());
  }
  comparison.tensor('out of the layer again', asGolden(again.apply(x, call), expected), expected, tolerance);
  comparison.equal('configuration', JSON.parse(JSON.stringify(layers.serializeLayer(again))), config);
  // Where the case has Keras' whole configuration, not the arguments alone.
  if (args.name) {
    const own = Object.keys(config.config).sort();
    comparison.equal(
      'keys of the configuration',
      own,
      Object.keys(fromKerasConfig(args))
        .filter((k) => k !== 'buildConfig')
        .sort(),
    );
  }
  if (!(x instanceof Tensor)) return;
  const step = jit((values: Tensor, options: Json) => layer.apply(values, options) as Tensor);
  comparison.tensor('out of the compiled layer', asGolden(await step(x, call), expected), expected, tolerance);
}

async function replayTextVectorization(c: GoldenCase, comparison: Comparison): Promise<void> {
  const { arguments: args } = c['config'];
  const layer = new TextVectorization(options(args));
  if (c['inputs'].adapt) layer.adapt(c['inputs'].adapt);
  comparison.equal('vocabulary', layer.getVocabulary(), c['outputs'].vocabulary);
  const tolerance = args.output_mode === 'tf_idf' ? TOLERANCES.reduction : TOLERANCES.exact;
  comparison.tensor('out', asGolden(layer.call(c['inputs'].texts), c['outputs'].out), c['outputs'].out, tolerance);
  const adapt = (own: Json): void => {
    if (c['inputs'].adapt) own.adapt(c['inputs'].adapt);
    comparison.equal('vocabulary of the layer', own.getVocabulary(), c['outputs'].vocabulary);
  };
  // Keras' own spelling of the arguments' values.
  await replayLayers('TextVectorization', args, adapt, c['inputs'].texts, c['outputs'].out, comparison);
}

/** Keras gives int64 for rows of 0 and 1 on TensorFlow; ours are float32 as its documentation says. */
function asGolden(found: Tensor, expected: GoldenTensor): Tensor {
  return expected.dtype === 'int64' ? found.cast('int32') : found;
}

async function replayLookup(c: GoldenCase, comparison: Comparison): Promise<void> {
  const { class_name: name, arguments: args } = c['config'];
  const { x, adapt } = c['inputs'];
  const { out } = c['outputs'];
  if (name === 'Hashing') {
    const { num_bins: bins, ...rest } = args;
    const layer = new Hashing(bins, rest);
    const found = layer.call(x.dtype === 'string' ? strings(x) : toTensor(x));
    comparison.tensor('out', found, out, TOLERANCES.exact);
    const values = x.dtype === 'string' ? strings(x) : toTensor(x);
    await replayLayers('Hashing', args, () => {}, values, out, comparison);
    return;
  }
  const text = name === 'StringLookup';
  const special = args.max_tokens ? { maxTokens: args.max_tokens } : {};
  const adapted = text ? new StringLookup(special) : new IntegerLookup();
  adapted.adapt(adapt);
  comparison.equal('adapted vocabulary', adapted.getVocabulary(), c['outputs'].adapted_vocabulary);
  if (text) {
    const layer = new StringLookup(options(args));
    comparison.equal('vocabulary', layer.getVocabulary(), c['outputs'].vocabulary);
    if (args.invert) {
      comparison.equal('out', layer.call(toTensor(x)), strings(out));
      const inverse = layers.deserializeLayer({ className: name, config: camelKeys(args) }) as layers.StringLookup;
      comparison.equal('out of the layer', inverse.apply(toTensor(x)), strings(out));
      return;
    }
    comparison.tensor('out', asGolden(layer.call(strings(x)), out), out, TOLERANCES.exact);
    await replayLayers(name, args, () => {}, strings(x), out, comparison);
    return;
  }
  const layer = new IntegerLookup(options(args));
  comparison.equal('vocabulary', layer.getVocabulary(), c['outputs'].vocabulary);
  comparison.tensor('out', asGolden(layer.call(toTensor(x)), out), out, TOLERANCES.exact);
  await replayLayers(name, args, () => {}, toTensor(x), out, comparison);
}

async function replayNumeric(c: GoldenCase, comparison: Comparison): Promise<void> {
  const { class_name: name, config } = c['config'];
  const { adapt, count_weights: weights } = c['inputs'];
  const x = toTensor(c['inputs'].x);
  const { out, mean, variance, bin_boundaries: boundaries } = c['outputs'];
  if (name === 'CategoryEncoding') {
    const layer = new CategoryEncoding(config.num_tokens, {
      outputMode: MODES[config.output_mode] ?? config.output_mode,
    });
    const found = layer.call(x, weights ? { countWeights: toTensor(weights) } : {});
    comparison.tensor('out', found, out, TOLERANCES.reduction);
    const call = weights ? { countWeights: toTensor(weights) } : {};
    await replayLayers(name, config, () => {}, x, out, comparison, call);
    return;
  }
  if (name === 'Discretization') {
    const layer = new Discretization({
      ...(adapt ? { numBins: config.num_bins } : { binBoundaries: config.bin_boundaries }),
      epsilon: config.epsilon,
      outputMode: MODES[config.output_mode] ?? config.output_mode,
    });
    if (adapt) {
      layer.adapt(toTensor(adapt));
      comparison.equal('boundaries', layer.binBoundaries, boundaries);
    }
    comparison.tensor('out', layer.call(x), out, TOLERANCES.exact);
    const learn = (own: Json): void => (adapt ? own.adapt(toTensor(adapt)) : undefined);
    const own = adapt ? { ...config, bin_boundaries: null } : config;
    await replayLayers(name, own, learn, x, out, comparison);
    return;
  }
  const layer = new Normalization({
    axis: config.axis.length === 0 ? null : config.axis,
    mean: config.mean,
    variance: config.variance,
    invert: config.invert,
  });
  if (adapt) layer.adapt(toTensor(adapt));
  if (mean) comparison.tensor('mean', layer.mean?.reshape(mean.shape), mean, TOLERANCES.reduction);
  if (variance) comparison.tensor('variance', layer.variance?.reshape(variance.shape), variance, TOLERANCES.reduction);
  comparison.tensor('out', layer.call(x), out, TOLERANCES.reduction);
  const learn = (own: Json): void => {
    if (adapt) own.adapt(toTensor(adapt));
    if (mean) comparison.tensor('mean of the layer', own.mean?.reshape(mean.shape), mean, TOLERANCES.reduction);
  };
  await replayLayers(name, config, learn, x, out, comparison);
}

/** The float32 that a decimal of a golden file stands for. */
function rounded(x: GoldenTensor): GoldenTensor {
  return { ...x, data: x.data.map((v) => Math.fround(Number(v))) };
}

async function replaySeries(c: GoldenCase, comparison: Comparison): Promise<void> {
  const { function: name, class_name: generator, ...config } = c['config'];
  const own = camelKeys(config);
  if (generator === 'TimeseriesGenerator') {
    const { length, ...rest } = own;
    const found = new TimeseriesGenerator(toTensor(c['inputs'].data), toTensor(c['inputs'].targets), length, rest);
    comparison.equal('length', found.length, c['outputs'].length);
    (c['outputs'].batches as [GoldenTensor, GoldenTensor][]).forEach(([x, y], i) => {
      const [fx, fy] = found.at(i);
      comparison.tensor(`batch ${i} x`, fx, rounded(x), TOLERANCES.exact);
      comparison.tensor(`batch ${i} y`, fy, y, TOLERANCES.exact);
    });
    return;
  }
  if (name === 'timeseries_dataset_from_array') {
    const data = toTensor(c['inputs'].data);
    const targets = c['inputs'].targets ? toTensor(c['inputs'].targets) : null;
    const { batches } = c['outputs'];
    const found: (Tensor | [Tensor, Tensor])[] = targets
      ? await timeseriesDatasetFromArray(data, targets, own).toArray()
      : await timeseriesDatasetFromArray(data, null, own).toArray();
    comparison.equal('batches', found.length, batches.length);
    found.forEach((batch, i) => {
      const [fx, fy] = Array.isArray(batch) ? batch : [batch];
      const [x, y] = Array.isArray(batches[i]) ? batches[i] : [batches[i]];
      comparison.tensor(`batch ${i} x`, fx, rounded(x), TOLERANCES.exact);
      if (y) comparison.tensor(`batch ${i} y`, fy, y, TOLERANCES.exact);
    });
    return;
  }
  if (name === 'make_sampling_table') {
    const found = tensor(makeSamplingTable(own.size, own.samplingFactor));
    comparison.tensor('out', found, c['outputs'].out, { rtol: 1e-12, atol: 0 });
    return;
  }
  const { vocabularySize, ...rest } = own;
  const { couples, labels } = skipgrams(c['inputs'].sequence, vocabularySize, rest);
  if (c['outputs']) {
    comparison.equal('couples', couples, c['outputs'].couples);
    comparison.equal('labels', labels, c['outputs'].labels);
    return;
  }
  // Facts, where Keras draws at random.
  const expected = c['expect'];
  const positives = expected.positives_first as [number, number][];
  comparison.equal('positives first', couples.slice(0, positives.length), positives);
  comparison.equal('labels', labels, expected.labels);
  const negatives = couples.slice(positives.length);
  const first = (list: readonly [number, number][]): number[] => list.map(([w]) => w).sort((a, b) => a - b);
  comparison.equal('first words of negatives', first(negatives), first(positives));
  const [low, high] = expected.negative_second_word_range;
  comparison.equal(
    'second words of negatives in range',
    negatives.every(([, w]) => w >= low && w <= high),
    true,
  );
}

/** Replays one case of the area `preprocessing`. */
export async function replayPreprocessing(c: GoldenCase, comparison: Comparison, file: string): Promise<boolean> {
  switch (file) {
    case 'tokenizer.json':
      return replayTokenizer(c, comparison);
    case 'text_vectorization.json':
      await replayTextVectorization(c, comparison);
      return true;
    case 'lookup.json':
      await replayLookup(c, comparison);
      return true;
    case 'numeric.json':
      await replayNumeric(c, comparison);
      return true;
    case 'series.json':
      await replaySeries(c, comparison);
      return true;
    default:
      return replayText(c, comparison);
  }
}

/** Words, hashes of words, padding, one-hot labels, norms. */
function replayText(c: GoldenCase, comparison: Comparison): boolean {
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
  if (name === 'normalize') {
    const { order, axis } = config;
    comparison.tensor(
      'out',
      normalize(toTensor(c['inputs'].x), { order, axis }),
      c['outputs'].out,
      TOLERANCES.reduction,
    );
    return true;
  }
  if (name === 'hashing_trick') {
    const ids = (c['inputs'].texts as string[]).map((t) => hashingTrick(t, config.n, { hashFunction: 'md5' }));
    comparison.equal('ids', ids, c['outputs'].ids);
    return true;
  }
  if (name === 'one_hot') {
    // Facts: Keras' hash is another one in each process.
    const { lengths, min, max } = c['expect'];
    const texts = c['inputs'].texts as string[];
    const ids = texts.map((t) => oneHot(t, config.n));
    comparison.equal(
      'lengths',
      ids.map((row) => row.length),
      lengths,
    );
    comparison.equal(
      'range',
      ids.flat().every((id) => id >= min && id <= max),
      true,
    );
    comparison.equal(
      'the same word, the same id',
      texts.map((t) => oneHot(t, config.n)),
      ids,
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
