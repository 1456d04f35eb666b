import { createHash } from 'node:crypto';
import type { Dataset, Tokenizer } from '@recurra/preprocessing';
import { randomKey, tensor } from '@recurra/tensor';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { preprocessing as p } from './surface.js';
import {
  type Argument,
  axes,
  type Example,
  f,
  flag,
  integer,
  list,
  made,
  name,
  number,
  optional,
  options,
  positive,
  text,
  x,
} from './wrong.js';

const example = (call: unknown, ...args: Argument[]): Example => ({ call: call as Example['call'], args });
const create = (Class: new (...args: never[]) => unknown, ...args: Argument[]): Example =>
  example((...given: never[]) => new Class(...given), ...args);

const texts = list(() => ['the cat', 'the dog']);
const series = x(() => tensor([1, 2, 3, 4, 5, 6, 7, 8]));
const seed = integer(1);
const blob = (content: string) => () => new Blob([content]);
/** Reads all that a data set gives. */
const read =
  (open: unknown) =>
  (...args: never[]) =>
    (open as (...a: never[]) => Dataset<unknown>)(...args).toArray();
/** Options of everything that reads a source with this content. */
const reading = (content: string | Uint8Array) => ({
  name: text('file'),
  onProgress: f(() => {}),
  sha256: text(createHash('sha256').update(content).digest('hex')),
  retries: integer(1),
  retryDelay: positive(1),
  timeout: positive(1000, 'Infinity'),
  cache: text('cache'),
  headers: made(() => ({ accept: '*/*' }), 'an empty object'),
  signal: made(() => new AbortController().signal),
  decompress: name('auto'),
});
const CSV = 'a,b\n1,2\n';
const JSONL = '{"a": 1}\n';
const LINES = 'one\n';
const PARQUET = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'a', data: [1, 2], type: 'INT32' }] }));
const BAD_ROWS = { onBadRow: name('collect'), report: made(() => new p.RowReport()) };
const PADDING = {
  maxLength: integer(3, 'null'),
  padToMaxLength: flag(false),
  padding: name('pre'),
  truncating: name('pre'),
  value: number(0, 'NaN', 'Infinity'),
};
const sequences = (): Dataset<number[]> => p.Dataset.fromArray([[1], [1, 2], [3]]);
const numbers = (): Dataset<number> => p.Dataset.fromArray([1, 2, 3, 4]);
const dataset = (call: (d: Dataset<number>, ...args: never[]) => unknown, ...args: Argument[]): Example =>
  example(
    async (...given: never[]) => {
      const made = (await call(numbers(), ...given)) as Dataset<unknown>;
      return made instanceof p.Dataset ? made.take(3).toArray() : made;
    },
    ...args,
  );
const tokenizer = (): Tokenizer => {
  const t = new p.Tokenizer();
  t.fitOnTexts(['the cat', 'the dog']);
  return t;
};
const pairs = p.BytePairTokenizer.train(['the cat', 'the dog'], { vocabularySize: 258 });
const WORDS = { filters: text('!'), lower: flag(true), split: text(' ') };
const rate: Argument = { value: () => 0.5, takes: [] };

