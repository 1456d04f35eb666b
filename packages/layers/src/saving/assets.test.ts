import { BytePairTokenizer, LabelEncoder, padSequences, Tokenizer } from '@recurra/preprocessing';
import { FormatError, tensor, ValueError } from '@recurra/tensor';
import { Dense, Embedding, GRU, Input, IntegerLookup, Sequential, StringLookup, TextVectorization } from '../index.js';
import { memoryStorage } from '../training/storage.js';
import type { Asset } from './assets.js';
import { encodeModel, loadAssets, loadModel } from './files.js';
import { modelFromFile, toModelFile } from './model-file.js';

const texts = ['the cat sat', 'on the mat', 'constructor __proto__', '天气 很 好'];
const tokenizer = new Tokenizer({ numWords: 8, oovToken: '?' });
tokenizer.fitOnTexts(texts);
const model = new Sequential([
  Input({ shape: [4], dtype: 'int32' }),
  new Embedding(8, 3, { maskZero: true }),
  new GRU(3),
  new Dense(2, { activation: 'softmax' }),
]);

test.each(['m.keras', 'm.onnx'])('one file, %s, predicts from raw text', async (path) => {
  const storage = memoryStorage();
  const labels = new LabelEncoder(['weather', 'animals']);
  const predict = async (
    m: { predict(x: never): Promise<unknown> },
    t: Tokenizer,
    l: LabelEncoder,
  ): Promise<string[]> => {
    const y = (await m.predict(padSequences(t.textsToSequences(texts), { maxLength: 4 }) as never)) as ReturnType<
      typeof tensor
    >;
    return (y.argmax(-1).toArray() as number[]).map((id) => l.decode(id));
  };
  await model.save(path, { storage, assets: { tokenizer, labels } });
  const again = await loadAssets<{ tokenizer: Tokenizer; labels: LabelEncoder }>(path, { storage });
  expect(Object.keys(again)).toEqual(['tokenizer', 'labels']);
  expect(again.tokenizer.textsToSequences(texts)).toEqual(tokenizer.textsToSequences(texts));
  expect(await predict(await loadModel(path, { storage }), again.tokenizer, again.labels)).toEqual(
    await predict(model, tokenizer, labels),
  );
});

test('assets of every kind come back as they were', async () => {
  const pairs = BytePairTokenizer.train(texts, { vocabularySize: 260 });
  const lookup = new StringLookup({ vocabulary: ['a', 'b'], maskToken: '' });
  const vectorize = new TextVectorization({ outputMode: 'tfIdf' });
  vectorize.adapt(texts);
  const plain = { list: [1, -0, Number.NaN, 'x', null, true], empty: {}, nested: { kind: 'Tokenizer', value: 1 } };
  const bytes = Uint8Array.of(0, 255, 128);
  const text = 'ein Text';
  const assets = { pairs, lookup, vectorize, plain, bytes, text, tokenizer, constructor: 5 } as unknown as Record<
    string,
    Asset
  >;
  for (const format of ['keras', 'onnx', 'safetensors']) {
    const again = await loadAssets(await encodeModel(model, { format, assets }));
    expect(Object.keys(again)).toEqual(Object.keys(assets));
    expect([again['plain'], again['bytes'], again['text'], again['constructor']]).toEqual([plain, bytes, text, 5]);
    expect((again['pairs'] as BytePairTokenizer).encode('the cat')).toEqual(pairs.encode('the cat'));
    expect((again['lookup'] as StringLookup).getVocabulary()).toEqual(lookup.getVocabulary());
    expect((again['vectorize'] as TextVectorization).apply(texts).data).toEqual(vectorize.apply(texts).data);
    expect((again['tokenizer'] as Tokenizer).toJson()).toBe(tokenizer.toJson());
  }
  expect(await loadAssets(await encodeModel(model))).toEqual({});
});

