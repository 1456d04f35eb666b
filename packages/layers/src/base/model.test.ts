import { initializers } from '@recurra/cells';
import { concat, ones, randomKey, randomNormal, setSeed, type Tensor, tensor, zeros } from '@recurra/tensor';
import { type PartialShape, type Snapshot, serializeLoss, serializeMetric } from '../extend.js';
import {
  Activation,
  Add,
  Callback,
  Dense,
  Dropout,
  Embedding,
  Huber,
  Input,
  Lambda,
  LambdaCallback,
  Layer,
  type LayerConfig,
  LSTM,
  losses,
  MeanAbsoluteErrorMetric,
  Model,
  Sequential,
  type TrainInfo,
  type Variable,
} from '../index.js';

const ids = tensor([
  [1, 2, 3, 0],
  [4, 1, 0, 0],
  [2, 2, 1, 3],
]);
const features = randomNormal([3, 4], { key: randomKey(2) });
const y = tensor([[1], [0], [1]]);

/** Adds its inputs. */
class Sum extends Layer<readonly Tensor[], Tensor> {
  call(inputs: readonly Tensor[]): Tensor {
    return inputs.reduce((a, b) => a.add(b));
  }
}

describe('graphs', () => {
  const build = () => {
    const title = Input({ shape: [4], dtype: 'int32', name: 'title' });
    const body = Input({ shape: [4], name: 'body' });
    const read = new LSTM(5, { name: 'read' }).apply(
      new Embedding(6, 3, { maskZero: true, name: 'words' }).apply(title),
    );
    const shared = new Dense(5, { name: 'shared' });
    const wide = shared.apply(body);
    const merged = new Sum({ name: 'sum' }).apply([read, wide]);
    const label = new Dense(1, { activation: 'sigmoid', name: 'label' }).apply(merged);
    return { title, body, read, wide, merged, label, shared };
  };

  test('shapes are known before there are values, open sizes stay open', () => {
    const { read, merged, label } = build();
    expect(read.shape).toEqual([null, 5]);
    expect(merged.shape).toEqual([null, 5]);
    expect(label.dtype).toBe('float32');
    const time = Input({ shape: [null, 3] });
    expect(new LSTM(2, { returnSequences: true }).apply(time).shape).toEqual([null, null, 2]);
    const [out, h, c] = new LSTM(2, { returnState: true }).apply(time);
    expect([out.shape, h!.shape, c!.shape]).toEqual([
      [null, 2],
      [null, 2],
      [null, 2],
    ]);
  });

  test('records of inputs demand records of data; outputs compute what the layers do one by one', async () => {
    const { title, body, label, read, wide } = build();
    const model = new Model({ inputs: { title, body }, outputs: label });
    model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
    const p = await model.predict({ title: ids, body: features });
    expect(p.shape).toEqual([3, 1]);
    const parts = new Model({ inputs: [title, body], outputs: [read, wide] });
    const [a, b] = await parts.predict([ids, features]);
    const weights = model.getLayer('label').weights.map((w) => w.value);
    const byHand = a!.add(b!).matmul(weights[0]!).add(weights[1]!).sigmoid();
    p.data.forEach((v: number, i: number) => {
      expect(v).toBeCloseTo(byHand.data[i]!, 5);
    });
    const history = await model.fit({ title: ids, body: features }, y, { epochs: 30, verbose: 0 });
    expect(history.last('loss')).toBeLessThan(history.history.loss[0]!);
    await expect(model.fit({ title: ids } as never, y)).rejects.toThrow(
      /an object with title, body, received an object with title/,
    );
    await expect(model.predict(ids as never)).rejects.toThrow(/title, body/);
    await expect(model.predict({ title: [[0.5, 1, 2, 3]], body: features.narrow(0, 0, 1) })).rejects.toThrow(
      /input "title": expected integers, as its dtype int32 says, received 0.5/,
    );
  });

  test('several outputs: losses, weights and metrics by name, and their names in the logs', async () => {
    const { title, body, label, shared } = build();
    const more = new Dense(2, { name: 'more' }).apply(shared.apply(body));
    const model = new Model({ inputs: { title, body }, outputs: [label, more] });
    model.compile({
      loss: { label: 'binaryCrossentropy', more: 'mse' },
      lossWeights: { label: 2, more: 0.5 },
      metrics: { label: ['accuracy'], more: 'mae' },
    });
    const logs = await model.evaluate({ title: ids, body: features }, [y, ones([3, 2])]);
    expect(Object.keys(logs)).toEqual(['loss', 'labelLoss', 'moreLoss', 'labelAccuracy', 'moreMae']);
    expect(logs['loss']).toBeCloseTo(2 * logs['labelLoss']! + 0.5 * logs['moreLoss']!, 5);
    const named = await model.evaluate({ title: ids, body: features }, { more: ones([3, 2]), label: y });
    expect(named).toEqual(logs);
    await expect(model.evaluate({ title: ids, body: features }, { labl: y } as never)).rejects.toThrow();
    const other = new Model({ inputs: { title, body }, outputs: [label, more] });
    other.compile({ loss: { labl: 'mse' } });
    await expect(other.evaluate({ title: ids, body: features }, [y, ones([3, 2])])).rejects.toThrow(
      /label, more\), received "labl"/,
    );
  });

  test('a loss that does not depend on weights is told', async () => {
    const model = new Sequential([
      Input({ shape: [4] }),
      new Dense(2, { name: 'idle' }),
      new Lambda((x: Tensor) => x.greater(0).cast('float32')),
    ]);
    model.compile({ loss: 'mse' });
    await expect(model.fit(features, ones([3, 2]), { verbose: 0 })).rejects.toThrow(
      /expected a loss that depends on the weights, received one without a gradient for any of them/,
    );
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const x = Input({ shape: [4] });
    const rounded = new Lambda((v: Tensor) => v.round()).apply(new Dense(2, { name: 'lost' }).apply(x));
    const sum = new Add().apply([new Dense(2).apply(x), rounded as never]);
    const partly = new Model({ inputs: x, outputs: sum as never });
    partly.compile({ loss: 'mse' });
    await partly.fit(features, ones([3, 2]) as never, { epochs: 2, verbose: 0 });
    expect(
      warn.mock.calls.flat().filter((text) => /does not depend on lost\/kernel, lost\/bias/.test(text)),
    ).toHaveLength(1);
    warn.mockRestore();
  });

  test('options in the place of targets are told', async () => {
    const model = new Sequential([Input({ shape: [4] }), new Dense(1)]);
    model.compile({ loss: 'mse' });
    await expect(model.fit(features, { epochs: 3 } as never)).rejects.toThrow(
      'fit: expected targets after the inputs, received options alone. Write fit(x, y, { epochs: 3 }).',
    );
    await expect(model.evaluate(features, { verbose: 0 } as never)).rejects.toThrow(
      /Write evaluate\(x, y, { verbose: 0 }\)/,
    );
  });

  test('several outputs: one loss, and one weight, counts for each', async () => {
    const x = Input({ shape: [1] });
    const flat = (name: string): Dense => new Dense(1, { name, kernelInitializer: 'ones', useBias: false });
    const model = new Model({ inputs: x, outputs: [flat('a').apply(x), flat('b').apply(x)] });
    const data = tensor([[1], [2]]);
    for (const runEagerly of [false, true]) {
      // Keras 3: 1.5, 1, 2, with losses before their weights in the parts.
      model.compile({ loss: 'mse', lossWeights: 0.5, runEagerly });
      const logs = await model.evaluate(data, [tensor([[0], [1]]), tensor([[1], [4]])]);
      expect(logs).toEqual({ loss: 1.5, aLoss: 1, bLoss: 2 });
    }
    // Targets: |e| - 1/2 from 1 on, of a delta of 1.
    model.compile({
      loss: serializeLoss(new Huber()),
      metrics: [[serializeMetric(new MeanAbsoluteErrorMetric())], null],
    });
    expect(await model.evaluate(data, [tensor([[0], [1]]), tensor([[1], [4]])])).toMatchObject({
      loss: 1.25,
      aLoss: 0.5,
      bLoss: 0.75,
      aMeanAbsoluteError: 1,
    });
    expect(() => model.compile({ loss: Dense as never })).toThrow(/received the class Dense\. Write new Dense\(\)/);
    expect(() => model.compile({ metrics: [losses.mse as never] })).toThrow(/A loss is measured by its name/);
    const metric = new MeanAbsoluteErrorMetric();
    const again = /every metric once, received the MeanAbsoluteError "meanAbsoluteError" again/;
    expect(() => model.compile({ metrics: { a: [metric], b: metric } })).toThrow(again);
    expect(() => model.compile({ metrics: [[metric], null], weightedMetrics: [null, [metric]] })).toThrow(again);
    model.compile({ loss: 'mse', metrics: ['mae', 'mae'] });
  });

  test('what keeps something of a run is not shared by runs of two models at once', async () => {
    const metric = new MeanAbsoluteErrorMetric();
    const callback = new LambdaCallback({});
    const make = () => {
      const model = new Sequential([Input({ shape: [1] }), new Dense(1, { kernelInitializer: 'zeros' })]);
      model.compile({ loss: 'mse', metrics: [metric] });
      return model;
    };
    const [a, b] = [make(), make()];
    const data = ones([4, 1]);
    const first = a.evaluate(data, data, { batchSize: 1 });
    await expect(b.evaluate(data, zeros([4, 1]), { batchSize: 1 })).rejects.toThrow(
      /the MeanAbsoluteError\w* of evaluate to be its own, received one that is in use in evaluate of Sequential/,
    );
    expect(await first).toEqual({ loss: 1, meanAbsoluteError: 1 });
    // One after the other is fine, also within a callback of the same model, and after a run that failed.
    expect(await b.evaluate(data, zeros([4, 1]))).toEqual({ loss: 0, meanAbsoluteError: 0 });
    await expect(a.evaluate(data, ones([4, 2]))).rejects.toThrow();
    await b.fit(data, data, {
      verbose: 0,
      callbacks: [new LambdaCallback({ onEpochEnd: async () => void (await b.evaluate(data, data)) })],
    });
    for (const model of [a, b]) model.compile({ loss: 'mse' });
    const fits = [a, b].map((model) => model.fit(data, data, { verbose: 0, callbacks: [callback] }));
    const settled = await Promise.allSettled(fits);
    expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected']);
    await b.fit(data, data, { verbose: 0, callbacks: [callback] });
  });

  test('compiled steps see that a model within has got another layer, or lost one', async () => {
    const inner = new Sequential([Input({ shape: [2] }), new Dense(2, { kernelInitializer: 'ones', useBias: false })]);
    const model = new Sequential([Input({ shape: [2] }), inner]);
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    const x = tensor([[1, -3]]);
    const steps = async () => [
      ((await model.predict(x)) as Tensor).toArray(),
      await model.evaluate(x, tensor([[0, 0]])),
    ];
    const before = [[[-2, -2]], { loss: 4 }];
    expect(await steps()).toEqual(before);
    inner.add(new Activation('relu'));
    expect(await steps()).toEqual([[[0, 0]], { loss: 0 }]);
    inner.pop();
    inner.add(new Activation((v) => v.square()));
    expect(await steps()).toEqual([[[4, 4]], { loss: 16 }]);
    inner.pop();
    expect(await steps()).toEqual(before);
  });

  test('models are layers, layers are shared, weights are counted once', () => {
    const inner = new Sequential([new Dense(4, { activation: 'tanh' }), new Dense(4)], { name: 'tower' });
    const [a, b] = [Input({ shape: [4], name: 'a' }), Input({ shape: [4], name: 'b' })];
    const siamese = new Model({ inputs: [a, b], outputs: new Sum().apply([inner.apply(a), inner.apply(b)]) });
    expect(siamese.countParams()).toBe(2 * (4 * 4 + 4));
    const out = siamese.apply([features, features.mul(2)]);
    const expected = inner.apply(features).add(inner.apply(features.mul(2)));
    expect(out.toArray()).toEqual(expected.toArray());
    expect(siamese.summary({ print: false })).toContain('Connected to');
    expect((siamese.getConfig() as LayerConfig & { layers: unknown[] }).layers).toHaveLength(4);
  });

  test('mistakes are told', () => {
    const { title, label } = build();
    expect(() => new Model({ inputs: title, outputs: label })).toThrow(
      /all inputs that the outputs depend on, received none for "body"/,
    );
    expect(() => new Model({ inputs: [title, title], outputs: label })).toThrow(/every input once/);
    const a = Input({ shape: [2] });
    const twins = new Dense(1, { name: 'd' }).apply(new Dense(2, { name: 'd' }).apply(a));
    expect(() => new Model({ inputs: a, outputs: twins })).toThrow(/received "d" twice/);
    expect(() => new LSTM(3).apply(Input({ shape: [5] }))).toThrow(/rank 3 .* received \[null, 5\]/);
    expect(() => Input({} as never)).toThrow(/expected a shape/);
  });

  test('an encoder feeds its states to a decoder', async () => {
    const source = Input({ shape: [null, 3] });
    const target = Input({ shape: [null, 2] });
    const [, h, c] = new LSTM(4, { returnState: true, name: 'encoder' }).apply(source);
    const decoder = new LSTM(4, { returnSequences: true, name: 'decoder' });
    const outputs = new Dense(2).apply(decoder.apply(target, { initialState: [h!, c!] }));
    const model = new Model({ inputs: [source, target], outputs });
    const [s, t] = [randomNormal([2, 5, 3], { key: randomKey(4) }), randomNormal([2, 6, 2], { key: randomKey(5) })];
    const p = await model.predict([s, t]);
    expect(p.shape).toEqual([2, 6, 2]);
    const other = await model.predict([s.mul(-1), t]);
    expect(other.toArray()).not.toEqual(p.toArray());
  });
});

