import { vjp } from '@recurra/autograd';
import {
  type Constants,
  type DropoutMasks,
  type InitializeOptions,
  initializeParams,
  runSequence,
} from '@recurra/cells';
import { jit } from '@recurra/compiler';
import { SGD } from '@recurra/optim';
import {
  concat,
  ones,
  randomKey,
  randomNormal,
  randomUniform,
  setSeed,
  type Tensor,
  tensor,
  zeros,
} from '@recurra/tensor';
import { withMask, withValues } from '../extend.js';
import {
  type AnyRecurrent,
  Bidirectional,
  Dense,
  deserializeLayer,
  GRU,
  GRUCell,
  Input,
  LSTM,
  LSTMCell,
  Masking,
  Model,
  type OutputAndStates,
  RecurrentCell,
  RNN,
  Sequential,
  SimpleRNN,
  SimpleRNNCell,
  StackedRNNCells,
  serializeLayer,
} from '../index.js';

interface Params {
  readonly kernel: Tensor;
  readonly recurrentKernel: Tensor;
  readonly inner: { readonly context: Tensor };
}

/** h' = tanh(x W + h U + c V): a SimpleRNN on x and c side by side. */
class ContextCell extends RecurrentCell<Params> {
  readonly units: number;
  readonly width: number;
  readonly stateSize: number;
  override readonly takesConstants = true;

  constructor(units: number, { width = 2 }: { readonly width?: number } = {}) {
    super();
    this.units = units;
    this.width = width;
    this.stateSize = units;
  }

  init(features: number, options: InitializeOptions): Params {
    const { units, width } = this;
    const { kernel, recurrentKernel, context } = initializeParams(
      {
        kernel: { shape: [features, units] },
        recurrentKernel: { shape: [units, units], initializer: 'orthogonal' },
        context: { shape: [width, units] },
      },
      options,
    );
    return { kernel, recurrentKernel, inner: { context } };
  }

  step(params: Params, x: Tensor, h: Tensor, _masks?: DropoutMasks, constants?: Constants) {
    const seen = x.matmul(params.kernel).add(h.matmul(params.recurrentKernel));
    const output = seen.add(constants![0]!.matmul(params.inner.context)).tanh();
    return { output, state: output };
  }

  override getConfig(): Readonly<Record<string, unknown>> {
    return { units: this.units, width: this.width };
  }
}

const x = randomNormal([2, 5, 3], { key: randomKey(1) });
const c = randomNormal([2, 2], { key: randomKey(2) });
const mask = tensor([
  [true, true, true, false, true],
  [false, true, true, false, false],
]);
/** The sequences with a mask that goes along. */
const masked = (): Tensor => withMask(x.mul(1), mask);
const near = (a: Tensor, b: Tensor, digits = 6): void => {
  expect(a.shape).toEqual(b.shape);
  a.data.forEach((v: number, i: number) => {
    expect(v).toBeCloseTo(b.data[i]!, digits);
  });
};

/** A layer with constants, and the SimpleRNN that it equals. */
function pair(options: object = {}) {
  const layer = new RNN(new ContextCell(4), { returnSequences: true, ...options });
  layer.build([null, 5, 3]);
  const [kernel, recurrentKernel, context] = layer.weights.map((w) => w.value) as [Tensor, Tensor, Tensor];
  const plain = new SimpleRNN(4, { returnSequences: true, useBias: false, ...options });
  plain.build([null, 5, 5]);
  plain.setWeights([concat([kernel, context], 0), recurrentKernel]);
  const wide = (xs: Tensor, constant: Tensor): Tensor => concat([xs, constant.expandDims(1).broadcastTo([2, 5, 2])], 2);
  return { layer, plain, wide };
}

