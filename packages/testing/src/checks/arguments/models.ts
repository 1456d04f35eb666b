import { Dense, Sequential } from '@recurra/layers';
import { ones, zeros } from '@recurra/tensor';
import { type Argument, type Example, flag, integer, list, made, name, options } from './wrong.js';

const example = (call: unknown, ...args: Argument[]): Example => ({ call: call as Example['call'], args });

const fresh = (): Sequential => new Sequential([new Dense(1)]);
const compiled = (): Sequential => {
  const model = fresh();
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  return model;
};
const x = made(() => ones([4, 2]));
const y = made(() => zeros([4, 1]));
const share: Argument = { value: () => 0.5, takes: [] };
const weights = made(() => ones([4]), 'null');
const SHOWN = { verbose: name(0), callbacks: list(() => []) };
/** What goes with samples in tensors. */
const COMMON = { ...SHOWN, batchSize: integer(2) };
const signal = made(() => new AbortController().signal, 'null');

/** Right calls of what a model does with data. */
export const TRAINING: Readonly<Record<string, readonly Example[]>> = {
  compile: [
    example(
      (given: never) => fresh().compile(given),
      options({
        optimizer: name('sgd'),
        loss: name('meanSquaredError', 'null', 'a function'),
        lossWeights: made(() => [1], 'null', '-1', '1.5', 'a half in a list'),
        metrics: list(() => ['meanAbsoluteError'], 'null', 'an empty object'),
        weightedMetrics: list(() => ['meanAbsoluteError'], 'null', 'an empty object'),
        runEagerly: flag(true),
      }),
    ),
  ],
  fit: [
    example(
      (a: never, b: never, given: never) => compiled().fit(a, b, given),
      x,
      y,
      options({
        ...COMMON,
        epochs: integer(2),
        validationSplit: share,
        validationData: made(() => [ones([4, 2]), zeros([4, 1])], 'null'),
        shuffle: flag(true),
        sampleWeight: weights,
        initialEpoch: integer(0),
        validationBatchSize: integer(2, 'null'),
        validationFreq: integer(1),
        signal,
      }),
    ),
    example(
      (batches: never, given: never) => compiled().fit(batches, given),
      made(() => [[ones([4, 2]), zeros([4, 1])]]),
      options({
        ...SHOWN,
        stepsPerEpoch: integer(1, 'null'),
        classWeight: made(() => ({ 0: 2 }), 'null', 'an empty object'),
      }),
    ),
  ],
  evaluate: [
    example(
      (a: never, b: never, given: never) => compiled().evaluate(a, b, given),
      x,
      y,
      options({ ...COMMON, sampleWeight: weights, signal }),
    ),
  ],
  predict: [example((a: never, given: never) => compiled().predict(a, given), x, options({ ...COMMON, signal }))],
  trainOnBatch: [
    example(
      (a: never, b: never, given: never) => compiled().trainOnBatch(a, b, given),
      x,
      y,
      options({ sampleWeight: weights }),
    ),
    example(
      (given: never) => compiled().trainOnBatch(ones([4, 2]), zeros([4, 1]), given),
      options({ classWeight: made(() => ({ 0: 2 }), 'null', 'an empty object') }),
    ),
  ],
  testOnBatch: [
    example(
      (a: never, b: never, given: never) => compiled().testOnBatch(a, b, given),
      x,
      y,
      options({ sampleWeight: weights }),
    ),
  ],
  predictOnBatch: [example((a: never) => compiled().predictOnBatch(a), x)],
};