describe('subclasses', () => {
  class Scale extends Layer {
    scale!: Variable;
    override build([, n]: PartialShape): void {
      this.scale = this.variable({ name: 'scale', shape: [n!], initializer: initializers.ones() });
    }
    call(x: Tensor): Tensor {
      this.addLoss(this.scale.value.square().sum());
      return x.mul(this.scale.value);
    }
  }
  class Two extends Model {
    private readonly scale = new Scale();
    private readonly heads = [new Dense(1), new Dense(1)];
    override call(x: Tensor): Tensor {
      const z = this.scale.apply(x);
      return concat(
        this.heads.map((h) => h.apply(z)),
        -1,
      );
    }
  }

  test('layers in properties and lists are found, losses that layers add count, compiled as eagerly', async () => {
    const run = async (runEagerly: boolean): Promise<number[]> => {
      setSeed(3);
      const model = new Two();
      model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
      await model.fit(features, ones([3, 2]), { epochs: 3, verbose: 0, shuffle: false });
      expect(model.weights).toHaveLength(5);
      const logs = await model.evaluate(features, ones([3, 2]));
      const p = await model.predict(features);
      const mse = p.sub(1).square().mean().item();
      const own = model.weights
        .find((w) => w.name === 'scale')!
        .value.square()
        .sum()
        .item();
      expect(logs['loss']).toBeCloseTo(mse + own, 4);
      return model.getWeights().flatMap((w) => [...w.data]);
    };
    const [compiled, eager] = [await run(false), await run(true)];
    compiled.forEach((v, i) => {
      expect(v).toBeCloseTo(eager[i]!, 5);
    });
  });

  test('regularizers add to the loss, constraints hold after each step', async () => {
    const model = new Sequential([
      new Dense(1, { kernelRegularizer: 'l2', kernelConstraint: 'nonNeg', useBias: false }),
    ]);
    model.build([null, 4]);
    model.setWeights([tensor([[1], [2], [0], [3]])]);
    model.compile({ optimizer: 'sgd', loss: 'mse' });
    const logs = await model.evaluate(features, features.matmul(tensor([[1], [2], [0], [3]])));
    expect(logs['loss']).toBeCloseTo(0.01 * 14, 5);
    expect(model.losses.map((l) => l.item())).toEqual([expect.closeTo(0.14, 5)]);
    await model.fit(features, ones([3, 1]).mul(-50), { epochs: 5, verbose: 0 });
    expect(Math.min(...model.getWeights()[0]!.data)).toBeGreaterThanOrEqual(0);
  });
});

