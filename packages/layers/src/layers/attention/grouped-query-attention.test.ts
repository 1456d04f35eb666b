import { type Tensor, tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../../base/masks.js';
import { GroupedQueryAttention, GroupQueryAttention } from '../../index.js';

const waves = (shape: readonly number[], a = 0.37, b = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => Math.sin(i * a + b)),
    { shape },
  );
const X = waves([1, 4, 3]);
const V = waves([1, 3, 3], 0.7, 1);

function built(): GroupedQueryAttention {
  const layer = new GroupedQueryAttention(2, 4, 2, { useGate: true, slidingWindow: 3 });
  layer.build([X.shape, V.shape]);
  layer.setWeights(layer.weights.map((w, i) => waves(w.shape, 0.53, i)));
  return layer;
}

function expectClose(actual: Tensor, expected: readonly number[]): void {
  expect(actual.size).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual.data[i]).toBeCloseTo(value, 4);
  });
}

// Values of Keras 3.15.
test('gate, window, causality and a mask of pairs, one query of which sees nothing', () => {
  const attentionMask = tensor([
    [
      [true, false, true],
      [true, true, false],
      [true, true, true],
      [false, false, false],
    ],
  ]);
  expectClose(
    built().apply([X, V], { useCausalMask: true, attentionMask }),
    [
      0.34801, -0.071339, -0.471113, 0.331582, -0.033386, -0.389193, 0.062458, -0.029776, -0.11384, 0.287056, -0.063321,
      -0.396322,
    ],
  );
  const [out, scores] = built().apply([X, V], { returnAttentionScores: true });
  expectClose(
    out,
    [
      0.378913, -0.108537, -0.566205, 0.252981, -0.061048, -0.358326, 0.062458, -0.029776, -0.11384, -0.070982,
      -0.002988, 0.065825,
    ],
  );
  expect(scores.shape).toEqual([1, 4, 4, 3]);
  expectClose(
    scores.at(0).at(3),
    [0.380016, 0.514819, 0.105166, 0.375244, 0.497143, 0.127612, 0.368768, 0.505747, 0.125485, 0, 0.839222, 0.160778],
  );
});

test("the mask of the query is the output's", () => {
  const mask = tensor([[true, true, true, false]]);
  expect(maskOf(built().apply([withMask(waves([1, 4, 3]), mask), V]))).toBe(mask);
});

test('mistakes are told', () => {
  expect(GroupQueryAttention).toBe(GroupedQueryAttention);
  expect(() => new GroupedQueryAttention(2, 3, 2)).toThrow('a multiple of numKeyValueHeads, received 3 and 2');
  expect(() => new GroupedQueryAttention(2, 2, 1).apply(waves([1, 2, 2, 3]))).toThrow('expected inputs of rank 3');
  expect(() => new GroupedQueryAttention(2, 2, 1, { slidingWindow: 0 })).toThrow('slidingWindow');
});
