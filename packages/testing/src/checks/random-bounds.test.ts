import { jit } from '@recurra/compiler';
import {
  bernoulli,
  categorical,
  permutation,
  randomInteger,
  randomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  tensor,
  truncatedNormal,
} from '@recurra/tensor';

/**
 * What is drawn at the ends of intervals. The seeds below were searched for: uniforms of float32 have 24 bits, and these are all ones, or all
 * zeros, at the place of the index, in each of the four words of a block. Scaling is monotonic: what holds there holds for all.
 */
const ONES = [6162347, 11829694, 26707255, 3189188];
const ZEROS = [7392419, 9080904, 23256608, 2840627];
/** Of 2^26 seeds, that with the largest first number of float64 (1 - 9.9e-9), and that with the smallest second one (5.6e-9). */
const LARGEST = 23892829;
const SMALLEST = 60482762;
const MAX = 3.4028234663852886e38;
const TINY = 2 ** -149;

test('the seeds give the first and the last uniform', () => {
  for (let i = 0; i < 4; i++) {
    expect(randomUniform([4], { key: randomKey(ONES[i]!) }).data[i]).toBe(1 - 2 ** -24);
    expect(randomUniform([4], { key: randomKey(ZEROS[i]!) }).data[i]).toBe(0);
  }
  expect(1 - randomUniform([2], { key: randomKey(LARGEST), dtype: 'float64' }).data[0]!).toBeLessThan(1e-8);
  expect(randomUniform([2], { key: randomKey(SMALLEST), dtype: 'float64' }).data[1]).toBeLessThan(1e-8);
});

const words = new DataView(new ArrayBuffer(8));
/** Finite numbers of any exponent and sign, in pairs: what the bits of a fixed sequence spell. */
function pairs(dtype: 'float32' | 'float64', count: number): [number, number][] {
  const result: [number, number][] = [];
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words.setInt32(0, state);
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words.setInt32(4, state);
    return dtype === 'float32' ? words.getFloat32(0) : words.getFloat64(0);
  };
  while (result.length < count) {
    const [a, b] = [next(), next()];
    if (Number.isFinite(a) && Number.isFinite(b) && a !== b) result.push([Math.min(a, b), Math.max(a, b)]);
  }
  return result;
}

/** Intervals whose bounds float32 holds. */
const SINGLE: [number, number][] = [
  ...([
    [1000, 1001],
    [0, 1],
    [-1, 1],
    [-1, 0],
    [0, 3],
    [0, 1e10],
    [1, 2],
    [-2, -1],
    [3, 3.5],
  ] as [number, number][]),
  [1, 1 + 2 ** -23],
  [1, 1 + 2 ** -22],
  [-1 - 2 ** -23, -1],
  [1 - 2 ** -24, 1],
  [1e8, 1e8 + 8],
  [16777215, 16777216],
  [-16777216, 16777216],
  [-MAX, MAX],
  [0, MAX],
  [-MAX, 0],
  [-MAX, MAX / 2],
  [0, TINY],
  [-TINY, 0],
  [-TINY, TINY],
  [-1, TINY],
  [0, 2 ** -126],
  [2 ** -126, 2 ** -125],
];
/** Intervals whose bounds it does not hold. */
const BETWEEN: [number, number][] = [
  [0.1, 0.7],
  [0.7, 0.7000001],
  [-0.05, 0.05],
  [0.7, 0.8],
  [-0.7, -0.1],
  [1, 1 + 1e-9],
  [16777217, 16777219],
  [1e-60, 1e-40],
  [-1e-60, 1e-60],
];

function expectWithin(x: Tensor, low: number, high: number): void {
  for (const v of x.data)
    if (!(v >= low && v < high)) throw new Error(`${v} of ${x.dtype} is not in [${low}, ${high})`);
}

