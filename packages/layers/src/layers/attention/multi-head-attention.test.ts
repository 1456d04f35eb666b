import { jit } from '@recurra/compiler';
import { Adam } from '@recurra/optim';
import { setSeed, type Tensor, tensor, zeros } from '@recurra/tensor';
import { maskOf, withMask } from '../../base/masks.js';
import { deserializeLayer, Input, LayerNormalization, Model, MultiHeadAttention, serializeLayer } from '../../index.js';

/** sin(a i + b) for each element: what the values of Keras below were computed with. */
const waves = (shape: readonly number[], a = 0.37, b = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => Math.sin(i * a + b)),
    { shape },
  );
const X = waves([1, 4, 3]);
const X4 = waves([1, 2, 3, 2]);
const V4 = waves([1, 2, 2, 2], 0.7, 1);

function built(layer: MultiHeadAttention, inputs: Tensor | readonly [Tensor, Tensor]): MultiHeadAttention {
  layer.build(Array.isArray(inputs) ? inputs.map((x: Tensor) => x.shape) : (inputs as Tensor).shape);
  layer.setWeights(layer.weights.map((w, i) => waves(w.shape, 0.53, i)));
  return layer;
}

function expectClose(actual: Tensor, expected: readonly number[], digits = 4): void {
  expect(actual.size).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual.data[i]).toBeCloseTo(value, digits);
  });
}

// Values of Keras 3.15.
describe.each(['eager', 'compiled'])('as Keras, %s', (mode) => {
  const run = async <R>(f: (x: Tensor) => R, x: Tensor): Promise<R> =>
    mode === 'eager' ? f(x) : ((await jit(f)(x)) as R);

  test('gate, sliding window and causality, without and with scores', async () => {
    const layer = built(new MultiHeadAttention(2, 2, { useGate: true, slidingWindow: 2 }), X);
    expect(layer.weights.map((w) => w.path.split('/').slice(1).join('/'))).toEqual(
      ['query', 'key', 'gate', 'value', 'attention_output'].flatMap((name) => [`${name}/kernel`, `${name}/bias`]),
    );
    const expected = [
      0.375427, -0.201603, -0.723316, 0.297146, -0.205738, -0.65217, 0.193735, -0.157803, -0.466043, 0.114701,
      -0.136966, -0.351052,
    ];
    expectClose(await run((x) => layer.apply(x, { useCausalMask: true }), X), expected);
    const [out, scores] = await run((x) => layer.apply(x, { useCausalMask: true, returnAttentionScores: true }), X);
    expectClose(out, expected);
    expect(scores.shape).toEqual([1, 2, 4, 4]);
    expectClose(
      scores,
      [
        1, 0, 0, 0, 0.456753, 0.543247, 0, 0, 0, 0.421214, 0.578786, 0, 0, 0, 0.48854, 0.51146, 1, 0, 0, 0, 0.572279,
        0.427721, 0, 0, 0, 0.640203, 0.359797, 0, 0, 0, 0.490588, 0.509412,
      ],
    );
  });

  test('one of several axes, and all of them at once', async () => {
    const one = built(new MultiHeadAttention(1, 2, { attentionAxes: 2 }), [X4, V4]);
    const expected = [
      -0.005219, -1.215029, 0.002416, -1.185347, 0.005041, -1.175139, 0.924719, 1.509853, 0.926335, 1.49162, 0.927945,
      1.473448,
    ];
    expectClose(await run((x) => one.apply([x, V4]), X4), expected);
    const [out, scores] = await run((x) => one.apply([x, V4], { returnAttentionScores: true }), X4);
    expectClose(out, expected);
    expect(scores.shape).toEqual([1, 2, 1, 3, 2]);
    expectClose(
      scores,
      [
        0.470593, 0.529407, 0.44069, 0.55931, 0.430407, 0.569593, 0.67925, 0.32075, 0.589417, 0.410583, 0.49989,
        0.50011,
      ],
    );
    const all = built(new MultiHeadAttention(1, 2), X4);
    const [whole, pairs] = await run((x) => all.apply(x, { returnAttentionScores: true }), X4);
    expectClose(
      whole,
      [
        0.076958, -1.025913, 0.030621, -1.161331, 0.024868, -1.177661, 0.059517, -1.075624, 0.130417, -0.867262,
        0.204839, -0.648622,
      ],
    );
    expect(pairs.shape).toEqual([1, 1, 2, 3, 2, 3]);
    expectClose(pairs.reshape([36]).narrow(0, 0, 6), [0.091948, 0.182755, 0.270982, 0.243936, 0.140851, 0.069527]);
    expect(all.getConfig()['attentionAxes']).toEqual([1, 2]);
  });

  test('outputs of several axes', async () => {
    const layer = built(new MultiHeadAttention(1, 2, { outputShape: [2, 2] }), X);
    const out = await run((x) => layer.apply(x), X);
    expect(out.shape).toEqual([1, 4, 2, 2]);
    expectClose(
      out,
      [
        0.047273, 0.113929, 0.149324, 0.143748, 0.141247, 0.32185, 0.414142, 0.3928, 0.083387, 0.189353, 0.243363,
        0.230598, -0.01184, -0.256436, -0.43067, -0.486734,
      ],
    );
  });

  test('a masked query: all keys alike, but none where scores are returned or dropped out', async () => {
    const mask = tensor([[true, false, true, true]]);
    const masked = (x: Tensor): Tensor => withMask(x.mul(1), mask);
    const plain = built(new MultiHeadAttention(1, 2), X);
    const uniform = built(new MultiHeadAttention(1, 2), X);
    const out = await run((x) => plain.apply(masked(x)), X);
    // The mean of the values, projected: what attention with keys that are all 0 gives for any query.
    const [k, b] = [2, 3];
    uniform.setWeights(uniform.getWeights().map((w, i) => (i === k || i === b ? w.zerosLike() : w)));
    const mean = uniform.apply(X);
    expectClose(out.at(0).at(1), [...mean.at(0).at(1).data] as number[], 5);
    const [zero, scores] = await run((x) => plain.apply(masked(x), { returnAttentionScores: true }), X);
    expectClose(scores.at(0).at(0).at(1), [0, 0, 0, 0]);
    const bias = plain.weights[plain.weights.length - 1]!.value;
    expectClose(zero.at(0).at(1), [...bias.data] as number[], 5);
    const dropped = built(new MultiHeadAttention(1, 2, { dropout: 0.5 }), X);
    expectClose((await run((x) => dropped.apply(masked(x)), X)).at(0).at(1), [...bias.data] as number[], 5);
    expectClose(
      (await run((x) => dropped.apply(masked(x), { useCausalMask: true }), X)).at(0).at(1),
      [...bias.data] as number[],
      5,
    );
  });
});

