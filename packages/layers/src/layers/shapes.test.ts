import { tensor } from '@recurra/tensor';
import { Flatten, Identity, Input, Permute, RepeatVector, Reshape } from '../index.js';

const x = tensor([
  [
    [1, -2],
    [3, -4],
    [5, -6],
  ],
]);

test('Flatten takes features first or last (values of Keras)', () => {
  expect(new Flatten().apply(x).toArray()).toEqual([[1, -2, 3, -4, 5, -6]]);
  expect(new Flatten({ dataFormat: 'channelsFirst' }).apply(x).toArray()).toEqual([[1, 3, 5, -2, -4, -6]]);
  expect(new Flatten({ dataFormat: 'channels_first' }).getConfig()['dataFormat']).toBe('channels_first');
  expect(new Flatten().apply([1, 2]).toArray()).toEqual([[1], [2]]);
  expect(() => new Flatten({ dataFormat: 'last' as never })).toThrow(/Flatten: dataFormat: expected one of/);
});

test('dtypes stay, open sizes stay open', () => {
  const ids = Input({ shape: [null, 2], dtype: 'int32' });
  for (const layer of [new Flatten(), new Reshape([-1]), new Permute([2, 1]), new Identity()]) {
    const out = layer.apply(ids);
    expect(out.dtype).toBe('int32');
    expect(out.shape).toContain(null);
  }
  expect(new Flatten().apply(ids).shape).toEqual([null, null]);
  expect(new Permute([2, 1]).apply(ids).shape).toEqual([null, 2, null]);
  expect(new Reshape([2, -1]).apply(ids).shape).toEqual([null, 2, null]);
  expect(new Reshape([-1, 3]).apply(Input({ shape: [6] })).shape).toEqual([null, 2, 3]);
});

test('Reshape, Permute and RepeatVector', () => {
  expect(new Reshape([2, 3]).apply(x).toArray()).toEqual([
    [
      [1, -2, 3],
      [-4, 5, -6],
    ],
  ]);
  expect(new Permute([2, 1]).apply(x).toArray()).toEqual([
    [
      [1, 3, 5],
      [-2, -4, -6],
    ],
  ]);
  expect(new RepeatVector(2).apply([[1, 2]]).toArray()).toEqual([
    [
      [1, 2],
      [1, 2],
    ],
  ]);
});

test('Identity passes trees', () => {
  const out = new Identity<{ a: typeof x }>().apply({ a: x });
  expect(out.a.toArray()).toEqual(x.toArray());
});

test.each<[string, () => unknown, RegExp]>([
  [
    'elements',
    () => new Reshape([4]).apply(x),
    /expected inputs of 4 elements a sample for targetShape \[4\], received \[1, 3, 2\], 6/,
  ],
  ['a multiple', () => new Reshape([4, -1]).apply(x), /a multiple of 4 elements/],
  ['two -1', () => new Reshape([-1, -1]), /expected -1 at most once/],
  ['-2', () => new Reshape([-2]), /expected targetShape as a list of sizes/],
  ['a number', () => new Reshape(4 as never), /expected targetShape as a list of sizes/],
  ['the batch', () => new Permute([0, 1]), /expected dims to be an order of the axes 1, 2/],
  ['twice', () => new Permute([1, 1]), /expected dims to be an order/],
  ['rank', () => new Permute([2, 1]).apply([[1, 2]]), /expected input of rank 3/],
  ['sequence', () => new RepeatVector(2).apply(x), /expected input of rank 2 \[batch, features\]/],
  ['times', () => new RepeatVector(0), /expected n to be an integer >= 1/],
])('what does not fit is refused: %s', (_, f, message) => {
  expect(f).toThrow(message);
});
