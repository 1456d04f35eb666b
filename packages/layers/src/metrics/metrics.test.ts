import { jit } from '@recurra/compiler';
import { type Tensor, tensor } from '@recurra/tensor';
import { deserializeMetric, resolveMetric, serializeMetric } from './extend.js';
import {
  AUC,
  BinaryIoU,
  F1Score,
  FBetaScore,
  IoU,
  Mean,
  MeanIoU,
  MeanMetricWrapper,
  MeanSquaredErrorMetric,
  type Metric,
  type MetricName,
  OneHotIoU,
  OneHotMeanIoU,
  Perplexity,
  Precision,
  PrecisionAtRecall,
  R2Score,
  SensitivityAtSpecificity,
  SparseCategoricalCrossentropyMetric,
  SparseTopKCategoricalAccuracy,
  Sum,
} from './index.js';

const y = [0, 0, 1, 1, 1, 0, 1, 0];
const p = [0.1, 0.4, 0.35, 0.8, 0.9, 0.2, 0.6, 0.7];
const pairs = (list: number[]): Tensor => tensor(list).reshape([4, 2]);
const classes = [0, 0, 1, 1, 2, 2];
const guesses = [0, 1, 1, 1, 2, 0];
const hot = tensor([
  [0, 0, 1],
  [1, 0, 0],
  [0, 1, 0],
  [1, 0, 0],
]);
const scores = tensor([
  [0.2, 0.3, 0.5],
  [0.1, 0.2, 0.7],
  [0.5, 0.3, 0.1],
  [0.1, 0.4, 0.5],
]);
const probabilities = tensor([
  [0.2, 0.3, 0.5],
  [0.1, 0.2, 0.7],
  [0.5, 0.3, 0.2],
]);

type Update = [y: Tensor | number[], p: Tensor | number[], sampleWeight?: number[]];

/** What Keras 3.15.1 gives for what the golden files do not hold. */
const CASES: [name: string, make: () => Metric, updates: Update[], expected: number][] = [
  ['MeanIoU', () => new MeanIoU({ numClasses: 3 }), [[classes, tensor(guesses)]], 0.5],
  [
    'MeanIoU, weighted, two batches',
    () => new MeanIoU({ numClasses: 3 }),
    [
      [classes, tensor(guesses), [1, 2, 1, 3, 1, 2]],
      [classes, tensor([...guesses].reverse())],
    ],
    0.36111113,
  ],
  ['MeanIoU, a class ignored', () => new MeanIoU({ numClasses: 3, ignoreClass: 0 }), [[classes, tensor(guesses)]], 0.5],
  ['IoU', () => new IoU({ numClasses: 3, targetClassIds: [0, 2] }), [[classes, tensor(guesses)]], 0.4166667],
  [
    'IoU, a class absent',
    () => new IoU({ numClasses: 4, targetClassIds: [0, 3] }),
    [[classes, tensor(guesses)]],
    1 / 3,
  ],
  ['BinaryIoU', () => new BinaryIoU({ threshold: 0.3 }), [[[0, 1, 0, 1], tensor([0.1, 0.2, 0.4, 0.7])]], 1 / 3],
  [
    'BinaryIoU of class 1',
    () => new BinaryIoU({ targetClassIds: [1] }),
    [[[0, 1, 0, 1], tensor([0.1, 0.2, 0.5, 0.7])]],
    1 / 3,
  ],
  ['OneHotIoU', () => new OneHotIoU({ numClasses: 3, targetClassIds: [0, 2] }), [[hot, scores]], 0.1666667],
  ['OneHotMeanIoU', () => new OneHotMeanIoU({ numClasses: 3 }), [[hot, scores, [1, 2, 3, 4]]], 0.0476190485],
  ['AUC PRGAIN', () => new AUC({ numThresholds: 20, curve: 'PRGAIN' }), [[y, tensor(p)]], 0.527777791],
  [
    'AUC PRGAIN, majoring',
    () => new AUC({ numThresholds: 20, curve: 'PRGAIN', summationMethod: 'majoring' }),
    [[y, tensor(p)]],
    0.611111044,
  ],
  ['AUC of scores beyond 0..1', () => new AUC({ numThresholds: 20 }), [[y, tensor(p.map((v) => v * 2 - 0.4))]], 0.75],
  [
    'AUC by weighted labels, built by the first batch',
    () => new AUC({ numThresholds: 20, multiLabel: true, labelWeights: [1, 3] }),
    [[pairs(y), pairs(p)]],
    1,
  ],
  ['Precision, a list of one threshold', () => new Precision({ thresholds: [0.5] }), [[y, tensor(p)]], 0.75],
  [
    'SensitivityAtSpecificity of a class',
    () => new SensitivityAtSpecificity({ specificity: 0.5, classId: 1, numThresholds: 10 }),
    [[pairs(y), pairs(p)]],
    1,
  ],
  [
    'PrecisionAtRecall at one threshold',
    () => new PrecisionAtRecall({ recall: 0.5, numThresholds: 1 }),
    [[y, tensor(p)]],
    0.75,
  ],
  [
    'top k of sorted ids',
    () => new SparseTopKCategoricalAccuracy({ k: 2, fromSortedIds: true }),
    [
      [
        [2, 1, 0],
        tensor([
          [2, 0, 1],
          [0, 2, 1],
          [1, 0, 2],
        ]),
      ],
    ],
    2 / 3,
  ],
  [
    'R2Score, more regressors than samples',
    () => new R2Score({ numRegressors: 9 }),
    [[tensor([[1], [2], [4]]), tensor([[1.5], [2], [3]])]],
    0.732142925,
  ],
  [
    'sparse crossentropy, a class ignored',
    () => new SparseCategoricalCrossentropyMetric({ ignoreClass: 0 }),
    [[[0, 1, 2], probabilities]],
    1.07295859,
  ],
  [
    'sparse crossentropy, a class ignored, weighted',
    () => new SparseCategoricalCrossentropyMetric({ ignoreClass: 0 }),
    [[[0, 1, 2], probabilities, [1, 2, 3]]],
    1.60943794,
  ],
  // By hand: the geometric mean of 1 / p of the tokens.
  ['Perplexity', () => new Perplexity(), [[[0, 1, 2], probabilities]], 5],
  [
    'Perplexity without padding',
    () => new Perplexity({ maskTokenId: 0 }),
    [
      [[0, 1, 2], probabilities],
      [[0, 0, 0], probabilities],
    ],
    5,
  ],
];

