import { SGD } from '@recurra/optim';
import { ones, randomKey, randomNormal, type Tensor } from '@recurra/tensor';
import { Dense, Sequential } from '../../index.js';
import type { Callback } from '../callback.js';
import { LambdaCallback } from './lambda-callback.js';
import { SwapEMAWeights } from './swap-ema-weights.js';

const x = randomNormal([8, 2], { key: randomKey(3) });
const y = x.sum(1, { keepDims: true });
const bits = (model: { getWeights(): Tensor[] }): number[] => model.getWeights().flatMap((w) => [...w.data]);
const make = (useEma = true): Sequential => {
  const model = new Sequential([new Dense(1, { kernelInitializer: 'ones' })]);
  model.build([null, 2]);
  model.compile({ optimizer: new SGD({ learningRate: 0.1, useEma, emaMomentum: 0.5 }), loss: 'mse' });
  return model;
};
/** The weights after each step, and their average by hand: the first value, then half old, half new. */
async function train(callbacks: (model: Sequential) => Callback[], epochs = 2) {
  const model = make();
  const steps: number[][] = [];
  await model.fit(x, y, {
    epochs,
    batchSize: 4,
    shuffle: false,
    verbose: 0,
    validationData: [x, y],
    callbacks: [
      new LambdaCallback({
        onTrainBatchEnd: () => {
          steps.push(bits(model));
        },
      }),
      ...callbacks(model),
    ],
  });
  const averages: number[][] = [];
  for (const step of steps)
    averages.push(step.map((w, i) => (averages.length === 0 ? w : (averages.at(-1)![i]! + w) / 2)));
  return { model, steps, averages };
}
const close = (found: number[], expected: number[]): void =>
  found.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 5);
  });

test('averages are validated, the weights are trained on, and the averages are left at the end', async () => {
  const seen: number[][] = [];
  const { model, averages } = await train((m) => [
    new SwapEMAWeights(),
    new LambdaCallback({
      onTestBatchBegin: () => {
        seen.push(bits(m));
      },
    }),
  ]);
  close(seen[0]!, averages[1]!);
  close(seen.at(-1)!, averages[3]!);
  close(bits(model), averages[3]!);
  const plain = await train(() => []);
  close(plain.steps.flat(), (await train(() => [new SwapEMAWeights()])).steps.flat());
});

test('swapOnEpoch: later callbacks see averages at the end of an epoch, training does not', async () => {
  const seen: number[][] = [];
  const { model, steps, averages } = await train((m) => [
    new SwapEMAWeights({ swapOnEpoch: true }),
    new LambdaCallback({
      onEpochEnd: () => {
        seen.push(bits(m));
      },
    }),
  ]);
  close(seen[0]!, averages[1]!);
  close(seen[1]!, averages[3]!);
  close(bits(model), averages[3]!);
  close(steps.flat(), (await train(() => [])).steps.flat());
});

test('evaluation and prediction with averages leave the weights, before training and after', async () => {
  const model = make();
  const callbacks = [new SwapEMAWeights()];
  const before = bits(model);
  const first = await model.evaluate(x, y, { callbacks });
  expect(await model.evaluate(x, y, { callbacks })).toEqual(first);
  expect(bits(model)).toEqual(before);
  await model.trainOnBatch(x, y);
  const one = bits(model);
  await model.trainOnBatch(x, y);
  const two = bits(model);
  const average = one.map((w, i) => (w + two[i]!) / 2);
  const predicted = await model.predict(ones([1, 2]), { callbacks });
  expect(predicted.item()).toBeCloseTo(average[0]! + average[1]! + average[2]!, 5);
  expect(bits(model)).toEqual(two);
});

test('an error in validation leaves the weights in their place', async () => {
  const model = make();
  let trained: number[] = [];
  const fail = new LambdaCallback({
    onTestBegin: () => {
      throw new Error('stop');
    },
    onTrainBatchEnd: () => {
      trained = bits(model);
    },
  });
  const callbacks = [new SwapEMAWeights(), fail];
  await expect(
    model.fit(x, y, { epochs: 2, batchSize: 4, verbose: 0, validationData: [x, y], callbacks }),
  ).rejects.toThrow('stop');
  expect(bits(model)).toEqual(trained);
});

test('an optimizer without averages is refused', async () => {
  await expect(make(false).fit(x, y, { verbose: 0, callbacks: [new SwapEMAWeights()] })).rejects.toThrow(
    /an optimizer that keeps averages, received SGD without. Compile with new SGD\(\{ useEma: true \}\)/,
  );
  expect(() => new SwapEMAWeights({ swap: true } as never)).toThrow(/unknown option/);
});
