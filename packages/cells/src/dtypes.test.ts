import { treeLeaves, treeMap, valueAndGrad } from '@recurra/autograd';
import { jit, scan } from '@recurra/compiler';
import { type DType, ones, randomKey, randomNormal, splitKey, type Tensor, take, tensor, zeros } from '@recurra/tensor';
import {
  type Cell,
  dotProductAttention,
  GRUCell,
  LSTMCell,
  type RunSequenceOptions,
  runSequence,
  SimpleRNNCell,
  StackedRNNCells,
} from './index.js';

// biome-ignore lint/suspicious/noExplicitAny: cells of any parameters and states
type AnyCell = Cell<any, any>;

const [a, b] = splitKey(randomKey(3), 2) as [Tensor, Tensor];

const CELLS: [string, AnyCell][] = [
  ['SimpleRNN', new SimpleRNNCell(3)],
  ['SimpleRNN in a loop', new SimpleRNNCell(3, { activation: 'softsign' })],
  ['LSTM', new LSTMCell(3)],
  ['LSTM in a loop', new LSTMCell(3, { recurrentActivation: 'hardSigmoid' })],
  ['LSTM, dropout', new LSTMCell(3, { dropout: 0.3, recurrentDropout: 0.3 })],
  ['GRU', new GRUCell(3)],
  ['GRU, input dropout', new GRUCell(3, { dropout: 0.3 })],
  ['GRU, reset before', new GRUCell(3, { resetAfter: false })],
  [
    'a residual stack',
    new StackedRNNCells([new LSTMCell(2), new GRUCell(2), new SimpleRNNCell(3)], { residual: true }),
  ],
];

const DATA = [
  [
    [1, 0],
    [0, 1],
    [1, 1],
    [0, 0],
  ],
  [
    [0, 1],
    [1, 1],
    [0, 0],
    [1, 0],
  ],
];
const WALKS: RunSequenceOptions<unknown>[] = [
  {},
  { reverse: true, returnSequences: false },
  { mask: tensor([1, 1, 0, 1, 0, 1, 1, 0], { shape: [2, 4], dtype: 'int32' }) },
  { truncate: 2, mask: tensor([1, 1, 0, 1, 0, 1, 1, 0], { shape: [2, 4] }), zeroOutputForMask: true },
];

function same(actual: unknown, expected: unknown, dtype: DType): void {
  const [left, right] = [treeLeaves(actual), treeLeaves(expected)];
  expect(left.length).toBe(right.length);
  left.forEach((t, i) => {
    expect([t.dtype, t.shape]).toEqual([dtype, right[i]!.shape]);
    t.data.forEach((v: number, k: number) => {
      expect(v).toBeCloseTo(right[i]!.data[k]!, 5);
    });
  });
}

describe.each(CELLS)('%s computes in the dtype of its parameters', (_name, cell) => {
  test.each([
    ['float32', 'float64'],
    ['float64', 'float32'],
  ] as const)('%s', async (dtype, other) => {
    const params = cell.init(2, { key: a, dtype });
    const dropout = cell.drawMasks(2, 2, { key: b });
    for (const [k, walk] of WALKS.entries()) {
      const stated = k % 2 === 1;
      const f = ({ xs, state }: { xs: Tensor; state: unknown }) =>
        valueAndGrad((own: unknown) => {
          const result = runSequence(cell, own, xs, { ...walk, dropout, ...(stated ? { initialState: state } : {}) });
          const { output } = result;
          return { value: output.mul(output).sum(), aux: { ...result, outputs: result.outputs ?? output } };
        })(params);
      const state = treeMap((leaf) => leaf.onesLike(), cell.initialState(2, dtype));
      // The same numbers in the parameters' own dtype, one operation after another.
      const expected = f({ xs: tensor(DATA, { dtype }), state });
      for (const given of ['int32', 'bool', other] as const) {
        const inputs = { xs: tensor(DATA).cast(given), state: treeMap((leaf) => leaf.cast(given), state) };
        same(f(inputs), expected, dtype);
        if (given !== 'bool' || k > 1) same(await jit(f)(inputs), expected, dtype);
      }
    }
  });

  test('a single step', async () => {
    const params = cell.init(2, { key: a });
    const state = cell.initialState(2);
    const step = (x: Tensor) => cell.step(params, x, state);
    const x = tensor(DATA).at(0, 1);
    const expected = step(x);
    for (const given of ['int32', 'bool', 'float64'] as const) {
      if (cell instanceof StackedRNNCells && given === 'float64') continue; // The sum with a float64 input is float64.
      same(step(x.cast(given)), expected, 'float32');
      same(await jit(step)(x.cast(given)), expected, 'float32');
    }
  });
});

