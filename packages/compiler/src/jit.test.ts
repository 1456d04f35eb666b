import { checkpoint, grad, valueAndGrad } from '@recurra/autograd';
import {
  concat,
  DTypeError,
  randomKey,
  randomNormal,
  randomUniform,
  scalar,
  setSeed,
  softmax,
  type Tensor,
  TraceError,
  tensor,
  zeros,
} from '@recurra/tensor';
import { guard } from './extend.js';
import { jit, Variable } from './index.js';

const x = tensor([
  [1, 2],
  [3, 4],
]);

test('a compiled function gives what the function gives, as trees', async () => {
  const step = jit(({ a, list }: { a: Tensor; list: Tensor[] }, k: number) => ({
    sum: a.add(list[0]!).mul(k),
    same: a,
    constant: tensor([1, 2]),
    text: 'structure',
  }));
  const result = await step({ a: x, list: [x] }, 3);
  expect(result.sum.toArray()).toEqual([
    [6, 12],
    [18, 24],
  ]);
  expect(result.same).toBe(x);
  expect(result.constant.toArray()).toEqual([1, 2]);
  expect(result.text).toBe('structure');
});

test('a signature is shapes, dtypes and static arguments; others compile again, the least recent go first', async () => {
  let traced = 0;
  const step = jit(
    (v: Tensor, options: { readonly factor: number; readonly name?: string }) => {
      traced++;
      return v.mul(options.factor);
    },
    { cacheSize: 2 },
  );
  await step(tensor([1, 2]), { factor: 2 });
  await step(tensor([3, 4]), { factor: 2 });
  expect(traced).toBe(1);
  expect((await step(tensor([3, 4]), { factor: 5 })).toArray()).toEqual([15, 20]);
  expect((await step(tensor([3, 4, 5]), { factor: 5 })).toArray()).toEqual([15, 20, 25]);
  expect([traced, step.cached]).toEqual([3, 2]);
  await step(tensor([3, 4]), { factor: 5 });
  expect(traced).toBe(3);
  await step(tensor([1, 2]), { factor: 2 });
  expect(traced).toBe(4);
  await step(tensor(Int32Array.of(1, 2)), { factor: 2 });
  expect(traced).toBe(5);
  step.dispose();
  expect(step.cached).toBe(0);
  expect((await step(tensor([1]), { factor: 7 })).toArray()).toEqual([7]);
});

test('calls that overlap are served in order', async () => {
  const total = new Variable(zeros([]), 'total');
  const step = jit((v: Tensor) => {
    total.assign(total.value.mul(2).add(v));
    return total.value;
  });
  const results = await Promise.all([1, 2, 3, 4].map((v) => step(scalar(v))));
  expect(results.map((r) => r.item())).toEqual([1, 4, 11, 26]);
  expect(total.value.item()).toBe(26);
});

test('grad inside of jit, jit inside of grad and of jit', async () => {
  const cube = jit((v: Tensor) => v.mul(v).mul(v).sum());
  expect((await jit(grad((v: Tensor) => v.square().sum()))(x)).toArray()).toEqual([
    [2, 4],
    [6, 8],
  ]);
  expect(grad(cube.inline)(tensor([2])).toArray()).toEqual([12]);
  expect((await jit((v: Tensor) => cube.inline(v).add(1))(tensor([2]))).item()).toBe(9);
  const second = grad((v: Tensor) => grad(cube.inline)(v).sum());
  expect((await jit(second)(tensor([2]))).toArray()).toEqual([12]);
});

test('random functions draw from a key that is new in every call, and follow the seed', async () => {
  const step = jit(() => randomUniform([5]));
  setSeed(3);
  const first = [await step(), await step()].map((t) => [...t.data]);
  expect(first[0]).not.toEqual(first[1]);
  setSeed(3);
  expect([...(await step()).data]).toEqual(first[0]);
  // A key that is an argument gives what it gives eagerly.
  const key = randomKey(9);
  const drawn = jit((k: Tensor) => randomUniform([1000], { key: k }));
  expect([...(await drawn(key)).data]).toEqual([...randomUniform([1000], { key }).data]);
});

