import { valueAndGrad } from '@recurra/autograd';
import { randomKey, randomNormal, softmax, type Tensor, zeros } from '@recurra/tensor';
import { jit, setThreads, threads, Variable, WorkerError } from './index.js';
import { currentExecutor } from './scheduler.js';

const draw = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });
const parameters = { w: draw([96, 200], 1), b: draw([200], 2), u: draw([200, 40], 3) };
const x = draw([513, 96], 4);

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
  const big = draw([4_000_000], 5);
  const first = jit((v: Tensor) => v.mul(2).add(1));
  const second = jit((v: Tensor) => v.mul(3).sub(1).relu().sqrt());
  await first(big);
  const found = (await second(big)).data;
  const expected = big.mul(3).sub(1).relu().sqrt().data;
  expect(found.every((v: number, i: number) => Math.abs(v - expected[i]!) < 1e-6)).toBe(true);
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
  const killed = currentExecutor()!.kill(1);
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
  expect(currentExecutor()).toBeNull();
});

test('mistakes are told', async () => {
  await expect(setThreads(0)).rejects.toThrow(/expected 'auto' or an integer >= 1, received 0/);
});
