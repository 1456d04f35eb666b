import { join } from 'node:path';
import {
  loadPytorchWeights,
  type PytorchModules,
  pytorchStateDict,
  pytorchWeights,
  readSafetensors,
  type StateDict,
  writeSafetensors,
} from '@recurra/formats';
import { Bidirectional, Dense, Flatten, GRU, LSTM, Sequential, SimpleRNN } from '@recurra/layers';
import { FormatError, ones, ShapeError, type Tensor, ValueError, zeros } from '@recurra/tensor';
import { builtFor, PYTORCH_CASES, pytorchCase } from './pytorch.js';

const FOLDER = join(__dirname, '../../golden/files/pytorch');

const caseOf = (name: string) => pytorchCase(FOLDER, name);

function worst(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return a.sub(b).abs().max().item();
}

const all = { returnSequences: true } as const;

const built = (name: string) => builtFor(FOLDER, name);

describe.each(PYTORCH_CASES)('%s', (name) => {
  test('with the weights of PyTorch computes what PyTorch does', () => {
    const { model, modules, state, x, outputs } = built(name);
    const { loaded, unused, untouched } = loadPytorchWeights(model, state, modules);
    expect(loaded).toHaveLength(model.layers.length);
    expect([unused, untouched]).toEqual([[], []]);
    expect(worst(model.apply(x), outputs.get('out')!)).toBeLessThan(1e-6);
  });

  test('its weights go back to PyTorch as they came, biases of LSTM and RNN as one', () => {
    const { model, modules, state, names } = built(name);
    loadPytorchWeights(model, state, modules);
    const back = pytorchStateDict(model, modules);
    expect([...back.keys()]).toEqual(names);
    for (const [key, value] of back) {
      const twin = key.replace('bias_ih', 'bias_hh');
      const summed = /bias_ih/.test(key) && !/gru|decoder/.test(name + key);
      const zeroed = /bias_hh/.test(key) && !/gru|decoder/.test(name + key);
      const original = state.get(key)!;
      const expected = summed ? original.add(state.get(twin)!) : zeroed ? original.zerosLike() : original;
      expect(value.toJSON()).toEqual(expected.toJSON());
    }
    const { tensors } = readSafetensors(writeSafetensors(back, { metadata: { format: 'pt' } }));
    const { model: other, x, outputs } = built(name);
    loadPytorchWeights(other, tensors, modules);
    expect(worst(other.apply(x), outputs.get('out')!)).toBeLessThan(1e-6);
  });
});

test.each([
  ['lstm', () => new LSTM(4, { returnState: true })],
  ['gru', () => new GRU(4, { returnState: true })],
  ['rnn_tanh', () => new SimpleRNN(4, { returnState: true })],
] as const)('final states of %s are PyTorch’s', (name, make) => {
  const { state, x, outputs } = caseOf(name);
  const layer = make();
  layer.build(x.shape);
  loadPytorchWeights({ layers: [layer], weights: layer.weights }, state, { '': layer });
  const [, ...states] = layer.apply(x) as readonly Tensor[];
  states.forEach((found, i) => {
    expect(worst(found, outputs.get(`state${i}`)!.at(0))).toBeLessThan(1e-6);
  });
  expect(states.length).toBe(outputs.size - 1);
});

test('the final states of both directions are PyTorch’s', () => {
  const { state, x, outputs } = caseOf('lstm_stack_both_ways');
  const below = new Bidirectional(new LSTM(4, all));
  const above = new Bidirectional(new LSTM(4, { ...all, returnState: true }));
  below.build(x.shape);
  above.build([2, 5, 8]);
  const weights = [...below.weights, ...above.weights];
  loadPytorchWeights({ layers: [below, above], weights }, state, { '': [below, above] });
  const [out, ...states] = above.apply(below.apply(x)) as unknown as readonly [Tensor, ...Tensor[]];
  expect(worst(out, outputs.get('out')!)).toBeLessThan(1e-6);
  // Ours: h and c forwards, h and c backwards; PyTorch's: h of all layers and directions, then c.
  const [h, c] = [outputs.get('state0')!, outputs.get('state1')!];
  [h.at(2), c.at(2), h.at(3), c.at(3)].forEach((expected, i) => {
    expect(worst(states[i]!, expected)).toBeLessThan(1e-6);
  });
});

test('a layer within a model within a model is given itself', () => {
  const { state, x, outputs } = caseOf('gru');
  const gru = new GRU(4, all);
  const model = new Sequential([new Sequential([gru])]);
  model.build(x.shape as never);
  loadPytorchWeights(model, state, { '': gru });
  expect(worst(model.apply(x), outputs.get('out')!)).toBeLessThan(1e-6);
});

