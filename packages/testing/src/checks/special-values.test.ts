import { jit } from '@recurra/compiler';
import { pow, type Tensor, tensor } from '@recurra/tensor';
import { allPrimitives, bind } from '@recurra/tensor/extend';
import {
  BINARY,
  checkCast,
  checkElementwise,
  checkReduction,
  checkSelect,
  DTYPES,
  REDUCTIONS,
  SPECIAL,
  UNARY,
} from './special-values.js';

const names = [...Object.keys(UNARY), ...Object.keys(BINARY)];

test('the table has every element-wise operation', () => {
  // An operation of one or two arguments that gives one element for each: what takes values alone.
  const elementwise = allPrimitives()
    .filter((p) => p.samples[0]!.params === null && !/softmax|normalize|matmul|select/i.test(p.name))
    .map((p) => p.name);
  expect([...names].sort()).toEqual(elementwise.sort());
});

test.each(names.flatMap((name) => DTYPES.map((dtype) => [name, dtype] as const)))(
  '%s of %s: special values, eager and compiled, are what its definition says',
  async (name, dtype) => {
    expect(await checkElementwise(name, dtype)).toEqual([]);
  },
);

test.each(DTYPES.flatMap((from) => DTYPES.map((to) => [from, to] as const)))(
  'cast of %s to %s: special values, eager and compiled',
  async (from, to) => {
    expect(await checkCast(from, to)).toEqual([]);
  },
);

test.each(DTYPES)('select of %s: special values, eager and compiled', async (dtype) => {
  expect(await checkSelect(dtype)).toEqual([]);
});

test('3e9 as int32 is the largest one (JAX), as is its like below', async () => {
  const f = (x: Tensor): Tensor => x.cast('int32');
  const x = tensor([3e9, -3e9, Number.NaN, 1.9, -1.9]);
  const expected = [2147483647, -2147483648, 0, 1, -1];
  expect(f(x).toArray()).toEqual(expected);
  expect((await jit(f)(x)).toArray()).toEqual(expected);
});

test('an integer to a negative power is refused (NumPy), eager and compiled', async () => {
  const f = (x: Tensor): Tensor => pow(x, tensor(Int32Array.of(-1)));
  const x = tensor(Int32Array.of(2));
  expect(() => f(x)).toThrow(/pow: expected exponents >= 0 for int32, received -1/);
  await expect(jit(f)(x)).rejects.toThrow(/pow: expected exponents >= 0/);
});

// NumPy 2.4, float32: rows are dividends, columns divisors.
describe('division of floats', () => {
  const inf = Infinity;
  const nan = Number.NaN;
  const a = [nan, inf, -inf, 0, -0, 1, -1, 5, -5, 6, -6, 0.5].map(Math.fround);
  const b = [0, -0, inf, -inf, 3, -3, nan, 0.10000000149011612, -0.5].map(Math.fround);
  test.each([
    [
      'floorDivide',
      [
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        inf,
        -inf,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        -inf,
        inf,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        0,
        -0,
        0,
        -0,
        nan,
        0,
        -0,
        nan,
        nan,
        -0,
        0,
        -0,
        0,
        nan,
        -0,
        0,
        inf,
        -inf,
        0,
        -1,
        0,
        -1,
        nan,
        9,
        -2,
        -inf,
        inf,
        -1,
        0,
        -1,
        0,
        nan,
        -10,
        2,
        inf,
        -inf,
        0,
        -1,
        1,
        -2,
        nan,
        49,
        -10,
        -inf,
        inf,
        -1,
        0,
        -2,
        1,
        nan,
        -50,
        10,
        inf,
        -inf,
        0,
        -1,
        2,
        -2,
        nan,
        59,
        -12,
        -inf,
        inf,
        -1,
        0,
        -2,
        2,
        nan,
        -60,
        12,
        inf,
        -inf,
        0,
        -1,
        0,
        -1,
        nan,
        4,
        -1,
      ],
    ],
    [
      'mod',
      [
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        nan,
        0,
        -0,
        0,
        -0,
        nan,
        0,
        -0,
        nan,
        nan,
        0,
        -0,
        0,
        -0,
        nan,
        0,
        -0,
        nan,
        nan,
        1,
        -inf,
        1,
        -2,
        nan,
        0.09999998658895493,
        -0,
        nan,
        nan,
        inf,
        -1,
        2,
        -1,
        nan,
        1.4901161193847656e-8,
        -0,
        nan,
        nan,
        5,
        -inf,
        2,
        -1,
        nan,
        0.09999992698431015,
        -0,
        nan,
        nan,
        inf,
        -5,
        1,
        -2,
        nan,
        7.450580596923828e-8,
        -0,
        nan,
        nan,
        6,
        -inf,
        0,
        -0,
        nan,
        0.09999991208314896,
        -0,
        nan,
        nan,
        inf,
        -6,
        0,
        -0,
        nan,
        8.940696716308594e-8,
        -0,
        nan,
        nan,
        0.5,
        -inf,
        0.5,
        -2.5,
        nan,
        0.09999999403953552,
        -0,
      ],
    ],
  ] as const)('%s as NumPy', async (name, expected) => {
    const primitive = allPrimitives().find((p) => p.name === name)!;
    const f = (x: Tensor): Tensor => bind(primitive, [x.reshape([-1, 1]), tensor(b)], null as never)[0]!;
    for (const y of [f(tensor(a)), await jit(f)(tensor(a))])
      y.data.forEach((v: number, i: number) => {
        expect([a[Math.floor(i / b.length)], b[i % b.length], v]).toEqual([
          a[Math.floor(i / b.length)],
          b[i % b.length],
          expected[i],
        ]);
      });
  });
});

test.each(Object.keys(REDUCTIONS).flatMap((name) => DTYPES.map((dtype) => [name, dtype] as const)))(
  '%s of %s: special values in rows and columns, eager and compiled',
  async (name, dtype) => {
    expect(await checkReduction(name, dtype)).toEqual([]);
  },
);

test.each(['sum', 'prod'] as const)('running %s of int32 wraps, eager and compiled', async (kind) => {
  const values = SPECIAL.int32;
  for (const exclusive of [false, true])
    for (const reverse of [false, true]) {
      const order = reverse ? [...values].reverse() : values;
      let total = kind === 'sum' ? 0n : 1n;
      const expected = order.map((v) => {
        const before = total;
        total = kind === 'sum' ? total + BigInt(v) : total * BigInt(v === 0 ? 1 : v);
        return Number(BigInt.asIntN(32, exclusive ? before : total));
      });
      const x = tensor(Int32Array.from(values, (v) => (kind === 'prod' && v === 0 ? 1 : v)));
      const f = (t: Tensor): Tensor =>
        kind === 'sum' ? t.cumsum(0, { exclusive, reverse }) : t.cumprod(0, { exclusive, reverse });
      if (reverse) expected.reverse();
      expect(f(x).toArray()).toEqual(expected);
      expect((await jit(f)(x)).toArray()).toEqual(expected);
    }
});

test('sums of more than 2^53 wrap exactly', async () => {
  const x = tensor(new Int32Array(5_000_003).fill(2147483647));
  const expected = Number(BigInt.asIntN(32, 2147483647n * 5_000_003n));
  expect(x.sum().item()).toBe(expected);
  expect((await jit((t: Tensor) => t.sum())(x)).item()).toBe(expected);
});
