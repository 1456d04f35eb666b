import { initializers } from '@recurra/cells';
import { exp, ones, randomKey, randomNormal, type Tensor, ValueError } from '@recurra/tensor';
import {
  Add,
  Bidirectional,
  Dense,
  Dropout,
  Input,
  Lambda,
  Layer,
  LSTM,
  Model,
  MultiHeadAttention,
  Sequential,
  type Variable,
} from '../index.js';
import type { Context } from './layer.js';
import type { PartialShape } from './symbolic.js';

// What JavaScript lets pass, and TypeScript does not.
// biome-ignore lint/suspicious/noExplicitAny: calls that no type allows
type Any = any;

describe('options of a call', () => {
  const x = ones([2, 3, 4]);
  const states = [ones([2, 5]), ones([2, 5])];

  test.each<[string, () => unknown, string]>([
    [
      'a misspelt one',
      () => (new Dense(2) as Any).apply(x, { trainig: true }),
      'unknown option "trainig". Did you mean "training"?',
    ],
    ["Keras' spelling", () => (new LSTM(5) as Any).apply(x, { initial_state: states }), 'Did you mean "initialState"?'],
    [
      'of another layer',
      () => (new Dropout(0.5) as Any).apply(x, { initialState: states }),
      'unknown option "initialState"',
    ],
    [
      'of a wrapper',
      () => (new Bidirectional(new LSTM(5)) as Any).apply(x, { initial_state: [] }),
      'Did you mean "initialState"?',
    ],
    [
      'of a chain',
      () => (new Sequential([new Dense(2)]) as Any).apply(x, { trainig: true }),
      'Did you mean "training"?',
    ],
    [
      'a second tensor',
      () => (new Dense(2) as Any).apply(x, x),
      'expected an object of options, received an instance of Tensor',
    ],
    [
      'a second symbolic tensor',
      () => (new Dense(2) as Any).apply(Input({ shape: [4] }), Input({ shape: [4] })),
      'received an instance of SymbolicTensor',
    ],
    ['a boolean', () => (new Dropout(0.5) as Any).apply(x, true), 'expected an object of options, received true'],
    ['of attention', () => (new MultiHeadAttention(2, 2) as Any).apply(x, { causal: true }), 'unknown option "causal"'],
  ])('%s is refused', (_, call, message) => {
    expect(call).toThrow(ValueError);
    expect(call).toThrow(message);
  });

  test("a layer of one's own takes what it reads", () => {
    class Scaled extends Layer<Tensor, Tensor, { readonly by?: number }> {
      call(inputs: Tensor, { by = 1 }: Context & { readonly by?: number }): Tensor {
        return inputs.mul(by);
      }
    }
    class Listed extends Scaled {
      protected override readonly callArguments: readonly string[] = ['by'];
    }
    expect(new Scaled().apply(x, { by: 3 }).at(0).at(0).at(0).item()).toBe(3);
    expect(new Listed().apply(x, { by: 3, training: true }).at(0).at(0).at(0).item()).toBe(3);
    expect(() => (new Listed() as Any).apply(x, { bye: 3 })).toThrow('Did you mean "by"?');
    expect(() => (new Scaled() as Any).apply(x, x)).toThrow('received an instance of Tensor');
  });
});

