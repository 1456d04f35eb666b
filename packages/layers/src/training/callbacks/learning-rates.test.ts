import { Adam, exponentialDecay } from '@recurra/optim';
import { ones } from '@recurra/tensor';
import { Dense, Sequential } from '../../index.js';
import type { Callback } from '../callback.js';
import { LearningRateScheduler } from './learning-rate-scheduler.js';
import { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './reduce-lr-on-plateau.js';

const VALUES = [1, 0.9, 0.89995, 0.9, 0.95, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.5, 0.6, Number.NaN, 0.7, 0.8];

/** The learning rates after epochs with these losses. */
function rates(callback: Callback, start = 0.1): number[] {
  const optimizer = {
    rate: Math.fround(start),
    get learningRate() {
      return this.rate;
    },
    set learningRate(value: number) {
      this.rate = Math.fround(value);
    },
  };
  callback.model = { optimizer, directionOf: () => 'down' } as never;
  callback.onTrainBegin({} as never);
  return VALUES.map((loss, epoch) => {
    callback.onEpochBegin(epoch);
    const logs: Record<string, number> = { loss };
    const before = optimizer.rate;
    callback.onEpochEnd(epoch, logs);
    expect(logs['learningRate']).toBe(before);
    return optimizer.rate;
  });
}

// The rates of Keras 3.15 for these losses, as powers of what the rate is multiplied by.
test.each<[ReduceLROnPlateauOptions, number[]]>([
  [{ patience: 2, factor: 0.5 }, [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6]],
  [{ patience: 1, factor: 0.5, cooldown: 2 }, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7]],
  [{ patience: 1, factor: 0.5, mode: 'max' }, VALUES.map((_, i) => i)],
  [{ patience: 0, factor: 0.9 }, [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13]],
])('ReduceLROnPlateau %p', (options, powers) => {
  const found = rates(new ReduceLROnPlateau({ monitor: 'loss', ...options }));
  found.forEach((rate, i) => {
    expect(rate / (0.1 * options.factor! ** powers[i]!)).toBeCloseTo(1, 5);
  });
});

test('ReduceLROnPlateau stops at minLr, and counts what is larger than minDelta', () => {
  const options = { monitor: 'loss', patience: 2, factor: 0.1, minLr: 0.02, minDelta: 0.05 };
  expect(rates(new ReduceLROnPlateau(options)).map((rate) => Number(rate.toFixed(6)))).toEqual([
    0.1,
    0.1,
    0.1,
    ...Array(14).fill(0.02),
  ]);
});

test('LearningRateScheduler asks with the epoch and the rate so far', () => {
  const asked: number[][] = [];
  const found = rates(
    new LearningRateScheduler((epoch, rate) => {
      asked.push([epoch, rate]);
      return epoch < 2 ? rate : rate / 2;
    }),
    1,
  );
  expect(found.slice(0, 5)).toEqual([1, 1, 0.5, 0.25, 0.125]);
  expect(asked.slice(0, 4)).toEqual([
    [0, 1],
    [1, 1],
    [2, 1],
    [3, 0.5],
  ]);
});

test('both are told apart from schedules of the optimizer, and wrong rates are refused', async () => {
  const fit = (callback: Callback, learningRate: ConstructorParameters<typeof Adam>[0] = {}): Promise<unknown> => {
    const model = new Sequential([new Dense(1)]);
    model.compile({ optimizer: new Adam(learningRate), loss: 'mse' });
    return model.fit(ones([2, 1]), ones([2, 1]), { verbose: 0, epochs: 3, callbacks: [callback] });
  };
  const decay = { learningRate: exponentialDecay({ initialLearningRate: 1, decaySteps: 2, decayRate: 0.5 }) };
  await expect(fit(new LearningRateScheduler((_, rate) => rate), decay)).rejects.toThrow(/found a schedule/);
  await expect(fit(new LearningRateScheduler(() => '0.1' as never))).rejects.toThrow(
    /a finite learning rate >= 0 for epoch 0, received "0.1"/,
  );
  await expect(fit(new LearningRateScheduler(() => Number.NaN))).rejects.toThrow(/received NaN/);
  const history = (await fit(new LearningRateScheduler((e) => 1 / (e + 1)))) as { values(name: string): number[] };
  expect(history.values('learning_rate')).toEqual([1, 0.5, Math.fround(1 / 3)]);
});
