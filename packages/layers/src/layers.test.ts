import { vjp } from '@recurra/autograd';
import { Adam } from '@recurra/optim';
import { ones, randomInteger, randomKey, randomNormal, setSeed, type Tensor, tensor } from '@recurra/tensor';
import { resolveLoss, sequentialFromConfig, withValues } from './extend.js';
import {
  Activation,
  type AnyLayer,
  AUC,
  Bidirectional,
  Callback,
  clearSession,
  Dense,
  Dropout,
  deserializeLayer,
  EarlyStopping,
  Embedding,
  GRU,
  Input,
  LambdaCallback,
  type Logs,
  LSTM,
  Masking,
  Mean,
  Precision,
  Sequential,
  SimpleRNN,
  serializeLayer,
  TerminateOnNaN,
} from './index.js';

const x3 = randomNormal([4, 5, 3], { key: randomKey(1) });
const ids = randomInteger([4, 5], 0, 7, { key: randomKey(2) });
const mask = tensor([
  [true, true, true, true, true],
  [true, true, false, false, false],
  [false, true, true, true, true],
  [true, true, true, true, false],
]);

/** Each layer with an input, and whether a mask passes it. */
const LAYERS: [string, () => AnyLayer, Tensor, boolean][] = [
  ['Dense', () => new Dense(4, { activation: 'relu', kernelInitializer: 'heNormal' }), x3, true],
  ['Embedding', () => new Embedding(7, 3, { maskZero: true }), ids, false],
  ['Activation', () => new Activation('gelu'), x3, true],
  ['Dropout', () => new Dropout(0.5), x3, true],
  ['Masking', () => new Masking({ maskValue: -1 }), x3, false],
  ['SimpleRNN', () => new SimpleRNN(4, { activation: 'relu' }), x3, false],
  ['LSTM', () => new LSTM(4, { returnSequences: true, dropout: 0.2, recurrentDropout: 0.2 }), x3, true],
  ['GRU', () => new GRU(4, { resetAfter: false, goBackwards: true }), x3, false],
  ['Bidirectional', () => new Bidirectional(new GRU(4, { returnSequences: true }), { mergeMode: 'ave' }), x3, true],
];

describe.each(LAYERS)('%s keeps the contract of layers', (_name, make, x, passesMask) => {
  test('output has the shape that it announces', () => {
    const layer = make();
    const y = layer.apply(x);
    expect([null, ...y.shape.slice(1)]).toEqual(layer.computeOutputShape([null, ...x.shape.slice(1)]));
    expect(layer.countParams()).toBe(layer.weights.reduce((n, w) => n + w.value.size, 0));
  });

  test('its configuration makes the same layer again', () => {
    const layer = make();
    const y = layer.apply(x);
    const data = JSON.parse(JSON.stringify(serializeLayer(layer)));
    const again = deserializeLayer(data);
    again.build([null, ...x.shape.slice(1)]);
    again.setWeights(layer.getWeights());
    expect(again.apply(x).toArray()).toEqual(y.toArray());
    expect(serializeLayer(again)).toEqual(serializeLayer(layer));
    expect(again.name).toBe(layer.name);
  });

  test('weights have gradients, in training too; masks are handed on or dropped', () => {
    const layer = make();
    layer.apply(x);
    for (const training of [false, true]) {
      const { pullback, value } = vjp(
        (w: Tensor[]) => withValues(layer.trainableWeights, w, () => layer.apply(x, { training })),
        layer.trainableWeights.map((w) => w.value),
      );
      const [gradients] = pullback(ones(value.shape));
      gradients.forEach((g, i) => {
        expect(g.shape).toEqual(layer.trainableWeights[i]!.value.shape);
        expect([...g.data].every(Number.isFinite)).toBe(true);
      });
    }
    const out = layer.computeMask(x, mask);
    if (passesMask) expect(out).toBe(mask);
    else expect(out === null || out.dtype === 'bool').toBe(true);
  });
});

