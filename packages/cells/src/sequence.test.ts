import { treeLeaves, valueAndGrad } from '@recurra/autograd';
import { jit, setThreads } from '@recurra/compiler';
import { ones, randomKey, randomNormal, randomUniform, ShapeError, splitKey, Tensor, tensor } from '@recurra/tensor';
import {
  type Cell,
  type CellParams,
  GRUCell,
  LSTMCell,
  type RunSequenceOptions,
  runSequence,
  SimpleRNNCell,
  StackedRNNCells,
} from './index.js';

// biome-ignore lint/suspicious/noExplicitAny: cells of any state
type AnyCell = Cell<CellParams, any>;

const [a, b, c, d, e] = splitKey(randomKey(77), 5) as [Tensor, Tensor, Tensor, Tensor, Tensor];

const CELLS: [string, (units: number) => AnyCell][] = [
  ['SimpleRNN', (units) => new SimpleRNNCell(units)],
  ['SimpleRNN, relu', (units) => new SimpleRNNCell(units, { activation: 'relu' })],
  ['SimpleRNN without bias', (units) => new SimpleRNNCell(units, { useBias: false })],
  ['LSTM', (units) => new LSTMCell(units)],
  ['LSTM without bias', (units) => new LSTMCell(units, { useBias: false })],
  ['GRU', (units) => new GRUCell(units)],
  ['GRU without bias', (units) => new GRUCell(units, { useBias: false })],
  ['GRU, reset before', (units) => new GRUCell(units, { resetAfter: false })],
  ['GRU, reset before, without bias', (units) => new GRUCell(units, { resetAfter: false, useBias: false })],
  ['SimpleRNN, recurrent dropout', (units) => new SimpleRNNCell(units, { dropout: 0.3, recurrentDropout: 0.4 })],
  [
    'SimpleRNN, relu, recurrent dropout',
    (units) => new SimpleRNNCell(units, { activation: 'relu', recurrentDropout: 0.4 }),
  ],
  ['LSTM, recurrent dropout', (units) => new LSTMCell(units, { dropout: 0.3, recurrentDropout: 0.4 })],
  ['GRU, recurrent dropout', (units) => new GRUCell(units, { dropout: 0.3, recurrentDropout: 0.4 })],
  ['GRU, reset before, recurrent dropout', (units) => new GRUCell(units, { resetAfter: false, recurrentDropout: 0.4 })],
];
/** Those that a loop computes: no kernel has their activations. */
const LOOPS: [string, (units: number) => AnyCell][] = [
  ['LSTM, hard sigmoid', (units) => new LSTMCell(units, { recurrentActivation: 'hardSigmoid' })],
  ['SimpleRNN, softsign', (units) => new SimpleRNNCell(units, { activation: 'softsign' })],
];

const LEFT = [0, 0, 1, 1, 1];
const GAPS = [1, 0, 1, 1, 0];
const NONE = [0, 0, 0, 0, 0];
const mask = tensor([LEFT, GAPS, NONE].map((row) => row.map(Boolean)));

const WALKS: [string, Omit<RunSequenceOptions<unknown>, 'initialState'> & { initial?: boolean }][] = [
  ['plain', {}],
  ['reverse', { reverse: true }],
  ['mask', { mask }],
  ['mask, reverse', { mask, reverse: true }],
  ['mask, zeros for skipped steps', { mask, zeroOutputForMask: true }],
  ['mask, zeros, reverse', { mask, zeroOutputForMask: true, reverse: true }],
  ['initial state', { initial: true }],
  ['initial state, mask', { initial: true, mask }],
  ['initial state, mask, reverse, zeros', { initial: true, mask, reverse: true, zeroOutputForMask: true }],
  ['last output alone', { returnSequences: false }],
  ['last output, mask, initial state', { returnSequences: false, mask, initial: true }],
  ['truncated', { truncate: 2, initial: true }],
  ['truncated, reverse', { truncate: 2, reverse: true }],
];

