import { ones } from '@recurra/tensor';
import { Dense, Sequential } from '../../../index.js';
import { memoryStorage, type Storage } from '../../storage.js';
import { TensorBoard, type TensorBoardOptions } from './tensorboard.js';

async function run(options: TensorBoardOptions, storage: Storage = memoryStorage()): Promise<Record<string, string>> {
  const model = new Sequential([new Dense(1, { name: 'head' })]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const callbacks = [new TensorBoard({ logDir: 'l', storage, ...options })];
  const data = [ones([8, 2]), ones([8, 1])] as const;
  await model.fit(...data, { epochs: 2, batchSize: 2, verbose: 0, validationData: data, callbacks });
  const files: Record<string, string> = {};
  for (const path of await storage.list('l')) {
    expect(path).toMatch(/^l\/(train|validation)\/events\.out\.tfevents\.\d{10}\..*\.v2$/);
    files[path.split('/')[1]!] = Buffer.from((await storage.read(path))!).toString('latin1');
  }
  return files;
}
const count = (text: string, what: string): number => text.split(what).length - 1;

test('each option adds what it says', async () => {
  const plain = await run({ writeGraph: false });
  expect(Object.keys(plain)).toEqual(['train', 'validation']);
  expect([count(plain['train']!, 'epoch_loss'), count(plain['validation']!, 'epoch_loss')]).toEqual([2, 2]);
  expect(count(plain['validation']!, 'evaluation_loss_vs_iterations')).toBe(2);
  for (const absent of ['batch_', 'histogram', 'graph_keras_model', 'steps_per_second'])
    expect(plain['train']).not.toContain(absent);
  expect((await run({}))['train']).toContain('graph_keras_model');
  expect(count((await run({ updateFreq: 'batch' }))['train']!, 'batch_loss')).toBe(8);
  expect(count((await run({ updateFreq: 3 }))['train']!, 'batch_loss')).toBe(2);
  expect(count((await run({ histogramFreq: 1 }))['train']!, 'head/kernel/histogram')).toBe(2);
  expect(count((await run({ histogramFreq: 2 }))['train']!, 'head/kernel/histogram')).toBe(1);
  expect(count((await run({ writeStepsPerSecond: true }))['train']!, 'epoch_steps_per_second')).toBe(2);
});

test('evaluation is written without training, and two runs make two files', async () => {
  const storage = memoryStorage();
  const callback = new TensorBoard({ logDir: 'l', storage });
  const model = new Sequential([new Dense(1)]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  await model.evaluate(ones([4, 2]), ones([4, 1]), { callbacks: [callback] });
  expect(await storage.list('l')).toHaveLength(1);
  await model.fit(ones([4, 2]), ones([4, 1]), { verbose: 0, callbacks: [callback] });
  await model.fit(ones([4, 2]), ones([4, 1]), { verbose: 0, callbacks: [callback] });
  expect((await storage.list('l')).filter((path) => path.includes('/train/'))).toHaveLength(2);
});

test('wrong options are refused', () => {
  const make = (options: object) => () => new TensorBoard({ storage: memoryStorage(), ...options });
  expect(make({ updateFreq: 0 })).toThrow(/updateFreq to be 'epoch', 'batch' or a number of batches >= 1, received 0/);
  expect(make({ histogramFreq: -1 })).toThrow(/histogramFreq to be an integer >= 0/);
  expect(make({ writeGraph: 1 })).toThrow(/writeGraph to be true or false/);
  expect(make({ logDir: '' })).toThrow(/logDir to be a path/);
  expect(make({ profileBatch: 2 })).toThrow(/unknown option "profileBatch"/);
});
