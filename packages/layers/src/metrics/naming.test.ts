import type { Tensor } from '@recurra/tensor';
import { findLogName, nameMetrics, prefixed } from './extend.js';
import { BinaryAccuracy, MeanMetricWrapper, Precision, Recall } from './index.js';

const named = (...metrics: ConstructorParameters<typeof Precision>[0][]): string[] => [
  ...nameMetrics(metrics.map((options) => ({ metric: new Precision(options) }))).keys(),
];

test('metrics of one class are numbered, as in Keras', () => {
  expect(named({ classId: 0 }, { classId: 1 }, { classId: 2 })).toEqual(['precision', 'precision_1', 'precision_2']);
});

test('a number never meets a name that someone gave', () => {
  expect(named({}, {}, { name: 'precision_1' })).toEqual(['precision', 'precision_2', 'precision_1']);
  expect(named({ name: 'precision_1' }, {}, {})).toEqual(['precision_1', 'precision', 'precision_2']);
});

test('no metric takes the name of the loss, nor one of validation', () => {
  // valLoss_1 is what loss_1 is called in validation.
  expect(named({ name: 'loss' }, { name: 'valLoss' })).toEqual(['loss_1', 'valLoss_2']);
  expect(named({ name: 'a' }, { name: 'valA' })).toEqual(['a', 'valA_1']);
  expect(named({ name: 'valA' }, { name: 'a' })).toEqual(['valA', 'a_1']);
});

test('weighted metrics and those of outputs', () => {
  const accuracy = new BinaryAccuracy({ name: 'accuracy' });
  const names = nameMetrics([
    { metric: accuracy },
    { metric: accuracy, weighted: true },
    { metric: accuracy, weighted: true },
    { metric: new Recall(), weighted: true },
    { metric: accuracy, output: 'title' },
    { metric: accuracy, output: 'title', weighted: true },
  ]);
  expect([...names.keys()]).toEqual([
    'accuracy',
    'weightedAccuracy',
    'weightedAccuracy_1',
    'recall',
    'titleAccuracy',
    'titleWeightedAccuracy',
  ]);
  expect(nameMetrics([{ metric: accuracy }], ['loss', 'accuracy']).has('accuracy_1')).toBe(true);
});

test('functions: by their name, and without one "metric"', () => {
  const meanPrediction = (_: Tensor, p: Tensor): Tensor => p;
  const list = [
    new MeanMetricWrapper(meanPrediction),
    ...[0, 1].map(
      () =>
        new MeanMetricWrapper(
          (
            () => (_, p) =>
              p
          )(),
        ),
    ),
  ];
  expect([...nameMetrics(list.map((metric) => ({ metric }))).keys()]).toEqual(['meanPrediction', 'metric', 'metric_1']);
});

test("names of logs are found in Keras' spelling", () => {
  const logs = ['loss', 'valLoss', 'valPrecision_1', 'my_metric', 'f1Score'];
  expect(findLogName('val_loss', logs)).toBe('valLoss');
  expect(findLogName('val_precision_1', logs)).toBe('valPrecision_1');
  expect(findLogName('my_metric', logs)).toBe('my_metric');
  expect(findLogName('f1_score', logs)).toBe('f1Score');
  expect(findLogName('accuracy', logs)).toBeUndefined();
  expect(prefixed('val', 'loss')).toBe('valLoss');
});