function close(actual: Tensor, expected: Tensor, tolerance: number): void {
  expect(actual.shape).toEqual(expected.shape);
  let worst = 0;
  actual.data.forEach((v: number, i: number) => {
    const w = expected.data[i]!;
    worst = Math.max(worst, Math.abs(v - w) / Math.max(1, Math.abs(w)));
  });
  expect(worst).toBeLessThan(tolerance);
}

/** A scalar of everything that a sequence gives, with its gradient for everything that goes in. */
function lossOf(cell: AnyCell, options: (typeof WALKS)[number][1]) {
  const { initial, ...walk } = options;
  return ({ params, xs, state }: { params: CellParams; xs: Tensor; state: unknown }) => {
    const {
      outputs,
      output,
      state: last,
    } = runSequence(cell, params, xs, {
      ...walk,
      dropout: cell.drawMasks(xs.shape[0]!, xs.shape[2]!, { key: d }),
      ...(initial ? { initialState: state } : {}),
    });
    let sum = output.mul(output.sub(0.3)).sum();
    if (outputs) sum = sum.add(outputs.mul(randomUniform(outputs.shape, { key: e })).sum());
    for (const leaf of treeLeaves(last)) sum = sum.add(leaf.square().mul(0.5).sum());
    return { value: sum, aux: { outputs, output, last } };
  };
}

describe.each([...CELLS, ...LOOPS])('%s, compiled as step by step', (_name, make) => {
  test.each(WALKS)('%s', async (_walk, options) => {
    // Sizes that are no multiples of the kernels' tiles.
    for (const [units, features] of [
      [5, 3],
      [17, 9],
    ] as const) {
      const cell = make(units);
      const xs = randomNormal([3, 5, features], { key: b });
      const zero = cell.initialState(3);
      const state =
        zero instanceof Tensor
          ? randomNormal([3, units], { key: c })
          : { h: randomNormal([3, units], { key: c }), c: randomNormal([3, units], { key: d }) };
      const inputs = { params: cell.init(features, { key: a }), xs, state };
      const f = valueAndGrad(lossOf(cell, options));
      const eager = f(inputs);
      const compiled = await jit(f)(inputs);
      close(compiled.value, eager.value, 1e-5);
      treeLeaves(compiled.aux).forEach((t, i) => {
        close(t, treeLeaves(eager.aux)[i]!, 2e-6);
      });
      treeLeaves(compiled.gradient).forEach((t, i) => {
        close(t, treeLeaves(eager.gradient)[i]!, 2e-5);
      });
      // Without a gradient the kernels keep no history: the same values.
      const values = await jit((x: typeof inputs) => lossOf(cell, options)(x).aux)(inputs);
      treeLeaves(values).forEach((t, i) => {
        close(t, treeLeaves(eager.aux)[i]!, 2e-6);
      });
    }
  });
});

test.each([...CELLS, ...LOOPS])('%s: the gradient of a gradient, compiled as step by step', async (_name, make) => {
  const cell = make(3);
  const params = cell.init(2, { key: a });
  const xs = randomNormal([2, 4, 2], { key: b });
  const slope = (x: Tensor): Tensor => {
    const { gradient } = valueAndGrad((p: CellParams) =>
      runSequence(cell, p, x, { dropout: cell.drawMasks(2, 2, { key: d }) })
        .outputs!.square()
        .sum(),
    )(params);
    return treeLeaves(gradient).reduce((sum, g) => sum.add(g.square().sum()), tensor(0));
  };
  const f = valueAndGrad(slope);
  const eager = f(xs);
  const compiled = await jit(f)(xs);
  close(compiled.value, eager.value, 2e-5);
  close(compiled.gradient, eager.gradient, 1e-4);
});

test('dropout: the same masks, compiled and step by step', async () => {
  for (const options of [{ dropout: 0.4 }, { dropout: 0.3, recurrentDropout: 0.5 }]) {
    const cell = new LSTMCell(4, options);
    const params = cell.init(3, { key: a });
    const xs = randomNormal([2, 6, 3], { key: b });
    const f = (x: Tensor): Tensor =>
      runSequence(cell, params, x, { dropout: cell.drawMasks(2, 3, { key: c }) }).outputs!;
    close(await jit(f)(xs), f(xs), 2e-6);
  }
});

