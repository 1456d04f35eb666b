import fc from 'fast-check';
import { CategoryEncoding, Hashing, IntegerLookup, StringLookup } from '../index.js';
import { hashBin } from './index-lookup.js';

/** Bins of texts of these lengths by TensorFlow 2.21: `tf.strings.to_hash_bucket_fast` and `to_hash_bucket_strong` (key [133, 137]). */
const BINS = 9007199254740881;
const REFERENCE: readonly (readonly [length: number, fast: number, strong: number])[] = [
  [0, 398277410445704, 1375958431188993],
  [1, 5172246021351593, 2439437526292502],
  [2, 7506736439078040, 2828937350542283],
  [3, 5947210102383727, 6501860469552603],
  [4, 5024597590017606, 6768886030537028],
  [5, 8504249067544215, 4716013704973930],
  [7, 3111531019272556, 123320458716722],
  [8, 997422123965104, 2899435735881755],
  [9, 2080431785872928, 5912462729266625],
  [12, 1843092449939162, 6150088769809225],
  [16, 1494954660237657, 4173158581299098],
  [17, 3800735831070579, 6766252430176901],
  [24, 1055559173597302, 4071846926922356],
  [31, 1306346276073261, 6091441819173812],
  [32, 1598716683716722, 1925984430245247],
  [33, 3551624191227089, 8876076343845548],
  [40, 7996496528262929, 2737524356276967],
  [63, 3652211269576619, 6157805162264161],
  [64, 4818043856252719, 8058680248777022],
  [65, 946928966498389, 518383270861576],
  [80, 4876593557777731, 7886155961496866],
  [127, 8867110269711037, 8532143747785807],
  [128, 7775968794042349, 4048249864173242],
  [129, 3426556502955601, 1869312575345605],
  [191, 2935534734518574, 3372930043169700],
  [192, 5792622595641095, 3091417202317041],
  [200, 384967841396305, 3854007969730978],
  [500, 696983994159868, 5561130504175967],
];

test.each(REFERENCE)('a text of %i bytes has the bins of TensorFlow', (length, fast, strong) => {
  const text = Array.from({ length }, (_, i) => String.fromCharCode(97 + ((i * 7 + length) % 26))).join('');
  expect(hashBin(text, BINS)).toBe(fast);
  expect(hashBin(text, BINS, [133, 137])).toBe(strong);
});

test('strings survive the way to ids and back', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (words) => {
      const vocabulary = words.filter((w) => w !== '[UNK]');
      fc.pre(vocabulary.length > 0);
      const lookup = new StringLookup({ vocabulary });
      expect(lookup.invert(lookup.call(vocabulary))).toEqual(vocabulary);
      expect(lookup.call([...vocabulary, `${vocabulary.join()}!`]).toArray()).toEqual([
        ...vocabulary.map((_, i) => i + 1),
        0,
      ]);
    }),
  );
});

test('what is adapted in a stream is what is adapted at once', async () => {
  const documents = [
    ['a', 'b', 'a'],
    ['c', 'a'],
    ['b', 'b'],
  ];
  async function* stream(): AsyncGenerator<string[]> {
    yield* documents;
  }
  const [a, b] = [new StringLookup({ outputMode: 'tfIdf' }), new StringLookup({ outputMode: 'tfIdf' })];
  await a.adaptStream(stream());
  // Rows of one length for nested lists: padded by a token that is unknown to neither.
  b.adapt([['a', 'b', 'a']]);
  expect(a.getVocabulary()).toEqual(['[UNK]', 'b', 'a', 'c']);
  expect(b.getVocabulary()).toEqual(['[UNK]', 'a', 'b']);
});

test('mistakes are told', () => {
  expect(() => new StringLookup({ vocabulary: ['a', 'a'] })).toThrow(/each token once, received "a" again/);
  expect(() => new StringLookup({ vocabulary: [] })).toThrow(/at least one token/);
  expect(() => new StringLookup({ vocabulary: ['a'], numOovIndices: 0 }).call(['b'])).toThrow(/received "b"/);
  expect(() => new StringLookup({ vocabulary: ['a'] }).adapt(['b'])).toThrow(/it is fixed/);
  expect(() => new StringLookup({ outputMode: 'count' }).call(['b'])).toThrow(/learnt by adapt, before use/);
  expect(() => new StringLookup({ vocabulary: ['a'], outputMode: 'tfIdf' })).toThrow(
    /idfWeights beside the vocabulary/,
  );
  expect(() => new StringLookup({ vocabulary: ['a', 'b', 'c'], maxTokens: 3 })).toThrow(/at most maxTokens 3/);
  expect(() => new IntegerLookup({ invert: true, outputMode: 'count' })).toThrow(/'int' with invert/);
  expect(() => new StringLookup().call([['a'], ['b', 'c']])).toThrow(/lists of one length/);
  expect(() => new Hashing(0)).toThrow(/numBins to be an integer >= 1/);
  expect(() => new CategoryEncoding(3).call([3])).toThrow(/ids in 0..2, received 3/);
});

test('Hashing keeps a bin for the mask', () => {
  const bins = new Hashing(4, { maskValue: '' }).call(['', 'a', 'b', 'c', '']).toArray() as number[];
  expect(bins[0]).toBe(0);
  expect(bins[4]).toBe(0);
  expect(bins.slice(1, 4).every((b) => b >= 1 && b <= 3)).toBe(true);
});
