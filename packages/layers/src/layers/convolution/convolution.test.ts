import { arange, ones, ShapeError, setSeed, type Tensor, ValueError } from '@recurra/tensor';
import {
  AveragePooling1D,
  Conv1D,
  Conv1DTranspose,
  Cropping1D,
  Dense,
  DepthwiseConv1D,
  deserializeLayer,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  MaxPooling1D,
  SeparableConv1D,
  Sequential,
  serializeLayer,
  UpSampling1D,
  ZeroPadding1D,
} from '../../index.js';

const x = (...shape: number[]): Tensor => arange(shape.reduce((a, b) => a * b)).reshape(shape);

test.each([
  ['no filters', () => new Conv1D(0, 3), 'expected filters to be an integer >= 1, received 0'],
  ['half a filter', () => new Conv1D(1.5, 3), 'received 1.5'],
  ['an empty kernel', () => new Conv1D(2, 0), 'expected kernelSize to be an integer >= 1, received 0'],
  [
    'a kernel of two axes',
    () => new Conv1D(2, [3, 3] as never),
    'expected kernelSize to be an integer >= 1, received [3, 3]',
  ],
  ['no stride', () => new Conv1D(2, 3, { strides: 0 }), 'expected strides'],
  ['strides and dilation', () => new Conv1D(2, 3, { strides: 2, dilationRate: 2 }), 'strides or dilationRate to be 1'],
  ['strides and dilation, transposed', () => new Conv1DTranspose(2, 3, { strides: 2, dilationRate: 2 }), 'to be 1'],
  [
    'groups that do not divide',
    () => new Conv1D(3, 3, { groups: 2 }),
    'expected groups to divide 3 filters, received 2',
  ],
  ['a padding that there is not', () => new Conv1D(2, 3, { padding: 'full' as never }), 'one of valid, same, causal'],
  ['causal depthwise', () => new DepthwiseConv1D(3, { padding: 'causal' as never }), 'one of valid, same'],
  ['a format that there is not', () => new Conv1D(2, 3, { dataFormat: 'NCT' as never }), 'channelsLast, channelsFirst'],
  ['an unknown option', () => new Conv1D(2, 3, { dilation: 2 } as never), 'dilation'],
  ['a multiplier of none', () => new SeparableConv1D(2, 3, { depthMultiplier: 0 }), 'depthMultiplier'],
  [
    'output padding of a stride',
    () => new Conv1DTranspose(2, 3, { strides: 2, outputPadding: 2 }),
    'less than strides (2)',
  ],
  ['no pool', () => new MaxPooling1D(0), 'expected poolSize'],
  ['no pool stride', () => new AveragePooling1D(2, { strides: 0 }), 'expected strides'],
  ['negative padding', () => new ZeroPadding1D(-1), 'expected padding to be an integer >= 0'],
  ['three croppings', () => new Cropping1D([1, 2, 3] as never), 'an integer or a list of two'],
  ['sampling by half', () => new UpSampling1D(0.5), 'expected size'],
])('%s is refused', (_, make, message) => {
  expect(make).toThrow(ValueError);
  expect(make).toThrow(message);
});

test.each([
  [
    'rank 2',
    () => new Conv1D(2, 3).apply(x(2, 9)),
    'expected input of rank 3 [batch, time, channels], received [2, 9]',
  ],
  [
    'rank 2, channels first',
    () => new MaxPooling1D(2, { dataFormat: 'channels_first' }).apply(x(2, 9)),
    '[batch, channels, time]',
  ],
  ['a short sequence', () => new Conv1D(2, 3, { dilationRate: 2 }).apply(x(2, 4, 1)), 'at least 5 steps'],
  ['a short sequence, pooled', () => new AveragePooling1D(5).apply(x(2, 4, 1)), 'at least 5 steps'],
  [
    'channels that groups do not divide',
    () => new Conv1D(4, 1, { groups: 2 }).apply(x(2, 4, 3)),
    '3 channels in 2 groups',
  ],
  ['all cropped', () => new Cropping1D(2).apply(x(2, 4, 1)), 'more than 4 steps'],
  ['nothing to pool', () => new GlobalMaxPooling1D().apply(ones([2, 0, 3])), 'at least one step'],
  ['open channels', () => new Conv1D(2, 3).build([null, 9, null]), 'known number of channels'],
])('%s is a ShapeError', (_, run, message) => {
  expect(run).toThrow(ShapeError);
  expect(run).toThrow(message);
});

