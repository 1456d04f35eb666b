import { valueAndGrad } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { arange, randomKey, randomNormal, splitKey, type Tensor } from '@recurra/tensor';
import { type DotProductAttentionOptions, dotProductAttention } from './index.js';

const [a, b, c, d] = splitKey(randomKey(5), 4) as [Tensor, Tensor, Tensor, Tensor];

function worst(x: Tensor, y: Tensor): number {
  expect(x.shape).toEqual(y.shape);
  let result = 0;
  x.data.forEach((v: number, i: number) => {
    result = Math.max(result, Math.abs(v - y.data[i]!) / Math.max(1, Math.abs(y.data[i]!)));
  });
  return result;
}

const SIZES = [
  { batch: 2, queries: 5, keys: 5, heads: 3, depth: 4, values: 4 },
  { batch: 1, queries: 70, keys: 130, heads: 2, depth: 17, values: 9 },
  // More keys than a block holds, and more queries.
  { batch: 1, queries: 67, keys: 300, heads: 1, depth: 8, values: 8 },
];

test.each(SIZES)('%j: the kernel agrees with the formula, with its gradient too', async (size) => {
  const { batch, queries, keys, heads, depth, values } = size;
  const q = randomNormal([batch, queries, heads, depth], { key: a });
  const k = randomNormal([batch, keys, heads, depth], { key: b });
  const v = randomNormal([batch, keys, heads, values], { key: c });
  const weights = randomNormal([batch, queries, heads, values], { key: d });
  const mask = arange(keys)
    .reshape([1, keys])
    .less(keys - 2)
    .broadcastTo([batch, keys]);
  // Others for each head and query, some of which may look at nothing.
  const own = randomNormal([1, heads, queries, keys], { key: a }).greater(1.5);
  const perQuery = arange(queries).mod(3).notEqual(0).reshape([1, 1, queries, 1]).broadcastTo([batch, 1, queries, 1]);
  const variants: DotProductAttentionOptions[] = [
    {},
    { mask },
    { causal: true },
    { mask, causal: true, scale: 0.3 },
    { mask: own },
    { mask: own, causal: true },
    { mask: perQuery, causal: true },
    { mask: mask.zerosLike() },
    { mask: mask.logicalNot(), causal: true },
    { scale: 0 },
    { scale: -0.7 },
  ];
  for (const options of variants) {
    const f = valueAndGrad(({ q, k, v }: { q: Tensor; k: Tensor; v: Tensor }) => {
      const output = dotProductAttention(q, k, v, options);
      return { value: output.mul(weights).sum(), aux: output };
    });
    const eager = f({ q, k, v });
    const compiled = await jit(f)({ q, k, v });
    expect(worst(compiled.aux, eager.aux)).toBeLessThan(3e-6);
    for (const name of ['q', 'k', 'v'] as const)
      expect(worst(compiled.gradient[name], eager.gradient[name])).toBeLessThan(2e-5);
  }
});

test.each(['eager', 'compiled'])('a query that may look at no key looks at all of them alike, %s', async (mode) => {
  // More keys than a block of the kernel holds.
  for (const keys of [3, 300]) {
    const q = randomNormal([1, 2, 1, 2], { key: a });
    const k = randomNormal([1, keys, 1, 2], { key: b });
    const v = randomNormal([1, keys, 1, 2], { key: c });
    // By its own mask, and by masks that leave out the past of what causality leaves.
    const cases: DotProductAttentionOptions[] = [
      { mask: arange(keys).less(0).reshape([1, keys]) },
      { mask: arange(keys).greater(1).reshape([1, keys]), causal: true },
    ];
    for (const options of cases) {
      const f = valueAndGrad(({ q, k, v }: { q: Tensor; k: Tensor; v: Tensor }) => {
        const out = dotProductAttention(q, k, v, options);
        return { value: out.sum(), aux: out };
      });
      const { aux, gradient } = mode === 'eager' ? f({ q, k, v }) : await jit(f)({ q, k, v });
      expect(worst(aux, v.mean(1, { keepDims: true }).broadcastTo([1, 2, 1, 2]))).toBeLessThan(1e-6);
      expect(worst(gradient.v, v.onesLike().mul(2 / keys))).toBeLessThan(1e-6);
      expect(worst(gradient.q, q.zerosLike())).toBe(0);
      expect(worst(gradient.k, k.zerosLike())).toBe(0);
    }
  }
});

test.each(['eager', 'compiled'])('no depth: all keys count alike, %s', async (mode) => {
  const none = randomNormal([1, 2, 1, 0], { key: a });
  const v = randomNormal([1, 2, 1, 3], { key: c });
  const f = (q: Tensor, u: Tensor): Tensor => dotProductAttention(q, q, u);
  const out = mode === 'eager' ? f(none, v) : await jit(f)(none, v);
  expect(worst(out, v.mean(1, { keepDims: true }).broadcastTo([1, 2, 1, 3]))).toBeLessThan(1e-6);
});

test('rows sum to one, and a query that may see one key gives its value', () => {
  const q = randomNormal([1, 3, 1, 2], { key: a });
  const v = randomNormal([1, 3, 1, 2], { key: b });
  const first = dotProductAttention(q, q, v, { causal: true }).at(0, 1);
  expect(worst(first, v.at(0, 1))).toBeLessThan(1e-6);
  const same = dotProductAttention(q, q, v.onesLike());
  expect(worst(same, v.onesLike())).toBeLessThan(1e-6);
});

test('the gradient of a gradient, compiled as eager', async () => {
  const q = randomNormal([1, 3, 2, 2], { key: a });
  const slope = (x: Tensor): Tensor =>
    valueAndGrad((y: Tensor) => dotProductAttention(y, y, y).square().sum())(x)
      .gradient.square()
      .sum();
  const eager = valueAndGrad(slope)(q);
  const compiled = await jit(valueAndGrad(slope))(q);
  expect(worst(compiled.gradient, eager.gradient)).toBeLessThan(1e-4);
});

test('mistakes are told', () => {
  const q = randomNormal([1, 3, 2, 2], { key: a });
  expect(() => dotProductAttention(q, q.narrow(2, 0, 1), q)).toThrow(/expected q \[batch, queries, heads, depth\]/);
  expect(() => dotProductAttention(q, q, q, { mask: arange(3) })).toThrow(/expected a mask of shape \[1, 3\]/);
  expect(() => dotProductAttention(q, q, q, { mask: arange(6).reshape([1, 1, 2, 3]) })).toThrow(
    /or \[1, 2, 3, 3\] with 1 where one is for all, received \[1, 1, 2, 3\]/,
  );
  expect(() => dotProductAttention(q, q, q, { scale: Number.NaN })).toThrow(
    'expected scale to be a finite number, received NaN',
  );
});
