/** Layers models, beside TensorFlow.js: what it saves is read here, what is written here it loads; both predict the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GRUCell, LSTMCell, StackedRNNCells } from '@recurra/cells';
import { type Quantization, readTfjs, readTfjsArtifacts, type TfjsArtifacts, writeTfjs } from '@recurra/formats';
import { tensorsOf } from '@recurra/formats/extend';
import * as r from '@recurra/layers';
import { loadAssets, loadModel, memoryStorage } from '@recurra/layers';
import { type AnyModel, modelFromFile, toModelFile } from '@recurra/layers/extend';
import * as o from '@recurra/optim';
import { tensor } from '@recurra/tensor';
import { loaded, numbers, type Plain, predicted, saved, stir, tf } from './peer.js';
import { PEER_MODELS } from './zoo.js';

const plain = (x: tf.Tensor): ReturnType<typeof tensor> =>
  tensor(x.dataSync() as Float32Array, { shape: x.shape, dtype: x.dtype as 'float32' });
const predictedHere = async (model: AnyModel, inputs: readonly tf.Tensor[]): Promise<readonly Plain[]> => {
  const xs = inputs.map(plain);
  const y = await model.predict((xs.length === 1 ? xs[0] : xs) as never);
  return ([y].flat() as ReturnType<typeof tensor>[]).map((t) => ({ shape: [...t.shape], data: [...t.data] }));
};
const far = (a: readonly Plain[], b: readonly Plain[]): number => {
  expect(a.map(({ shape }) => shape)).toEqual(b.map(({ shape }) => shape));
  return Math.max(...a.flatMap(({ data }, i) => data.map((v, j) => Math.abs(v - b[i]!.data[j]!))));
};
const files = (all: ReadonlyMap<string, Uint8Array>) => (path: string) => all.get(path) ?? null;

describe.each(PEER_MODELS)('$name', ({ make, inputs }) => {
  let peer: tf.LayersModel;
  let artifacts: TfjsArtifacts;
  beforeAll(async () => {
    peer = make();
    stir(peer);
    artifacts = await saved(peer);
  });

  test('what TensorFlow.js saved predicts the same', async () => {
    const model = modelFromFile(await readTfjsArtifacts(artifacts));
    const expected = predicted(peer, inputs());
    peer.resetStates();
    expect(far(await predictedHere(model, inputs()), expected)).toBeLessThan(2e-6);
  });

  test('what is written predicts the same in TensorFlow.js, and is read again', async () => {
    const model = modelFromFile(await readTfjsArtifacts(artifacts));
    const written = await writeTfjs(toModelFile(model), { shardBytes: 100 });
    const again = await loaded(written);
    const expected = predicted(again, inputs());
    expect(far(predicted(peer, inputs()), expected)).toBe(0);
    peer.resetStates();
    const read = modelFromFile(await readTfjs(written.get('model.json')!, files(written)));
    expect(far(await predictedHere(read, inputs()), expected)).toBeLessThan(2e-6);
  });
});

test.each<[Quantization]>([['uint8'], ['uint16'], ['float16']])(
  '%s: TensorFlow.js computes the same numbers',
  async (quantize) => {
    const peer = PEER_MODELS.find(({ name }) => name === 'text, masked')!;
    const model = peer.make();
    stir(model);
    const file = await readTfjsArtifacts(await saved(model));
    const written = await writeTfjs(file, { quantize, shardBytes: 333 });
    const again = await loaded(written);
    const read = await readTfjs(written.get('model.json')!, files(written));
    const exact = new Map(again.weights.map((w) => [w.originalName, w.read().dataSync()]));
    const before = [...tensorsOf(file.weights!)];
    for (const [i, { layers, name, value }] of [...tensorsOf(read.weights!)].entries()) {
      const theirs = exact.get(`${layers.at(-1) === layers[1] ? layers[1] : layers[1]}/${name}`)!;
      expect([...value.data]).toEqual([...theirs]);
      const original = [...before[i]!.value.data];
      const [low, high] = [Math.min(...original), Math.max(...original)];
      const step = quantize === 'float16' ? 2 ** -11 : (high - low) / (quantize === 'uint8' ? 255 : 65535);
      original.forEach((v, j) => {
        expect(Math.abs(v - value.data[j]!)).toBeLessThanOrEqual(step * 1.000001);
      });
    }
  },
);

/** Models as they are made here, with what TensorFlow.js has. */
const OURS: Readonly<Record<string, () => readonly [model: unknown, inputs: readonly tf.Tensor[]]>> = {
  'text, masked': () => [
    new r.Sequential([
      r.Input({ shape: [5], dtype: 'int32' }),
      new r.Embedding(7, 3, { maskZero: true }),
      new r.Bidirectional(new r.LSTM(3, { returnSequences: true })),
      new r.Dropout(0.3),
      new r.GRU(4, { resetAfter: false, returnSequences: true, recurrentActivation: 'keras2HardSigmoid' }),
      new r.SimpleRNN(3),
      new r.Dense(2, { activation: 'softmax' }),
    ]),
    [ids],
  ],
  'an open number of steps, cells': () => [
    new r.Sequential([
      r.Input({ shape: [null, 3] }),
      new r.RNN(new StackedRNNCells([new GRUCell(3, { resetAfter: false }), new LSTMCell(2)]) as never, {
        returnSequences: true,
      }),
      new r.Bidirectional(new r.RNN(new LSTMCell(2) as never, { returnSequences: true }) as never, {
        mergeMode: 'ave',
      }),
      new r.TimeDistributed(new r.Dense(3, { kernelRegularizer: 'l2', activation: 'silu' })),
      new r.LayerNormalization(),
      new r.GlobalMaxPooling1D(),
    ]),
    [series],
  ],
  'frozen layers, and one whose batch statistics are set': () => [
    new r.Sequential([
      r.Input({ shape: [5, 3] }),
      new r.Conv1D(4, 3, { padding: 'same', trainable: false }),
      new r.BatchNormalization(),
      new r.MaxPooling1D(2),
      new r.Flatten(),
      new r.Dense(2, { trainable: false }),
      new r.ReLU({ threshold: 0.1 }),
    ]),
    [series],
  ],
  'without a declared input': () => {
    const model = new r.Sequential([new r.LSTM(2), new r.Dense(1)]);
    model.build([null, 5, 3]);
    return [model, [series]];
  },
  'a graph with shared models and states': () => {
    const x = r.Input({ shape: [5, 3] });
    const z = r.Input({ shape: [4] });
    const inner = new r.Sequential([r.Input({ shape: [4] }), new r.Dense(4, { activation: 'tanh' })]);
    const i = r.Input({ shape: [4] });
    const graph = new r.Model({ inputs: i, outputs: new r.Dense(4).apply(i) } as never);
    const [y, h, c] = new r.LSTM(4, { returnState: true, returnSequences: true }).apply(
      x,
    ) as never as r.SymbolicTensor[];
    const back = new r.LSTM(4).apply(y as never, { initialState: [h, inner.apply(c as never)] } as never);
    const twice = graph.apply(graph.apply(inner.apply(z as never) as never) as never);
    const all = new r.Concatenate().apply([back, twice, z] as never);
    const outputs = [new r.Dense(2).apply(all as never), new r.Multiply().apply([back, twice] as never)];
    return [new r.Model({ inputs: [x, z], outputs } as never), [series, rows]];
  },
};
const ids = tf.tensor2d(
  [
    [3, 1, 4, 0, 0],
    [1, 2, 0, 0, 0],
    [6, 5, 4, 3, 2],
    [0, 0, 1, 2, 0],
  ],
  [4, 5],
  'int32',
);
const series = tf.tensor(numbers([4, 5, 3]), [4, 5, 3]);
const rows = tf.tensor(numbers([4, 4], 2), [4, 4]);