test('dropout masks are drawn again where they are needed, not stored, and are the same in both passes', async () => {
  const v = randomNormal([64, 64], { key: randomKey(1) });
  const f = (w: Tensor, key: Tensor): Tensor => {
    const mask = randomUniform(w.shape, { key }).greaterEqual(0.5).cast('float32').div(0.5);
    return w.mul(mask).square().sum();
  };
  const key = randomKey(4);
  const step = jit((w: Tensor, k: Tensor) => valueAndGrad((u: Tensor) => f(u, k))(w));
  const { value, gradient } = await step(v, key);
  const eager = valueAndGrad((u: Tensor) => f(u, key))(v);
  expect(value.item()).toBeCloseTo(eager.value.item(), 1);
  const [found, expected] = [gradient.data, eager.gradient.data];
  let worst = 0;
  for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i]! - expected[i]!));
  expect(worst).toBeLessThan(1e-5);
  expect(step.explain(v, key)).not.toContain('random uniform');
});

test('checkpoint computes again instead of keeping: the same gradient, less memory', async () => {
  const block = (w: Tensor, h: Tensor): Tensor => {
    let y = h;
    for (let i = 0; i < 6; i++) y = y.matmul(w).tanh();
    return y;
  };
  const chain = (f: (w: Tensor, h: Tensor) => Tensor) => (w: Tensor, h: Tensor) => {
    let y = h;
    for (let i = 0; i < 4; i++) y = f(w, y);
    return y.square().mean();
  };
  const w = randomNormal([32, 32], { key: randomKey(1), std: 0.2 });
  const h = randomNormal([256, 32], { key: randomKey(2) });
  const plain = jit(valueAndGrad(chain(block)));
  const saving = jit(valueAndGrad(chain(checkpoint(block))));
  const [a, b] = [await plain(w, h), await saving(w, h)];
  expect(b.value.item()).toBe(a.value.item());
  // The gradients of the blocks are added up in another order.
  const worst = Math.max(...b.gradient.data.map((v: number, i: number) => Math.abs(v - a.gradient.data[i]!)));
  expect(worst).toBeLessThan(1e-6);
  expect(saving.memory(w, h).arena).toBeLessThan(0.6 * plain.memory(w, h).arena);
});

describe('what cannot be compiled is told', () => {
  const refused = async (f: (v: Tensor) => unknown, pattern: RegExp): Promise<void> => {
    const error = await jit(f)(x).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(TraceError);
    expect((error as Error).message).toMatch(pattern);
  };

  test('reading data, or a shape that depends on it', async () => {
    await refused((v) => v.sum().item(), /item: expected a concrete tensor, received a traced value.*where \/ select/);
    await refused((v) => v.toArray(), /toArray: expected a concrete tensor/);
    await refused((v) => zeros([v.max().item()]), /expected a concrete tensor/);
  });

  test('dtypes that there are none of', async () => {
    const dtypes = ['uint8', 'int64', 'toString', undefined, null] as never[];
    for (const dtype of dtypes) {
      await expect(jit((x: Tensor) => x.cast(dtype))(zeros([2]))).rejects.toThrow(DTypeError);
      await expect(jit((x: Tensor) => x.mul(2).cast(dtype).add(1))(zeros([2]))).rejects.toThrow(/cast: expected dtype/);
    }
  });

  test('asynchronous functions, values that leaked, calls while tracing', async () => {
    await refused(async (v) => v.mul(2), /synchronous function/);
    let leaked: Tensor | null = null;
    await jit((v: Tensor) => {
      leaked = v.mul(2);
      return leaked;
    })(x);
    await refused((v) => v.add(leaked!), /belongs to another transformation/);
    const inner = jit((v: Tensor) => v.mul(2));
    let pending: Promise<unknown> = Promise.resolve();
    await jit((v: Tensor) => {
      pending = inner(v);
      pending.catch(() => {});
      return v;
    })(x);
    await expect(pending).rejects.toThrow(/Call step.inline/);
    expect(() => jit(() => 1, { cacheSize: 0 })).toThrow(/cacheSize to be an integer >= 1/);
  });

  test('indices out of range reject the step, and change nothing', async () => {
    const table = new Variable(tensor([[1], [2], [3]]), 'table');
    const step = jit((ids: Tensor) => {
      const rows = table.value.gather(ids);
      table.assign(table.value.add(rows.sum()));
      return rows;
    });
    await expect(step(tensor(Int32Array.of(1, 7)))).rejects.toThrow(/gather: expected indices.*received 7/);
    expect(table.value.toArray()).toEqual([[1], [2], [3]]);
    expect((await step(tensor(Int32Array.of(0, -1)))).toArray()).toEqual([[1], [3]]);
  });

  test('guards check arguments before every run', async () => {
    const step = jit((v: Tensor) => {
      guard(v.reshape([4]), (data) => {
        if (data.some((n: number) => n < 0)) throw new RangeError('negative');
      });
      return v.sqrt();
    });
    expect((await step(x)).shape).toEqual([2, 2]);
    await expect(step(x.neg())).rejects.toThrow(/negative/);
  });
});

