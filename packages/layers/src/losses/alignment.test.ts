import { jit } from '@recurra/compiler';
import { ShapeError, type Tensor, tensor, ValueError, zeros } from '@recurra/tensor';
import { classWeights, resolveLoss } from '../extend.js';
import {
  Accuracy,
  AUC,
  BinaryAccuracy,
  BinaryCrossentropy,
  BinaryIoU,
  CategoricalAccuracy,
  CosineSimilarity,
  Dice,
  F1Score,
  type Loss,
  type LossName,
  losses,
  Mean,
  MeanMetricWrapper,
  MeanSquaredError,
  MeanSquaredErrorMetric,
  type Metric,
  PearsonCorrelation,
  Precision,
  R2Score,
  RootMeanSquaredError,
  SparseCategoricalAccuracy,
  SparseCategoricalCrossentropy,
  SparseTopKCategoricalAccuracy,
  TopKCategoricalAccuracy,
} from '../index.js';

const close = (actual: Tensor, expected: number): void => expect(actual.item()).toBeCloseTo(expected, 5);

/** Numbers that are no pattern. */
const some = (shape: number[], seed = 0): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.abs(Math.sin((i + 1) * 12.9898 + seed) * 43758.5453) % 1),
    { shape },
  );
};

describe('targets have the shape of the predictions', () => {
  const elementwise: LossName[] = [
    'meanSquaredError',
    'meanAbsoluteError',
    'meanAbsolutePercentageError',
    'meanSquaredLogarithmicError',
    'huber',
    'logCosh',
    'cosineSimilarity',
    'hinge',
    'squaredHinge',
    'categoricalHinge',
    'klDivergence',
    'poisson',
    'binaryCrossentropy',
    'binaryFocalCrossentropy',
    'categoricalCrossentropy',
    'categoricalFocalCrossentropy',
    'dice',
    'tversky',
  ];

  test.each(elementwise)('%s refuses what would broadcast', (name) => {
    const loss = resolveLoss(name);
    for (const [target, predicted] of [
      [
        [8, 1],
        [8, 2],
      ],
      [
        [8, 2],
        [8, 1],
      ],
      [
        [8, 1],
        [8, 5, 1],
      ],
      [[8], [8, 5, 1]],
      [
        [1, 2],
        [8, 2],
      ],
      [
        [8, 2],
        [1, 2],
      ],
      [[2], [8, 2]],
      [
        [8, 5],
        [8, 5, 3],
      ],
      [
        [8, 1, 3],
        [8, 5, 3],
      ],
      [[1], [8, 2]],
    ])
      expect(() => loss.apply(zeros(target!), some(predicted!))).toThrow(ShapeError);
  });

  test.each<[string, () => Metric]>([
    ['MeanSquaredErrorMetric', () => new MeanSquaredErrorMetric()],
    ['RootMeanSquaredError', () => new RootMeanSquaredError()],
    ['Accuracy', () => new Accuracy()],
    ['BinaryAccuracy', () => new BinaryAccuracy()],
    ['CategoricalAccuracy', () => new CategoricalAccuracy()],
    ['TopKCategoricalAccuracy', () => new TopKCategoricalAccuracy()],
    ['Precision', () => new Precision()],
    ['AUC', () => new AUC()],
    ['F1Score', () => new F1Score()],
    ['R2Score', () => new R2Score()],
    ['PearsonCorrelation', () => new PearsonCorrelation()],
    ['BinaryIoU', () => new BinaryIoU()],
  ])('%s refuses what would broadcast', (_, make) => {
    for (const [target, predicted] of [
      [
        [8, 1],
        [8, 2],
      ],
      [
        [8, 2],
        [8, 1],
      ],
      [
        [8, 1],
        [8, 5, 1],
      ],
      [
        [1, 2],
        [8, 2],
      ],
      [
        [8, 5],
        [8, 5, 3],
      ],
    ])
      expect(() => make().updateState(zeros(target!), some(predicted!))).toThrow(ShapeError);
  });

  test('the message names what was expected, what came, and the way out', () => {
    const bce = new BinaryCrossentropy();
    expect(() => bce.apply(zeros([8, 1]), some([8, 2]))).toThrow(
      'binaryCrossentropy: expected targets of shape [8, 2], as the predictions, received [8, 1]. If they are class indices, sparseCategoricalCrossentropy',
    );
    expect(() => bce.apply(zeros([8, 3]), some([8, 1]))).toThrow(
      'expected targets of shape [8, 1] or [8], as the predictions, received [8, 3]. Give the last layer 3 units, or targets of 1.',
    );
    expect(() => resolveLoss('categoricalCrossentropy').apply(zeros([8]), some([8, 4]))).toThrow(
      /received \[8\].*sparseCategoricalCrossentropy/,
    );
    expect(() => new SparseCategoricalCrossentropy().apply(zeros([8, 4]), some([8, 4]))).toThrow(
      'sparseCategoricalCrossentropy: expected class indices of shape [8] for predictions [8, 4], received [8, 4]. If they are one-hot, categoricalCrossentropy (categoricalAccuracy) takes them.',
    );
    expect(() => new SparseCategoricalAccuracy().updateState(zeros([8, 4]), some([8, 4]))).toThrow(
      /sparseCategoricalAccuracy: .*categoricalAccuracy/,
    );
    expect(() => resolveLoss('categoricalCrossentropy').apply(zeros([8, 1]), some([8, 1]))).toThrow(
      /at least 2 classes.*binaryCrossentropy/,
    );
  });

  test('the same in compiled steps', async () => {
    const step = jit((y: Tensor, p: Tensor) => new BinaryCrossentropy().apply(y, p));
    await expect(step(zeros([8, 1]), some([8, 2]))).rejects.toThrow(ShapeError);
    await expect(step(tensor([[2], [0]]), some([2, 1]))).rejects.toThrow(/targets in 0..1, received 2/);
    step.dispose();
  });

  test('a last axis of size 1 may be missing on either side', () => {
    const y = [1, 2, 6];
    const p = [2, 4, 3];
    const column = (values: number[]): number[][] => values.map((v) => [v]);
    const expected = (1 + 4 + 9) / 3;
    const mse = new MeanSquaredError();
    for (const [a, b] of [
      [y, column(p)],
      [column(y), column(p)],
      [column(y), p],
      [y, p],
    ])
      close(mse.apply(tensor(a!), tensor(b!)), expected);
    // Steps of a sequence with one output: each has a loss of its own.
    const steps = new MeanSquaredError({ reduction: 'none' });
    expect(steps.apply([[0, 1]], tensor([[[1], [3]]])).toArray()).toEqual([[1, 4]]);
  });

  test('functions of users get targets in the rank of the predictions, as the built-in losses do', () => {
    // Of [n] against [n, 1], a difference would be [n, n]: 12.33 for these, instead of 15.
    const f = (y: Tensor, p: Tensor): Tensor => p.sub(y).square().mean(-1);
    const y = [1, 2, 3];
    const p = tensor([[4], [6], [8]]);
    close(resolveLoss(f).apply(y, p), (9 + 16 + 25) / 3);
    close(resolveLoss('meanSquaredError').apply(y, p), (9 + 16 + 25) / 3);
    const metric = new MeanMetricWrapper(f);
    metric.updateState(y, p);
    close(metric.result(), (9 + 16 + 25) / 3);
  });

  test('class indices: [n] or [n, 1], and nothing else', () => {
    const p = some([4, 3]);
    const sparse = new SparseCategoricalCrossentropy({ fromLogits: true });
    const value = sparse.apply([0, 1, 2, 1], p).item();
    expect(sparse.apply([[0], [1], [2], [1]], p).item()).toBe(value);
    for (const shape of [[4, 2], [3], [1, 4], []])
      for (const f of [
        () => sparse.apply(zeros(shape), p),
        () => new SparseCategoricalAccuracy().updateState(zeros(shape), p),
        () => new SparseTopKCategoricalAccuracy({ k: 1 }).updateState(zeros(shape), p),
        () => resolveLoss('categoricalGeneralizedCrossEntropy').apply(zeros(shape), p),
      ])
        expect(f).toThrow(ShapeError);
    expect(() => new SparseCategoricalAccuracy().updateState([0, 1.5, 2, 1], p)).toThrow(
      /class indices in 0..2, received 1.5/,
    );
  });

  test('labels that are strings, or none at all', () => {
    const p = some([2, 1]);
    expect(() => new BinaryCrossentropy().apply(['cat', 'dog'] as never, p)).toThrow(
      /expected numbers as targets, received the string "cat". StringLookup/,
    );
    expect(() => new Precision().updateState([['cat'], ['dog']] as never, p)).toThrow(/received the string "cat"/);
    expect(() => new BinaryAccuracy().updateState(undefined as never, p)).toThrow(
      /expected targets, received undefined/,
    );
    expect(() => classWeights(['cat'] as never, { 0: 1 })).toThrow(/received the string "cat"/);
  });

  test('whole numbers are compared as they are', () => {
    const metric = new Accuracy();
    metric.updateState(tensor([16777217, 5], { dtype: 'int32' }), tensor([16777216, 5], { dtype: 'int32' }));
    close(metric.result(), 0.5);
    metric.resetState();
    metric.updateState([1.5, 2], tensor([1, 2], { dtype: 'int32' }));
    close(metric.result(), 0.5);
    // Predictions that are integers become floating, not the targets whole.
    close(new MeanSquaredError().apply([[0.5], [1]], tensor([[1], [1]], { dtype: 'int32' })), 0.125);
  });
});

