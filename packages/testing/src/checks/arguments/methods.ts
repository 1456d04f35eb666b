import {
  Dense,
  encodeCheckpoint,
  Input,
  Model,
  memoryStorage,
  modelFromCheckpoint,
  Sequential,
  saveCheckpoint,
  serializeLayer,
  Variable,
} from '@recurra/layers';
import { ones } from '@recurra/tensor';
import { layers } from './surface.js';
import {
  type Argument,
  type Example,
  f,
  flag,
  integer,
  list,
  made,
  name,
  optional,
  options,
  tensorOnly,
  text,
} from './wrong.js';

const example = (call: unknown, ...args: Argument[]): Example => ({ call: call as Example['call'], args });

/** Options with further ones; what is no object of options stays what it is. */
const beside = (further: object, given: unknown): never =>
  (given === undefined || (typeof given === 'object' && given?.constructor === Object)
    ? { ...further, ...given }
    : given) as never;

const built = (): Sequential => new Sequential([Input({ shape: [2] }), new Dense(1, { name: 'last' })]);
const graph = (): Model => {
  const given = Input({ shape: [2] });
  return new Model({ inputs: given, outputs: new Dense(1, { name: 'last' }).apply(given) });
};
/** Inputs of another shape are refused as such. */
const inputs = made(() => ones([3, 2]));
const weights = made(() => [ones([2, 1]), ones([1])]);
const config = made(() => built().getConfig());
const model = made(() => built());
const path = text('a.ckpt');
const stored = async (): Promise<ReturnType<typeof memoryStorage>> => {
  const kept = memoryStorage();
  await saveCheckpoint(built(), 'a.ckpt', { storage: kept });
  return kept;
};

/** Calls a reader with the bytes of a model for the text that stands for them. */
const bytesFor =
  (read: (bytes: never, options: never) => Promise<unknown>) =>
  async (given: unknown, o: never): Promise<unknown> =>
    read((given === 'encoded' ? await layers.encodeModel(built()) : given) as never, o);
const LOADING = {
  compile: flag(false),
  safeMode: flag(true),
  customObjects: made(() => ({ Dense }), 'an empty object'),
};

/** What may travel with a model. */
const ASSETS = made(() => ({ labels: ['a', 'b'] }), 'an empty object');