test('a step explains itself, measures its kernels, and says what memory it takes', async () => {
  const w = randomNormal([16, 32], { key: randomKey(1) });
  const b = zeros([32]);
  const v = randomNormal([64, 16], { key: randomKey(2) });
  const step = jit((p: Tensor, q: Tensor, r: Tensor) => softmax(r.matmul(p).add(q).tanh()).mul(3).add(1), {
    name: 'layer',
  });
  const text = step.explain(w, b, v);
  expect(text).toMatch(/^layer\(float32\[16, 32\], float32\[32\], float32\[64, 16\]\)/);
  expect(text).toContain('bias and tanh in a matmul of [64, 32]');
  expect(text).toContain('2 operations in one pass over 2048: mul, add');
  expect(text).toContain('softmax [64, 32]');
  const memory = step.memory(w, b, v);
  expect(memory.arena).toBeGreaterThanOrEqual(64 * 32 * 4);
  expect(memory.unplanned).toBeGreaterThanOrEqual(memory.arena);
  const { value, times, toChromeTrace } = await step.profile(w, b, v);
  expect([...value.data]).toEqual([...(await step(w, b, v)).data]);
  expect(times.length).toBeGreaterThan(2);
  const { traceEvents } = JSON.parse(toChromeTrace()) as { traceEvents: { name: string; ph: string; dur: number }[] };
  expect(traceEvents.map((e) => e.name)).toEqual(times.map((t) => t.label));
  expect(traceEvents.every((e) => e.ph === 'X' && e.dur >= 0)).toBe(true);
});

test('equal expressions are computed once, dead ones not at all, identities vanish', () => {
  const step = jit((v: Tensor) => {
    v.exp().sum(); // dead
    const a = v.mul(2).add(0).mul(1);
    const b = v.mul(2);
    return concat([a.add(b).transpose().transpose(), v.reshape([4]).reshape([2, 2])], 0)
      .neg()
      .neg();
  });
  const text = step.explain(x);
  expect(text).toMatch(/graph: 3 operations/);
});

test('a function of no tensors, and empty tensors', async () => {
  expect((await jit(() => tensor([1, 2]).mul(3))()).toArray()).toEqual([3, 6]);
  const empty = zeros([0, 3]);
  const result = await jit((v: Tensor) => ({ a: v.exp(), b: v.sum(0), c: v.matmul(zeros([3, 2])) }))(empty);
  expect([result.a.shape, result.b.toArray(), result.c.shape]).toEqual([
    [0, 3],
    [0, 0, 0],
    [0, 2],
  ]);
});