test.each([...SINGLE, ...BETWEEN])(
  'uniform of float32 in [%d, %d): first and last number, eager and compiled',
  async (low, high) => {
    // 4 of them in the interpreter of chains, 4096 in a function of their own.
    for (const size of [4, 4096]) {
      const f = (key: Tensor): Tensor => randomUniform([size], { key, low, high });
      const step = jit(f);
      for (const seed of [...ONES, ...ZEROS]) {
        const key = randomKey(seed);
        const eager = f(key);
        const compiled = await step(key);
        expectWithin(eager, low, high);
        expectWithin(compiled, low, high);
        // As the dtype holds the bounds, too.
        if (Math.fround(low) < Math.fround(high)) expect(compiled.less(high).all().item()).toBe(1);
      }
      step.dispose();
    }
  },
);

test('uniform of float32 between any two bit patterns', async () => {
  for (const [low, high] of pairs('float32', 3000))
    for (const [i, seeds] of [ONES, ZEROS].entries())
      expectWithin(randomUniform([4], { key: randomKey(seeds[i]!), low, high }), low, high);
  for (const [low, high] of pairs('float32', 60)) {
    const step = jit((key: Tensor) => randomUniform([4], { key, low, high }));
    for (const seed of [ONES[3]!, ZEROS[0]!]) expectWithin(await step(randomKey(seed)), low, high);
    step.dispose();
  }
});

test('uniform of float64: intervals of few numbers, of all, and between any two bit patterns', async () => {
  const intervals: [number, number][] = [
    [2 ** 52, 2 ** 52 + 1],
    [2 ** 52, 2 ** 52 + 2],
    [-(2 ** 53), 2 - 2 ** 53],
    [1, 1 + 2 ** -52],
    [-1 - 2 ** -52, -1],
    [-Number.MAX_VALUE, Number.MAX_VALUE],
    [0, Number.MIN_VALUE],
    [-Number.MIN_VALUE, Number.MIN_VALUE],
    [1e15, 1e15 + 1],
  ];
  for (const [low, high] of intervals) {
    const f = (key: Tensor): Tensor => randomUniform([200], { key, low, high, dtype: 'float64' });
    const step = jit(f);
    for (const seed of [LARGEST, SMALLEST]) {
      expectWithin(f(randomKey(seed)), low, high);
      expectWithin(await step(randomKey(seed)), low, high);
    }
    step.dispose();
  }
  for (const [low, high] of pairs('float64', 3000))
    expectWithin(randomUniform([8], { key: randomKey(LARGEST), low, high, dtype: 'float64' }), low, high);
});

test('[1000, 1001) reaches 1001 in none of two million, has all numbers near it, and those within are as before', async () => {
  const key = randomKey(1);
  const f = (k: Tensor): Tensor => randomUniform([2_000_000], { key: k, low: 1000, high: 1001 });
  const u = randomUniform([2_000_000], { key }).data;
  for (const x of [f(key), await jit(f)(key)]) {
    let last = 0;
    for (let i = 0; i < u.length; i++) {
      const before = Math.fround(u[i]! + 1000);
      const expected = before < 1001 ? before : 1001 - 2 ** -14;
      if (x.data[i] !== expected) throw new Error(`${x.data[i]}, expected ${expected}`);
      if (expected === 1001 - 2 ** -14) last++;
    }
    expect(last).toBeGreaterThan(0);
  }
});

test('an interval of two numbers gives both, of one that one, of equal bounds these', () => {
  const key = randomKey(3);
  expect(new Set(randomUniform([100], { key, low: 1, high: 1 + 2 ** -22 }).data)).toEqual(new Set([1, 1 + 2 ** -23]));
  expect(new Set(randomUniform([100], { key, low: 1, high: 1 + 2 ** -23 }).data)).toEqual(new Set([1]));
  expect(randomUniform([2], { key, low: 2.5, high: 2.5 }).toArray()).toEqual([2.5, 2.5]);
});

