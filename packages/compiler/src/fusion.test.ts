import { randomKey, randomNormal, splitKey, Tensor, type Tensor as TensorType, tensor } from '@recurra/tensor';
import { bind, denseData } from '@recurra/tensor/extend';
import fc from 'fast-check';
import { jit } from './index.js';

/** One operation of a random program: which earlier values it takes, and what it does. */
type Instruction = readonly [kind: number, a: number, b: number];

const UNARY: ((x: TensorType) => TensorType)[] = [
  (x) => x.tanh(),
  (x) => x.neg(),
  (x) => x.square(),
  (x) => x.relu(),
  (x) => x.sigmoid(),
  (x) => x.abs().add(1).sqrt(),
  (x) => x.softplus(),
  (x) => x.greater(0).cast('float32'),
  (x) => x.floor(),
  (x) => x.mul(0.1).exp(),
  (x) => x.cast('int32').add(1).cast('float32'),
];
const BINARY: ((a: TensorType, b: TensorType) => TensorType)[] = [
  (a, b) => a.add(b),
  (a, b) => a.sub(b),
  (a, b) => a.mul(b),
  (a, b) => a.div(b.square().add(1)),
  (a, b) => a.maximum(b),
  (a, b) => a.less(b).select(a, b),
];

/** Values of a few shapes that broadcast; sizes small enough for the interpreter and large enough for compiled chains. */
function shapes(size: 'small' | 'large'): number[][] {
  return size === 'small' ? [[3, 5], [5], [3, 1], []] : [[33, 40], [40], [33, 1], []];
}

/** Runs a program; `apply` sees every operation. */
function run(
  inputs: readonly TensorType[],
  program: readonly Instruction[],
  apply: (f: () => TensorType) => TensorType,
): TensorType[] {
  const values = [...inputs];
  for (const [kind, a, b] of program) {
    const x = values[a % values.length]!;
    const y = values[b % values.length]!;
    const total = UNARY.length + BINARY.length + 6;
    const k = kind % total;
    values.push(
      apply(() => {
        if (k < UNARY.length) return UNARY[k]!(x);
        if (k < UNARY.length + BINARY.length) return BINARY[k - UNARY.length]!(x, y);
        switch (k - UNARY.length - BINARY.length) {
          case 0:
            return x.rank > 0 ? x.sum(-1, { keepDims: true }) : x;
          case 1:
            return x.rank > 0 ? x.max(0, { keepDims: true }) : x;
          case 2:
            return x.rank > 1 ? x.transpose().flip().transpose() : x.neg();
          case 3:
            return x.rank > 0 ? x.flatten().reshape(x.shape) : x;
          case 4:
            return x.rank === 2 ? x.matmul(x.transpose()).mul(0.1).matmul(x) : x;
          default:
            return x.mean();
        }
      }),
    );
  }
  return values.slice(inputs.length);
}

const programs = fc.array(fc.tuple(fc.nat(1000), fc.nat(50), fc.nat(50)), { minLength: 1, maxLength: 14 });

test.each(['small', 'large'] as const)(
  'random programs of %s values: compiled as eager, to rounding',
  async (size) => {
    const keys = splitKey(randomKey(1), 4);
    const inputs = shapes(size).map((shape, i) => randomNormal(shape, { key: keys[i]! }));
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const eager = run(inputs, program, (f) => f());
        const step = jit((values: TensorType[]) => run(values, program, (f) => f()));
        const compiled = await step([...inputs]);
        step.dispose();
        compiled.forEach((t, i) => {
          const expected = eager[i]!;
          expect([t.dtype, ...t.shape]).toEqual([expected.dtype, ...expected.shape]);
        });
        // Steps of comparisons and floors may fall to either side: values are compared until the first of those.
        const smooth = program.findIndex(([kind]) => [7, 8, 10].includes(kind % (UNARY.length + BINARY.length + 6)));
        compiled.slice(0, smooth < 0 ? compiled.length : smooth).forEach((t, i) => {
          const expected = eager[i]!.data;
          t.data.forEach((v: number, k: number) => {
            const e = expected[k]!;
            if (!Number.isFinite(e) || Math.abs(e) > 1e6) return;
            if (!(Math.abs(v - e) <= 2e-4 * Math.max(1, Math.abs(e))))
              throw new Error(`value ${i}, element ${k}: ${v}, eagerly ${e}`);
          });
        });
      }),
      { numRuns: 150, seed: 7 },
    );
  },
  120_000,
);