test('a run that is captured in the middle of an epoch and restored in another model ends with the same bits', async () => {
  const x = randomNormal([40, 4], { key: randomKey(6) });
  const targets = x.sum(1, { keepDims: true });
  const make = (seed: number): Sequential => {
    setSeed(seed);
    const m = new Sequential([new Dense(8, { activation: 'relu' }), new Dropout(0.3), new Dense(1)]);
    m.compile({ optimizer: 'adam', loss: 'mse', metrics: ['mae'] });
    return m;
  };
  class Keep extends Callback {
    snapshot: Snapshot | null = null;
    private state: TrainInfo['state'] | null = null;
    private batches = 0;
    override onTrainBegin({ state }: TrainInfo): void {
      this.state = state;
    }
    override onTrainBatchEnd(): void {
      if (++this.batches === 13) this.snapshot = this.state!.capture();
    }
  }
  class Resume extends Callback {
    constructor(private readonly snapshot: Snapshot) {
      super();
    }
    override onTrainBegin({ state }: TrainInfo): void {
      state.restore(this.snapshot);
    }
  }
  const whole = make(1);
  const keep = new Keep();
  const history = await whole.fit(x, targets, { epochs: 3, batchSize: 5, verbose: 0, callbacks: [keep] });
  const again = make(2);
  const rest = await again.fit(x, targets, {
    epochs: 3,
    batchSize: 5,
    verbose: 0,
    callbacks: [new Resume(keep.snapshot!)],
  });
  expect(again.getWeights().map((w) => [...w.data])).toEqual(whole.getWeights().map((w) => [...w.data]));
  expect(rest.epoch).toEqual([1, 2]);
  expect(rest.values('mae')).toEqual(history.values('mae').slice(1));
  const another = new Sequential([new Dense(3)]);
  another.compile({ loss: 'mse' });
  await expect(
    another.fit(x, targets.broadcastTo([40, 3]), { verbose: 0, callbacks: [new Resume(keep.snapshot!)], epochs: 5 }),
  ).rejects.toThrow(/a backup of this model .* found one of another/);
});

