import { grad, treeLeaves } from '@recurra/autograd';
import { ones, randomKey, randomNormal, splitKey, type Tensor, tensor } from '@recurra/tensor';
import { type Cell, type CellParams, GRUCell, LSTMCell, runSequence, SimpleRNNCell, StackedRNNCells } from './index.js';

const [a, b, c] = splitKey(randomKey(1), 3) as [Tensor, Tensor, Tensor];
// biome-ignore lint/suspicious/noExplicitAny: cells of any state
type AnyCell = Cell<any, any>;
const KINDS: [string, AnyCell][] = [
  ['SimpleRNN', new SimpleRNNCell(3)],
  ['LSTM', new LSTMCell(3)],
  ['GRU', new GRUCell(3)],
  ['GRU, reset before', new GRUCell(3, { resetAfter: false })],
  [
    'a residual stack',
    new StackedRNNCells([new LSTMCell(2), new GRUCell(2), new SimpleRNNCell(3)], { residual: true }),
  ],
];

/** Largest relative difference between gradient and central differences, over some elements of every parameter. */
function checkGradient(cell: AnyCell, time: number, options: object = {}): number {
  const params = cell.init(2, { key: a, dtype: 'float64' });
  const xs = randomNormal([2, time, 2], { key: b, dtype: 'float64' });
  const weights = randomNormal([2, time, cell.outputSize], { key: c, dtype: 'float64' });
  const loss = (p: unknown): Tensor => runSequence(cell, p, xs, options).outputs!.mul(weights).sum();
  const gradients = treeLeaves(grad(loss)(params));
  const leaves = treeLeaves(params);
  let worst = 0;
  leaves.forEach((leaf, i) => {
    for (const e of [0, Math.floor(leaf.size / 2), leaf.size - 1]) {
      const at = (delta: number): number => {
        const data = Float64Array.from(leaf.data);
        data[e] = data[e]! + delta;
        let next = 0;
        const moved = replace(params, () => (next++ === i ? tensor(data, { shape: leaf.shape }) : leaves[next - 1]!));
        return loss(moved).item();
      };
      const numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
      worst = Math.max(worst, Math.abs(numeric - gradients[i]!.data[e]!) / Math.max(1, Math.abs(numeric)));
    }
  });
  return worst;
}

function replace(tree: unknown, f: () => Tensor): unknown {
  if (Array.isArray(tree)) return tree.map((t) => replace(t, f));
  return Object.fromEntries(Object.entries(tree as object).map(([k, v]) => [k, v.shape ? f() : replace(v, f)]));
}

test.each(KINDS)('%s: back-propagation through 50 steps against finite differences', (_name, cell) => {
  expect(checkGradient(cell, 50)).toBeLessThan(1e-6);
});

test.each(KINDS)('%s: gradient with a mask, backwards', (_name, cell) => {
  const mask = tensor([
    [true, true, false, true],
    [false, true, true, false],
  ]);
  expect(checkGradient(cell, 4, { mask, reverse: true })).toBeLessThan(1e-6);
});

test.each(KINDS)('%s: one long sequence is two halves that hand over their state', (_name, cell) => {
  const params = cell.init(2, { key: a, dtype: 'float64' });
  const xs = randomNormal([3, 6, 2], { key: b, dtype: 'float64' });
  const whole = runSequence(cell, params, xs);
  const first = runSequence(cell, params, xs.narrow(1, 0, 4));
  const second = runSequence(cell, params, xs.narrow(1, 4, 2), { initialState: first.state });
  expect(second.output.toArray()).toEqual(whole.output.toArray());
  expect(treeLeaves(second.state).map((s) => s.toArray())).toEqual(treeLeaves(whole.state).map((s) => s.toArray()));
});

test('reverse and timeMajor are the same walk seen from another side', () => {
  const cell = new GRUCell(3);
  const params = cell.init(2, { key: a });
  const xs = randomNormal([2, 5, 2], { key: b });
  const forward = runSequence(cell, params, xs.flip(1));
  const backward = runSequence(cell, params, xs, { reverse: true });
  expect(backward.outputs!.flip(1).toArray()).toEqual(forward.outputs!.toArray());
  const major = runSequence(cell, params, xs.transpose([1, 0, 2]), { timeMajor: true });
  expect(major.outputs!.transpose([1, 0, 2]).toArray()).toEqual(runSequence(cell, params, xs).outputs!.toArray());
});

test('truncation keeps values and cuts gradients', () => {
  const cell = new LSTMCell(3);
  const params = cell.init(2, { key: a });
  const xs = randomNormal([2, 6, 2], { key: b });
  const last = (x: Tensor, truncate?: number): Tensor =>
    runSequence(cell, params, x, truncate ? { truncate } : {}).output.sum();
  expect(last(xs, 2).item()).toBe(last(xs).item());
  const g = grad((x: Tensor) => last(x, 2))(xs);
  expect(g.narrow(1, 0, 4).abs().max().item()).toBe(0);
  expect(g.narrow(1, 4, 2).abs().max().item()).toBeGreaterThan(0);
});

