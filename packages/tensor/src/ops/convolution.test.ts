import { randomKey, randomNormal } from '../random.js';
import { conv1d, depthwiseConv1d, type Padding, paddingOf } from './convolution.js';
import { zeros } from './creation.js';

/** The definition, a number at a time: y[b, t, o] = sum over j, c of x[b, t * strides + j * dilation, group of o + c] kernel[j, c, o]. */
function byDefinition(
  x: number[][][],
  kernel: number[][][],
  filters: number,
  { strides, padding, dilation, groups }: { strides: number; padding: Padding; dilation: number; groups: number },
): number[][][] {
  const time = x[0]!.length;
  const span = (kernel.length - 1) * dilation + 1;
  const [before, after] = paddingOf(time, span, strides, padding);
  const windows = Math.floor((time + before + after - span) / strides) + 1;
  return x.map((steps) =>
    Array.from({ length: windows }, (_, t) =>
      Array.from({ length: filters }, (_, o) => {
        let sum = 0;
        kernel.forEach((rows, j) => {
          const step = steps[t * strides + j * dilation - before];
          const first = Math.floor(o / (filters / groups)) * rows.length;
          for (const [c, row] of rows.entries()) sum += (step?.[first + c] ?? 0) * row[o]!;
        });
        return sum;
      }),
    ),
  );
}

describe.each([
  ['all channels together', 1, 6],
  ['two groups', 2, 6],
  ['a group for each channel', 4, 4],
  ['a group for each channel, three filters each', 4, 12],
])('%s', (_name, groups, filters) => {
  test.each([
    [1, 1, 'valid', 3],
    [2, 1, 'same', 3],
    [1, 2, 'causal', 3],
    [3, 2, 'valid', 2],
    [1, 1, 'same', 9],
  ] as const)('strides %d, dilation %d, %s, windows of %d', (strides, dilation, padding, size) => {
    const x = randomNormal([2, 7, 4], { key: randomKey(1), dtype: 'float64' });
    const kernel = randomNormal([size, 4 / groups, filters], { key: randomKey(2), dtype: 'float64' });
    const y = conv1d(x, kernel, { strides, dilationRate: dilation, padding, groups });
    const expected = byDefinition(x.toArray<number[][][]>(), kernel.toArray<number[][][]>(), filters, {
      strides,
      padding,
      dilation,
      groups,
    });
    expect(y.shape).toEqual([2, expected[0]!.length, filters]);
    y.toArray<number[][][]>()
      .flat(2)
      .forEach((value, i) => {
        expect(value).toBeCloseTo(expected.flat(2)[i]!, 12);
      });
    if (groups === 4) {
      const deep = kernel.reshape([size, 4, filters / 4]);
      expect(depthwiseConv1d(x, deep, { strides, dilationRate: dilation, padding }).toArray()).toEqual(y.toArray());
    }
  });

  test('no window fits; a window of no steps; integers stay integers', () => {
    expect(conv1d(zeros([2, 2, 4]), zeros([5, 4 / groups, filters]), { groups }).shape).toEqual([2, 0, filters]);
    const empty = conv1d(zeros([2, 5, 4]), zeros([0, 4 / groups, filters]), { groups });
    expect(empty.shape).toEqual([2, 6, filters]);
    expect(empty.toArray<number[][][]>().flat(2)).toEqual(new Array(2 * 6 * filters).fill(0));
    expect(conv1d(zeros([2, 5, 4], 'int32'), zeros([2, 4 / groups, filters], 'int32'), { groups }).dtype).toBe('int32');
  });
});
