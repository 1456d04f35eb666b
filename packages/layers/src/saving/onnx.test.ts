/** Models as ONNX, run by onnxruntime: what it predicts is what we predict. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { decodeOnnx, encodeOnnx, type WeightGroup } from '@recurra/formats';
import { tensorsOf } from '@recurra/formats/extend';
import { FormatError, type Tensor, type TensorJSON, tensor, tensorFromJSON } from '@recurra/tensor';
import * as r from '../index.js';
import { type AnyModel, modelFromFile, toModelFile } from './model-file.js';

const { Input } = r;

/** Small numbers that repeat nowhere. */
const numbers = (shape: readonly number[], salt = 1): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(1.7 * (i + 1) * salt + salt)),
    { shape: [...shape] },
  );
};

/** Ids below 7, with zeros at the end, in front and in between. */
const IDS = tensor(
  [
    [3, 1, 4, 0, 0],
    [0, 0, 2, 6, 5],
    [1, 0, 5, 0, 2],
    [0, 0, 0, 0, 0],
    [6, 5, 4, 3, 2],
  ],
  { dtype: 'int32' },
);
/** A series in which some steps are all 0. */
const GAPPED = numbers([5, 5, 3]).mul(IDS.greater(0).cast('float32').expandDims(-1));

/** Weights that are not what they begin as: biases, statistics. */
function stir(model: AnyModel): void {
  model.setWeights(
    model.weights.map((w, i) => {
      const x = numbers(w.shape, 0.3 + i / 7).mul(0.5);
      return /variance/.test(w.path) ? x.abs().add(0.3) : w.value.dtype === 'float32' ? x : w.value;
    }),
  );
}

