import { tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../../extend.js';
import { LayerNormalization } from '../../index.js';

const X = tensor([
  [1, 2, 3, -1],
  [0.5, -2, 1, 2],
  [2, 0, 1, 1.5],
]);
const X3 = tensor(Float32Array.from({ length: 12 }, (_, i) => i ** 1.5)).reshape([2, 2, 3]);

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 4);
  });
}

// Values of Keras 3.15.
test('rmsScaling divides by the deviation alone', () => {
  const layer = new LayerNormalization({ rmsScaling: true });
  expectClose(
    layer.apply(X).data,
    [0.675969, 1.351938, 2.027907, -0.675969, 0.339198, -1.35679, 0.678395, 1.35679, 2.702024, 0, 1.351012, 2.026518],
  );
  expect(layer.weights.map((w) => w.name)).toEqual(['gamma']);
});

test('axes counted from both ends have weights in the order of their numbers', () => {
  const layer = new LayerNormalization({ axis: [1, -1] });
  layer.build([null, 2, 3]);
  expect(layer.weights.map((w) => w.shape)).toEqual([
    [3, 2],
    [3, 2],
  ]);
  layer.setWeights([
    [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
    [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  ]);
  expectClose(
    layer.apply(X3).data,
    [0, -0.942955, -0.954158, 0.378627, 3.362476, 8.25479, 0, -0.890585, -0.679119, 0.741229, 3.469114, 7.596602],
  );
  expect(layer.getConfig()['axis']).toEqual([-1, 1]);
});

test('integers are taken in the dtype of the layer, no samples give none, and a mask passes through', () => {
  const layer = new LayerNormalization();
  const y = layer.apply(tensor([[1, 2, 3]], { dtype: 'int32' }));
  expect(y.dtype).toBe('float32');
  expectClose(y.data, [-1.223827, 0, 1.223827]);
  expect(layer.apply(tensor(new Float32Array(0)).reshape([0, 3])).shape).toEqual([0, 3]);
  const mask = tensor([true]);
  expect(maskOf(layer.apply(withMask(tensor([[1, 2, 3]]), mask)))).toBe(mask);
});

test('mistakes are told', () => {
  expect(() => new LayerNormalization({ axis: 'last' as never })).toThrow(
    'expected axis to be an integer or a list of integers, received last',
  );
  expect(() => new LayerNormalization({ axis: [] })).toThrow('received []');
  expect(() => new LayerNormalization({ axis: [1, -1] }).apply(X)).toThrow('each once');
  expect(() => new LayerNormalization({ axis: 2 }).computeOutputShape([null, 3])).toThrow('axis 2');
  expect(() => new LayerNormalization().build([null, null])).toThrow('expected a known size of axis 1');
  expect(() => new LayerNormalization({ epsilon: Number.NaN })).toThrow('epsilon');
  const layer = new LayerNormalization();
  layer.apply(X);
  expect(() => layer.apply(tensor([[1]]))).toThrow('expected axis 1 of size 4, received [1, 1]');
});