test('masks of all inputs, of pairs and of heads leave the same out', () => {
  const layer = built(new MultiHeadAttention(2, 2), X);
  const keys = tensor([[true, true, false, true]]);
  const expected = layer.apply(X, { attentionMask: keys.expandDims(1).broadcastTo([1, 4, 4]) });
  const same = (y: Tensor): void => expectClose(y, [...expected.data] as number[], 6);
  same(layer.apply([X, X], { mask: [null, keys] }));
  same(layer.apply([X, X, X], { mask: [null, null, keys] }));
  same(layer.apply([X, withMask(waves([1, 4, 3]), keys)]));
  same(layer.apply(X, { attentionMask: keys.expandDims(1) }));
  same(layer.apply(X, { attentionMask: keys.broadcastTo([4, 4]) }));
  same(layer.apply(X, { attentionMask: keys.reshape([1, 1, 1, 4]).broadcastTo([1, 2, 4, 4]) }));
  // A mask of pairs does not hide those of the inputs.
  const both = layer.apply([X, withMask(waves([1, 4, 3]), keys)], { attentionMask: zeros([1, 4, 4]).equal(0) });
  same(both);
});

test("the mask of the query is the output's, alone and beside scores", () => {
  const mask = tensor([[true, false, true, true]]);
  const layer = built(new MultiHeadAttention(1, 2), X);
  expect(maskOf(layer.apply(withMask(waves([1, 4, 3]), mask)))).toBe(mask);
  const [out, scores] = layer.apply([withMask(waves([1, 4, 3]), mask), X], { returnAttentionScores: true });
  expect(maskOf(out)).toBe(mask);
  expect(maskOf(scores)).toBeNull();
});

