import { valueAndGrad } from '@recurra/autograd';
import { randomKey, randomNormal, softmax, type Tensor, tensor, zeros } from '@recurra/tensor';
import { wasmEngine } from './engines/engines.js';
import { jit, setEngine, setThreads, threads, Variable, WorkerError } from './index.js';

// Its workers, where another engine is installed too.
beforeAll(() => setEngine('wasm'));

const draw = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });
const parameters = { w: draw([96, 200], 1), b: draw([200], 2), u: draw([200, 40], 3) };
const x = draw([1025, 96], 4);

const loss = (p: typeof parameters, v: Tensor): Tensor =>
  softmax(v.matmul(p.w).add(p.b).tanh().matmul(p.u)).square().sum(-1).add(v.mean()).mean();

afterAll(() => setThreads('auto'));

test('results are the same to the bit for any number of threads', async () => {
  const step = jit(valueAndGrad(loss));
  const results: number[][] = [];
  for (const count of [1, 2, 3]) {
    await setThreads(count);
    expect(threads()).toEqual({ count, reason: `setThreads(${count})` });
    const { value, gradient } = await step(parameters, x);
    results.push([value.item(), ...gradient.w.data, ...gradient.b.data, ...gradient.u.data]);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test('chains that are compiled after the workers started reach them', async () => {
  await setThreads(2);
  const values = new Float32Array(2_000_000).map((_, i) => (i % 1000) / 500);
  // Each of a shape that was not there before, and large enough for the pool.
  for (const length of [8, 9, 10]) {
    const step = jit((v: Tensor) => {
      let y = v;
      for (let i = 0; i < length; i++) y = y.mul(0.5).add(1);
      return y;
    });
    const found = (await step(tensor(values))).data;
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      const expected = (values[i]! - 2) / 2 ** length + 2;
      const error = found[i]! - expected;
      if (error * error > worst) worst = error * error;
    }
    expect(worst).toBeLessThan(1e-12);
    expect(wasmEngine().pool.current).not.toBeNull();
  }
});

test('a worker that dies rejects the step with a clear error, and the next step works', async () => {
  await setThreads(2);
  const w = new Variable(zeros([600, 600]), 'w');
  const v = draw([600, 600], 6);
  const step = jit((t: Tensor) => {
    let y = t;
    for (let i = 0; i < 40; i++) y = y.matmul(t).tanh();
    w.assign(y);
    return y.sum();
  });
  const expected = (await step(v)).item();
  const running = step(v);
  const killed = wasmEngine().pool.current!.kill(1);
  const error = await running.then(
    () => null,
    (e: unknown) => e,
  );
  await killed;
  expect(error).toBeInstanceOf(WorkerError);
  expect((error as Error).message).toMatch(/worker 1 of 2 is gone.*did not finish/);
  expect((await step(v)).item()).toBe(expected);
  expect(threads().count).toBe(2);
});

test('small steps stay on the calling thread: nothing is started for them', async () => {
  await setThreads(1);
  await setThreads(2);
  expect((await jit((t: Tensor) => t.mul(2))(zeros([3]))).toArray()).toEqual([0, 0, 0]);
  expect(wasmEngine().pool.current).toBeNull();
});

test('mistakes are told', async () => {
  // More threads than any machine has processors take seconds for a step, and gigabytes as workers.
  for (const count of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 257, 2 ** 32 + 2, '2', null] as number[])
    await expect(setThreads(count)).rejects.toThrow(
      /expected 'auto' or an integer in 1\.\.256, received .*'auto' takes/,
    );
});
