import { LSTMCell } from '@recurra/cells';
import { randomInteger, randomKey, randomNormal, relu, type Tensor, tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../extend.js';
import {
  Activation,
  Add,
  AveragePooling1D,
  BatchNormalization,
  Bidirectional,
  Conv1D,
  Conv1DTranspose,
  Cropping1D,
  Dense,
  DepthwiseConv1D,
  Dropout,
  deserializeLayer,
  EinsumDense,
  Embedding,
  Flatten,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  Input,
  Lambda,
  Layer,
  LSTM,
  Masking,
  MaxPooling1D,
  Model,
  MultiHeadAttention,
  Normalization,
  Rescaling,
  RNN,
  SeparableConv1D,
  Sequential,
  Softmax,
  type SymbolicTensor,
  serializeLayer,
  TimeDistributed,
  UnitNormalization,
  UpSampling1D,
  ZeroPadding1D,
} from '../index.js';

const x = randomNormal([2, 3, 4, 5], { key: randomKey(1) });
const steps = tensor([
  [true, false, true],
  [true, true, false],
]);
const words = tensor([
  [
    [true, true, false, false],
    [true, true, true, true],
    [false, false, false, false],
  ],
  [
    [true, false, false, false],
    [false, false, false, false],
    [true, true, true, false],
  ],
]);

/** What a step at a time gives: Keras' definition. */
const byStep = (layer: Layer, xs: Tensor, masks: (t: number) => Tensor | null = () => null): unknown =>
  Array.from({ length: xs.shape[1]! }, (_, t) =>
    layer.apply(withMask(xs.at(t, 1), null), { mask: masks(t) }).toArray(),
  );
const stepsOf = (y: Tensor): unknown => Array.from({ length: y.shape[1]! }, (_, t) => y.at(t, 1).toArray());

class Mixing extends Layer {
  call(input: Tensor): Tensor {
    return input.sub(input.mean(0, { keepDims: true }));
  }
}

test.each<[string, () => Layer]>([
  ['an LSTM', () => new LSTM(3)],
  ['a chain', () => new Sequential([new LSTM(3, { returnSequences: true }), new Dense(2, { activation: 'relu' })])],
  ['a stateful layer', () => new LSTM(3, { stateful: true })],
  ['what mixes the samples of a batch', () => new Mixing()],
])('%s sees each step by itself, as Keras has it', (_name, make) => {
  const layer = make();
  const y = new TimeDistributed(layer).apply(x);
  layer.resetStates();
  expect(stepsOf(y)).toEqual(byStep(layer, x));
});

/** y - mean of the batch, as an activation of one's own. */
const centred = (v: Tensor): Tensor => v.sub(v.mean(0, { keepDims: true }));
/** A dense layer that does more than its class says. */
class Centred extends Dense {
  override call(v: Tensor): Tensor {
    return centred(super.call(v));
  }
}
class Twice extends Layer {
  protected override get independentSamples(): boolean {
    return true;
  }
  call(v: Tensor): Tensor {
    return v.mul(2);
  }
}
const graphOf = (f: (v: SymbolicTensor) => SymbolicTensor): Layer => {
  const v = Input({ shape: [4, 5] });
  return new Model({ inputs: v, outputs: f(v) });
};
const constant = randomNormal([2, 4, 5], { key: randomKey(9) });

test.each<[string, boolean, () => Layer]>([
  ['an activation of one of its own', false, () => new Activation(centred)],
  ['one of the known activations as a function', true, () => new Activation(relu)],
  ['a dense layer with an activation of its own', false, () => new Dense(3, { activation: centred })],
  ['a recurrent layer with an activation of its own', false, () => new LSTM(3, { activation: centred })],
  ['a chain', true, () => new Sequential([new Flatten(), new Dense(3, { activation: 'relu' })])],
  [
    'a chain with a part that does not say',
    false,
    () => new Sequential([new Flatten(), new Lambda((v: Tensor) => centred(v))]),
  ],
  ['a subclass that does not say', false, () => new Centred(3)],
  ['a class of its own that says so', true, () => new Twice()],
  ['a normalization of the batch axis', false, () => new UnitNormalization({ axis: 0 })],
  ['a normalization of an axis that may be that of the batch', false, () => new UnitNormalization({ axis: -3 })],
  ['a softmax over the batch', false, () => new Softmax({ axis: 0 })],
  ['an einsum that keeps the batch', true, () => new EinsumDense('abc,cd->abd', [null, 3])],
  ['statistics of the batch', false, () => new BatchNormalization()],
  ['attention', true, () => new MultiHeadAttention(2, 3) as never],
  ['both directions of a recurrent layer', true, () => new Bidirectional(new LSTM(3))],
  ['a cell, which may be any', false, () => new RNN(new LSTMCell(3))],
  ['time within time', true, () => new TimeDistributed(new Dense(3))],
  ['a convolution', true, () => new Conv1D(3, 2, { activation: 'relu' })],
  ['a convolution with an activation of its own', false, () => new Conv1D(3, 2, { activation: centred })],
  ['a separable convolution', true, () => new SeparableConv1D(3, 2, { padding: 'same' })],
  ['a depthwise convolution', true, () => new DepthwiseConv1D(2, { depthMultiplier: 2 })],
  ['a transposed convolution', true, () => new Conv1DTranspose(3, 2, { strides: 2 })],
  ['the largest of windows', true, () => new MaxPooling1D(2)],
  ['the means of windows', true, () => new AveragePooling1D(2)],
  ['the largest of all', true, () => new GlobalMaxPooling1D()],
  ['the mean of all', true, () => new GlobalAveragePooling1D()],
  ['ends that come and go', true, () => new Sequential([new ZeroPadding1D(2), new Cropping1D(1), new UpSampling1D(2)])],
  ['a scale', true, () => new Rescaling(0.5, { offset: 1 })],
  ['a scale for each index of an axis that may be that of the batch', false, () => new Rescaling([1, 2, 3, 4, 5])],
  ['statistics that are known', true, () => new Normalization({ axis: null, mean: 1, variance: 4 })],
  ['a graph', true, () => graphOf((v) => new Add().apply([v, new Dense(5).apply(v)]))],
  ['a graph with a tensor of its own batch', false, () => graphOf((v) => new Add().apply([v, constant as never]))],
  ['a chain of a fixed batch', false, () => new Sequential([Input({ shape: [4, 5], batchSize: 2 }), new Dense(3)])],
])('%s: at once is %s, and each step is seen by itself', (_name, apart, make) => {
  const layer = make();
  const y = new TimeDistributed(layer).apply(x);
  expect(layer.keepsSamplesApart).toBe(apart);
  const expected = byStep(layer, x) as number[][][];
  (stepsOf(y) as number[][][]).flat(3).forEach((value, i) => {
    expect(value).toBeCloseTo((expected.flat(3) as unknown as number[])[i]!, 5);
  });
});

test('a mask of steps stays with the output; one of words goes into the layer', () => {
  const dense = new TimeDistributed(new Dense(2));
  expect(maskOf(dense.apply(withMask(x.mul(1), steps)))).toBe(steps);
  const lstm = new LSTM(3);
  const y = new TimeDistributed(lstm).apply(withMask(x.mul(1), words));
  expect(stepsOf(y)).toEqual(byStep(lstm, x, (t) => words.at(t, 1)));
  expect(maskOf(y)?.toArray()).toEqual([
    [true, true, false],
    [true, false, true],
  ]);
  expect(maskOf(new TimeDistributed(new LSTM(3)).apply(withMask(x.mul(1), steps)))).toBe(steps);
  const inner = new TimeDistributed(new LSTM(3, { returnSequences: true })).apply(withMask(x.mul(1), words));
  expect(maskOf(inner)?.toArray()).toEqual(words.toArray());
  const late = new TimeDistributed(new LSTM(3, { stateful: true, returnSequences: true })).apply(
    withMask(x.mul(1), words),
  );
  expect(maskOf(late)?.toArray()).toEqual(words.toArray());
});

test('a mask that the layer makes comes out', () => {
  const ids = randomInteger([2, 3, 4], 0, 3, { key: randomKey(2) });
  const y = new TimeDistributed(new Embedding(3, 2, { maskZero: true })).apply(ids);
  expect(y.shape).toEqual([2, 3, 4, 2]);
  expect(maskOf(y)?.toArray()).toEqual(ids.notEqual(0).toArray());
  const masking = new TimeDistributed(new Masking());
  expect(maskOf(masking.apply(x.mul(words.expandDims(3).cast('float32'))))?.toArray()).toEqual(words.toArray());
});

test('words to sentences to a document: trains, masked, compiled as eagerly', async () => {
  const ids = randomInteger([4, 3, 5], 0, 6, { key: randomKey(3) });
  const losses: (readonly number[])[] = [];
  for (const runEagerly of [false, true]) {
    const model = new Sequential([
      Input({ shape: [null, null], dtype: 'int32' }),
      new Embedding(6, 3, { maskZero: true }),
      new TimeDistributed(new LSTM(3)),
      new LSTM(2),
      new Dense(1),
    ]);
    model.setWeights(model.weights.map((w, i) => randomNormal(w.shape, { key: randomKey(i), std: 0.3 })));
    model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
    losses.push((await model.fit(ids, [[1], [0], [1], [0]], { epochs: 2, verbose: 0 })).values('loss'));
  }
  losses[0]!.forEach((loss, i) => {
    expect(loss).toBeCloseTo(losses[1]![i]!, 5);
  });
});

test('several inputs and outputs, of models too', () => {
  const [a, b] = [Input({ shape: [5], name: 'a' }), Input({ shape: [5], name: 'b' })];
  const dense = new Dense(2);
  const shared = new Model({ inputs: { a, b }, outputs: [dense.apply(a), new Dense(3).apply(b)] as const });
  const layer = new TimeDistributed<{ a: Tensor; b: Tensor }, readonly [Tensor, Tensor]>(shared as never);
  const [p, q] = [x.at(0, 2), x.at(1, 2)];
  const [y, z] = layer.apply({ a: p, b: q }) as readonly [Tensor, Tensor];
  expect([y.shape, z.shape]).toEqual([
    [2, 3, 2],
    [2, 3, 3],
  ]);
  expect(stepsOf(y)).toEqual(byStep(dense, p));
  expect(layer.computeOutputShape({ a: [null, null, 5], b: [null, null, 5] })).toEqual([
    [null, null, 2],
    [null, null, 3],
  ]);
  expect(() => layer.apply({ a: p, b: q.narrow(1, 0, 2) })).toThrow(/inputs of one batch and time/);
});

test('configuration, weights, dtype and freezing are those of the layer inside', () => {
  const layer = new TimeDistributed(new Dense(2, { dtype: 'float64', name: 'inner' }), {
    name: 'outer',
    trainable: false,
  });
  const y = layer.apply(x.at(0, 2).cast('float64'));
  expect(y.dtype).toBe('float64');
  expect(layer.weights.map((w) => w.path)).toEqual(['outer/inner/kernel', 'outer/inner/bias']);
  expect(layer.trainableWeights).toEqual([]);
  const data = JSON.parse(JSON.stringify(serializeLayer(layer)));
  expect(data.config.layer.className).toBe('Dense');
  expect(serializeLayer(deserializeLayer(data))).toEqual(data);
});

test('dropout whose noise has no batch axis draws anew at each step; without, at each element', () => {
  const layer = new TimeDistributed(new Dropout(0.5, { noiseShape: [1, 4, 5], seed: 1 }));
  const y = layer.apply(x.onesLike(), { training: true });
  expect(y.at(0, 0).toArray()).toEqual(y.at(1, 0).toArray());
  expect(y.at(0, 1).toArray()).not.toEqual(y.at(1, 1).toArray());
});

test('penalties on outputs are those of all steps', () => {
  const layer = new TimeDistributed(
    new Dense(2, { activityRegularizer: { name: 'L', config: {}, apply: (y: Tensor) => y.sum() } }),
  );
  const y = layer.apply(x.at(0, 2));
  expect(layer.losses.reduce((sum, l) => sum + l.item(), 0)).toBeCloseTo(y.sum().item() / 2, 5);
});

test('what it cannot take is refused', () => {
  const layer = new TimeDistributed(new Dense(2));
  expect(() => layer.apply(x.at(0, 2).at(0, 2))).toThrow(/rank 3 or more \[batch, time, ...\], received \[2, 3\]/);
  expect(() => layer.apply(x.narrow(1, 0, 0))).toThrow(/at least one step/);
  expect(() => layer.apply(x, { mask: steps.at(0) })).toThrow(/mask of leading sizes of the input \[2, 3, 4, 5\]/);
  expect(() => layer.apply(x, { mask: steps.transpose() })).toThrow(/received \[3, 2\]/);
  expect(() => new TimeDistributed(Dense as never)).toThrow(/expected a layer, received the class Dense/);
  expect(() => new TimeDistributed(new Dense(1), { units: 3 } as never)).toThrow(/units/);
});
