/** Configurations of graphs are Keras' ones (3.15: `Functional.get_config`), and make the same model again. */
import { FormatError, randomKey, randomNormal, type Tensor, tensor } from '@recurra/tensor';
import {
  Bidirectional,
  clearSession,
  Dense,
  deserializeLayer,
  Embedding,
  Input,
  Layer,
  type LayerConfig,
  LSTM,
  Model,
  modelFromConfig,
  Sequential,
  serializeLayer,
} from '../index.js';

/** Adds its inputs. */
class Sum extends Layer<readonly Tensor[], Tensor> {
  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => a.add(b));
  }
}
const customObjects = { Sum };
// biome-ignore lint/suspicious/noExplicitAny: configurations are read as JSON
type Json = any;

const json = (model: { getConfig(): LayerConfig }): Json => JSON.parse(JSON.stringify(model.getConfig()));
const random = (shape: number[], seed: number): Tensor => randomNormal(shape, { key: randomKey(seed) });

/** Shared layers, a graph and a chain as layers, several inputs and outputs, states handed on by name. */
function net(): Model<{ a: never; b: never; s: never }, never> {
  const a = Input({ shape: [4], name: 'a' });
  const b = Input({ shape: [4], name: 'b' });
  const s = Input({ shape: [5, 4], name: 's' });
  const inside = Input({ shape: [4], name: 'ii' });
  const inner = new Model({ inputs: inside, outputs: new Dense(3, { name: 'id' }).apply(inside), name: 'inner' });
  const shared = new Dense(4, { name: 'shared' });
  const [x, y] = [shared.apply(a), shared.apply(b)];
  const sum = new Sum({ name: 'add' }).apply([x, y]);
  const tower = new Sequential([new Dense(3, { name: 't' })], { name: 'tower' });
  const [, h, c] = new LSTM(3, { returnState: true, name: 'lstm' }).apply(s);
  const decoded = new LSTM(3, { name: 'dec' }).apply(s, { initialState: [h!, c!] });
  const outputs = [inner.apply(sum), inner.apply(x), tower.apply(decoded)];
  return new Model({ inputs: { a, b, s }, outputs, name: 'net' }) as never;
}

const data = { a: random([2, 4], 1), b: random([2, 4], 2), s: random([2, 5, 4], 3) };

test('what Keras writes for this graph is written: order of layers, numbers of calls, places of outputs', () => {
  const config = json(net());
  // keras 3.15: model.get_config() of the same graph (its `add` and `inner` are called at the same places).
  expect(config.layers.map((l: Json) => l.name)).toEqual([
    'a',
    'b',
    's',
    'shared',
    'lstm',
    'add',
    'dec',
    'inner',
    'tower',
  ]);
  expect(config.outputLayers).toEqual([
    ['inner', 1, 0],
    ['inner', 2, 0],
    ['tower', 0, 0],
  ]);
  expect(config.inputLayers).toEqual({ a: ['a', 0, 0], b: ['b', 0, 0], s: ['s', 0, 0] });
  const node = (name: string): Json => config.layers.find((l: Json) => l.name === name);
  expect(node('add').inboundNodes[0].args[0].map((t: Json) => t.config.kerasHistory)).toEqual([
    ['shared', 0, 0],
    ['shared', 1, 0],
  ]);
  expect(node('dec').inboundNodes[0].kwargs.initialState.map((t: Json) => t.config)).toEqual([
    { shape: [null, 3], dtype: 'float32', kerasHistory: ['lstm', 0, 1] },
    { shape: [null, 3], dtype: 'float32', kerasHistory: ['lstm', 0, 2] },
  ]);
  expect([node('inner').module, node('inner').registeredName]).toEqual(['keras.src.models.functional', 'Functional']);
  expect([node('tower').module, node('tower').registeredName]).toEqual(['keras', null]);
});

test('the model again: outputs, weights in their order, configuration, what layers share', async () => {
  const model = net();
  const again = modelFromConfig(json(model), { customObjects });
  expect(again.name).toBe('net');
  expect(again.weights.map((w) => [w.path, w.shape])).toEqual(model.weights.map((w) => [w.path, w.shape]));
  again.setWeights(model.getWeights());
  const expected = (await model.predict(data as never)) as unknown as Tensor[];
  const found = (await again.predict(data as never)) as Tensor[];
  expect(found.map((t) => t.toArray())).toEqual(expected.map((t) => t.toArray()));
  expect(json(again)).toEqual(json(model));
  const through = deserializeLayer(JSON.parse(JSON.stringify(serializeLayer(model as never))), { customObjects });
  expect(json(through)).toEqual(json(model));
});

