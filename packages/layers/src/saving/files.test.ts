import { type InitializeOptions, initializeParams, initializers, RecurrentCell } from '@recurra/cells';
import { type Format, formats, readModelFile, readSafetensors, writeSafetensors } from '@recurra/formats';
import { Adam, LossScaleOptimizer, Optimizer, RMSprop, SGD } from '@recurra/optim';
import {
  FormatError,
  full,
  ones,
  registerSerializable,
  type Shape,
  type Tensor,
  tensor,
  ValueError,
} from '@recurra/tensor';
import { Layer } from '../base/layer.js';
import { Model } from '../base/model.js';
import { Sequential } from '../base/sequential.js';
import type { PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';
import { Dense, Dropout, Embedding, Input, Lambda, LSTM, RNN } from '../layers/index.js';
import { Huber, Loss } from '../losses/index.js';
import { MeanAbsoluteErrorMetric as MeanAbsoluteError, Metric } from '../metrics/index.js';
import { memoryStorage } from '../training/storage.js';
import { decodeModel, encodeModel, loadModel } from './files.js';
import { type AnyModel, toModelFile } from './model-file.js';

const x = tensor([
  [1, 2, 3],
  [-1, 0, 2],
  [0.5, 1, -3],
  [2, -2, 0],
]);
const y = tensor([[1], [0], [2], [-1]]);
const FIT = { verbose: 0, shuffle: false, batchSize: 2 } as const;
const small = (): Sequential =>
  new Sequential([Input({ shape: [3] }), new Dense(4, { activation: 'tanh' }), new Dense(1)]);
const lossesOf = async (model: AnyModel): Promise<unknown> =>
  (await model.fit(x, y, { ...FIT, epochs: 3 })).history['loss'];

test.each(['m.keras', 'folder/m.h5'])('a model that is saved as %s goes on as the one that was', async (path) => {
  const storage = memoryStorage();
  const model = small();
  model.compile({
    optimizer: new Adam({ amsgrad: true }),
    loss: new Huber({ delta: 0.5 }),
    metrics: ['mae', new MeanAbsoluteError({ name: 'distance' })],
  });
  await model.fit(x, y, FIT);
  model.optimizer.learningRate = 0.125;
  await model.save(path, { storage });
  const again = await loadModel(path, { storage });
  expect(again.optimizer.iterations).toBe(2);
  expect(again.optimizer.learningRate).toBe(0.125);
  expect((await again.predict(x)).data).toEqual((await model.predict(x)).data);
  const [ours, theirs] = [await model.fit(x, y, { ...FIT, epochs: 3 }), await again.fit(x, y, { ...FIT, epochs: 3 })];
  expect(theirs.history).toEqual(ours.history);
  expect(Object.keys(theirs.history)).toEqual(['loss', 'mae', 'distance']);
});

test('without compiling, and with bytes of any kind', async () => {
  const model = small();
  model.compile({ loss: 'mse' });
  const bytes = await encodeModel(model, { compile: false });
  expect((await decodeModel(bytes)).compiled).toBe(false);
  const whole = await encodeModel(model);
  expect((await decodeModel(whole)).compiled).toBe(true);
  expect((await loadModel(whole, { compile: false, safeMode: true })).compiled).toBe(false);
  const buffer = whole.slice().buffer;
  expect((await loadModel(buffer)).name).toBe(model.name);
  expect((await loadModel(new Blob([buffer]))).name).toBe(model.name);
});

test.each([
  ['moving averages', () => new Adam({ useEma: true, gradientAccumulationSteps: 2 })],
  ['a scaled loss', () => new LossScaleOptimizer(new RMSprop({ momentum: 0.9, centered: true }))],
])('an optimizer with %s goes on', async (_, make) => {
  const model = small();
  model.compile({ optimizer: make(), loss: 'mse' });
  await model.fit(x, y, FIT);
  const again = await decodeModel(await encodeModel(model));
  expect(await lossesOf(again)).toEqual(await lossesOf(model));
});

test('the state of an optimizer stands in the order of Keras', () => {
  const model = new Sequential([Input({ shape: [3] }), new Dense(2, { name: 'a' })]);
  model.compile({ optimizer: new Adam({ amsgrad: true, useEma: true, gradientAccumulationSteps: 2 }), loss: 'mse' });
  model.optimizer.prepare(model.trainableWeights);
  // As Keras 3.15.1 lists `optimizer.variables`, without the names of the model and the optimizer.
  expect(toModelFile(model).optimizer!.variables.map(({ name }) => name.replace('adam/', ''))).toEqual([
    ...['iteration', 'learning_rate', 'a_kernel_average', 'a_bias_average'],
    ...['a_kernel_gradient_accumulator', 'a_bias_gradient_accumulator'],
    ...['a_kernel_momentum', 'a_kernel_velocity', 'a_bias_momentum', 'a_bias_velocity'],
    ...['a_kernel_velocity_hat', 'a_bias_velocity_hat'],
  ]);
});

test('weights go into a model of the same layers, all or none', async () => {
  const storage = memoryStorage();
  const [model, other] = [small(), small()];
  await model.saveWeights('w.weights.h5', { storage });
  await model.save('m.keras', { storage });
  await model.save('m.h5', { storage });
  for (const path of ['w.weights.h5', 'm.keras', 'm.h5']) {
    other.setWeights(other.weights.map(({ shape }) => full([...shape], 9)));
    await other.loadWeights(path, { storage });
    expect(other.getWeights().map((t) => t.data)).toEqual(model.getWeights().map((t) => t.data));
  }
  const wider = new Sequential([Input({ shape: [3] }), new Dense(4), new Dense(2)]);
  const before = wider.getWeights().map((t) => t.data);
  await expect(wider.loadWeights('w.weights.h5', { storage })).rejects.toThrow(
    /w.weights.h5|kernel of "layers\/dense_1" to have shape \[4, 2\], received \[4, 1\]/,
  );
  const longer = new Sequential([Input({ shape: [3] }), new Dense(4), new Dense(1), new Dense(1)]);
  await expect(longer.loadWeights('w.weights.h5', { storage })).rejects.toThrow(
    /expected 2 weights \(kernel \[1, 1\], bias \[1\]\) for "layers\/dense_2", received 0/,
  );
  const shorter = new Sequential([Input({ shape: [3] }), new Dense(4)]);
  await expect(shorter.loadWeights('w.weights.h5', { storage })).rejects.toThrow(
    /such of "layers\/dense_1", which it does not have/,
  );
  await expect(shorter.loadWeights('m.h5', { storage })).rejects.toThrow(/weights of 1 layers .* such of 2/);
  expect(wider.getWeights().map((t) => t.data)).toEqual(before);
});

test('safetensors hold weights by the paths that Keras has for them, and go in by these', async () => {
  const storage = memoryStorage();
  const make = (name: string): Sequential => {
    const model = new Sequential([Input({ shape: [3] }), new Dense(4, { name: 'a' }), new Dense(1, { name: 'b' })], {
      name,
    });
    model.compile({ loss: 'mse' });
    return model;
  };
  const [model, other] = [make('one'), make('two')];
  await model.saveWeights('w.safetensors', { storage });
  const { tensors } = readSafetensors((await storage.read('w.safetensors'))!);
  expect([...tensors.keys()]).toEqual(['one/a/kernel', 'one/a/bias', 'one/b/kernel', 'one/b/bias']);
  expect(await encodeModel(model, { format: 'safetensors' })).toEqual(await storage.read('w.safetensors'));
  await expect(other.loadWeights('w.safetensors', { storage })).rejects.toThrow(
    /loadWeights: w.safetensors: expected the weights of the model and nothing else; 4 missing/,
  );
  await make('one').loadWeights('w.safetensors', { storage });
  const short = writeSafetensors(Object.fromEntries([...tensors].map(([name, t]) => [name.replace('one/', ''), t])));
  await other.loadWeights(short);
  expect(other.getWeights().map((t) => t.data)).toEqual(model.getWeights().map((t) => t.data));
  await expect(loadModel('w.safetensors', { storage })).rejects.toThrow(/received weights alone/);
});

test('a model that has functions saves its weights', async () => {
  const make = (): Sequential => new Sequential([Input({ shape: [3] }), new Lambda((t: Tensor) => t), new Dense(1)]);
  const [model, other] = [make(), make()];
  for (const format of ['weights.h5', 'safetensors']) {
    other.setWeights(other.weights.map(({ shape }) => full([...shape], 9)));
    await other.loadWeights(await encodeModel(model, { format }));
    expect(other.getWeights().map((t) => t.data)).toEqual(model.getWeights().map((t) => t.data));
  }
});

test('ONNX holds a model for inference, and says so where more was asked for', async () => {
  const storage = memoryStorage();
  const model = small();
  model.compile({ optimizer: 'adam', loss: 'mse' });
  await model.save('m.onnx', { storage });
  const again = await loadModel('m.onnx', { storage });
  expect([again.compiled, again.name]).toEqual([false, model.name]);
  expect((await again.predict(x)).data).toEqual((await model.predict(x)).data);
  const other = small();
  await other.loadWeights('m.onnx', { storage });
  expect((await other.predict(x)).data).toEqual((await model.predict(x)).data);
  await model.save('n.onnx', { storage, compile: false });
  await expect(model.save('n.onnx', { storage, compile: true })).rejects.toThrow(
    /a format that holds how a model is compiled, received onnx, which has no room for it/,
  );
  await expect(encodeModel(model, { format: 'onnx', compile: true })).rejects.toThrow(/received onnx/);
  await expect(model.saveWeights('m.onnx', { storage })).rejects.toThrow(/promises a whole model. Use save/);
});

test('what belongs beside a file is written and read beside it', async () => {
  const storage = memoryStorage();
  const table = formats() as Format[];
  const bytes = new TextEncoder().encode('two files');
  table.push({
    name: 'two',
    title: 'two files',
    kind: 'keras',
    endings: ['.two'],
    holds: new Set(['model', 'weights']),
    matches: (b) => b.length === bytes.length,
    read: async (_, { beside, label }) => {
      await expect(beside('../x')).rejects.toThrow(/loadModel: a\/m.two: expected files beside it with plain relative/);
      expect(await beside('none')).toBeNull();
      const found = await beside('weights.bin');
      if (!found) throw new FormatError(`${label}: expected weights.bin beside it`);
      return readModelFile(found);
    },
    write: async (file) => ({
      main: bytes,
      beside: new Map([['weights.bin', (await table[0]!.write(file)).main]]),
    }),
  });
  try {
    const model = small();
    await model.save('a/m.two', { storage });
    expect(await storage.list('')).toEqual([]);
    expect(await storage.list('a')).toEqual(['a/m.two', 'a/weights.bin']);
    expect((await (await loadModel('a/m.two', { storage })).predict(x)).data).toEqual((await model.predict(x)).data);
    await expect(encodeModel(model, { format: 'two' })).rejects.toThrow(/which has weights.bin beside it/);
  } finally {
    table.pop();
  }
});

test('weights go into a model that is trained in another way, which is told', async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  const [model, other] = [small(), small()];
  model.compile({ optimizer: 'adam', loss: 'mse' });
  await model.fit(x, y, FIT);
  other.compile({ optimizer: new SGD({ momentum: 0.5 }), loss: 'mse' });
  await other.loadWeights(await encodeModel(model, { format: 'weights.h5' }));
  expect(warn.mock.calls).toEqual([[expect.stringContaining("the optimizer's state is left as it is")]]);
  expect(other.getWeights().map((t) => t.data)).toEqual(model.getWeights().map((t) => t.data));
  warn.mockRestore();
});

