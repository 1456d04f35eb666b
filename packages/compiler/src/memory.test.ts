import { loadKernels } from '@recurra/kernels';
import { arange, ones, type Tensor, tensor, zeros } from '@recurra/tensor';
import { jit, MemoryError, setThreads, Variable } from './index.js';

const MIB = 2 ** 20;
const { heap } = loadKernels();
/** Memory that nobody touches: so little is left that few tests fill it. */
const taken: number[] = [];

/** Takes all memory but so much, whether the heap has grown to its limit already or not. */
function leave(bytes: number): void {
  const hole = heap.allocate(bytes);
  for (let size = 2 ** 30; size >= MIB; size /= 2) while (heap.hasFree(size)) taken.push(heap.allocate(size));
  const rest = heap.limit - heap.usage().total;
  if (rest >= MIB) taken.push(heap.allocate(rest - MIB));
  heap.release(hole);
}

afterEach(() => {
  for (const at of taken.splice(0)) heap.release(at);
});
afterAll(() => setThreads('auto'));

/** Rows of ones times columns of ones: n * n ones in memory, of which the sum is exact. */
const product = jit((a: Tensor) => a.matmul(a.transpose()).sum(), { name: 'product' });

test('on both sides of 2 GiB the values are right, and nothing else is written', async () => {
  const other = new Variable(zeros([1000]), 'other');
  const touch = jit(() => {
    other.assign(other.value.mul(1));
    return other.value.sum();
  });
  await touch();
  for (const n of [23_000, 23_500, 23_100]) expect((await product(ones([n, 1]))).item()).toBe(Math.fround(n * n));
  expect((await touch()).item()).toBe(0);
  // A step that was larger has its old place back: there is no room for both.
  expect(heap.usage().total).toBeLessThan(23_500 ** 2 * 4 + 200 * MIB);
});

test('a step that needs more than 4 GiB says so before it starts; variables stay, and the next step is right', async () => {
  const v = new Variable(tensor([1, 2]), 'v');
  const step = jit(
    (a: Tensor) => {
      v.assign(v.value.mul(2));
      return a.matmul(a.transpose()).sum();
    },
    { name: 'train' },
  );
  expect((await step(ones([100, 1]))).item()).toBe(10_000);
  const error = await step(ones([40_000, 1])).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(MemoryError);
  expect((error as Error).message).toMatch(
    /^train: expected 5\.96 GiB \(5\.96 GiB of intermediate values, 0\.1 KiB of variables, .* of constants and commands\) to fit into the 4\.00 GiB that WebAssembly memory may grow to, received a step that is larger\. Use smaller batches/,
  );
  expect(v.value.toArray()).toEqual([2, 4]);
  expect((await step(ones([100, 1]))).item()).toBe(10_000);
  expect(v.value.toArray()).toEqual([4, 8]);
  // More booleans than kernels can count, in less than 4 GiB.
  const many = jit((a: Tensor) => a.reshape([a.size, 1]).greater(a).any());
  await expect(many(arange(50_000))).rejects.toThrow(
    /expected tensors of fewer than 2147483584 booleans, received one of 2500000000/,
  );
});

test('sizes of whole sequences and other residuals are counted beyond 32 bits', () => {
  const { residualSize, backwardScratch, recurrenceResidual, recurrenceBackwardScratch } = loadKernels().exports;
  // LSTM of 64 units over 1024 x 65536 steps: 4 gates and c and h of each, panels of 4 or 16 units.
  expect(residualSize(2, 1024, 65_536, 1, 64)).toBe(1024 * 64 * (65_536 * 4 + 2 * 65_537));
  expect(recurrenceResidual(2, 1024, 65_536, 64)).toBe(1024 * 64 * (65_536 * 4 + 2 * 65_537));
  for (const size of [backwardScratch(2, 1 << 20, 10, 1 << 20, 64), recurrenceBackwardScratch(2, 1024, 65_536, 64)])
    expect(size).toBeGreaterThan(2 ** 30);
});