/** Right calls of what `@recurra/preprocessing` exports, and of the methods of its classes. */
export const PREPROCESSING: Readonly<Record<string, readonly Example[]>> = {
  Tokenizer: [
    create(
      p.Tokenizer,
      options({ ...WORDS, numWords: integer(5, 'null'), charLevel: flag(true), oovToken: text('<unk>', 'null') }),
    ),
    example((t: never) => new p.Tokenizer().fitOnTexts(t), texts),
    example(
      (t: never) => new p.Tokenizer().fitOnSequences(t),
      list(() => [[1, 2]], 'ragged rows'),
    ),
    example((t: never) => tokenizer().textsToSequences(t), texts),
    example(
      (t: never) => tokenizer().sequencesToTexts(t),
      list(() => [[1, 2]], 'ragged rows'),
    ),
    example((t: never, mode: never) => tokenizer().textsToMatrix(t, mode), texts, optional(name('count'))),
    example(
      (t: never) => p.Tokenizer.fromJson(t),
      made(() => tokenizer().toJson()),
    ),
  ],
  TextVectorization: [
    create(
      p.TextVectorization,
      options({
        maxTokens: integer(5, 'null'),
        outputMode: name('int'),
        outputSequenceLength: integer(4, 'null'),
        ngrams: integer(2, 'null'),
      }),
    ),
    example((t: never) => new p.TextVectorization().adapt(t), texts),
    example((t: never) => {
      const layer = new p.TextVectorization();
      layer.adapt(['the cat']);
      return layer.call(t);
    }, texts),
  ],
  StringLookup: [
    create(
      p.StringLookup,
      options({
        maxTokens: integer(5, 'null'),
        numOovIndices: integer(1),
        vocabulary: list(() => ['a', 'b'], 'null'),
        outputMode: name('int'),
        invert: flag(false),
        padToMaxTokens: flag(false),
      }),
    ),
    example((t: never) => new p.StringLookup({ vocabulary: ['the'] }).call(t), text('the', 'an empty array')),
    example((t: never) => new p.StringLookup().adapt(t), text('the', 'an empty array')),
  ],
  IntegerLookup: [
    create(
      p.IntegerLookup,
      options({ maxTokens: integer(5, 'null'), numOovIndices: integer(1), outputMode: name('int') }),
    ),
    example(
      (t: never) => new p.IntegerLookup({ vocabulary: [1, 2] }).call(t),
      list(() => [1, 2], '-1'),
    ),
  ],
  Hashing: [
    create(
      p.Hashing,
      integer(4),
      options({ maskValue: text('', 'null', 'NaN', '-1', '1.5', 'Infinity'), outputMode: name('int') }),
    ),
    example(
      (t: never) => new p.Hashing(4).call(t),
      list(
        () => ['the', 'cat'],
        ...([
          'the text "2"',
          'the text "0.5"',
          'the text "zzz"',
          '-1',
          '1.5',
          'NaN',
          'Infinity',
          'a half in a list',
        ] as const),
      ),
    ),
  ],
  CategoryEncoding: [
    create(p.CategoryEncoding, integer(4), options({ outputMode: name('multiHot') })),
    example(
      (t: never) => new p.CategoryEncoding(4).call(t),
      list(() => [1, 2]),
    ),
  ],
  Discretization: [
    create(p.Discretization, options({ numBins: integer(3), epsilon: rate, outputMode: name('int') }, ['numBins'])),
    example((t: never) => new p.Discretization({ binBoundaries: [0, 1] }).call(t), x([0.5, 2])),
  ],
  Normalization: [
    create(p.Normalization, options({ axis: axes(-1), invert: flag(false) })),
    example((t: never) => new p.Normalization({ axis: null }).adapt(t), x([1, 2, 3])),
    example((t: never) => new p.Normalization({ axis: null, mean: 0, variance: 1 }).call(t), x([1, 2, 3])),
  ],
  LabelEncoder: [
    create(
      p.LabelEncoder,
      list(() => ['a', 'b']),
    ),
    example((t: never) => new p.LabelEncoder(['a', 'b']).encode(t), name('a')),
    example((t: never) => new p.LabelEncoder(['a', 'b']).decode(t), integer(1)),
  ],
  toCategorical: [example(p.toCategorical, x([0, 1]), optional(integer(3), 'null'))],
  normalize: [example(p.normalize, x([1, 2]), options({ axis: axes(-1), order: positive(2, 'Infinity') }))],

  padSequences: [
    example(
      p.padSequences,
      list(() => [[1, 2], [3]], 'ragged rows'),
      options({
        maxLength: integer(3, 'null'),
        padding: name('pre'),
        truncating: name('pre'),
        value: number(0, 'NaN', 'Infinity'),
        dtype: name('float32'),
      }),
    ),
  ],
  textToWordSequence: [example(p.textToWordSequence, text('the cat'), options(WORDS))],
  wordSplitter: [example(p.wordSplitter, options(WORDS))],
  hashingTrick: [
    example(
      p.hashingTrick,
      text('the cat'),
      integer(10),
      options({ ...WORDS, hashFunction: name('md5', 'a function') }),
    ),
  ],
  oneHot: [example(p.oneHot, text('the cat'), integer(10), options(WORDS))],
  foldWidth: [example(p.foldWidth, text('a'))],
  segmentWords: [example(p.segmentWords, text('a b'))],
  segmenter: [
    example(
      p.segmenter,
      options({
        mode: name('word'),
        locale: name('zh', 'the text "zzz"'),
        punctuation: flag(true),
        lower: flag(true),
        foldWidth: flag(true),
        normalize: name('NFC', 'null'),
      }),
    ),
  ],
  jiebaSegmenter: [
    example(
      async (o: never) => (await p.jiebaSegmenter(o))('a b'),
      options({
        punctuation: flag(true),
        lower: flag(true),
        foldWidth: flag(true),
        normalize: name('NFC', 'null'),
        hmm: flag(true),
        search: flag(true),
      }),
    ),
  ],
  skipgrams: [
    example(
      p.skipgrams,
      list([1, 2, 3]),
      integer(5),
      options({
        windowSize: integer(2),
        negativeSamples: positive(1),
        shuffle: flag(true),
        categorical: flag(true),
        samplingTable: made(() => p.makeSamplingTable(5), 'null'),
        seed,
      }),
    ),
  ],
  makeSamplingTable: [example(p.makeSamplingTable, integer(5), optional(positive(1e-5)))],

  BytePairTokenizer: [
    example(
      p.BytePairTokenizer.train,
      texts,
      options(
        {
          vocabularySize: integer(258),
          minFrequency: integer(2),
          specialTokens: list(() => ['<s>']),
          normalize: name('NFC', 'null'),
        },
        ['vocabularySize'],
      ),
    ),
    example((t: never) => pairs.encode(t), text('the cat')),
    example((ids: never, o: never) => pairs.decode(ids, o), list([1, 2]), options({ skipSpecialTokens: flag(true) })),
    example(
      (t: never) => p.BytePairTokenizer.fromJson(t),
      made(() => pairs.toJson()),
    ),
  ],
  HuggingFaceTokenizer: [
    example(
      p.HuggingFaceTokenizer.fromJson,
      made(() => pairs.toJson()),
      optional(made(() => ({}), 'an empty object', 'an empty array', 'a Map', 'a promise')),
      options({ trustPatterns: flag(true) }),
    ),
  ],

  timeseriesDatasetFromArray: [
    example(
      read(p.timeseriesDatasetFromArray),
      series,
      optional(series, 'null'),
      options(
        {
          sequenceLength: integer(2),
          sequenceStride: integer(1),
          samplingRate: integer(1),
          batchSize: integer(2, 'null'),
          shuffle: flag(true),
          seed: integer(1, 'null'),
        },
        ['sequenceLength'],
      ),
    ),
  ],
  TimeseriesGenerator: [
    create(
      p.TimeseriesGenerator,
      series,
      series,
      integer(2),
      options({
        samplingRate: integer(1),
        stride: integer(1),
        shuffle: flag(true),
        reverse: flag(true),
        batchSize: integer(2),
      }),
    ),
  ],
  windows: [
    example(
      p.windows,
      series,
      options({ length: integer(2), horizon: integer(1), gap: integer(0), stride: integer(1) }, ['length']),
    ),
  ],
  splitSeries: [
    example(p.splitSeries, series, options({ testSize: rate, validationSize: { value: () => 0.2, takes: [] } })),
  ],
  difference: [example(p.difference, series, optional(integer(1)))],
  undifference: [
    example(
      p.undifference,
      series,
      x(() => tensor([1])),
    ),
  ],

  batchIndices: [
    example(
      (...a: never[]) => [...(p.batchIndices as (...b: never[]) => Iterable<unknown>)(...a)],
      integer(5),
      options({ batchSize: integer(2), dropRemainder: flag(true) }),
    ),
  ],
  shuffledIndices: [
    example(
      p.shuffledIndices,
      integer(5),
      made(() => randomKey(1)),
    ),
  ],
  trainTestSplit: [example(p.trainTestSplit, integer(10), options({ testSize: rate, seed, shuffle: flag(true) }))],
  collate: [
    example(
      p.collate,
      made(() => [1, 2], 'a half in a list'),
    ),
  ],
  collatePadded: [
    example(
      p.collatePadded,
      made(() => [[1], [1, 2]], 'ragged rows', 'a half in a list'),
      options(PADDING),
    ),
  ],
  Dataset: [
    example((t: never) => p.Dataset.range(t), integer(3, 'Infinity')),
    dataset((d, n: never, o: never) => d.batch(n, o), integer(2), options({ dropRemainder: flag(true) })),
    dataset((d, n: never) => d.take(n), integer(2, 'Infinity')),
    dataset((d, n: never) => d.skip(n), integer(2, 'Infinity')),
    dataset((d, n: never) => d.repeat(n), optional(integer(2, 'Infinity'))),
    dataset((d, n: never) => d.prefetch(n), optional(integer(2))),
    dataset(
      (d, g: never) => d.map(g),
      f((v: number) => v),
    ),
    dataset(
      (d, g: never) => d.filter(g),
      f(() => true),
    ),
    dataset((d, o: never) => d.shuffle(o), options({ seed, bufferSize: integer(2, 'Infinity') })),
    dataset(
      (_, n: never, o: never) => sequences().paddedBatch(n, o),
      integer(2),
      options({ ...PADDING, dropRemainder: flag(true) }),
    ),
    dataset(
      (_, o: never) => sequences().bucketByLength(o),
      options(
        {
          ...PADDING,
          dropRemainder: flag(true),
          boundaries: list(() => [1], 'ragged rows', 'a half in a list'),
          batchSize: integer(2),
          length: f((v: number[]) => v.length),
        },
        ['boundaries', 'batchSize'],
      ),
    ),
    dataset((d, n: never, o: never) => d.chunk(n, o), integer(2), options({ dropRemainder: flag(true) })),
    dataset((d, other: never) => d.concat(other), made(numbers)),
  ],

  csvDataset: [
    example(
      read(p.csvDataset),
      made(blob(CSV)),
      options({
        ...reading(CSV),
        ...BAD_ROWS,
        delimiter: name(',', 'the text "2"'),
        quote: name('"', 'null', 'the text "2"'),
        columns: made(() => ['a', 'b'], 'null'),
        select: list(() => ['a']),
        numeric: list(() => ['a']),
        required: list(() => ['a']),
        trim: flag(true),
        lineColumn: text('#'),
        maxRowBytes: integer(100, 'Infinity'),
        maxFieldBytes: integer(100, 'Infinity'),
      }),
    ),
  ],
  jsonlDataset: [
    example(
      read(p.jsonlDataset),
      made(blob(JSONL)),
      options({
        ...reading(JSONL),
        ...BAD_ROWS,
        required: list(() => ['a']),
        lineColumn: text('#'),
        maxLineBytes: integer(100, 'Infinity'),
      }),
    ),
  ],
  textLineDataset: [
    example(
      read(p.textLineDataset),
      made(blob(LINES)),
      options({ ...reading(LINES), ...BAD_ROWS, skipEmpty: flag(true), maxLineBytes: integer(100, 'Infinity') }),
    ),
  ],
  readBytes: [
    example(
      async (source: never, given: never) => {
        let size = 0;
        for await (const chunk of p.readBytes(source, given)) size += chunk.length;
        return size;
      },
      made(blob(LINES)),
      options(reading(LINES)),
    ),
  ],
  readText: [
    example(
      async (s: never, given: never) => (await p.readText(s, given)).length,
      made(blob(LINES)),
      options(reading(LINES)),
    ),
  ],
  parquetDataset: [
    example(
      read(p.parquetDataset),
      made(() => new Blob([PARQUET])),
      options({
        ...reading(PARQUET),
        columns: list(() => ['a']),
        compressors: made(() => ({ GZIP: (input: Uint8Array) => input }), 'an empty object'),
        rowsPerRead: integer(1),
        maxPageBytes: integer(1000),
      }),
    ),
  ],
  folderDataset: [
    example(
      read(p.folderDataset),
      made(() => [new File(['a text'], 'a/1.txt')]),
      options({ ...BAD_ROWS, pattern: made(() => /[.]txt$/), classNames: list(() => ['a']) }),
    ),
  ],
};
