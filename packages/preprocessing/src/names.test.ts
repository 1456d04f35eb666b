/** Names that every object of JavaScript has are ordinary names in data: columns, words, labels, tokens, fields of JSON. */
import { tensor } from '@recurra/tensor';
import {
  BytePairTokenizer,
  csvDataset,
  Dataset,
  folderDataset,
  HuggingFaceTokenizer,
  jsonlDataset,
  LabelEncoder,
  RowReport,
  StringLookup,
  TextVectorization,
  Tokenizer,
  textToWordSequence,
  trainTestSplit,
} from './index.js';

const NAMES = ['__proto__', 'constructor', 'hasOwnProperty', 'isPrototypeOf', 'toString', 'valueOf'];

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('words', () => {
  test('are cut and kept as they are', () => {
    expect(textToWordSequence(NAMES.join(' '), { filters: '', lower: false })).toEqual(NAMES);
  });

  test('Tokenizer: ids by frequency, unknown ones are unknown', () => {
    const tokenizer = new Tokenizer({ filters: '', lower: false });
    expect(tokenizer.textsToSequences([NAMES])).toEqual([[]]);
    tokenizer.fitOnTexts([NAMES, NAMES.slice(1), ['__proto__', '__proto__']]);
    expect([...tokenizer.wordCounts]).toEqual([['__proto__', 3], ...NAMES.slice(1).map((name) => [name, 2])]);
    expect(tokenizer.textsToSequences([NAMES, ['propertyIsEnumerable']])).toEqual([[1, 2, 3, 4, 5, 6], []]);
    expect(tokenizer.sequencesToTexts([[1, 2], [6]])).toEqual(['__proto__ constructor', 'valueOf']);
    expect(tokenizer.textsToMatrix([['__proto__', 'constructor', '__proto__']], 'count').toArray()).toEqual([
      [0, 2, 1, 0, 0, 0, 0],
    ]);
  });

  test('Tokenizer: one of them is the token of unknown words', () => {
    for (const oovToken of NAMES) {
      const tokenizer = new Tokenizer({ oovToken });
      tokenizer.fitOnTexts(['some words']);
      const again = Tokenizer.fromJson(tokenizer.toJson());
      expect(again.oovToken).toBe(oovToken);
      expect(again.textsToSequences(['some other words'])).toEqual([[2, 1, 3]]);
    }
  });

  test('Tokenizer: JSON and back', () => {
    const tokenizer = new Tokenizer({ filters: '', lower: false });
    tokenizer.fitOnTexts([NAMES, ['__proto__', '12', '3']]);
    const again = Tokenizer.fromJson(tokenizer.toJson());
    for (const key of ['wordIndex', 'indexWord', 'wordCounts', 'wordDocs', 'indexDocs'] as const)
      expect([...again[key]]).toEqual([...tokenizer[key]]);
    expect(again.wordIndex.size).toBe(NAMES.length + 2);
    expect(again.toJson()).toBe(tokenizer.toJson());
  });

  test('TextVectorization: learnt, given and unknown', () => {
    const learnt = new TextVectorization({ standardize: null });
    learnt.adapt([NAMES.join(' '), '__proto__']);
    expect(learnt.getVocabulary()[2]).toBe('__proto__');
    expect([...learnt.getVocabulary(false)].sort()).toEqual([...NAMES].sort());
    const given = new TextVectorization({ standardize: null, vocabulary: ['word', '__proto__', 'toString'] });
    expect(given.callRagged(['toString constructor __proto__ word'])).toEqual([[4, 1, 3, 2]]);
  });
});

