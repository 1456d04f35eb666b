import { GRUCell, LSTMCell } from '@recurra/cells';
import type { Tensor } from '@recurra/tensor';
import * as layers from '../layers/index.js';
import type { AnyLayer } from './layer.js';
import { Model } from './model.js';
import { type SavedGroup, savedGroupOf } from './saved.js';
import { Sequential } from './sequential.js';

/** Where variables stand, and of which shapes. */
function paths(group: SavedGroup, path = ''): Record<string, (readonly number[])[]> {
  const own = group.variables.length > 0 ? { [path]: group.variables.map(({ variable }) => [...variable.shape]) } : {};
  return [...group.children].reduce(
    (all, [key, child]) => Object.assign(all, paths(child, path === '' ? key : `${path}/${key}`)),
    own,
  );
}

class Sub extends Model {
  readonly zed = new layers.Dense(2);
  readonly alpha = new layers.Dense(3);
  readonly blocks = [new layers.Dense(3), new layers.Dense(3)];
  readonly d = { u: new layers.Dense(3), t: [new layers.Dense(3)] };

  override call(x: Tensor): Tensor {
    let y = this.alpha.apply(x);
    for (const block of this.blocks) y = block.apply(y);
    return this.zed.apply(this.d.t[0]!.apply(this.d.u.apply(y)));
  }
}

const of = (layer: AnyLayer, shape: unknown): AnyLayer => {
  layer.build(shape as never);
  return layer;
};
const lstm = [[4, 12], [3, 12], [12]];

// Paths and shapes that Keras 3.15.1 writes (saving_lib), without "/vars" at their ends.
test.each<[string, () => AnyLayer, Record<string, (readonly number[])[]>]>([
  [
    'MultiHeadAttention',
    () =>
      of(new layers.MultiHeadAttention(2, 3, { dropout: 0.1 }), [
        [null, 5, 4],
        [null, 5, 4],
      ]),
    {
      query_dense: [
        [4, 2, 3],
        [2, 3],
      ],
      key_dense: [
        [4, 2, 3],
        [2, 3],
      ],
      value_dense: [
        [4, 2, 3],
        [2, 3],
      ],
      output_dense: [[2, 3, 4], [4]],
    },
  ],
  [
    'GroupedQueryAttention',
    () =>
      of(new layers.GroupedQueryAttention(3, 4, 2), [
        [null, 5, 4],
        [null, 6, 4],
      ]),
    {
      _query_dense: [
        [4, 4, 3],
        [4, 3],
      ],
      _key_dense: [
        [4, 2, 3],
        [2, 3],
      ],
      _value_dense: [
        [4, 2, 3],
        [2, 3],
      ],
      _output_dense: [[4, 3, 4], [4]],
    },
  ],
  [
    'Bidirectional',
    () => of(new layers.Bidirectional(new layers.LSTM(3)), [null, 5, 4]),
    { 'forward_layer/cell': lstm, 'backward_layer/cell': lstm },
  ],
  [
    'RNN of cells',
    () => of(new layers.RNN([new LSTMCell(3), new GRUCell(2), new LSTMCell(3)]), [null, 5, 4]),
    {
      'cell/cells/lstm_cell': lstm,
      'cell/cells/gru_cell': [
        [3, 6],
        [2, 6],
        [2, 6],
      ],
      'cell/cells/lstm_cell_1': [[2, 12], [3, 12], [12]],
    },
  ],
  [
    'TimeDistributed',
    () => of(new layers.TimeDistributed(new layers.Dense(3)), [null, 5, 4]),
    { layer: [[4, 3], [3]] },
  ],
  [
    'SpectralNormalization',
    () => of(new layers.SpectralNormalization(new layers.Dense(2)), [null, 3]),
    {
      '': [
        [3, 2],
        [1, 2],
      ],
      layer: [[3, 2], [2]],
    },
  ],
  ['ConvLSTM1D', () => of(new layers.ConvLSTM1D(2, 2), [null, 5, 3, 2]), { cell: [[2, 2, 8], [2, 2, 8], [8]] }],
  [
    'BatchNormalization: the mean and the variance come after what is trained',
    () => of(new layers.BatchNormalization(), [null, 4]),
    { '': [[4], [4], [4], [4]] },
  ],
  [
    'a chain: layers of one class are numbered, and a stateful one has no states in files',
    () => {
      const chain = [
        new layers.LSTM(3, { stateful: true, returnSequences: true }),
        new layers.Dense(3),
        new layers.Dense(1),
      ];
      return new Sequential([layers.Input({ batchShape: [2, 5, 4] }), ...chain]) as AnyLayer;
    },
    { 'layers/lstm/cell': lstm, 'layers/dense': [[3, 3], [3]], 'layers/dense_1': [[3, 1], [1]] },
  ],
  [
    'a class that writes call: attributes by the alphabet, each layer once',
    () => {
      const model = new Sub();
      for (const [layer, features] of [
        [model.alpha, 3],
        [model.blocks[0], 3],
        [model.blocks[1], 3],
        [model.d.u, 3],
        [model.d.t[0], 3],
        [model.zed, 3],
      ] as const)
        layer!.build([null, features]);
      return model as AnyLayer;
    },
    {
      alpha: [[3, 3], [3]],
      'blocks/dense': [[3, 3], [3]],
      'blocks/dense_1': [[3, 3], [3]],
      'd/dense': [[3, 3], [3]],
      'd/container/dense': [[3, 3], [3]],
      'layers/dense': [[3, 2], [2]],
    },
  ],
])('%s', (_, make, expected) => {
  expect(paths(savedGroupOf(make() as never))).toEqual(expected);
});

test('a shared layer stands where it is met first', () => {
  const x = layers.Input({ shape: [3] });
  const shared = new layers.Dense(3);
  const model = new Model({
    inputs: x,
    outputs: new layers.Add().apply([shared.apply(x), shared.apply(shared.apply(x))]),
  });
  expect(paths(savedGroupOf(model as never))).toEqual({ 'layers/dense': [[3, 3], [3]] });
});
