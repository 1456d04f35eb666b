import fc from 'fast-check';
import { segmenter } from '../extend.js';
import {
  hashingTrick,
  jiebaSegmenter,
  makeSamplingTable,
  skipgrams,
  TextVectorization,
  Tokenizer,
  textToWordSequence,
} from '../index.js';

test('words by the table are those by the general way', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, lower) => {
      // A separator of two characters takes the general way.
      const general = textToWordSequence(text.replaceAll('##', '# #'), {
        lower,
        split: '##',
        filters: '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n ',
      });
      const table = textToWordSequence(text, { lower });
      expect(table).toEqual(general);
    }),
  );
});

describe('TextVectorization', () => {
  const texts = ['The cat sat.', 'the dog sat, the dog ran!', ''];

  test('ids in order, padded; unknown words are 1', () => {
    const layer = new TextVectorization();
    layer.adapt(texts);
    expect(layer.getVocabulary()).toEqual(['', '[UNK]', 'the', 'sat', 'dog', 'ran', 'cat']);
    expect(layer.call(['the dog barked', 'cat']).toArray()).toEqual([
      [2, 4, 1],
      [6, 0, 0],
    ]);
    expect(layer.callRagged(['the dog', 'cat'])).toEqual([[2, 4], [6]]);
    expect(layer.vocabularySize).toBe(7);
  });

  test('document frequencies', () => {
    const layer = new TextVectorization({ outputMode: 'tfIdf' });
    layer.adapt(texts);
    // log(1 + documents / (1 + documents with it)); 'the' and 'sat' are in two of three.
    expect(layer.idfWeights!.slice(1, 3)).toEqual(Float64Array.of(Math.log(1 + 3 / 3), Math.log(1 + 3 / 3)));
    const row = layer.call(['the the cat']).toArray() as number[][];
    expect(row[0]![1]).toBeCloseTo(2 * Math.log(2), 6);
  });

  test('a stream of batches teaches what the whole does, and a vocabulary can be carried over', async () => {
    async function* stream(): AsyncGenerator<string | string[]> {
      yield texts.slice(0, 2);
      yield texts[2]!;
    }
    const [a, b] = [new TextVectorization(), new TextVectorization()];
    a.adapt(texts);
    await b.adaptStream(stream());
    expect(b.getVocabulary()).toEqual(a.getVocabulary());
    const c = new TextVectorization({ vocabulary: a.getVocabulary() });
    expect(c.call(texts).toArray()).toEqual(a.call(texts).toArray());
  });

  test('Chinese, by a splitter', () => {
    const layer = new TextVectorization({ standardize: null, split: segmenter() });
    layer.adapt(['今天下雨。', '今天晴天！']);
    expect(layer.getVocabulary()[2]).toBe('今天');
  });

  test('mistakes are told', () => {
    expect(() => new TextVectorization({ outputMode: 'count', outputSequenceLength: 3 })).toThrow(/outputMode 'int'/);
    expect(() => new TextVectorization({ ngrams: 0 })).toThrow(/ngrams/);
    expect(() => new TextVectorization({ split: 'words' as never })).toThrow(/split 'whitespace'/);
    expect(() => new TextVectorization({ ragged: true }).call(['a'])).toThrow(/callRagged/);
  });
});

describe('segmenter', () => {
  test('characters and bytes are all of the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(segmenter({ mode: 'character' })(text).join('')).toBe(text);
        expect(segmenter({ mode: 'grapheme' })(text).join('')).toBe(text);
        const bytes = segmenter({ mode: 'byte' })(text).map((b) => Number.parseInt(b, 16));
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))).toBe(text);
      }),
    );
  });

  test('full-width forms, normal forms, punctuation', () => {
    expect(segmenter({ foldWidth: true })('ＡＢＣ　１２３！')).toEqual(['abc', '123']);
    expect(segmenter({ mode: 'character', normalize: 'NFC' })('e\u0301')).toEqual(['é']);
    expect(segmenter({ punctuation: true })('Hi, you!')).toEqual(['hi', ',', 'you', '!']);
    expect(segmenter({ mode: 'character', punctuation: false })('a, b。')).toEqual(['a', 'b']);
    expect(() => segmenter({ mode: 'words' as never })).toThrow(/expected mode to be one of 'word'/);
  });

  test('Japanese and Thai have words too', () => {
    expect(segmenter()('私は学生です').length).toBeGreaterThan(2);
    expect(segmenter({ locale: 'th' })('สวัสดีชาวโลก').length).toBeGreaterThan(1);
  });

  test('jieba, where it is installed', async () => {
    const cut = await jiebaSegmenter();
    expect(cut('我来到北京清华大学。')).toEqual(['我', '来到', '北京', '清华大学']);
    const tokenizer = new Tokenizer({ analyzer: cut });
    tokenizer.fitOnTexts(['我来到北京清华大学']);
    expect(tokenizer.wordIndex.get('北京')).toBe(3);
  });
});

test('hashing: the same word, the same id, in range', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 2, max: 1000 }), (text, n) => {
      const ids = hashingTrick(text, n);
      expect(ids).toEqual(hashingTrick(text, n));
      expect(ids.every((id) => id >= 1 && id < n)).toBe(true);
    }),
  );
  expect(hashingTrick('a b a', 10, { hashFunction: (w) => w.charCodeAt(0) })).toEqual([8, 9, 8]);
  expect(() => hashingTrick('a', 1)).toThrow(/n to be an integer >= 2/);
});

describe('skipgrams', () => {
  const sequence = Array.from({ length: 40 }, (_, i) => 1 + (i % 9));

  test('shuffled couples keep their labels; seeds decide', () => {
    const plain = skipgrams(sequence, 10, { shuffle: false });
    const mixed = skipgrams(sequence, 10);
    const key = (s: ReturnType<typeof skipgrams>): string[] => s.couples.map((c, i) => `${c} ${s.labels[i]}`).sort();
    expect(key(mixed)).toEqual(key(plain));
    expect(mixed.couples).not.toEqual(plain.couples);
    expect(skipgrams(sequence, 10)).toEqual(mixed);
    expect(skipgrams(sequence, 10, { seed: 1 }).couples).not.toEqual(mixed.couples);
  });

  test('a sampling table leaves out frequent words', () => {
    const none = skipgrams(sequence, 10, { samplingTable: new Float64Array(10), negativeSamples: 0 });
    expect(none.couples).toEqual([]);
    const table = makeSamplingTable(10);
    expect(skipgrams(sequence, 10, { samplingTable: table }).couples.length).toBeLessThan(
      skipgrams(sequence, 10).couples.length,
    );
    expect(() => skipgrams([5], 10, { samplingTable: [1, 1] })).toThrow(/an entry for each id/);
  });
});