test.each<[string, Record<string, unknown>, object, RegExp]>([
  ['a function', { f: () => 1 }, {}, /encodeModel: assets.f: expected a tokenizer, .* or plain data, received/],
  ['an instance', { m: new Map() }, {}, /assets.m: expected a tokenizer/],
  ['undefined within', { m: { a: [undefined] } }, {}, /assets.m.a\[0\]: expected .* received undefined/],
  ['a tensor', { t: tensor([1]) }, {}, /assets.t: expected a tokenizer/],
  ['a layer with weights', { d: model.layers[1] }, {}, /assets.d: expected a layer without weights/],
  ['a tokenizer with code', { t: new Tokenizer({ analyzer: (t) => [t] }) }, {}, /assets.t: .*without an analyzer/],
  ['a path as a name', { 'a/b': 1 }, {}, /assets with names of letters, .* received "a\/b"/],
  ['a prototype', JSON.parse('{"__proto__":1}'), {}, /received "__proto__"/],
  ['a prototype within', { a: JSON.parse('{"__proto__":1}') }, {}, /received the key "__proto__"/],
  ['no room', { a: 1 }, { format: 'h5' }, /a format that holds assets, received h5, which has no room for it/],
])('%s does not travel', async (_, assets, options, message) => {
  const encoding = encodeModel(model, { assets: assets as never, ...options });
  await expect(encoding).rejects.toThrow(ValueError);
  await expect(encoding).rejects.toThrow(message);
});

test.each<[string, string, string, RegExp]>([
  [
    'another kind',
    'recurra/a.json',
    '{"kind":"Lambda","value":1}',
    /recurra\/a.json: expected \{ kind, value \} with a kind among/,
  ],
  ['a kind of all objects', 'recurra/a.json', '{"kind":"constructor","value":1}', /with a kind among/],
  ['no value', 'recurra/a.json', '{"kind":"JSON"}', /expected \{ kind, value \}/],
  ['no JSON', 'recurra/a.json', '{"kind":', /recurra\/a.json: expected JSON/],
  ['another tokenizer', 'recurra/a.json', '{"kind":"Tokenizer","value":{}}', /expected a Tokenizer that is whole/],
  [
    'labels that are none',
    'recurra/a.json',
    '{"kind":"LabelEncoder","value":5}',
    /expected a LabelEncoder that is whole/,
  ],
  [
    'code',
    'recurra/a.json',
    '{"kind":"Layer","value":{"class_name":"Lambda","config":{}}}',
    /expected a Layer that is whole/,
  ],
  [
    'a prototype',
    'recurra/__proto__.json',
    '{"kind":"JSON","value":{"x":1}}',
    /names of their own, received "__proto__"/,
  ],
])('a file with %s is refused', async (_, path, text, message) => {
  const { formats } = await import('@recurra/formats');
  const file = { ...toModelFile(model), assets: new Map([[path, new TextEncoder().encode(text)]]) };
  const { main } = await formats()[0]!.write(file);
  await expect(loadAssets(main)).rejects.toThrow(FormatError);
  await expect(loadAssets(main)).rejects.toThrow(message);
});

test('vocabularies that Keras keeps beside the model go into its layers', async () => {
  const lookup = new IntegerLookup({ vocabulary: [30, 10, 20], maskToken: 0, numOovIndices: 2 });
  const own = new Sequential([Input({ shape: [3], dtype: 'int32' }), lookup, new Embedding(6, 2)]);
  const { model: described, ...rest } = toModelFile(own);
  const layers = described!.config['layers'] as { class_name: string; config: object }[];
  // As Keras writes it after adapt().
  const learnt = layers.map((layer) =>
    layer.class_name === 'IntegerLookup' ? { ...layer, config: { ...layer.config, vocabulary: null } } : layer,
  );
  const file = (text: string) => ({
    ...rest,
    model: { ...described!, config: { ...described!.config, layers: learnt as never } },
    assets: new Map([['layers/integer_lookup/vocabulary.txt', new TextEncoder().encode(text)]]),
  });
  const ids = tensor([[10, 20, 0]], { dtype: 'int32' });
  const again = modelFromFile(file('0\n-1\n-1\n30\n10\n20'));
  expect((await again.predict(ids)).data).toEqual((await own.predict(ids)).data);
  expect(() => modelFromFile(file('0\n-1\n-1\nx'))).toThrow(/vocabulary.txt: expected integers, received "x"/);
  // What Keras alone knows is there as bytes.
  const { formats } = await import('@recurra/formats');
  const { main } = await formats()[0]!.write(file('0\n-1\n-1\n30'));
  expect(Object.keys(await loadAssets(main))).toEqual(['layers/integer_lookup/vocabulary.txt']);
});
