import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { batchIndices, shuffledIndices } from './extend.js';
import { LabelEncoder, padSequences, segmentWords, Tokenizer, toCategorical, trainTestSplit } from './index.js';

describe('Tokenizer', () => {
  test('JSON round trips, also with words that look like numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.option(fc.constant('<OOV>')), (texts, oovToken) => {
        const tokenizer = new Tokenizer({ oovToken });
        tokenizer.fitOnTexts([...texts, '2024 was 7 years 7 ago', '__proto__ constructor']);
        const again = Tokenizer.fromJson(tokenizer.toJson());
        expect([...again.wordIndex]).toEqual([...tokenizer.wordIndex]);
        expect([...again.indexWord]).toEqual([...tokenizer.indexWord]);
        expect([...again.wordCounts]).toEqual([...tokenizer.wordCounts]);
        expect(again.textsToSequences(texts)).toEqual(tokenizer.textsToSequences(texts));
      }),
    );
  });

  test('known words survive the way to ids and back', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('sun', 'rain', 'wind', 'snow'), { minLength: 1 }), (words) => {
        const tokenizer = new Tokenizer();
        tokenizer.fitOnTexts([words.join(' ')]);
        expect(tokenizer.sequencesToTexts(tokenizer.textsToSequences([words.join(' ')]))).toEqual([words.join(' ')]);
      }),
    );
  });

  test('all ids lie below vocabularySize', () => {
    for (const options of [
      {},
      { numWords: 3 },
      { oovToken: '?' },
      { oovToken: '?', numWords: 1 },
      { charLevel: true },
    ]) {
      const tokenizer = new Tokenizer(options);
      tokenizer.fitOnTexts(['a b c d', 'a b a']);
      const ids = tokenizer.textsToSequences(['a b c d e', 'zzz']).flat();
      expect(Math.max(0, ...ids)).toBeLessThan(tokenizer.vocabularySize);
    }
  });

  test('Chinese is segmented without a download', () => {
    const tokenizer = new Tokenizer({ analyzer: segmentWords });
    tokenizer.fitOnTexts(['今天下雨。', '今天晴天！']);
    expect(tokenizer.wordIndex.get('今天')).toBe(1);
    expect(segmentWords('Hello, World!')).toEqual(['hello', 'world']);
  });

  test('mistakes are told', () => {
    expect(() => new Tokenizer({ numWords: 0 })).toThrow(/numWords to be an integer >= 1/);
    expect(() => Tokenizer.fromJson('{')).toThrow(/received text that does not parse/);
    expect(() => Tokenizer.fromJson('{"class_name":"Other"}')).toThrow(/received other JSON/);
    expect(() => new Tokenizer().textsToMatrix(['a'])).toThrow(/received neither/);
    expect(() => new Tokenizer({ numWords: 5 }).sequencesToMatrix([[1]], 'tf' as never)).toThrow(/mode 'binary'/);
  });
});

describe('Tokenizer.fromJson', () => {
  const tokenizer = new Tokenizer();
  tokenizer.fitOnTexts(['the cat', 'the dog']);

  test.each<[string, (config: Record<string, unknown>) => unknown, RegExp]>([
    ['numWords', (c) => (c['num_words'] = 1.5), /"num_words" to be an integer >= 1 or null, received 1.5/],
    ['filters', (c) => (c['filters'] = 3), /"filters" to be a text, received 3/],
    ['lower', (c) => (c['lower'] = 'yes'), /"lower" to be true or false/],
    ['split', (c) => (c['split'] = ''), /"split" to be a text that is not empty/],
    ['oovToken', (c) => (c['oov_token'] = {}), /"oov_token" to be a text or null/],
    ['documents', (c) => (c['document_count'] = -1), /"document_count" to be an integer >= 0/],
    ['a table that is missing', (c) => delete c['word_docs'], /"word_docs" to be a JSON text, received undefined/],
    ['a table that does not parse', (c) => (c['word_docs'] = '{'), /"word_docs" to be the JSON of a flat object/],
    ['a list', (c) => (c['word_docs'] = '[1]'), /"word_docs" to be the JSON of a flat object/],
    ['a count', (c) => (c['word_counts'] = '{"the": "2"}'), /"word_counts" to be a table of integers >= 0/],
    ['an id', (c) => (c['word_index'] = '{"the": 0}'), /"word_index" to be a table of ids >= 1/],
    ['an id as a key', (c) => (c['index_docs'] = '{"01": 2}'), /"index_docs" to be a table of .* by ids >= 1/],
    ['two tables that differ', (c) => (c['index_word'] = '{"1": "a"}'), /"index_word"/],
    [
      'a word more',
      (c) => (c['word_index'] = '{"the": 1}'),
      /"index_word" to be a table of 1 words, as word_index is, received 3/,
    ],
  ])('damaged JSON: %s', (_, damage, message) => {
    const json = JSON.parse(tokenizer.toJson());
    damage(json.config);
    const read = (): unknown => Tokenizer.fromJson(JSON.stringify(json));
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });

  test('what is left out of the options has their defaults, as in Keras', () => {
    const json = JSON.parse(tokenizer.toJson());
    for (const key of ['num_words', 'filters', 'lower', 'split', 'char_level', 'oov_token', 'document_count'])
      delete json.config[key];
    expect(Tokenizer.fromJson(JSON.stringify(json)).textsToSequences(['The dog!'])).toEqual([[1, 3]]);
  });

  test('an unknown token beyond numWords counts into the rows of an Embedding', () => {
    const late = new Tokenizer({ numWords: 2, oovToken: 'rare' });
    late.fitOnTexts(['a a a b b rare']);
    expect(late.textsToSequences(['zzz'])).toEqual([[4]]);
    expect(late.vocabularySize).toBe(5);
  });
});

