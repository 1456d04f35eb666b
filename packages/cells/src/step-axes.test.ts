import { valueAndGrad } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import {
  arange,
  concat,
  randomKey,
  randomNormal,
  type Shape,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  zeros,
} from '@recurra/tensor';
import {
  type Cell,
  type CellStep,
  type InitializeOptions,
  initializeParams,
  runSequence,
  StackedRNNCells,
} from './index.js';

interface Params {
  readonly gain: Tensor;
}
interface Sums {
  readonly total: Tensor;
  readonly steps: Tensor;
}

/** Adds up what it sees, a table at each step, and counts the steps that count; gives the sums of the table's rows, times a gain. */
class TableSum implements Cell<Params, Sums> {
  readonly outputSize: number;
  readonly stepAxes = ['rows', 'columns'];

  constructor(rows: number) {
    this.outputSize = rows;
  }
  outputShape([rows]: Shape): Shape {
    return [rows!];
  }
  init(columns: number, options: InitializeOptions = {}): Params {
    return initializeParams({ gain: { shape: [columns], initializer: 'ones' } }, options);
  }
  initialState(batch: number, dtype: 'float32', step?: Shape): Sums {
    return { total: zeros([batch, ...step!], dtype), steps: zeros([batch], dtype) };
  }
  step({ gain }: Params, input: Tensor, state: Sums): CellStep<Sums> {
    const total = state.total.add(input.mul(gain));
    return { output: total.sum(-1), state: { total, steps: state.steps.add(1) } };
  }
  drawMasks(): null {
    return null;
  }
}

// As many samples as rows and columns: what were broadcast along the wrong axis would have the right shape.
const [batch, time, n] = [3, 4, 3];
const cell = new TableSum(n);
const params = cell.init(n);
const xs = randomNormal([batch, time, n, n], { key: randomKey(5) });
const mask = tensor([
  [true, false, true, true],
  [false, false, true, false],
  [false, true, false, true],
]);
const near = (actual: Tensor, expected: Tensor): void => {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [actual.data, expected.data];
  for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i]!, 5);
};
/** The sums, with a mask as a factor. */
const masked = xs.mul(mask.cast('float32').reshape([batch, time, 1, 1]));

test.each([false, true])('a mask keeps states of any rank, each by the samples; backwards %s', async (reverse) => {
  const f = (x: Tensor) => runSequence(cell, params, x, { mask, reverse });
  const sums = reverse ? masked.flip(1).cumsum(1).flip(1) : masked.cumsum(1);
  for (const { outputs, output, state } of [f(xs), await jit(f)(xs)]) {
    near(outputs!, sums.sum(-1));
    near(output, masked.sum([1, 3]));
    near(state.total, masked.sum(1));
    near(state.steps, mask.cast('float32').sum(1));
  }
});

test('skipped steps give zeros if asked', () => {
  const { outputs } = runSequence(cell, params, xs, { mask, zeroOutputForMask: true });
  near(outputs!, masked.cumsum(1).sum(-1).mul(mask.cast('float32').expandDims(-1)));
});

test('time first, initial states, and gradients that truncation cuts', async () => {
  const start = {
    total: arange(batch * n * n)
      .cast('float32')
      .reshape([batch, n, n]),
    steps: zeros([batch]),
  };
  const { outputs, state } = runSequence(cell, params, xs.swapaxes(0, 1), { timeMajor: true, initialState: start });
  near(outputs!, xs.cumsum(1).add(start.total.expandDims(1)).sum(-1).swapaxes(0, 1));
  near(state.steps, zeros([batch]).add(time));
  const loss = (p: Params, truncate: number) => sum(runSequence(cell, p, xs, { truncate }).output);
  // The last part alone reaches the gain.
  const cut = valueAndGrad((p: Params) => loss(p, 3));
  for (const { gradient } of [cut(params), await jit(cut)(params)])
    near(gradient.gain, xs.narrow(1, 3, 1).sum([0, 1, 2]));
});

test('inputs of another rank, and states without a batch under a mask, are refused', () => {
  expect(() => runSequence(cell, params, xs.sum(-1))).toThrow(ShapeError);
  expect(() => runSequence(cell, params, xs.sum(-1))).toThrow(
    'rank 4 [batch, time, rows, columns], received [3, 4, 3]',
  );
  expect(() => runSequence(cell, params, xs.sum(-1), { timeMajor: true })).toThrow('[time, batch, rows, columns]');
  class Counter extends TableSum {
    override initialState(count: number, dtype: 'float32', step?: Shape): Sums {
      return { ...super.initialState(count, dtype, step), steps: zeros([], dtype) };
    }
  }
  expect(runSequence(new Counter(n), params, xs).state.steps.item()).toBe(time);
  expect(() => runSequence(new Counter(n), params, xs, { mask })).toThrow(
    'expected states [batch, ...] of batch size 3',
  );
});

test('in a stack, each cell sees the shape of the output before', () => {
  class Twice extends TableSum {
    override outputShape([rows, columns]: Shape): Shape {
      return [rows!, 2 * columns!];
    }
    override step(own: Params, input: Tensor, state: Sums): CellStep<Sums> {
      const { state: next } = super.step(own, input, state);
      return { output: concat([next.total, next.total], -1), state: next };
    }
  }
  const stack = new StackedRNNCells([new Twice(2), new TableSum(2)]);
  const own = stack.init(3, {}, [2, 3]) as Params[];
  expect(own.map((p) => p.gain.shape)).toEqual([[3], [6]]);
  expect([stack.stepAxes, stack.outputShape([2, 3])]).toEqual([['rows', 'columns'], [2]]);
  const x = xs.narrow(2, 0, 2);
  near(runSequence(stack, own, x).outputs!, x.cumsum(1).cumsum(1).sum(-1).mul(2));
});