test('a chain without a declared input is built as it was', async () => {
  const model = new Sequential([new Embedding(5, 3, { maskZero: true }), new LSTM(2), new Dropout(0.5), new Dense(1)]);
  const ids = tensor([[1, 2, 0]], { dtype: 'int32' });
  const out = await model.predict(ids);
  expect((await (await decodeModel(await encodeModel(model))).predict(ids)).data).toEqual(out.data);
});

test('a stateful model begins anew after resetStates, also in steps that were compiled before', async () => {
  const model = new Sequential([Input({ batchShape: [2, 3, 1] }), new LSTM(2, { stateful: true })]);
  model.compile({ optimizer: new SGD({ learningRate: 0 }), loss: 'mse' });
  const data = ones([4, 3, 1]);
  const first = await model.predict(data, { batchSize: 2 });
  model.resetStates();
  const { history } = await model.fit(data, ones([4, 2]), FIT);
  for (let i = 0; i < 2; i++) {
    model.resetStates();
    expect((await model.predict(data, { batchSize: 2 })).data).toEqual(first.data);
    model.resetStates();
    expect((await model.fit(data, ones([4, 2]), FIT)).history).toEqual(history);
  }
  // Files hold weights: a loaded model begins at its beginning, too.
  const again = await decodeModel(await encodeModel(model));
  expect((await again.predict(data, { batchSize: 2 })).data).toEqual(first.data);
});

