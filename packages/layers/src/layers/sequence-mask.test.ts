import { onesLike, ShapeError, tensor, zeros } from '@recurra/tensor';
import { Input, LSTM, Model, SequenceMask } from '../index.js';

const x = tensor([
  [[1], [2], [3]],
  [[4], [5], [6]],
  [[7], [8], [9]],
]);
const lengths = tensor([2, 0, 9], { dtype: 'int32' });
const steps = [
  [true, true, false],
  [false, false, false],
  [true, true, true],
];

// tf.sequence_mask([2, 0, 9], 3)
test('the first steps count, as many as the length says', () => {
  const mask = new SequenceMask().apply([x, lengths]);
  expect(mask.dtype).toBe('bool');
  expect(mask.equal(tensor(steps)).all().item()).toBeTruthy();
  expect(
    new SequenceMask()
      .apply([x, lengths.expandDims(1)])
      .equal(mask)
      .all()
      .item(),
  ).toBeTruthy();
  expect(
    new SequenceMask()
      .apply([x, lengths.cast('float32')])
      .equal(mask)
      .all()
      .item(),
  ).toBeTruthy();
});

test('a layer in a model takes it as its mask; steps behind the length do not matter, compiled and not', async () => {
  const [sequences, sizes] = [Input({ shape: [null, 1] }), Input({ shape: [], dtype: 'int32' })];
  const mask = new SequenceMask().apply([sequences, sizes] as never);
  expect(mask).toMatchObject({ shape: [null, null], dtype: 'bool' });
  const layer = new LSTM(2);
  const model = new Model({ inputs: [sequences, sizes], outputs: layer.apply(sequences, { mask } as never) } as never);
  const given = [x, lengths] as never;
  const found = model.apply(given) as unknown as ReturnType<typeof zeros>;
  const alone = layer.apply(x.narrow(0, 0, 1).narrow(1, 0, 2));
  expect(found.narrow(0, 0, 1).sub(alone).abs().max().item()).toBeLessThan(1e-6);
  expect(found.at(1).toArray()).toEqual([0, 0]);
  const predicted = (await model.predict(given)) as unknown as typeof found;
  expect(predicted.sub(found).abs().max().item()).toBeLessThan(1e-6);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  await expect(model.fit(given, onesLike(found) as never, { verbose: 0 })).resolves.toBeDefined();
});

test('lengths that do not fit are told', () => {
  const mask = new SequenceMask({ name: 'own' });
  expect(() => mask.apply([x, zeros([2])])).toThrow(ShapeError);
  expect(() => mask.apply([x, zeros([2])])).toThrow(
    /own.*expected a length for each of 3 sequences \[batch\], received \[2\]/,
  );
  expect(() => mask.apply([zeros([3]), lengths] as never)).toThrow(/expected sequences \[batch, time, ...\]/);
  expect(() => mask.apply(x as never)).toThrow(/expected sequences and their lengths/);
});
