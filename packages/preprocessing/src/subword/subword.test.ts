import { FormatError } from '@recurra/tensor';
import fc from 'fast-check';
import { BytePairTokenizer, HuggingFaceTokenizer } from '../index.js';

const CORPUS = [
  'The lowest of the low lows lower than the lowest newer widest.',
  "It's what we've seen: the newest, the widest, the lowest!",
  '循环神经网络是一种神经网络。神经网络很有用。',
  'naïve café déjà-vu 12345 123 12',
];
const special = ['<pad>', '<s>'];
const tokenizer = BytePairTokenizer.train(CORPUS, { vocabularySize: 290, specialTokens: special });

test('frequent words become single tokens', () => {
  expect(tokenizer.vocabularySize).toBe(290);
  expect(tokenizer.tokens.slice(0, 2)).toEqual(special);
  expect(tokenizer.encode(' lowest')).toHaveLength(1);
  expect(tokenizer.encode('<pad> x')[0]).toBe(0);
});

test('decode(encode(text)) is the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text)),
      );
    }),
  );
});

test('a special token stands for itself, also where bytes could be joined to it', () => {
  const texts = ['the the the the in the then the'];
  const own = BytePairTokenizer.train(texts, { vocabularySize: 262, specialTokens: ['Ġthe', 'the'] });
  for (const text of ['in the then', 'Ġthe', 'xĠthe', ' the', 'the']) {
    expect(own.decode(own.encode(text))).toBe(text);
    expect(BytePairTokenizer.fromJson(own.toJson()).decode(own.encode(text))).toBe(text);
  }
  expect(own.encode('Ġthe')).toEqual([0]);
  expect(own.encode(' the')).not.toContain(0);
  // A file whose merges make one: ` the` and `Ġthe` would be one id, and decode to one text.
  const json = JSON.parse(BytePairTokenizer.train(texts, { vocabularySize: 262 }).toJson());
  json.added_tokens = [{ id: json.model.vocab['Ġthe'], content: 'Ġthe' }];
  expect(() => BytePairTokenizer.fromJson(JSON.stringify(json))).toThrow(/not among the added_tokens/);
});

test('JSON round trips', () => {
  const again = BytePairTokenizer.fromJson(tokenizer.toJson());
  expect(again.tokens).toEqual(tokenizer.tokens);
  for (const text of [...CORPUS, 'something else <s> entirely'])
    expect(again.encode(text)).toEqual(tokenizer.encode(text));
  expect(again.toJson()).toBe(tokenizer.toJson());
});

describe("Hugging Face's tokenizers", () => {
  test('give equal ids for the saved vocabulary', async () => {
    const theirs = await HuggingFaceTokenizer.fromJson(tokenizer.toJson());
    expect(theirs.vocabularySize).toBe(tokenizer.vocabularySize);
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom(...CORPUS, 'a<s> b', '  two  spaces ')),
        (text) => {
          const ids = tokenizer.encode(text);
          expect(theirs.encode(text)).toEqual(ids);
          expect(theirs.decode(ids)).toBe(text);
        },
      ),
    );
  });

  test('spaces before punctuation stay, unless the configuration asks to take them away', async () => {
    const text = "x != y , what ? I 'm it .";
    const ids = tokenizer.encode(text);
    const decoded = async (config: object) =>
      (await HuggingFaceTokenizer.fromJson(tokenizer.toJson(), config)).decode(ids);
    expect(await decoded({})).toBe(text);
    expect(await decoded({ clean_up_tokenization_spaces: null })).toBe(text);
    expect(await decoded({ clean_up_tokenization_spaces: false })).toBe(text);
    // transformers, PreTrainedTokenizerBase.clean_up_tokenization.
    expect(await decoded({ clean_up_tokenization_spaces: true })).toBe("x!= y, what? I'm it.");
    await expect(decoded({ clean_up_tokenization_spaces: 'no' })).rejects.toThrow(/expected tokenizer_config.json/);
  });

  test('batches are padded and cut, with masks', async () => {
    const theirs = await HuggingFaceTokenizer.fromJson(JSON.parse(tokenizer.toJson()));
    const { inputIds, attentionMask } = theirs.callBatch(['the lowest', 'low'], { maxLength: 2 });
    const rows = ['the lowest', 'low'].map((text) => tokenizer.encode(text).slice(0, 2));
    expect(inputIds.toArray()).toEqual(rows.map((ids) => [...ids, ...new Array(2 - ids.length).fill(0)]));
    expect(attentionMask.toArray()).toEqual(rows.map((ids) => [0, 1].map((i) => (i < ids.length ? 1 : 0))));
    const left = theirs.callBatch(['low'], { maxLength: 4, padding: 'maxLength', paddingSide: 'left' });
    expect((left.attentionMask.toArray() as number[][])[0]!.at(-1)).toBe(1);
    expect((left.inputIds.toArray() as number[][])[0]![0]).toBe(0);
  });

  test('begin and end tokens stay when a text is cut', async () => {
    const json = {
      version: '1.0',
      added_tokens: ['[CLS]', '[SEP]', '[PAD]', '[UNK]'].map((content, id) => ({
        id,
        content,
        special: true,
        normalized: false,
        lstrip: false,
        rstrip: false,
        single_word: false,
      })),
      normalizer: { type: 'Lowercase' },
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '[CLS]', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { SpecialToken: { id: '[SEP]', type_id: 0 } },
        ],
        pair: [],
        special_tokens: {
          '[CLS]': { id: '[CLS]', ids: [0], tokens: ['[CLS]'] },
          '[SEP]': { id: '[SEP]', ids: [1], tokens: ['[SEP]'] },
        },
      },
      decoder: null,
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: { '[CLS]': 0, '[SEP]': 1, '[PAD]': 2, '[UNK]': 3, the: 4, cat: 5, sat: 6 },
      },
    };
    const bert = await HuggingFaceTokenizer.fromJson(json, { pad_token: '[PAD]', model_max_length: 4 });
    expect(bert.callBatch(['The cat sat the cat', 'cat']).inputIds.toArray()).toEqual([
      [0, 4, 5, 1],
      [0, 5, 1, 2],
    ]);
  });

  test('mistakes are told', async () => {
    await expect(HuggingFaceTokenizer.fromJson('{')).rejects.toThrow(/does not parse/);
    await expect(HuggingFaceTokenizer.fromJson({})).rejects.toThrow(/with a model and its vocab/);
    const plain = BytePairTokenizer.train(CORPUS, { vocabularySize: 260 });
    const theirs = await HuggingFaceTokenizer.fromJson(plain.toJson());
    expect(() => theirs.callBatch(['a', 'a b'])).toThrow(/a padding token/);
  });
});