class Scale extends Layer {
  scale!: Variable;
  readonly factor: number;

  constructor({ factor = 1, ...options }: { factor?: number; name?: string } = {}) {
    super(options);
    this.factor = factor;
  }
  override build([, features]: PartialShape): void {
    this.scale = this.variable({ name: 'scale', shape: [features!], initializer: initializers.ones() });
  }
  call(inputs: Tensor): Tensor {
    return inputs.mul(this.scale.value).mul(this.factor);
  }
  protected override fields(): Record<string, unknown> {
    return { factor: this.factor };
  }
}
class Minimal extends RecurrentCell<{ readonly kernel: Tensor; readonly own: Tensor }> {
  readonly stateSize: number;

  constructor(readonly units: number) {
    super();
    this.stateSize = units;
  }
  init(features: number, options: InitializeOptions): { readonly kernel: Tensor; readonly own: Tensor } {
    const { units } = this;
    return initializeParams({ kernel: { shape: [features, units] }, own: { shape: [units, units] } }, options);
  }
  step({ kernel, own }: { kernel: Tensor; own: Tensor }, input: Tensor, h: Tensor) {
    const output = input.matmul(kernel).add(h.matmul(own)).tanh();
    return { output, state: output };
  }
  override getConfig() {
    return { units: this.units };
  }
}
class Quartic extends Loss {
  constructor(options: { weight?: number; name?: string } = {}) {
    super('quartic', options, { weight: 1 }, 'Quartic');
  }
  call(yTrue: Tensor, yPred: Tensor): Tensor {
    return yTrue.sub(yPred).square().square().mean(-1);
  }
}
class Largest extends Metric {
  private readonly most = this.addZeros('most');

