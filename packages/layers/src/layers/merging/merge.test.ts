import { type Tensor, tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../../extend.js';
import {
  Add,
  type AnyLayer,
  Average,
  Concatenate,
  Dot,
  Input,
  Maximum,
  Minimum,
  Model,
  Multiply,
  Subtract,
} from '../../index.js';

const data = [
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
];
const x = tensor(data);
const y = tensor([
  [10, 20],
  [30, 40],
]);
const bool = (rows: number[][]): Tensor => tensor(rows).cast('bool');
const m1 = [
  [1, 0, 1],
  [0, 0, 1],
];
const m2 = [
  [1, 0, 0],
  [1, 0, 1],
];
// A tensor has one mask: each use is a tensor of its own.
const first = (): Tensor => withMask(tensor(data), bool(m1));
const second = (): Tensor => withMask(x.neg().add(1), bool(m2));
const flat = (t: Tensor): number[] => [...t.data];

describe('broadcasting (values of Keras)', () => {
  test.each<[AnyLayer, number[]]>([
    [new Add(), [11, 18, 13, 16, 15, 14, 29, 42, 27, 44, 25, 46]],
    [new Subtract(), [-9, -22, -7, -24, -5, -26, -31, -38, -33, -36, -35, -34]],
    [new Average(), [5.5, 9, 6.5, 8, 7.5, 7, 14.5, 21, 13.5, 22, 12.5, 23]],
  ])('an input of fewer axes counts for every step: %#', (layer, expected) => {
    const out = layer.apply([x, y]) as Tensor;
    expect(out.shape).toEqual([2, 3, 2]);
    expect(flat(out)).toEqual(expected);
  });

  test('shapes before there are values', () => {
    const [a, b] = [Input({ shape: [null, 4] }), Input({ shape: [4] })];
    expect(new Add().apply([a, b]).shape).toEqual([null, null, 4]);
    expect(
      new Add().computeOutputShape([
        [null, 7, 1],
        [5, 1, 4],
      ]),
    ).toEqual([5, 7, 4]);
    expect(
      new Concatenate({ axis: 1 }).computeOutputShape([
        [null, 7, 4],
        [5, 2, null],
      ]),
    ).toEqual([5, 9, 4]);
    expect(
      new Concatenate({ axis: 1 }).computeOutputShape([
        [null, null, 4],
        [5, 2, 4],
      ]),
    ).toEqual([5, null, 4]);
  });

  test('whole numbers stay, and an average is none', () => {
    const ids = tensor(Int32Array.of(1, 2), { shape: [2, 1] });
    expect(new Add().apply([ids, ids]).dtype).toBe('int32');
    const symbol = Input({ shape: [1], dtype: 'int32' });
    expect(new Add().apply([symbol, symbol]).dtype).toBe('int32');
    expect(new Average().apply([ids, ids]).dtype).toBe('float32');
    expect(new Average().apply([symbol, symbol]).dtype).toBe('float32');
  });
});

describe('masks (values of Keras)', () => {
  const either = [1, 0, 1, 1, 0, 1];
  test.each<[AnyLayer, number[]]>([
    [new Add(), Array<number>(12).fill(1)],
    [new Multiply(), [0, -6, 0, 0, 5, -6, 2, -1, 0, 0, -30, -30]],
    [new Maximum(), [1, 3, 3, -4, 5, -6, 2, -1, -3, 4, 6, 6]],
    [new Minimum(), [0, -2, 3, -4, 5, -6, 2, -1, -3, 4, -5, -5]],
    [new Average(), Array<number>(12).fill(0.5)],
    [new Subtract(), [1, -5, 5, -9, 9, -13, -3, 3, -7, 7, -11, 11]],
  ])('of all inputs: %#', (layer, expected) => {
    const out = layer.apply([first(), second()]) as Tensor;
    expect(flat(out)).toEqual(expected);
    expect(flat(maskOf(out)!)).toEqual(either);
  });

  test.each<[AnyLayer, number[], number[]]>([
    [
      new Multiply(),
      [0, -6, -2, 5, -20, -42, 2, -1, 4, -3, -30, -30],
      [0, 24, 3, -4, 50, 72, -2, -2, -3, 4, 300, -360],
    ],
    [new Maximum(), [1, 3, -2, 5, 5, 7, 2, -1, 4, -3, 6, 6], [2, 3, 3, -4, 10, -6, 2, 2, -3, 4, 6, 12]],
  ])('of some inputs: values give way, and the output has none: %#', (layer, one, two) => {
    const a = layer.apply([first(), x.neg().add(1)]) as Tensor;
    expect(flat(a)).toEqual(one);
    expect(maskOf(a)).toBeNull();
    const b = layer.apply([x, second(), withMask(x.mul(2), bool(m1))]) as Tensor;
    expect(flat(b)).toEqual(two);
    expect(maskOf(b)).toBeNull();
  });

  test('of what is concatenated', () => {
    const mask = (layer: AnyLayer, inputs: readonly Tensor[]): number[] => flat(maskOf(layer.apply(inputs) as Tensor)!);
    expect(mask(new Concatenate({ axis: 1 }), [first(), x])).toEqual([1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]);
    expect(mask(new Concatenate(), [first(), second()])).toEqual(either);
    expect(mask(new Concatenate(), [first(), x])).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('Dot has none', () => {
    expect(maskOf(new Dot(2).apply([first(), second()]))).toBeNull();
  });

  test('an argument stands for those of the inputs, and is one for each', () => {
    const out = new Maximum().apply([x, x.neg().add(1)], { mask: [bool(m1), bool(m2)] });
    expect(flat(out)).toEqual([1, 3, 3, -4, 5, -6, 2, -1, -3, 4, 6, 6]);
    expect(() => new Maximum().apply([x, x], { mask: [bool(m1)] as never })).toThrow(
      /expected masks as a list of 2, one for each input or null, received a list of 1/,
    );
  });

  test('a vector beside a sequence brings its own', () => {
    const out = new Add().apply([
      first(),
      withMask(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        bool([[1], [0]]).reshape([2]),
      ),
    ]);
    expect(flat(maskOf(out)!)).toEqual([1, 1, 1, 0, 0, 1]);
  });
});

describe('Dot (values of Keras)', () => {
  test.each<[number | readonly [number, number], Tensor, Tensor, number[], number[]]>([
    [[2, 1], x, y, [2, 3], [-30, -50, -70, 50, 70, 90]],
    [[1, 2], y, x, [2, 3], [-30, -50, -70, 50, 70, 90]],
    [-1, y, y, [2, 1], [500, 2500]],
    [
      [2, 1],
      tensor(
        Float32Array.from({ length: 24 }, (_, i) => i),
        { shape: [2, 2, 3, 2] },
      ),
      x,
      [2, 2, 2, 2],
      [26, -32, 35, -44, 80, -104, 89, -116, -134, 176, -143, 188, -188, 248, -197, 260],
    ],
  ])('axes %j', (axes, a, b, shape, expected) => {
    const out = new Dot(axes).apply([a, b]);
    expect(out.shape).toEqual(shape);
    expect(flat(out)).toEqual(expected);
  });

  test('cosines, 0 for vectors of length 0', () => {
    const [zero, one] = flat(
      new Dot(1, { normalize: true }).apply([
        tensor([
          [0, 0],
          [3, 4],
        ]),
        y,
      ]),
    );
    expect(zero).toBe(0);
    expect(one).toBeCloseTo(1, 6);
  });
});

test('a residual model trains, and its shapes are checked before', async () => {
  const input = Input({ shape: [null, 4] });
  const model = new Model({ inputs: input, outputs: new Multiply().apply([input, new Add().apply([input, input])]) });
  expect((await model.predict([[[1, 2, 3, 4]]])).toArray()).toEqual([[[2, 8, 18, 32]]]);
  expect(() => new Add().apply([input, Input({ shape: [null, 5] })])).toThrow(
    /expected inputs whose sizes after the batch axis are equal or 1, received shapes \[null, null, 4\] and \[null, null, 5\]/,
  );
});

describe('what does not fit is refused', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'no list',
      () => new Add().apply(x as never),
      /expected a list of inputs, received one tensor\. Write apply\(\[a, b\]\)/,
    ],
    ['an empty list', () => new Add().apply([]), /expected a list of inputs/],
    [
      'another batch',
      () => new Add().apply([x, tensor([[1, 2]])]),
      /expected inputs of one batch size, received shapes \[2, 3, 2\] and \[1, 2\]/,
    ],
    [
      'other sizes',
      () =>
        new Multiply().apply([
          x,
          tensor([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        ]),
      /equal or 1, received shapes/,
    ],
    ['three to subtract', () => new Subtract().apply([x, x, x]), /expected a list of 2 inputs, received 3/],
    [
      'ranks to concatenate',
      () => new Concatenate().apply([x, y]),
      /expected inputs of one rank that differ in the size of axis -1 only/,
    ],
    [
      'sizes to concatenate',
      () => new Concatenate().apply([x, tensor([[[1, 2]], [[3, 4]]])]),
      /in the size of axis -1 only/,
    ],
    [
      'the batch axis',
      () => new Concatenate({ axis: 0 }).apply([x, x]),
      /expected an axis after the batch axis, received 0/,
    ],
    ['an axis that is not there', () => new Concatenate({ axis: 3 }).apply([x, x]), /expected an axis in -3\.\.2/],
    ['half an axis', () => new Concatenate({ axis: 0.5 }), /expected axis to be an integer, received 0.5/],
    ['one to dot', () => new Dot(1).apply([x]), /expected a list of 2 inputs, received 1/],
    [
      'sizes to dot',
      () => new Dot(1).apply([x, y]),
      /expected axes 1 and 1 of one size, received shapes \[2, 3, 2\] and \[2, 2\] with 3 and 2/,
    ],
    ['axis 0 to dot', () => new Dot(0).apply([y, y]), /expected axes after the batch axis/],
    ['three axes', () => new Dot([1, 2, 3] as never), /expected axes to be an integer or two, received \[1, 2, 3\]/],
    ['an unknown option', () => new Add({ axis: 1 } as never), /Add: unknown option "axis"/],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
  });
});
