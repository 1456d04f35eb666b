import { Adam } from '@recurra/optim';
import { Dataset } from '@recurra/preprocessing';
import { FormatError, randomKey, randomNormal, setSeed, type Tensor } from '@recurra/tensor';
import { Dense, Dropout, type FitOptions, type History, LSTM, Sequential } from '../../index.js';
import type { Callback } from '../callback.js';
import { memoryStorage, type Storage } from '../storage.js';
import { BackupAndRestore, type BackupAndRestoreOptions } from './backup-and-restore.js';
import { EarlyStopping } from './early-stopping.js';
import { LambdaCallback } from './lambda-callback.js';
import { LearningRateScheduler } from './learning-rate-scheduler.js';
import { ReduceLROnPlateau } from './reduce-lr-on-plateau.js';
import { SwapEMAWeights } from './swap-ema-weights.js';

const x = randomNormal([20, 3, 2], { key: randomKey(1) });
const y = x.sum(2).sum(1, { keepDims: true });
const held = randomNormal([7, 3, 2], { key: randomKey(2) });
const heldY = held.sum(2).sum(1, { keepDims: true });
const bits = (model: { getWeights(): Tensor[] }): number[] => model.getWeights().flatMap((w) => [...w.data]);

const make = (seed: number, build = false): Sequential => {
  setSeed(seed);
  const model = new Sequential([new LSTM(3), new Dropout(0.4), new Dense(1)]);
  if (build) model.build([null, 3, 2]);
  model.compile({
    optimizer: new Adam({ learningRate: 0.02, useEma: true, emaMomentum: 0.8 }),
    loss: 'mse',
    metrics: ['mae'],
  });
  return model;
};

interface Case {
  readonly options?: BackupAndRestoreOptions;
  readonly fit?: FitOptions<Tensor>;
  readonly others?: () => Callback[];
  readonly streamed?: boolean;
}

class Killed extends Error {}

/** A run of 4 epochs of 5 batches. With `killAt`, it breaks off in the n-th call of a hook of batches, validation or epochs, counted from 0. */
async function run(seed: number, storage: Storage | null, given: Case, killAt = -1) {
  let calls = 0;
  const kill = (): void => {
    if (calls++ === killAt) throw new Killed();
  };
  const model = make(seed);
  const callbacks = [
    ...(given.others?.() ?? []),
    ...(storage ? [new BackupAndRestore('backup', { storage, ...given.options })] : []),
    new LambdaCallback({ onTrainBatchEnd: kill, onTestEnd: kill, onEpochEnd: kill, onEpochBegin: kill }),
  ];
  const options: FitOptions<Tensor> = { epochs: 4, verbose: 0, callbacks, validationData: [held, heldY], ...given.fit };
  let history: History;
  try {
    history = given.streamed
      ? await model.fit(
          Dataset.fromTensors(x, y).shuffle({ bufferSize: 20, seed: 4 }).batch(4) as never,
          options as never,
        )
      : await model.fit(x, y, { batchSize: 4, ...options });
  } catch (error) {
    if (error instanceof Killed) return null;
    throw error;
  }
  return { model, history, calls };
}

const CASES: [string, Case][] = [
  ['after each epoch', {}],
  ['after every batch', { options: { saveFreq: 1 } }],
  ['every 3 batches', { options: { saveFreq: 3 } }],
  ['every 5 batches, which is at the end of epochs', { options: { saveFreq: 5 } }],
  ['two backups', { options: { saveFreq: 2, doubleCheckpoint: true } }],
  ['without validation', { options: { saveFreq: 5 }, fit: { validationData: null } }],
  [
    'with rates that callbacks change',
    {
      options: { saveFreq: 2 },
      others: () => [
        new LearningRateScheduler((_, rate) => rate * 0.7),
        new ReduceLROnPlateau({ monitor: 'valLoss', patience: 1, minDelta: 10, factor: 0.5 }),
      ],
    },
  ],
  [
    'with averages in the place of weights between epochs, and early stopping',
    {
      others: () => [
        new SwapEMAWeights({ swapOnEpoch: true }),
        new EarlyStopping({ patience: 1, minDelta: 10, restoreBestWeights: true }),
      ],
    },
  ],
  ['from a data set', { options: { saveFreq: 4 }, streamed: true }],
  ['from a data set, epochs of 3 batches', { options: { saveFreq: 2 }, streamed: true, fit: { stepsPerEpoch: 3 } }],
];