  constructor(options: { name?: string } = {}) {
    super('largest', options, {}, 'Largest');
  }
  updateState(_yTrue: Tensor, yPred: Tensor): void {
    this.most.assign(this.most.value.maximum(yPred.max()));
  }
  result(): Tensor {
    return this.most.value;
  }
}
class Halving extends Optimizer {
  readonly name = 'Halving';

  protected createSlots(parameter: Tensor) {
    return { seen: parameter.zerosLike() };
  }
  protected step({ parameter, slots }: { parameter: Tensor; slots: Readonly<Record<string, Tensor>> }) {
    return { parameter: parameter.mul(0.5), slots: { seen: slots['seen']!.add(1) } };
  }
}
const sevenths = {
  name: 'Sevenths',
  config: {},
  create: (shape: Shape) => full([...shape], 1 / 7),
};
const custom = { Scale, Minimal, Quartic, Largest, Halving, Sevenths: () => sevenths };

const own = async (): Promise<AnyModel> => {
  const model = new Sequential([
    Input({ shape: [4, 3] }),
    new RNN(new Minimal(3)),
    new Scale({ factor: 2 }),
    new Dense(1, { kernelInitializer: sevenths }),
  ]);
  model.compile({ optimizer: new Halving(), loss: new Quartic(), metrics: [new Largest()] });
  await model.fit(ones([2, 4, 3]), ones([2, 1]), { verbose: 0 });
  return model;
};

test('classes of your own: layers, cells, losses, metrics, optimizers, initializers', async () => {
  const model = await own();
  const bytes = await encodeModel(model);
  await expect(decodeModel(bytes)).rejects.toThrow(FormatError);
  await expect(decodeModel(bytes)).rejects.toThrow(/received "Minimal".*customObjects.*registerSerializable/);
  const again = await decodeModel(bytes, { customObjects: custom });
  const data = ones([2, 4, 3]);
  expect((await again.predict(data)).data).toEqual((await model.predict(data)).data);
  const [a, b] = [await model.fit(data, ones([2, 1]), FIT), await again.fit(data, ones([2, 1]), FIT)];
  expect(b.history).toEqual(a.history);
  expect(Object.keys(b.history)).toEqual(['loss', 'largest']);
  // They were given for that one reading.
  await expect(decodeModel(bytes)).rejects.toThrow(FormatError);
});

test('registered classes need no naming, and go by their packages', async () => {
  class Doubled extends Scale {}
  registerSerializable('files_test', Doubled);
  const model = new Sequential([Input({ shape: [3] }), new Doubled({ factor: 3 })]);
  expect(toModelFile(model).model!.config['layers']).toMatchObject([
    {},
    { module: null, class_name: 'Doubled', registered_name: 'files_test>Doubled', config: { factor: 3 } },
  ]);
  for (const format of ['keras', 'h5']) {
    const again = await decodeModel(await encodeModel(model, { format }));
    expect(again.layers[0]).toBeInstanceOf(Doubled);
  }
});

