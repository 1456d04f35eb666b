import { grad } from '@recurra/autograd';
import * as t from '@recurra/tensor';
import { jit } from './index.js';

const shapes: [number[], number[]][] = [
  [
    [0, 3, 4],
    [0, 4, 5],
  ],
  [
    [2, 0, 4],
    [2, 4, 5],
  ],
  [
    [2, 3, 0],
    [2, 0, 5],
  ],
  [
    [2, 3, 4],
    [2, 4, 0],
  ],
  [
    [1, 3, 4],
    [0, 4, 5],
  ],
  [
    [0, 2, 3, 4],
    [0, 2, 4, 5],
  ],
  [
    [2, 0, 3, 4],
    [2, 1, 4, 5],
  ],
  [
    [2, 2, 0, 4],
    [1, 2, 4, 5],
  ],
  [
    [2, 2, 3, 0],
    [2, 2, 0, 5],
  ],
  [
    [0, 4],
    [4, 0],
  ],
];
test.each(shapes)('products of %p and %p, also transposed: values and gradients, compiled as eager', async (a, b) => {
  for (const [ta, tb] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ]) {
    const sw = (s: number[]): number[] => [...s.slice(0, -2), s.at(-1)!, s.at(-2)!];
    const x = t.ones(ta ? sw(a) : a).add(0),
      y = t.ones(tb ? sw(b) : b).add(0);
    const f = (p: t.Tensor, q: t.Tensor) => (ta ? p.swapaxes(-1, -2) : p).matmul(tb ? q.swapaxes(-1, -2) : q);
    expect((await jit(f)(x, y)).toArray()).toEqual(f(x, y).toArray());
    const g = grad(([p, q]: t.Tensor[]) => f(p!, q!).square().sum());
    expect((await jit(g)([x, y])).map((v) => v.toArray())).toEqual(g([x, y]).map((v) => v.toArray()));
    const h = (p: t.Tensor, q: t.Tensor) => f(p, q).transpose().add(1).tanh();
    expect((await jit(h)(x, y)).toArray()).toEqual(h(x, y).toArray());
  }
});

test.each([0, 3])('a stack of products whose batch axes are exchanged, over %p terms', async (k) => {
  const [a, b] = [t.ones([2, 3, 4, k]).add(1), t.ones([3, 2, 5, k]).add(1)];
  const f = (x: t.Tensor, y: t.Tensor): t.Tensor => x.transpose([1, 0, 2, 3]).matmul(y.swapaxes(-1, -2));
  const g = (x: t.Tensor, y: t.Tensor): t.Tensor =>
    x
      .flip(0)
      .transpose([1, 0, 2, 3])
      .matmul(y.flip(1).transpose([0, 1, 3, 2]));
  for (const h of [f, g]) expect((await jit(h)(a, b)).toArray()).toEqual(h(a, b).toArray());
});

test('stacks of products over no terms, their axes in every order, with bias and activation: zeros before these', async () => {
  const orders = (axes: number[]): number[][] =>
    axes.length < 2 ? [axes] : axes.flatMap((a) => orders(axes.filter((b) => b !== a)).map((rest) => [a, ...rest]));
  const shape = [2, 2, 3, 4, 0];
  const q = t.ones([2, 1, 3, 0, 5]);
  const bias = t.tensor([1, 2, 3, 4, 5]);
  const expected = Array.from({ length: 2 * 2 * 3 * 4 * 5 }, (_, i) => Math.fround(Math.tanh((i % 5) + 1)));
  for (const order of orders([0, 1, 2, 3, 4])) {
    const p = t.ones(order.map((axis) => shape[axis]!));
    const back = order.map((_, axis) => order.indexOf(axis));
    const f = (x: t.Tensor, y: t.Tensor): t.Tensor => x.transpose(back).matmul(y).add(bias).tanh();
    const step = jit(f);
    for (const product of [f(p, q), await step(p, q)]) {
      expect(product.shape).toEqual([2, 2, 3, 4, 5]);
      product.data.forEach((v: number, i: number) => {
        expect(v).toBeCloseTo(expected[i]!, 6);
      });
    }
    step.dispose();
  }
});

test('the gradient of a transposed stack of products without rows is zero', async () => {
  // [2, 2, 2, 0, 4] by [2, 1, 2, 4, 1].
  const [p, q] = [t.ones([2, 0, 2, 4, 2]), t.ones([2, 1, 2, 1, 4])];
  const f = ([x, y]: t.Tensor[]): t.Tensor =>
    x!
      .transpose([0, 4, 2, 1, 3])
      .matmul(y!.transpose([0, 1, 2, 4, 3]))
      .square()
      .sum();
  for (const [dp, dq] of [grad(f)([p, q]), await jit(grad(f))([p, q])]) {
    expect(dp!.shape).toEqual(p.shape);
    expect(dq!.toArray()).toEqual(t.zeros(q.shape).toArray());
  }
});

test('reductions of nothing: their neutral element, or an error that says so', async () => {
  const x = t.zeros([2, 0]);
  const f = (v: t.Tensor): t.Tensor[] => [
    v.sum(1),
    v.prod(1),
    v.any(1),
    v.all(1),
    v.mean(1),
    v.sum(0),
    v.max(0),
    v.cumsum(1),
  ];
  const expected = [[0, 0], [1, 1], [false, false], [true, true], [Number.NaN, Number.NaN], [], [], [[], []]];
  expect(f(x).map((y) => y.toArray())).toEqual(expected);
  expect((await jit(f)(x)).map((y) => y.toArray())).toEqual(expected);
  for (const g of [
    (v: t.Tensor) => v.max(1),
    (v: t.Tensor) => v.min(),
    (v: t.Tensor) => t.median(v),
    (v: t.Tensor) => t.logsumexp(v, 1),
  ]) {
    expect(() => g(x)).toThrow(/at least one element/);
    await expect(jit(g)(x)).rejects.toThrow(/at least one element/);
  }
});
