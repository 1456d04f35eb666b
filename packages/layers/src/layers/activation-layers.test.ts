import { tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../extend.js';
import { ELU, Input, LeakyReLU, PReLU, ReLU, Softmax } from '../index.js';

const x = tensor([
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
const near = (actual: Iterable<number>, expected: readonly number[]): void => {
  const found = [...actual];
  expect(found).toHaveLength(expected.length);
  found.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 6);
  });
};

// Values of Keras.
test('ReLU with all of its options', () => {
  near(
    new ReLU({ maxValue: 4, negativeSlope: 0.1, threshold: 1 }).apply(x).data,
    [0, -0.3, 3, -0.5, 4, -0.7, -0.2, 2, -0.4, 4, -0.6, 4],
  );
});

test('PReLU shares slopes along axes', () => {
  const layer = new PReLU({
    sharedAxes: 1,
    alphaInitializer: { className: 'Constant', config: { value: 0.25 } } as never,
  });
  near(layer.apply(x).data, [1, -0.5, 3, -1, 5, -1.5, -0.25, 2, -0.75, 4, -1.25, 6]);
  expect(layer.weights[0]!.shape).toEqual([1, 2]);
  expect(layer.getConfig()['sharedAxes']).toEqual([1]);
  // The shared axis may have any size, the others not.
  expect(layer.apply(tensor([[[1, 2]]])).shape).toEqual([1, 1, 2]);
  expect(() => layer.apply(tensor([[[1, 2, 3]]]))).toThrow(
    /expected input of shape \[null, null, 2\], received \[1, 1, 3\]/,
  );
});

describe('Softmax', () => {
  const scores = tensor([
    [10, 20],
    [30, 40],
  ]);
  test('over two axes', () => {
    near(
      new Softmax({ axis: [1, 2] }).apply(x).data,
      [
        0.01586177, 0.00078971, 0.11720354, 0.00010688, 0.86602354, 0.00001446, 0.00078971, 0.01586177, 0.00010688,
        0.11720354, 0.00001446, 0.86602354,
      ],
    );
  });

  test('masked elements are 0, also where all are', () => {
    const mask = (rows: number[][]) => tensor(rows).cast('bool');
    near(
      new Softmax().apply(scores, {
        mask: mask([
          [1, 0],
          [1, 1],
        ]),
      }).data,
      [1, 0, 0.0000453979, 0.9999546],
    );
    near(
      new Softmax().apply(scores, {
        mask: mask([
          [0, 0],
          [1, 1],
        ]),
      }).data,
      [0, 0, 0.0000453979, 0.9999546],
    );
    // The mask that comes with the inputs counts alike, and goes on.
    const out = new Softmax().apply(
      withMask(
        scores.add(0),
        mask([
          [1, 0],
          [1, 1],
        ]),
      ),
    );
    near(out.data, [1, 0, 0.0000453979, 0.9999546]);
    expect([...maskOf(out)!.data]).toEqual([1, 0, 1, 1]);
  });

  test('a mask of steps beside features is refused, as in Keras', () => {
    const steps = tensor([
      [1, 0, 1],
      [1, 1, 1],
    ]).cast('bool');
    expect(() => new Softmax().apply(withMask(x.add(0), steps))).toThrow(
      /expected a mask that broadcasts to the inputs \[2, 3, 2\], received \[2, 3\]/,
    );
    expect(() => new Softmax().apply(scores, { mask: x.greater(0) })).toThrow(/expected a mask that broadcasts/);
    expect(() => new Softmax({ axis: 3 }).apply(x)).toThrow(/axis/);
  });
});

test.each<[string, () => unknown, RegExp]>([
  [
    'ReLU maxValue',
    () => new ReLU({ maxValue: -1 }),
    /ReLU: expected maxValue to be a finite number >= 0, or null, received -1/,
  ],
  [
    'ReLU slope',
    () => new ReLU({ negativeSlope: null as never }),
    /negativeSlope to be a finite number >= 0, received null/,
  ],
  ['ReLU threshold', () => new ReLU({ threshold: Number.NaN }), /threshold to be a finite number >= 0/],
  ['LeakyReLU', () => new LeakyReLU({ negativeSlope: -0.1 }), /LeakyReLU: expected negativeSlope/],
  ['ELU', () => new ELU({ alpha: '1' as never }), /ELU: expected alpha to be a finite number/],
  [
    'PReLU axis',
    () => new PReLU({ sharedAxes: [0] }),
    /sharedAxes to be an integer >= 1, or a list of axes >= 1, or null, received \[0\]/,
  ],
  ['PReLU axes', () => new PReLU({ sharedAxes: [3] }).apply(x), /expected input with the axes of sharedAxes \[3\]/],
  ['PReLU open', () => new PReLU().apply(Input({ shape: [null, 2] })), /Use \{ sharedAxes: \[1\] \}/],
])('what does not fit is refused: %s', (_, f, message) => {
  expect(f).toThrow(message);
});
