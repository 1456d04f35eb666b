import { inspect } from 'node:util';
import { arange, ones, randomKey, Tensor, tensor, tensorFromJSON, zeros } from './index.js';

const x = tensor([
  [1, Number.NaN],
  [-Infinity, -0],
]);

test('consoles print shape, dtype and values, not fields', () => {
  expect(inspect(tensor([1, 2.5]))).toBe('[ 1. 2.5]\nTensor [2] float32');
  expect(inspect(x.transpose())).toMatch(/nan[\s\S]*Tensor \[2, 2\] float32$/);
  expect(inspect({ a: [tensor([true])] })).toContain('Tensor [1] bool');
  expect(inspect({ a: { b: { c: ones([2, 3]) } } })).toContain('[Tensor [2, 3] float32]');
  expect(inspect(randomKey(7))).toBe('[0 7]\nTensor [2] int32');
  expect(`${zeros([])}`).toBe('0.\nTensor [] float32');
});

test('large tensors are shortened', () => {
  expect(inspect(arange(1e6)).split('\n')[0]).toBe('[     0      1      2 ... 999997 999998 999999]');
  expect(inspect(zeros([200, 300, 400])).length).toBeLessThan(3000);
});

test('traced values print without data', () => {
  expect(inspect(new Tensor([3], 'int32', null))).toBe('Tensor [3] int32 (traced)');
  expect(JSON.stringify(new Tensor([3], 'int32', null))).toBe('{"dtype":"int32","shape":[3]}');
});

test('JSON has dtype, shape and data, and what JSON has no numbers for survives', () => {
  expect(JSON.stringify(x)).toBe('{"dtype":"float32","shape":[2,2],"data":[1,"NaN","-Infinity","-0"]}');
  expect(JSON.stringify({ t: tensor([true, false]) })).toBe('{"t":{"dtype":"bool","shape":[2],"data":[true,false]}}');
  for (const t of [x, x.transpose(), tensor([true]), arange(3), zeros([0, 2]), tensor(Float64Array.of(1e300))]) {
    const back = tensorFromJSON(JSON.parse(JSON.stringify(t)));
    expect([back.dtype, back.shape, back.toArray()]).toEqual([t.dtype, t.shape, t.toArray()]);
  }
});

test.each<[unknown, RegExp]>([
  [null, /expected \{ dtype, shape, data \}/],
  [{ dtype: 'constructor', shape: [], data: [1] }, /expected \{ dtype, shape, data \}/],
  [{ dtype: 'float32', shape: [2], data: [1] }, /expected 2 elements/],
  [{ dtype: 'float32', shape: [-1], data: [1] }, /dimensions/],
  [{ dtype: 'float32', shape: [1], data: ['x'] }, /received "x"/],
  [{ dtype: 'bool', shape: [1], data: [1] }, /received 1/],
  [{ dtype: 'int32', shape: [1], data: [1.5] }, /32-bit integers/],
])('tensorFromJSON refuses %j', (value, message) => {
  expect(() => tensorFromJSON(value)).toThrow(message);
});

test("Jest's diff shows values", () => {
  const message = (f: () => void): string => {
    try {
      f();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const text = message(() => expect(tensor([1, 2])).toBe(0));
  expect(text).toContain('{"data": [1, 2], "dtype": "float32", "shape": [2]}');
});

test('data is a copy: writing to it changes no tensor, and views do not share it', () => {
  const t = tensor([1, 2, 3, 4]);
  const view = t.reshape([2, 2]);
  t.data.fill(0);
  view.data[0] = 9;
  tensor(t.data).data.set([5]);
  expect(t.toArray()).toEqual([1, 2, 3, 4]);
  expect(t.narrow(0, 1, 2).data.buffer.byteLength).toBe(8);
  expect(view.add(0).toArray()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(t.item.call(t.narrow(0, 0, 1))).toBe(1);
});

test('shapes given as arrays are copied', () => {
  const shape = [2, 3];
  const made = [
    zeros(shape),
    zeros([6]).reshape(shape),
    zeros([3]).broadcastTo(shape),
    tensor(new Float32Array(6), { shape }),
  ];
  shape[0] = 9;
  for (const t of made) expect(t.shape).toEqual([2, 3]);
});

test('types: toArray by its nesting, data without casts', () => {
  const rows = tensor([[1, 2]]).toArray<number[][]>();
  expect(rows[0]![1]! + 1).toBe(3);
  const total: number = tensor([1, 2]).data.reduce((a, b) => a + b);
  const doubled = [...tensor([1, 2]).data.map((v) => 2 * v)];
  expect([total, ...doubled]).toEqual([3, 2, 4]);
});