describe('vocabularies', () => {
  test('StringLookup: ids and back, counts', () => {
    const lookup = new StringLookup({ vocabulary: NAMES });
    expect(lookup.call([...NAMES, 'propertyIsEnumerable']).toArray()).toEqual([1, 2, 3, 4, 5, 6, 0]);
    expect(new StringLookup({ vocabulary: NAMES, invert: true }).call([1, 2, 0])).toEqual([
      '__proto__',
      'constructor',
      '[UNK]',
    ]);
    const adapted = new StringLookup();
    adapted.adapt(['valueOf', '__proto__', '__proto__', 'constructor', 'constructor', 'constructor']);
    expect(adapted.getVocabulary()).toEqual(['[UNK]', 'constructor', '__proto__', 'valueOf']);
    const counts = new StringLookup({ vocabulary: NAMES, outputMode: 'count' });
    expect(counts.call([['__proto__', '__proto__', 'hasOwnProperty', 'no']]).toArray()).toEqual([
      [1, 2, 0, 1, 0, 0, 0],
    ]);
  });

  test('BytePairTokenizer: as learnt tokens and special ones, in JSON too', async () => {
    const text = NAMES.join(' ').repeat(3);
    const tokenizer = BytePairTokenizer.train([text], { vocabularySize: 400, specialTokens: NAMES.slice(0, 3) });
    expect(tokenizer.encode('constructor__proto__')).toEqual([1, 0]);
    expect(
      tokenizer.tokens.slice(3).filter((token) => token === 'isPrototypeOf' || token === 'Ġ' + 'toString'),
    ).not.toEqual([]);
    for (const name of ['isPrototypeOf', 'propertyIsEnumerable'])
      expect(tokenizer.tokens.includes(name)).toBe(tokenizer.tokenId(name) !== undefined);
    const again = BytePairTokenizer.fromJson(tokenizer.toJson());
    expect(again.tokens).toEqual(tokenizer.tokens);
    expect(again.encode(text)).toEqual(tokenizer.encode(text));
    expect(again.decode(again.encode(text))).toBe(text);
    const theirs = await HuggingFaceTokenizer.fromJson(tokenizer.toJson());
    expect(theirs.encode(text)).toEqual(tokenizer.encode(text));
  });
});

describe('labels', () => {
  test('LabelEncoder', () => {
    const encoder = new LabelEncoder(NAMES);
    expect(encoder.classes).toEqual(NAMES);
    expect(NAMES.map((name) => encoder.decode(encoder.encode(name)))).toEqual(NAMES);
    expect(new LabelEncoder(['a']).has('constructor')).toBe(false);
    expect(() => new LabelEncoder(['a']).encode('__proto__')).toThrow(/a label among a, received "__proto__"/);
  });

  test('split by label keeps the share of each', () => {
    const labels = NAMES.flatMap((name) => [name, name, name, name]);
    const { train, test: held } = trainTestSplit(labels.length, { stratify: labels, testSize: 0.25 });
    const count = (ids: readonly number[]): number[] => NAMES.map((n) => ids.filter((i) => labels[i] === n).length);
    expect(count([...train])).toEqual(NAMES.map(() => 3));
    expect(count([...held])).toEqual(NAMES.map(() => 1));
  });
});

describe('rows', () => {
  const rows = [1, 2].map((k) => Object.fromEntries(NAMES.map((name) => [name, k])));

  test('batches, and samples again', async () => {
    const [batch] = await Dataset.fromArray(rows).batch(2).toArray();
    expect(Object.keys(batch!)).toEqual(NAMES);
    for (const name of NAMES) expect(batch![name]!.toArray()).toEqual([1, 2]);
    const samples = await Dataset.fromArray(rows).batch(2).unbatch().toArray();
    expect(samples.map((row) => Object.entries(row).map(([name, t]) => [name, t.item()]))).toEqual(
      rows.map((row) => Object.entries(row)),
    );
  });

  test('a key that only one element has is told', async () => {
    for (const name of NAMES)
      await expect(
        Dataset.fromArray([Object.fromEntries([[name, 1]]), { b: 1 }] as Record<string, number>[])
          .batch(2)
          .toArray(),
      ).rejects.toThrow(`without ["${name}"]`);
  });

  test('jsonlDataset: fields, required ones, the column of lines', async () => {
    const line = `{${NAMES.map((name, i) => `"${name}":${i}`).join(',')}}`;
    const read = async (text: string, options = {}): Promise<[unknown[], RowReport]> => {
      const report = new RowReport();
      const found = await jsonlDataset(bytesOf(text), { onBadRow: 'collect', report, ...options }).toArray();
      return [found.map((row) => Object.entries(row)), report];
    };
    const entries = NAMES.map((name, i) => [name, i]);
    const [found, report] = await read(`${line}\n{}\n{"__proto__":null}\n`, { required: NAMES });
    expect(found).toEqual([entries]);
    expect(report).toMatchObject({ good: 1, bad: 2, reasons: { missing: 2 } });
    for (const name of NAMES) {
      // Inherited ones are not the row's own.
      const [none, told] = await read('{"a":1}\n', { required: [name] });
      expect(none).toEqual([]);
      expect(told.rows[0]).toMatchObject({ reason: 'missing', message: `expected a value of "${name}"`, line: 1 });
      expect((await read('{"a":1}\n', { lineColumn: name }))[0]).toEqual([
        [
          ['a', 1],
          [name, 1],
        ],
      ]);
    }
  });
});