test('structures: one input, lists, records, a list of one; a model frozen as a whole', async () => {
  const make = (): [ReturnType<typeof Input>, ReturnType<typeof Input>] => {
    const a = Input({ shape: [4], dtype: 'int32', name: 'words' });
    return [a, new LSTM(3, { name: 'l' }).apply(new Embedding(9, 2, { maskZero: true, name: 'e' }).apply(a))];
  };
  const ids = tensor([[1, 2, 0, 0]]);
  for (const [inputs, outputs, x] of [
    [(t: Json) => t, (t: Json) => t, ids],
    [(t: Json) => [t], (t: Json) => [t], ids],
    [(t: Json) => ({ w: t }), (t: Json) => ({ out: t }), { w: ids }],
    [(t: Json) => ({ w: [t] }), (t: Json) => [{ out: t }], { w: [ids] }],
  ] as const) {
    const [a, y] = make();
    const model = new Model({ inputs: inputs(a), outputs: outputs(y) }) as Model<never, never>;
    model.trainable = false;
    const again = modelFromConfig(json(model)) as Model<never, never>;
    expect(again.trainableWeights).toEqual([]);
    again.setWeights(model.getWeights());
    expect(JSON.stringify(await again.predict(x as never))).toBe(JSON.stringify(await model.predict(x as never)));
    expect(json(again)).toEqual(json(model));
  }
});

test('a graph that begins within another has an input of its own in its configuration', async () => {
  const a = Input({ shape: [4], name: 'a' });
  const hidden = new Dense(3, { name: 'hidden' }).apply(a);
  const tail = new Model({ inputs: hidden, outputs: new Dense(2, { name: 'out' }).apply(hidden) });
  expect(tail.layers.map((l) => l.name)).toEqual(['out']);
  const again = modelFromConfig(json(tail)) as Model;
  expect(again.layers.map((l) => l.name)).toEqual(['hidden_input', 'out']);
  again.setWeights(tail.getWeights());
  const x = random([2, 3], 4);
  expect((await again.predict(x)).toArray()).toEqual((await tail.predict(x)).toArray());
});

test('inputs that nothing depends on, wrappers, a shared layer at several depths, tensors among the arguments', async () => {
  const [a, unused] = [Input({ shape: [4, 4], name: 'a' }), Input({ shape: [2], name: 'unused' })];
  const dense = new Dense(4, { name: 'd' });
  const deep = dense.apply(dense.apply(dense.apply(a)));
  const wrapped = new Bidirectional(new LSTM(2, { name: 'l' }), { name: 'bi' }).apply(deep);
  const states = [tensor([[1, 2]]), tensor([[3, 4]])];
  const last = new LSTM(2, { name: 'last' }).apply(deep, { initialState: states as never });
  const model = new Model({ inputs: [a, unused], outputs: [wrapped, last] });
  const again = modelFromConfig(json(model)) as typeof model;
  again.setWeights(model.getWeights());
  const x = [random([1, 4, 4], 5), random([1, 2], 6)] as const;
  const [found, expected] = [await again.predict(x as never), await model.predict(x as never)];
  expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
});

test('a chain of 3000 layers is no deeper than its list', () => {
  let x = Input({ shape: [1], name: 'x' });
  const first = x;
  const same = new Dense(1, { name: 'd' });
  for (let i = 0; i < 3000; i++) x = same.apply(x);
  const model = new Model({ inputs: first, outputs: x });
  expect(modelFromConfig(json(model)).graph!.calls).toHaveLength(3000);
});