test.each([
  [
    'LSTM',
    new (class extends LSTMCell {
      override initialState(batch: number) {
        return { h: ones([batch, this.units]), c: ones([batch, this.units]).mul(0.5) };
      }
    })(4),
  ],
  [
    'GRU',
    new (class extends GRUCell {
      override initialState(batch: number) {
        return ones([batch, this.units]);
      }
    })(4),
  ],
] as [string, AnyCell][])("%s: a start of one's own, compiled as step by step", async (_name, cell) => {
  const params = cell.init(3, { key: a });
  const xs = randomNormal([3, 5, 3], { key: b });
  for (const walk of [{}, { mask }, { truncate: 2 }]) {
    const f = (x: Tensor, own?: unknown) => runSequence(cell, params, x, { ...walk, initialState: own }).outputs!;
    const eager = f(xs);
    close(eager, f(xs, cell.initialState(3)), 1e-7);
    close(await jit((x: Tensor) => f(x))(xs), eager, 2e-6);
  }
});

describe('the same results, to the bit, for any number of threads', () => {
  afterAll(() => setThreads('auto'));

  test.each([
    ['SimpleRNN', new SimpleRNNCell(160)],
    ['LSTM', new LSTMCell(128)],
    ['GRU', new GRUCell(128)],
    ['GRU, reset before', new GRUCell(128, { resetAfter: false })],
    ['LSTM, recurrent dropout', new LSTMCell(128, { recurrentDropout: 0.4 })],
  ] as [string, AnyCell][])('%s', async (_name, cell) => {
    const params = cell.init(8, { key: a });
    const xs = randomNormal([25, 40, 8], { key: b });
    const dropout = cell.drawMasks(25, 8, { key: c });
    const step = jit(valueAndGrad((p: CellParams) => runSequence(cell, p, xs, { dropout }).outputs!.square().mean()));
    const found: number[][] = [];
    for (const count of [1, 2, 3]) {
      await setThreads(count);
      const { value, gradient } = await step(params);
      found.push([value.item(), ...treeLeaves(gradient).flatMap((t) => [...t.data])]);
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });
});

describe('parameters that do not fit are refused, also compiled, where kernels would read beside them', () => {
  const xs = ones([2, 3, 4]);
  test.each([
    ['SimpleRNN', new SimpleRNNCell(3)],
    ['LSTM', new LSTMCell(3)],
    ['GRU', new GRUCell(3)],
    ['GRU, reset before', new GRUCell(3, { resetAfter: false })],
  ])('%s', async (_name, cell) => {
    const right = cell.init(4, { key: randomKey(1) });
    const one = (shape: readonly number[], axis: number, n: number): number[] =>
      shape.map((size, i) => (i === axis ? n : size));
    const wrong = Object.entries(right).flatMap(([name, value]) =>
      value.shape.flatMap((size: number, axis: number) =>
        [0, size - 1, size + 1].map((n) => [name, { ...right, [name]: ones(one(value.shape, axis, n)) }] as const),
      ),
    );
    wrong.push(['recurrentKernel', { ...right, recurrentKernel: undefined as never }]);
    for (const [name, params] of wrong) {
      const f = (p: typeof right) => runSequence(cell as never, p as never, xs).output;
      const message = new RegExp(`expected (${name} of shape|inputs of [0-9]+ features)`);
      expect(() => f(params)).toThrow(ShapeError);
      expect(() => f(params)).toThrow(message);
      await expect(jit(() => f(params))()).rejects.toThrow(message);
    }
    // The parameters of a cell of another width, and a stack with too few.
    expect(() => runSequence(cell as never, new LSTMCell(5).init(4) as never, xs)).toThrow(/of shape .* for 3 units/);
    const stack = new StackedRNNCells([cell as never, new LSTMCell(2)]);
    expect(() => runSequence(stack, [right], xs)).toThrow(/expected the parameters to be a list of those of 2 cells/);
    expect(() => runSequence(stack, [right, new LSTMCell(2).init(4)], xs)).toThrow(/LSTMCell: .* features/);
  });
});