test.each([
  [{ low: 1, high: 0 }, /expected low <= high/],
  [{ low: Number.NaN, high: 1 }, /expected low <= high/],
  [{ low: 0, high: Infinity }, /both finite in float32/],
  [{ low: 0, high: 1e39 }, /both finite in float32, received low 0 and high 1e\+39/],
  [{ low: 1 + 1e-9, high: 1 + 2e-9 }, /no float32 in .*Take dtype 'float64'/],
  [{ dtype: 'int32' }, /expected a floating dtype .* For integers take randomInteger/],
  [{ dtype: 'bool' }, /expected a floating dtype/],
] as const)('uniform with %o is refused', (options, message) => {
  expect(() => randomUniform([2], options)).toThrow(message);
});

test('truncated normals stay within two standard deviations, as the dtype holds them, eager and compiled', async () => {
  const seeds = [LARGEST, SMALLEST, 5];
  for (const [mean, std] of [
    [0, 1],
    [1000, 0.01],
    [0.1, 0.3],
    [-7, 1e-9],
    [1e8, 3],
    [0, 1e-44],
    [5, 0],
  ] as const)
    for (const dtype of ['float32', 'float64'] as const) {
      const f = (key: Tensor): Tensor => truncatedNormal([5000], { key, mean, std, dtype });
      for (const seed of seeds)
        for (const x of [f(randomKey(seed)), await jit(f)(randomKey(seed))])
          for (const v of x.data) {
            const center = dtype === 'float32' ? Math.fround(mean) : mean;
            // Where the dtype has no number but the nearest to the mean within, it is that one.
            if (v !== center && !(v >= mean - 2 * std && v <= mean + 2 * std))
              throw new Error(`${v} of ${dtype} is beyond ${mean} +- 2 * ${std}`);
          }
    }
});

test('normals are finite at both ends of the uniforms they come from', () => {
  for (const seed of [LARGEST, SMALLEST, ...ONES, ...ZEROS])
    for (const dtype of ['float32', 'float64'] as const)
      for (const v of randomNormal([8], { key: randomKey(seed), dtype }).data) expect(Number.isFinite(v)).toBe(true);
});

test.each([[-1], [Number.NaN], [Infinity]])('normals of standard deviation %d are refused (NumPy, PyTorch)', (std) => {
  expect(() => randomNormal([2], { std })).toThrow(/randomNormal: expected std to be a finite number >= 0/);
  expect(() => truncatedNormal([2], { std })).toThrow(/truncatedNormal: expected std to be a finite number >= 0/);
});

test('bernoulli: never at 0, always at 1, for the first and the last uniform, eager and compiled', async () => {
  for (const [p, expected] of [
    [0, 0],
    [1, 1],
  ] as const)
    for (const dtype of ['float32', 'float64'] as const) {
      const f = (key: Tensor): Tensor => bernoulli(p, [4096], { key, dtype });
      for (const seed of [...ONES, ...ZEROS, LARGEST, SMALLEST])
        for (const x of [f(randomKey(seed)), await jit(f)(randomKey(seed))])
          expect(new Set(x.data)).toEqual(new Set([expected]));
    }
  // Each of its own.
  expect(bernoulli([0, 1, 0, 1], [4], { key: randomKey(ONES[1]!) }).toArray()).toEqual([false, true, false, true]);
  // 2^-24 is the probability of the first uniform alone; the largest below 1 leaves the last one out.
  ZEROS.forEach((seed, i) => {
    const x = bernoulli(2 ** -24, [4], { key: randomKey(seed) }).data;
    expect([...x]).toEqual([0, 1, 2, 3].map((k) => (k === i ? 1 : 0)));
  });
  ONES.forEach((seed, i) => {
    const x = bernoulli(1 - 2 ** -24, [4], { key: randomKey(seed) }).data;
    expect([...x]).toEqual([0, 1, 2, 3].map((k) => (k === i ? 0 : 1)));
  });
  for (const p of [-0.1, 1.5, Number.NaN, [0.5, 2]])
    expect(() => bernoulli(p, [2])).toThrow(/bernoulli: expected probabilities in 0\.\.1/);
});

