/** Values by Keras: the golden area `preprocessing` replays these layers. Here: models that hold them, what is refused, configurations. */
import { randomKey, randomNormal, type Tensor, tensor } from '@recurra/tensor';
import {
  CategoryEncoding,
  Dense,
  Discretization,
  deserializeLayer,
  Embedding,
  Hashing,
  Input,
  IntegerLookup,
  Model,
  modelFromConfig,
  Normalization,
  Rescaling,
  Sequential,
  StringLookup,
  serializeLayer,
  TextVectorization,
} from '../../index.js';

const x = randomNormal([6, 3], { key: randomKey(1) })
  .mul(3)
  .add(100);

describe('within models', () => {
  test('every layer of numbers trains and predicts, compiled as eagerly', async () => {
    const layers = {
      norm: new Normalization(),
      bins: new Discretization({ numBins: 4, outputMode: 'count' }),
      scale: new Rescaling(0.01, { offset: -1 }),
      hash: new Hashing(8, { outputMode: 'multiHot' }),
      codes: new IntegerLookup({ vocabulary: [100, 99, 98] }),
    };
    layers.norm.adapt(x);
    layers.bins.adapt(x);
    const input = Input({ shape: [3] });
    const ids = Input({ shape: [3], dtype: 'int32' });
    const outputs = [
      layers.norm.apply(input),
      layers.bins.apply(input),
      layers.scale.apply(input),
      layers.hash.apply(ids),
      layers.codes.apply(ids),
      new CategoryEncoding(4).apply(layers.codes.apply(ids)),
    ];
    expect(outputs.map((y) => [y.dtype, ...y.shape])).toEqual([
      ['float32', null, 3],
      ['float32', null, 4],
      ['float32', null, 3],
      ['int32', null, 8],
      ['int32', null, 3],
      ['float32', null, 4],
    ]);
    const model = new Model({ inputs: [input, ids], outputs });
    const codes = x.round().cast('int32');
    const found = (await model.predict([x, codes])) as readonly Tensor[];
    const eager = model.apply([x, codes]) as readonly Tensor[];
    found.forEach((y, i) => {
      y.data.forEach((v: number, k: number) => {
        expect(v).toBeCloseTo(eager[i]!.data[k]!, 5);
      });
    });
    const again = modelFromConfig(JSON.parse(JSON.stringify(model.getConfig()))) as typeof model;
    again.setWeights(model.getWeights());
    const same = (await again.predict([x, codes])) as readonly Tensor[];
    expect(same.map((y) => y.toArray())).toEqual(found.map((y) => y.toArray()));

    const chain = new Sequential([Input({ shape: [3] }), layers.norm, new Dense(1)]);
    chain.compile({ optimizer: 'sgd', loss: 'mse' });
    const before = layers.norm.mean!.toArray();
    const history = await chain.fit(x, x.sum(1, { keepDims: true }).sub(300), { epochs: 20, verbose: 0 });
    expect(history.last('loss')).toBeLessThan(history.history.loss[0]!);
    expect(layers.norm.mean!.toArray()).toEqual(before);
  });

  test("statistics are weights: not trained, saved, in Keras' order; adapting takes effect in compiled steps", async () => {
    const norm = new Normalization();
    const model = new Sequential([Input({ shape: [3] }), norm]);
    expect(norm.weights.map((w) => [w.name, w.shape.length, w.value.dtype])).toEqual([
      ['mean', 1, 'float32'],
      ['variance', 1, 'float32'],
      ['count', 0, 'int32'],
    ]);
    expect(norm.trainableWeights).toEqual([]);
    expect((await model.predict(x)).toArray()).toEqual(x.toArray());
    norm.adapt(x);
    const y = await model.predict(x);
    // Normalized by the statistics of the same data: mean 0, variance 1.
    for (const m of y.mean(0).data) expect(m).toBeCloseTo(0, 4);
    for (const v of y.square().mean(0).data) expect(v).toBeCloseTo(1, 4);
  });

  test('rows of another width than the compiled step has are refused', async () => {
    const lookup = new IntegerLookup({ outputMode: 'multiHot' });
    lookup.adapt([1, 2]);
    const model = new Sequential([lookup]);
    const ids = tensor([[1, 7]]);
    expect((await model.predict(ids)).toArray()).toEqual([[1, 0, 1]]);
    lookup.adapt([1, 2, 3]);
    await expect(model.predict(ids)).rejects.toThrow(/Adapt layers before the model that holds them is used/);
  });

  test('ids out of range are refused within steps too', async () => {
    const model = new Sequential([new CategoryEncoding(3)]);
    await expect(model.predict(tensor([[1, 3]], { dtype: 'int32' }))).rejects.toThrow(/ids in 0..2, received 3/);
    const lookup = new Sequential([new IntegerLookup({ vocabulary: [5], numOovIndices: 0 })]);
    await expect(lookup.predict(tensor([[6]], { dtype: 'int32' }))).rejects.toThrow(/received 6/);
  });
});

