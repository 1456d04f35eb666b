import { Adam, LossScaleOptimizer, type Optimizer, SGD } from '@recurra/optim';
import { tensor } from '@recurra/tensor';
import { Dense, Sequential } from '../index.js';
import { TrainState } from './state.js';

const X = tensor([
  [0.5, -1],
  [1, 0.25],
  [-0.75, 2],
  [0.1, 0.9],
]);
const Y = tensor([[1], [-1], [0.5], [2]]);

function make(optimizer: Optimizer, runEagerly = false): Sequential {
  const model = new Sequential([new Dense(1, { kernelRegularizer: 'l2' })]);
  model.build([null, 2]);
  model.setWeights([tensor([[0.3], [-0.2]]), tensor([0.1])]);
  model.compile({ optimizer, loss: 'mse', runEagerly });
  return model;
}

async function losses(model: Sequential, epochs = 5): Promise<number[]> {
  const history = await model.fit(X, Y, { epochs, batchSize: 2, shuffle: false, verbose: 0 });
  return [...history.values('loss')];
}

const numbers = (model: Sequential): number[] => model.weights.flatMap((w) => [...w.value.data].map(Number));

describe.each([
  ['compiled', false],
  ['eagerly', true],
])('%s', (_, eagerly) => {
  test.each<[string, () => Optimizer]>([
    ['lossScaleFactor', () => new SGD({ learningRate: 0.1, lossScaleFactor: 1024 })],
    ['a scale that follows', () => new LossScaleOptimizer(new SGD({ learningRate: 0.1 }), { initialScale: 512 })],
  ])('%s: losses are reported without it, and steps are those without it', async (_name, optimizer) => {
    // Powers of two scale floats exactly: as without a scale, bit for bit.
    const plain = make(new SGD({ learningRate: 0.1 }), eagerly);
    const scaled = make(optimizer(), eagerly);
    expect(await losses(scaled)).toEqual(await losses(plain));
    expect(numbers(scaled)).toEqual(numbers(plain));
  });

  test('steps with gradients that are not finite are left out, and the scale halves', async () => {
    const optimizer = new LossScaleOptimizer(new Adam({ learningRate: 0.1 }), {
      initialScale: 8,
      dynamicGrowthSteps: 2,
    });
    const model = make(optimizer, eagerly);
    const scale = (): number =>
      model.optimizer.variables.find((v) => v.path.endsWith('dynamicScale'))!.value.item() as number;
    const before = numbers(model);
    await model.trainOnBatch(tensor([[1e30, 1]]), tensor([[1]]));
    expect([numbers(model), model.optimizer.iterations, scale()]).toEqual([before, 0, 4]);
    await model.trainOnBatch(X, Y);
    expect(numbers(model)).not.toEqual(before);
    expect([model.optimizer.iterations, scale()]).toEqual([1, 4]);
    await model.trainOnBatch(X, Y);
    expect([model.optimizer.iterations, scale()]).toEqual([2, 8]);
  });

  test('a loss that overflows with the scale alone is found by halving it', async () => {
    const optimizer = new LossScaleOptimizer(new SGD({ learningRate: 0.1 }), { initialScale: 2 ** 127 });
    const model = make(optimizer, eagerly);
    const seen = await losses(model, 6);
    expect(seen.every(Number.isFinite)).toBe(true);
    expect(model.optimizer.iterations).toBeGreaterThan(0);
    expect(seen.at(-1)!).toBeLessThan(seen[0]!);
  });
});

test('compiled as eagerly, with averages and accumulated gradients', async () => {
  const optimizer = (): Optimizer =>
    new LossScaleOptimizer(new Adam({ learningRate: 0.1, useEma: true, gradientAccumulationSteps: 2 }), {
      initialScale: 2,
      dynamicGrowthSteps: 3,
    });
  const compiled = make(optimizer());
  const eager = make(optimizer(), true);
  const [a, b] = [await losses(compiled), await losses(eager)];
  a.forEach((loss, i) => {
    expect(loss).toBeCloseTo(b[i]!, 5);
  });
  numbers(compiled).forEach((w, i) => {
    expect(w).toBeCloseTo(numbers(eager)[i]!, 5);
  });
  expect(compiled.optimizer.hasAverages).toBe(true);
});

test('a snapshot of the run holds the scale and its counter', async () => {
  const model = make(new LossScaleOptimizer(new Adam(), { initialScale: 4, dynamicGrowthSteps: 3 }));
  await model.trainOnBatch(X, Y);
  await model.trainOnBatch(X, Y);
  const parts = (m: Sequential) => () => ({ weights: m.variables, optimizer: m.optimizer.variables, metrics: [] });
  const snapshot = new TrainState(parts(model)).capture();
  const named = snapshot.paths['optimizer']!.map((path, i) => [path, snapshot.groups['optimizer']![i]!.toArray()]);
  expect(named).toContainEqual(['optimizer/shared/stepCounter', 2]);
  expect(named).toContainEqual(['optimizer/shared/dynamicScale', 4]);
  const other = make(new LossScaleOptimizer(new Adam(), { initialScale: 4, dynamicGrowthSteps: 3 }));
  other.optimizer.prepare(other.trainableWeights);
  const state = new TrainState(parts(other));
  state.restore(snapshot);
  state.ready();
  await model.trainOnBatch(X, Y);
  await other.trainOnBatch(X, Y);
  const values = (m: Sequential) => m.optimizer.variables.map((v) => v.value.toArray());
  expect(values(other)).toEqual(values(model));
  expect(numbers(other)).toEqual(numbers(model));
});

test('compile takes an optimizer as data, and a model gives its own with the rate as it is now', async () => {
  const model = make(new LossScaleOptimizer(new Adam({ learningRate: 0.5 }), { initialScale: 4 }));
  model.optimizer.learningRate = 0.25;
  const data = model.optimizer.serialize();
  expect(data).toMatchObject({ className: 'LossScaleOptimizer', config: { innerOptimizer: { className: 'Adam' } } });
  const again = make(new SGD());
  again.compile({ optimizer: data, loss: 'mse' });
  expect(again.optimizer.learningRate).toBe(0.25);
  expect(again.optimizer.getConfig()).toEqual(model.optimizer.getConfig());
  again.compile({ optimizer: { className: 'Adam', config: { beta1: 0.8 } }, loss: 'mse' });
  expect(again.optimizer.getConfig()).toMatchObject({ name: 'adam', beta1: 0.8, epsilon: 1e-7 });
  expect(() => again.compile({ optimizer: { className: 'Adam', config: { beta_1: 0.8 } }, loss: 'mse' })).toThrow(
    /Adam: unknown option "beta_1"/,
  );
});
