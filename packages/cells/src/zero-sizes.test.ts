import { treeLeaves, treeMap, valueAndGrad } from '@recurra/autograd';
import { jit, setThreads } from '@recurra/compiler';
import { ones, randomKey, splitKey, type Tensor, zeros } from '@recurra/tensor';
import {
  type Cell,
  dotProductAttention,
  GRUCell,
  LSTMCell,
  runSequence,
  SimpleRNNCell,
  StackedRNNCells,
} from './index.js';

// biome-ignore lint/suspicious/noExplicitAny: cells of any parameters and states
type AnyCell = Cell<any, any>;

const [a, b] = splitKey(randomKey(3), 2) as [Tensor, Tensor];

const CELLS: [string, AnyCell][] = [
  ['SimpleRNN', new SimpleRNNCell(3)],
  ['SimpleRNN, relu, without bias', new SimpleRNNCell(3, { activation: 'relu', useBias: false })],
  ['SimpleRNN in a loop', new SimpleRNNCell(3, { activation: 'softsign' })],
  ['LSTM', new LSTMCell(5)],
  ['LSTM without bias', new LSTMCell(3, { useBias: false })],
  ['LSTM in a loop', new LSTMCell(3, { recurrentActivation: 'hardSigmoid' })],
  ['LSTM, dropout', new LSTMCell(3, { dropout: 0.3, recurrentDropout: 0.3 })],
  ['GRU', new GRUCell(3)],
  ['GRU, input dropout', new GRUCell(3, { dropout: 0.3 })],
  ['GRU, recurrent dropout', new GRUCell(3, { recurrentDropout: 0.3 })],
  ['GRU, reset before', new GRUCell(3, { resetAfter: false })],
  ['a stack', new StackedRNNCells([new LSTMCell(2), new GRUCell(2)], { residual: true })],
];

/** Nothing in the batch, and nothing in a step. */
const SIZES: [batch: number, time: number, features: number][] = [
  [0, 4, 2],
  [0, 1, 2],
  [2, 3, 0],
  [0, 3, 0],
];

afterAll(() => setThreads('auto'));

describe.each(CELLS)('%s without sequences, or without features', (_name, cell) => {
  test.each(SIZES)('[%p, %p, %p]', async (batch, time, features) => {
    const own = cell.init(Math.max(features, 1), { key: a });
    const narrow = (kernel: Tensor): Tensor => kernel.narrow(0, 0, features);
    const first = Array.isArray(own) ? own[0] : own;
    const params = Array.isArray(own)
      ? [{ ...first, kernel: narrow(first.kernel) }, ...own.slice(1)]
      : { ...own, kernel: narrow(first.kernel) };
    const xs = zeros([batch, time, features]);
    const mask = ones([batch, time])
      .cumsum(1)
      .less(time)
      .logicalOr(time === 1);
    const state = treeMap((leaf) => leaf.onesLike(), cell.initialState(batch));
    const dropout = cell.drawMasks(batch, features, { key: b });
    for (const walk of [
      {},
      { reverse: true, returnSequences: false },
      { mask, initialState: state },
      { mask, zeroOutputForMask: true, reverse: true },
      { truncate: 2, timeMajor: true },
    ]) {
      const major = 'timeMajor' in walk;
      const f = ({ params, xs }: { params: unknown; xs: Tensor }) => {
        const { output, outputs, state } = runSequence(cell, params, xs, { ...walk, dropout });
        const sums = [output, ...(outputs ? [outputs] : []), ...treeLeaves(state)].map((t) => t.square().sum());
        return { value: sums.reduce((x, y) => x.add(y)), aux: { output, outputs: outputs ?? output, state } };
      };
      const inputs = { params, xs: major ? xs.swapaxes(0, 1) : xs };
      const expected = valueAndGrad(f)(inputs);
      for (const count of major ? [1, 2] : [1]) {
        await setThreads(count);
        const actual = await jit(valueAndGrad(f))(inputs);
        const values = await jit((x: typeof inputs) => f(x).aux)(inputs);
        for (const [found, right] of [
          [actual, expected],
          [values, expected.aux],
        ]) {
          const [left, others] = [treeLeaves(found), treeLeaves(right)];
          expect(left.map((t) => t.shape)).toEqual(others.map((t) => t.shape));
          left.forEach((t, i) => {
            t.data.forEach((v: number, k: number) => {
              expect(v).toBeCloseTo(others[i]!.data[k]!, 5);
            });
          });
        }
        if (batch === 0) {
          // Nothing was seen: no value, and no gradient.
          expect(actual.value.item()).toBe(0);
          for (const g of treeLeaves(actual.gradient)) expect([...g.data].every((v) => v === 0)).toBe(true);
        }
      }
    }
  });
});

const ATTENTION: [string, number[], number[], number[]][] = [
  ['no sequences', [0, 3, 2, 4], [0, 5, 2, 4], [0, 5, 2, 6]],
  ['no queries', [2, 0, 2, 4], [2, 5, 2, 4], [2, 5, 2, 6]],
  ['no keys', [2, 3, 2, 4], [2, 0, 2, 4], [2, 0, 2, 6]],
  ['neither queries nor keys', [2, 0, 2, 4], [2, 0, 2, 4], [2, 0, 2, 6]],
  ['no heads', [2, 3, 0, 4], [2, 5, 0, 4], [2, 5, 0, 6]],
  ['no depth', [2, 3, 2, 0], [2, 5, 2, 0], [2, 5, 2, 6]],
  ['no values', [2, 3, 2, 4], [2, 5, 2, 4], [2, 5, 2, 0]],
];

test.each(ATTENTION)('attention with %s', async (_name, q, k, v) => {
  const inputs = [ones(q), ones(k), ones(v)];
  const mask = ones([k[0]!, k[1]!]).cast('bool');
  for (const options of [{ scale: 0.5 }, { scale: 0.5, causal: true }, { scale: 0.5, mask }]) {
    const f = ([x, y, z]: Tensor[]) => {
      const output = dotProductAttention(x!, y!, z!, options);
      return { value: output.sum(), aux: output };
    };
    for (const count of [1, 2]) {
      await setThreads(count);
      for (const { value, aux, gradient } of [valueAndGrad(f)(inputs), await jit(valueAndGrad(f))(inputs)]) {
        const shape = [q[0]!, q[1]!, q[2]!, v[3]!];
        expect(aux.shape).toEqual(shape);
        // Of equal keys each query sees the mean of ones, of none the empty sum.
        const one = k[1] === 0 ? 0 : 1;
        for (const x of aux.data) expect(x).toBeCloseTo(one, 6);
        expect(value.item()).toBeCloseTo(one * aux.size, 4);
        expect(gradient.map((g) => g.shape)).toEqual([q, k, v]);
        for (const g of gradient.slice(0, 2)) for (const x of g.data) expect(x).toBeCloseTo(0, 5);
        const each = gradient[2]!.data.length === 0 ? 0 : gradient[2]!.sum().item();
        expect(each).toBeCloseTo(one * aux.size, 3);
      }
    }
  }
});
