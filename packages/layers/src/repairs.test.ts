/** What users met, each with the value that Keras (or first principles) gives. */

import { initializers } from '@recurra/cells';
import { Adam, exponentialDecay } from '@recurra/optim';
import { Dataset } from '@recurra/preprocessing';
import { ones, randomKey, randomNormal, type Tensor, tensor, zeros } from '@recurra/tensor';
import { HOOKS, type Hook, maskOf, withMask } from './extend.js';
import {
  Bidirectional,
  Callback,
  Dense,
  EarlyStopping,
  Embedding,
  LambdaCallback,
  Layer,
  LSTM,
  Precision,
  Sequential,
  SimpleRNN,
  type Variable,
} from './index.js';

const x = randomNormal([12, 3], { key: randomKey(1) });
const y = x.sum(1, { keepDims: true });
const linear = (options: object = {}): Sequential => {
  const m = new Sequential([new Dense(1)]);
  m.build([null, 3]);
  m.compile({ optimizer: 'sgd', loss: 'mse', ...options });
  return m;
};
const values = (m: { getWeights(): Tensor[] }): number[] => m.getWeights().flatMap((w) => [...w.data]);

describe('number 5: wrappers pass settings on', () => {
  const mask = tensor([[true, true, false, false]]);
  test('both halves of Bidirectional give zeros at masked steps', () => {
    const layer = new Bidirectional(new LSTM(2, { returnSequences: true }));
    const out = layer.apply(withMask(ones([1, 4, 3]), mask));
    const rows = out.toArray() as number[][][];
    expect(rows[0]!.slice(2)).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(rows[0]![0]!.every((v) => v !== 0)).toBe(true);
    expect(maskOf(out)).toBe(mask);
  });

  test('a frozen inner layer is not trained, nor is one frozen later', async () => {
    const frozen = new Bidirectional(new LSTM(2, { trainable: false }));
    frozen.build([null, 4, 3]);
    expect(frozen.weights).toHaveLength(6);
    expect(frozen.trainableWeights).toHaveLength(0);
    const m = new Sequential([new Dense(2, { name: 'a' }), new Dense(1, { name: 'b' })]);
    m.compile({ optimizer: 'sgd', loss: 'mse' });
    await m.trainOnBatch(x, y);
    m.getLayer('a').trainable = false;
    const [kernel, bias, ...rest] = m.getWeights();
    await m.trainOnBatch(x, y);
    expect(m.getWeights()[0]!.toArray()).toEqual(kernel!.toArray());
    expect(m.getWeights()[1]!.toArray()).toEqual(bias!.toArray());
    expect(m.getWeights()[2]!.toArray()).not.toEqual(rest[0]!.toArray());
    m.getLayer('a').trainable = true;
    await m.trainOnBatch(x, y);
    expect(m.getWeights()[0]!.toArray()).not.toEqual(kernel!.toArray());
  });

  test('names are those of Keras', () => {
    const layer = new Bidirectional(new SimpleRNN(2, { name: 'simple_rnn' }));
    expect([layer.forwardLayer.name, layer.backwardLayer.name]).toEqual(['forward_simple_rnn', 'backward_simple_rnn']);
  });
});

describe('number 6: identities and names', () => {
  class Twins extends Layer {
    a!: Variable;
    b!: Variable;
    override build(): void {
      this.a = this.variable({ name: 'w', shape: [3, 1], initializer: initializers.zeros() });
      this.b = this.variable({ name: 'w', shape: [3, 1], initializer: initializers.ones() });
    }
    call(t: Tensor): Tensor {
      return t.matmul(this.a.value.sub(this.b.value));
    }
  }

  test('two weights of one name are two', async () => {
    const m = new Sequential([new Twins()]);
    m.compile({ optimizer: 'sgd', loss: 'mse' });
    await m.trainOnBatch(x, y);
    const [a, b] = m.getWeights();
    // d/da = -d/db: both move by the same amount in opposite directions, from 0 and from 1.
    a!.data.forEach((v: number, i: number) => {
      expect(v).not.toBe(0);
      expect(v).toBeCloseTo(1 - b!.data[i]!, 6);
    });
  });

  test('metrics of one class have names of their own', async () => {
    const m = new Sequential([new Dense(3, { activation: 'softmax' })]);
    m.compile({
      loss: 'categoricalCrossentropy',
      metrics: [
        new Precision({ classId: 0 }),
        new Precision({ classId: 1 }),
        new Precision({ classId: 2 }),
        (t, p) => p.sub(t).abs().mean(-1),
      ],
    });
    const logs = await m.evaluate(
      x,
      tensor(Array.from({ length: 12 }, (_, i) => [+(i % 3 === 0), +(i % 3 === 1), +(i % 3 === 2)])),
    );
    expect(Object.keys(logs)).toEqual(['loss', 'precision', 'precision_1', 'precision_2', 'metric']);
  });
});

