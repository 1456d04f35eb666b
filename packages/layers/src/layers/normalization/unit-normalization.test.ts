import { grad } from '@recurra/autograd';
import { tensor } from '@recurra/tensor';
import { UnitNormalization } from '../../index.js';

const X = tensor(Float32Array.from({ length: 12 }, (_, i) => i ** 1.5)).reshape([2, 2, 3]);

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5);
  });
}

// Values of Keras 3.15.
test('over two axes, and zeros stay zeros with a slope that is finite', () => {
  expectClose(
    new UnitNormalization({ axis: [1, 2] }).apply(X).data,
    [0, 0.066667, 0.188562, 0.34641, 0.533333, 0.745356, 0.228665, 0.288151, 0.352052, 0.420084, 0.492008, 0.567625],
  );
  const layer = new UnitNormalization();
  expectClose(
    layer.apply(
      tensor([
        [0, 0],
        [3, 4],
      ]),
    ).data,
    [0, 0, 0.6, 0.8],
  );
  const slope = grad((x: typeof X) => layer.apply(x).sum())(tensor([[0, 0]]));
  expect([...slope.data].every(Number.isFinite)).toBe(true);
});

test('mistakes are told', () => {
  expect(() => new UnitNormalization({ axis: 3 }).apply(X)).toThrow('axis 3');
  expect(() => new UnitNormalization({ axis: 0.5 })).toThrow('expected axis to be an integer or a list of integers');
});