/** Weights that are not what they begin as. */
function stirHere(model: AnyModel): void {
  model.setWeights(
    model.weights.map((w, i) => {
      const x = tensor(numbers(w.shape, 0.3 + i / 7), { shape: [...w.shape] }).mul(0.6);
      return /variance/.test(w.path) ? x.abs().add(0.3) : x;
    }),
  );
}

test.each(Object.entries(OURS))('ours, %s: TensorFlow.js predicts the same', async (_name, make) => {
  const [own, inputs] = make();
  const model = own as AnyModel;
  stirHere(model);
  const files = await writeTfjs(toModelFile(model, { compile: false }));
  const peer = await loaded(files);
  expect(far(predicted(peer, inputs), await predictedHere(model, inputs))).toBeLessThan(2e-6);
});

describe('models that Keras 3 saved', () => {
  const folder = join(__dirname, '../../golden/files');
  test.each(['text_lstm', 'lstm_trained_momentum', 'batchnorm_trained_adam', 'functional_residual'])(
    '%s',
    async (name) => {
      const model = await loadModel(new Uint8Array(readFileSync(join(folder, `${name}.keras`))), { compile: false });
      const given = Object.values(JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')).cases[0].inputs) as {
        shape: number[];
        dtype: 'float32';
        data: number[];
      }[];
      const inputs = given.map(({ shape, dtype, data }) => tf.tensor(data, shape, dtype));
      const peer = await loaded(await writeTfjs(toModelFile(model)));
      expect(far(predicted(peer, inputs), await predictedHere(model, inputs))).toBeLessThan(5e-6);
    },
  );

  test.each(['gru_reset_after', 'bidirectional_stack', 'conv_pool', 'transformer'])(
    '%s is refused: TensorFlow.js has no such layers',
    async (name) => {
      const model = await loadModel(new Uint8Array(readFileSync(join(folder, `${name}.keras`))), { compile: false });
      await expect(writeTfjs(toModelFile(model))).rejects.toThrow(/TensorFlow.js cannot load this model/);
    },
  );
});

