import { tensor } from '@recurra/tensor';
import { GroupNormalization } from '../../index.js';

const X = tensor(Float32Array.from({ length: 12 }, (_, i) => i ** 1.5)).reshape([2, 2, 3]);

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5);
  });
}

// Values of Keras 3.15.
test('one group of channels on another axis', () => {
  expectClose(
    new GroupNormalization({ groups: 1, axis: 1 }).apply(X).data,
    [
      -1.197752, -0.942955, -0.477079, 0.126209, 0.840619, 1.650958, -1.40353, -0.890585, -0.33956, 0.247076, 0.867279,
      1.51932,
    ],
  );
});

test('each channel for itself', () => {
  const layer = new GroupNormalization({ groups: -1 });
  expectClose(
    layer.apply(X).data,
    [
      -0.999926, -0.999959, -0.999971, 0.999926, 0.999959, 0.999971, -0.999987, -0.999988, -0.99999, 0.999987, 0.999989,
      0.99999,
    ],
  );
  expect(layer.getConfig()['groups']).toBe(3);
});

test('mistakes are told', () => {
  expect(() => new GroupNormalization({ groups: 0 })).toThrow(
    'expected groups to be an integer >= 1, or -1, received 0',
  );
  expect(() => new GroupNormalization({ groups: 2 }).apply(X)).toThrow('expected groups that divide the 3 channels');
  expect(() => new GroupNormalization().apply(X)).toThrow('received 32. Pass { groups }');
  expect(() => new GroupNormalization({ axis: 0, groups: 1 }).apply(X)).toThrow("an axis after the batch's");
});
