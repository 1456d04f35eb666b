import {
  BytePairTokenizer,
  Dataset,
  folderDataset,
  HuggingFaceTokenizer,
  hashingTrick,
  IntegerLookup,
  LabelEncoder,
  oneHot,
  padSequences,
  parquetDataset,
  StringLookup,
  TextVectorization,
  Tokenizer,
  textToWordSequence,
  trainTestSplit,
} from '../index.js';

const fitted = new Tokenizer();
fitted.fitOnTexts(['the cat sat']);
const layer = new TextVectorization({ vocabulary: ['the', 'cat'] });
const pairs = BytePairTokenizer.train(['the cat sat'], { vocabularySize: 260, specialTokens: ['<pad>'] });
let theirs: HuggingFaceTokenizer;
beforeAll(async () => {
  theirs = await HuggingFaceTokenizer.fromJson(pairs.toJson());
});

/** All that take a list of texts. */
const lists: readonly [string, (texts: never) => unknown][] = [
  ['Tokenizer.fitOnTexts', (texts) => new Tokenizer().fitOnTexts(texts)],
  ['Tokenizer.fitOnTexts, by characters', (texts) => new Tokenizer({ charLevel: true }).fitOnTexts(texts)],
  ['Tokenizer.textsToSequences', (texts) => fitted.textsToSequences(texts)],
  ['Tokenizer.textsToMatrix', (texts) => fitted.textsToMatrix(texts)],
  ['TextVectorization.adapt', (texts) => new TextVectorization().adapt(texts)],
  ['TextVectorization.call', (texts) => layer.call(texts)],
  ['TextVectorization.callRagged', (texts) => layer.callRagged(texts)],
  ['BytePairTokenizer.train', (texts) => BytePairTokenizer.train(texts, { vocabularySize: 300 })],
  ['HuggingFaceTokenizer.callBatch', (texts) => theirs.callBatch(texts)],
  ['LabelEncoder', (texts) => new LabelEncoder(texts)],
];
/** All that take a list of tokens or names. */
const names: readonly [string, (names: never) => unknown][] = [
  ['TextVectorization vocabulary', (vocabulary) => new TextVectorization({ vocabulary })],
  ['StringLookup vocabulary', (vocabulary) => new StringLookup({ vocabulary })],
  ['StringLookup.setVocabulary', (vocabulary) => new StringLookup().setVocabulary(vocabulary)],
  ['specialTokens', (specialTokens) => BytePairTokenizer.train([], { vocabularySize: 300, specialTokens })],
  ['classNames', (classNames) => folderDataset('.', { classNames })],
  ['Parquet columns', (columns) => parquetDataset('x', { columns })],
];

test.each([...lists, ...names])('%s: one string is no list of letters', (_, f) => {
  expect(() => f('the cat sat' as never)).toThrow(
    /expected a list of .*, received the string "the cat sat". Put it into a list: \["the cat sat"\]/,
  );
  expect(() => f('' as never)).toThrow(/expected a list of/);
});

test.each([...lists, ...names])('%s: what is no list is told', (_, f) => {
  for (const wrong of [7, {}, true] as never[]) expect(() => f(wrong)).toThrow(/expected a list of/);
});

test.each(lists)('%s: a data set is told the way', (_, f) => {
  expect(() => f(Dataset.fromArray(['a']) as never)).toThrow(/asynchronous.*await dataset.toArray\(\)/);
});

test.each([...lists, ...names])('%s: an item that is no string is told by its index', (_, f) => {
  for (const [item, shown] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '(number|7)'],
    [{}, 'object'],
  ] as const)
    expect(() => f(['a', 'b', item, 'c'] as never)).toThrow(
      new RegExp(`strings.*received (an )?${shown}.*at index 2`, 's'),
    );
});

test('lists, sets and generators of texts pass', () => {
  function* two(): Generator<string> {
    yield 'a b';
    yield 'c';
  }
  for (const texts of [['a b', 'c'], new Set(['a b', 'c']), two()]) {
    const tokenizer = new Tokenizer();
    tokenizer.fitOnTexts(texts);
    expect([...tokenizer.wordIndex.keys()]).toEqual(['a', 'b', 'c']);
  }
  const words = new Tokenizer();
  words.fitOnTexts([['a', 'b'], ['c']]);
  expect(words.documentCount).toBe(2);
  expect(() => words.fitOnTexts([['a'], ['b', undefined as never]])).toThrow(
    /in the text at index 1, received undefined as word 1/,
  );
  // What failed has counted nothing.
  expect([words.documentCount, words.wordCounts.get('a')]).toEqual([2, 1]);
});

