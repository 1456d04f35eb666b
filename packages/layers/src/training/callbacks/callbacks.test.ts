import { ones } from '@recurra/tensor';
import { Callback, Dense, Sequential } from '../../index.js';
import { memoryStorage } from '../storage.js';
import * as callbacks from './index.js';

type Make = (options: object) => Callback;

/** How each callback with options is made. A class that is not here fails the walk. */
const MAKE: Record<string, Make> = {
  BackupAndRestore: (o) => new callbacks.BackupAndRestore('b', { storage: memoryStorage(), ...o }),
  CSVLogger: (o) => new callbacks.CSVLogger('l.csv', { storage: memoryStorage(), ...o }),
  EarlyStopping: (o) => new callbacks.EarlyStopping({ monitor: 'loss', ...o }),
  LambdaCallback: (o) => new callbacks.LambdaCallback(o),
  LearningRateScheduler: (o) => new callbacks.LearningRateScheduler((_, rate) => rate, o),
  ModelCheckpoint: (o) => new callbacks.ModelCheckpoint('m.ckpt', { storage: memoryStorage(), ...o }),
  ReduceLROnPlateau: (o) => new callbacks.ReduceLROnPlateau({ monitor: 'loss', ...o }),
  SwapEMAWeights: (o) => new callbacks.SwapEMAWeights(o),
  TensorBoard: (o) => new callbacks.TensorBoard({ storage: memoryStorage(), ...o }),
  TerminateOnNaN: (o) => new callbacks.TerminateOnNaN(o),
};
/** Those that `fit` makes itself. */
const OWN = ['History', 'ProgressLogger'];

const classes = Object.entries<unknown>(callbacks).filter(
  ([, value]) => typeof value === 'function' && value.prototype instanceof Callback,
);

test('the walk has all callbacks', () => {
  expect([...Object.keys(MAKE), ...OWN].sort()).toEqual(classes.map(([name]) => name).sort());
});

describe.each(Object.entries(MAKE))('%s', (name, make) => {
  test('refuses unknown options, and what is no object', () => {
    expect(() => make({ qqqqqq: 1 })).toThrow(`${name}: unknown option "qqqqqq"`);
    expect(() => make(Object.create({ inherited: 1 }))).not.toThrow(/expected an object/);
  });

  test('goes through two runs, keeps a state that is plain, and takes it back', async () => {
    const model = new Sequential([new Dense(1)]);
    const { SGD } = await import('@recurra/optim');
    model.compile({ optimizer: new SGD({ useEma: true }), loss: 'mse' });
    const callback = make({});
    const data = [ones([4, 2]), ones([4, 1])] as const;
    const options = { epochs: 2, batchSize: 2, verbose: 0, validationData: data, callbacks: [callback] } as const;
    expect((await model.fit(...data, options)).epoch).toEqual([0, 1]);
    expect((await model.fit(...data, options)).epoch).toEqual([0, 1]);
    const state = callback.captureState();
    if (state === null) return;
    expect(JSON.parse(JSON.stringify(state.values))).toEqual(state.values);
    callback.restoreState(state);
    expect(callback.captureState()).toEqual(state);
  });
});

test('EarlyStopping refuses values of other types, and undefined is the default', () => {
  const make = (options: object) => () => new callbacks.EarlyStopping(options);
  expect(make({ patience: -1 })).toThrow(/patience to be an integer >= 0, received -1/);
  expect(make({ minDelta: '0.1' })).toThrow(/minDelta to be a finite number, received "0.1"/);
  expect(make({ baseline: Number.NaN })).toThrow(/baseline to be a finite number/);
  expect(make({ restoreBestWeights: 1 })).toThrow(/restoreBestWeights to be true or false/);
  expect(make({ monitor: undefined, mode: undefined })).not.toThrow();
});

test('TerminateOnNaN stops a run, or rejects', async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  const fit = (options: callbacks.TerminateOnNaNOptions) => {
    const model = new Sequential([new Dense(1)]);
    model.compile({ optimizer: 'sgd', loss: 'mse' });
    const x = ones([4, 1]).mul(1e30);
    return model.fit(x, ones([4, 1]), { epochs: 3, verbose: 0, callbacks: [new callbacks.TerminateOnNaN(options)] });
  };
  expect((await fit({})).epoch).toEqual([0]);
  expect(warn.mock.calls[0]![0]).toMatch(/TerminateOnNaN: expected a finite loss, received (NaN|Infinity) in batch 0/);
  await expect(fit({ raiseError: true })).rejects.toThrow(/expected a finite loss/);
  warn.mockRestore();
});