describe('number 7: calls that overlap', () => {
  test('a second fit is refused while the first is under way, and the first ends as it would', async () => {
    const m = linear();
    const first = m.fit(x, y, { epochs: 3, verbose: 0 });
    await expect(m.fit(x, y, { verbose: 0 })).rejects.toThrow(
      /fit is under way on the same model. Await the first call/,
    );
    await expect(m.evaluate(x, y)).rejects.toThrow(/under way/);
    expect((await first).epoch).toHaveLength(3);
  });

  test('evaluate in a callback, awaited or not, leaves the metrics of training alone', async () => {
    const run = async (callbacks: Callback[]): Promise<readonly number[]> => {
      const m = linear({ metrics: ['mae'] });
      m.setWeights([ones([3, 1]).mul(0.5), zeros([1])]);
      const history = await m.fit(x, y, { epochs: 2, batchSize: 4, shuffle: false, verbose: 0, callbacks });
      return [...history.values('loss'), ...history.values('mae')];
    };
    const model = (callback: Callback): Sequential => callback.model as Sequential;
    class Awaited extends Callback {
      override async onTrainBatchEnd(): Promise<void> {
        await model(this).evaluate(x.mul(3), y);
      }
    }
    class Forgotten extends Callback {
      override onTrainBatchEnd(): void {
        model(this).evaluate(x.mul(3), y);
      }
    }
    const plain = await run([]);
    expect(await run([new Awaited()])).toEqual(plain);
    expect(await run([new Forgotten()])).toEqual(plain);
  });
});

test('number 12: every hook of LambdaCallback is called', async () => {
  const called = new Set<Hook>();
  const hooks = Object.fromEntries(HOOKS.map((hook) => [hook, () => void called.add(hook)]));
  const callbacks = [new LambdaCallback(hooks)];
  const m = linear();
  await m.fit(x, y, { verbose: 0, validationData: { x, y }, callbacks });
  await m.predict(x, { callbacks });
  const failing = new LambdaCallback({
    onTrainBatchEnd: () => {
      throw new Error('stop');
    },
  });
  await expect(m.fit(x, y, { verbose: 0, callbacks: [...callbacks, failing] })).rejects.toThrow('stop');
  expect([...called].sort()).toEqual([...HOOKS].sort());
  expect(() => new LambdaCallback({ onTrainBatchFinish: () => {} } as never)).toThrow(
    /unknown option "onTrainBatchFinish"/,
  );
});

describe('number 13: directions', () => {
  test('a similarity is better when larger; an unknown metric asks for mode', async () => {
    const early = new EarlyStopping({ monitor: 'cosineSimilarity', patience: 0 });
    const m = linear({ metrics: ['cosineSimilarity'] });
    const seen: number[] = [];
    const watch = new LambdaCallback({ onEpochEnd: (_e, logs) => void seen.push(logs['cosineSimilarity']!) });
    await m.fit(x, y, { epochs: 6, verbose: 0, callbacks: [watch, early] });
    expect(early.best).toBe(Math.max(...seen));
    const own = linear({ metrics: [(t: Tensor, p: Tensor) => p.sub(t).abs().mean(-1)] });
    await expect(own.fit(x, y, { verbose: 0, callbacks: [new EarlyStopping({ monitor: 'metric' })] })).rejects.toThrow(
      /mode 'min' or 'max'/,
    );
  });

  test('epochs without validation are passed over', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
    const m = linear();
    const history = await m.fit(x, y, {
      epochs: 4,
      verbose: 0,
      validationData: [x, y],
      validationFreq: 2,
      callbacks: [new EarlyStopping({ patience: 5 })],
    });
    expect(history.epoch).toHaveLength(4);
    expect(history.values('val_loss')).toHaveLength(2);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });
});

describe('number 14: the learning rate', () => {
  test('can be read and set between compiled steps', async () => {
    const m = linear();
    await m.trainOnBatch(x, y);
    expect(m.optimizer.learningRate).toBeCloseTo(0.01, 7);
    m.optimizer.learningRate = 0;
    const before = values(m);
    await m.trainOnBatch(x, y);
    expect(values(m)).toEqual(before);
    m.optimizer.learningRate = 0.02;
    await m.trainOnBatch(x, y);
    expect(values(m)).not.toEqual(before);
    expect(m.optimizer.iterations).toBe(3);
    expect(() => {
      m.optimizer.learningRate = Number.NaN;
    }).toThrow(/finite learning rate/);
  });

  test('a schedule is not replaced in silence', () => {
    const m = linear({
      optimizer: new Adam({
        learningRate: exponentialDecay({ initialLearningRate: 0.1, decaySteps: 10, decayRate: 0.5 }),
      }),
    });
    expect(m.optimizer.learningRate).toBeCloseTo(0.1, 6);
    expect(() => {
      m.optimizer.learningRate = 1;
    }).toThrow(/found a schedule/);
  });
});

