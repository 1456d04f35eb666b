import { tensor } from '@recurra/tensor';
import * as lossClasses from '../losses/classes.js';
import * as classes from './classes.js';
import * as classesByOptions from './classes-by-options.js';
import { deserializeMetric, resolveMetric, serializeMetric } from './extend.js';
import { Metric, type MetricName } from './index.js';

/** All names, written out: their types follow from the classes. */
const NAMES: Record<Exclude<MetricName, 'accuracy' | 'acc'>, string> = {
  binaryAccuracy: 'BinaryAccuracy',
  categoricalAccuracy: 'CategoricalAccuracy',
  sparseCategoricalAccuracy: 'SparseCategoricalAccuracy',
  topKCategoricalAccuracy: 'TopKCategoricalAccuracy',
  sparseTopKCategoricalAccuracy: 'SparseTopKCategoricalAccuracy',
  precision: 'Precision',
  recall: 'Recall',
  auc: 'AUC',
  f1Score: 'F1Score',
  fbetaScore: 'FBetaScore',
  truePositives: 'TruePositives',
  trueNegatives: 'TrueNegatives',
  falsePositives: 'FalsePositives',
  falseNegatives: 'FalseNegatives',
  binaryIoU: 'BinaryIoU',
  meanSquaredError: 'MeanSquaredError',
  meanAbsoluteError: 'MeanAbsoluteError',
  meanAbsolutePercentageError: 'MeanAbsolutePercentageError',
  meanSquaredLogarithmicError: 'MeanSquaredLogarithmicError',
  rootMeanSquaredError: 'RootMeanSquaredError',
  cosineSimilarity: 'CosineSimilarity',
  logCosh: 'LogCoshError',
  logCoshError: 'LogCoshError',
  r2Score: 'R2Score',
  pearsonCorrelation: 'PearsonCorrelation',
  concordanceCorrelation: 'ConcordanceCorrelation',
  binaryCrossentropy: 'BinaryCrossentropy',
  categoricalCrossentropy: 'CategoricalCrossentropy',
  sparseCategoricalCrossentropy: 'SparseCategoricalCrossentropy',
  klDivergence: 'KLDivergence',
  poisson: 'Poisson',
  perplexity: 'Perplexity',
  hinge: 'Hinge',
  squaredHinge: 'SquaredHinge',
  categoricalHinge: 'CategoricalHinge',
  bce: 'BinaryCrossentropy',
  kld: 'KLDivergence',
  mae: 'MeanAbsoluteError',
  mape: 'MeanAbsolutePercentageError',
  mse: 'MeanSquaredError',
  msle: 'MeanSquaredLogarithmicError',
};
const y = tensor([[1, 0]]);
const isMetric = (value: unknown): boolean => typeof value === 'function' && value.prototype instanceof Metric;

test.each(Object.entries(NAMES))('%s is %s, called so in the logs, and made again from data', (name, className) => {
  const metric = resolveMetric(name as MetricName, y, y);
  expect([metric.className, metric.name]).toEqual([className, name]);
  expect(serializeMetric(deserializeMetric(serializeMetric(metric)))).toEqual(serializeMetric(metric));
});

test('every class that stands in the registry has a name, and no other has one', () => {
  const named = new Set(Object.values(NAMES));
  const found = Object.values(classes).flatMap((Class) =>
    isMetric(Class) ? [new (Class as new () => Metric)().className] : [],
  );
  expect(found.sort()).toEqual([...named].sort());
  for (const name of Object.keys(classesByOptions).filter((key) => key !== 'Accuracy'))
    expect(() => resolveMetric(name as MetricName, y, y)).toThrow(/metric: expected one of accuracy, acc, auc/);
});

test('exported functions go where their metric goes, and losses down', () => {
  const directions = Object.entries({ ...lossClasses, ...classes }).flatMap(([name, f]) =>
    isMetric(f) || /^[A-Z]/.test(name) ? [] : [[name, resolveMetric(f as never, y, y).direction] as const],
  );
  const up = directions.filter(([, direction]) => direction === 'up').map(([name]) => name);
  expect(up.sort()).toEqual(
    [
      ...['accuracy', 'binaryAccuracy', 'categoricalAccuracy', 'concordanceCorrelation', 'cosineSimilarity'],
      ...[
        'pearsonCorrelation',
        'sparseCategoricalAccuracy',
        'sparseTopKCategoricalAccuracy',
        'topKCategoricalAccuracy',
      ],
    ].sort(),
  );
  expect(directions.every(([, direction]) => direction !== null)).toBe(true);
  expect(directions.length - up.length).toBe(21);
  expect(resolveMetric((a) => a, y, y).direction).toBeNull();
});