test("Keras' own configuration, with what it writes beside", () => {
  // keras 3.15, keras.Model(a, Dense(2, name='o')(LSTM(3, name='l')(a)), name='one').get_config(), keys in camelCase.
  const policy = { module: 'keras', className: 'DTypePolicy', config: { name: 'float32' }, registeredName: null };
  const history = (of: string, shape: Json): Json => ({
    className: '__keras_tensor__',
    config: { shape, dtype: 'float32', kerasHistory: [of, 0, 0] },
  });
  const model = modelFromConfig({
    name: 'one',
    trainable: true,
    layers: [
      {
        module: 'keras.layers',
        className: 'InputLayer',
        config: {
          batchShape: [null, 5, 4],
          dtype: 'float32',
          sparse: false,
          ragged: false,
          name: 'a',
          optional: false,
        },
        registeredName: null,
        name: 'a',
        inboundNodes: [],
      },
      {
        module: 'keras.layers',
        className: 'LSTM',
        config: { name: 'l', trainable: true, dtype: policy, units: 3, activation: 'tanh' },
        registeredName: null,
        buildConfig: { inputShape: [null, 5, 4] },
        name: 'l',
        inboundNodes: [{ args: [history('a', [null, 5, 4])], kwargs: { training: false, mask: null } }],
      },
      {
        module: 'keras.layers',
        className: 'Dense',
        config: { name: 'o', trainable: true, dtype: policy, units: 2, quantizationConfig: null },
        registeredName: null,
        buildConfig: { inputShape: [null, 3] },
        name: 'o',
        inboundNodes: [{ args: [history('l', [null, 3])], kwargs: {} }],
      },
    ],
    inputLayers: ['a', 0, 0],
    outputLayers: ['o', 0, 0],
  }) as Model;
  expect(model.countParams()).toBe(4 * (4 + 3 + 1) * 3 + 8);
  expect(model.outputs.shape).toEqual([null, 2]);
  expect(model.graph!.calls.map((call) => call.options)).toEqual([{}, {}]);
});