describe('constants: tensors that each step sees', () => {
  test.each([{}, { goBackwards: true }])('are as features that do not change, %j', (options) => {
    const { layer, plain, wide } = pair(options);
    near(layer.apply(x, { constants: [c] }) as Tensor, plain.apply(wide(x, c)) as Tensor);
    near(layer.apply(x, { constants: c, mask }) as Tensor, plain.apply(wide(x, c), { mask }) as Tensor);
    // As in Keras 2, the mask that the sequence has counts.
    near(layer.apply(masked(), { constants: c }) as Tensor, plain.apply(wide(x, c), { mask }) as Tensor);
    const state = ones([2, 4]);
    near(
      layer.apply(masked(), { constants: c, initialState: state }) as Tensor,
      plain.apply(wide(x, c), { mask, initialState: state }) as Tensor,
    );
  });

  test('gradients reach them, the inputs and all parameters', () => {
    const { layer, plain, wide } = pair();
    const dy = randomNormal([2, 5, 4], { key: randomKey(3) });
    const gradients = (l: AnyRecurrent, f: (xs: Tensor, constant: Tensor) => Tensor) =>
      vjp((p: { x: Tensor; c: Tensor; w: Tensor[] }) => withValues(l.weights, p.w, () => f(p.x, p.c)), {
        x,
        c,
        w: l.weights.map((w) => w.value),
      }).pullback(dy)[0];
    const own = gradients(layer, (xs, constant) => layer.apply(xs, { constants: constant, mask }) as Tensor);
    const other = gradients(plain, (xs, constant) => plain.apply(wide(xs, constant), { mask }) as Tensor);
    near(own.x, other.x, 5);
    near(own.c, other.c, 5);
    near(concat([own.w[0]!, own.w[2]!], 0), other.w[0]!, 5);
    near(own.w[1]!, other.w[1]!, 5);
  });

  test('come through graphs, compiled, and train', async () => {
    const { layer, plain, wide } = pair();
    const [series, context] = [Input({ shape: [5, 3] }), Input({ shape: [2] })];
    const y = layer.apply(new Masking().apply(series), { constants: [context] });
    const model = new Model({ inputs: [series, context] as const, outputs: y });
    const padded = x.mul(mask.expandDims(2).cast('float32'));
    near(await model.predict([padded, c]), plain.apply(wide(padded, c), { mask }) as Tensor, 5);
    model.compile({ optimizer: 'sgd', loss: 'mse' });
    const before = model.getWeights().map((w) => w.toArray());
    await model.fit([padded, c], ones([2, 5, 4]), { epochs: 1, verbose: 0 });
    model.getWeights().forEach((w, i) => {
      expect(w.toArray()).not.toEqual(before[i]);
    });
  });

  test('go through Bidirectional, and to the cells of a stack that read them', () => {
    const both = new Bidirectional(new RNN(new ContextCell(4)));
    expect((both.apply(x, { constants: [c] }) as Tensor).shape).toEqual([2, 8]);
    const { layer, plain, wide } = pair();
    const stack = new RNN([new ContextCell(4), new GRUCell(3)]);
    stack.build([null, 5, 3]);
    const gru = new GRU(3);
    gru.build([null, 5, 4]);
    stack.setWeights([...layer.getWeights(), ...gru.getWeights()]);
    near(stack.apply(x, { constants: [c] }), gru.apply(plain.apply(wide(x, c)) as Tensor));
  });

  test('are refused where no cell reads them, and where they are no tensors', () => {
    expect(() => new LSTM(3).apply(x, { constants: [c] })).toThrow(
      /LSTM "lstm.*": expected no constants, since its cell reads none, received 1/,
    );
    expect(() => new RNN([new GRUCell(2), new LSTMCell(2)]).apply(x, { constants: c })).toThrow(/reads none/);
    expect(() => new RNN(new ContextCell(2)).apply(x, { constants: [[1, 2]] as never })).toThrow(
      /constants that are tensors, received \[/,
    );
    const cell = new LSTMCell(3);
    expect(() => runSequence(cell, cell.init(3), x, { constants: [c] })).toThrow(/LSTMCell reads none, received 1/);
  });
});

describe('a cell of one’s own', () => {
  test('has its tree of parameters as weights, with names and rules', () => {
    class Ruled extends ContextCell {
      override rules(path: string) {
        return path === 'inner.context'
          ? { regularizer: { name: 'L', config: {}, apply: (w: Tensor) => w.sum() } }
          : {};
      }
    }
    const layer = new RNN(new Ruled(4), { name: 'own' });
    layer.build([null, null, 3]);
    expect(layer.weights.map((w) => [w.path, w.shape])).toEqual([
      ['own/ruled/kernel', [3, 4]],
      ['own/ruled/recurrent_kernel', [4, 4]],
      ['own/ruled/inner/context', [2, 4]],
    ]);
    expect(layer.losses.length).toBe(1);
    // Each parameter is drawn from a key of its own.
    const { kernel, inner } = new ContextCell(3, { width: 3 }).init(3, { key: randomKey(1) });
    expect(kernel.toArray()).not.toEqual(inner.context.toArray());
  });

  test('is written down and read again, alone and in a stack', () => {
    for (const layer of [
      new RNN(new ContextCell(4, { width: 3 })),
      new RNN([new GRUCell(2), new ContextCell(3, { width: 1 })], { returnState: true }),
      new Bidirectional(new RNN(new ContextCell(2))),
    ]) {
      const data = JSON.parse(JSON.stringify(serializeLayer(layer as never)));
      const again = deserializeLayer(data, { customObjects: { ContextCell } });
      expect(serializeLayer(again)).toEqual(data);
      expect(() => deserializeLayer(data)).toThrow(/received "ContextCell". Pass classes of your own as customObjects/);
    }
    class Silent extends ContextCell {
      override getConfig = RecurrentCell.prototype.getConfig;
    }
    expect(() => new RNN(new Silent(2)).getConfig()).toThrow(/Silent: expected the cell to say how it is made/);
  });

  test('may have several states of several sizes, and an output of another', () => {
    class Two extends RecurrentCell<{ readonly w: Tensor }, readonly [Tensor, Tensor]> {
      readonly stateSize = [2, 3] as const;
      override get outputSize(): number {
        return 5;
      }
      init(features: number, options: InitializeOptions) {
        return initializeParams({ w: { shape: [features, 5] } }, options);
      }
      step({ w }: { readonly w: Tensor }, input: Tensor, [a, b]: readonly [Tensor, Tensor]) {
        const y = input.matmul(w).add(concat([a, b], 1));
        return { output: y, state: [y.narrow(1, 0, 2), y.narrow(1, 2, 3)] as const };
      }
    }
    const layer = new RNN(new Two(), { returnState: true });
    const [y, a, b] = layer.apply(x) as OutputAndStates;
    expect([y, a!, b!].map((t) => t.shape)).toEqual([
      [2, 5],
      [2, 2],
      [2, 3],
    ]);
    near(y, x.sum(1).matmul(layer.weights[0]!.value), 5);
    expect(layer.computeOutputShape([null, 4, 3])).toEqual([
      [null, 5],
      [null, 2],
      [null, 3],
    ]);
    class Wrong extends ContextCell {
      override readonly stateSize = 0;
    }
    expect(() => new RNN(new Wrong(1))).toThrow(/Wrong: expected stateSize to be an integer >= 1/);
  });
});

test('a layer knows its features by what it was built for, whatever the first of its parameters is', () => {
  class BiasFirst extends RecurrentCell<{ readonly bias: Tensor; readonly kernel: Tensor }> {
    readonly stateSize = 4;
    init(features: number, options: InitializeOptions) {
      return initializeParams({ bias: { shape: [4] }, kernel: { shape: [features, 4] } }, options);
    }
    step({ bias, kernel }: { readonly bias: Tensor; readonly kernel: Tensor }, input: Tensor, state: Tensor) {
      const output = input.matmul(kernel).add(bias).add(state);
      return { output, state: output };
    }
  }
  const layer = new RNN(new BiasFirst());
  expect(layer.apply(ones([2, 3, 5])).shape).toEqual([2, 4]);
  expect(layer.apply(ones([2, 3, 5])).shape).toEqual([2, 4]);
  expect(() => layer.apply(ones([2, 3, 4]))).toThrow('expected 5 features, received [2, 3, 4]');
});

test('a list of cells is StackedRNNCells, and is written down as such', () => {
  const list = new RNN([new SimpleRNNCell(3), new LSTMCell(4)], { name: 'stack' });
  const whole = new RNN(new StackedRNNCells([new SimpleRNNCell(3), new LSTMCell(4)]), { name: 'stack' });
  expect(list.getConfig()).toEqual(whole.getConfig());
  list.build([null, 5, 3]);
  expect(list.weights.map((w) => w.path)[3]).toBe('stack/stacked_rnn_cells/lstm_cell/kernel');
  const residual = deserializeLayer(
    serializeLayer(new RNN(new StackedRNNCells([new GRUCell(3)], { residual: true }))),
  ) as RNN;
  expect((residual.cell as StackedRNNCells).residual).toBe(true);
  expect(() => new RNN([])).toThrow(/at least one cell/);
  expect(() => new RNN([new GRUCell(2), GRUCell as never])).toThrow(
    /StackedRNNCells: expected a cell .* class GRUCell/,
  );
  expect(() => new RNN(new Dense(2) as never)).toThrow(
    /expected a cell .*, received an instance of Dense. .*RecurrentCell/,
  );
});

test('states and dropout are of the weights’ dtype, whatever the inputs have', () => {
  const seen: string[] = [];
  class Watching extends GRUCell {
    override initialState(batch: number, dtype: 'float32' | 'float64' = 'float32') {
      seen.push(dtype);
      return super.initialState(batch, dtype);
    }
    override drawMasks(batch: number, size: number, options: InitializeOptions = {}) {
      seen.push(options.dtype!);
      return super.drawMasks(batch, size, options);
    }
  }
  const layer = new RNN(new Watching(2, { dropout: 0.5 }), { stateful: true });
  layer.build([2, 5, 3]);
  withValues(
    layer.weights,
    layer.weights.map((w) => w.value.cast('float64')),
    () => layer.apply(x, { training: true }),
  );
  expect(seen.length).toBeGreaterThan(1);
  expect([...new Set(seen)]).toEqual(['float64']);
  expect(layer.currentStates.map((s) => s.dtype)).toEqual(['float64']);
});

test('a cell that starts with a state of its own does so eagerly and compiled, until a state is given', async () => {
  class Started extends LSTMCell {
    override initialState(batch: number) {
      return { h: ones([batch, this.units]), c: ones([batch, this.units]) };
    }
  }
  const layer = new RNN(new Started(2));
  const plain = new LSTM(2);
  for (const one of [layer, plain]) one.build(x.shape);
  plain.setWeights(layer.weights.map((w) => w.value));
  const [start, zero] = [ones([2, 2]), zeros([2, 2])];
  const expected = (plain.apply(x, { initialState: [start, start] }) as Tensor).toArray();
  expect((layer.apply(x) as Tensor).toArray()).toEqual(expected);
  const compiled = await jit((inputs: Tensor) => layer.apply(inputs) as Tensor)(x);
  expect(
    compiled
      .sub(tensor(expected as number[][]))
      .abs()
      .max()
      .item(),
  ).toBeLessThan(1e-6);
  expect((layer.apply(x, { initialState: [zero, zero] }) as Tensor).toArray()).toEqual(
    (plain.apply(x) as Tensor).toArray(),
  );
});

describe('resetStates of compiled models', () => {
  const models = {
    'a fixed batch': (layer: AnyRecurrent) => new Sequential([Input({ batchShape: [2, 3, 2] }), layer as never]),
    'any batch': (layer: AnyRecurrent) => new Sequential([layer as never]),
  };
  const makers: Record<string, () => AnyRecurrent> = {
    SimpleRNN: () => new SimpleRNN(2, { stateful: true }),
    GRU: () => new GRU(2, { stateful: true }),
    Bidirectional: () => new Bidirectional(new LSTM(2, { stateful: true })) as never,
    RNN: () => new RNN([new LSTMCell(2), new GRUCell(1)], { stateful: true }) as never,
  };
  const cases = Object.keys(models).flatMap((m) => Object.keys(makers).map((l) => [m, l] as const));

  test.each(cases)('%s, %s', async (kind, maker) => {
    const model = models[kind as 'any batch'](makers[maker]!());
    const x = randomUniform([2, 3, 2], { key: randomKey(3) });
    const first = (await model.predict(x)).toArray();
    const second = (await model.predict(x)).toArray();
    expect(second).not.toEqual(first);
    for (let i = 0; i < 3; i++) {
      model.resetStates();
      expect((await model.predict(x)).toArray()).toEqual(first);
      expect((await model.predict(x)).toArray()).toEqual(second);
    }
  });

  test('training begins where it did, and keeps its compiled step', async () => {
    const model = new Sequential([Input({ batchShape: [2, 3, 2] }), new GRU(1, { stateful: true })]);
    model.compile({ optimizer: new SGD({ learningRate: 0 }), loss: 'mse' });
    const x = randomUniform([2, 3, 2], { key: randomKey(3) });
    const run = async (): Promise<number> => (await model.trainOnBatch(x, tensor([1, 2])))['loss']!;
    const first = await run();
    const variables = model.variables;
    for (let i = 0; i < 3; i++) {
      expect(await run()).not.toBe(first);
      model.resetStates();
      expect(await run()).toBe(first);
    }
    expect(model.variables).toEqual(variables);
  });

  test('states that hold something are not given up for batches of another size', async () => {
    const model = new Sequential([new GRU(1, { stateful: true })]);
    await model.predict(ones([2, 3, 2]));
    model.resetStates();
    await model.predict(ones([2, 3, 2]));
    await expect(model.predict(ones([1, 3, 2]))).rejects.toThrow(/batches of 2, as before/);
  });
});

test('the seed of a cell makes its dropout a stream of its own', () => {
  const run = (seed: number | null, runs = 1): unknown[] => {
    setSeed(runs);
    const layer = new LSTM(3, { dropout: 0.5, recurrentDropout: 0.2, seed });
    layer.build([null, 5, 3]);
    layer.setWeights(layer.weights.map((w, i) => randomUniform(w.shape, { key: randomKey(i) })));
    return [0, 1].map(() => layer.apply(x, { training: true }).toArray());
  };
  const first = run(7, 1);
  expect(run(7, 2)).toEqual(first);
  expect(run(8, 1)).not.toEqual(first);
  expect(first[0]).not.toEqual(first[1]);
  expect(run(null, 1)).toEqual(run(null, 1));
  expect(run(null, 1)).not.toEqual(run(null, 2));
});

/** Types: checked by the compiler, never run. */
export function types(flag: boolean, options: { readonly returnState?: boolean }): void {
  const plain: Tensor = new LSTM(3).apply(x);
  const sequences: Tensor = new LSTM(3, { returnSequences: true, activation: 'relu' }).apply(x);
  const states: OutputAndStates = new LSTM(3, { returnState: true }).apply(x);
  const either: Tensor | OutputAndStates = new GRU(3, { returnState: flag }).apply(x);
  const unknown: Tensor | OutputAndStates = new SimpleRNN(3, options).apply(x);
  // @ts-expect-error either, not surely a tensor
  const wrong: Tensor = new GRU(3, { returnState: flag }).apply(x);
  class Tagger {
    readonly lstm: LSTM;
    readonly gru: GRU;
    constructor() {
      this.lstm = flag ? new LSTM(3) : new LSTM(3, { returnState: true, returnSequences: true });
      this.gru = new GRU(3, { resetAfter: false, returnState: false });
    }
  }
  const lists: [LSTM[], AnyRecurrent[]] = [
    [new LSTM(2), new LSTM(2, { returnState: true }), new LSTM(2, options)],
    [
      new LSTM(2),
      new GRU(2, { returnState: true }),
      new SimpleRNN(1, { goBackwards: true }),
      new RNN([new GRUCell(1)]),
    ],
  ];
  class Own extends LSTM {
    constructor(units: number) {
      super(units, { activation: 'relu' });
    }
  }
  const own: LSTM = new Own(2);
  // @ts-expect-error a misspelt option, also beside right ones
  new LSTM(3, { returnSequences: true, activaton: 'relu' });
  // @ts-expect-error no activation
  new GRU(3, { activation: 'rely' });
  // @ts-expect-error no option of an RNN: it is the cell's
  new RNN(new GRUCell(2), { returnState: true, activation: 'relu' });
  // @ts-expect-error no LSTM
  const gru: LSTM = new GRU(3).mirrored;
  const both: Tensor = new Bidirectional(new LSTM(2, { returnSequences: true })).apply(x);
  const bothStates: OutputAndStates = new Bidirectional(new GRU(2, { returnState: true }), { mergeMode: 'sum' }).apply(
    x,
  );
  const apart: readonly [Tensor, Tensor, ...Tensor[]] = new Bidirectional(new LSTM(2), { mergeMode: null }).apply(x);
  const any: AnyRecurrent = own;
  const eitherOfBoth: Tensor | OutputAndStates = new Bidirectional(any).apply(x);
  // @ts-expect-error a list: the output and the states of both directions
  const noList: Tensor = new Bidirectional(new LSTM(2, { returnState: true })).apply(x);
  // @ts-expect-error a list: what both directions give
  const merged: Tensor = new Bidirectional(new LSTM(2), { mergeMode: null }).apply(x);
  void [both, bothStates, apart, eitherOfBoth, noList, merged];
  void [plain, sequences, states, either, unknown, wrong, Tagger, lists, own, gru];
}

test('a chain over cells trains compiled as it does eagerly', async () => {
  const losses: number[][] = [];
  for (const runEagerly of [false, true]) {
    const layer = new RNN([new LSTMCell(3), new GRUCell(2)]);
    const model = new Sequential([Input({ shape: [5, 3] }), layer, new Dense(1)]);
    model.setWeights(model.weights.map((w, i) => randomUniform(w.shape, { key: randomKey(i), low: -0.5, high: 0.5 })));
    model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
    const history = await model.fit(x, tensor([[1], [0]]), { epochs: 3, verbose: 0 });
    losses.push([...history.values('loss')]);
  }
  losses[0]!.forEach((loss, i) => {
    expect(loss).toBeCloseTo(losses[1]![i]!, 5);
  });
});