test('training a model changes neither the state dict nor another model that has its weights', async () => {
  const one = built('tagger');
  const other = built('tagger');
  const { state, modules, x, outputs } = one;
  const before = JSON.stringify([...state]);
  loadPytorchWeights(one.model, state, modules);
  loadPytorchWeights(other.model, state, modules);
  const back = pytorchStateDict(one.model, modules);
  const written = JSON.stringify([...back]);
  one.model.compile({ optimizer: 'adam', loss: 'mse' });
  await one.model.fit(x, zeros([2, 2]), { epochs: 3, verbose: 0 });
  expect(worst(one.model.apply(x), outputs.get('out')!)).toBeGreaterThan(1e-4);
  expect(JSON.stringify([...state])).toBe(before);
  expect(JSON.stringify([...back])).toBe(written);
  expect(worst(other.model.apply(x), outputs.get('out')!)).toBeLessThan(1e-6);
});

test('the weights of a module as they are, layer by layer', () => {
  const { state } = caseOf('tagger');
  const layers = pytorchWeights(state, 'encoder.rnn');
  expect(
    layers.map(({ kind, className, depth, features, units, useBias }) => [
      kind,
      className,
      depth,
      features,
      units,
      useBias,
    ]),
  ).toEqual([
    ['LSTM', 'Bidirectional', 0, 3, 2, true],
    ['LSTM', 'Bidirectional', 1, 4, 2, true],
  ]);
  expect(layers[1]!.weights.map(({ name, value }) => [name, ...value.shape])).toEqual([
    ['kernel', 4, 8],
    ['recurrent_kernel', 2, 8],
    ['bias', 8],
    ['kernel', 4, 8],
    ['recurrent_kernel', 2, 8],
    ['bias', 8],
  ]);
  expect(layers[0]!.from[0]).toBe('encoder.rnn.weight_ih_l0');
  expect(pytorchWeights(state, 'embed', { kind: 'Embedding' })[0]!.weights[0]!.value.toJSON()).toEqual(
    state.get('embed.weight')!.toJSON(),
  );
  expect(pytorchWeights(state, 'head.2', { kind: 'Linear' })[0]!.units).toBe(2);
  expect(pytorchWeights(state, 'head.0')[0]!.kind).toBe('Linear');
});

/** A state dict with some tensors replaced, or (`null`) taken away. */
const changed = (name: string, changes: Readonly<Record<string, Tensor | null>>): StateDict => {
  const state = new Map(caseOf(name).state);
  for (const [key, value] of Object.entries(changes)) {
    if (value) state.set(key, value);
    else state.delete(key);
  }
  return state;
};

