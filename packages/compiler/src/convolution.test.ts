import { valueAndGrad } from '@recurra/autograd';
import { loadKernels } from '@recurra/kernels';
import { averagePool1d, conv1d, maxPool1d, randomKey, randomNormal, type Tensor, tensor } from '@recurra/tensor';
import { jit, setThreads } from './index.js';

/** The kernels of convolutions and pooling, on any number of threads and anywhere in memory. */
const draw = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });
const GIB = 2 ** 30;

/** More samples than threads, as many, and fewer, so that channels, rows and columns are shared instead. */
const CASES = [
  { batch: 5, strides: 1, dilationRate: 1 },
  { batch: 2, strides: 2, dilationRate: 1 },
  { batch: 1, strides: 1, dilationRate: 1 },
  { batch: 1, strides: 1, dilationRate: 3 },
] as const;
const inputs = CASES.map(({ batch }, i) => ({ x: draw([batch, 61, 37], i), w: draw([4, 37, 51], 9 + i) }));

const step = (): ((p: typeof inputs) => Promise<number[]>) => {
  const compiled = jit((p: typeof inputs) =>
    p.map((own, i) => {
      const { strides, dilationRate } = CASES[i]!;
      const f = ({ x, w }: { x: Tensor; w: Tensor }): Tensor => {
        const y = conv1d(x, w, { strides, dilationRate, padding: 'same' }).tanh();
        const pooled = maxPool1d(y, 3, { strides: 2, padding: 'same' }).add(
          averagePool1d(y, 3, { strides: 2, padding: 'same' }),
        );
        return pooled.square().sum();
      };
      return valueAndGrad(f)(own);
    }),
  );
  return async (p) =>
    (await compiled(p)).flatMap(({ value, gradient }) => [value.item(), ...gradient.x.data, ...gradient.w.data]);
};

afterAll(() => setThreads('auto'));

test('results are the same to the bit for any number of threads, across and above 2 GiB', async () => {
  await setThreads(1);
  const expected = await step()(inputs);
  expect(expected.every(Number.isFinite)).toBe(true);
  for (const count of [2, 3]) {
    await setThreads(count);
    expect(await step()(inputs)).toEqual(expected);
  }
  const { heap } = loadKernels();
  const taken: number[] = [];
  for (let size = GIB; size >= 64; size /= 2) while (heap.hasFree(size)) taken.push(heap.allocate(size));
  const from = 2 * GIB + 4096;
  if (heap.usage().total < from) taken.push(heap.allocate(from - heap.usage().total));
  expect(await step()(inputs)).toEqual(expected);
  expect(heap.usage().total).toBeGreaterThan(from);
  for (const at of taken) heap.release(at);
});

test('NaN and infinities reach the outputs whose windows hold them, and no others', async () => {
  const x = tensor([[[1], [2], [Number.NaN], [4], [5], [Number.POSITIVE_INFINITY]]]);
  const run = jit((v: Tensor) => ({
    convolved: conv1d(v, [[[1]], [[0]]]),
    largest: maxPool1d(v, 2),
    mean: averagePool1d(v, 2),
  }));
  const { convolved, largest, mean } = await run(x);
  expect([...convolved.data]).toEqual([1, Number.NaN, Number.NaN, 4, Number.NaN]);
  expect([...largest.data]).toEqual([2, Number.NaN, Number.POSITIVE_INFINITY]);
  expect([...mean.data]).toEqual([1.5, Number.NaN, Number.POSITIVE_INFINITY]);
});

test('the gradient of a window goes to the first of equals', async () => {
  const run = jit((v: Tensor) => valueAndGrad((u: Tensor) => maxPool1d(u, 3, { strides: 1 }).sum())(v).gradient);
  const found = await run(tensor([[[0], [0], [0], [3], [3]]]));
  expect([...found.data]).toEqual([1, 0, 0, 2, 0]);
});