describe('what call does', () => {
  test.each<[string, (x: Tensor) => unknown, string]>([
    ['nothing', () => undefined, 'expected call to return tensors, received undefined. Is a return missing?'],
    ['a promise', async (x) => x, 'received a promise. Layers compute at once: call cannot be async.'],
    ['nothing, in a list', (x) => [x, undefined], 'received undefined'],
  ])('%s as its result is refused', (_, call, message) => {
    class Own extends Layer {
      call(x: Tensor): Tensor {
        return call(x) as Tensor;
      }
    }
    expect(() => new Own().apply(ones([1, 2]))).toThrow(message);
    expect(() => new Own().apply(Input({ shape: [2] }))).toThrow(message);
  });

  test('a class without call says so', () => {
    class None extends (Layer as Any) {}
    expect(() => (new None() as Any).apply(ones([1, 2]))).toThrow('expected a class that writes call(inputs, context)');
  });

  test('a layer whose weights nothing would train is refused', async () => {
    class Made extends Layer {
      call(x: Tensor): Tensor {
        return new Dense(3, { name: 'hidden' }).apply(x);
      }
    }
    const elsewhere = new Dense(2, { name: 'elsewhere' });
    const made = /Dense "hidden": expected a layer that Made ".*" has/;
    expect(() => new Made().apply(ones([1, 2]))).toThrow(made);
    expect(() => new Made().apply(Input({ shape: [2] }))).toThrow(made);
    expect(() => new Lambda((x: Tensor) => elsewhere.apply(x)).apply(ones([1, 2]))).toThrow('Dense "elsewhere"');
    const model = new Sequential([new Made(), new Dense(1)]);
    model.compile({ loss: 'mse' });
    await expect(model.fit(ones([4, 2]), ones([4, 1]), { verbose: 0 })).rejects.toThrow(made);
  });

  test('layers in lists, objects, and of the layers around are known', () => {
    const shared = new Dense(2);
    class Inner extends Layer {
      readonly #lent = shared;
      call(x: Tensor): Tensor {
        return this.#lent.apply(x);
      }
    }
    class Outer extends Layer {
      readonly shared = shared;
      readonly parts = { list: [new Dense(2), new Inner()] as Layer[] };
      call(x: Tensor): Tensor {
        return this.parts.list.reduce((y, layer) => layer.apply(y), x);
      }
    }
    const outer = new Outer();
    expect(outer.apply(ones([1, 2])).shape).toEqual([1, 2]);
    expect(outer.countParams()).toBe(12);
  });
});

test('the parameters of what is not built are not 0, as in Keras', () => {
  for (const layer of [new Dense(2), new Sequential([new Dense(2)]), new Sequential([new Dropout(0.1), new LSTM(2)])])
    expect(() => layer.countParams()).toThrow(ValueError);
  expect(() => new Bidirectional(new LSTM(2)).countParams()).toThrow('Begin a model with Input, or call build(shape)');
  expect(new Dropout(0.5).countParams()).toBe(0);
  const built = new Sequential([new Dropout(0.1), new Dense(2)]);
  built.build([null, 3]);
  expect(built.countParams()).toBe(8);
});

test('a property may be called drop, forward, or by the shape of the output', async () => {
  class Own extends Model {
    readonly drop = new Dropout(0.5);
    readonly forward = new LSTM(3, { stateful: true });
    readonly outputShape = new Dense(1);
    override call(x: Tensor): Tensor {
      return this.outputShape.apply(this.drop.apply(this.forward.apply(x)));
    }
  }
  const model = new Own();
  model.compile({ loss: 'mse' });
  await model.fit(ones([4, 2, 1]), [0, 1, 0, 1], { verbose: 0, batchSize: 2, classWeight: { 0: 1, 1: 2 } });
  model.resetStates();
  expect((await model.predict(ones([4, 2, 1]))).shape).toEqual([4, 1]);
});

test('an operation on a symbolic tensor says what to write instead', async () => {
  const x = Input({ shape: [2] });
  expect(() => exp(x as Any)).toThrow('an instance of SymbolicTensor, which has no values yet');
  const model = new Model({ inputs: x, outputs: new Lambda((t: Tensor) => exp(t)).apply(x) });
  expect((await model.predict([[0, 0]])).toArray()).toEqual([[1, 1]]);
});

test('a layer with weights of its own, as its docstring shows it', () => {
  class Scale extends Layer {
    scale!: Variable;
    override build([, features]: PartialShape): void {
      this.scale = this.variable({
        name: 'scale',
        shape: [features!],
        initializer: initializers.constant({ value: 2 }),
      });
    }
    call(x: Tensor): Tensor {
      return x.mul(this.scale.value);
    }
  }
  const x = randomNormal([3, 2], { key: randomKey(1) });
  expect(new Scale().apply(x).toArray()).toEqual(x.mul(2).toArray());
});

test('options in the place of what a layer requires are told as such', () => {
  expect(() => new MultiHeadAttention({ numHeads: 2, keyDim: 4 } as Any, 2)).toThrow(
    'expected numHeads to be an integer >= 1, received an object',
  );
});

test.each<[string, () => unknown, string]>([
  ['null', () => (new Add() as Any).apply([null, Input({ shape: [3] })]), 'received null among them'],
  ['a text', () => (new Add() as Any).apply(['x', Input({ shape: [3] })]), 'received "x" among them'],
  [
    'a number',
    () => (new MultiHeadAttention(1, 2) as Any).apply([Input({ shape: [4, 3] }), 5]),
    'received 5 among them',
  ],
])('%s among symbolic inputs is refused', (_, call, message) => {
  expect(call).toThrow(ValueError);
  expect(call).toThrow(`expected tensors as inputs, ${message}`);
});