interface Ran {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/**
 * Runs models outside of Jest's realm: onnxruntime gives arrays of the main one, which are no instances of classes in here.
 */
const RUNNER = `
const { parentPort, workerData } = require('node:worker_threads');
const ort = require(workerData);
parentPort.on('message', async ({ bytes, inputs }) => {
  try {
    const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
    const types = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, int64: { from: (values) => BigInt64Array.from(values, BigInt) } };
    const feeds = {};
    session.inputNames.forEach((name, i) => {
      const { type, values, shape } = inputs[i];
      feeds[name] = new ort.Tensor(type, types[type].from(values), shape);
    });
    const result = await session.run(feeds);
    parentPort.postMessage({
      outputs: session.outputNames.map((name) => ({ name, shape: [...result[name].dims], values: Array.from(result[name].data, Number) })),
      inputNames: session.inputNames,
    });
  } catch (error) {
    parentPort.postMessage({ error: String(error) });
  }
});`;
const worker = new Worker(RUNNER, { eval: true, workerData: require.resolve('onnxruntime-node') });
afterAll(() => worker.terminate());

async function run(bytes: Uint8Array, inputs: readonly Tensor[], ids = 'int32'): Promise<Ran[]> {
  const answer = once(worker, 'message') as Promise<[{ outputs?: Ran[]; error?: string }]>;
  const given = inputs.map((x) => ({
    type: x.dtype === 'int32' ? ids : x.dtype,
    values: [...x.data].map(Number),
    shape: [...x.shape],
  }));
  worker.postMessage({ bytes: Buffer.from(bytes), inputs: given });
  const [{ outputs, error }] = await answer;
  if (!outputs) throw new Error(error);
  return outputs;
}

async function expectSame(model: AnyModel, given: Tensor | readonly Tensor[], tolerance = 1e-5): Promise<void> {
  stir(model);
  const inputs = Array.isArray(given) ? (given as readonly Tensor[]) : [given as Tensor];
  const expected = [model.apply(given as never)].flat(3) as unknown as Tensor[];
  const file = toModelFile(model);
  const bytes = encodeOnnx(file);
  // The layers themselves come back, and all weights, bit for bit.
  const again = decodeOnnx(bytes);
  expect(again.model).toEqual(JSON.parse(JSON.stringify(file.model)));
  const weights = (group: WeightGroup | null): unknown[] =>
    group === null
      ? []
      : [...tensorsOf(group)].map(({ path, name, value }) => [path, name, value.dtype, value.toArray()]);
  expect(weights(again.weights)).toEqual(weights(file.weights));
  const received = await run(bytes, inputs);
  expect(received.map((y) => y.shape)).toEqual(expected.map((y) => [...y.shape]));
  expected.forEach((y, i) => {
    const values = [...y.data].map(Number);
    let worst = 0;
    values.forEach((v, k) => {
      const own = received[i]!.values[k]!;
      worst = Math.max(worst, Number.isNaN(v) && Number.isNaN(own) ? 0 : Math.abs(v - own) / Math.max(1, Math.abs(v)));
    });
    expect(worst).toBeLessThan(tolerance);
  });
}

const chain = (shape: readonly (number | null)[], ...layers: readonly unknown[]): AnyModel =>
  new r.Sequential([Input({ shape: shape as never }) as never, ...(layers as never[])]) as never;
const idChain = (...layers: readonly unknown[]): AnyModel =>
  new r.Sequential([Input({ shape: [null], dtype: 'int32' }) as never, ...(layers as never[])]) as never;
const functional = (inputs: unknown, outputs: unknown): AnyModel => new r.Model({ inputs, outputs } as never) as never;

const SERIES = numbers([2, 6, 4]);

const RECURRENT = { LSTM: r.LSTM, GRU: r.GRU, SimpleRNN: r.SimpleRNN } as const;

describe('recurrent layers', () => {
  for (const [name, Class] of Object.entries(RECURRENT)) {
    const make = (options: object): never => new (Class as typeof r.LSTM)(3, options as never) as never;
    for (const options of [
      {},
      { returnSequences: true },
      { goBackwards: true },
      { goBackwards: true, returnSequences: true },
      { useBias: false },
      { activation: 'relu' },
      { activation: 'linear' },
      { activation: 'softsign', returnSequences: true },
      ...(name === 'SimpleRNN'
        ? []
        : [{ recurrentActivation: 'hardSigmoid', activation: 'elu' }, { recurrentActivation: 'keras2HardSigmoid' }]),
      ...(name === 'GRU'
        ? [
            { resetAfter: false },
            { resetAfter: false, returnSequences: true, goBackwards: true },
            { resetAfter: false, useBias: false },
          ]
        : []),
    ]) {
      test(`${name} ${JSON.stringify(options)}`, () => expectSame(chain([null, 4], make(options)), SERIES));
      test(`${name} ${JSON.stringify(options)}, masked`, () =>
        expectSame(chain([null, 3], new r.Masking(), make(options)), GAPPED));
      test(`${name} ${JSON.stringify(options)}, masked, zeros for masked steps`, () =>
        expectSame(
          idChain(new r.Embedding(7, 4, { maskZero: true }), make({ ...options, zeroOutputForMask: true })),
          IDS,
        ));
    }
    for (const mergeMode of ['concat', 'sum', 'mul', 'ave'] as const)
      for (const returnSequences of [false, true]) {
        test(`Bidirectional ${name} ${mergeMode}, sequences ${returnSequences}`, () =>
          expectSame(chain([null, 4], new r.Bidirectional(make({ returnSequences }), { mergeMode })), SERIES));
        test(`Bidirectional ${name} ${mergeMode}, sequences ${returnSequences}, masked`, () =>
          expectSame(
            idChain(
              new r.Embedding(7, 4, { maskZero: true }),
              new r.Bidirectional(make({ returnSequences }), { mergeMode }),
            ),
            IDS,
          ));
      }
    test(`Bidirectional ${name} that begins backwards`, () =>
      expectSame(chain([null, 4], new r.Bidirectional(make({ returnSequences: true, goBackwards: true }))), SERIES));
    test(`${name}: states come in and go out, masked too`, async () => {
      const x = Input({ shape: [null, 3] });
      const n = name === 'LSTM' ? 2 : 1;
      const states = Array.from({ length: n }, (_, i) => Input({ shape: [3], name: `state_${i}` }));
      // A call with states is not told of the sequence's mask, as in Keras, unless it is given one.
      const ids = Input({ shape: [null], dtype: 'int32' });
      const steps = new r.Embedding(7, 3, { maskZero: true }).apply(ids);
      for (const [from, x0] of [
        [x, GAPPED],
        [steps, IDS],
      ] as const) {
        const outputs = (make({ returnState: true, returnSequences: true }) as r.LSTM).apply(from, {
          initialState: states,
        } as never) as never;
        await expectSame(functional([x0 === IDS ? ids : x, ...states], outputs), [
          x0,
          ...states.map((_, i) => numbers([5, 3], 3 + i)),
        ]);
      }
    });
    test(`Bidirectional ${name} with states of both directions`, async () => {
      const x = Input({ shape: [null, 4] });
      const y = new r.Bidirectional(make({ returnState: true, returnSequences: true })).apply(x) as never;
      await expectSame(functional(x, y), SERIES);
    });
  }
});

describe('recurrent layers of cells', () => {
  const cells = (): never =>
    [new r.GRUCell(3), new r.LSTMCell(2, { recurrentActivation: 'hardSigmoid' }), new r.SimpleRNNCell(4)] as never;
  for (const options of [
    {},
    { returnSequences: true, returnState: true },
    { goBackwards: true, returnSequences: true },
  ])
    test(`RNN of stacked cells ${JSON.stringify(options)}`, async () => {
      for (const masked of [false, true]) {
        const x = Input({ shape: [null, 3] });
        const from = masked ? new r.Masking().apply(x) : x;
        await expectSame(functional(x, new r.RNN(cells(), options as never).apply(from)), GAPPED);
      }
    });
  test('RNN of one cell', () =>
    expectSame(chain([null, 3], new r.RNN(new r.GRUCell(3, { resetAfter: false }))), GAPPED));
});

const ACTIVATIONS = [
  'linear',
  'relu',
  'relu6',
  'leakyRelu',
  'elu',
  'celu',
  'selu',
  'tanh',
  'sigmoid',
  'exponential',
  'softplus',
  'softsign',
  'softmax',
  'logSoftmax',
  'logSigmoid',
  'silu',
  'swish',
  'gelu',
  'mish',
  'hardSigmoid',
  'keras2HardSigmoid',
  'hardSilu',
  'hardTanh',
  'hardShrink',
  'softShrink',
  'tanhShrink',
  'squareplus',
  'sparsePlus',
  'sparseSigmoid',
] as const;
for (const activation of ACTIVATIONS)
  test(`activation ${activation}`, () =>
    expectSame(
      chain([4], new r.Rescaling(4), new r.Activation(activation), new r.Dense(3, { activation })),
      numbers([5, 4]),
    ));

/** Layers that take one tensor, with the shape that they take. */
const SINGLE: readonly (readonly [string, readonly (number | null)[], () => unknown, Tensor?])[] = [
  ['Dense', [4], () => new r.Dense(3)],
  ['Dense on steps', [null, 4], () => new r.Dense(3, { useBias: false, activation: 'relu' })],
  ['EinsumDense', [null, 4], () => new r.EinsumDense('abc,cd->abd', [null, 3], { biasAxes: 'd' })],
  ['EinsumDense to heads', [null, 4], () => new r.EinsumDense('abc,cde->abde', [null, 3, 2], { biasAxes: 'de' })],
  ['EinsumDense ...', [null, 4], () => new r.EinsumDense('...x,xy->...y', 3 as never, { biasAxes: 'y' })],
  ['Dropout', [4], () => new r.Dropout(0.5)],
  ['SpatialDropout1D', [null, 4], () => new r.SpatialDropout1D(0.5)],
  ['GaussianNoise', [4], () => new r.GaussianNoise(0.5)],
  ['GaussianDropout', [4], () => new r.GaussianDropout(0.5)],
  ['AlphaDropout', [4], () => new r.AlphaDropout(0.5)],
  ['ActivityRegularization', [4], () => new r.ActivityRegularization({ l1: 0.1 })],
  ['Identity', [4], () => new r.Identity()],
  ['ReLU', [4], () => new r.ReLU({ negativeSlope: 0.1, maxValue: 0.7, threshold: 0.2 })],
  ['LeakyReLU', [4], () => new r.LeakyReLU({ negativeSlope: 0.2 })],
  ['ELU', [4], () => new r.ELU({ alpha: 0.4 })],
  ['PReLU', [6, 4], () => new r.PReLU()],
  ['PReLU shared', [null, 4], () => new r.PReLU({ sharedAxes: [1] })],
  ['Softmax', [null, 4], () => new r.Softmax()],
  ['Softmax over steps', [null, 4], () => new r.Softmax({ axis: 1 })],
  ['Flatten', [6, 4], () => new r.Flatten()],
  ['Flatten open', [null, 4], () => new r.Flatten()],
  ['Flatten channels first', [6, 4], () => new r.Flatten({ dataFormat: 'channelsFirst' })],
  ['Reshape', [6, 4], () => new r.Reshape([4, 2, 3])],
  ['Reshape open', [null, 4], () => new r.Reshape([-1, 2])],
  ['Permute', [null, 4], () => new r.Permute([2, 1])],
  ['RepeatVector', [4], () => new r.RepeatVector(3)],
  ['ZeroPadding1D', [null, 4], () => new r.ZeroPadding1D([2, 1])],
  ['Cropping1D', [null, 4], () => new r.Cropping1D([2, 1])],
  ['Cropping1D at one end', [6, 4], () => new r.Cropping1D([2, 0])],
  ['UpSampling1D', [null, 4], () => new r.UpSampling1D(3)],
  ['Rescaling', [4], () => new r.Rescaling(2, { offset: -1 })],
  ['Rescaling of each', [4], () => new r.Rescaling([1, 2, 3, 4] as never, { offset: [0, 1, 0, 1] as never })],
  ['Normalization', [null, 4], () => new r.Normalization()],
  [
    'Normalization given',
    [null, 4],
    () => new r.Normalization({ mean: [1, 2, 3, 4] as never, variance: [1, 4, 9, 2] as never, invert: true }),
  ],
  ['BatchNormalization', [null, 4], () => new r.BatchNormalization()],
  ['BatchNormalization on steps', [6, 4], () => new r.BatchNormalization({ axis: 1, scale: false })],
  ['BatchNormalization bare', [4], () => new r.BatchNormalization({ center: false, scale: false })],
  ['LayerNormalization', [null, 4], () => new r.LayerNormalization()],
  ['LayerNormalization bare', [null, 4], () => new r.LayerNormalization({ center: false, scale: false })],
  ['LayerNormalization uncentred', [null, 4], () => new r.LayerNormalization({ center: false })],
  ['LayerNormalization over two axes', [6, 4], () => new r.LayerNormalization({ axis: [1, 2] })],
  ['LayerNormalization over steps', [6, 4], () => new r.LayerNormalization({ axis: 1 })],
  ['LayerNormalization rms', [null, 4], () => new r.LayerNormalization({ rmsScaling: true })],
  ['RMSNormalization', [null, 4], () => new r.RMSNormalization()],
  ['UnitNormalization', [null, 4], () => new r.UnitNormalization()],
  ['GroupNormalization', [null, 4], () => new r.GroupNormalization({ groups: 2 })],
  ['GroupNormalization of all', [6, 4], () => new r.GroupNormalization({ groups: -1, axis: 1 })],
  ['SpectralNormalization', [4], () => new r.SpectralNormalization(new r.Dense(3))],
  ['PositionEmbedding', [null, 4], () => new r.PositionEmbedding(8)],
  ['SinePositionEncoding', [null, 4], () => new r.SinePositionEncoding()],
  ['TimeDistributed', [null, 4], () => new r.TimeDistributed(new r.Dense(3, { activation: 'softmax' }))],
  ['TimeDistributed LSTM', [null, 3, 2], () => new r.TimeDistributed(new r.LSTM(3)), numbers([2, 4, 3, 2])],
  [
    'TimeDistributed of a model',
    [null, 3, 2],
    () => new r.TimeDistributed(chain([3, 2], new r.Flatten(), new r.Dense(2)) as never),
    numbers([2, 4, 3, 2]),
  ],
  ['GlobalAveragePooling1D', [null, 4], () => new r.GlobalAveragePooling1D()],
  [
    'GlobalAveragePooling1D kept',
    [null, 4],
    () => new r.GlobalAveragePooling1D({ keepdims: true, dataFormat: 'channelsFirst' }),
  ],
  ['GlobalMaxPooling1D', [null, 4], () => new r.GlobalMaxPooling1D()],
  ['MultiHeadAttention of itself', [null, 4], () => new r.MultiHeadAttention(2, 3)],
];
const sample = (shape: readonly (number | null)[]): Tensor => numbers([2, ...shape.map((d) => d ?? 6)]);
for (const [name, shape, make, x] of SINGLE) test(name, () => expectSame(chain(shape, make()), x ?? sample(shape)));

describe('convolution and pooling', () => {
  for (const dataFormat of ['channelsLast', 'channelsFirst'] as const) {
    const shape = dataFormat === 'channelsLast' ? [7, 4] : [4, 7];
    for (const padding of ['valid', 'same', 'causal'] as const)
      for (const [strides, dilationRate] of [
        [1, 1],
        [2, 1],
        [1, 2],
      ] as const) {
        const o = { padding, strides, dilationRate, dataFormat, activation: 'relu' } as const;
        const label = JSON.stringify(o);
        test(`Conv1D ${label}`, () => expectSame(chain(shape, new r.Conv1D(6, 3, { ...o, groups: 2 })), sample(shape)));
        if (padding === 'causal') continue;
        test(`DepthwiseConv1D ${label}`, () =>
          expectSame(chain(shape, new r.DepthwiseConv1D(3, { ...o, padding, depthMultiplier: 2 })), sample(shape)));
        test(`SeparableConv1D ${label}`, () =>
          expectSame(chain(shape, new r.SeparableConv1D(5, 2, { ...o, padding, depthMultiplier: 2 })), sample(shape)));
        for (const size of [1, 2, 3, 4])
          test(`Conv1DTranspose ${size} ${label}`, () =>
            expectSame(chain(shape, new r.Conv1DTranspose(3, size, { ...o, padding })), sample(shape)));
        if (strides === 2)
          test(`Conv1DTranspose with outputPadding ${label}`, () =>
            expectSame(chain(shape, new r.Conv1DTranspose(3, 3, { ...o, padding, outputPadding: 1 })), sample(shape)));
        if (dilationRate === 2) continue;
        test(`pooling ${label}`, () =>
          expectSame(
            chain(
              shape,
              new r.MaxPooling1D(2, { strides, padding, dataFormat }),
              new r.AveragePooling1D(3, { strides, padding, dataFormat }),
            ),
            sample(shape),
          ));
      }
  }
  test('of an open number of steps', () =>
    expectSame(
      chain(
        [null, 4],
        new r.Conv1D(3, 3, { padding: 'causal' }),
        new r.MaxPooling1D(2),
        new r.Conv1DTranspose(2, 3, { strides: 2 }),
      ),
      numbers([2, 9, 4]),
    ));
});

describe('layers of several tensors', () => {
  const merging = ['Add', 'Subtract', 'Multiply', 'Average', 'Maximum', 'Minimum', 'Concatenate'] as const;
  for (const name of merging) {
    const make = (): never => new (r[name] as typeof r.Add)() as never;
    test(name, async () => {
      const [a, b] = [Input({ shape: [null, 4] }), Input({ shape: [null, 4] })];
      await expectSame(functional([a, b], (make() as r.Add).apply([a, b])), [sample([6, 4]), numbers([2, 6, 4], 2)]);
    });
    test(`${name}, masked`, async () => {
      const ids = Input({ shape: [null], dtype: 'int32' });
      const back = Input({ shape: [null], dtype: 'int32' });
      const a = new r.Embedding(7, 4, { maskZero: true }).apply(ids);
      const b = new r.Embedding(7, 4, { maskZero: true }).apply(back);
      const y = (make() as r.Add).apply([a, b]);
      await expectSame(functional([ids, back], [y, new r.LSTM(3).apply(y)]), [IDS, IDS.flip(1)]);
    });
  }
  test('of different ranks', async () => {
    const [a, b] = [Input({ shape: [null, 4] }), Input({ shape: [4] })];
    await expectSame(functional([a, b], new r.Add().apply([a, b])), [sample([6, 4]), numbers([2, 4], 2)]);
  });
  for (const [axes, normalize, first, second] of [
    [2, false, [6, 4], [5, 4]],
    [1, true, [6, 4], [6, 3]],
    [[1, 2], true, [4, 6], [3, 4]],
    [1, false, [4], [4]],
    [[3, 1], false, [2, 3, 4], [4]],
  ] as const)
    test(`Dot ${JSON.stringify(axes)}`, async () => {
      const [a, b] = [Input({ shape: [...first] }), Input({ shape: [...second] })];
      await expectSame(functional([a, b], new r.Dot(axes as never, { normalize }).apply([a, b])), [
        sample(first),
        numbers([2, ...second], 2),
      ]);
    });
});

describe('attention', () => {
  const inputs = (): readonly [never, never, never, never] => {
    const ids = Input({ shape: [null], dtype: 'int32' });
    const back = Input({ shape: [null], dtype: 'int32' });
    const q = new r.Embedding(7, 4, { maskZero: true }).apply(ids);
    const v = new r.Embedding(7, 4, { maskZero: true }).apply(back);
    return [ids, back, q, v] as never;
  };
  const GIVEN = [IDS, IDS.flip(1)];
  const layers: Record<string, () => unknown> = {
    Attention: () => new r.Attention(),
    'Attention scaled': () => new r.Attention({ useScale: true }),
    'Attention concat': () => new r.Attention({ useScale: true, scoreMode: 'concat' }),
    AdditiveAttention: () => new r.AdditiveAttention(),
    MultiHeadAttention: () => new r.MultiHeadAttention(2, 3),
    'MultiHeadAttention with all': () =>
      new r.MultiHeadAttention(2, 3, {
        valueDim: 5,
        outputShape: [2, 3],
        useGate: true,
        dropout: 0.1,
        slidingWindow: 2,
      }),
    'MultiHeadAttention unbiased': () => new r.MultiHeadAttention(2, 3, { useBias: false }),
    GroupedQueryAttention: () => new r.GroupedQueryAttention(3, 4, 2),
  };
  for (const [name, make] of Object.entries(layers))
    for (const options of [{}, { useCausalMask: true }, { returnAttentionScores: true }])
      test(`${name} ${JSON.stringify(options)}`, async () => {
        const [ids, back, q, v] = inputs();
        const y = (make() as r.Attention).apply([q, v], options as never) as never;
        await expectSame(functional([ids, back], y), GIVEN);
        const [a, b] = [Input({ shape: [null, 4] }), Input({ shape: [null, 4] })];
        const plain = (make() as r.Attention).apply([a, b, b], options as never) as never;
        await expectSame(functional([a, b], plain), [sample([6, 4]), numbers([2, 5, 4], 2)]);
      });
});

describe('models', () => {
  test('of text', () =>
    expectSame(
      idChain(
        new r.Embedding(7, 4, { maskZero: true }),
        new r.LSTM(5, { returnSequences: true }),
        new r.GRU(3),
        new r.Dense(2, { activation: 'softmax' }),
      ),
      IDS,
    ));
  test('in models, shared, with several inputs and outputs', async () => {
    const inner = chain([null, 4], new r.Dense(4, { activation: 'tanh' }), new r.LayerNormalization());
    const x0 = Input({ shape: [null, 4] });
    const graph = functional(x0, [new r.Conv1D(4, 3, { padding: 'same' }).apply(x0), new r.LSTM(4).apply(x0)]);
    const shared = new r.GRU(3);
    const [a, b] = [Input({ shape: [null, 4], name: 'a' }), Input({ shape: [null, 4], name: 'b' })];
    const [left, right] = [inner.apply(a as never), inner.apply(b as never)] as never[];
    const [more, last] = graph.apply(left as never) as never as never[];
    const y = new r.Concatenate().apply([shared.apply(left!) as never, shared.apply(right!) as never, last!]);
    await expectSame(functional([a, b], [new r.Dense(2).apply(y), more, (graph.apply(right as never) as never[])[1]]), [
      sample([6, 4]),
      numbers([2, 6, 4], 2),
    ]);
  });
  test('average of what a mask lets count', () =>
    expectSame(
      idChain(new r.Embedding(7, 4, { maskZero: true }), new r.GlobalAveragePooling1D()),
      IDS.narrow(0, 0, 3),
    ));
});

/** What is read operator by operator, as graphs of other makers are: without the architecture that lies beside ours. */
describe('graphs without an architecture', () => {
  const models: Record<string, () => readonly [AnyModel, Tensor | readonly Tensor[]]> = {
    text: () => [
      idChain(
        new r.Embedding(7, 4),
        new r.Bidirectional(new r.LSTM(3, { returnSequences: true })),
        new r.GRU(4, { returnSequences: true }),
        new r.LSTM(4, { returnSequences: true, recurrentActivation: 'keras2HardSigmoid' }),
        new r.Activation('keras2HardSigmoid'),
        new r.GRU(3, { resetAfter: false, recurrentActivation: 'hardSigmoid' }),
        new r.Dense(2, { activation: 'softmax' }),
      ),
      IDS,
    ],
    backwards: () => [
      chain([null, 4], new r.SimpleRNN(3, { goBackwards: true, activation: 'relu' }), new r.Dense(2)),
      SERIES,
    ],
    convolution: () => [
      chain(
        [12, 4],
        new r.Conv1D(6, 3, { padding: 'same', activation: 'relu' }),
        new r.MaxPooling1D(2),
        new r.Conv1D(4, 2, { padding: 'causal' }),
        new r.AveragePooling1D(2, { padding: 'same', strides: 1 }),
        new r.LayerNormalization(),
        new r.Flatten(),
        new r.Dense(3, { useBias: false }),
      ),
      numbers([2, 12, 4]),
    ],
    pooled: () => [
      chain([null, 4], new r.Conv1D(3, 2, { dataFormat: 'channelsLast' }), new r.GlobalMaxPooling1D(), new r.Dense(2)),
      SERIES,
    ],
    merged: () => {
      const [a, b] = [Input({ shape: [null, 4] }), Input({ shape: [null, 4] })];
      const dense = new r.Dense(4, { activation: 'tanh' }).apply(a);
      const sum = new r.Add().apply([dense, b]);
      const both = new r.Concatenate().apply([new r.Multiply().apply([sum, a]), new r.Subtract().apply([a, b])]);
      return [
        functional([a, b], [new r.LSTM(3, { returnState: true }).apply(both), sum].flat()),
        [SERIES, sample([6, 4])],
      ];
    },
  };
  for (const [name, make] of Object.entries(models))
    test(name, async () => {
      const [model, given] = make();
      stir(model);
      const expected = [model.apply(given as never)].flat(3) as unknown as Tensor[];
      const bytes = encodeOnnx(toModelFile(model), { architecture: false });
      const again = modelFromFile(decodeOnnx(bytes));
      const received = [again.apply(given as never)].flat(3) as unknown as Tensor[];
      expect(received.map((y) => y.shape)).toEqual(expected.map((y) => y.shape));
      received.forEach((y, i) => {
        expect(Number(y.sub(expected[i]!).abs().max().data[0])).toBeLessThan(1e-5);
      });
      // What was read is written again, and runs.
      const ran = await run(encodeOnnx(toModelFile(again)), [given].flat());
      ran.forEach((y, i) => {
        expect(
          Number(
            tensor(y.values, { shape: [...y.shape] })
              .sub(expected[i]!)
              .abs()
              .max().data[0],
          ),
        ).toBeLessThan(1e-5);
      });
    });

  test('a mask is refused, with the way out', () => {
    const model = idChain(new r.Embedding(7, 4, { maskZero: true }), new r.LSTM(3));
    stir(model);
    const bytes = encodeOnnx(toModelFile(model), { architecture: false });
    expect(() => decodeOnnx(bytes)).toThrow(FormatError);
    expect(() => decodeOnnx(bytes)).toThrow(/expected operators that layers compute/);
  });
});

/** Graphs of PyTorch's exporters and of others (packages/testing/golden/onnx.py): read, computed here, and written again for the runtime. */
describe('graphs of other makers', () => {
  const folder = join(__dirname, '../../../testing/golden/files/onnx');
  interface Given {
    readonly name: string;
    readonly config: { readonly files: Readonly<Record<string, string>> };
    readonly inputs: Readonly<Record<string, TensorJSON>>;
  }
  const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { cases: Given[] };
  const files = cases.flatMap(({ config, inputs }) =>
    Object.values(config.files).map((file) => [file, Object.values(inputs).map((x) => tensorFromJSON(x))] as const),
  );
  /** The inputs of a model of those of a graph: with the batch first, where that is another axis there. */
  const asModel = (model: AnyModel, xs: readonly Tensor[], file: string): Tensor[] =>
    (model.inputs as unknown as readonly { readonly shape: readonly (number | null)[] }[]).map((spec, i) => {
      const x = xs[i]!;
      const isTurned = /batch_firstFalse|lengths/.test(file)
        ? x.rank > 1
        : x.rank === 3 && /^states_/.test(file) && i > 0;
      expect(spec.shape).toHaveLength(x.rank);
      return isTurned ? x.swapaxes(0, 1) : x;
    });

  test.each(files)('%s', async (file, given) => {
    const bytes = new Uint8Array(readFileSync(join(folder, file)));
    const model = modelFromFile(decodeOnnx(bytes));
    const inputs = asModel(model, given, file);
    const found = [model.apply((inputs.length === 1 ? inputs[0] : inputs) as never)].flat(3) as unknown as Tensor[];
    const theirs = await run(bytes, given, file.startsWith('lengths') ? 'int32' : 'int64');
    const ours = await run(encodeOnnx(toModelFile(model)), inputs);
    found.forEach((y, i) => {
      expect(ours[i]!.shape).toEqual(y.shape);
      const again = tensor(Float32Array.from(ours[i]!.values), { shape: [...ours[i]!.shape] });
      expect(again.sub(y).abs().max().item()).toBeLessThan(1e-5);
      // As the runtime has them, the batch may be another axis: the elements are the same.
      const sorted = (values: readonly number[]): Tensor => tensor(Float32Array.from(values).sort());
      const apart = sorted(theirs[i]!.values).sub(sorted([...y.data].map(Number)));
      expect(apart.abs().max().item()).toBeLessThan(1e-5);
    });
  });
});

describe('what has no operators is refused, by name', () => {
  const refused = (model: AnyModel, message: RegExp): void => {
    expect(() => encodeOnnx(toModelFile(model))).toThrow(FormatError);
    expect(() => encodeOnnx(toModelFile(model))).toThrow(message);
  };
  test('a layer', () => refused(chain([5, 4], new r.CRF(3, { name: 'tags' })), /CRF "tags"/));
  test('an activation of a recurrent layer', () =>
    refused(chain([5, 4], new r.LSTM(3, { activation: 'gelu', name: 'walk' })), /LSTM "walk".*"gelu"/));
  test('an activation', () => refused(chain([4], new r.Dense(4, { activation: 'sparsemax' })), /sparsemax/));
  test('a dtype', () =>
    refused(chain([4], new r.Dense(4, { dtype: 'float64', name: 'wide' })), /Dense "wide".*float64/));
  test('strides over an open number of steps', () =>
    refused(chain([null, 4], new r.Conv1D(3, 3, { padding: 'same', strides: 2 })), /known number of steps/));
});

test('a stateful layer reads its states and gives them', async () => {
  const model = new r.Sequential([
    Input({ batchShape: [2, 3, 4] }),
    new r.LSTM(3, { stateful: true, name: 'walk' }),
    new r.Dense(2),
  ] as never) as unknown as AnyModel;
  stir(model);
  const bytes = encodeOnnx(toModelFile(model));
  const zero = numbers([2, 3]).mul(0);
  let states = [zero, zero];
  for (const salt of [1, 2, 3]) {
    const x = numbers([2, 3, 4], salt);
    const expected = model.apply(x as never) as unknown as Tensor;
    const [y, ...next] = await run(bytes, [x, ...states]);
    expect(next.map((n) => n.name)).toEqual(['walk/state_h/next', 'walk/state_c/next']);
    expect(
      Number(
        tensor(y!.values, { shape: [2, 2] })
          .sub(expected)
          .abs()
          .max().data[0],
      ),
    ).toBeLessThan(1e-5);
    states = next.map((n) => tensor(Float32Array.from(n.values), { shape: [2, 3] }));
  }
});

test('a graph that others changed is read as it is, not as the architecture says', () => {
  const model = chain([4], new r.Dense(3, { activation: 'relu', name: 'first' }), new r.Dropout(0.5));
  stir(model);
  const bytes = encodeOnnx(toModelFile(model));
  // The field of the operator: its tag, its length, its text.
  const at = Buffer.from(bytes).indexOf(Buffer.from('\x22\x04Relu'));
  const changed = Uint8Array.from(bytes);
  changed.set(Buffer.from('Tanh'), at + 2);
  expect(JSON.stringify(decodeOnnx(bytes).model)).toContain('"relu"');
  expect(JSON.stringify(decodeOnnx(changed).model)).not.toContain('"relu"');
});
