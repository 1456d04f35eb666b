import { LSTMCell, runSequence } from '@recurra/cells';
import { jit } from '@recurra/compiler';
import {
  concat,
  randomKey,
  randomNormal,
  ShapeError,
  setSeed,
  type Tensor,
  tensor,
  ValueError,
  zeros,
} from '@recurra/tensor';
import {
  type AnyRecurrent,
  Bidirectional,
  ConvLSTM1D,
  type ConvLSTM1DOptions,
  deserializeLayer,
  LSTM,
  RNN,
  Sequential,
  serializeLayer,
} from '../../index.js';
import { ConvLSTM1DCell } from './conv-lstm1d-cell.js';

const draw = (seed: number, ...shape: number[]): Tensor => randomNormal(shape, { key: randomKey(seed) });
const [batch, time, rows, channels, filters] = [3, 4, 3, 2, 5];
const x = draw(1, batch, time, rows, channels);
/** As many samples as rows: a mask that were broadcast along rows would go unnoticed by shapes. */
const mask = tensor([
  [false, true, true, false],
  [true, false, true, true],
  [true, true, false, false],
]);

const near = (actual: Tensor, expected: Tensor): void => {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [actual.data, expected.data];
  for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i]!, 5);
};

/** With windows of one row, each row is a sequence of its own for an LSTM. */
const apart = (v: Tensor): Tensor => v.swapaxes(1, 2).reshape([batch * rows, time, v.shape[3]!]);
const together = (v: Tensor): Tensor =>
  v.rank === 3 ? v.reshape([batch, rows, time, filters]).swapaxes(1, 2) : v.reshape([batch, rows, filters]);
const maskApart = mask
  .expandDims(1)
  .broadcastTo([batch, rows, time])
  .reshape([batch * rows, time]);

/** A ConvLSTM1D of windows of one row, and the LSTM of the same weights. */
function pair(options: Pick<ConvLSTM1DOptions, 'returnSequences' | 'goBackwards' | 'zeroOutputForMask' | 'stateful'>) {
  const conv = new ConvLSTM1D(filters, 1, { ...options, returnState: true });
  const lstm = new LSTM(filters, { ...options, returnState: true });
  conv.build([batch, time, rows, channels]);
  lstm.build([batch * rows, time, channels]);
  const weights = [draw(2, channels, 4 * filters), draw(3, filters, 4 * filters), draw(4, 4 * filters)];
  lstm.setWeights(weights);
  conv.setWeights([weights[0]!.expandDims(0), weights[1]!.expandDims(0), weights[2]!]);
  return { conv, lstm };
}

describe('windows of one row: an LSTM along each row', () => {
  test.each([
    {},
    { returnSequences: true },
    { returnSequences: true, goBackwards: true },
    { zeroOutputForMask: true },
    { returnSequences: true, zeroOutputForMask: true },
    { goBackwards: true, returnSequences: false },
  ])('%o, masked and not, eager and compiled', async (options) => {
    const { conv, lstm } = pair(options);
    for (const given of [null, mask]) {
      const expected = (lstm.apply(apart(x), { mask: given && maskApart }) as readonly Tensor[]).map(together);
      const f = (v: Tensor) => conv.apply(v, { mask: given }) as readonly Tensor[];
      for (const actual of [f(x), await jit(f)(x)]) for (const [i, e] of expected.entries()) near(actual[i]!, e);
    }
  });

  test('a stateful layer goes on where it was; its states can be cleared, and given', () => {
    const { conv, lstm } = pair({ stateful: true });
    const run = (): readonly Tensor[] => conv.apply(x) as readonly Tensor[];
    const first = run();
    near(first[0]!, together((lstm.apply(apart(x)) as readonly Tensor[])[0]!));
    const second = run();
    near(second[0]!, together((lstm.apply(apart(x)) as readonly Tensor[])[0]!));
    conv.resetStates();
    near(run()[0]!, first[0]!);
    conv.resetStates();
    near((conv.apply(x, { initialState: [first[1]!, first[2]!] }) as readonly Tensor[])[0]!, second[0]!);
    expect(() => conv.apply(x.narrow(0, 0, 2))).toThrow('expected batches of 3');
  });

  test('dropout masks are of each gate, sample, row and channel, for all steps', async () => {
    const cell = new ConvLSTM1DCell(filters, 1, { dropout: 0.4, recurrentDropout: 0.3 });
    const masks = cell.drawMasks(batch, channels, { key: randomKey(8) }, [rows, channels])!;
    expect([masks.input!.shape, masks.recurrent!.shape]).toEqual([
      [4, batch, rows, channels],
      [4, batch, rows, filters],
    ]);
    const params = cell.init(channels, { key: randomKey(9) });
    const flat = new LSTMCell(filters, { dropout: 0.4, recurrentDropout: 0.3 });
    const expected = runSequence(
      flat,
      { ...params, kernel: params.kernel.at(0), recurrentKernel: params.recurrentKernel.at(0) },
      apart(x),
      {
        dropout: {
          input: masks.input!.reshape([4, batch * rows, channels]),
          recurrent: masks.recurrent!.reshape([4, batch * rows, filters]),
        },
      },
    );
    const f = (v: Tensor) => runSequence(cell, params, v, { dropout: masks }).outputs!;
    near(f(x), together(expected.outputs!));
    near(await jit(f)(x), together(expected.outputs!));
  });
});

