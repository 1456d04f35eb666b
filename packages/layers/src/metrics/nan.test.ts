import { jit } from '@recurra/compiler';
import { type Tensor, tensor } from '@recurra/tensor';
import {
  AUC,
  BinaryAccuracy,
  CategoricalAccuracy,
  F1Score,
  type Metric,
  SparseCategoricalAccuracy,
  SparseTopKCategoricalAccuracy,
  TopKCategoricalAccuracy,
  TrueNegatives,
  TruePositives,
} from './index.js';

const { NaN: nan } = Number;
const hot = [
  [1, 0, 0],
  [0, 1, 0],
];

/** A score that is NaN is never right: targets, scores, result. */
const CASES: [
  name: string,
  make: () => Metric,
  y: number[] | number[][],
  p: number[] | number[][],
  expected: number,
][] = [
  [
    'sparse top 1',
    () => new SparseTopKCategoricalAccuracy({ k: 1 }),
    [0, 1],
    [
      [nan, 1, 2],
      [0, 5, 1],
    ],
    0.5,
  ],
  [
    'sparse top k of all classes',
    () => new SparseTopKCategoricalAccuracy({ k: 3 }),
    [0, 1],
    [
      [nan, 1, 2],
      [nan, 5, 1],
    ],
    0.5,
  ],
  [
    'top k of all classes',
    () => new TopKCategoricalAccuracy({ k: 5 }),
    hot,
    [
      [nan, nan, nan],
      [0, 1, 2],
    ],
    0.5,
  ],
  [
    'sparse',
    () => new SparseCategoricalAccuracy(),
    [0, 1],
    [
      [nan, 1, 2],
      [0, 5, 1],
    ],
    0.5,
  ],
  [
    'sparse, all NaN',
    () => new SparseCategoricalAccuracy(),
    [0, 0],
    [
      [nan, nan],
      [nan, nan],
    ],
    0,
  ],
  [
    'categorical',
    () => new CategoricalAccuracy(),
    hot,
    [
      [nan, 0, 0],
      [0, 5, 1],
    ],
    0.5,
  ],
  ['binary, negative', () => new BinaryAccuracy(), [[0], [0]], [[nan], [0.1]], 0.5],
  ['binary, positive', () => new BinaryAccuracy(), [[1], [1]], [[nan], [0.9]], 0.5],
  ['true positives', () => new TruePositives(), [[1], [1]], [[nan], [0.9]], 1],
  ['true negatives', () => new TrueNegatives(), [[0], [0]], [[nan], [0.1]], 1],
  ['AUC', () => new AUC({ numThresholds: 3 }), [0, 0, 1, 1], [nan, nan, nan, nan], 0],
  [
    'F1',
    () => new F1Score({ average: 'micro' }),
    hot,
    [
      [nan, 0, 0],
      [nan, 1, 0],
    ],
    0,
  ],
];

test.each(CASES)('%s', async (_, make, y, p, expected) => {
  const eager = make();
  eager.updateState(y, tensor(p));
  expect(eager.result().item()).toBeCloseTo(expected, 5);
  const metric = make();
  const step = jit((a: Tensor, b: Tensor) => {
    metric.updateState(a, b);
    return metric.result();
  });
  expect((await step(tensor(y), tensor(p))).item()).toBeCloseTo(expected, 5);
  step.dispose();
});

test('an index that is no class is no hit', () => {
  const metric = new SparseTopKCategoricalAccuracy({ k: 3 });
  metric.updateState(
    [-1, 3, 1],
    tensor([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ]),
  );
  expect(metric.result().item()).toBeCloseTo(1 / 3, 6);
});
