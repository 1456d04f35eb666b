import { inspect } from 'node:util';
import { grad, valueAndGrad, vjp } from '@recurra/autograd';
import { type Tensor, tensor, zeros } from '@recurra/tensor';
import { bind, definePrimitive, type NDArray } from '@recurra/tensor/extend';
import type { Block, Storage } from './engines/engine.js';
import { withValues } from './extend.js';
import { jit, scan, Variable } from './index.js';
import { movedVariables } from './variable.js';

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

test('read() is the value, now or once it is there; also while another step waits', async () => {
  const v = new Variable(tensor([1, 2, 3]), 'v');
  expect((await v.read()).toArray()).toEqual([1, 2, 3]);
  const step = jit(() => v.assign(v.value.mul(2)));
  await step();
  const [before, , after] = await Promise.all([v.read(), step(), step().then(() => v.read())]);
  expect([before.toArray(), after.toArray()]).toEqual([
    [2, 4, 6],
    [8, 16, 24],
  ]);
  expect(v.value.toArray()).toEqual([8, 16, 24]);
  v.dispose();
  await expect(v.read()).rejects.toThrow(/expected a variable in use, received one that was disposed of/);
});

/** Memory elsewhere, which answers later. */
class Elsewhere implements Storage {
  readonly blocks = new Map<object, NDArray>();
  allocate(): object {
    const block = {};
    this.blocks.set(block, denseRow([]));
    return block;
  }
  release(block: Block): void {
    this.blocks.delete(block as object);
  }
  write(block: Block, array: NDArray): void {
    this.blocks.set(block as object, array);
  }
  async read(block: Block): Promise<NDArray> {
    return this.blocks.get(block as object)!;
  }
}

const denseRow = (values: number[]): NDArray => tensor(values).concrete('test');