describe('what Keras users write first', () => {
  test.each<[string, () => unknown, string]>([
    [
      'positional inputs and outputs',
      () => {
        const x = Input({ shape: [2] });
        return new (Model as never as new (...a: unknown[]) => unknown)(x, new Dense(1).apply(x));
      },
      'Model: expected an object of options, received an instance of SymbolicTensor',
    ],
    [
      'input for inputs',
      () => new Model({ input: Input({ shape: [2] }), outputs: Input({ shape: [2] }) } as never),
      'Did you mean "inputs"?',
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });

  test.each([
    ['trainStep', 'fit'],
    ['train_step', 'fit'],
    ['computeLoss', 'fit'],
    ['compute_loss', 'evaluate'],
    ['testStep', 'evaluate'],
    ['predictStep', 'predict'],
  ])('a step of its own, %s, which %s would not call, is refused', async (name, run) => {
    const model = Object.assign(new Sequential([new Dense(1)]), { [name]: () => {} });
    model.compile({ loss: 'mse' });
    const [x, y] = [ones([2, 2]), ones([2, 1])];
    const runs: Record<string, () => Promise<unknown>> = {
      fit: () => model.fit(x, y, { verbose: 0 }),
      evaluate: () => model.evaluate(x, y),
      predict: () => model.predict(x),
    };
    await expect(runs[run]!()).rejects.toThrow(`${run}: expected a model without "${name}"`);
  });

  test('inputs that are missing are told by name', async () => {
    const [a, b] = [Input({ shape: [2], name: 'a' }), Input({ shape: [2], name: 'b' })];
    const model = new Model({ inputs: [a, b], outputs: new Add().apply([a, b]) });
    const x = ones([1, 2]);
    await expect(model.predict([x] as never)).rejects.toThrow(
      /predict \(inputs a, b of .*\): expected a list of 2, received a list of 1/,
    );
    await expect(model.predict({ a: x, c: x } as never)).rejects.toThrow(
      /inputs a, b of .*received an object with a, c/,
    );
  });

  test('missing values are told by their place', async () => {
    const model = new Sequential([new Dense(1)]);
    await expect(
      model.predict([
        [null, 2],
        [1, 2],
      ] as never),
    ).rejects.toThrow(
      'expected inputs (part 0.0) as tensors, typed arrays or nested lists of numbers, received null. Replace missing values',
    );
  });
});

test('a layer that takes the place of another one is noticed by the next step, also between two of training', async () => {
  class Headed extends Model<Tensor, Tensor> {
    head = new Dense(1, { useBias: false, kernelInitializer: 'ones' });
    override call(x: Tensor): Tensor {
      return this.head.apply(x);
    }
  }
  const model = new Headed();
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [x, y] = [tensor([[1, 2]]), tensor([[3]])];
  // The prediction is the target: nothing moves.
  expect(await model.trainOnBatch(x, y)).toEqual({ loss: 0 });
  expect(((await model.predict(x)) as Tensor).toArray()).toEqual([[3]]);
  model.head = new Dense(1, { useBias: false, kernelInitializer: 'zeros' });
  expect(await model.trainOnBatch(x, y)).toEqual({ loss: 9 });
  expect(model.trainableWeights).toHaveLength(1);
  // sgd: w - 0.01 * 2 (x w - y) x
  const [w1, w2] = model.head.weights[0]!.value.toArray<number[][]>().flat();
  expect([w1, w2].map((w) => w!.toFixed(5))).toEqual(['0.06000', '0.12000']);
  model.head = new Dense(1, { useBias: false, kernelInitializer: 'ones' });
  expect(((await model.predict(x)) as Tensor).toArray()).toEqual([[3]]);
});