test('a model of a class of your own', async () => {
  class Twice extends Model {
    readonly dense = new Dense(2);

    override call(inputs: Tensor): Tensor {
      return this.dense.apply(inputs).mul(2);
    }
  }
  const model = new Twice();
  const out = await model.predict(x);
  const bytes = await encodeModel(model);
  const again = await decodeModel(bytes, { customObjects: { Twice } });
  expect((await again.predict(x)).data).toEqual(out.data);
  await expect(decodeModel(bytes)).rejects.toThrow(/received "Twice"/);
  await expect(encodeModel(model, { format: 'h5' })).rejects.toThrow(/received the class Twice.*Save it as .keras/);
});

test('code in files does not run', async () => {
  const model = new Sequential([Input({ shape: [3] }), new Dense(1)]);
  const { model: described, ...rest } = toModelFile(model);
  const lambda = { module: 'keras.layers', class_name: 'Lambda', config: { function: 'x' }, registered_name: null };
  const { writeKeras } = jest.requireActual('../../../formats/src/keras/keras-file.ts');
  const bytes = await writeKeras({
    ...rest,
    model: { ...described, config: { ...described!.config, layers: [lambda] } },
  });
  await expect(loadModel(bytes, { safeMode: false })).rejects.toThrow(FormatError);
  await expect(loadModel(bytes, { safeMode: false })).rejects.toThrow(/function, which is code/);
  const coded = new Sequential([Input({ shape: [3] }), new Lambda((t: Tensor) => t)]);
  await expect(encodeModel(coded)).rejects.toThrow(ValueError);
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'an ending that is not known',
    () => small().save('m.bin', { storage: memoryStorage() }),
    /save: expected a path that ends in .keras/,
  ],
  [
    'weights as a model',
    () => small().save('m.weights.h5', { storage: memoryStorage() }),
    /weights alone. Use saveWeights/,
  ],
  ['a model as weights', () => small().saveWeights('m.keras', { storage: memoryStorage() }), /a whole model. Use save/],
  ['no path', () => small().save(undefined as never), /save: expected the path to be a path, received undefined/],
  [
    'an option that is not known',
    () => small().save('m.keras', { overwrite: true } as never),
    /unknown option "overwrite"/,
  ],
  ['no weights', () => new Sequential([new Dense(1)]).save('m.keras'), /expected a model whose weights are there/],
  [
    'weights for none',
    async () => new Sequential([new Dense(1)]).loadWeights(await encodeModel(small())),
    /expected a model whose weights are there/,
  ],
  [
    'no file',
    () => loadModel('nowhere.keras', { storage: memoryStorage() }),
    /expected a file at "nowhere.keras", found none/,
  ],
  ['no bytes', () => decodeModel('m.keras' as never), /decodeModel: expected the bytes of a file/],
  ['neither', () => loadModel(5 as never), /expected a path, or the bytes of a file, received 5/],
  ['another format', () => encodeModel(small(), { format: 'pickle' }), /expected format keras/],
  [
    'a function without a name',
    async () => {
      const model = small();
      model.compile({ loss: [(a: Tensor, b: Tensor) => a.sub(b).square()][0]! });
      return encodeModel(model);
    },
    /received a function without.*compile: false/,
  ],
  [
    'weights alone as a model',
    async () => loadModel(await encodeModel(small(), { format: 'weights.h5' })),
    /expected a whole model, received weights alone/,
  ],
])('%s is refused', async (_, run, message) => {
  await expect(run()).rejects.toThrow(message);
});

test('a .keras file that is torn or edited is refused, or holds what it held', async () => {
  const model = new Sequential([Input({ shape: [1] }), new Dense(1)]);
  const bytes = await encodeModel(model, { assets: { labels: ['a', 'b'] } });
  const expected = model.getWeights().map((t) => t.data);
  for (let size = 0; size < bytes.length; size += 89)
    await expect(decodeModel(bytes.subarray(0, size))).rejects.toThrow(FormatError);
  let refused = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit += 389) {
    const edited = bytes.slice();
    edited[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const again = await decodeModel(edited);
      expect(again.getWeights().map((t) => t.data)).toEqual(expected);
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(bytes.length / 60);
});

test('outputs by names are outputs of those names in ONNX', async () => {
  const input = Input({ shape: [2], name: 'x' });
  const model = new Model({
    inputs: input,
    outputs: {
      second: new Dense(1, { name: 'kind' }).apply(input),
      first: new Dense(2, { name: 'value' }).apply(input),
    },
  });
  const text = new TextDecoder('latin1').decode(await encodeModel(model as never, { format: 'onnx' }));
  for (const name of ['output/kind', 'output/value']) expect(text).toContain(name);
});
