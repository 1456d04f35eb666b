import { jit } from '@recurra/compiler';
import { allPrimitives, bind, type DType, isFloating, pow, type Tensor, tensor } from '@recurra/tensor';
import {
  agrees,
  BINARY,
  checkCast,
  checkElementwise,
  checkSelect,
  converted,
  DTYPES,
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

type Reduction = (x: Tensor, axis: number) => Tensor;
const REDUCTIONS: readonly [
  name: string,
  f: Reduction,
  float: (row: number[]) => number,
  int: (row: bigint[]) => bigint,
][] = [
  ['sum', (x, axis) => x.sum(axis), (r) => r.reduce((p, q) => p + q, 0), (r) => r.reduce((p, q) => p + q, 0n)],
  ['prod', (x, axis) => x.prod(axis), (r) => r.reduce((p, q) => p * q, 1), (r) => r.reduce((p, q) => p * q, 1n)],
  ['max', (x, axis) => x.max(axis), (r) => Math.max(...r), (r) => r.reduce((p, q) => [p, q][Number(q > p)]!)],
  ['min', (x, axis) => x.min(axis), (r) => Math.min(...r), (r) => r.reduce((p, q) => [p, q][Number(q < p)]!)],
  [
    'any',
    (x, axis) => x.any(axis),
    (r) => (r.some((v) => v !== 0) ? 1 : 0),
    (r) => (r.some((v) => v !== 0n) ? 1n : 0n),
  ],
  [
    'all',
    (x, axis) => x.all(axis),
    (r) => (r.every((v) => v !== 0) ? 1 : 0),
    (r) => (r.every((v) => v !== 0n) ? 1n : 0n),
  ],
];

/** Rows of n values around a special one, whose sums and products are exact in any order. */
function rowsOf(dtype: DType, n: number): number[][] {
  const simple = isFloating(dtype)
    ? [1, -1, 0, 2, -0]
    : dtype === 'int32'
      ? [1, -1, 2147483647, 3, -2147483648]
      : [1, 0, 1];
  const special =
    dtype === 'float32'
      ? SPECIAL.float32.filter((v) => !(Math.abs(v) > 1e19 && Number.isFinite(v)) && !(Math.abs(v) < 1 && v !== 0))
      : SPECIAL[dtype];
  return (isFloating(dtype) ? special.slice(0, 16) : special).flatMap((v, i) =>
    [0, Math.floor(n / 2), n - 1].map((at) =>
      Array.from({ length: n }, (_, k) => (k === at ? v : simple[(k + i) % simple.length]!)),
    ),
  );
}

test.each(REDUCTIONS.flatMap(([name, f, float, int]) => DTYPES.map((dtype) => [name, dtype, f, float, int] as const)))(
  '%s of %s: special values in rows and columns, eager and compiled',
  async (_name, dtype, f, float, int) => {
    for (const n of [1, 2, 3, 5, 8, 17, 35]) {
      const rows = rowsOf(dtype, n);
      const expected = rows.map((row) =>
        isFloating(dtype) ? converted(float(row), dtype) : Number(BigInt.asIntN(32, int(row.map(BigInt)))),
      );
      const x = tensor(rows.flat(), { shape: [rows.length, n], dtype });
      const ways = {
        eager: f(x, 1),
        'eager, columns': f(x.transpose(), 0),
        compiled: await jit((t: Tensor) => f(t, 1))(x),
        'compiled, columns': await jit((t: Tensor) => f(t, 0))(
          tensor(x.transpose().data, { shape: [n, rows.length], dtype }),
        ),
        'compiled, transposed': await jit((t: Tensor) => f(t.transpose(), 0))(x),
      };
      for (const [way, y] of Object.entries(ways))
        y.data.forEach((v: number, i: number) => {
          // The sign of a zero sum depends on where the partial sums begin.
          if (!agrees(v + 0, expected[i]! + 0, y.dtype))
            throw new Error(`${way}, ${rows[i]}: ${v}, expected ${expected[i]}`);
        });
    }
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
