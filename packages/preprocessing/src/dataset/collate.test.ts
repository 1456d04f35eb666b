import { type DType, type Tensor, tensor } from '@recurra/tensor';
import { collate, collatePadded } from '../extend.js';
import { Dataset } from '../index.js';

/** What both ways to make a batch say of elements. */
const batchers = [
  ['batch', (elements: readonly unknown[]) => collate(elements)],
  ['paddedBatch', (elements: readonly unknown[]) => collatePadded(elements)],
] as const;

describe.each(batchers)('%s refuses', (name, batch) => {
  test.each<[string, readonly unknown[], RegExp]>([
    [
      'a key that the first element lacks',
      [{ x: 1 }, { x: 2, y: 3 }],
      /keys of the first of the batch, \["x"\], received element 1 with \["y"\] too/,
    ],
    ['a key that the first element alone has', [{ x: 1, y: 2 }, { x: 2 }], /element 1 without \["y"\]/],
    ['another key', [{ x: 1 }, { x: 1 }, { y: 1 }], /element 2 without \["x"\] and with \["y"\] too/],
    [
      'names of prototypes',
      [{ constructor: 1 }, {}],
      /received object in the first|element 1 without \["constructor"\]/,
    ],
    ['a key within', [{ a: { x: 1 } }, { a: { z: 1 } }], /components \["a"\] with the keys .*\["x"\]/],
    [
      'a missing value',
      [{ x: 1 }, { x: null }],
      /components \["x"\] of one kind, received number .* and no value in element 1/,
    ],
    ['a value that the first lacks', [{ x: undefined }, { x: 1 }], /received no value .* and number in element 1/],
    ['a text beside numbers', [1, 'a'], /received number .* and string in element 1/],
    ['a number beside texts', ['a', 1], /received string .* and number in element 1/],
    ['a boolean beside numbers', [1, true], /received number .* and boolean in element 1/],
    ['a list beside numbers', [1, [2]], /received number .* and list in element 1/],
    ['big integers beside numbers', [1, 2n], /received number .* and bigint in element 1/],
    [
      'tensors of different dtypes',
      [tensor([1]), tensor([1], { dtype: 'int32' })],
      /float32 tensor .* and int32 tensor/,
    ],
    ['typed arrays of different kinds', [Float32Array.of(1), Int32Array.of(1)], /Float32Array .* and Int32Array/],
    ['typed arrays beside lists', [[1, 2], Float32Array.of(1, 2)], /received list .* and Float32Array/],
    [
      'tuples of different lengths',
      [
        [1, 'a'],
        [1, 'a', 2],
      ],
      /of 2 components, as the first of the batch has, received 3 in element 1/,
    ],
    ['tuples beside objects', [[1, 'a'], { x: 1 }], /received list .* and object/],
    ['vectors of strings', [{ x: ['a'] }, { x: ['b'] }], /numbers|integers/],
  ])('%s', (_, elements, message) => {
    expect(() => batch(elements)).toThrow(message);
    expect(() => batch(elements)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(name === 'batch' ? 'batch' : '') }),
    );
  });
});

test('tensors of different shapes are told with both', () => {
  expect(() => collate([tensor([1, 2]), tensor([1])])).toThrow(
    /received \[2\] in the first .* and \[1\] in element 1.*use paddedBatch/,
  );
  expect(() => collate([Float32Array.of(1, 2), Float32Array.of(1)])).toThrow(/use paddedBatch/);
  expect(() => collate([{ x: [1, 2] }, { x: [1] }])).toThrow(/components \["x"\].*use paddedBatch/);
  expect(() => collatePadded([tensor([1]), tensor([[1]])])).toThrow(/of one rank, received 1 and 2/);
});

test('keys in another order are the same keys', () => {
  const { x, y } = collate([
    { x: 1, y: 2 },
    { y: 4, x: 3 },
  ]);
  expect([x.toArray(), y.toArray()]).toEqual([
    [1, 3],
    [2, 4],
  ]);
});

test('dates, big integers and missing values stay what they are', () => {
  const dates = [new Date(0), new Date(1)];
  expect(collate(dates.map((when) => ({ when }))).when).toEqual(dates);
  expect(collate([1n, 2n])).toEqual([1n, 2n]);
  expect(collate([{ x: null }, { x: null }])).toEqual({ x: [null, null] });
});

test('padded sequences keep the dtype of typed arrays and tensors; a fraction that fills is not cut off', () => {
  const dtype = (elements: readonly unknown[]): DType => (collatePadded(elements) as unknown as Tensor).dtype;
  expect(dtype([Float64Array.of(0.1), Float64Array.of(0.1, 0.2)])).toBe('float64');
  expect(dtype([Float32Array.of(1), Float32Array.of(1, 2)])).toBe('float32');
  expect(dtype([Uint8Array.of(1), Uint8Array.of(1, 2)])).toBe('int32');
  expect(dtype([tensor([1, 2], { dtype: 'float64' }), tensor([1], { dtype: 'float64' })])).toBe('float64');
  expect(dtype([tensor([true, true]), tensor([true])])).toBe('bool');
  expect(collatePadded([[1], [1, 2]], { value: 0.5 }).toArray()).toEqual([
    [1, 0.5],
    [1, 2],
  ]);
  const precise = collatePadded([Float64Array.of(0.1), Float64Array.of(0.1, 0.2)]) as unknown as Tensor;
  expect(precise.toArray()).toEqual([
    [0.1, 0],
    [0.1, 0.2],
  ]);
});

test('options that make no sense are told', () => {
  expect(() => collatePadded([[1]], { padToMaxLength: true })).toThrow(/maxLength with padToMaxLength/);
  expect(() => collatePadded([[1]], { maxLength: Number.NaN })).toThrow(/maxLength to be an integer >= 1/);
  expect(() => collatePadded([[1]], { value: '0' as never })).toThrow(/value to be a number/);
});

test('in a data set, the error comes in the iteration', async () => {
  const rows = Dataset.fromArray<Record<string, number>>([{ x: 1 }, { x: 2, y: 3 }]);
  await expect(rows.batch(2).toArray()).rejects.toThrow(/with \["y"\] too/);
});
