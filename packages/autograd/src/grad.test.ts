import { concat, ones, scalar, type Tensor, tensor, zeros } from '@recurra/tensor';
import { treePaths } from './extend.js';
import { customGradient, grad, stopGradient, treeLeaves, treeMap, treeUnflatten, valueAndGrad, vjp } from './index.js';

const cube = (x: Tensor): Tensor => x.mul(x).mul(x).sum();

test('the example of the design: grad of the sum of squares', () => {
  const x = tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(grad((t) => t.square().sum())(x).toArray()).toEqual([
    [2, 4],
    [6, 8],
  ]);
});

test('gradients of gradients, to the third order', () => {
  const first = grad(cube);
  const second = grad((x: Tensor) => first(x).sum());
  const third = grad((x: Tensor) => second(x).sum());
  expect(first(scalar(2)).item()).toBe(12);
  expect(second(scalar(2)).item()).toBe(12);
  expect(third(scalar(2)).item()).toBe(6);
});

test('nested differentiation keeps its levels apart', () => {
  // d/dx (x * d/dy (x + y)) at y = 1 is 1, not 2 (Siskind & Pearlmutter's example).
  const f = grad((x: Tensor) => x.mul(grad((y: Tensor) => x.add(y))(scalar(1))));
  expect(f(scalar(3)).item()).toBe(1);
  // d/dx x^2 y, y the gradient of x^3 treated as a function of x
  const g = grad((x: Tensor) => x.square().mul(grad(cube)(x)));
  expect(g(scalar(2)).item()).toBeCloseTo(12 * 8, 4); // x^2 * 3x^2 = 3x^4, 12x^3 = 96
});

test('trees: gradients have the structure of the parameters, unreachable ones are zeros', () => {
  const params = { layers: [{ w: ones([2, 2]), b: zeros([2]) }], unused: ones([3]), name: 'net' };
  const { value, gradient } = valueAndGrad((p: typeof params, x: Tensor) =>
    x.matmul(p.layers[0]!.w).add(p.layers[0]!.b).sum(),
  )(params, tensor([[1, 2]]));
  expect(value.item()).toBe(6);
  expect(gradient.layers[0]!.w.toArray()).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(gradient.layers[0]!.b.toArray()).toEqual([1, 1]);
  expect(gradient.unused.toArray()).toEqual([0, 0, 0]);
  expect(gradient.name).toBe('net');
});

test('auxiliary results and several arguments', () => {
  const { aux } = valueAndGrad((x: Tensor) => ({ value: x.sum(), aux: { doubled: x.mul(2) } }))(tensor([1, 2]));
  expect(aux.doubled.toArray()).toEqual([2, 4]);
  expect(aux.doubled.trace).toBeNull();
  const both = grad((a: Tensor, b: Tensor) => a.mul(b).sum(), { argument: [0, 1] })(tensor([2]), tensor([5])) as [
    Tensor,
    Tensor,
  ];
  expect(both.map((g) => g.toArray())).toEqual([[5], [2]]);
});

test('vjp pulls any cotangent back, once', () => {
  const { value, pullback } = vjp((x: Tensor) => ({ y: x.exp(), z: x.mul(3) }), tensor([0, 1]));
  expect(value.z.toArray()).toEqual([0, 3]);
  const [g] = pullback({ y: tensor([1, 0]), z: tensor([0, 1]) });
  expect(g.toArray()).toEqual([1, 3]);
  expect(() => pullback({ y: tensor([1, 0]), z: tensor([0, 1]) })).toThrow(/one call of the pullback/);
});

test('stopGradient makes constants', () => {
  expect(grad((x: Tensor) => x.mul(stopGradient(x)).sum())(tensor([2, 3])).toArray()).toEqual([2, 3]);
});

test('repeated rows of an embedding add up', () => {
  const table = ones([3, 2]);
  const g = grad((w: Tensor) => w.gather(tensor(Int32Array.of(1, 1, 2)), 0).sum())(table);
  expect(g.toArray()).toEqual([
    [0, 0],
    [2, 2],
    [1, 1],
  ]);
});

describe('customGradient', () => {
  const clipped = customGradient((x) => ({ value: x!.mul(2), gradient: (dy) => [dy.clip(-1, 1).mul(x!)] }));

  test('takes the given rule, and differentiates through it', () => {
    expect(clipped(scalar(3)).item()).toBe(6);
    expect(grad((x: Tensor) => clipped(x).mul(10))(scalar(3)).item()).toBe(3);
    expect(grad((x: Tensor) => grad((y: Tensor) => clipped(y).mul(0.5))(x))(scalar(3)).item()).toBe(0.5);
  });

  test('may give no gradient', () => {
    const none = customGradient((x) => ({ value: x!.exp(), gradient: () => [null] }));
    expect(grad((x: Tensor) => none(x).sum())(tensor([1, 2])).toArray()).toEqual([0, 0]);
  });
});

test('mistakes are told', () => {
  expect(() => grad((x: Tensor) => x.mul(2))(tensor([1, 2]))).toThrow(/one floating scalar, received float32 \[2\]/);
  expect(() => grad((x: Tensor) => x.cast('float32').sum())(tensor(Int32Array.of(1)))).toThrow(
    /expected floating tensors.*received int32/,
  );
  let kept: Tensor | null = null;
  grad((x: Tensor) => {
    kept = x.mul(2);
    return kept.sum();
  })(tensor([1]));
  expect(() => kept!.add(1)).toThrow(/outlived its grad/);
  const wrong = customGradient((x) => ({ value: x!.sum(), gradient: () => [zeros([7])] }));
  expect(() => grad((x: Tensor) => wrong(x))(tensor([1, 2]))).toThrow(/expected a gradient of shape \[2\]/);
});

test('saved values go with the backward pass', () => {
  const { pullback } = vjp((x: Tensor) => x.exp().sum(), tensor([1, 2]));
  const [g] = pullback(scalar(1));
  expect(g.trace).toBeNull();
  expect([...g.data].every(Number.isFinite)).toBe(true);
});

describe('trees', () => {
  const tree = { a: tensor([1]), list: [tensor([2]), { b: tensor([3]) }], text: 'x', none: null };

  test('leaves, paths, and back', () => {
    expect(treeLeaves(tree).map((t) => t.item())).toEqual([1, 2, 3]);
    expect(treePaths(tree)).toEqual(['a', 'list.0', 'list.1.b']);
    expect(treeLeaves(treeUnflatten(tree, [scalar(7), scalar(8), scalar(9)])).map((t) => t.item())).toEqual([7, 8, 9]);
    expect(treeMap((a: Tensor, b: Tensor) => a.add(b), tree, tree).list[0]).toBeDefined();
  });

  test('structures must agree', () => {
    expect(() => treeMap((a: Tensor) => a, tree, { a: tensor([1]) })).toThrow(/trees of one structure/);
    // A name that every object has is a key as others.
    for (const name of ['constructor', '__proto__', 'toString']) {
      const named = { [name]: tensor([2]) };
      expect(Object.entries(treeMap((a: Tensor, b: Tensor) => a.mul(b).item(), named, named))).toEqual([[name, 4]]);
      expect(() => treeMap((a: Tensor) => a, named, { other: tensor([1]) })).toThrow(/trees of one structure/);
    }
    expect(() => treeUnflatten(tree, [scalar(1)])).toThrow();
    expect(concat(treeLeaves(tree)).toArray()).toEqual([1, 2, 3]);
  });
});