/** A model of one large weight, compiled. */
function model(i: number, floats = 5 * MIB): { weight: Variable; step: () => Promise<Tensor> } {
  const weight = new Variable(ones([floats]), `model ${i}/kernel`);
  const step = jit(
    () => {
      weight.assign(weight.value.mul(2));
      return weight.value.max();
    },
    { name: `model ${i}` },
  );
  return { weight, step };
}

/** Smaller than what the next test holds: the last of them may still be reachable then, and is not to be the largest. */
const DROPPED = 4 * MIB;

test('what is dropped is given back before memory is said to be short, without a turn of the event loop', async () => {
  await setThreads(1);
  leave(120 * MIB);
  for (let i = 0; i < 40; i++) expect((await model(1000 + i, DROPPED).step()).item()).toBe(2);
});

test('what is dropped is given back where much else is finalized at the same time', async () => {
  await setThreads(1);
  leave(120 * MIB);
  // V8 runs the finalizers of one registry a turn.
  const registries = Array.from({ length: 50 }, () => new FinalizationRegistry<null>(() => {}));
  for (let i = 0; i < 40; i++) {
    for (const registry of registries) registry.register({}, null);
    expect((await model(2000 + i, DROPPED).step()).item()).toBe(2);
  }
});

test('the error says what holds memory; dispose() gives it back at once', async () => {
  leave(120 * MIB);
  const models: ReturnType<typeof model>[] = [];
  let error: unknown = null;
  while (error === null) {
    const next = model(models.length);
    models.push(next);
    await next.step().catch((e: unknown) => {
      error = e;
    });
  }
  expect(models.length).toBeGreaterThanOrEqual(4);
  expect(error).toBeInstanceOf(MemoryError);
  const { message } = error as Error;
  expect(message).toMatch(
    /^model \d+: expected 20\.00 MiB \(.* of intermediate values, 20\.00 MiB of variables, .*\) to fit into the 4\.00 GiB/,
  );
  expect(message).toMatch(/\d+ variables \(\d+\.\d\d MiB; (?:the largest: )?"model 0\/kernel" 20\.00 MiB, /);
  expect(message).toMatch(/\d+ plans \(.*Call dispose\(\) of models, steps and variables/);
  // The others go on, the one that failed keeps its value and runs once there is room.
  expect((await models[0]!.step()).item()).toBe(4);
  expect(models.at(-1)!.weight.value.data[7]).toBe(1);
  models[0]!.weight.dispose();
  models[0]!.weight.dispose();
  expect((await models.at(-1)!.step()).item()).toBe(2);
  await expect(models[0]!.step()).rejects.toThrow(
    /model 0\/kernel: expected a variable in use, received one that was disposed of/,
  );
  expect(() => models[0]!.weight.value).toThrow(/disposed of/);
  expect(() => models[0]!.weight.assign(ones([5 * MIB]))).toThrow(/disposed of/);
  expect((await models[1]!.step()).item()).toBe(4);
  for (const { weight } of models) weight.dispose();
});

test('a variable that is disposed of while a step runs is given back after it', async () => {
  await setThreads(2);
  const v = new Variable(ones([700, 700]), 'v');
  const step = jit((a: Tensor) => {
    let y = a;
    for (let i = 0; i < 10; i++) y = y.matmul(v.value).mul(1 / 700);
    v.assign(y);
    return y.max();
  });
  const before = heap.usage().allocated;
  expect((await step(ones([700, 700]))).item()).toBeCloseTo(1, 4);
  const running = step(ones([700, 700]));
  await null;
  v.dispose();
  await running.catch(() => {});
  const waiting = jit(() => tensor([1]).add(1));
  await waiting();
  step.dispose();
  expect(heap.usage().allocated).toBeLessThan(before + 700 * 700 * 4 + 24 * MIB);
});