describe('how models are compiled', () => {
  const make = (): r.Sequential =>
    new r.Sequential([r.Input({ shape: [3] }), new r.Dense(2, { activation: 'tanh' }), new r.Dense(1)]);
  const x = tf.tensor(numbers([6, 3]), [6, 3]);
  const y = tf.tensor(numbers([6, 1], 3), [6, 1]);

  test.each<[string, () => unknown, string, number]>([
    ['SGD', () => new o.SGD({ learningRate: 0.1 }), 'meanSquaredError', 1e-6],
    ['SGD with momentum', () => new o.SGD({ learningRate: 0.1, momentum: 0.8 }), 'mse', 1e-6],
    [
      'SGD after Nesterov',
      () => new o.SGD({ learningRate: 0.1, momentum: 0.8, nesterov: true }),
      'meanAbsoluteError',
      1e-6,
    ],
    ['Adam', () => new o.Adam({ learningRate: 0.01, beta1: 0.8 }), 'logCosh', 1e-5],
    ['RMSprop', () => new o.RMSprop({ learningRate: 0.01, rho: 0.8 }), 'meanSquaredError', 1e-4],
  ])('%s', async (name, optimizer, loss, near) => {
    const model = make();
    stirHere(model as never);
    model.compile({
      optimizer: optimizer() as never,
      loss: loss as never,
      metrics: ['mae'],
    });
    const files = await writeTfjs(toModelFile(model as never));
    const peer = await loaded(files);
    // Both train on for three steps from the same weights.
    for (let step = 0; step < 3; step++) {
      const [theirs] = (await peer.trainOnBatch(x, y)) as number[];
      const logs = await model.trainOnBatch(plain(x) as never, plain(y) as never);
      expect(Math.abs((logs as Record<string, number>)['loss']! - theirs!)).toBeLessThan(near);
    }
    // And what TensorFlow.js saves of that is compiled here.
    const again = modelFromFile(await readTfjsArtifacts(await saved(peer, true)));
    expect(again.compiled).toBe(true);
    expect((again.optimizer.serialize() as { className: string }).className).toBe(name.split(' ')[0]);
    const [theirs] = peer.evaluate(x, y) as tf.Scalar[];
    const logs = await again.evaluate(plain(x) as never, plain(y) as never, { verbose: 0 } as never);
    expect(Math.abs((logs as Record<string, number>)['loss']! - theirs!.dataSync()[0]!)).toBeLessThan(1e-5);
  });
});

test('by path: a model, the files of its weights beside it, and what travels with it', async () => {
  const storage = memoryStorage();
  const model = new r.Sequential([r.Input({ shape: [5, 3] }), new r.LSTM(4), new r.Dense(1)]);
  await model.save('there/model.json', { storage, assets: { labels: ['no', 'yes'] } });
  expect(await storage.list('there')).toEqual(['there/group1-shard1of1.bin', 'there/model.json']);
  const again = await loadModel('there/model.json', { storage });
  expect(far(await predictedHere(again, [series]), await predictedHere(model as never, [series]))).toBe(0);
  expect(await loadAssets('there/model.json', { storage })).toEqual({ labels: ['no', 'yes'] });
});