test.each(['small', 'large'] as const)(
  'random programs of %s values: fused = every operation alone, to the bit',
  async (size) => {
    const keys = splitKey(randomKey(2), 4);
    const inputs = shapes(size).map((shape, i) => randomNormal(shape, { key: keys[i]! }));
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const whole = jit((values: TensorType[]) => run(values, program, (f) => f()));
        const fused = await whole([...inputs]);
        whole.dispose();
        // One compiled step for each instruction, from what the steps before it gave.
        const values: TensorType[] = [...inputs];
        for (const [i, instruction] of program.entries()) {
          const one = jit((known: TensorType[]) => run(known, [instruction], (f) => f())[0]!);
          values.push(await one([...values]));
          one.dispose();
          const alone = values[inputs.length + i]!;
          const found = fused[i]!;
          expect([...found.data]).toEqual([...alone.data]);
        }
      }),
      { numRuns: 60, seed: 11 },
    );
  },
  120_000,
);

test('views of more dimensions than a chain walks are copied', async () => {
  const x = randomNormal([2, 3, 2, 3, 2, 3], { key: randomKey(3) });
  const f = (t: TensorType): TensorType =>
    t
      .transpose([5, 3, 1, 4, 2, 0])
      .add(t.transpose([1, 5, 3, 0, 2, 4]).mul(2))
      .flip([0, 2, 4]);
  const step = jit(f);
  expect([...(await step(x)).data]).toEqual([...f(x).data]);
});

test('an operation of another package without a kernel runs between kernels', async () => {
  const cubeRoot = {
    name: 'signedCubeRoot',
    abstract: ([x]: readonly { shape: readonly number[]; dtype: 'float32' }[]) => [
      { shape: x!.shape, dtype: x!.dtype },
    ],
    evaluate: ([x]: readonly { data: ArrayLike<number>; shape: readonly number[] }[]) => [
      tensor(Float32Array.from(denseData(x as never), Math.cbrt), { shape: x!.shape }).array!,
    ],
    vjp: null,
    samples: [],
  };
  const f = (x: TensorType): TensorType => bind(cubeRoot as never, [x.mul(8)], null)[0]!.add(1);
  const result = await jit(f)(tensor([1, -1, 27]));
  expect(result).toBeInstanceOf(Tensor);
  [3, -1, 7].forEach((v, i) => {
    expect(result.data[i]).toBeCloseTo(v, 5);
  });
});

test('rows at uneven distances: operands of three and four dimensions in one pass, compiled as eager', async () => {
  const full = randomNormal([5, 4, 6, 16], { key: randomKey(31) });
  const operands = [
    randomNormal([5, 1, 6, 16], { key: randomKey(32) }),
    randomNormal([1, 4, 1, 16], { key: randomKey(33) }),
    randomNormal([4, 6, 1], { key: randomKey(34) }),
    randomNormal([5, 1, 6, 1], { key: randomKey(35) }),
  ];
  const f = (x: Tensor, others: Tensor[]): Tensor => others.reduce((y, o) => y.mul(0.5).add(o), x);
  const step = jit(f);
  expect((await step(full, operands)).toArray()).toEqual(f(full, operands).toArray());
  // One whole pass, by a function of its own.
  expect(step.explain(full, operands)).toMatch(/8 operations in one pass over 1920/);
});