describe('state dicts that are refused', () => {
  test.each<[string, StateDict, string, RegExp]>([
    ['a projection', caseOf('lstm_projected').state, '', /proj_size has no counterpart/],
    [
      'a missing recurrent kernel',
      changed('lstm', { weight_hh_l0: null }),
      '',
      /expected a tensor "weight_hh_l0", found 3 there \("bias_hh_l0"/,
    ],
    ['a missing bias', changed('gru', { bias_hh_l0: null }), '', /expected a tensor "bias_hh_l0"/],
    [
      'a missing direction',
      changed('gru_stack_both_ways', { weight_ih_l1_reverse: null }),
      '',
      /expected a tensor "weight_ih_l1_reverse"/,
    ],
    ['a missing layer', changed('rnn_stack', { weight_ih_l7: ones([4, 4]) }), '', /expected a tensor "weight_ih_l2"/],
    [
      'a tensor of another module',
      changed('lstm', { gamma: ones([4]) }),
      '',
      /expected the tensors of an nn\.LSTM, nn\.GRU or nn\.RNN alone, received 1 more \("gamma"\)/,
    ],
    [
      'gates of none',
      changed('lstm', { weight_hh_l0: ones([8, 4]) }),
      '',
      /4 \(LSTM\), 3 \(GRU\) or 1 \(RNN\) times as many rows as columns, received \[8, 4\]/,
    ],
    [
      'another shape',
      changed('lstm', { bias_hh_l0: ones([12]) }),
      '',
      /expected "bias_hh_l0" of shape \[16\], received \[12\]/,
    ],
    [
      'a vector for a matrix',
      changed('lstm', { weight_ih_l0: ones([16]) }),
      '',
      /expected "weight_ih_l0" to be a matrix of floats, received float32 \[16\]/,
    ],
    ['integers', changed('lstm', { weight_ih_l0: ones([16, 3], 'int32') }), '', /a matrix of floats, received int32/],
    [
      'no elements',
      changed('lstm', { weight_hh_l0: zeros([0, 0]) }),
      '',
      /a matrix of floats, received float32 \[0, 0\]/,
    ],
    [
      'a matrix that may be either',
      caseOf('linear_no_bias').state,
      '',
      /may be of an nn\.Embedding or an nn\.Linear without bias/,
    ],
    ['a vector', new Map([['weight', ones([4])]]), '', /expected "weight" to be a matrix/],
    ['a bias of another size', changed('linear', { bias: ones([3]) }), '', /expected "bias" of shape \[4\]/],
    ['more of a Linear', changed('linear', { scale: ones([3]) }), '', /tensors of an nn\.Linear alone/],
    [
      'no module of the name',
      caseOf('tagger').state,
      'encode',
      /tensors of the module "encode".*found none.*5 there \(.*"encoder\.rnn"/,
    ],
    [
      'a module of modules',
      caseOf('tagger').state,
      'head',
      /Name one of its modules: 2 there \("head\.0", "head\.2"\)/,
    ],
    [
      'a module of another kind',
      new Map([['running_mean', ones([4])]]),
      '',
      /expected an nn\.LSTM, .*received 1 tensors \("running_mean"\)/,
    ],
    ['nothing', new Map(), '', /found none/],
  ])('%s', (_, state, module, message) => {
    expect(() => pytorchWeights(state, module)).toThrow(FormatError);
    expect(() => pytorchWeights(state, module)).toThrow(message);
  });

  test('wrong arguments', () => {
    expect(() => pytorchWeights({} as never)).toThrow(/expected a state dict as a Map/);
    expect(() => pytorchWeights(new Map(), 1 as never)).toThrow(/expected the module to be a text/);
    expect(() => pytorchWeights(new Map(), '', { kind: 'Conv' as never })).toThrow(/expected kind to be one of/);
    expect(() => pytorchWeights(caseOf('lstm').state, '', { kind: 'GRU' })).toThrow(
      /expected the weights of an nn\.GRU, received those of an nn\.LSTM/,
    );
    expect(() => pytorchWeights(caseOf('linear').state, '', { kind: 'Embedding' })).toThrow(
      /tensors of an nn\.Embedding alone/,
    );
  });
});

describe('layers that are refused', () => {
  type Layers = ConstructorParameters<typeof Sequential>[0];
  const refuse = (
    name: string,
    layers: Layers,
    modules: unknown,
    message: RegExp,
    type: new (m: string) => Error,
  ): void => {
    const { state, x } = caseOf(name);
    const model = new Sequential(layers);
    model.build(x.shape as never);
    const before = model.getWeights().map((w) => w.toJSON());
    const load = (): unknown => loadPytorchWeights(model, state, modules as never);
    expect(load).toThrow(type);
    expect(load).toThrow(message);
    expect(model.getWeights().map((w) => w.toJSON())).toEqual(before);
  };
  const a = { name: 'a' };
  test.each<[string, Layers, unknown, RegExp, (new (m: string) => Error)?]>([
    [
      'lstm',
      [new LSTM(5, a)],
      { '': 'a' },
      /layer "a": expected kernel \[3, 20\] for ".*kernel", received \[3, 16\] from module "" \(3 inputs, 4 units\)/,
      ShapeError,
    ],
    [
      'lstm',
      [new GRU(4, a)],
      { '': 'a' },
      /expected the weights of an nn\.GRU, received those of an nn\.LSTM/,
      FormatError,
    ],
    [
      'lstm',
      [new Bidirectional(new LSTM(4), a)],
      { '': 'a' },
      /expected the weights of a bidirectional nn\.LSTM, received those of an nn\.LSTM/,
    ],
    [
      'lstm',
      [new LSTM(4, { ...a, useBias: false })],
      { '': 'a' },
      /a module without bias, received module "" with: .*useBias: true/,
    ],
    ['lstm_no_bias', [new LSTM(4, a)], { '': 'a' }, /a module with bias, received module "" without.*useBias: false/],
    [
      'lstm',
      [new LSTM(4, { ...a, recurrentActivation: 'hardSigmoid' })],
      { '': 'a' },
      /expected recurrentActivation 'sigmoid', as nn\.LSTM has, received "hard/,
    ],
    [
      'lstm',
      [new LSTM(4, { ...a, activation: 'relu' })],
      { '': 'a' },
      /expected activation 'tanh', as nn\.LSTM has, received "relu"/,
    ],
    ['gru', [new GRU(4, { ...a, resetAfter: false })], { '': 'a' }, /expected resetAfter: true/],
    [
      'gru_no_bias',
      [new GRU(4, { ...a, resetAfter: false, useBias: false })],
      { '': 'a' },
      /expected resetAfter: true/,
    ],
    [
      'rnn_tanh',
      [new SimpleRNN(4, { ...a, activation: 'sigmoid' })],
      { '': 'a' },
      /expected activation 'tanh' or 'relu'/,
    ],
    [
      'lstm_stack_both_ways',
      [new Bidirectional(new LSTM(4), a)],
      { '': 'a' },
      /expected 2 layers, as it has \(num_layers\), received 1: a/,
    ],
    [
      'lstm_stack_both_ways',
      [new Bidirectional(new LSTM(4, { ...all, goBackwards: true }), a)],
      { '': 'a' },
      /a first layer that walks forwards/,
    ],
    [
      'lstm',
      [new LSTM(4, a), new Dense(1)],
      { '': 'a' },
      /a module for each weight of the model, received 2 without \(".*kernel"/,
    ],
    ['lstm', [new LSTM(4, a)], { '': 'b' }, /the name of one \(1 there \("a"\)\), received "b"/],
    ['lstm', [new LSTM(4, { name: 'encoder' })], { '': 'encodr' }, /Did you mean "encoder"\?/],
    ['lstm', [new LSTM(4, a)], { '': ['a', 'a'] }, /each layer once, received "a" twice/],
    ['lstm', [new LSTM(4, a)], { '': [] }, /at least one layer/],
    ['lstm', [new LSTM(4, a)], {}, /layers by the names of modules .*received none/],
    ['lstm', [new LSTM(4, a)], 'a', /layers by the names of modules .*received "a"/],
    ['lstm', [new LSTM(4, a)], { '': 7 }, /a layer or the name of one .*received 7/],
    ['lstm', [new LSTM(4, a), new Flatten({ name: 'f' })], { '': 'f' }, /a layer whose weights are there/],
  ])('%s %#', (name, layers, modules, message, type = ValueError) => {
    refuse(name, layers, modules, message, type);
  });

  test('tensors that no layer takes, unless that is asked for', () => {
    const { state, x, outputs } = caseOf('gru');
    const more = new Map([...state].map(([key, value]) => [`rnn.${key}`, value]));
    more.set('norm.weight', ones([4]));
    const gru = new GRU(4, { ...all, name: 'gru' });
    const model = new Sequential([gru, new Dense(1, { name: 'own' })]);
    model.build(x.shape as never);
    expect(() => loadPytorchWeights(model, more, { rnn: 'gru' })).toThrow(FormatError);
    expect(() => loadPytorchWeights(model, more, { rnn: 'gru' })).toThrow(/received 1 without \("norm\.weight"\)/);
    const report = loadPytorchWeights(model, more, { rnn: 'gru' }, { strict: false });
    expect(report.loaded).toEqual([{ layer: 'gru', module: 'rnn', depth: 0 }]);
    expect(report.unused).toEqual(['norm.weight']);
    expect(report.untouched.map((path) => path.split('/').slice(-2).join('/'))).toEqual(['own/kernel', 'own/bias']);
    expect(worst(gru.apply(x), outputs.get('out')!)).toBeLessThan(1e-6);
  });

  test('before their weights are there', () => {
    const { state } = caseOf('lstm');
    const model = new Sequential([new LSTM(4, { name: 'a' })]);
    expect(() => loadPytorchWeights(model, state, { '': 'a' })).toThrow(
      /a layer whose weights are there, received one without/,
    );
    expect(() => loadPytorchWeights(null as never, state, { '': 'a' })).toThrow(/expected a model, received null/);
    expect(() => loadPytorchWeights(model, {} as never, { '': 'a' })).toThrow(/expected a state dict as a Map/);
    expect(() => loadPytorchWeights(model, state, { '': 'a' }, { strict: 1 as never })).toThrow(
      /expected strict to be true or false/,
    );
  });
});

describe('models that PyTorch has not', () => {
  const dict = (layers: ConstructorParameters<typeof Sequential>[0], modules: PytorchModules): unknown => {
    const model = new Sequential(layers);
    model.build([null, 5, 3] as never);
    return pytorchStateDict(model, modules);
  };
  test.each<[ConstructorParameters<typeof Sequential>[0], PytorchModules, RegExp]>([
    [[new GRU(2, { name: 'a', resetAfter: false })], { m: 'a' }, /expected resetAfter: true/],
    [[new LSTM(2, { name: 'a', activation: 'elu' })], { m: 'a' }, /expected activation 'tanh'/],
    [
      [new LSTM(2, { name: 'a', ...all }), new LSTM(3, { name: 'b' })],
      { m: ['a', 'b'] },
      /layer "b": expected \[inputs, units\] \[2, 2\].*received \[2, 3\]/,
    ],
    [
      [new LSTM(2, { name: 'a', ...all }), new GRU(2, { name: 'b' })],
      { m: ['a', 'b'] },
      /expected a stack of one class/,
    ],
    [
      [new Dense(2, { name: 'a' }), new Dense(2, { name: 'b' })],
      { m: ['a', 'b'] },
      /expected one layer for an nn\.Linear, received 2/,
    ],
  ])('%#', (layers, modules, message) => {
    expect(() => dict(layers, modules)).toThrow(ValueError);
    expect(() => dict(layers, modules)).toThrow(message);
  });
});
