import { treeLeaves, valueAndGrad } from '@recurra/autograd';
import { jit, scan, setThreads, Variable } from '@recurra/compiler';
import { loadKernels } from '@recurra/kernels';
import {
  concat,
  logSoftmax,
  pad,
  randomKey,
  randomNormal,
  randomUniform,
  softmax,
  splitKey,
  type Tensor,
  tensor,
} from '@recurra/tensor';
import { dotProductAttention, GRUCell, LSTMCell, runSequence, SimpleRNNCell } from './index.js';

/**
 * Every kernel below, across and above 2 GiB, where addresses have their highest bit set. The memory between is reserved, and never
 * touched.
 */
const GIB = 2 ** 30;
const { heap } = loadKernels();

const keys = splitKey(randomKey(3), 8);
const draw = (i: number, shape: number[]): Tensor => randomNormal(shape, { key: keys[i]! });
const x = draw(0, [6, 5, 7]);
const wide = draw(1, [96, 200]);
const ids = tensor(Int32Array.of(4, 0, 3, 1, 2, 2));
const mask = randomUniform([6, 5], { key: keys[2]! }).less(0.8);

const CELLS = [
  new SimpleRNNCell(9),
  new LSTMCell(9),
  new GRUCell(9),
  new GRUCell(9, { resetAfter: false }),
  new LSTMCell(9, { recurrentDropout: 0.3 }),
  new LSTMCell(9, { recurrentActivation: 'hardSigmoid' }),
];

/** A step in which all commands of the kernels occur, long chains and short ones, and calls on the host between them. */
function program(): { step: () => Promise<Tensor[]>; variables: Variable[] } {
  const weights = CELLS.map((cell, i) => cell.init(7, { key: keys[i]! }));
  const state = new Variable(wide.mul(0.5), 'state');
  const table = new Variable(draw(3, [5, 12]), 'table');
  const step = jit((input: Tensor, w: Tensor, rows: Tensor, key: Tensor): Tensor[] => {
    const results: Tensor[] = [];
    const sequences = (ps: typeof weights): { value: Tensor; aux: Tensor[] } => {
      const walks = CELLS.map((cell, i) => {
        const dropout = cell.drawMasks(6, 7, { key: keys[7]! });
        return runSequence(cell as LSTMCell, ps[i]!, input, { mask, dropout });
      });
      const losses = walks.map(({ outputs, output }) => outputs!.square().sum().add(output.sum()));
      return { value: losses.reduce((a, b) => a.add(b)), aux: walks.map(({ outputs }) => outputs!) };
    };
    const { value, gradient, aux } = valueAndGrad(sequences)(weights);
    results.push(value, ...aux, ...treeLeaves(gradient));
    const large = w.transpose().matmul(w).add(w.sum(0)).tanh();
    for (let i = 0; i < 4; i++) results.push(large.matmul(large).mul(0.001));
    results.push(
      large.exp().sub(large.sigmoid()),
      large.greater(0).logicalNot(),
      large.sin(),
      large.cast('float64').square(),
    );
    results.push(
      softmax(w),
      logSoftmax(w),
      w.max(0),
      w.argmax(1),
      w.prod(1),
      w.greater(0).any(1),
      w.cumsum(1),
      w.cumsum(0),
    );
    results.push(
      concat([w, w.flip(1)], 1).transpose(),
      randomUniform([96, 200], { key }),
      pad(w.narrow(0, 1, 8).narrow(1, 2, 28), [
        [1, 1],
        [0, 2],
      ]),
    );
    const q = input.reshape([6, 5, 1, 7]);
    const attend = valueAndGrad((t: Tensor) => dotProductAttention(t, q, q, { mask, causal: true }).square().sum())(q);
    results.push(attend.value, attend.gradient);
    const looked = valueAndGrad((t: Tensor) => t.gather(rows).square().sum())(table.value);
    results.push(table.value.gather(rows), looked.gradient);
    const walked = scan((c: Tensor, row: Tensor) => ({ carry: c.mul(0.5).add(row), y: c.greater(0) }), w.sum(0), w);
    results.push(walked.carry, walked.ys);
    state.assign(state.value.mul(0.9).add(w));
    table.assign(table.value.sub(looked.gradient.mul(0.1)));
    results.push(state.value, table.value);
    return results;
  });
  return { step: () => step(x, wide, ids, keys[5]!), variables: [state, table] };
}

const bits = (list: readonly Tensor[]): string[] =>
  list.map((t) => Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength).toString('base64'));

afterAll(() => setThreads('auto'));

test.each([
  ['across 2 GiB', 2 * GIB - 300_000],
  ['above 2 GiB', 2 * GIB + 64],
  ['up to 4 GiB', 4 * GIB - 24 * 2 ** 20],
])('kernels compute the same %s as below, on one thread and on several', async (_, from) => {
  await setThreads(1);
  const low = program();
  const expected = [bits(await low.step()), bits(await low.step())];
  for (const v of low.variables) v.dispose();
  // What is free below `from` is taken.
  const taken: number[] = [];
  for (let size = GIB; size >= 64; size /= 2) while (heap.hasFree(size)) taken.push(heap.allocate(size));
  if (heap.usage().total < from) taken.push(heap.allocate(from - heap.usage().total));
  for (const count of [1, 2, 3]) {
    await setThreads(count);
    const high = program();
    expect(bits(await high.step())).toEqual(expected[0]);
    expect(bits(await high.step())).toEqual(expected[1]);
    expect(heap.usage().total).toBeGreaterThan(from);
    for (const v of high.variables) v.dispose();
  }
  for (const at of taken) heap.release(at);
});
