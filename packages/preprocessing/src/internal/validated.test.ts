import { FormatError } from '@recurra/tensor';
import { BytePairTokenizer, HuggingFaceTokenizer, Tokenizer } from '../index.js';

/** Every value of some JSON, replaced by others one at a time: [the JSON, the path]. */
function* replaced(json: unknown, root: unknown = json, path: (string | number)[] = []): Generator<[unknown, string]> {
  const others = [null, -1, 1e9, 0.5, 'other', [], {}, [[]], true];
  for (const other of others) {
    const copy: unknown = JSON.parse(JSON.stringify({ root }));
    let at = copy as Record<string | number, unknown>;
    const keys = ['root', ...path];
    for (const key of keys.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
    at[keys.at(-1)!] = other;
    yield [(copy as { root: unknown }).root, path.join('.')];
  }
  if (typeof json === 'object' && json !== null)
    for (const [key, value] of Object.entries(json).slice(0, 12)) yield* replaced(value, root, [...path, key]);
}

const words = new Tokenizer({ numWords: 5, oovToken: '<oov>' });
words.fitOnTexts(['the constructor of __proto__', 'the "quoted": word', '2024 1 the']);
const pieces = BytePairTokenizer.train(['constructor constructor toString'], {
  vocabularySize: 262,
  specialTokens: ['<pad>'],
});

test('a tokenizer of words with the names of prototypes and odd signs comes back whole', () => {
  const again = Tokenizer.fromJson(words.toJson());
  expect(again.toJson()).toBe(words.toJson());
  expect(again.textsToSequences(['the constructor'])).toEqual(words.textsToSequences(['the constructor']));
});

test('entries are found in linear time, whatever signs their words have', () => {
  const json = JSON.parse(words.toJson()) as { config: Record<string, unknown> };
  const odd = '"'.repeat(20_000);
  json.config['index_word'] = JSON.stringify({ 1: odd });
  json.config['word_index'] = JSON.stringify({ [odd]: 1 });
  const start = performance.now();
  expect(Tokenizer.fromJson(JSON.stringify(json)).wordIndex.get(odd)).toBe(1);
  expect(performance.now() - start).toBeLessThan(2000);
});

test('other JSON is a FormatError or a tokenizer, whatever is replaced', () => {
  let refused = 0;
  for (const [json] of replaced(JSON.parse(words.toJson())))
    try {
      Tokenizer.fromJson(JSON.stringify(json));
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      refused++;
    }
  expect(refused).toBeGreaterThan(80);
  refused = 0;
  for (const [json] of replaced(JSON.parse(pieces.toJson())))
    try {
      BytePairTokenizer.fromJson(JSON.stringify(json));
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      refused++;
    }
  expect(refused).toBeGreaterThan(80);
});

test.each([
  ['word_index', '{"a": "1"}'],
  ['word_index', '{"a": 0}'],
  ['word_index', '{"a": 1e12}'],
  ['word_counts', '[1]'],
  ['index_docs', '{"1": {}}'],
  ['index_word', '{"1": 5}'],
  ['index_word', '{"7": "other"}'],
  ['word_docs', 'no JSON'],
])('%s of %s is refused', (key, value) => {
  const json = JSON.parse(words.toJson()) as { config: Record<string, unknown> };
  json.config[key] = value;
  expect(() => Tokenizer.fromJson(JSON.stringify(json))).toThrow(FormatError);
});

test('ids of pieces that leave gaps or meet are refused before a list gets as long', () => {
  const json = JSON.parse(pieces.toJson()) as { model: { vocab: Record<string, number> } };
  for (const id of [60_000_000, 0, 400]) {
    const vocab = { ...json.model.vocab, a: id };
    const text = JSON.stringify({ ...json, model: { ...json.model, vocab } });
    expect(() => BytePairTokenizer.fromJson(text)).toThrow(FormatError);
  }
});

describe('tokenizer.json of the Hub', () => {
  const json = JSON.parse(pieces.toJson()) as Record<string, unknown>;
  test.each([
    { model: { type: 'BPE', vocab: 'a' } },
    { model: { type: 'Other', vocab: {} } },
    { model: { type: 'BPE', vocab: { a: -1 }, merges: [] } },
    { model: { type: 'BPE', vocab: { a: 0 }, merges: [['a']] } },
    { added_tokens: [{ id: 'x', content: 'a' }] },
    { added_tokens: [{ id: 1, content: '' }] },
    { padding: { pad_id: -1 } },
    { pre_tokenizer: { type: 'FixedLength', length: 0 } },
    { pre_tokenizer: { type: 'Nothing of the kind' } },
    { pre_tokenizer: 'ByteLevel' },
    { normalizer: { type: 'Replace', pattern: { Regex: 5 }, content: '' } },
    { normalizer: { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: '' } },
    {
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [{ type: 'Split', pattern: { Regex: '\\s+$' }, behavior: 'Isolated' }],
      },
    },
  ])('%j is refused', async (change) => {
    await expect(HuggingFaceTokenizer.fromJson({ ...json, ...change })).rejects.toThrow(FormatError);
  });

  test('patterns of a file that is trusted are taken', async () => {
    const split = { type: 'Split', pattern: { Regex: 'a+b' }, behavior: 'Isolated' };
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
    const file = { ...json, pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] } };
    await expect(HuggingFaceTokenizer.fromJson(file)).rejects.toThrow(/trustPatterns: true/);
    const trusted = await HuggingFaceTokenizer.fromJson(file, {}, { trustPatterns: true });
    expect(trusted.decode(trusted.encode('aab c'))).toBe('aab c');
  });

  test('a configuration that is none', async () => {
    await expect(HuggingFaceTokenizer.fromJson(json, { padding_side: 'top' })).rejects.toThrow(/padding_side/);
    await expect(HuggingFaceTokenizer.fromJson(json, '{')).rejects.toThrow(/does not parse/);
  });
});
