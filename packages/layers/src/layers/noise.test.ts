import { randomKey, randomNormal, setSeed, slice, type Tensor, tensor } from '@recurra/tensor';
import {
  ActivityRegularization,
  AlphaDropout,
  type AnyLayer,
  Dense,
  GaussianDropout,
  GaussianNoise,
  Input,
  Model,
  SpatialDropout1D,
} from '../index.js';

const z = randomNormal([400, 300], { key: randomKey(1) });
const ones = z.onesLike();
const few = slice(z, [0, 0], [4, 3]);
const sequence = tensor([
  [
    [1, -2],
    [3, -4],
    [5, -6],
  ],
  [
    [-1, 2],
    [-3, 4],
    [-5, 6],
  ],
]);

beforeEach(() => setSeed(4));

test.each<[AnyLayer, Tensor]>([
  [new GaussianNoise(0.5), few],
  [new GaussianDropout(0.5), few],
  [new AlphaDropout(0.5), few],
  [new SpatialDropout1D(0.5), sequence],
])('nothing happens outside of training: %#', (layer, x) => {
  expect([...(layer.apply(x) as Tensor).data]).toEqual([...x.data]);
});

test('GaussianNoise adds noise of its deviation', () => {
  const noise = new GaussianNoise(0.25).apply(z, { training: true }).sub(z);
  expect(noise.mean().item()).toBeCloseTo(0, 2);
  expect(noise.std().item()).toBeCloseTo(0.25, 2);
});

test('GaussianDropout multiplies by noise of mean 1 and dropout’s deviation: sqrt(0.2 / 0.8)', () => {
  const noise = new GaussianDropout(0.2).apply(ones, { training: true });
  expect(noise.mean().item()).toBeCloseTo(1, 2);
  expect(noise.std().item()).toBeCloseTo(0.5, 2);
});

test('AlphaDropout keeps mean and variance, and moves a share to a constant', () => {
  const y = new AlphaDropout(0.3).apply(z, { training: true });
  expect(y.mean().item()).toBeCloseTo(0, 1);
  expect(y.std().item()).toBeCloseTo(1, 1);
  // a s + b with s = -1.7580993408473766.
  const s = -1.7580993408473766;
  const a = (0.7 * (1 + 0.3 * s * s)) ** -0.5;
  const constant = Math.fround(a * s - a * s * 0.3);
  const share = [...y.data].filter((v) => Math.abs(v - constant) < 1e-6).length / y.size;
  expect(share).toBeCloseTo(0.3, 2);
  const rows = new AlphaDropout(0.3, { noiseShape: [null, 1] }).apply(ones, { training: true });
  for (const row of rows.toArray() as number[][]) expect(new Set(row).size).toBe(1);
});

test('SpatialDropout1D drops a feature at all steps', () => {
  const x = randomNormal([50, 7, 6], { key: randomKey(2) })
    .abs()
    .add(1);
  const y = new SpatialDropout1D(0.4).apply(x, { training: true });
  const kept = y.notEqual(0).cast('float32');
  // All or none of the 7 steps.
  expect(new Set(kept.sum(1).data)).toEqual(new Set([0, 7]));
  expect(kept.mean().item()).toBeGreaterThan(0.45);
  expect(kept.mean().item()).toBeLessThan(0.75);
  const wrong = y.sub(x.div(0.6).mul(kept)).abs().max().item();
  expect(wrong).toBeLessThan(1e-5);
  expect([...new SpatialDropout1D(1).apply(x, { training: true }).data].every((v) => v === 0)).toBe(true);
  expect(new SpatialDropout1D(0.4, { name: 's' }).getConfig()).toEqual({
    rate: 0.4,
    seed: null,
    name: 's',
    dtype: 'float32',
  });
});

test('a seed draws the same stream again', () => {
  for (const make of [
    () => new GaussianNoise(0.5, { seed: 3 }),
    () => new GaussianDropout(0.5, { seed: 3 }),
    () => new AlphaDropout(0.5, { seed: 3 }),
  ]) {
    const [a, b] = [make(), make()];
    const first = a.apply(few, { training: true });
    expect([...first.data]).toEqual([...b.apply(few, { training: true }).data]);
    expect([...a.apply(few, { training: true }).data]).not.toEqual([...first.data]);
  }
});

// Values of Keras: penalties of outputs are over the batch size.
test('ActivityRegularization, and the activityRegularizer of any layer', async () => {
  const layer = new ActivityRegularization({ l1: 0.1, l2: 0.01 });
  expect(layer.apply(sequence).toArray()).toEqual(sequence.toArray());
  expect(layer.losses.map((l) => l.item())).toEqual([expect.closeTo(3.01, 5)]);
  const { l1, l2, activityRegularizer } = layer.getConfig();
  expect([l1, l2, activityRegularizer]).toEqual([0.1, 0.01, undefined]);
  const dense = new Dense(2, { kernelInitializer: 'ones', activityRegularizer: 'l2' });
  const y = [
    [10, 20],
    [30, 40],
  ];
  dense.apply(y);
  expect(dense.losses.map((l) => l.item())).toEqual([expect.closeTo(58, 4)]);
  // In a model, it joins the loss.
  const input = Input({ shape: [2] });
  const model = new Model({ inputs: input, outputs: new ActivityRegularization({ l2: 0.5 }).apply(input) });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const { loss } = await model.evaluate(y, y);
  expect(loss).toBeCloseTo((0.5 * (100 + 400 + 900 + 1600)) / 2, 3);
});

test.each<[string, () => unknown, RegExp]>([
  [
    'GaussianNoise',
    () => new GaussianNoise(1.5),
    /GaussianNoise: expected stddev to be a number from 0 to 1, received 1.5/,
  ],
  [
    'GaussianDropout',
    () => new GaussianDropout(1),
    /GaussianDropout: expected rate to be a number >= 0 and < 1, received 1/,
  ],
  [
    'AlphaDropout',
    () => new AlphaDropout(Number.NaN),
    /AlphaDropout: expected rate to be a number >= 0 and < 1, received NaN/,
  ],
  [
    'AlphaDropout noise',
    () => new AlphaDropout(0.1, { noiseShape: [0] }),
    /noiseShape to be a list of integers >= 1 .*, received \[0\]/,
  ],
  ['SpatialDropout1D', () => new SpatialDropout1D(-0.1), /SpatialDropout1D: expected rate to be a number from 0 to 1/],
  ['rank', () => new SpatialDropout1D(0.1).apply([[1, 2]]), /expected input of rank 3 \[batch, time, features\]/],
  ['penalty', () => new ActivityRegularization({ l1: -1 }), /expected l1 to be a finite number >= 0/],
])('what does not fit is refused: %s', (_, f, message) => {
  expect(f).toThrow(message);
});