test.each(CASES)('%s: broken off anywhere and gone on with, the run ends with the same bits', async (_, given) => {
  const whole = (await run(1, null, given))!;
  expect((await run(1, memoryStorage(), given))!.history.history).toEqual(whole.history.history);
  let resumed = 0;
  for (let at = 0; at < whole.calls; at += 3 + (at % 4)) {
    const storage = memoryStorage();
    expect(await run(1, storage, given, at)).toBeNull();
    const backup = await storage.read('backup/latest.ckpt');
    // Another process: other weights and keys to begin with. Where there is no backup yet, the run begins as it did.
    const again = (await run(backup ? 100 + at : 1, storage, given))!;
    expect(bits(again.model)).toEqual(bits(whole.model));
    const missing = whole.history.epoch.length - again.history.epoch.length;
    for (const [name, values] of Object.entries(again.history.history))
      expect(values).toEqual(whole.history.history[name]!.slice(missing));
    expect(again.model.optimizer.iterations).toBe(whole.model.optimizer.iterations);
    expect(await storage.list('backup')).toEqual([]);
    if (backup) resumed++;
  }
  expect(resumed).toBeGreaterThan(1);
});

test('kept backups of a finished run leave nothing to do, and give its weights', async () => {
  const storage = memoryStorage();
  const given: Case = { options: { deleteCheckpoint: false } };
  const whole = (await run(1, storage, given))!;
  expect(await storage.list('backup')).toEqual(['backup/latest.ckpt']);
  const again = (await run(2, storage, given))!;
  expect(again.history.epoch).toEqual([]);
  expect(bits(again.model)).toEqual(bits(whole.model));
  const longer = (await run(3, storage, { ...given, fit: { epochs: 6 } }))!;
  expect(longer.history.epoch).toEqual([4, 5]);
});

test('a damaged backup is refused; with two, the one before it takes its place', async () => {
  const storage = memoryStorage();
  const given: Case = { options: { saveFreq: 3, doubleCheckpoint: true } };
  expect(await run(1, storage, given, 9)).toBeNull();
  const whole = (await run(1, null, given))!;
  const file = (await storage.read('backup/latest.ckpt'))!;
  const torn = file.subarray(0, file.length >> 1);
  await storage.write('backup/latest.ckpt', torn);
  await expect(run(2, storage, { options: { saveFreq: 3 } })).rejects.toThrow(FormatError);
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  const again = (await run(2, storage, given))!;
  expect(warn.mock.calls[0]![0]).toMatch(
    /BackupAndRestore: backup\/latest.ckpt: .*torn.*Going on from the one before it/,
  );
  warn.mockRestore();
  expect(bits(again.model)).toEqual(bits(whole.model));
  await storage.write('backup/latest.ckpt', torn);
  await storage.write('backup/previous.ckpt', torn);
  const silent = jest.spyOn(console, 'warn').mockImplementation(() => {});
  await expect(run(2, storage, given)).rejects.toThrow(FormatError);
  silent.mockRestore();
});

test("another model's backup is refused, and nothing is changed", async () => {
  const storage = memoryStorage();
  expect(await run(1, storage, { options: { saveFreq: 1 } }, 3)).toBeNull();
  const model = new Sequential([new LSTM(4), new Dense(1)]);
  model.build([null, 3, 2]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const before = bits(model);
  await expect(
    model.fit(x, y, { epochs: 4, verbose: 0, callbacks: [new BackupAndRestore('backup', { storage })] }),
  ).rejects.toThrow(/expected a backup of this model/);
  expect(bits(model)).toEqual(before);
});

test('wrong options are refused', () => {
  const make =
    (folder: unknown, options: object = {}) =>
    () =>
      new BackupAndRestore(folder as string, { storage: memoryStorage(), ...options });
  expect(make('')).toThrow(/backupDir to be a path, received ""/);
  expect(make('b', { saveFreq: false })).toThrow(/saveFreq to be 'epoch' or a number of batches/);
  expect(make('b', { deleteCheckpoint: 0 })).toThrow(/deleteCheckpoint to be true or false/);
  expect(make('b', { delete_checkpoint: true })).toThrow(/Did you mean "deleteCheckpoint"/);
});
