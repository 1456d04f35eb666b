import { grad } from '@recurra/autograd';
import { type Tensor, tensor, zeros } from '@recurra/tensor';
import { jit, Variable, withValues } from './index.js';

test('steps update variables in place; they are read and written eagerly at any time', async () => {
  const v = new Variable(tensor([1, 2, 3]), 'v');
  const step = jit((d: Tensor) => {
    v.assign(v.value.add(d));
    v.assign(v.value.mul(2));
    return v.value.sum();
  });
  expect((await step(tensor([1, 1, 1]))).item()).toBe(18);
  expect(v.value.toArray()).toEqual([4, 6, 8]);
  v.assign(zeros([3]));
  expect(v.value.toArray()).toEqual([0, 0, 0]);
  expect((await step(tensor([1, 2, 3]))).item()).toBe(12);
  expect(v.value.toArray()).toEqual([2, 4, 6]);
  expect(step.explain(tensor([1, 1, 1]))).toContain('1 of 1 variables updated in place');
});

test('a value that was read before the update stays what it was', async () => {
  const v = new Variable(tensor([1, 2]), 'v');
  const step = jit(() => {
    const before = v.value;
    v.assign(before.mul(10));
    return { before, reversed: before.flip(), after: v.value };
  });
  const { before, reversed, after } = await step();
  expect([before.toArray(), reversed.toArray(), after.toArray()]).toEqual([
    [1, 2],
    [2, 1],
    [10, 20],
  ]);
});

test('variables may be exchanged, set to one another, to views, to constants and to arguments', async () => {
  const a = new Variable(tensor([1, 2]), 'a');
  const b = new Variable(tensor([3, 4]), 'b');
  const c = new Variable(tensor([0, 0]), 'c');
  const d = new Variable(tensor([0, 0]), 'd');
  const exchange = jit((x: Tensor) => {
    const [p, q] = [a.value, b.value];
    a.assign(q);
    b.assign(p.flip());
    c.assign(tensor([7, 8]));
    d.assign(x);
  });
  await exchange(tensor([5, 6]));
  expect([a, b, c, d].map((v) => v.value.toArray())).toEqual([
    [3, 4],
    [2, 1],
    [7, 8],
    [5, 6],
  ]);
  const both = jit(() => {
    const sum = a.value.add(b.value);
    a.assign(sum);
    b.assign(sum);
    return sum;
  });
  expect((await both()).toArray()).toEqual([5, 5]);
  expect([a.value.toArray(), b.value.toArray()]).toEqual([
    [5, 5],
    [5, 5],
  ]);
});

test('two steps share a variable; each sees what the other did', async () => {
  const v = new Variable(tensor([1]), 'v');
  const add = jit(() => v.assign(v.value.add(1)));
  const double = jit(() => v.assign(v.value.mul(2)));
  await Promise.all([add(), double(), add()]);
  expect(v.value.item()).toBe(5);
});

test('withValues shows other values for a while; gradients flow to them', () => {
  const v = new Variable(tensor([2]), 'v');
  const f = (x: Tensor): Tensor => withValues([v], [x], () => v.value.square().sum());
  expect(grad(f)(tensor([3])).toArray()).toEqual([6]);
  expect(v.value.toArray()).toEqual([2]);
});

test('shapes and dtypes stay; a variable begins with data', async () => {
  const v = new Variable(tensor([1, 2]), 'w');
  expect(() => v.assign(tensor([1]))).toThrow(/w: expected a value of float32 \[2\], received float32 \[1\]/);
  expect(() => v.assign(tensor(Int32Array.of(1, 2)))).toThrow(/received int32/);
  await expect(jit((x: Tensor) => new Variable(x, 'inside').value)(tensor([1]))).rejects.toThrow(
    /inside: expected a concrete tensor/,
  );
});

test('a step that fails leaves what was known before it', async () => {
  const v = new Variable(tensor([1, 2]), 'v');
  const step = jit((ids: Tensor) => {
    v.assign(v.value.mul(2));
    // Fails on the calling thread, after kernels have run.
    return v.value.cast('float64').gather(ids);
  });
  await expect(step(tensor(Int32Array.of(5)))).rejects.toThrow(/received 5/);
  expect(v.value.toArray()).toEqual([1, 2]);
  expect((await step(tensor(Int32Array.of(1)))).item()).toBe(4);
  expect(v.value.toArray()).toEqual([2, 4]);
});
