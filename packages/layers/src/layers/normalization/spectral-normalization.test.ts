import { jit } from '@recurra/compiler';
import { tensor } from '@recurra/tensor';
import {
  Dense,
  deserializeLayer,
  Embedding,
  LSTM,
  Sequential,
  SpectralNormalization,
  serializeLayer,
} from '../../index.js';

const X = tensor([
  [1, 2, 3, -1],
  [0.5, -2, 1, 2],
  [2, 0, 1, 1.5],
]);
const W = [
  [1, 2],
  [0.5, -1],
  [2, 0.3],
  [-0.7, 1],
];

function expectClose(actual: ArrayLike<number>, expected: readonly number[], digits = 4): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, digits);
  });
}

function wrapped(): { readonly dense: Dense; readonly layer: SpectralNormalization } {
  const dense = new Dense(2, { useBias: false });
  const layer = new SpectralNormalization(dense, { powerIterations: 2 });
  layer.build([null, 4]);
  layer.setWeights([W, [[0.1, 0.2]]]);
  return { dense, layer };
}

// Values of Keras 3.15.
test.each(['eager', 'compiled'])('training divides the kernel by its largest singular value, %s', async (mode) => {
  const { dense, layer } = wrapped();
  expect(layer.weights.map((w) => w.path.split('/').slice(1).join('/'))).toEqual([
    expect.stringMatching(/^dense(_\d+)?\/kernel$/),
    'vector_u',
  ]);
  expectClose(layer.apply(X).data, [8.7, -0.1, 0.1, 5.3, 2.95, 5.8]);
  const train = (x: typeof X): typeof X => layer.apply(x, { training: true });
  const step = mode === 'eager' ? async (x: typeof X) => train(x) : jit(train);
  expectClose((await step(X)).data, [3.224348, -0.037061, 0.037062, 1.964258, 1.093313, 2.149565]);
  expectClose(
    dense.weights[0]!.value.data,
    [0.370615, 0.741229, 0.185307, -0.370615, 0.741229, 0.111184, -0.25943, 0.370615],
  );
  expectClose(layer.weights[1]!.value.data, [0.583614, 0.812032]);
  expectClose((await step(X)).data, [3.215766, -0.036963, 0.036963, 1.95903, 1.090404, 2.143844]);
  expectClose(layer.weights[1]!.value.data, [0.6329, 0.774233]);
  // Inference takes the kernel as it stands, and changes nothing.
  expectClose(layer.apply(X).data, [3.215766, -0.036963, 0.036963, 1.95903, 1.090404, 2.143844]);
});

test('fit trains the normalized kernel: W / sigma - rate * gradient there', async () => {
  const { layer } = wrapped();
  const model = new Sequential([layer]);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const y = tensor([
    [1, 0],
    [0, 1],
    [1, 1],
  ]);
  const reference = wrapped();
  const out = reference.layer.apply(X, { training: true });
  const kernel = reference.dense.weights[0]!.value;
  // d/dW mean((x W - y)^2) = 2 / 6 x^T (x W - y); the rate of sgd is 0.01.
  const expected = kernel.sub(
    X.transpose()
      .matmul(out.sub(y))
      .mul(0.01 / 3),
  );
  await model.fit(X, y, { epochs: 1, verbose: 0 });
  expectClose(layer.weights[0]!.value.data, [...expected.data] as number[], 5);
});

test('a kernel of zeros stays, and an embedding is normalized as well', () => {
  const { layer } = wrapped();
  layer.setWeights([W.map(() => [0, 0]), [[0.1, 0.2]]]);
  expect(layer.apply(X, { training: true }).toArray()).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  expectClose(layer.weights[1]!.value.data, [0.1, 0.2]);
  const embedding = new SpectralNormalization(new Embedding(3, 2), { powerIterations: 20 });
  embedding.build([null, 1]);
  embedding.setWeights([
    [
      [3, 0],
      [0, 0],
      [0, 0],
    ],
    [[0.5, 0.5]],
  ]);
  expectClose(embedding.apply(tensor([[0]], { dtype: 'int32' }), { training: true }).data, [1, 0]);
});

test('it is read from its configuration, and refuses layers without a kernel', () => {
  const again = deserializeLayer(serializeLayer(wrapped().layer)) as SpectralNormalization;
  expect(again.getConfig()['powerIterations']).toBe(2);
  expect(again.layer.getConfig()['units']).toBe(2);
  expect(() => new SpectralNormalization(new LSTM(2)).build([null, 3, 2])).toThrow(
    'expected a layer with a kernel or embeddings',
  );
  expect(() => new SpectralNormalization(new Dense(1), { powerIterations: 0 })).toThrow('powerIterations');
  expect(() => new SpectralNormalization(3 as never)).toThrow('expected a layer, received 3');
});
