import { ones, ValueError } from '@recurra/tensor';
import { Callback, Dense, Sequential } from '../index.js';

const run = (callback: Callback): Promise<unknown> => {
  const model = new Sequential([new Dense(1)]);
  model.compile({ loss: 'mse' });
  return model.fit(ones([2, 2]), ones([2, 1]), { verbose: 0, callbacks: [callback] });
};

test.each([
  ['on_epoch_end', 'onEpochEnd'],
  ['onEpochEnds', 'onEpochEnd'],
  ['onepochend', 'onEpochEnd'],
  ['on_batch_end', 'onTrainBatchEnd'],
  ['onBatchBegin', 'onTrainBatchBegin'],
])('a method %s, which nothing would call, is refused', async (name, meant) => {
  class Own extends Callback {}
  Object.defineProperty(Own.prototype, name, { value: () => {}, configurable: true });
  class Derived extends Own {}
  for (const callback of [
    new Own(),
    new Derived(),
    Object.assign(new (class extends Callback {})(), { [name]: () => {} }),
  ]) {
    await expect(run(callback)).rejects.toThrow(ValueError);
    await expect(run(callback)).rejects.toThrow(`received "${name}". Did you mean "${meant}"?`);
  }
});

test('other names are free', async () => {
  class Own extends Callback {
    readonly epochs: number[] = [];
    readonly onEpochs = 1;
    onImprovement(epoch: number): void {
      this.epochs.push(epoch);
    }
    override onEpochEnd(epoch: number): void {
      this.onImprovement(epoch);
    }
  }
  const callback = new Own();
  await run(callback);
  expect(callback.epochs).toEqual([0]);
});
