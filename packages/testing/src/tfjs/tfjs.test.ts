/** Layers models, beside TensorFlow.js: what it saves is read here, what is written here it loads; both predict the same. */
import { type Quantization, readTfjs, readTfjsArtifacts, type TfjsArtifacts, writeTfjs } from '@recurra/formats';
import { tensorsOf } from '@recurra/formats/extend';
import { type AnyModel, modelFromFile, toModelFile } from '@recurra/layers/extend';
import { tensor } from '@recurra/tensor';
import { loaded, type Plain, predicted, saved, stir, type tf } from './peer.js';
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