test('number 19: an endless data set needs stepsPerEpoch', async () => {
  const pairs = Dataset.fromTensors(x, y) as Dataset<[Tensor, Tensor]>;
  await expect(linear().fit(pairs.batch(4).repeat(), { verbose: 0 })).rejects.toThrow(
    /repeats for ever. Give stepsPerEpoch/,
  );
  const history = await linear().fit(pairs.batch(4).repeat(), { epochs: 2, stepsPerEpoch: 2, verbose: 0 });
  expect(history.epoch).toHaveLength(2);
});

describe('number 21: what is cast and what is taken', () => {
  test.each([
    ['int32', tensor([[[1], [2]]])],
    ['bool', tensor([[[true], [false]]])],
  ])('%s into a recurrent layer, compiled as eagerly', async (_dtype, input) => {
    const m = new Sequential([new LSTM(2)]);
    m.compile({ loss: 'mse' });
    const eager = m.apply(input);
    const compiled = await m.predict(input);
    expect(compiled.shape).toEqual([1, 2]);
    compiled.data.forEach((v: number, i: number) => {
      expect(v).toBeCloseTo(eager.data[i]!, 5);
    });
    await m.fit(input, [[0, 1]], { verbose: 0 });
  });

  test('a list of batches is a source', async () => {
    const batches = [
      [x, y],
      [x.neg(), y.neg()],
    ] as [Tensor, Tensor][];
    const history = await linear().fit(batches, { epochs: 2, verbose: 0 });
    expect(history.values('loss')).toHaveLength(2);
  });
});

test('number 23: getWeights gives copies', () => {
  const m = linear();
  const before = values(m);
  for (const w of m.getWeights()) w.data.fill(0);
  expect(values(m)).toEqual(before);
});

describe('number 24: messages', () => {
  const ids = tensor([[1, 2, 3]]);
  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'rank 2 into an LSTM in fit',
      () => {
        const m = new Sequential([new LSTM(2), new Dense(1)]);
        m.compile({ loss: 'mse' });
        return m.fit(x, y, { verbose: 0 });
      },
      /rank 3 \[batch, time, features\], received \[null, 3\]. Token ids need an Embedding first/,
    ],
    [
      'LSTM after LSTM',
      async () => new Sequential([new LSTM(2), new LSTM(2)]).apply(ones([1, 2, 3])),
      /returnSequences: true/,
    ],
    ['texts as targets', () => linear().fit(x, new Array(12).fill('a') as never), /targets.*LabelEncoder/],
    ['texts as inputs', () => linear().fit(['a', 'b'] as never, y), /inputs.*Tokenizer/],
    ['the class of an optimizer', async () => linear({ optimizer: Adam }), /new Adam\(\)/],
    ['no callback', () => linear().fit(x, y, { callbacks: [{ onEpochEnd: () => {} } as never] }), /LambdaCallback/],
    ['an unbatched data set', () => linear().fit(Dataset.fromTensors(x, y) as never, { verbose: 0 }), /\.batch\(/],
    ['an id that is too large', async () => new Embedding(3, 2).apply([[3]]), /inputDim must be larger/],
    ['an id that is no whole number', async () => new Embedding(3, 2).apply([[1.5]]), /received 1.5. Ids are whole/],
    ['an id below 0', async () => new Embedding(3, 2).apply([[-1]]), /received -1. Ids count from 0/],
    ['batch_size', () => linear().fit(x, y, { batch_size: 3 } as never), /Did you mean "batchSize"/],
    [
      'return_sequences',
      async () => new LSTM(2, { return_sequences: true } as never),
      /Did you mean "returnSequences"/,
    ],
    ['use_bias', async () => new Dense(2, { use_bias: false } as never), /Did you mean "useBias"/],
    ['optimiser', async () => linear({ optimiser: 'adam' }), /Did you mean "optimizer"/],
    [
      'ids of no steps',
      () => {
        const m = new Sequential([new Embedding(4, 2), new LSTM(2)]);
        return m.predict(ids.narrow(1, 0, 0));
      },
      /at least one step/,
    ],
  ])('%s', async (_name, f, message) => {
    await expect(Promise.resolve().then(f)).rejects.toThrow(message);
  });

  test('after resetStates a stateful layer takes another batch size, compiled too', async () => {
    const m = new Sequential([new LSTM(2, { stateful: true })]);
    m.compile({ loss: 'mse' });
    await m.predict(ones([4, 2, 3]));
    await expect(m.predict(ones([2, 2, 3]))).rejects.toThrow(/Call resetStates\(\) first/);
    m.resetStates();
    const fresh = await m.predict(ones([2, 2, 3]));
    m.resetStates();
    const four = await m.predict(ones([4, 2, 3]));
    expect(four.narrow(0, 0, 2).toArray()).toEqual(fresh.toArray());
    // Its state goes on.
    expect((await m.predict(ones([4, 2, 3]))).toArray()).not.toEqual(four.toArray());
  });
});

test('number 26: histories are read without assertions', async () => {
  const history = await linear().fit(x, y, { epochs: 2, verbose: 0 });
  const loss: number = history.last('loss');
  expect(history.history.loss.at(-1)).toBe(loss);
  expect(() => history.last('accuracy')).toThrow(/a metric among loss, received "accuracy"/);
});
