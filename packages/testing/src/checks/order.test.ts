import { jit } from '@recurra/compiler';
import * as t from '@recurra/tensor';
import { type Tensor, tensor } from '@recurra/tensor';

const inf = Infinity;
const nan = Number.NaN;
/** Expected values: NumPy 2.4, and (descending, top k) PyTorch 2.15 and JAX 0.10, which agree. */
const x = tensor([3, nan, -0, 0, inf, -inf, nan, 1]);

const CASES: readonly [name: string, f: (x: Tensor) => Tensor, expected: unknown][] = [
  ['sort', (v) => t.sort(v), [-inf, -0, 0, 1, 3, inf, nan, nan]],
  ['argsort', (v) => t.argsort(v), [5, 2, 3, 7, 0, 4, 1, 6]],
  ['sort, descending', (v) => t.sort(v, -1, { descending: true }), [nan, nan, inf, 3, 1, -0, 0, -inf]],
  ['argsort, descending', (v) => t.argsort(v, -1, { descending: true }), [1, 6, 4, 0, 7, 2, 3, 5]],
  ['topK values', (v) => t.topK(v, 3).values, [nan, nan, inf]],
  ['topK indices', (v) => t.topK(v, 3).indices, [1, 6, 4]],
  ['argmax', (v) => ARGMAX(v), 1],
  ['argmin', (v) => ARGMIN(v), 1],
  ['argmax of columns', (v) => ARGMAX(v.reshape([4, 2]), 0), [3, 0]],
  ['argmin of columns', (v) => ARGMIN(v.reshape([4, 2]), 0), [3, 0]],
  ['max', (v) => v.max(), nan],
  ['min', (v) => v.min(), nan],
  ['max of rows', (v) => v.reshape([4, 2]).max(1), [nan, 0, inf, nan]],
  ['min of columns', (v) => v.reshape([4, 2]).min(0), [nan, nan]],
  ['maximum', (v) => v.maximum(1), [3, nan, 1, 1, inf, 1, nan, 1]],
  ['minimum', (v) => v.minimum(1), [1, nan, -0, 0, 1, -inf, nan, 1]],
  ['clip', (v) => v.clip(0.5, 2), [2, nan, 0.5, 0.5, 2, 0.5, nan, 1]],
  ['median', (v) => t.median(v), nan],
  ['median of rows', (v) => t.median(v.reshape([4, 2]), 1), [nan, 0, nan, nan]],
  ['searchsorted', (v) => SEARCH(t.sort(v), [nan, inf, 0]), [6, 5, 1]],
  ['searchsorted, right', (v) => SEARCH(t.sort(v), [nan, inf, 0], { side: 'right' }), [8, 6, 3]],
  ['digitize', (v) => t.digitize(v, [0, 1]), [2, 2, 1, 1, 2, 0, 2, 2]],
  ['segmentMax', (v) => t.segmentMax(v, Int32Array.of(0, 0, 1, 1, 2, 2, 1, 3), 4), [nan, nan, inf, 1]],
];
const ARGMAX = (v: Tensor, axis?: number): Tensor => v.argmax(axis);
const ARGMIN = (v: Tensor, axis?: number): Tensor => v.argmin(axis);
const SEARCH = t.searchsorted;

test.each(CASES)('%s puts NaN where NumPy does, eager and compiled', async (_name, f, expected) => {
  expect(f(x).toArray()).toEqual(expected);
  expect((await jit(f)(x)).toArray()).toEqual(expected);
});

test('unique has NaN once, at the end', () => {
  expect(t.unique(x).toArray()).toEqual([-inf, 0, 1, 3, inf, nan]);
});

test('long rows: an extreme with a NaN anywhere is NaN, its index that of the first', async () => {
  for (const at of [0, 5, 16, 36]) {
    const data = Float32Array.from({ length: 37 }, (_, i) => Math.sin(i));
    data[at] = nan;
    data[36] = nan;
    const row = tensor(data);
    const f = (v: Tensor): Tensor[] => [v.max(), v.min(), ARGMAX(v), ARGMIN(v)];
    for (const result of [f(row), await jit(f)(row)]) expect(result.map((r) => r.item())).toEqual([nan, nan, at, at]);
  }
});

// Keras: a NaN "shouldn't be considered as large probability"; a NaN of one's own is no hit at all.
test('inTopK: a NaN is never a hit, and stands before no other', async () => {
  const scores = tensor([
    [nan, 1, 2],
    [nan, nan, nan],
    [nan, 1, 2],
    [1, 1, 1],
    [nan, 1, 2],
  ]);
  const f = (s: Tensor): Tensor => t.inTopK(Int32Array.of(0, 0, 2, 2, 1), s, 1);
  for (const hit of [f(scores), await jit(f)(scores)]) expect(hit.toArray()).toEqual([false, false, true, true, false]);
});
