import { Dataset } from '@recurra/preprocessing';
import { randomKey, randomNormal, setSeed, type Tensor, tensor } from '@recurra/tensor';
import { Dense, Input, LambdaCallback, Sequential } from '../index.js';

const x = randomNormal([20, 3], { key: randomKey(1) });
const y = x.mul(tensor([1, -2, 0.5])).sum(1, { keepDims: true });
const pairs = Dataset.fromTensors(x, y) as Dataset<[Tensor, Tensor]>;

function model(): Sequential {
  setSeed(3);
  const m = new Sequential([new Dense(4, { activation: 'tanh' }), new Dense(1)]);
  m.build([null, 3]);
  m.compile({ optimizer: 'adam', loss: 'meanSquaredError', metrics: ['mae'] });
  return m;
}
const weightsOf = (m: Sequential): number[] => m.getWeights().flatMap((w) => [...w.data]);

test('a data set of batches trains, evaluates and predicts as its samples do', async () => {
  const [a, b] = [model(), model()];
  const one = await a.fit(x, y, {
    epochs: 3,
    batchSize: 6,
    shuffle: false,
    verbose: 0,
    validationData: [x, y],
    validationBatchSize: 32,
  });
  const two = await b.fit(pairs.batch(6), { epochs: 3, verbose: 0, validationData: pairs.batch(32) });
  expect(two.history).toEqual(one.history);
  expect(weightsOf(b)).toEqual(weightsOf(a));
  expect(await b.evaluate(pairs.batch(32))).toEqual(await a.evaluate(x, y));
  expect((await b.predict(pairs.map(([own]) => own).batch(7))).toArray()).toEqual((await a.predict(x)).toArray());
});

test('weights in batches, objects, class weights', async () => {
  const [a, b, c] = [model(), model(), model()];
  const weight = tensor(Array.from({ length: 20 }, (_, i) => i % 3));
  await a.fit(x, y, { batchSize: 20, shuffle: false, verbose: 0, sampleWeight: weight });
  await b.fit([[x, y, weight] as [Tensor, Tensor, Tensor]][Symbol.iterator](), { verbose: 0 });
  await c.fit(Dataset.fromArray([{ x, y, sampleWeight: weight }]), { verbose: 0 });
  expect(weightsOf(b)).toEqual(weightsOf(a));
  expect(weightsOf(c)).toEqual(weightsOf(a));
});

test('each epoch is told to the data set: it shuffles anew', async () => {
  const seen: number[] = [];
  const source = Dataset.range(20)
    .shuffle({ seed: 4 })
    .map((i) => {
      seen.push(i);
      return [x.at(i), y.at(i)] as [Tensor, Tensor];
    });
  await model().fit(source.batch(20), { epochs: 2, verbose: 0 });
  const [first, second] = [seen.slice(0, 20), seen.slice(20)];
  expect([...second].sort()).toEqual([...first].sort());
  expect(second).not.toEqual(first);
});

test('stepsPerEpoch goes on where the last epoch ended', async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<[Tensor, Tensor]> {
    for (;;) {
      given++;
      yield [x, y];
    }
  }
  const steps: (number | null)[] = [];
  await model().fit(endless(), {
    epochs: 3,
    stepsPerEpoch: 4,
    verbose: 0,
    callbacks: [
      new LambdaCallback({
        onTrainBegin: (info) => {
          steps.push(info.steps);
        },
      }),
    ],
  });
  expect(given).toBe(12);
  expect(steps).toEqual([4]);
  // A data set begins anew where it ends within an epoch.
  let batches = 0;
  const counted = pairs.batch(10).map((batch) => {
    batches++;
    return batch;
  });
  await model().fit(counted, { epochs: 2, stepsPerEpoch: 3, verbose: 0 });
  expect(batches).toBe(6);
});

test('a data set that is not read to its end is let go', async () => {
  let ended = 0;
  const source = Dataset.fromChunks(async function* () {
    try {
      for (;;) yield [[x, y] as [Tensor, Tensor]];
    } finally {
      ended++;
    }
  });
  await model().fit(source, { epochs: 2, stepsPerEpoch: 3, verbose: 0, validationData: source, validationSteps: 1 });
  // One for training, one for each validation.
  expect(ended).toBe(3);
});

