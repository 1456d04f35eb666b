import { grad } from '@recurra/autograd';
import {
  inTopK,
  oneHot,
  scatter,
  scatterUpdate,
  segmentMax,
  segmentSum,
  sparseCategoricalCrossentropy,
  type Tensor,
  take,
  takeAlongAxis,
  tensor,
  ValueError,
} from '@recurra/tensor';
import { checkIds } from '@recurra/tensor/extend';
import { jit, scan, setThreads, Variable } from './index.js';

const ints = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const table = tensor([
  [0, 1, 2],
  [3, 4, 5],
]);
const pairs = (i: Tensor): Tensor => i.reshape([-1, 2]);

type Use = (i: Tensor) => Tensor;
/** What takes positions: negative ones count from the end, others beyond the axis are refused. */
const POSITIONS: readonly [name: string, f: Use, good: number[], expected: unknown, bad: number[], message: RegExp][] =
  [
    [
      'gather',
      (i) => table.gather(i),
      [1, -2],
      [
        [3, 4, 5],
        [0, 1, 2],
      ],
      [0, 2],
      /gather: expected indices in -2\.\.1, received 2/,
    ],
    [
      'gather, from the end',
      (i) => table.gather(i, 1),
      [-3],
      [[0], [3]],
      [-4],
      /gather: expected indices in -3\.\.2, received -4/,
    ],
    ['take', (i) => take(table, i), [5, -1], [5, 5], [6], /expected indices in -6\.\.5, received 6/],
    ['take of an axis', (i) => take(table, i, 1), [-1], [[2], [5]], [3], /expected indices in -3\.\.2, received 3/],
    [
      'takeAlongAxis',
      (i) => takeAlongAxis(table, i.reshape([2, 1])),
      [-1, 0],
      [[2], [3]],
      [0, 3],
      /takeAlongAxis: expected indices in -3\.\.2, received 3/,
    ],
    [
      'scatter',
      (i) => scatter(pairs(i), [7], [2, 3]),
      [-1, -1],
      [
        [0, 0, 0],
        [0, 0, 7],
      ],
      [0, 5],
      /scatter: expected indices within shape \[2, 3\], received 5/,
    ],
    [
      'scatter of rows',
      (i) => scatter(i.reshape([1, 1]), [[7, 8, 9]], [2, 3]),
      [-2],
      [
        [7, 8, 9],
        [0, 0, 0],
      ],
      [2],
      /scatter: expected indices in -2\.\.1, received 2/,
    ],
    [
      'scatterUpdate',
      (i) => scatterUpdate(table, pairs(i), [7]),
      [0, -1],
      [
        [0, 1, 7],
        [3, 4, 5],
      ],
      [-3, 0],
      /scatterUpdate: expected indices within shape \[2, 3\], received -3/,
    ],
  ];
/** What takes ids: 0..n-1, nothing else. */
const IDS: readonly [name: string, f: Use, good: number[], expected: unknown, bad: number[], message: RegExp][] = [
  [
    'segmentSum',
    (i) => segmentSum([1, 2], i, 2),
    [1, 1],
    [0, 3],
    [0, -1],
    /segmentSum: expected ids in 0\.\.1, received -1/,
  ],
  [
    'segmentMax',
    (i) => segmentMax([1, 2], i, 2),
    [1, 0],
    [2, 1],
    [0, 2],
    /segmentMax: expected ids in 0\.\.1, received 2/,
  ],
  ['inTopK', (i) => inTopK(i, table, 1), [2, 0], [true, false], [-1, 0], /inTopK: expected ids in 0\.\.2, received -1/],
  [
    'sparseCategoricalCrossentropy',
    (i) => sparseCategoricalCrossentropy(i, table.zerosLike(), { fromLogits: true }).greater(1),
    [2, 0],
    [true, true],
    [3, 0],
    /sparseCategoricalCrossentropy: expected ids in 0\.\.2, received 3/,
  ],
  [
    'checkIds',
    (i) => checkIds(i, 4, 'Embedding'),
    [3, 0],
    [3, 0],
    [0, -1],
    /Embedding: expected ids in 0\.\.3, received -1/,
  ],
];

test.each([...POSITIONS, ...IDS])(
  '%s: indices in range are taken, others throw, eager and compiled',
  async (_name, f, good, expected, bad, message) => {
    expect(f(ints(...good)).toArray()).toEqual(expected);
    expect(() => f(ints(...bad))).toThrow(message);
    // Given from outside, and computed inside of the step.
    for (const g of [f, (i: Tensor) => f(i.add(1).sub(1))]) {
      const step = jit(g);
      expect((await step(ints(...good))).toArray()).toEqual(expected);
      await expect(step(ints(...bad))).rejects.toThrow(message);
      await expect(step(ints(...bad))).rejects.toThrow(ValueError);
      expect((await step(ints(...good))).toArray()).toEqual(expected);
      step.dispose();
    }
  },
);

test.each([-1, 1.7, Number.NaN, Infinity, 4, 3e9])(
  'float ids computed in a step: %p throws, eager and compiled',
  async (id) => {
    const weights = new Variable(tensor([1, 2, 3, 4]), 'table');
    const f = (x: Tensor): Tensor => weights.value.gather(checkIds(x.mul(2), 4, 'Embedding "words"'), 0);
    const step = jit(f);
    const message = `Embedding "words": expected ids in 0..3, received ${id}`;
    const x = tensor([0, id / 2, 1]);
    expect(() => f(x)).toThrow(message);
    await expect(step(x)).rejects.toThrow(message);
    expect((await step(tensor([0, 1, 1.5]))).toArray()).toEqual([1, 3, 4]);
  },
);