test('a variable lives where its engine says: what answers later is read with await, and it moves with its value', async () => {
  const [there, other] = [new Elsewhere(), new Elsewhere()];
  const v = new Variable(tensor([1, 2, 3]), 'v');
  const block = v.block(there);
  expect(v.block(there)).toBe(block);
  expect([v.isIn(there), v.isIn(other)]).toEqual([true, false]);
  v.upload();
  expect([...there.blocks.get(block as object)!.data]).toEqual([1, 2, 3]);
  // A step there writes it.
  there.write(block, denseRow([4, 5, 6]));
  v.updated();
  expect(() => v.value).toThrow(
    /v: expected an engine whose memory can be read at once, .*Use await variable\.read\(\)/,
  );
  expect((await v.read()).toArray()).toEqual([4, 5, 6]);
  expect(v.value.toArray()).toEqual([4, 5, 6]);
  const moves = movedVariables();
  v.block(other);
  v.upload();
  expect(movedVariables()).toBe(moves + 1);
  expect([there.blocks.size, other.blocks.size]).toEqual([0, 1]);
  // And to the engine of steps.
  const step = jit(() => v.assign(v.value.add(1)));
  await step();
  expect(v.value.toArray()).toEqual([5, 6, 7]);
  expect([there.blocks.size, other.blocks.size]).toEqual([0, 0]);
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

test('a value that a gradient watches is stored as it is: eagerly, in nested gradients and in a pullback', () => {
  const v = new Variable(tensor([0, 0]), 'v');
  const x = tensor([2, 3]);
  const loss = (t: Tensor): Tensor => {
    v.assign(t.mul(2));
    // What is read back is a constant: d/dt sum(t * c) = c.
    return t.mul(v.value).sum();
  };
  expect(grad(loss)(x).toArray()).toEqual([4, 6]);
  expect(v.value.toArray()).toEqual([4, 6]);
  expect(v.value.trace).toBeNull();
  expect(v.value.add(1).toArray()).toEqual([5, 7]);
  // d/dt sum(g(t)^2) with g = 2c constant, plus the inner assignment of a value watched twice.
  const outer = grad((t: Tensor) =>
    grad((u: Tensor) => {
      v.assign(u.mul(t));
      return u.square().mul(t).sum();
    })(t).sum(),
  );
  // d/dt of 2 t * t
  expect(outer(x).toArray()).toEqual([8, 12]);
  expect(v.value.toArray()).toEqual([4, 9]);
  const { pullback } = vjp((t: Tensor) => {
    v.assign(t.neg());
    return t.mul(3);
  }, x);
  expect(pullback(tensor([1, 1]))[0].toArray()).toEqual([3, 3]);
  expect(v.value.toArray()).toEqual([-2, -3]);
});

test('statistics that are assigned inside of a differentiated loss are those of the step, compiled as eagerly', async () => {
  const run = async (compiled: boolean): Promise<unknown> => {
    const mean = new Variable(tensor([0]), 'mean');
    const count = new Variable(tensor(0), 'count');
    const f = (w: Tensor, x: Tensor): { value: Tensor; gradient: Tensor } =>
      valueAndGrad((u: Tensor) => {
        const y = x.mul(u);
        const batch = y.mean(0);
        mean.assign(mean.value.mul(0.5).add(batch.mul(0.5)));
        count.assign(count.value.add(1));
        return y.sub(batch).square().mean().add(mean.value.sum());
      })(w);
    const step = compiled ? jit(f) : f;
    const results: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { value, gradient } = await step(tensor([2]), tensor([[1], [3]]));
      results.push(value.item(), gradient.toArray());
    }
    return [results, mean.value.toArray(), count.value.item()];
  };
  // y = [2, 6]: mean 4, variance 4; d(variance)/dw = 2 w var(x) = 4. The moving mean 2, 3, 3.5 is a constant.
  const expected = [[6, [4], 7, [4], 7.5, [4]], [3.5], 3];
  expect(await run(false)).toEqual(expected);
  expect(await run(true)).toEqual(expected);
});

test('what is assigned while other values are shown is seen at once, and stays', () => {
  const v = new Variable(tensor([1]), 'v');
  const seen = grad((x: Tensor) =>
    withValues([v], [x], () => {
      const before = v.value;
      v.assign(before.mul(10));
      return before.mul(v.value).sum();
    }),
  )(tensor([3]));
  // d/dx x * c with c = 30
  expect(seen.toArray()).toEqual([30]);
  expect(v.value.toArray()).toEqual([30]);
});

test.each([
  ['eagerly', async (f: () => Tensor) => f()],
  ['compiled', (f: () => Tensor) => jit(f)()],
  ['in a gradient', async (f: () => Tensor) => grad((x: Tensor) => f().mul(x).sum())(tensor([1]))],
])('an assignment in the body of a loop is refused %s: it would happen once', async (_, run) => {
  const v = new Variable(tensor([0]), 'v');
  const body = (value: (c: Tensor) => Tensor) => () =>
    scan(
      (c: Tensor, x: Tensor) => {
        v.assign(value(c));
        return { carry: c.add(x), y: {} };
      },
      tensor([0]),
      tensor([[1], [2]]),
    ).carry;
  for (const value of [(c: Tensor) => c, () => v.value.add(1)])
    await expect((async () => run(body(value)))()).rejects.toThrow(
      /v: expected an assignment outside of the body of scan, .* Make the value a part of the carry/,
    );
  expect(v.value.toArray()).toEqual([0]);
});

test('a value of a compiled function that has ended is refused', async () => {
  const v = new Variable(tensor([1]), 'v');
  let escaped: Tensor | null = null;
  await jit((x: Tensor) => {
    escaped = x.add(1);
    return x;
  })(tensor([1]));
  expect(() => v.assign(escaped!)).toThrow(
    /expected a value with data, received one of a compiled function that has ended/,
  );
  expect(v.value.toArray()).toEqual([1]);
});

const explode = definePrimitive<{ at: number }>({
  name: 'explode',
  abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  evaluate: ([x], { at }) => {
    if (x!.data[x!.offset] === at) throw new Error('explode: boom');
    return [x!];
  },
  vjp: null,
  samples: [],
});

test.each<[string, (x: Tensor, ids: Tensor) => Tensor]>([
  ['a kernel', (x, ids) => x.gather(ids)],
  ['one of several', (x, ids) => x.mul(2).gather(ids.mul(1)).add(x.gather(ids))],
  ['an evaluation on the calling thread', (x, ids) => bind(explode, [ids.cast('float32')], { at: 7 })[0]!.add(x.sum())],
  [
    'the body of a loop',
    (x, ids) => scan((c: Tensor, i: Tensor) => ({ carry: c.add(x.gather(i)), y: {} }), tensor(0), ids).carry,
  ],
])('where %s fails, variables whose values lie in memory alone stay too', async (_, fails) => {
  const v = new Variable(tensor([1, 2]), 'v');
  const big = new Variable(zeros([600]), 'big');
  const step = jit((ids: Tensor) => {
    // Assigned before what fails is computed, and read by nobody else.
    v.assign(v.value.mul(2));
    big.assign(big.value.add(1));
    return fails(tensor([1, 2, 3]).add(v.value.sum().mul(0)), ids);
  });
  const good = tensor(Int32Array.of(0, 2));
  await step(good);
  await step(good);
  await expect(step(tensor(Int32Array.of(7, 7)))).rejects.toThrow(/received 7|boom/);
  expect(v.value.toArray()).toEqual([4, 8]);
  expect(big.value.data[599]).toBe(2);
  await step(good);
  expect(v.value.toArray()).toEqual([8, 16]);
  expect(big.value.data[599]).toBe(3);
});

describe('printing', () => {
  test('name, values, shape and dtype in consoles and in JSON', () => {
    const v = new Variable(tensor([1, Number.NaN]), 'dense/kernel');
    expect(inspect(v)).toBe('dense/kernel: [ 1. nan]\nTensor [2] float32');
    expect(JSON.stringify(v)).toBe('{"path":"dense/kernel","dtype":"float32","shape":[2],"data":[1,"NaN"]}');
    expect(inspect({ a: { b: { c: v } } })).toContain('[Variable dense/kernel [2] float32]');
  });

  test('a traced function prints it without making it a part of the step', async () => {
    const v = new Variable(tensor([1, 2]), 'weight');
    const seen: string[] = [];
    const step = jit((x: Tensor) => {
      seen.push(inspect(v), inspect(x), JSON.stringify(v));
      return x.mul(2);
    });
    await step(tensor([3]));
    expect(seen).toEqual([
      'weight: Variable [2] float32',
      'Tensor [1] float32 (traced)',
      '{"path":"weight","dtype":"float32","shape":[2]}',
    ]);
  });

  test('writing to data reaches neither the variable nor its memory', async () => {
    const v = new Variable(tensor([1, 2]), 'weight');
    v.value.data.fill(0);
    const step = jit(() => v.value.add(0));
    const result = await step();
    result.data.fill(7);
    v.value.data.fill(9);
    expect(v.value.toArray()).toEqual([1, 2]);
    expect((await step()).toArray()).toEqual([1, 2]);
  });
});