describe('errors say what was expected and the way out', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'ids without an Embedding',
      () => new LSTM(32, { name: 'lstm_1' }).apply(ones([32, 100])),
      /^LSTM "lstm_1": expected input of rank 3 \[batch, time, features\], received \[32, 100\]. Token ids need an Embedding first/,
    ],
    ['id out of range', () => new Embedding(3, 2).apply([[0, 3]]), /ids in 0..2, received 3. inputDim must be larger/],
    ['units', () => new Dense(0), /units to be an integer >= 1, received 0/],
    ['rate', () => new Dropout(1.5), /rate to be a number from 0 to 1, received 1.5/],
    [
      'merge mode',
      () => new Bidirectional(new GRU(2), { mergeMode: 'max' as never }),
      /mergeMode to be one of 'concat', 'sum', 'mul', 'ave', null, received "max"/,
    ],
    [
      'initial states',
      () => new LSTM(2).apply(x3, { initialState: [ones([4, 2])] }),
      /expected 2 initial state\(s\), received 1/,
    ],
    [
      'unknown loss',
      () => resolveLoss('crossentropy' as never),
      /expected one of binaryCrossentropy, .* received "crossentropy"/,
    ],
    [
      'unknown metric',
      () => new Sequential([new Dense(1)]).compile({ loss: 'mse', metrics: ['acuracy' as never] }),
      /received "acuracy"/,
    ],
    ['unknown class', () => deserializeLayer({ className: 'Lstm', config: {} }), /received "Lstm"/],
    [
      'one layer twice',
      () => {
        const d = new Dense(1);
        return new Sequential([d, d]);
      },
      /every layer once/,
    ],
    [
      'several outputs in a chain',
      () => new Sequential([new LSTM(2, { returnState: true })]).apply(x3),
      /layers of one output, received 3/,
    ],
    [
      'one name twice',
      () => new Sequential([new Dense(1, { name: 'd' }), new Dense(1, { name: 'd' })]),
      /different names, received "d" twice/,
    ],
    ['late Input', () => new Sequential([new Dense(1), Input({ shape: [2] })]), /Input to come first/],
    [
      'function in a configuration',
      () => serializeLayer(new Dense(1, { activation: (t) => t })),
      /expected a function with a name of its own for activation/,
    ],
  ])('%s', (_name, f, message) => {
    expect(f).toThrow(message);
  });

  test('fit', async () => {
    const model = new Sequential([new Dense(1)]);
    await expect(model.fit([[1]], [1])).rejects.toThrow(/Call compile/);
    model.compile({ loss: 'mse' });
    await expect(model.fit([[1], [2]], [1])).rejects.toThrow(/targets for 2 samples, received shape \[1\]/);
    await expect(model.fit([[1]], [1], { classWeight: { 0: 1 }, sampleWeight: [1] })).rejects.toThrow(/received both/);
    await expect(model.fit([[1]], [1], { epochs: 0 })).rejects.toThrow(/epochs/);
    await expect(model.fit([[1], [Number.NaN]], [1, 2])).rejects.toThrow(/finite inputs, received NaN in sample 1/);
    await expect(model.fit([[1], [2]], [1, Infinity])).rejects.toThrow(/finite targets, received Infinity in sample 1/);
    const classes = new Sequential([new Dense(3, { activation: 'softmax' })]);
    classes.compile({ loss: 'sparseCategoricalCrossentropy' });
    await expect(classes.fit([[1]], [3], { verbose: 0 })).rejects.toThrow(/class indices in 0..2, received 3/);
    await expect(classes.fit([[1]], [0.5], { verbose: 0 })).rejects.toThrow(/class indices in 0..2, received 0.5/);
    expect(() => new Embedding(3, 2).apply([[0.5]])).toThrow(/ids in 0..2, received 0.5/);
  });
});

/** A task that is learned in a moment: is the last element of the series positive? */
function task(n: number, seed: number): { x: Tensor; y: Tensor } {
  const x = randomNormal([n, 6, 2], { key: randomKey(seed) });
  return { x, y: x.at(-1, 1).at(0, 1).greater(0).cast('float32') };
}

function model(): Sequential {
  setSeed(5);
  const m = new Sequential([Input({ shape: [6, 2] }), new GRU(6), new Dense(1, { activation: 'sigmoid' })]);
  m.compile({ optimizer: new Adam({ learningRate: 0.02 }), loss: 'binaryCrossentropy', metrics: ['accuracy'] });
  return m;
}

