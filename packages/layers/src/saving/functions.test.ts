/** Functions of one's own in configurations, and layers that a model holds twice: written and read as Keras 3.15 does. */
import { readModelFile } from '@recurra/formats';
import { FormatError, registerSerializable, type Tensor, tensor, ValueError } from '@recurra/tensor';
import * as r from '../index.js';
import { decodeModel, encodeModel } from './files.js';

const twice = (x: Tensor): Tensor => x.mul(2);
registerSerializable('functions_test', twice, 'twice');
const shifted = (x: Tensor): Tensor => x.add(1);
const distance = (yTrue: Tensor, yPred: Tensor): Tensor => yTrue.sub(yPred).abs().mean(-1);
registerSerializable('functions_test', distance, 'distance');

const x = tensor([
  [1, 2, 3],
  [-1, 0.5, 2],
]);
const series = tensor([
  [
    [1, 2],
    [3, -1],
    [0, 1],
  ],
]);
const near = (a: unknown, b: unknown): void =>
  expect(
    (a as Tensor)
      .sub(b as Tensor)
      .abs()
      .max()
      .item(),
  ).toBeLessThan(1e-6);

// What keras.layers.Dense(2, activation=f).get_config()['activation'] is, for a registered function and for another one.
const written = (name: string): object => ({
  module: 'builtins',
  class_name: 'function',
  config: name,
  registered_name: 'function',
});

const MODELS: Readonly<Record<string, readonly [make: () => r.Sequential, input: Tensor]>> = {
  Dense: [() => new r.Sequential([r.Input({ shape: [3] }), new r.Dense(2, { activation: twice })] as never), x],
  Activation: [() => new r.Sequential([r.Input({ shape: [3] }), new r.Activation(twice)] as never), x],
  Conv1D: [
    () => new r.Sequential([r.Input({ shape: [3, 2] }), new r.Conv1D(2, 2, { activation: twice })] as never),
    series,
  ],
  EinsumDense: [
    () =>
      new r.Sequential([r.Input({ shape: [3] }), new r.EinsumDense('ab,bc->ac', [2], { activation: twice })] as never),
    x,
  ],
  LSTM: [
    () =>
      new r.Sequential([
        r.Input({ shape: [3, 2] }),
        new r.LSTM(2, { activation: twice, recurrentActivation: 'hardSigmoid', returnSequences: true }),
        new r.Bidirectional(new r.GRU(2, { recurrentActivation: twice })),
      ] as never),
    series,
  ],
  SimpleRNN: [
    () =>
      new r.Sequential([r.Input({ shape: [3, 2] }), new r.RNN(new r.SimpleRNNCell(2, { activation: twice }))] as never),
    series,
  ],
};

test.each(Object.entries(MODELS))('an activation that is registered, in %s', async (_name, [make, given]) => {
  const model = make();
  const bytes = await encodeModel(model as never);
  const file = await readModelFile(bytes);
  expect(JSON.stringify(file.model)).toContain(JSON.stringify(written('functions_test>twice')));
  near((await decodeModel(bytes)).apply(given as never), model.apply(given as never));
  const legacy = await encodeModel(model as never, { format: 'h5' });
  near((await decodeModel(legacy)).apply(given as never), model.apply(given as never));
});

test('an activation that is not registered is written by its name, and read by customObjects', async () => {
  const model = new r.Sequential([r.Input({ shape: [3] }), new r.Dense(2, { activation: shifted })] as never);
  const bytes = await encodeModel(model as never);
  const file = await readModelFile(bytes);
  expect(JSON.stringify(file.model)).toContain(JSON.stringify(written('shifted')));
  const again = await decodeModel(bytes, { customObjects: { shifted } });
  near(again.apply(x as never), model.apply(x as never));
  // What was read is written again.
  const third = await decodeModel(await encodeModel(again), { customObjects: { shifted } });
  near(third.apply(x as never), model.apply(x as never));
  await expect(decodeModel(bytes)).rejects.toThrow(FormatError);
  await expect(decodeModel(bytes)).rejects.toThrow(
    /the description of "shifted". Pass it as customObjects: { "shifted": f }/,
  );
});

test('names of functions are names of activations', () => {
  near(new r.Activation('functions_test>twice' as never).apply(x), x.mul(2));
  expect(() => new r.Activation('functions_test>thrice' as never)).toThrow(ValueError);
});

test('a function without a name, or with that of another activation, is not written', async () => {
  const anonymous = [(v: Tensor): Tensor => v][0]!;
  const relu = (v: Tensor): Tensor => v.mul(3);
  for (const f of [anonymous, relu]) {
    const model = new r.Sequential([r.Input({ shape: [3] }), new r.Dense(2, { activation: f })] as never);
    await expect(encodeModel(model as never)).rejects.toThrow(
      /expected a function with a name of its own for activation/,
    );
  }
});

test('losses and metrics that are functions come back by the names that they are registered by', async () => {
  const model = new r.Sequential([r.Input({ shape: [3] }), new r.Dense(2)] as never);
  model.compile({ optimizer: 'sgd', loss: distance as never, metrics: [distance as never, 'mae'] });
  const bytes = await encodeModel(model as never);
  const { compile } = await readModelFile(bytes);
  expect(compile).toMatchObject({
    loss: written('functions_test>distance'),
    metrics: [written('functions_test>distance'), 'mae'],
  });
  const again = await decodeModel(bytes);
  const y = tensor([
    [1, 0],
    [0, 1],
  ]);
  expect(await again.evaluate(x as never, y as never, { verbose: 0 })).toEqual(
    await model.evaluate(x as never, y as never, { verbose: 0 }),
  );
});

test('a layer that two wrappers and the model itself share is one layer again', async () => {
  const dense = new r.Dense(2, { name: 'shared' });
  const input = r.Input({ shape: [3, 2] });
  const once = new r.TimeDistributed(dense).apply(input as never);
  const again = new r.TimeDistributed(dense).apply(once as never);
  const model = new r.Model({ inputs: input, outputs: dense.apply(again as never) } as never);
  expect(model.weights).toHaveLength(2);
  const bytes = await encodeModel(model as never);
  const file = await readModelFile(bytes);
  // As Keras: the first description has no mark, those after it have.
  const text = JSON.stringify(file.model);
  expect(text.match(/"shared_object_id":/g)).toHaveLength(2);
  const loaded = await decodeModel(bytes);
  expect(loaded.weights).toHaveLength(2);
  near(loaded.apply(series as never), model.apply(series as never));
  loaded.compile({ optimizer: 'sgd', loss: 'mse' });
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  const y = tensor([
    [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
  ]);
  for (const m of [loaded, model] as readonly { fit(...given: never[]): Promise<unknown> }[])
    await m.fit(series as never, y as never, { epochs: 2, verbose: 0 } as never);
  near(loaded.apply(series as never), model.apply(series as never));
});

test('layers that are merely alike stay two', async () => {
  const make = (): r.TimeDistributed => new r.TimeDistributed(new r.Dense(2, { name: 'alike' })) as never;
  const input = r.Input({ shape: [3, 2] });
  const model = new r.Model({ inputs: input, outputs: make().apply(make().apply(input as never) as never) } as never);
  expect(model.weights).toHaveLength(4);
  const loaded = await decodeModel(await encodeModel(model as never));
  expect(loaded.weights).toHaveLength(4);
  near(loaded.apply(series as never), model.apply(series as never));
});