test.each(CASES)('%s', async (_, make, updates, expected) => {
  const eager = make();
  for (const [a, b, sampleWeight] of updates) eager.updateState(a, b, { sampleWeight: sampleWeight ?? null });
  expect(eager.result().item()).toBeCloseTo(expected, 5);
  const metric = make();
  const step = jit((a: Tensor, b: Tensor, sampleWeight: Tensor | null) => {
    metric.updateState(a, b, { sampleWeight });
    return metric.result();
  });
  let found: Tensor | null = null;
  for (const [a, b, w] of updates)
    found = await step(Array.isArray(a) ? tensor(a) : a, Array.isArray(b) ? tensor(b) : b, w ? tensor(w) : null);
  expect(found!.item()).toBeCloseTo(expected, 5);
  step.dispose();
  eager.resetState();
  for (const variable of eager.variables) expect([...variable.value.data].every((v) => v === 0)).toBe(true);
});

test('batches of any cutting have one result', () => {
  const makes: (() => Metric)[] = [
    () => new AUC(),
    () => new AUC({ curve: 'PR' }),
    () => new Precision(),
    () => new F1Score({ average: 'macro', threshold: 0.5 }),
    () => new FBetaScore({ beta: 2, average: 'weighted', threshold: 0.5 }),
    () => new R2Score(),
    () => new MeanSquaredErrorMetric(),
  ];
  const of = (make: () => Metric, cuts: number[]): number => {
    const metric = make();
    let from = 0;
    for (const size of cuts) {
      metric.updateState(pairs(y).narrow(0, from, size), pairs(p).narrow(0, from, size));
      from += size;
    }
    return metric.result().item();
  };
  for (const make of makes)
    for (const cuts of [
      [1, 3],
      [2, 2],
      [1, 1, 1, 1],
    ])
      expect(of(make, cuts)).toBeCloseTo(of(make, [4]), 5);
});

test('steps that are masked count in no metric', () => {
  const mask = tensor([
    [1, 0],
    [1, 1],
    [0, 1],
    [1, 1],
  ]).cast('bool');
  const kept = [...mask.data].flatMap((v, i) => (v ? [i] : []));
  const columns = (list: number[]): Tensor => tensor(list.map((v) => [v]));
  for (const make of [
    () => new Precision(),
    () => new AUC(),
    () => new F1Score({ average: 'micro', threshold: 0.5 }),
    () => new R2Score(),
    () => new MeanIoU({ numClasses: 2 }),
    () => new MeanMetricWrapper((t, q) => q.sub(t).abs()),
  ]) {
    const masked = make();
    const alone = make();
    const whole = masked instanceof MeanIoU;
    const q = whole ? p.map(Math.round) : p;
    masked.updateState(tensor(y).reshape([4, 2, 1]), tensor(q).reshape([4, 2, 1]), { mask });
    alone.updateState(columns(kept.map((i) => y[i]!)), columns(kept.map((i) => q[i]!)));
    expect(masked.result().item()).toBeCloseTo(alone.result().item(), 5);
  }
});