test('each validation sees the same batches of a data set, also where it takes only some', async () => {
  const seen: number[] = [];
  const held = Dataset.range(4).map((i) => {
    seen.push(i);
    return [x, y] as [Tensor, Tensor];
  });
  // One element at a time, so that no more are read than are used.
  const single = Dataset.fromGenerator(async function* () {
    yield* held;
  });
  await model().fit(x, y, { epochs: 2, verbose: 0, validationData: single, validationSteps: 2 });
  const [first, second] = [seen.slice(0, seen.length / 2), seen.slice(seen.length / 2)];
  expect(second).toEqual(first);
  expect(first[0]).toBe(0);
});

test('mistakes are told', async () => {
  async function* once(): AsyncGenerator<[Tensor, Tensor]> {
    yield [x, y];
  }
  await expect(model().fit(once(), { epochs: 2, verbose: 0 })).rejects.toThrow(/batches in epoch 2, received none/);
  await expect(model().fit(pairs.batch(5), { validationSplit: 0.2 })).rejects.toThrow(/Split the data set/);
  await expect(model().fit(pairs.batch(5), { sampleWeight: [1] })).rejects.toThrow(/weights in the batches/);
  await expect(model().fit(Dataset.fromArray([x]) as never, { verbose: 0 })).rejects.toThrow(/batches \[x, y\]/);
  await expect(model().predict(Dataset.fromArray<Tensor>([]))).rejects.toThrow(/batches in epoch 1, received none/);
});

test('options that would have no effect are refused: of samples beside batches, of batches beside samples', async () => {
  const m = model();
  const batches = pairs.batch(5);
  const refused: [() => Promise<unknown>, RegExp][] = [
    [
      () => m.fit(batches, { batchSize: 4, verbose: 0 }),
      /fit: expected samples in tensors with batchSize.*\.batch\(n\)/,
    ],
    [
      () => m.fit(batches, { sampleWeight: [1], verbose: 0 }),
      /fit: expected samples in tensors with sampleWeight.*\[x, y, weights\]/,
    ],
    [() => m.fit(x, y, { stepsPerEpoch: 2, verbose: 0 }), /fit: expected stepsPerEpoch with a source of batches alone/],
    [
      () => m.fit(x, y, { validationData: [x, y], validationSteps: 1, verbose: 0 }),
      /fit \(validationData\): expected validationSteps with a source of batches alone/,
    ],
    [
      () => m.fit(x, y, { validationData: batches, validationBatchSize: 4, verbose: 0 }),
      /fit \(validationData\): expected samples in tensors with validationBatchSize/,
    ],
    [() => m.evaluate(batches, { batchSize: 4 }), /evaluate: expected samples in tensors with batchSize/],
    [() => m.evaluate(batches, { sampleWeight: [1] }), /evaluate: expected samples in tensors with sampleWeight/],
    [() => m.evaluate(x, y, { steps: 1 }), /evaluate: expected steps with a source of batches alone/],
    [() => m.predict(x, { steps: 1 }), /predict: expected steps with a source of batches alone/],
    [() => m.predict(batches, { batchSize: 4 }), /predict: expected samples in tensors with batchSize/],
  ];
  for (const [run, message] of refused) await expect(run()).rejects.toThrow(message);
});

test('single samples of a data set, and one that does not end, are told with the way out', async () => {
  const m = new Sequential([Input({ shape: [1] }), new Dense(1)]);
  m.compile({ loss: 'mse' });
  const single = Dataset.fromArray([[[1], [2]] as [number[], number[]]]);
  await expect(m.fit(single as never, { verbose: 0 })).rejects.toThrow(
    /received \[1\]. .*call .batch\(n\) on a data set/,
  );
  await expect(
    m.predict(
      Dataset.fromArray([[1], [2]])
        .batch(1)
        .repeat() as never,
    ),
  ).rejects.toThrow(/Give steps\./);
});
