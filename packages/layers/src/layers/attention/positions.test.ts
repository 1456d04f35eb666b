import { jit } from '@recurra/compiler';
import { type Tensor, tensor, zeros } from '@recurra/tensor';
import { maskOf } from '../../base/masks.js';
import { Embedding, Input, Model, PositionEmbedding, SinePositionEncoding } from '../../index.js';

test('PositionEmbedding gives the rows of its places in the shape of the inputs', async () => {
  const layer = new PositionEmbedding(4);
  layer.build([null, null, 2]);
  expect(layer.weights.map((w) => [w.name, w.shape])).toEqual([['embeddings', [4, 2]]]);
  layer.setWeights([
    [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ],
  ]);
  const rows = [
    [3, 4],
    [5, 6],
  ];
  expect(layer.apply(zeros([2, 2, 2]), { startIndex: 1 }).toArray()).toEqual([rows, rows]);
  const compiled = await jit((x: Tensor) => layer.apply(x))(zeros([1, 3, 2]));
  expect(compiled.toArray()).toEqual([
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  ]);
  expect(() => layer.apply(zeros([1, 5, 2]))).toThrow('expected at most 4 steps, received [1, 5, 2]');
  expect(() => layer.apply(zeros([1, 3, 2]), { startIndex: 2 })).toThrow('received 3 from startIndex 2');
  expect(() => layer.apply(zeros([1, 3, 2]), { start: 2 } as never)).toThrow('start');
  expect(() => layer.apply(zeros([1, 3, 3]))).toThrow('expected inputs [batch, ..., time, 2]');
  expect(() => layer.apply(zeros([1, 3, 2]), { startIndex: -1 })).toThrow('startIndex');
});

test('SinePositionEncoding: the formula of Vaswani et al.', async () => {
  const layer = new SinePositionEncoding();
  const y = layer.apply(zeros([1, 3, 4]), { startIndex: 5 });
  for (let t = 0; t < 3; t++)
    [Math.sin(t + 5), Math.cos(t + 5), Math.sin((t + 5) / 100), Math.cos((t + 5) / 100)].forEach((expected, i) => {
      expect(y.at(0).at(t).at(i).item()).toBeCloseTo(expected, 6);
    });
  expect((await jit((x: Tensor) => layer.apply(x, { startIndex: 5 }))(zeros([1, 3, 4]))).toArray()).toEqual(
    y.toArray(),
  );
  // An odd number of features ends with a sine.
  expect(
    layer
      .apply(zeros([1, 2, 3]))
      .at(0)
      .at(1)
      .at(2)
      .item(),
  ).toBeCloseTo(Math.sin(10000 ** (-2 / 3)), 6);
  expect(() => new SinePositionEncoding({ maxWavelength: 0 })).toThrow('maxWavelength');
});

test('masks pass through both, over any time', () => {
  const ids = Input({ shape: [null], dtype: 'int32' });
  const x = new Embedding(9, 4, { maskZero: true }).apply(ids);
  for (const layer of [new PositionEmbedding(6), new SinePositionEncoding()]) {
    const out = layer.apply(x);
    expect(out.shape).toEqual([null, null, 4]);
    const model = new Model({ inputs: ids, outputs: out });
    const y = model.apply(tensor([[3, 1, 0]], { dtype: 'int32' }));
    expect(maskOf(y as Tensor)?.toArray()).toEqual([[true, true, false]]);
  }
});