test('one string is refused by types, too', () => {
  const refused: readonly (() => unknown)[] = [
    // @ts-expect-error a string is no list of texts
    () => new Tokenizer().fitOnTexts('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => fitted.textsToSequences('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => fitted.textsToMatrix('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => new TextVectorization().adapt('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => layer.call('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => layer.callRagged('the cat sat'),
    // @ts-expect-error a string is no list of texts
    () => BytePairTokenizer.train('the cat sat', { vocabularySize: 300 }),
    // @ts-expect-error a string is no list of texts
    () => theirs.callBatch('the cat sat'),
    // @ts-expect-error a string is no list of names
    () => new LabelEncoder('the cat sat'),
    // @ts-expect-error a string is no list of elements
    () => Dataset.fromArray('the cat sat'),
  ];
  for (const f of refused) expect(f).toThrow(/expected a list of/);
});

test('where one text is expected, a list is told', () => {
  const one: readonly ((text: never) => unknown)[] = [
    (text) => hashingTrick(text, 10),
    (text) => oneHot(text, 10),
    (text) => textToWordSequence(text),
    (text) => pairs.encode(text),
    (text) => theirs.encode(text),
    (text) => layer.tokens(text),
  ];
  for (const f of one) {
    expect(() => f(['a', 'b'] as never)).toThrow(/expected a text \(a string\), received a list of 2/);
    expect(() => f(undefined as never)).toThrow(/received undefined/);
  }
});

test('streams of texts', async () => {
  const adapt = (...items: unknown[]): Promise<void> =>
    new TextVectorization().adaptStream(Dataset.fromArray(items as string[]));
  await expect(adapt('a', ['b', undefined])).rejects.toThrow(/received undefined at index 2/);
  await expect(adapt('a', 7)).rejects.toThrow(/received number at index 1/);
  await adapt('a', ['b'], 'c');
});

test('lookups refuse what is no token', async () => {
  expect(() => new StringLookup().adapt(['a', undefined as never])).toThrow(
    /expected strings, received undefined at index 1/,
  );
  expect(() => new StringLookup({ vocabulary: ['a'] }).call(['a', null as never])).toThrow(/received null at index 1/);
  expect(() => new IntegerLookup().adapt([1, 2.5])).toThrow(/expected integers, received 2.5 at index 1/);
  expect(() => new IntegerLookup({ vocabulary: [1] }).call([1, Number.NaN])).toThrow(/received NaN at index 1/);
  await expect(new StringLookup().adaptStream(Dataset.fromArray([['a'], [3 as never]]))).rejects.toThrow(
    /received 3|number/,
  );
});

test('ids are refused where they would be cut or land elsewhere', () => {
  expect(() => fitted.sequencesToMatrix([[1], [-1]])).toThrow(/integers >= 0, received -1 in list 1/);
  expect(() => fitted.sequencesToMatrix([[1.5]])).toThrow(/received 1.5 in list 0/);
  expect(() => fitted.sequencesToTexts([1, 2] as never)).toThrow(/lists of ids, received number at index 0/);
  expect(() => fitted.fitOnSequences([undefined] as never)).toThrow(/received undefined at index 0/);
  expect(() => padSequences([1, 2, 3] as never)).toThrow(/lists of numbers, received number at index 0/);
  expect(() => padSequences('abc' as never)).toThrow(/a list of sequences, received the string/);
});

test('data sets of letters do not come from strings', async () => {
  expect(() => Dataset.fromArray('abc' as never)).toThrow(/a list of elements, received the string "abc"/);
  expect(() => Dataset.fromArray(undefined as never)).toThrow(/received undefined/);
  await expect(Dataset.fromGenerator((() => 'abc') as never).toArray()).rejects.toThrow(/received the string "abc"/);
  await expect(
    Dataset.range(1)
      .flatMap((() => 'abc') as never)
      .toArray(),
  ).rejects.toThrow(/received the string "abc"/);
  expect(() => trainTestSplit(3, { stratify: 'ab' as never })).toThrow(/received 2/);
});