test('dropout in training: the share of the rate, scaled, and by the seed', () => {
  const cell = new ConvLSTM1DCell(8, 3, { dropout: 0.25, padding: 'same', dataFormat: 'channelsFirst' });
  const { input, recurrent } = cell.drawMasks(50, 40, {}, [8, 40])!;
  expect(recurrent).toBeUndefined();
  expect(input!.shape).toEqual([4, 50, 8, 40]);
  const values = [...input!.data] as number[];
  expect([...new Set(values)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
  expect(values.filter((v) => v === 0).length / values.length).toBeCloseTo(0.25, 1);
  expect(new ConvLSTM1DCell(8, 3).drawMasks(2, 3)).toBeNull();

  const layer = new ConvLSTM1D(2, 2, { dropout: 0.5, recurrentDropout: 0.5, seed: 3 });
  const quiet = layer.apply(x);
  const loud = layer.apply(x, { training: true });
  expect(loud.equal(quiet).all().item()).toBe(0);
  const again = new ConvLSTM1D(2, 2, { dropout: 0.5, recurrentDropout: 0.5, seed: 3 });
  again.build(x.shape);
  again.setWeights(layer.weights.map((w) => w.value));
  near(again.apply(x, { training: true }), loud);
});

test('Bidirectional: both directions, side by side in filters', () => {
  const layer = new Bidirectional(new ConvLSTM1D(filters, 2, { returnSequences: true, padding: 'same' }));
  const y = layer.apply(x);
  expect(layer.computeOutputShape([null, null, rows, channels])).toEqual([null, null, rows, 2 * filters]);
  const single = (from: AnyRecurrent, goBackwards: boolean): Tensor => {
    const alone = new ConvLSTM1D(filters, 2, { returnSequences: true, padding: 'same', goBackwards });
    alone.build(x.shape);
    alone.setWeights(from.weights.map((w) => w.value));
    return alone.apply(x);
  };
  near(y, concat([single(layer.forwardLayer, false), single(layer.backwardLayer, true).flip(1)], -1));
  const copy = deserializeLayer(JSON.parse(JSON.stringify(serializeLayer(layer)))) as Bidirectional;
  copy.build(x.shape);
  copy.setWeights(layer.weights.map((w) => w.value));
  near(copy.apply(x) as Tensor, y);
  expect(() => layer.apply(draw(1, 2, 3, 4))).toThrow('rank 4 [batch, time, rows, channels]');
});

test('learns which row moves', async () => {
  setSeed(1);
  const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2];
  const clips = concat(
    labels.map((label) => {
      const clip = new Float32Array(4 * 3);
      for (let t = 0; t < 4; t++) clip[3 * t + label] = t % 2 === 0 ? 1 : -1;
      return tensor(clip).reshape([1, 4, 3, 1]);
    }),
    0,
  );
  const layer = new ConvLSTM1D(1, 1);
  const wide = new ConvLSTM1D(4, 3, { padding: 'same', returnSequences: true, recurrentRegularizer: 'l2' });
  const model = new Sequential([wide, layer]);
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  const targets = concat(
    labels.map((label) =>
      zeros([3])
        .add(tensor([0, 1, 2].map((row) => (row === label ? 0.5 : 0))))
        .reshape([1, 3, 1]),
    ),
    0,
  );
  const { history } = await model.fit(clips, targets, { epochs: 20, verbose: 0, shuffle: false });
  expect(history['loss']!.at(-1)!).toBeLessThan(history['loss']![0]! * 0.9);
  model.dispose();
});

describe('what cannot be is refused', () => {
  test.each<[string, () => unknown, new (message: string) => Error, string]>([
    ['no filters', () => new ConvLSTM1D(0, 2), ValueError, 'ConvLSTM1D: expected filters to be an integer >= 1'],
    ['half a row', () => new ConvLSTM1D(2, 0.5), ValueError, 'expected kernelSize to be an integer >= 1'],
    ['options for a window', () => new ConvLSTM1D(2, { strides: 2 } as never), ValueError, 'expected kernelSize'],
    [
      'both',
      () => new ConvLSTM1D(2, 2, { strides: 2, dilationRate: 2 }),
      ValueError,
      'strides or dilationRate to be 1',
    ],
    ['causal', () => new ConvLSTM1D(2, 2, { padding: 'causal' as never }), ValueError, 'one of valid, same'],
    ['a format', () => new ConvLSTM1D(2, 2, { dataFormat: 'NHC' as never }), ValueError, 'channelsLast, channelsFirst'],
    ['a misspelt option', () => new ConvLSTM1D(2, 2, { stride: 2 } as never), ValueError, 'Did you mean "strides"?'],
    ['all dropped', () => new ConvLSTM1D(2, 2, { dropout: 1 }), ValueError, 'dropout'],
    ['rank 3', () => new ConvLSTM1D(2, 2).apply(draw(1, 2, 3, 4)), ShapeError, 'rank 4 [batch, time, rows, channels]'],
    ['rank 5', () => new ConvLSTM1D(2, 2).apply(draw(1, 2, 3, 4, 5, 6)), ShapeError, 'rank 4'],
    ['no steps', () => new ConvLSTM1D(2, 2).apply(zeros([2, 0, 4, 3])), ShapeError, 'at least one step'],
    ['few rows', () => new ConvLSTM1D(2, 4).apply(x), ShapeError, 'expected at least 4 rows, which one window spans'],
    [
      'open rows',
      () => new ConvLSTM1D(2, 2).computeOutputShape([null, 4, null, 2]),
      ShapeError,
      'a known number of rows',
    ],
    [
      'open channels',
      () => new ConvLSTM1D(2, 2, { dataFormat: 'channelsFirst' }).build([null, 4, null, 2]),
      ShapeError,
      'a known number of channels',
    ],
    ['a mask of rows', () => new ConvLSTM1D(2, 2).apply(x, { mask: x.at(0).greater(0) }), ShapeError, 'mask of shape'],
    [
      'states of other rows',
      () => new ConvLSTM1D(2, 2).apply(x, { initialState: [zeros([3, 3, 2]), zeros([3, 3, 2])] }),
      ShapeError,
      'expected initial states of shape [3, 2, 2], received [3, 3, 2]',
    ],
    ['one state', () => new ConvLSTM1D(2, 2).apply(x, { initialState: zeros([3, 2, 2]) }), ValueError, '2 initial'],
    ['a cell without a step', () => new ConvLSTM1DCell(2, 2).initialState(3), ValueError, 'the shape of a step'],
  ])('%s', (_, make, type, message) => {
    expect(make).toThrow(type);
    expect(make).toThrow(message);
  });

  test('other rows or channels than before', () => {
    const layer = new ConvLSTM1D(2, 2);
    layer.apply(x);
    expect(() => layer.apply(draw(1, 3, 4, 5, 2))).toThrow('expected 3 rows, received [3, 4, 5, 2]');
    expect(() => layer.apply(draw(1, 3, 4, 3, 1))).toThrow('expected 2 channels, received [3, 4, 3, 1]');
  });
});

test('stacks of convolutional cells, of rows that become fewer', async () => {
  const cells = [new ConvLSTM1DCell(3, 2), new ConvLSTM1DCell(filters, 2)];
  const stack = new RNN(cells, { returnSequences: true, returnState: true });
  const [y, ...states] = stack.apply(x) as readonly Tensor[];
  expect(stack.computeOutputShape([null, null, rows, channels])).toEqual([
    [null, null, 1, filters],
    [null, 2, 3],
    [null, 2, 3],
    [null, 1, filters],
    [null, 1, filters],
  ]);
  expect(states.map((s) => s.shape)).toEqual([
    [3, 2, 3],
    [3, 2, 3],
    [3, 1, filters],
    [3, 1, filters],
  ]);
  const one = new ConvLSTM1D(3, 2, { returnSequences: true });
  const two = new ConvLSTM1D(filters, 2, { returnSequences: true });
  one.build(x.shape);
  two.build([batch, time, 2, 3]);
  one.setWeights(stack.weights.slice(0, 3).map((w) => w.value));
  two.setWeights(stack.weights.slice(3).map((w) => w.value));
  near(y!, two.apply(one.apply(x)));
  near(await jit((v: Tensor) => (stack.apply(v) as readonly Tensor[])[0]!)(x), y!);
});