describe('training', () => {
  test('learns, keeps a history, evaluates and predicts', async () => {
    const { x, y } = task(160, 3);
    const m = model();
    setSeed(9);
    const history = await m.fit(x, y, { epochs: 12, batchSize: 8, validationSplit: 0.2, verbose: 0 });
    expect(history.epoch).toHaveLength(12);
    expect(Object.keys(history.history)).toEqual(['loss', 'accuracy', 'valLoss', 'valAccuracy']);
    expect(history.last('valAccuracy')).toBeGreaterThan(0.85);
    const scores = await m.evaluate(x, y);
    const p = await m.predict(x, { batchSize: 7 });
    expect(p.shape).toEqual([160, 1]);
    expect(scores['accuracy']).toBeCloseTo(
      p.squeeze(-1).greater(0.5).cast('float32').equal(y).cast('float32').mean().item(),
      5,
    );
  });

  test('the same seed gives the same weights', async () => {
    const { x, y } = task(40, 4);
    const run = async (): Promise<unknown> => {
      const m = model();
      await m.fit(x, y, { epochs: 2, verbose: 0 });
      return m.getWeights().map((w) => w.toArray());
    };
    expect(await run()).toEqual(await run());
  });

  test('early stopping restores the best weights', async () => {
    const { x, y } = task(60, 5);
    const m = model();
    const seen: { loss: number; weights: unknown }[] = [];
    const stop = new EarlyStopping({ monitor: 'val_loss', patience: 0, minDelta: 10, restoreBestWeights: true });
    await m.fit(x, y, {
      epochs: 9,
      verbose: 0,
      validationData: [x, y],
      callbacks: [
        new LambdaCallback({
          onEpochEnd: (_e: number, logs: Logs) => {
            seen.push({ loss: logs['valLoss']!, weights: m.getWeights().map((w) => w.toArray()) });
          },
        }),
        stop,
      ],
    });
    expect(seen).toHaveLength(2);
    expect(stop.stoppedEpoch).toBe(1);
    expect(m.getWeights().map((w) => w.toArray())).toEqual(seen[0]!.weights);
  });

  test('callbacks come in order, may be asynchronous, and can stop training', async () => {
    const order: string[] = [];
    class Recorder extends Callback {
      override onTrainBegin(): void {
        order.push('begin');
      }
      override async onEpochEnd(epoch: number): Promise<void> {
        await new Promise((done) => {
          setTimeout(done, 1);
        });
        order.push(`epoch ${epoch}`);
        this.model.stopTraining = epoch === 1;
      }
      override onTrainEnd(): void {
        order.push('end');
      }
    }
    const { x, y } = task(20, 6);
    await model().fit(x, y, { epochs: 5, verbose: 0, callbacks: [new Recorder()] });
    expect(order).toEqual(['begin', 'epoch 0', 'epoch 1', 'end']);
  });

  test('a loss that is no number ends training', async () => {
    const { x, y } = task(20, 7);
    const m = model();
    m.setWeights(m.getWeights().map((w) => w.mul(Number.NaN)));
    await expect(m.fit(x, y, { verbose: 0, callbacks: [new TerminateOnNaN({ raiseError: true })] })).rejects.toThrow(
      /finite loss, received NaN in batch 0/,
    );
  });

  test('class weights count as sample weights do', async () => {
    const { x, y } = task(30, 8);
    const a = model();
    await a.fit(x, y, { verbose: 0, shuffle: false, classWeight: { 0: 3, 1: 0.5 } });
    const b = model();
    await b.fit(x, y, { verbose: 0, shuffle: false, sampleWeight: y.equal(1).select(0.5, 3) });
    expect(a.getWeights().map((w) => w.toArray())).toEqual(b.getWeights().map((w) => w.toArray()));
  });

  test('stateful layers carry their state, and can forget it', () => {
    const layer = new LSTM(3, { stateful: true });
    const first = layer.apply(x3).toArray();
    expect(layer.apply(x3).toArray()).not.toEqual(first);
    layer.resetStates();
    expect(layer.apply(x3).toArray()).toEqual(first);
    expect(() => layer.apply(x3.narrow(0, 0, 2))).toThrow(/batches of 4, as before/);
  });

  test('masked steps do not count', () => {
    setSeed(1);
    const m = new Sequential([new Embedding(9, 4, { maskZero: true }), new LSTM(3)]);
    const padded = m.apply([[0, 0, 5, 6]], {}).toArray();
    expect(padded).toEqual(m.apply([[5, 6]]).toArray());
  });

  test('layers inside of layers have weights of their own names', () => {
    clearSession();
    const m = new Sequential([
      Input({ shape: [6, 2] }),
      new Bidirectional(new LSTM(2, { returnSequences: true })),
      new Bidirectional(new LSTM(2)),
    ]);
    const paths = m.weights.map((w) => w.path);
    expect(paths[0]).toBe('bidirectional/forward_lstm/lstm_cell/kernel');
    expect(new Set(paths).size).toBe(12);
  });

  test('summary and configuration', () => {
    clearSession();
    const m = new Sequential([Input({ shape: [6, 2] }), new LSTM(4), new Dense(1)], { name: 'tiny' });
    const text = m.summary({ print: false });
    expect(text).toContain('lstm (LSTM)');
    expect(text).toContain('(None, 4)');
    expect(text).toContain('Total params: 117');
    const again = sequentialFromConfig(JSON.parse(JSON.stringify(m.getConfig())));
    again.setWeights(m.getWeights());
    expect(again.apply(task(3, 1).x).toArray()).toEqual(m.apply(task(3, 1).x).toArray());
  });
});

describe('metrics', () => {
  test('weighted means, precision and area by hand', () => {
    const mean = new Mean();
    mean.updateState([1, 3], undefined, { sampleWeight: [1, 3] });
    expect(mean.result().item()).toBe(2.5);
    const precision = new Precision();
    precision.updateState([1, 0, 1], [0.9, 0.8, 0.2]);
    expect(precision.result().item()).toBe(0.5);
    precision.resetState();
    expect(precision.result().item()).toBe(0);
    const auc = new AUC({ numThresholds: 400 });
    auc.updateState([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
    expect(auc.result().item()).toBeCloseTo(0.75, 2);
  });
});
