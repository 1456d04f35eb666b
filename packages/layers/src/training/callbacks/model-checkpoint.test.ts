import { randomKey, randomNormal, type Tensor } from '@recurra/tensor';
import { Dense, loadModel, Sequential } from '../../index.js';
import { loadCheckpoint, modelFromCheckpoint } from '../checkpoint/model-checkpoint.js';
import { memoryStorage } from '../storage.js';
import { LambdaCallback } from './lambda-callback.js';
import { ModelCheckpoint, type ModelCheckpointOptions } from './model-checkpoint.js';

const x = randomNormal([12, 3], { key: randomKey(1) });
const y = x.sum(1, { keepDims: true });
const bits = (model: { getWeights(): Tensor[] }): number[] => model.getWeights().flatMap((w) => [...w.data]);

async function run(path: string, options: ModelCheckpointOptions, epochs = 3) {
  const storage = memoryStorage();
  const model = new Sequential([new Dense(1)]);
  model.build([null, 3]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const weights: number[][] = [];
  const history = await model.fit(x, y, {
    epochs,
    batchSize: 4,
    verbose: 0,
    validationSplit: 0.34,
    callbacks: [
      new ModelCheckpoint(path, { storage, ...options }),
      new LambdaCallback({
        onTrainBatchEnd: () => {
          weights.push(bits(model));
        },
      }),
    ],
  });
  const files = await storage.list('');
  return { storage, model, history, weights, files: files.length > 0 ? files : await listed(storage) };
}
const listed = (storage: ReturnType<typeof memoryStorage>) => storage.list('c');

test('after each epoch, under names from the template, the model as it then was', async () => {
  const { storage, history, weights, files } = await run('c/{epoch:02d}-{valLoss:.4f}.ckpt', {});
  expect(files).toEqual(history.values('valLoss').map((loss, i) => `c/0${i + 1}-${loss.toFixed(4)}.ckpt`));
  for (const [i, file] of files.entries())
    expect(bits(await modelFromCheckpoint(file, { storage }))).toEqual(weights[2 * i + 1]);
});

test('after so many batches, counted over epochs', async () => {
  const { storage, model, weights, files } = await run('c/{epoch}-{batch}.ckpt', {
    saveFreq: 3,
    saveWeightsOnly: true,
  });
  // Two batches an epoch: the third and the sixth.
  expect(files).toEqual(['c/2-1.ckpt', 'c/3-2.ckpt']);
  await loadCheckpoint(model, 'c/2-1.ckpt', { storage });
  expect(bits(model)).toEqual(weights[2]);
  await expect(modelFromCheckpoint('c/2-1.ckpt', { storage })).rejects.toThrow(/weights alone/);
});

test('the best alone: better than all before, and than the threshold', async () => {
  const save = async (values: number[], options: ModelCheckpointOptions): Promise<number[]> => {
    const storage = memoryStorage();
    const callback = new ModelCheckpoint('c/{epoch}.ckpt', { storage, saveBestOnly: true, monitor: 'm', ...options });
    callback.model = {
      weights: [],
      compiled: false,
      className: 'M',
      getConfig: () => ({}),
      getBuildConfig: () => null,
      directionOf: () => 'up',
    } as never;
    for (const [i, m] of values.entries()) await callback.onEpochEnd(i, { m });
    return (await storage.list('c')).map((path) => Number(path.slice(2, -5)));
  };
  const values = [1, 3, 2, 3, Number.NaN, 4];
  expect(await save(values, {})).toEqual([1, 2, 6]);
  expect(await save(values, { mode: 'min' })).toEqual([1]);
  expect(await save(values, { initialValueThreshold: 2.5 })).toEqual([2, 6]);
  // As in Keras, an epoch without the value is saved, with a warning.
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  expect(await save(values, { monitor: 'other' })).toEqual([1, 2, 3, 4, 5, 6]);
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});

test('it says what it does', async () => {
  const said = jest.spyOn(console, 'log').mockImplementation(() => {});
  await run('c/best.ckpt', { saveBestOnly: true, verbose: 1, initialValueThreshold: -1 }, 1);
  await run('c/all.ckpt', { verbose: 1 }, 1);
  expect(said.mock.calls.map(([text]) => text)).toEqual([
    'Epoch 1: valLoss did not improve from -1.00000',
    'Epoch 1: saving to c/all.ckpt',
  ]);
  said.mockRestore();
});

test('wrong options are refused', () => {
  const make =
    (path: unknown, options: object = {}) =>
    () =>
      new ModelCheckpoint(path as string, { storage: memoryStorage(), ...options });
  expect(make('{epoch')).toThrow(/expected \{name\}/);
  expect(make('a', { saveFreq: 0 })).toThrow(/saveFreq to be 'epoch' or a number of batches >= 1, received 0/);
  expect(make('a', { save_best_only: true })).toThrow(/Did you mean "saveBestOnly"/);
  expect(make('a', { saveBestOnly: 'yes' })).toThrow(/saveBestOnly to be true or false/);
  expect(make('a', { mode: 'less' })).toThrow(/mode to be one of 'auto', 'min', 'max'/);
});

test.each(['keras', 'h5'])('a path that ends in .%s is of a model that goes on', async (ending) => {
  const { storage, weights, files } = await run(`c/{epoch}.${ending}`, {}, 2);
  expect(files).toEqual([`c/1.${ending}`, `c/2.${ending}`]);
  for (const [i, file] of files.entries()) {
    const model = await loadModel(file, { storage });
    expect(bits(model)).toEqual(weights[2 * i + 1]);
    expect(model.optimizer.iterations).toBe(2 * i + 2);
  }
});

test.each(['weights.h5', 'safetensors'])('a path that ends in .%s is of weights', async (ending) => {
  const { storage, model, weights, files } = await run(`c/{epoch}.${ending}`, { saveWeightsOnly: true }, 2);
  await model.loadWeights(files[0]!, { storage });
  expect(bits(model)).toEqual(weights[1]);
});

test('what a path promises is told before the first step', async () => {
  await expect(run('c/w.safetensors', {})).rejects.toThrow(
    /a whole model \(.keras\), since saveWeightsOnly is false, received "c\/w.safetensors", which promises weights alone/,
  );
  await expect(run('c/m.keras', { saveWeightsOnly: true })).rejects.toThrow(/of weights \(.weights.h5, .safetensors\)/);
  await expect(run('c/m.pt', {})).rejects.toThrow(/which promises a .pt file. Let it end in .ckpt or .keras/);
});