describe("rows with the names of a tensor's fields are rows", () => {
  const fields = { dtype: 'float32', shape: 'round', data: 'x', rank: '2' };

  test('bucketByLength takes the length of their sequence', async () => {
    const elements = [1, 5, 2, 6].map((n) => ({ ...fields, ids: Array.from({ length: n }, () => 7) }));
    const batches = await Dataset.fromArray(elements)
      .bucketByLength({ boundaries: [4], batchSize: [2, 2] })
      .toArray();
    expect(batches.map((b) => b.ids.shape)).toEqual([
      [2, 2],
      [2, 6],
    ]);
    expect(batches[0]!.dtype).toEqual(['float32', 'float32']);
    expect(batches[0]!.shape).toEqual(['round', 'round']);
    // Lists under these names are sequences as others.
    const lists = [[1, 2, 3], [4]].map((shape) => ({ dtype: 1, shape }));
    const [short, long] = await Dataset.fromArray(lists)
      .bucketByLength({ boundaries: [2], batchSize: [1, 1] })
      .toArray();
    expect([short!.shape.toArray(), long!.shape.toArray()]).toEqual([[[1, 2, 3]], [[4]]]);
    await expect(
      Dataset.fromArray([fields])
        .bucketByLength({ boundaries: [4], batchSize: [2, 2] })
        .toArray(),
    ).rejects.toThrow(/expected elements that hold a sequence, received none/);
  });

  test('tensors still count by their first axis', async () => {
    const elements = [2, 5, 1, 6].map((n) => tensor(Array.from({ length: n }, (_, i) => i)));
    const batches = await Dataset.fromArray(elements)
      .bucketByLength({ boundaries: [4], batchSize: [2, 2] })
      .toArray();
    expect(batches.map((b) => b.toArray())).toEqual([
      [
        [0, 1],
        [0, 0],
      ],
      [
        [0, 1, 2, 3, 4, 0],
        [0, 1, 2, 3, 4, 5],
      ],
    ]);
  });

  test('from files to batches', async () => {
    const csv = csvDataset(bytesOf('dtype,shape,data,length\nint32,round,1,2\nbool,square,3,4\n'), {
      numeric: ['data', 'length'],
    });
    const [batch] = await csv.batch(2).toArray();
    expect(batch!['dtype']).toEqual(['int32', 'bool']);
    expect(batch!['shape']).toEqual(['round', 'square']);
    expect((batch!['data'] as unknown as ReturnType<typeof tensor>).toArray()).toEqual([1, 3]);
  });
});

test('folders are classes, whatever they are called', async () => {
  const { mkdtemp, mkdir, writeFile, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const root = await mkdtemp(join(tmpdir(), 'names-'));
  try {
    for (const name of NAMES) {
      await mkdir(join(root, name));
      await writeFile(join(root, name, 'a.txt'), `text of ${name}`);
    }
    const found = await folderDataset(root).toArray();
    expect(found.map(({ text, label }) => [text, label])).toEqual(NAMES.map((name) => [`text of ${name}`, name]));
  } finally {
    await rm(root, { recursive: true });
  }
});