/** Right calls of methods of layers and models that take arguments, by `Class.method`. */
export const METHODS: Readonly<Record<string, readonly Example[]>> = {
  'Layer.apply': [
    example((given: never) => new Dense(1).apply(given), inputs),
    example(
      // Other names are arguments of the layer's `call`: their tables are the layers' own.
      (given: never) => new Dense(1).apply(ones([3, 2]), given),
      made(() => ({ training: true }), 'an empty object', 'undefined'),
    ),
    example(
      (training: never, mask: never) => new Dense(1).apply(ones([3, 2]), { training, mask }),
      optional(flag(true)),
      optional(made(() => ones([3]).cast('bool'), 'null')),
    ),
  ],
  'Layer.build': [
    example(
      (shape: never) => new Dense(1).build(shape),
      list(() => [null, 2]),
    ),
  ],
  'Layer.setWeights': [example((values: never) => built().setWeights(values), weights)],
  'Layer.addLoss': [
    example(
      (loss: never) => new Dense(1).addLoss(loss),
      tensorOnly(() => ones([])),
    ),
  ],
  'Layer.fromConfig': [
    example(
      (given: never) => Dense.fromConfig(given),
      made(() => new Dense(1).getConfig()),
    ),
  ],
  'Layer.trainable': [
    example((value: never) => {
      new Dense(1).trainable = value;
    }, flag(true)),
  ],
  Model: [
    example(
      (given: never) => new Model(given),
      made(() => ({ name: 'mine' }), 'an empty object', 'undefined'),
    ),
  ],
  'Model.getLayer': [example((given: never) => built().getLayer(given), name('last'))],
  'Model.call': [example((given: never) => graph().apply(given), inputs)],
  'Model.summary': [
    example(
      (given: never) => built().summary(beside({ print: false }, given)),
      options({
        print: flag(false),
        lineLength: integer(80, 'null'),
        positions: list(() => [0.4, 0.8, 1], 'null'),
        expandNested: flag(true),
        showTrainable: flag(false),
        layerRange: made(() => ['last', 'last'], 'null'),
      }),
    ),
  ],
  'Model.explain': [
    example(
      (a: never, b: never) => {
        const compiled = built();
        compiled.compile({ optimizer: 'sgd', loss: 'mse' });
        return compiled.explain(a, b);
      },
      inputs,
      made(() => ones([3, 1])),
    ),
  ],
  Sequential: [
    example(
      (given: never, o: never) => new Sequential(given, o),
      list(() => [new Dense(1)], 'undefined'),
      options({
        name: text('mine'),
        trainable: flag(true),
        dtype: name('float32'),
        activityRegularizer: name('l2', 'null'),
      }),
    ),
  ],
  'Sequential.add': [
    example(
      (given: never) => built().add(given),
      made(() => new Dense(3)),
    ),
  ],
  'Sequential.build': [
    example(
      (shape: never) => new Sequential([new Dense(1)]).build(shape),
      list(() => [null, 2]),
    ),
  ],
  Variable: [
    example(
      (value: never, at: never, o: never) => new Variable(value, at, o),
      tensorOnly(() => ones([2])),
      { ...text('w'), takes: [...text('w').takes, 'undefined'] },
      options({
        role: name('weight'),
        trainable: flag(true),
        regularizer: made(() => null, 'null'),
        constraint: made(() => null, 'null'),
      }),
    ),
  ],
  Input: [
    example(
      layers.Input,
      options({ shape: made(() => [2], 'an empty array'), name: text('mine'), dtype: name('float32') }, ['shape']),
    ),
  ],
  plotModel: [
    example(
      layers.plotModel,
      model,
      options({
        showShapes: flag(true),
        showDtype: flag(true),
        showLayerNames: flag(true),
        rankdir: name('LR'),
        expandNested: flag(true),
        showLayerActivations: flag(true),
        showTrainable: flag(true),
      }),
    ),
  ],
  serializeLayer: [
    example(
      layers.serializeLayer,
      made(() => new Dense(1)),
    ),
  ],
  deserializeLayer: [
    example(
      layers.deserializeLayer,
      made(() => serializeLayer(new Dense(1))),
      options({ customObjects: made(() => ({ Dense }), 'an empty object') }),
    ),
  ],
  modelFromConfig: [example(layers.modelFromConfig, config)],
  sequentialFromConfig: [example(layers.sequentialFromConfig, config)],
  saveCheckpoint: [
    example(
      // Without a storage it would write files.
      async (a: never, b: never, o: never) => saveCheckpoint(a, b, beside({ storage: memoryStorage() }, o)),
      model,
      path,
      options({ weightsOnly: flag(true) }),
    ),
  ],
  loadCheckpoint: [
    example(
      async (a: never, b: never) => layers.loadCheckpoint(a, b, { storage: await stored() }),
      model,
      name('a.ckpt'),
    ),
  ],
  modelFromCheckpoint: [
    example(async (at: never) => modelFromCheckpoint(at, { storage: await stored() }), name('a.ckpt')),
    example(
      async (given: never) => modelFromCheckpoint('a.ckpt', beside({ storage: await stored() }, given)),
      made(() => ({ customObjects: {} }), 'an empty object', 'undefined'),
    ),
  ],
  encodeModel: [
    example(
      layers.encodeModel,
      model,
      options({ format: name('keras', 'undefined'), compile: flag(false), assets: ASSETS }),
    ),
  ],
  decodeModel: [example(bytesFor(layers.decodeModel), name('encoded'), options(LOADING))],
  loadAssets: [example(bytesFor(layers.loadAssets), name('encoded'), options({}))],
  loadModel: [example(bytesFor(layers.loadModel), name('encoded'), options(LOADING))],
  encodeCheckpoint: [
    example(
      layers.encodeCheckpoint,
      made(() => ({ meta: {}, groups: {} })),
    ),
  ],
  decodeCheckpoint: [
    example(
      layers.decodeCheckpoint,
      made(() => encodeCheckpoint({ meta: {}, groups: {} })),
    ),
  ],
  clearSession: [example(layers.clearSession)],
  memoryStorage: [example(layers.memoryStorage)],
  nodeStorage: [example(layers.nodeStorage)],
  initializeParams: [
    example(
      layers.initializeParams,
      made(() => ({ kernel: { shape: [2, 3] } })),
    ),
  ],
  withValues: [
    example(
      layers.withValues,
      list(() => [new Variable(ones([2]))]),
      list(() => [ones([2])]),
      f(() => 1),
    ),
  ],
};
