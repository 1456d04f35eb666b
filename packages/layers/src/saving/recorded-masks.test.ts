import { withoutRecordedMasks } from './recorded-masks.js';

const tensor = (name: string): object => ({
  class_name: '__keras_tensor__',
  config: { shape: [null, 6], dtype: 'float32', keras_history: [name, 0, 0] },
});
const layer = (name: string, args: unknown[], kwargs: object = {}): object => ({
  module: 'keras.layers',
  class_name: 'Dense',
  name,
  inbound_nodes: args.length > 0 ? [{ args, kwargs }] : [],
});
const operation = (name: string, args: unknown[]): object => ({
  module: 'keras.src.ops.numpy',
  class_name: 'NotEqual',
  name,
  inbound_nodes: [{ args, kwargs: {} }],
});
const graph = (layers: object[], output = 'pool'): Record<string, unknown> => ({
  layers,
  output_layers: [output, 0, 0],
});

test('operations on masks go, and the arguments that refer to them', () => {
  const given = graph([
    layer('ids', []),
    operation('not_equal', [tensor('ids'), 0]),
    operation('or', [tensor('not_equal'), tensor('not_equal')]),
    layer('pool', [[tensor('ids')]], { mask: tensor('or'), training: false }),
  ]);
  expect(withoutRecordedMasks(given)).toEqual(
    graph([layer('ids', []), layer('pool', [[tensor('ids')]], { training: false })]),
  );
});

test.each([
  ['an input of a layer', graph([layer('ids', []), operation('op', [tensor('ids')]), layer('pool', [tensor('op')])])],
  ['an output', graph([layer('ids', []), operation('op', [tensor('ids')])], 'op')],
  ['nothing recorded', graph([layer('ids', []), layer('pool', [tensor('ids')], { mask: tensor('ids') })])],
])('%s: as it is', (_name, given) => {
  expect(withoutRecordedMasks(given)).toBe(given);
});
