import { jit } from '@recurra/compiler';
import { tensor } from '@recurra/tensor';
import { BatchNormalization, Dense, Sequential } from '../../index.js';

const X = tensor([
  [1, 2, 3, -1],
  [0.5, -2, 1, 2],
  [2, 0, 1, 1.5],
]);

const values = (layer: BatchNormalization): Record<string, number[]> =>
  Object.fromEntries(layer.weights.map((w) => [w.name, [...w.value.data] as number[]]));

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5);
  });
}

// Values of Keras 3.15.
test('batch renormalization gives what Keras gives, clipped', () => {
  const layer = new BatchNormalization({
    renorm: true,
    momentum: 0.8,
    renormMomentum: 0.7,
    renormClipping: { rmax: 1.1, rmin: 0.5, dmax: 0.4 },
  });
  let y = layer.apply(X, { training: true });
  for (let i = 0; i < 2; i++) y = layer.apply(X, { training: true });
  expectClose(
    y.data,
    [
      0.193844, 1.346967, 1.773009, -1.184088, -0.424624, -1.346967, -0.286505, 1.329785, 1.43078, 0, -0.286505,
      0.910806,
    ],
  );
  const found = values(layer);
  expect(Object.keys(found)).toEqual([
    'gamma',
    'beta',
    'moving_mean',
    'moving_variance',
    'moving_stddev',
    'renorm_mean',
    'renorm_stddev',
  ]);
  expectClose(found['moving_mean']!, [0.569333, 0, 0.813333, 0.406667]);
  expectClose(found['moving_variance']!, [0.666019, 1.712612, 0.944464, 1.327499]);
  expectClose(found['moving_stddev']!, [0.816712, 1.30905, 0.97235, 1.152605]);
  expectClose(found['renorm_mean']!, [0.7665, 0, 1.095, 0.5475]);
  expectClose(found['renorm_stddev']!, [0.753238, 1.416078, 0.962774, 1.205454]);
});

test('batch renormalization without factor and offset gives what Keras gives', async () => {
  const layer = new BatchNormalization({ renorm: true, center: false, scale: false });
  layer.apply(X, { training: true });
  const y = await jit((x: typeof X) => layer.apply(x, { training: true }))(X);
  expectClose(
    y.data,
    [0.992059, 1.987414, 2.985024, -1.00519, 0.490174, -1.987414, 0.983891, 1.985458, 1.995829, 0, 0.983891, 1.487016],
  );
  expectClose(values(layer)['moving_variance']!, [0.984108, 1.024364, 0.996746, 1.011485]);
});

test('training moves the statistics in the compiled step, inference and a frozen layer leave them', async () => {
  const layer = new BatchNormalization({ momentum: 0.5, center: false, scale: false });
  const model = new Sequential([layer, new Dense(1)]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const y = tensor([[1], [2], [3]]);
  await model.fit(X, y, { epochs: 1, verbose: 0 });
  // 0.5 * 0 + 0.5 * mean, 0.5 * 1 + 0.5 * variance, of the columns.
  const after = values(layer);
  expectClose(after['moving_mean']!, [7 / 12, 0, 5 / 6, 5 / 12]);
  expectClose(after['moving_variance']!, [0.694444, 1.833333, 0.944444, 1.361111]);
  await model.predict(X);
  await model.evaluate(X, y, { verbose: 0 });
  expect(values(layer)).toEqual(after);
  // It has no weights that are trained: that it is frozen counts all the same, at the next step.
  layer.trainable = false;
  await model.fit(X, y, { epochs: 1, verbose: 0 });
  expect(values(layer)).toEqual(after);
  layer.trainable = true;
  await model.fit(X, y, { epochs: 1, verbose: 0 });
  expect(values(layer)['moving_mean']![0]).toBeCloseTo(0.875, 5);
});

test('a frozen layer normalizes with the moving statistics in training', () => {
  const layer = new BatchNormalization({ epsilon: 0 });
  layer.build([null, 4]);
  layer.setWeights([
    [1, 1, 1, 1],
    [0, 0, 0, 0],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
  ]);
  layer.trainable = false;
  const y = layer.apply(X, { training: true });
  expectClose(y.at(0).data, [0, 0, 0, -2.5]);
});

test('mistakes are told', () => {
  expect(() => new BatchNormalization({ momentum: 2 })).toThrow('expected momentum in 0..1, received 2');
  expect(() => new BatchNormalization({ axis: [1] as never })).toThrow('expected axis to be an integer, received [1]');
  expect(() => new BatchNormalization({ epsilon: -1 })).toThrow('expected epsilon to be a number >= 0, received -1');
  expect(() => new BatchNormalization({ renormClipping: { rmax: 1, rmin: 2 } })).toThrow(
    'expected rmax of at least rmin',
  );
  expect(() => new BatchNormalization({ renormClipping: { max: 1 } as never })).toThrow('max');
  const layer = new BatchNormalization();
  expect(() => layer.apply(X, { mask: tensor([[true]]) })).toThrow(
    'expected a mask of one axis less than the input [3, 4], received [1, 1]',
  );
  expect(() => layer.apply(tensor([[1, 2]]))).toThrow('expected axis 1 of size 4, received [1, 2]');
  expect(() => new BatchNormalization({ axis: 2 }).apply(X)).toThrow('expected an input with axis 2');
});