test('a SimpleRNN on integers and booleans, by hand', async () => {
  const cell = new SimpleRNNCell(1, { activation: 'relu' });
  const params = { kernel: tensor([[0.5]]), recurrentKernel: tensor([[0.25]]), bias: tensor([1]) };
  const f = (xs: Tensor): Tensor => runSequence(cell, params, xs).outputs!;
  // h = 0.5 x + 0.25 h + 1
  for (const [xs, expected] of [
    [tensor([[[2], [-1], [3]]], { dtype: 'int32' }), [2, 1, 2.75]],
    [tensor([[[true], [false]]]), [1.5, 1.375]],
  ] as [Tensor, number[]][]) {
    expect([...f(xs).data]).toEqual(expected);
    expect([...(await jit(f)(xs)).data]).toEqual(expected);
  }
});

test('parameters of several dtypes make the widest', async () => {
  for (const cell of [new LSTMCell(3), new GRUCell(3), new SimpleRNNCell(3)] as AnyCell[]) {
    const params = cell.init(2, { key: a });
    const xs = tensor(DATA);
    const expected = runSequence(cell, params, xs).outputs!;
    for (const name of ['kernel', 'recurrentKernel', 'bias']) {
      const f = (x: Tensor): Tensor =>
        runSequence(cell, { ...params, [name]: params[name].cast('float64') }, x).outputs!;
      same(f(xs), expected, 'float64');
      same(await jit(f)(xs), expected, 'float64');
    }
    const whole = { ...params, bias: params.bias.cast('int32') };
    const g = (x: Tensor): Tensor => runSequence(cell, whole, x).outputs!;
    same(await jit(g)(xs.cast('bool')), g(xs), 'float32');
  }
});

test('a cell of ids sees integers as they are', async () => {
  const table = randomNormal([4, 3], { key: a });
  const cell: Cell<{ table: Tensor }, Tensor> = {
    outputSize: 3,
    init: () => ({ table }),
    initialState: (batch, dtype) => zeros([batch, 3], dtype),
    drawMasks: () => null,
    step: (own, ids, state) => {
      const output = state.add(take(own.table, ids.squeeze(1), 0));
      return { output, state: output };
    },
  };
  const f = (ids: Tensor): Tensor => runSequence(cell, { table }, ids).outputs!;
  const ids = tensor([[[0], [3], [1]]], { dtype: 'int32' });
  const expected = take(table, tensor([[0, 3, 1]], { dtype: 'int32' }), 0).cumsum(1);
  same(f(ids), expected, 'float32');
  same(await jit(f)(ids), expected, 'float32');
});

test('states of other shapes or structures are refused', async () => {
  const lstm = new LSTMCell(3);
  const params = lstm.init(2, { key: a });
  const f = (initialState: unknown) => (xs: Tensor) =>
    runSequence(lstm as AnyCell, params, xs, { initialState }).output;
  const xs = tensor(DATA);
  for (const [state, message] of [
    [
      { h: zeros([2, 1]), c: zeros([2, 3]) },
      /expected states of shapes \[2, 3\], \[2, 3\], received \[2, 1\], \[2, 3\]/,
    ],
    [{ h: zeros([2, 3]), c: zeros([2, 3, 1]) }, /received \[2, 3\], \[2, 3, 1\]/],
    [{ h: zeros([1, 3]), c: zeros([1, 3]) }, /batch size 2/],
    [[zeros([2, 3]), zeros([2, 3])], /one structure/],
    [zeros([2, 3]), /one structure/],
  ] as [unknown, RegExp][]) {
    expect(() => f(state)(xs)).toThrow(message);
    await expect(jit(f(state))(xs)).rejects.toThrow(message);
  }
});