test('indices of other kinds are refused, not truncated', () => {
  expect(() => table.gather(tensor([0.5]))).toThrow(/int32/);
  expect(() => table.gather(0.5)).toThrow(/32-bit integers/);
  expect(() => table.gather(Number.NaN)).toThrow(/32-bit integers/);
  expect(() => takeAlongAxis(table, tensor([[0.5], [0]]))).toThrow(/int32/);
  expect(() => oneHot(tensor([0.5]), 3)).toThrow(/int32/);
  expect(() => oneHot([0.5], 3)).toThrow(/32-bit integers/);
  expect(() => oneHot([0], -1)).toThrow(/classes >= 0/);
  expect(() => segmentSum([1, 2], tensor([0, 0.5]), 2)).toThrow(
    /segmentSum: expected ids in 0\.\.1, received 0\.5\. Round/,
  );
  expect(() => segmentSum([1, 2], ints(0), 2)).toThrow(/expected 2 indices/);
  expect(() => segmentMax([1, 2], ints(0, 0), 1.5)).toThrow(/sizes that are integers/);
  expect(() => scatter(ints(0, 1).reshape([2, 1]), [1], [2])).toThrow(/expected values of shape \[2\]/);
  expect(() => sparseCategoricalCrossentropy([1.5], [[0.5, 0.5]])).toThrow(/expected ids in 0\.\.1, received 1\.5/);
});

// Keras 3.15 (one_hot on JAX and TensorFlow): no class, no one.
test('oneHot of a whole number outside of the classes is all zeros', () => {
  expect(oneHot([-1, 0, 3], 3).toArray()).toEqual([
    [0, 0, 0],
    [1, 0, 0],
    [0, 0, 0],
  ]);
});

test('scatter of booleans adds as or', () => {
  const twice = scatter(ints(1, 1, 1).reshape([3, 1]), tensor([true, true, false]), [2]);
  expect([...twice.data]).toEqual([0, 1]);
  expect(scatterUpdate(tensor([true, false]), ints(0).reshape([1, 1]), tensor([false])).toArray()).toEqual([
    false,
    false,
  ]);
});

test('a failing index leaves variables as they were, wherever the step updates them', async () => {
  const counter = new Variable(tensor([0]), 'counter');
  const weights = new Variable(tensor([1, 2, 3]), 'weights');
  const step = jit((ids: Tensor) => {
    counter.assign(counter.value.add(1));
    const picked = weights.value.gather(ids.add(1), 0);
    weights.assign(weights.value.mul(2));
    return picked.sum().add(counter.value.sum());
  });
  expect((await step(ints(0, 1))).item()).toBe(6);
  await expect(step(ints(0, 7))).rejects.toThrow(/gather: expected indices in -3\.\.2, received 8/);
  expect(counter.value.toArray()).toEqual([1]);
  expect(weights.value.toArray()).toEqual([2, 4, 6]);
  // Also where nothing was read on this side in between.
  await step(ints(0, 0));
  await expect(step(ints(0, 7))).rejects.toThrow(/received 8/);
  await expect(step(ints(0, 7))).rejects.toThrow(/received 8/);
  expect(counter.value.toArray()).toEqual([2]);
  expect(weights.value.toArray()).toEqual([4, 8, 12]);
});

test('a failing index inside of a loop, and on two threads', async () => {
  const loop = jit(
    (ids: Tensor) =>
      scan(
        (carry: Tensor, id: Tensor) => ({ carry: carry.add(table.gather(id.add(0)).sum()), y: carry }),
        tensor(0),
        ids,
      ).carry,
  );
  await expect(loop(ints(0, 1, 5))).rejects.toThrow(/gather: expected indices in -2\.\.1, received 5/);
  expect((await loop(ints(0, 1, 1))).item()).toBe(27);
  await setThreads(2);
  try {
    const large = tensor(new Float32Array(3000 * 300).fill(1)).reshape([3000, 300]);
    const step = jit((x: Tensor, ids: Tensor) =>
      x
        .matmul(x.transpose())
        .gather(checkIds(ids, 3000, 'rows'), 0)
        .sum(1),
    );
    const good = ints(...Array.from({ length: 2000 }, (_, i) => i));
    expect((await step(large, good)).data[1999]).toBe(900000);
    await expect(step(large, ints(...Array.from({ length: 2000 }, (_, i) => i + 1500)))).rejects.toThrow(
      /rows: expected ids in 0\.\.2999, received 3\d\d\d/,
    );
    expect((await step(large, good)).data[0]).toBe(900000);
  } finally {
    await setThreads('auto');
  }
});

test('gradients pass through checked ids', async () => {
  const f = (w: Tensor): Tensor => grad((v: Tensor) => v.gather(checkIds(ints(1, 1, 0), 2, 'ids'), 0).sum())(w);
  expect(f(tensor([5, 6])).toArray()).toEqual([1, 2]);
  expect((await jit(f)(tensor([5, 6]))).toArray()).toEqual([1, 2]);
});