test('accumulators in float64', () => {
  const metric = new Mean({ dtype: 'float64' });
  const step = tensor(0.1, { dtype: 'float64' });
  for (let i = 0; i < 1000; i++) metric.updateState(step);
  expect(metric.result().item()).toBeCloseTo(0.1, 14);
});

test('as data and back', () => {
  for (const metric of [
    new AUC({ thresholds: [0.3, 0.6], curve: 'PR' }),
    new Precision({ thresholds: [0.2, 0.5], classId: 1 }),
    new PrecisionAtRecall({ recall: 0.4 }),
    new F1Score({ average: 'micro' }),
    new FBetaScore({ beta: 2 }),
    new R2Score({ classAggregation: null }),
    new OneHotIoU({ numClasses: 3, targetClassIds: [1] }),
    new OneHotMeanIoU({ numClasses: 3 }),
    new MeanIoU({ numClasses: 3, ignoreClass: 2 }),
    new BinaryIoU({ threshold: 0.2, name: 'own' }),
    new Perplexity({ maskTokenId: 0 }),
    new Sum(),
  ] as Metric[]) {
    const copy = deserializeMetric(serializeMetric(metric));
    expect(copy.constructor).toBe(metric.constructor);
    expect(serializeMetric(copy)).toEqual(serializeMetric(metric));
  }
  expect(() => serializeMetric(new MeanMetricWrapper((_, q) => q))).toThrow(/received a function/);
  expect(() => deserializeMetric({ className: 'constructor', config: {} as never })).toThrow(
    /metric class: expected one of/,
  );
});

test('what is no metric, and wrong arguments', () => {
  const one = tensor([[1]]);
  for (const name of ['constructor', 'toString', ''])
    expect(() => resolveMetric(name as MetricName, one, one)).toThrow(/metric: expected one of/);
  expect(() => resolveMetric('precison' as MetricName, one, one)).toThrow(/Did you mean "precision"/);
  expect(() => resolveMetric(Precision as never, one, one)).toThrow(/Write new Precision\(\)/);
  expect(resolveMetric('AUC' as never, one, one).name).toBe('auc');
  expect(resolveMetric('mean_squared_error', one, one).name).toBe('meanSquaredError');
  expect(() => new Precision({ top_k: 2 } as never)).toThrow(/unknown option "top_k". Did you mean "topK"/);
  expect(() => new Precision({ thresholds: 2 })).toThrow(
    /thresholds to be a number from 0 to 1, or a list of such, or null, received 2/,
  );
  expect(() => new Precision({ classId: 3 }).updateState([[1]], one)).toThrow(/more than 3 classes/);
  expect(() => new Precision().updateState([[2]], one)).toThrow(/expected targets 0 and 1, received 2/);
  expect(() => new AUC({ curve: 'roc' as never })).toThrow(
    /expected curve to be one of 'ROC', 'PR', 'PRGAIN', received "roc"/,
  );
  expect(() => new AUC({ numLabels: 2 })).toThrow(/expected multiLabel/);
  expect(() => new F1Score({ average: 'mean' as never })).toThrow(/expected average/);
  expect(() => new FBetaScore({ beta: 0 })).toThrow(/beta to be a finite number > 0, received 0/);
  expect(() => new F1Score().updateState([1], tensor([1]))).toThrow(/expected predictions \[batch, outputs\]/);
  expect(() => new IoU({ numClasses: 2, targetClassIds: [2] })).toThrow(/targetClassIds as class indices in 0..1/);
  expect(() => new MeanIoU({ numClasses: 2 }).updateState([5], tensor([1]))).toThrow(
    /class indices in 0..1, received 5/,
  );
  expect(() => new MeanIoU({ numClasses: 2 }).updateState([1], tensor([1]), { sampleWeight: [0.5] })).toThrow(
    /dtype: 'float32'/,
  );
  expect(() => new OneHotIoU({ numClasses: 2, targetClassIds: [0], sparseYTrue: true } as never)).toThrow(
    /unknown option "sparseYTrue"/,
  );
  expect(() => new SensitivityAtSpecificity({ specificity: 2 })).toThrow(
    /specificity to be a number from 0 to 1, received 2/,
  );
  expect(() => new R2Score({ numRegressors: -1 })).toThrow(/numRegressors to be an integer >= 0, received -1/);
});