describe('texts', () => {
  const texts = ['the cat sat', 'the dog'];

  test('stand before a model: called on lists, in data sets', async () => {
    const vectorize = new TextVectorization({ outputSequenceLength: 4 });
    vectorize.adapt(texts);
    expect(vectorize.apply(texts).toArray()).toEqual(vectorize.call(texts).toArray());
    expect(vectorize.apply([['the cat'], ['dog dog']]).toArray()).toEqual(
      vectorize.apply(['the cat', 'dog dog']).toArray(),
    );
    const model = new Sequential([new Embedding(vectorize.vocabularySize, 2), new Dense(1)]);
    expect((await model.predict(vectorize.apply(texts))).shape).toEqual([2, 4, 1]);
    const words = new StringLookup({ vocabulary: ['a', 'b'] });
    expect(
      words
        .apply([
          ['a', 'x'],
          ['b', 'a'],
        ])
        .toArray(),
    ).toEqual([
      [1, 0],
      [2, 1],
    ]);
    const back = new StringLookup({ vocabulary: ['a', 'b'], invert: true });
    expect(back.apply([[1, 0]])).toEqual([['a', '[UNK]']]);
    expect(new Hashing(5).apply(['a', 'b']).shape).toEqual([2]);
  });

  test('within a model they say where they belong', () => {
    const input = Input({ shape: [1], dtype: 'int32' });
    const where = /Texts are no tensors: such a layer stands before a model, not in it/;
    for (const layer of [new TextVectorization(), new StringLookup()]) {
      expect(() => layer.apply(input as never)).toThrow(where);
      expect(() => layer.apply(tensor([1]) as never)).toThrow(where);
      expect(() => new Sequential([Input({ shape: [1] }), layer])).toThrow(where);
    }
  });

  test('a learnt vocabulary is in the configuration, functions are not', () => {
    const vectorize = new TextVectorization({ outputMode: 'tfIdf' });
    vectorize.adapt(texts);
    const data = JSON.parse(JSON.stringify(serializeLayer(vectorize)));
    const again = deserializeLayer(data) as TextVectorization;
    expect(again.getVocabulary()).toEqual(vectorize.getVocabulary());
    expect(again.apply(texts).toArray()).toEqual(vectorize.apply(texts).toArray());
    const own = new TextVectorization({ split: (text) => text.split('-') });
    expect(() => own.getConfig()).toThrow(/a name for split .* received a function/);
  });
});