describe('weights and masks begin at the first axis', () => {
  // Outputs [n, time, 1] with n = time: where a weight lands shows.
  const y = some([3, 3, 1], 1);
  const p = some([3, 3, 1], 2);
  const w = [5, 1, 0.5];
  const squares = (i: number, t: number): number => (y.data[3 * i + t]! - p.data[3 * i + t]!) ** 2;
  const sumOf = (weight: (i: number, t: number) => number): number => {
    let sum = 0;
    for (let i = 0; i < 3; i++) for (let t = 0; t < 3; t++) sum += weight(i, t) * squares(i, t);
    return sum;
  };

  test('[n] weighs samples, also where n = time', () => {
    const mse = new MeanSquaredError();
    const expected = sumOf((i) => w[i]!) / 9;
    expect(Math.abs(expected - sumOf((_, t) => w[t]!) / 9)).toBeGreaterThan(0.01);
    close(mse.apply(y, p, { sampleWeight: w }), expected);
    close(mse.apply(y, p, { sampleWeight: w.map((v) => [v]) }), expected);
    close(mse.apply(y, p, { sampleWeight: w.map((v) => [v, v, v]) }), expected);
    close(mse.apply(y, p, { sampleWeight: w.map((v) => [[v], [v], [v]]) }), expected);
    const losses = new MeanSquaredError({ reduction: 'none' }).apply(y, p, { sampleWeight: w });
    expect(losses.shape).toEqual([3, 3]);
    expect(losses.data[1]).toBeCloseTo(5 * squares(0, 1), 5);
    expect(losses.data[3]).toBeCloseTo(squares(1, 0), 6);
    // The mean by weights is one of all losses.
    const mean = new MeanSquaredError({ reduction: 'meanWithSampleWeight' });
    close(mean.apply(y, p, { sampleWeight: w }), sumOf((i) => w[i]!) / (3 * 6.5));
    close(mean.apply(y, p, { sampleWeight: [2, 2, 2] }), sumOf(() => 1) / 9);
  });

  test('[n, time] weighs steps', () => {
    const weights = some([3, 3], 5);
    const at = (i: number, t: number): number => weights.data[3 * i + t]!;
    close(new MeanSquaredError().apply(y, p, { sampleWeight: weights }), sumOf(at) / 9);
  });

  test('a single number scales all', () => {
    close(new MeanSquaredError().apply(y, p, { sampleWeight: 2 }), (2 * sumOf(() => 1)) / 9);
  });

  test('masks and weights of samples together', () => {
    const mask = tensor([
      [1, 1, 0],
      [1, 0, 0],
      [1, 1, 1],
    ]).cast('bool');
    const left = (i: number, t: number): number => mask.data[3 * i + t]!;
    const expected = sumOf((i, t) => w[i]! * left(i, t)) / 6;
    close(new MeanSquaredError().apply(y, p, { sampleWeight: w, mask }), expected);
    const sum = new MeanSquaredError({ reduction: 'sum' });
    close(sum.apply(y, p, { sampleWeight: w, mask }), expected * 6);
    // Two outputs a step: the mask is of steps.
    const two = some([3, 3, 2], 7);
    const metric = new RootMeanSquaredError();
    metric.updateState(two.zerosLike(), two, { mask });
    let total = 0;
    for (let i = 0; i < 3; i++)
      for (let t = 0; t < 3; t++) for (let k = 0; k < 2; k++) total += left(i, t) * two.data[6 * i + 2 * t + k]! ** 2;
    close(metric.result(), Math.sqrt(total / 12));
  });

  test.each<[string, () => Metric]>([
    ['MeanSquaredErrorMetric', () => new MeanSquaredErrorMetric()],
    ['Mean', () => new Mean()],
  ])('%s: [n] weighs samples', (name, make) => {
    const metric = make();
    if (name === 'Mean') metric.updateState(p.sub(y).square(), [], { sampleWeight: w });
    else metric.updateState(y, p, { sampleWeight: w });
    close(metric.result(), sumOf((i) => w[i]!) / (3 * 6.5));
  });

  test('counts: [n] weighs samples of [n, time, 1] and [n, labels]', () => {
    for (const shape of [
      [3, 3, 1],
      [3, 3],
    ]) {
      const targets = tensor([1, 1, 0, 1, 0, 0, 1, 1, 1]).reshape(shape);
      const scores = tensor([0.9, 0.1, 0.8, 0.7, 0.6, 0.2, 0.3, 0.9, 0.9]).reshape(shape);
      const metric = new Precision();
      metric.updateState(targets, scores, { sampleWeight: w });
      // right: one of the first sample, one of the second, two of the third; wrong: one of the first, one of the second
      close(metric.result(), (5 + 1 + 2 * 0.5) / (5 + 1 + 2 * 0.5 + 5 + 1));
    }
  });

  test('compiled as eager', async () => {
    const step = jit((a: Tensor, b: Tensor, weight: Tensor) =>
      new MeanSquaredError().apply(a, b, { sampleWeight: weight }),
    );
    close(await step(y, p, tensor(w)), sumOf((i) => w[i]!) / 9);
    await expect(step(y, p, tensor([1, 2]))).rejects.toThrow(ShapeError);
    step.dispose();
  });

  test('what fits neither samples nor steps is refused', () => {
    const outputs = some([4, 3, 2]);
    for (const shape of [[3], [2], [1], [1, 3], [4, 2], [4, 3, 2], [3, 4], [4, 3, 1, 1], [1, 1]]) {
      expect(() => new MeanSquaredError().apply(outputs, outputs, { sampleWeight: zeros(shape) })).toThrow(
        'MeanSquaredError: expected sample weights of shape [4] or [4, 3] received',
      );
      expect(() => new MeanSquaredError().apply(outputs, outputs, { mask: zeros(shape).cast('bool') })).toThrow(
        /expected a mask of shape \[4\] or \[4, 3\]/,
      );
      if (shape.length < 3)
        expect(() => new Precision().updateState(zeros([4, 3, 2]), outputs, { sampleWeight: zeros(shape) })).toThrow(
          ShapeError,
        );
    }
  });

  test('losses that have folded the samples cannot weigh them', () => {
    const a = some([3, 3]);
    expect(() => new Dice().apply(a, a, { sampleWeight: [1, 2, 3] })).toThrow(/a single number/);
    expect(() => new CosineSimilarity({ axis: 0 }).apply(a, a, { sampleWeight: [1, 2, 3] })).toThrow(
      /expected an axis other than 0/,
    );
    const own = resolveLoss((t: Tensor, q: Tensor) => q.sub(t).square().mean());
    expect(() => own.apply(a, a, { sampleWeight: [1, 2, 3] })).toThrow(/return one a sample/);
    // A mask cannot reach inside a function that has reduced its losses already (Keras).
    close(own.apply(a, a.add(1), { mask: tensor([1, 0, 1]).cast('bool') }), 1);
  });

  test('every loss of [n, ...] takes weights of samples', () => {
    const apply = (loss: Loss, target: Tensor, predicted: Tensor): void => {
      const none = (Object.getPrototypeOf(loss).constructor as new (o: object) => Loss) && loss;
      const sum = none.apply(target, predicted, { sampleWeight: [2, 2, 2] }).item();
      expect(sum).toBeCloseTo(2 * loss.apply(target, predicted).item(), 4);
    };
    const hot = tensor([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
    for (const [name, Class] of Object.entries(losses)) {
      const loss = new Class();
      if (['dice', 'tversky'].includes(name)) continue;
      if (name === 'ctc') apply(loss, tensor([[1], [2], [1]]), some([3, 4, 3]));
      else if (name.startsWith('sparse') || name === 'circle' || name === 'categoricalGeneralizedCrossEntropy')
        apply(loss, tensor([0, 1, 0]), some([3, 2]));
      else apply(loss, hot, some([3, 2]));
    }
  });
});

describe('classWeights', () => {
  const table = { 0: 0.5, 1: 3 };
  const of = (...args: Parameters<typeof classWeights>): unknown => classWeights(...args).toArray();

  test('targets of sequences of one step', () => {
    expect(of([[1], [0]], { 1: 3 }, [null, 1, 4])).toEqual([[3], [1]]);
    expect(of([[[1]], [[0]]], { 1: 3 }, [null, 1, 1])).toEqual([[3], [1]]);
    expect(of([[1], [0]], { 1: 3 }, [null, 1, 1])).toEqual([[3], [1]]);
    expect(of([[[0, 1]], [[1, 0]]], { 1: 3 }, [null, 1, 2])).toEqual([[3], [1]]);
  });

  test('class indices, and one-hot rows; classes without a weight count 1', () => {
    expect(of([0, 1, 2], table)).toEqual([0.5, 3, 1]);
    expect(of([[0], [1], [2]], table)).toEqual([0.5, 3, 1]);
    expect(
      of(
        [
          [1, 0, 0],
          [0, 0, 1],
          [0.1, 0.7, 0.2],
        ],
        table,
      ),
    ).toEqual([0.5, 1, 3]);
  });

  test('steps of sequences have weights of their own', () => {
    // Keras takes [n, time] for one-hot rows.
    expect(
      of(
        [
          [0, 1, 1],
          [2, 0, 1],
        ],
        table,
        [null, 3, 4],
      ),
    ).toEqual([
      [0.5, 3, 3],
      [1, 0.5, 3],
    ]);
    expect(
      of(
        [
          [0, 1],
          [1, 0],
        ],
        table,
        [null, 2, 1],
      ),
    ).toEqual([
      [0.5, 3],
      [3, 0.5],
    ]);
    expect(
      of(
        [
          [[0], [1]],
          [[1], [0]],
        ],
        table,
        [null, 2, 1],
      ),
    ).toEqual([
      [0.5, 3],
      [3, 0.5],
    ]);
    expect(
      of(
        [
          [
            [1, 0],
            [0, 1],
          ],
        ],
        table,
        [null, 2, 2],
      ),
    ).toEqual([[0.5, 3]]);
    expect(of([0, 1], table, [null, 1])).toEqual([0.5, 3]);
  });

  test('what has no one class is refused', () => {
    expect(() => classWeights([0.5], table)).toThrow(/class indices as targets with classWeight, received 0.5/);
    expect(() => classWeights([-1], table)).toThrow(ValueError);
    expect(() => classWeights([[1, 1, 0]], table)).toThrow(/the row \[1, 1, 0\], which has no one class/);
    expect(() => classWeights([[0, 0, 0]], table)).toThrow(/no one class/);
    expect(() => classWeights([[Number.NaN, 1]], table)).toThrow(/no one class/);
    expect(() => classWeights([[[0], [1]]], table)).toThrow(ShapeError);
    expect(() => classWeights([[0, 1]], table, [null, 5])).toThrow(ShapeError);
    expect(() => classWeights([0], { cat: 1 } as never)).toThrow(/received cat: 1/);
    expect(() => classWeights([0], { 0: -1 })).toThrow(/received 0: -1/);
    expect(() => classWeights([0], { 0: Number.NaN })).toThrow(ValueError);
  });
});