test('attention on queries, keys and values of any dtypes', async () => {
  const data = tensor([1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1], { shape: [1, 3, 2, 2] });
  const f = ([q, k, v]: Tensor[]): Tensor => dotProductAttention(q!, k!, v!, { causal: true });
  const expected = f([data, data, data]);
  const dtypes = ['bool', 'int32', 'float32', 'float64'] as const;
  for (const q of dtypes)
    for (const k of dtypes)
      for (const v of dtypes) {
        const inputs = [data.cast(q), data.cast(k), data.cast(v)];
        const dtype = [q, k, v].includes('float64') ? 'float64' : 'float32';
        same(f(inputs), expected, dtype);
        same(await jit(f)(inputs), expected, dtype);
      }
  // Scores 0.5 * (2 * 1) = 1 and 0: e / (e + 1) of the first value, 4, by hand.
  const by = (t: Tensor) => dotProductAttention(t, t.sub(1), t.mul(2), { scale: 0.5 });
  const ids = tensor([2, 1], { shape: [1, 2, 1, 1], dtype: 'int32' });
  const e = Math.E;
  for (const y of [by(ids), await jit(by)(ids)]) {
    expect(y.at(0, 1).item()).toBeCloseTo((4 * e + 2) / (e + 1), 5);
    expect(y.at(1, 1).item()).toBeCloseTo((4 * Math.sqrt(e) + 2) / (Math.sqrt(e) + 1), 5);
  }
  for (const mask of [tensor([[1, 0]], { dtype: 'int32' }), tensor([[1, 0]]), tensor([[true, false]])]) {
    const g = (t: Tensor) => dotProductAttention(t, t, t, { mask });
    expect([...g(ids).data]).toEqual([2, 2]);
    expect([...(await jit(g)(ids)).data]).toEqual([2, 2]);
  }
});

test('a loop over integers and booleans, with carries of both', async () => {
  const f = ({ xs, on }: { xs: Tensor; on: Tensor }) =>
    scan(
      ({ sum, any, mean }: { sum: Tensor; any: Tensor; mean: Tensor }, x: { v: Tensor; on: Tensor }) => ({
        carry: { sum: sum.add(x.v), any: any.logicalOr(x.on), mean: mean.mul(0.5).add(x.v) },
        y: { twice: x.v.mul(2), on: x.on, half: x.v.mul(0.5) },
      }),
      { sum: tensor(0, { dtype: 'int32' }), any: tensor(false), mean: tensor(0) },
      { v: xs, on },
    );
  const inputs = { xs: tensor([1, 2, -4], { dtype: 'int32' }), on: tensor([false, true, false]) };
  for (const { carry, ys } of [f(inputs), await jit(f)(inputs)]) {
    expect([carry.sum, carry.any, carry.mean].map((c) => [c.dtype, c.toArray()])).toEqual([
      ['int32', -1],
      ['bool', true],
      ['float32', -2.75],
    ]);
    expect([ys.twice.dtype, ys.twice.toArray()]).toEqual(['int32', [2, 4, -8]]);
    expect([ys.on.dtype, ys.on.toArray()]).toEqual(['bool', [false, true, false]]);
    expect([ys.half.dtype, ys.half.toArray()]).toEqual(['float32', [0.5, 1, -2]]);
  }
  const w = ones([1]);
  const g = ({ xs }: { xs: Tensor }) =>
    valueAndGrad((own: Tensor) =>
      scan((c: Tensor, x: Tensor) => ({ carry: c.mul(own).add(x), y: c }), zeros([1]), xs).carry.sum(),
    )(w);
  for (const { value, gradient } of [g(inputs), await jit(g)(inputs)]) {
    // ((0 w + 1) w + 2) w - 4 = w^2 + 2 w - 4: -1, with the slope 4.
    expect([value.item(), gradient.toArray()]).toEqual([-1, [4]]);
  }
});