test.each<[string, () => unknown, RegExp]>([
  ['an option', () => new Normalization({ means: 1 } as never), /unknown option/],
  ['an option of lookups', () => new StringLookup({ mask_token: '' } as never), /Did you mean "maskToken"/],
  ['a mode', () => new Discretization({ numBins: 2, outputMode: 'hot' as never }), /outputMode: expected one of int/],
  ['a mode of lookups', () => new IntegerLookup({ outputMode: 'binary' as never }), /outputMode: expected one of int/],
  ['a mode of hashes', () => new Hashing(3, { outputMode: 'tfIdf' as never }), /outputMode: expected one of int/],
  ['sparse', () => new CategoryEncoding(3, { sparse: true }), /sparse to be false/],
  ['encoding', () => new TextVectorization({ encoding: 'latin-1' }), /encoding 'utf-8', received "latin-1"/],
  ['bins', () => new Hashing(0), /numBins to be an integer/],
  ['salt', () => new Hashing(3, { salt: 0.5 }), /salt to be an integer/],
  ['scale', () => new Rescaling('2' as never), /scale to be a number/],
  ['no scale', () => new Rescaling(undefined as never), /scale to be a number/],
  ['offset', () => new Rescaling(2, { offset: Number.NaN }), /offset to be a number/],
  ['one statistic', () => new Normalization({ mean: 1 }), /mean and variance, or neither/],
  ['an axis', () => new Normalization({ axis: 4 }).apply(x), /inputs with axes \[4\], received \[null, 3\]|\[6, 3\]/],
  ['an open axis', () => new Normalization().apply(Input({ shape: [null] })), /known sizes of axes/],
  ['another width', () => new Normalization({ mean: [1, 2], variance: [1, 1] }).apply(x), /\[2\] on axes/],
  ['no boundaries', () => new Discretization({ numBins: 3 }).apply(x), /binBoundaries, or adapt before use/],
  ['no vocabulary', () => new IntegerLookup({ outputMode: 'oneHot' }).apply(tensor([1])), /vocabulary/],
  [
    'weights without counts',
    () => new CategoryEncoding(3).apply(tensor([[1]]), { countWeights: tensor([[1]]) }),
    /outputMode 'count' with countWeights/,
  ],
])('%s is refused', (_name, f, message) => {
  expect(f).toThrow(message);
});

test("Keras' spelling of modes, salts as Keras writes them, boundaries beside numBins", () => {
  expect(new CategoryEncoding(3, { outputMode: 'one_hot' as never }).getConfig()).toMatchObject({
    outputMode: 'oneHot',
  });
  expect(new Hashing(3, { salt: 7 }).getConfig()).toMatchObject({ salt: [7, 7] });
  const bins = new Discretization({ numBins: 3 });
  bins.adapt(x);
  const again = deserializeLayer(JSON.parse(JSON.stringify(serializeLayer(bins)))) as Discretization;
  expect(again.binBoundaries).toEqual(bins.binBoundaries);
  expect(again.apply(x).toArray()).toEqual(bins.apply(x).toArray());
  again.adapt(x.mul(2));
  expect(again.binBoundaries).not.toEqual(bins.binBoundaries);
});

test('streams teach as one piece of data does', async () => {
  const batches = async function* (): AsyncGenerator<Tensor> {
    yield x.narrow(0, 0, 2);
    yield x.narrow(0, 2, 4);
  };
  const [a, b] = [new Normalization(), new Normalization()];
  a.adapt(x);
  await b.adaptStream(batches());
  a.mean!.data.forEach((v: number, i: number) => {
    expect(b.mean!.data[i]).toBeCloseTo(v, 4);
  });
});

test('rescaling by hand: bytes, lists, float64', () => {
  const bytes = tensor([[0, 128, 255]], { dtype: 'int32' });
  expect(new Rescaling(1 / 127.5, { offset: -1 }).apply(bytes).toArray()).toEqual([
    [-1, expect.closeTo(0.00392157, 6), 1],
  ]);
  expect(new Rescaling([1, 2, 0], { offset: [0, 0, 5] }).apply(bytes).toArray()).toEqual([[0, 256, 5]]);
  expect(new Rescaling(0.1, { dtype: 'float64' }).apply(bytes).dtype).toBe('float64');
});