describe('hostile configurations are a FormatError that says where', () => {
  const good = (): Json => {
    clearSession();
    return json(net());
  };
  const layer = (config: Json, name: string): Json => config.layers.find((l: Json) => l.name === name);
  const nest = (depth: number): Json => {
    let tree: Json = [];
    for (let i = 0; i < depth; i++) tree = [tree];
    return tree;
  };
  const models = (depth: number): Json => {
    let config: Json = { name: 'm', layers: [] };
    for (let i = 0; i < depth; i++) config = { name: 'm', layers: [{ className: 'Sequential', config }] };
    return config;
  };
  test.each<[string, (c: Json) => Json, RegExp]>([
    ['null', () => null, /with a list of layers, received null/],
    ['a list', () => [], /received a list of 0/],
    ['no layers', (c) => ({ ...c, layers: undefined }), /with a list of layers/],
    ['layers of another kind', (c) => ({ ...c, layers: [1] }), /layers that are objects/],
    ['a name that is none', (c) => ({ ...c, name: 3 }), /a name that is a text, received 3/],
    ['trainable', (c) => ({ ...c, trainable: 'no' }), /trainable to be true or false/],
    ['no outputs', (c) => ({ ...c, outputLayers: undefined }), /expected outputLayers/],
    ['an empty list of outputs', (c) => ({ ...c, outputLayers: [] }), /at least one output/],
    ['an empty list of inputs', (c) => ({ ...c, inputLayers: [] }), /at least one input/],
    ['a missing input', (c) => ({ ...c, inputLayers: ['a', 0, 0] }), /received none for "b"/],
    ['an unknown output', (c) => ({ ...c, outputLayers: ['nobody', 0, 0] }), /a layer "nobody", which outputLayers/],
    ['an output of no call', (c) => ({ ...c, outputLayers: ['shared', 7, 0] }), /one of the 2 calls of "shared"/],
    ['the call 0 of a graph', (c) => ({ ...c, outputLayers: ['inner', 0, 0] }), /calls of "inner", received call 0/],
    ['an output too many', (c) => ({ ...c, outputLayers: ['shared', 0, 3] }), /one of the 1 outputs of "shared"/],
    ['a fractional place', (c) => ({ ...c, outputLayers: ['shared', 0.5, 0] }), /form \[layer, call, output\]/],
    ['a negative place', (c) => ({ ...c, outputLayers: ['shared', -1, 0] }), /form \[layer, call, output\]/],
    ['a name of every object', (c) => ({ ...c, outputLayers: ['constructor', 0, 0] }), /a layer "constructor"/],
    ['an input called', (c) => ({ ...c, outputLayers: ['a', 1, 0] }), /the input as \["a", 0, 0\]/],
    ['deep lists of outputs', (c) => ({ ...c, outputLayers: nest(5000) }), /at most 64 deep/],
    ['two layers of one name', (c) => ({ ...c, layers: [...c.layers, c.layers[0]] }), /received "a" twice/],
    [
      'a class that there is not',
      (c) => {
        layer(c, 'add').className = 'Os';
        return c;
      },
      /received "Os"/,
    ],
    [
      'a class of objects',
      (c) => {
        layer(c, 'add').className = '__proto__';
        return c;
      },
      /received "__proto__"/,
    ],
    [
      'arguments that the class refuses',
      (c) => {
        layer(c, 'shared').config.units = -4;
        return c;
      },
      /units to be an integer/,
    ],
    [
      'no arguments',
      (c) => {
        layer(c, 'shared').config = null;
        return c;
      },
      /className, config/,
    ],
    [
      'another name inside',
      (c) => {
        layer(c, 'shared').config.name = 'x';
        return c;
      },
      /"shared" to have that name, received "x"/,
    ],
    [
      'a circle',
      (c) => {
        layer(c, 'shared').inboundNodes[0].args[0].config.kerasHistory = ['add', 0, 0];
        return c;
      },
      /a circle among "shared", "add"/,
    ],
    [
      'a layer that feeds itself',
      (c) => {
        layer(c, 'lstm').inboundNodes[0].args[0].config.kerasHistory = ['lstm', 0, 0];
        return c;
      },
      /a circle among "lstm"/,
    ],
    [
      'calls that are no list',
      (c) => {
        layer(c, 'lstm').inboundNodes = { 0: 1 };
        return c;
      },
      /inboundNodes of "lstm" to be a list/,
    ],
    [
      'a call of nothing',
      (c) => {
        layer(c, 'lstm').inboundNodes = [{ args: [], kwargs: {} }];
        return c;
      },
      /calls of "lstm" with a list of args/,
    ],
    [
      'an input that is called',
      (c) => {
        layer(c, 'a').inboundNodes = layer(c, 'lstm').inboundNodes;
        return c;
      },
      /no calls of the input "a"/,
    ],
    [
      'a tensor without a place',
      (c) => {
        layer(c, 'lstm').inboundNodes[0].args[0].config = null;
        return c;
      },
      /form \[layer, call, output\] in "lstm"/,
    ],
    [
      'deep arguments',
      (c) => {
        layer(c, 'lstm').inboundNodes[0].args = [nest(5000)];
        return c;
      },
      /at most 64 deep/,
    ],
    [
      'a shape that does not fit',
      (c) => {
        layer(c, 's').config.batchShape = [null, 5];
        return c;
      },
      /rank 3/,
    ],
    ['models in models without end', () => models(200), /at most 64 deep/],
  ])('%s', (_name, change, message) => {
    let error: unknown;
    try {
      modelFromConfig(change(good()) as LayerConfig, { customObjects });
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
    // A refused configuration leaves nothing behind.
    expect(modelFromConfig(good(), { customObjects }).name).toBe('net');
  });
});

describe('models that write call', () => {
  class Plain extends Model {
    private readonly head = new Dense(2);
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
  }
  class Sized extends Model {
    private readonly head: Dense;
    constructor(units: number) {
      super();
      this.head = new Dense(units);
    }
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
  }
  class Told extends Model {
    static override readonly positional: readonly string[] = ['units'];
    private readonly head: Dense;
    constructor(
      readonly units: number,
      options: { readonly name?: string } = {},
    ) {
      super(options);
      this.head = new Dense(units);
    }
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
    override getConfig(): LayerConfig {
      return { ...super.getConfig(), units: this.units };
    }
  }

  test('without arguments, and with arguments that getConfig gives', () => {
    const plain = new Plain({ name: 'p' });
    plain.trainable = false;
    const again = deserializeLayer(serializeLayer(plain as never), { customObjects: { Plain } as never }) as Plain;
    expect([again.name, again.trainable, again instanceof Plain]).toEqual(['p', false, true]);
    const told = Told.fromConfig(new Told(3).getConfig()) as Told;
    expect(told.units).toBe(3);
  });

  test('arguments that only its code knows: what the class needs is said', () => {
    expect(() => Sized.fromConfig(new Sized(3).getConfig())).toThrow(
      /Sized.fromConfig: expected a static fromConfig\(config\) and a getConfig of its own/,
    );
    expect(() => Model.fromConfig(net().getConfig())).toThrow(
      /Use deserializeLayer\(\{ className: 'Functional', config \}\)/,
    );
    expect(() => modelFromConfig(new Plain().getConfig())).toThrow(/TheClass.fromConfig\(config\)/);
  });
});