test('mistakes are told', () => {
  expect(() => BytePairTokenizer.train([], { vocabularySize: 100 })).toThrow(/>= 256/);
  expect(() => tokenizer.decode([5000])).toThrow(/ids in 0..289, received 5000/);
  expect(() => BytePairTokenizer.fromJson('{"model":{"type":"Unigram"}}')).toThrow(/received Unigram/);
});

interface Written {
  model: { vocab?: unknown; merges: unknown };
  added_tokens: unknown;
  normalizer: unknown;
}
const vocabOf = (json: Written): Record<string, unknown> => json.model.vocab as Record<string, unknown>;

test.each<[string, (json: Written) => unknown, RegExp]>([
  ['no object', () => null, /received no model cut by nothing/],
  ['no vocab', (json) => delete json.model.vocab, /a vocab of ids by tokens, received undefined/],
  ['an id twice', (json) => (vocabOf(json)['Ġ'] = 5), /one id for each token/],
  ['an id that is far away', (json) => (vocabOf(json)['Ġ'] = 4e9), /with the ids from 0 on, each once \(258 at most\)/],
  ['an id that is none', (json) => (vocabOf(json)['Ġ'] = 1.5), /with the ids from 0 on/],
  ['a byte without a token', (json) => delete vocabOf(json)['Ġ'], /with the ids from 0 on|for its byte/],
  ['a token of no bytes', (json) => (vocabOf(json)['好'] = 257), /characters that stand for bytes, received "好"/],
  ['a special token without a text', (json) => (json.added_tokens = [{ id: 0 }]), /tokens that are texts/],
  [
    'a byte as a special token',
    (json) => (json.added_tokens = [{ id: vocabOf(json)['a'], content: 'a' }]),
    /for its byte/,
  ],
  ['no merges', (json) => (json.model.merges = {}), /a list of merges, received \{\}/],
  [
    'a merge of one',
    (json) => (json.model.merges = [['a']]),
    /merges of two tokens of the vocab to a third, received \["a"\]/,
  ],
  ['a merge of numbers', (json) => (json.model.merges = [[1, 2]]), /merges of two tokens/],
  ['another normal form', (json) => (json.normalizer = { type: 'NFD' }), /normalizer \{"type":"NFD"\}/],
])('damaged JSON of byte pairs: %s', (_, damage, message) => {
  const tokenizer = BytePairTokenizer.train(['ab ab'], { vocabularySize: 257 });
  const json = JSON.parse(tokenizer.toJson());
  expect(BytePairTokenizer.fromJson(JSON.stringify(json)).tokens).toEqual(tokenizer.tokens);
  if (message.source.includes('258')) json.added_tokens = [{ id: 256, content: 'ab' }];
  const damaged = damage(json) === null ? null : json;
  const read = (): unknown => BytePairTokenizer.fromJson(JSON.stringify(damaged));
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
});

test('JSON that the package for Hugging Face cannot read is a FormatError', async () => {
  for (const json of [
    null,
    'null',
    { model: { vocab: 1 } },
    { model: { type: 'BPE', vocab: { a: 0 }, merges: 5 } },
  ] as object[])
    await expect(HuggingFaceTokenizer.fromJson(json)).rejects.toThrow(FormatError);
});
