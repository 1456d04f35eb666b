import { grad, valueAndGrad } from '@recurra/autograd';
import { randomKey, randomNormal, stack, type Tensor, tensor, zeros } from '@recurra/tensor';
import { jit, scan } from './index.js';

const draw = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });
const w = draw([3, 3], 1);
const xs = draw([6, 2, 3], 2);
const h = draw([2, 3], 3);

type Inputs = { w: Tensor; xs: Tensor; h: Tensor };

/** The loop, and the same written out; the body closes over the weights. */
function looped({ w, xs, h }: Inputs, reverse = false): { last: Tensor; ys: Tensor } {
  const { carry, ys } = scan(
    (state: Tensor, x: Tensor) => {
      const next = state.matmul(w).add(x).tanh();
      return { carry: next, y: next.mul(x) };
    },
    h,
    xs,
    { reverse },
  );
  return { last: carry, ys };
}

function unrolled({ w, xs, h }: Inputs, reverse = false): { last: Tensor; ys: Tensor } {
  const n = xs.shape[0]!;
  const ys: Tensor[] = [];
  let state = h;
  for (let i = 0; i < n; i++) {
    const t = reverse ? n - 1 - i : i;
    state = state.matmul(w).add(xs.at(t)).tanh();
    ys[t] = state.mul(xs.at(t));
  }
  return { last: state, ys: stack(ys) };
}

function close(a: Tensor, b: Tensor, tolerance: number): void {
  expect(a.shape).toEqual(b.shape);
  a.data.forEach((v: number, i: number) => {
    expect(Math.abs(v - b.data[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(b.data[i]!)));
  });
}

describe.each([false, true])('reverse %s', (reverse) => {
  test('a loop is what it is written out, eagerly and compiled', async () => {
    const expected = unrolled({ w, xs, h }, reverse);
    for (const found of [looped({ w, xs, h }, reverse), await jit(looped)({ w, xs, h }, reverse)]) {
      close(found.last, expected.last, 2e-6);
      close(found.ys, expected.ys, 2e-6);
    }
  });

  test('so is its gradient, and the gradient of that', async () => {
    const loss =
      (f: typeof looped) =>
      (inputs: Inputs): Tensor => {
        const { last, ys } = f(inputs, reverse);
        return last.square().sum().add(ys.sum());
      };
    const second =
      (f: typeof looped) =>
      (inputs: Inputs): Tensor => {
        const g = grad(loss(f))(inputs);
        return g.w.square().sum().add(g.xs.sum()).add(g.h.square().sum());
      };
    for (const make of [loss, second]) {
      const expected = valueAndGrad(make(unrolled))({ w, xs, h });
      for (const found of [
        valueAndGrad(make(looped))({ w, xs, h }),
        await jit(valueAndGrad(make(looped)))({ w, xs, h }),
      ]) {
        close(found.value, expected.value, 1e-4);
        for (const name of ['w', 'xs', 'h'] as const) close(found.gradient[name], expected.gradient[name], 1e-4);
      }
    }
  });
});

test('a mask leaves the carry as it was', async () => {
  const mask = tensor([true, false, true]);
  const f = (v: Tensor, m: Tensor) =>
    scan((sum: Tensor, x: Tensor) => ({ carry: sum.add(x), y: sum }), zeros([2]), v, { mask: m });
  const v = tensor([
    [1, 2],
    [10, 20],
    [3, 4],
  ]);
  for (const { carry, ys } of [f(v, mask), await jit(f)(v, mask)]) {
    expect(carry.toArray()).toEqual([4, 6]);
    expect(ys.toArray()).toEqual([
      [0, 0],
      [1, 2],
      [1, 2],
    ]);
  }
});

test('trees, integers, exchanged carries, no elements, no results, operations without a kernel', async () => {
  const fibonacci = (): { a: Tensor; b: Tensor } =>
    scan(
      ({ a, b }: { a: Tensor; b: Tensor }) => ({ carry: { a: b, b: a.add(b) }, y: {} }),
      {
        a: tensor(Int32Array.of(0)),
        b: tensor(Int32Array.of(1)),
      },
      {},
      { length: 10 },
    ).carry;
  expect(fibonacci().a.item()).toBe(55);
  expect((await jit(fibonacci)()).a.item()).toBe(55);
  const sines = (v: Tensor): Tensor =>
    scan((s: Tensor, x: Tensor) => ({ carry: s.add(x.sin()), y: {} }), zeros([]), v).carry;
  const v = tensor([0.1, 0.2, 0.3]);
  close(await jit(sines)(v), v.sin().sum(), 1e-6);
  const none = await jit((u: Tensor) => scan((s: Tensor, x: Tensor) => ({ carry: s.add(x), y: s }), zeros([]), u))(
    zeros([0]),
  );
  expect([none.carry.item(), none.ys.shape]).toEqual([0, [0]]);
});

test('a loop within a loop', async () => {
  const f = (m: Tensor): Tensor =>
    scan(
      (outer: Tensor, row: Tensor) => ({
        carry: outer.add(
          scan((inner: Tensor, x: Tensor) => ({ carry: inner.mul(0.5).add(x), y: {} }), outer, row).carry,
        ),
        y: {},
      }),
      zeros([]),
      m,
    ).carry;
  const m = draw([4, 5], 8);
  close(await jit(f)(m), f(m), 1e-5);
  close(await jit(grad(f))(m), grad(f)(m), 1e-5);
});

test('a long loop is one small program', () => {
  const { arena, plan } = jit(looped).memory({ w, xs: draw([10_000, 2, 3], 4), h });
  expect(plan).toBeLessThan(16_384);
  expect(arena).toBeLessThan(4 * 10_000 * 2 * 3 * 4);
});

test('mistakes are told', () => {
  expect(() => scan((c: Tensor) => ({ carry: c.sum(), y: {} }), zeros([2]), xs)).toThrow(/carry to stay float32 \[2\]/);
  expect(() => scan((c: Tensor) => ({ carry: c, y: {} }), zeros([2]), {})).toThrow(/received neither/);
  expect(() => scan((c: Tensor) => ({ carry: c, y: {} }), zeros([2]), [xs, zeros([2])])).toThrow(/expected 6 elements/);
});