test('the gradient of a SimpleRNN vanishes over 50 steps where that of an LSTM survives', () => {
  const size = (cell: AnyCell): number => {
    const params = cell.init(2, { key: a, dtype: 'float64' }) as CellParams;
    const xs = randomNormal([4, 50, 2], { key: b, dtype: 'float64' });
    // A contracting recurrence for the SimpleRNN (spectral norm 0.5); a forget gate near 1 for the LSTM.
    const scaled =
      cell instanceof SimpleRNNCell
        ? { ...params, recurrentKernel: params.recurrentKernel.mul(0.5) }
        : { ...params, bias: params.bias!.mul(3) };
    const g = grad((x: Tensor) => runSequence(cell, scaled, x).output.sum())(xs);
    return g.narrow(1, 0, 1).square().sum().sqrt().item() / g.narrow(1, 49, 1).square().sum().sqrt().item();
  };
  expect(size(new SimpleRNNCell(8))).toBeLessThan(1e-12);
  expect(size(new LSTMCell(8))).toBeGreaterThan(1e-3);
});

test('weights have the layout of Keras, the forget gate starts at 1', () => {
  const lstm = new LSTMCell(2).init(3, { key: a });
  expect([lstm.kernel.shape, lstm.recurrentKernel.shape, lstm.bias!.toArray()]).toEqual([
    [3, 8],
    [2, 8],
    [0, 0, 1, 1, 0, 0, 0, 0],
  ]);
  expect(new GRUCell(2).init(3).bias!.shape).toEqual([2, 6]);
  expect(new GRUCell(2, { resetAfter: false }).init(3).bias!.shape).toEqual([6]);
  expect(new SimpleRNNCell(2, { useBias: false }).init(3).bias).toBeUndefined();
});

test('dropout masks keep the mean; with recurrent dropout every gate has its own', () => {
  const cell = new LSTMCell(50, { dropout: 0.4, recurrentDropout: 0.25 });
  const masks = cell.drawMasks(20, 300, { key: c })!;
  expect([masks.input!.shape, masks.recurrent!.shape]).toEqual([
    [4, 20, 300],
    [4, 20, 50],
  ]);
  expect(masks.input!.mean().item()).toBeCloseTo(1, 1);
  expect(masks.recurrent!.equal(0).cast('float32').mean().item()).toBeCloseTo(0.25, 1);
  expect(new LSTMCell(4, { dropout: 0.5 }).drawMasks(2, 3)!.input!.shape).toEqual([2, 3]);
  expect(new LSTMCell(4).drawMasks(2, 2)).toBeNull();
});

test.each(KINDS)('%s: a sequence with dropout is its steps with the same masks, in either layout', (_name, plain) => {
  const options = { dropout: 0.4, recurrentDropout: 0.3 };
  const cell: AnyCell =
    plain instanceof StackedRNNCells
      ? new StackedRNNCells([new GRUCell(3, options), new LSTMCell(3, { dropout: 0.5 })])
      : plain instanceof SimpleRNNCell
        ? new SimpleRNNCell(3, options)
        : plain instanceof LSTMCell
          ? new LSTMCell(3, options)
          : new GRUCell(3, { ...options, resetAfter: _name === 'GRU' });
  const params = cell.init(2, { key: a });
  const xs = randomNormal([2, 5, 2], { key: b });
  const dropout = cell.drawMasks(2, 2, { key: c })!;
  let state = cell.initialState(2);
  const outputs: number[][] = [];
  for (let t = 0; t < 5; t++) {
    const step = cell.step(params, xs.at(t, 1), state, dropout);
    state = step.state;
    outputs.push([...step.output.data]);
  }
  const whole = runSequence(cell, params, xs, { dropout });
  const major = runSequence(cell, params, xs.transpose([1, 0, 2]), { dropout, timeMajor: true });
  for (let t = 0; t < 5; t++) {
    [...whole.outputs!.at(t, 1).data].forEach((v, i) => {
      expect(v).toBeCloseTo(outputs[t]![i]!, 6);
    });
    expect([...major.outputs!.at(t, 0).data]).toEqual([...whole.outputs!.at(t, 1).data]);
  }
  expect(checkGradient(cell, 4, { dropout: cell.drawMasks(2, 2, { key: c, dtype: 'float64' }) })).toBeLessThan(1e-6);
});

test('mistakes are told', () => {
  const cell = new LSTMCell(3);
  const params = cell.init(2);
  expect(() => runSequence(cell, params, ones([32, 100]))).toThrow(
    /rank 3 \[batch, time, features\], received \[32, 100\]. Token ids need an Embedding first/,
  );
  expect(() => runSequence(cell, params, ones([1, 4, 5]))).toThrow(/inputs of 2 features/);
  expect(() => runSequence(cell, params, ones([1, 0, 2]))).toThrow(/at least one step/);
  expect(() => runSequence(cell, params, ones([1, 4, 2]), { mask: ones([1, 3]).cast('bool') })).toThrow(
    /mask of shape \[1, 4\]/,
  );
  expect(() => runSequence(cell, params, ones([1, 4, 2]), { initialState: cell.initialState(2) })).toThrow(
    /states of batch size 1/,
  );
  expect(() => new LSTMCell(0)).toThrow(/units to be an integer >= 1/);
  expect(() => new GRUCell(2, { dropout: 1 })).toThrow(/expected dropout to be a number >= 0 and < 1/);
});