test('integers: wide ranges and ends of int32, without overflow, each as often', async () => {
  const MIN = -(2 ** 31);
  for (const [low, high] of [
    [0, 1],
    [MIN, 2 ** 31],
    [2 ** 31 - 8, 2 ** 31 - 1],
    [2 ** 31 - 1, 2 ** 31],
    [MIN, MIN + 1],
    [MIN, MIN + 7],
    [-1, 0],
    [0, 2 ** 31],
  ] as const) {
    const f = (key: Tensor): Tensor => randomInteger([500], low, high, { key });
    for (const seed of [LARGEST, SMALLEST, 1])
      for (const x of [f(randomKey(seed)), await jit(f)(randomKey(seed))]) {
        expect(x.dtype).toBe('int32');
        expectWithin(x, low, high);
      }
  }
  // 7 u is so near to 7 that its sum with the lower bound rounds up.
  expect(randomInteger([1], 2 ** 31 - 8, 2 ** 31 - 1, { key: randomKey(LARGEST) }).data[0]).toBe(2 ** 31 - 2);
  // All of int32: the four quarters are as frequent (four standard deviations of 40,000).
  const quarters = [0, 0, 0, 0];
  for (const v of randomInteger([40_000], MIN, 2 ** 31, { key: randomKey(2) }).data)
    quarters[Math.floor(v / 2 ** 30) + 2]!++;
  for (const count of quarters) expect(Math.abs(count - 10_000)).toBeLessThan(4 * Math.sqrt(40_000 * 0.25 * 0.75));
});

test.each([
  [3, 3],
  [0.5, 2],
  [0, 2.5],
  [0, 2 ** 31 + 1],
  [-(2 ** 31) - 1, 0],
  [Number.NaN, 2],
  [0, Infinity],
])('integers in [%d, %d) are refused', (low, high) => {
  expect(() => randomInteger([2], low, high)).toThrow(/randomInteger: expected/);
});

test('categorical never draws a class of probability 0, and draws the only one otherwise', async () => {
  const row = [-Infinity, 0, -Infinity, -Infinity];
  const rows = Array.from({ length: 2000 }, () => row);
  const f = (key: Tensor): Tensor => categorical(tensor(rows), { key });
  for (const seed of [...ONES, ...ZEROS, LARGEST, SMALLEST])
    for (const x of [f(randomKey(seed)), await jit(f)(randomKey(seed))]) expect(new Set(x.data)).toEqual(new Set([1]));
  const half = categorical(tensor([-Infinity, 0, 0]).broadcastTo([4000, 3]), { key: randomKey(9) }).data;
  expect(half.filter((c) => c === 1).length).toBeGreaterThan(2000 - 4 * Math.sqrt(1000));
  expect(half.filter((c) => c === 2).length).toBe(4000 - half.filter((c) => c === 1).length);
});

test('categorical: equal logits are equally likely, however large', () => {
  for (const logit of [0, 1e20, -1e20, 3e38]) {
    const x = categorical(tensor([logit, logit]).broadcastTo([4000, 2]), { key: randomKey(4) }).data;
    expect(Math.abs(x.filter((c) => c === 1).length - 2000)).toBeLessThan(4 * Math.sqrt(1000));
  }
});

test.each([[[Number.NaN, 0]], [[-Infinity, -Infinity]], [[Infinity, 0]]])('categorical of %p is refused', (row) => {
  expect(() => categorical(tensor([[0, 0], row]))).toThrow(/categorical: expected a finite largest logit/);
});

test('permutations: none, one, and each of three as often', () => {
  expect(permutation(0).toArray()).toEqual([]);
  expect(permutation(1).toArray()).toEqual([0]);
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 3000; seed++) {
    const order = permutation(3, { key: randomKey(seed) }).data.join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(4 * Math.sqrt(3000 * (5 / 36)));
  for (const n of [-1, 2.5, Number.NaN]) expect(() => permutation(n)).toThrow();
});