test('in a graph: self, cross with scores, a mask of pairs as an input; it learns', async () => {
  setSeed(2);
  const a = Input({ shape: [4, 3] });
  const b = Input({ shape: [null, 3] });
  const pairs = Input({ shape: [4, null], dtype: 'bool' });
  const self = new MultiHeadAttention(2, 2).apply(a, { useCausalMask: true });
  const [out, scores] = new MultiHeadAttention(2, 2, { dropout: 0.1 }).apply([self, b], {
    attentionMask: pairs,
    returnAttentionScores: true,
  });
  expect(scores.shape).toEqual([null, 2, 4, null]);
  const model = new Model({ inputs: [a, b, pairs], outputs: new LayerNormalization().apply(out) });
  model.compile({ optimizer: new Adam({ learningRate: 0.01 }), loss: 'mse' });
  const x = [waves([2, 4, 3]), waves([2, 5, 3]), zeros([2, 4, 5]).equal(0)];
  const y = waves([2, 4, 3], 1) as never;
  // Dropout moves the loss of single steps: what is compared is the loss without it.
  const before = (await model.evaluate(x as never, y, { verbose: 0 }))['loss']!;
  await model.fit(x as never, y, { epochs: 60, verbose: 0 });
  expect((await model.evaluate(x as never, y, { verbose: 0 }))['loss']!).toBeLessThan(before);
});

test('it is read from its configuration', () => {
  const layer = new MultiHeadAttention(2, 3, {
    valueDim: 4,
    outputShape: 5,
    kernelRegularizer: 'l2',
    activityRegularizer: 'l1',
  });
  const again = deserializeLayer(serializeLayer(layer));
  const { name: _name, ...config } = layer.getConfig();
  expect(again.getConfig()).toMatchObject(config);
  // Each projection adds its penalty, as in Keras.
  again.apply(X, { training: true });
  expect(again.losses.length).toBe(4 + 4);
});

test('mistakes are told', () => {
  const layer = built(new MultiHeadAttention(2, 2), X);
  expect(() => layer.apply(X, { causal: true } as never)).toThrow('causal');
  expect(() => layer.apply(X, { useCausalMask: 1 } as never)).toThrow('expected useCausalMask to be true or false');
  expect(() => layer.apply(waves([1, 4, 2]))).toThrow('expected query of 3 features, received [1, 4, 2]');
  expect(() => layer.apply(waves([4, 3]))).toThrow('of one rank of at least 3');
  expect(() => layer.apply([X] as never)).toThrow('received 1 inputs');
  expect(() => layer.apply([X, waves([2, 4, 3])])).toThrow('that agree in axis 0');
  expect(() => layer.apply([X, X, waves([1, 5, 3])])).toThrow('that agree in axis 1');
  expect(() => layer.apply(X, { attentionMask: zeros([1, 3, 4]).equal(0) })).toThrow(
    'expected an attentionMask of shape [1, 4, 4]',
  );
  expect(() => layer.apply(X, { mask: tensor([[true, true]]) })).toThrow(
    'expected a mask of the query of shape [1, 4] (or of its leading axes), received [1, 2]',
  );
  expect(() => layer.apply([X, X], { mask: tensor([[true, true, true, true]]) as never })).toThrow(
    'masks [query, value]',
  );
  expect(() => new MultiHeadAttention(0, 2)).toThrow('numHeads');
  expect(() => new MultiHeadAttention(1, 2, { dropout: 2 })).toThrow('expected dropout to be a number from 0 to 1');
  expect(() => new MultiHeadAttention(1, 2, { heads: 2 } as never)).toThrow('heads');
  expect(() => new MultiHeadAttention(1, 2, { attentionAxes: [2] }).apply(X)).toThrow('expected attentionAxes between');
  expect(() => new MultiHeadAttention(1, 2).apply(X4, { useCausalMask: true })).toThrow(
    'expected one axis of attention',
  );
});
