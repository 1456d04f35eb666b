import { tensor } from '@recurra/tensor';
import { RMSNormalization } from '../../index.js';

const X = tensor(Float32Array.from({ length: 12 }, (_, i) => i ** 1.5)).reshape([2, 2, 3]);

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5);
  });
}

// Values of Keras 3.15.
test('over two axes', () => {
  const layer = new RMSNormalization({ axis: [1, 2] });
  expectClose(
    layer.apply(X).data,
    [0, 0.163299, 0.46188, 0.848528, 1.306395, 1.825742, 0.560112, 0.705822, 0.862349, 1.028991, 1.205169, 1.390391],
  );
  expect(layer.weights.map((w) => w.shape)).toEqual([[2, 3]]);
});

test('mistakes are told', () => {
  expect(() => new RMSNormalization({ epsilon: -1 })).toThrow('epsilon');
  const layer = new RMSNormalization();
  layer.apply(X);
  expect(() => layer.apply(tensor([[[1]]]))).toThrow('expected axis 2 of size 3, received [1, 1, 1]');
});
