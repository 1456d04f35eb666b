import { segmenter } from './extend.js';
import {
  BytePairTokenizer,
  csvDataset,
  Dataset,
  jsonlDataset,
  padSequences,
  RowReport,
  readText,
  segmentWords,
  skipgrams,
  TextVectorization,
  Tokenizer,
  textLineDataset,
  textToWordSequence,
} from './index.js';

/** Seconds of this process alone: others do not count. The best of three, or the first that is little enough. */
async function cost(run: () => unknown, enough = 0): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let k = 0; k < 3 && best >= enough; k++) {
    const start = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1e6);
  }
  return best;
}

const FACTOR = 16;

/**
 * What is 16 times as long takes 16 times as long, or less where much is the same for each run; with the square it would be 256. Between the
 * two lies room for a busy machine.
 */
async function linear(make: (n: number) => () => unknown, n: number): Promise<void> {
  // Below a millisecond nothing can be measured.
  const limit = 5 * FACTOR * Math.max(await cost(make(n)), 1e-3);
  expect(await cost(make(FACTOR * n), limit)).toBeLessThan(limit);
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const skip = (): { onBadRow: 'skip'; report: RowReport } => ({ onBadRow: 'skip', report: new RowReport() });
const csv =
  (bytes: Uint8Array, size = 1 << 16, limit = 1 << 30): (() => Promise<unknown>) =>
  () =>
    csvDataset(cut(bytes, size), { ...skip(), maxRowBytes: limit }).toArray();

jest.setTimeout(120_000);

describe('CSV', () => {
  const header = 'a,b\n';
  test.each<[string, (n: number) => () => unknown, number]>([
    ['one long line', (n) => csv(bytesOf(`${header}${'x'.repeat(n)},1\n`)), 1 << 20],
    ['one long line, not over', (n) => csv(bytesOf(`${header}${'x'.repeat(n)}`)), 1 << 20],
    ['one long line in small pieces', (n) => csv(bytesOf(`${header}${'x'.repeat(n)},1`), 64), 1 << 16],
    ['one long line beyond the limit', (n) => csv(bytesOf(`${header}${'x'.repeat(n)}`), 1 << 12, 1 << 10), 1 << 20],
    ['short bad rows', (n) => csv(bytesOf(header + 'x\n'.repeat(n))), 1 << 14],
    ['rows with stray quotes', (n) => csv(bytesOf(header + 'x"y,1\n'.repeat(n))), 1 << 13],
    ['rows that open a quote', (n) => csv(bytesOf(header + '"x,1\n'.repeat(n))), 1 << 13],
    ['quotes that open and close', (n) => csv(bytesOf(header + '"x,1\ny",1,1\n'.repeat(n))), 1 << 13],
    ['doubled quotes', (n) => csv(bytesOf(header + '""",x\n'.repeat(n))), 1 << 13],
    ['nothing but quotes', (n) => csv(bytesOf(header + '"'.repeat(n))), 1 << 16],
    ['nothing but delimiters', (n) => csv(bytesOf(header + ','.repeat(n))), 1 << 14],
    ['line breaks alone', (n) => csv(bytesOf(header + '\r'.repeat(n))), 1 << 14],
    ['a field of many lines', (n) => csv(bytesOf(`${header}"${'\n'.repeat(n)}",1\n`), 1 << 10), 1 << 15],
    [
      'a field of many lines and a byte that is no UTF-8',
      (n) => csv(Buffer.from(`${header}"${'\n'.repeat(n)}\xff",1\n`, 'latin1'), 1 << 10),
      1 << 15,
    ],
    [
      'a field of many lines that never closes',
      (n) => csv(bytesOf(`${header}"${'x,1\n'.repeat(n)}`), 1 << 10),
      1 << 13,
    ],
    ['lines that are no UTF-8', (n) => csv(Buffer.from(header + '\xff,1\n'.repeat(n), 'latin1')), 1 << 11],
    ['fields of many lines in rows too long', (n) => csv(bytesOf(`${header}${'"\n\n\n\n'.repeat(n)}`), 64, 5), 1 << 12],
    ['one piece of one byte each', (n) => csv(bytesOf(header + '"x\ny",1\n'.repeat(n)), 1), 1 << 10],
  ])('%s', async (_, make, n) => linear(make, n));
});

test.each<[string, (n: number) => () => unknown, number]>([
  [
    'a long line of text',
    (n) => () => textLineDataset(cut(bytesOf('x'.repeat(n)), 4096), { maxLineBytes: Infinity }).toArray(),
    1 << 20,
  ],
  ['short lines', (n) => () => textLineDataset(bytesOf('x\r\n'.repeat(n))).toArray(), 1 << 14],
  [
    'lines that are no UTF-8',
    (n) => () => textLineDataset(Buffer.from('\xff\n'.repeat(n), 'latin1'), skip()).toArray(),
    1 << 11,
  ],
  ['JSON lines that do not parse', (n) => () => jsonlDataset(bytesOf('{\n'.repeat(n)), skip()).toArray(), 1 << 11],
  ['a long JSON line', (n) => () => jsonlDataset(cut(bytesOf(`"${'x'.repeat(n)}"`), 4096)).toArray(), 1 << 19],
  ['a text as a whole', (n) => () => readText(cut(bytesOf('x'.repeat(n)), 64)), 1 << 15],
  [
    'batches of small lists',
    (n) => () =>
      Dataset.range(n)
        .map((i) => [i])
        .chunk(n)
        .toArray(),
    1 << 13,
  ],
])('%s', async (_, make, n) => linear(make, n));

describe('texts', () => {
  const zh = '我喜欢苹果和香蕉今天下雨了球队赢得比赛神经网络';
  const graphemes = segmenter({ mode: 'grapheme' });
  const train = (text: string): unknown => BytePairTokenizer.train([text], { vocabularySize: 300 });
  const pairs = BytePairTokenizer.train(['a'.repeat(64), 'low lower lowest newer newest'], { vocabularySize: 280 });
  const fitted = new Tokenizer();
  fitted.fitOnTexts(['a b c']);
  const vectorize = new TextVectorization({ vocabulary: ['a', 'b'], ngrams: 2 });
  test.each<[string, (n: number) => () => unknown, number]>([
    ['words of Chinese without a space', (n) => () => segmentWords(zh.repeat(n)), 200],
    ['words of English', (n) => () => segmentWords('the quick brown fox '.repeat(n)), 200],
    ['words that are one sign', (n) => () => segmenter({ punctuation: true })('"'.repeat(n)), 4000],
    ['one word', (n) => () => segmentWords('a'.repeat(n)), 1 << 15],
    ['graphemes', (n) => () => graphemes('a'.repeat(n)), 4000],
    ['one grapheme', (n) => () => graphemes(`a${'\u0301'.repeat(n)}`), 1 << 15],
    ['byte pairs of one letter', (n) => () => pairs.encode('a'.repeat(n)), 1 << 13],
    ['byte pairs of many spaces', (n) => () => pairs.encode(' '.repeat(n)), 1 << 13],
    ['byte pairs learnt from one letter', (n) => () => train('a'.repeat(n)), 1 << 13],
    ['byte pairs learnt from one long word', (n) => () => train('abcabdabe'.repeat(n)), 1 << 10],
    ['cutting at spaces', (n) => () => textToWordSequence('a, b '.repeat(n)), 1 << 13],
    ['cutting at a longer separator', (n) => () => textToWordSequence('a<>b'.repeat(n), { split: '<>' }), 1 << 12],
    ['ids of words', (n) => () => fitted.textsToSequences(['a b c d '.repeat(n)]), 1 << 13],
    ['pairs of words', (n) => () => vectorize.call(['a b '.repeat(n)]), 1 << 12],
    [
      'couples of a window',
      (n) => () =>
        skipgrams(
          Array.from({ length: n }, (_, i) => i % 9),
          9,
        ),
      1 << 10,
    ],
    ['padding', (n) => () => padSequences([Array.from({ length: n }, (_, i) => i)]), 1 << 14],
    [
      'JSON of a vocabulary',
      (n) => () => {
        const own = new Tokenizer();
        own.fitOnTexts([Array.from({ length: n }, (_, i) => `w${i}`).join(' ')]);
        Tokenizer.fromJson(own.toJson());
      },
      1 << 9,
    ],
  ])('%s', async (_, make, n) => linear(make, n));
});

test('lists of any length go into a batch', async () => {
  const whole = await Dataset.fromChunks<number>(async function* () {
    yield [1];
    yield Array.from({ length: 300_000 }, (_, i) => i);
  })
    .chunk(300_001)
    .toArray();
  expect(whole[0]).toHaveLength(300_001);
});

test('byte pairs: pieces of any length are joined as short ones', () => {
  const texts = ['low lower lowest newer newest', 'abababab', 'aaaa aaaaaa'];
  const own = BytePairTokenizer.train(texts, { vocabularySize: 300 });
  const word = 'lowernewestlowabab';
  const ids = own.encode(word);
  // Nothing is joined over a sign that no pair has learnt.
  const long = own.encode(`${word}q`.repeat(40));
  const expected = Array.from({ length: 40 }, () => [...ids, ...own.encode('q')]).flat();
  expect(long).toEqual(expected);
  expect(own.decode(own.encode('a'.repeat(1_000_001)))).toBe('a'.repeat(1_000_001));
});