describe('padSequences', () => {
  test('keeps what fits, at the side that is asked for', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 99 }))),
        fc.integer({ min: 0, max: 6 }),
        fc.constantFrom('pre' as const, 'post' as const),
        fc.constantFrom('pre' as const, 'post' as const),
        (sequences, maxLength, padding, truncating) => {
          const rows = padSequences(sequences, { maxLength, padding, truncating }).toArray() as number[][];
          sequences.forEach((sequence, i) => {
            const kept =
              sequence.length <= maxLength
                ? sequence
                : truncating === 'pre'
                  ? sequence.slice(sequence.length - maxLength)
                  : sequence.slice(0, maxLength);
            expect(rows[i]).toHaveLength(maxLength);
            expect(rows[i]!.filter((v) => v !== 0)).toEqual(kept);
            if (kept.length < maxLength) expect(rows[i]!.at(padding === 'pre' ? 0 : -1)).toBe(0);
          });
        },
      ),
    );
  });

  test('mistakes are told', () => {
    expect(() => padSequences([[1]], { padding: 'left' as never })).toThrow(/padding 'pre' or 'post', received 'left'/);
    expect(() => padSequences([[1, 2], [[3]] as never])).toThrow(/elements of one shape/);
    expect(() => padSequences([[Number.NaN]])).toThrow(/32-bit integers, received NaN/);
    expect(() => padSequences([[1], [1, 2]], { value: 3e9 })).toThrow(
      /value to be among the 32-bit integers, received 3000000000/,
    );
    expect(() => padSequences([[1], [1, 2]], { value: Number.NaN })).toThrow(/received NaN. Give a floating dtype/);
    expect(() => padSequences([new BigInt64Array(2) as never])).toThrow(/received a bigint in sequence 0/);
    expect(
      padSequences([[1], [1, 2]], { value: Number.NaN, dtype: 'float32' })
        .at(0)
        .toArray(),
    ).toEqual([Number.NaN, 1]);
  });
});

test('a large vocabulary and many sequences', () => {
  const tokenizer = new Tokenizer();
  tokenizer.fitOnTexts([Array.from({ length: 200_000 }, (_, i) => `w${i}`)]);
  expect(tokenizer.vocabularySize).toBe(200_001);
  expect(padSequences(Array.from({ length: 200_000 }, () => [1])).shape).toEqual([200_000, 1]);
});

describe('labels and splits', () => {
  test('one-hot rows', () => {
    expect(toCategorical([0, 2]).toArray()).toEqual([
      [1, 0, 0],
      [0, 0, 1],
    ]);
    expect(() => toCategorical([3], 2)).toThrow(/labels in 0..1, received 3/);
  });

  test('encoder', () => {
    const encoder = new LabelEncoder(['b', 'a', 'b']);
    expect([encoder.classes, encoder.encode('b'), encoder.decode(0)]).toEqual([['a', 'b'], 1, 'a']);
    expect(() => encoder.encode('c')).toThrow(/among a, b, received "c"/);
  });

  test('a split is a partition, a shuffle a permutation, batches cover everything once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 60 }),
        fc.nat(),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        (n, seed, stratified, batchSize) => {
          const all = Array.from({ length: n }, (_, i) => i);
          const labels = all.map((i) => i % 3);
          const { train, test } = trainTestSplit(n, {
            testSize: 0.25,
            seed,
            ...(stratified ? { stratify: labels } : {}),
          });
          expect([...train, ...test].sort((a, b) => a - b)).toEqual(all);
          expect(test).toHaveLength(Math.round(n * 0.25));
          expect([...shuffledIndices(n, seed)].sort((a, b) => a - b)).toEqual(all);
          const batches = [...batchIndices(n, { batchSize, shuffle: seed })];
          expect(batches.flatMap((b) => [...b]).sort((a, b) => a - b)).toEqual(all);
          expect(batches.slice(0, -1).every((b) => b.length === batchSize)).toBe(true);
        },
      ),
    );
  });

  test('stratified parts keep the shares of the classes', () => {
    const labels = Array.from({ length: 100 }, (_, i) => (i < 80 ? 'many' : 'few'));
    const { test } = trainTestSplit(100, { testSize: 0.2, stratify: labels });
    expect(test.filter((i) => labels[i] === 'few')).toHaveLength(4);
    expect(() => trainTestSplit(3, { testSize: 3 })).toThrow(/both parts/);
  });
});
