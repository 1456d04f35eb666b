import { Adam } from '@recurra/optim';
import { randomKey, randomNormal, setSeed, type Tensor } from '@recurra/tensor';
import { Dense, LSTM, Sequential } from '../../index.js';
import { memoryStorage } from '../storage.js';
import { encodeCheckpoint } from './checkpoint-file.js';
import { loadCheckpoint, modelFromCheckpoint, saveCheckpoint } from './model-checkpoint.js';

const x = randomNormal([16, 4, 3], { key: randomKey(1) });
const y = x.sum(2).sum(1, { keepDims: true });
const make = (units = 4): Sequential => new Sequential([new LSTM(units), new Dense(1)]);
const ready = (units = 4): Sequential => {
  const model = make(units);
  model.build([null, 4, 3]);
  model.compile({ optimizer: new Adam({ amsgrad: true }), loss: 'mse' });
  return model;
};
const bits = (model: { getWeights(): Tensor[] }): number[] => model.getWeights().flatMap((w) => [...w.data]);

test('training goes on from a checkpoint as without one, in a model made anew', async () => {
  setSeed(1);
  const storage = memoryStorage();
  const one = ready();
  await one.fit(x, y, { epochs: 2, verbose: 0, shuffle: false });
  await saveCheckpoint(one, 'm.ckpt', { storage });
  await one.fit(x, y, { epochs: 2, verbose: 0, shuffle: false });
  const two = ready();
  await loadCheckpoint(two, 'm.ckpt', { storage });
  expect(two.optimizer.iterations).toBe(2);
  await two.fit(x, y, { epochs: 2, verbose: 0, shuffle: false });
  expect(bits(two)).toEqual(bits(one));
  const three = (await modelFromCheckpoint('m.ckpt', { storage })) as unknown as Sequential;
  three.compile({ optimizer: new Adam({ amsgrad: true }), loss: 'mse' });
  await loadCheckpoint(three, 'm.ckpt', { storage });
  await three.fit(x, y, { epochs: 2, verbose: 0, shuffle: false });
  expect(bits(three)).toEqual(bits(one));
});

test('what does not fit is refused, and changes nothing', async () => {
  const storage = memoryStorage();
  const model = ready();
  await saveCheckpoint(model, 'w.ckpt', { storage, weightsOnly: true });
  const other = ready(5);
  const before = bits(other);
  await expect(loadCheckpoint(other, 'w.ckpt', { storage })).rejects.toThrow(
    /the weights of this model \(5, with kernel float32 \[3, 20\].*received one with 5, with kernel float32 \[3, 16\]/,
  );
  expect(bits(other)).toEqual(before);
  await expect(loadCheckpoint(make(), 'w.ckpt', { storage })).rejects.toThrow(/a model whose weights are there/);
  await expect(modelFromCheckpoint('w.ckpt', { storage })).rejects.toThrow(/of a whole model, received one of weights/);
  await expect(loadCheckpoint(model, 'none.ckpt', { storage })).rejects.toThrow(/at "none.ckpt", found none/);
  const sgd = ready();
  sgd.compile({ optimizer: 'sgd', loss: 'mse' });
  await model.fit(x, y, { verbose: 0 });
  await saveCheckpoint(model, 'trained.ckpt', { storage });
  await expect(loadCheckpoint(sgd, 'trained.ckpt', { storage })).rejects.toThrow(/optimizer's state of this model/);
  await storage.write('run.ckpt', encodeCheckpoint({ meta: { kind: 'run' }, groups: {} }));
  await expect(loadCheckpoint(model, 'run.ckpt', { storage })).rejects.toThrow(/received one of kind run/);
  await expect(saveCheckpoint(model, 'm.keras', { storage })).rejects.toThrow(
    /promises Keras 3. Let it end in .ckpt, or use model.save/,
  );
  await expect(saveCheckpoint(model, 'm.pt', { storage })).rejects.toThrow(/promises a .pt file/);
  await expect(saveCheckpoint(model, '', { storage })).rejects.toThrow(/expected the path to be a path/);
  await expect(saveCheckpoint(model, 'm.ckpt', { weights: true } as never)).rejects.toThrow(/unknown option/);
});