test('a built convolution takes no other number of channels', () => {
  const layer = new Conv1D(2, 3, { name: 'reads' });
  layer.apply(x(1, 5, 4));
  expect(() => layer.apply(x(1, 5, 3))).toThrow('Conv1D "reads": expected 4 channels, received [1, 5, 3]');
});

test.each([
  ['valid', new Conv1D(7, 3, { strides: 2 }), [null, 9, 4], [null, 4, 7]],
  ['same', new Conv1D(7, 3, { strides: 2, padding: 'same' }), [null, 9, 4], [null, 5, 7]],
  ['open time', new Conv1D(7, 3), [null, null, 4], [null, null, 7]],
  ['channels first', new Conv1D(7, 3, { dataFormat: 'channelsFirst' }), [null, 4, 9], [null, 7, 7]],
  ['depthwise', new DepthwiseConv1D(3, { depthMultiplier: 2 }), [null, 9, 4], [null, 7, 8]],
  ['transposed', new Conv1DTranspose(7, 3, { strides: 2 }), [null, 9, 4], [null, 19, 7]],
  ['pooled', new MaxPooling1D(3), [2, 10, 4], [2, 3, 4]],
  ['pooled, open time', new MaxPooling1D(3), [2, null, 4], [2, null, 4]],
  ['global', new GlobalAveragePooling1D(), [null, null, 4], [null, 4]],
  ['padded', new ZeroPadding1D([1, 2]), [null, 3, 4], [null, 6, 4]],
  ['cropped', new Cropping1D([1, 2]), [null, null, 4], [null, null, 4]],
  ['repeated', new UpSampling1D(3), [null, 2, 4], [null, 6, 4]],
])('the shape of outputs is known before: %s', (_, layer, from, to) => {
  expect(layer.computeOutputShape(from as number[])).toEqual(to);
});

test('configurations hold what Keras writes: lists of one, its spelling of formats', () => {
  const layer = new Conv1D(2, 3, { dataFormat: 'channelsFirst', padding: 'causal', dilationRate: [2] });
  expect(layer.getConfig()).toMatchObject({
    filters: 2,
    kernelSize: [3],
    strides: [1],
    padding: 'causal',
    dataFormat: 'channels_first',
    dilationRate: [2],
    groups: 1,
  });
  const again = deserializeLayer(serializeLayer(layer));
  expect(again.getConfig()).toEqual(layer.getConfig());
});

test('a text model of convolutions trains, its penalty counts, its constraint holds', async () => {
  setSeed(5);
  const model = new Sequential([
    new Conv1D(4, 3, { activation: 'relu', kernelRegularizer: 'l2', kernelConstraint: 'nonNeg', padding: 'same' }),
    new MaxPooling1D(2),
    new SeparableConv1D(3, 2, { depthwiseRegularizer: 'l1' }),
    new GlobalMaxPooling1D(),
    new Dense(1),
  ]);
  model.build([null, 8, 2]);
  model.compile({ optimizer: 'adam', loss: 'mse' });
  model.optimizer!.learningRate = 0.01;
  expect(model.losses).toHaveLength(2);
  const inputs = x(4, 8, 2).div(64);
  const targets = inputs.max([1, 2]).reshape([4, 1]);
  const { history } = await model.fit(inputs, targets, { epochs: 60, verbose: 0, shuffle: false });
  const losses = history['loss'] as number[];
  expect(losses[59]!).toBeLessThan(losses[0]! / 2);
  expect(Math.min(...model.weights[0]!.value.data)).toBeGreaterThanOrEqual(0);
});
