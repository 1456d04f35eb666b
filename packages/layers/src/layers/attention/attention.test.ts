import { type Tensor, tensor } from '@recurra/tensor';
import { maskOf, withMask } from '../../base/masks.js';
import { AdditiveAttention, Attention, Input, Model } from '../../index.js';

const waves = (shape: readonly number[], a = 0.37, b = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => Math.sin(i * a + b)),
    { shape },
  );
const X = waves([1, 4, 3]);
const V = waves([1, 3, 3], 0.7, 1);

function expectClose(actual: Tensor, expected: readonly number[]): void {
  expect(actual.size).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual.data[i]).toBeCloseTo(value, 5);
  });
}

// Values of Keras 3.15.
test('where no value counts all have equal shares, and masked queries give zeros', () => {
  const layer = new Attention();
  const mask = [tensor([[true, false, true, true]]), tensor([[false, false, false]])] as const;
  const [out, scores] = layer.apply([X, V], { mask, returnAttentionScores: true });
  expectClose(
    out,
    [-0.000134, 0.001977, 0.003158, 0, 0, 0, -0.000134, 0.001977, 0.003158, -0.000134, 0.001977, 0.003158],
  );
  expectClose(scores, new Array<number>(12).fill(1 / 3));
  expect(maskOf(layer.apply([withMask(waves([1, 4, 3]), mask[0]), V]))).toBe(mask[0]);
});

test('concat scores with a learned factor', () => {
  const layer = new Attention({ scoreMode: 'concat', useScale: true });
  layer.build([X.shape, V.shape] as const);
  layer.setWeights([0.5, 2]);
  expectClose(
    layer.apply([X, V]),
    [
      0.748228, 0.894516, 0.620099, 0.685152, 0.826371, 0.578935, 0.730762, 0.876739, 0.610373, 0.758427, 0.900049,
      0.618364,
    ],
  );
});

test('dropout sets shares to 0 in training alone, the same for a seed', () => {
  const layer = new Attention({ dropout: 0.5, seed: 3 });
  const again = new Attention({ dropout: 0.5, seed: 3 });
  const [, shares] = layer.apply([X, V], { training: true, returnAttentionScores: true });
  const [, same] = again.apply([X, V], { training: true, returnAttentionScores: true });
  const [, full] = layer.apply([X, V], { returnAttentionScores: true });
  expect(shares.toArray()).toEqual(same.toArray());
  const kinds = [...shares.data].map((s, i) =>
    s === 0 ? 'gone' : Math.abs(s / full.data[i]! - 2) < 1e-5 ? 'doubled' : s,
  );
  expect(new Set(kinds)).toEqual(new Set(['gone', 'doubled']));
});

test('in a graph over any time', () => {
  const q = Input({ shape: [null, 3] });
  const v = Input({ shape: [null, 3] });
  const out = new AdditiveAttention().apply([q, v]);
  expect(out.shape).toEqual([null, null, 3]);
  const model = new Model({ inputs: [q, v], outputs: out });
  expect((model.apply([X, V]) as Tensor).shape).toEqual([1, 4, 3]);
});

test('mistakes are told', () => {
  const layer = new Attention();
  expect(() => layer.apply(X as never)).toThrow(
    'expected a list [query, value] or [query, value, key], received one input',
  );
  expect(() => layer.apply([X] as never)).toThrow('received 1 inputs');
  expect(() => layer.apply([X, waves([1, 3, 1])])).toThrow('expected query [batch, queries, features]');
  expect(() => new AdditiveAttention().apply([X, waves([1, 3, 1])])).toThrow(
    'expected query [batch, queries, features]',
  );
  expect(() => layer.apply([X, waves([2, 3, 3])])).toThrow('expected query');
  expect(() => layer.apply([X, V], { mask: tensor([[true]]) as never })).toThrow(
    'expected a list of masks [query, value]',
  );
  expect(() => layer.apply([X, V], { causal: true } as never)).toThrow('causal');
  expect(() => new Attention({ scoreMode: 'product' as never })).toThrow("expected scoreMode 'dot' or 'concat'");
  expect(() => new Attention({ dropout: -1 })).toThrow('dropout');
});
