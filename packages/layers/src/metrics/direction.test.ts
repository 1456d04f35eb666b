import type { Tensor } from '@recurra/tensor';
import { tensor } from '@recurra/tensor';
import { MeanSquaredError } from '../losses/index.js';
import { directionOf, nameMetrics, resolveMetric } from './extend.js';
import { AUC, CosineSimilarityMetric, Mean, MeanMetricWrapper, MeanSquaredErrorMetric, Precision } from './index.js';

const own = (_: Tensor, p: Tensor): Tensor => p;
const metrics = nameMetrics(
  [
    new CosineSimilarityMetric(),
    new AUC(),
    new MeanSquaredErrorMetric(),
    new Precision({ thresholds: [0.2, 0.8] }),
    new Precision(),
    new Mean(),
    new MeanMetricWrapper(own),
    new MeanMetricWrapper(own, { name: 'gain', direction: 'up' }),
  ].map((metric) => ({ metric })),
);

test.each([
  ['loss', 'down'],
  ['val_loss', 'down'],
  ['cosineSimilarity', 'up'],
  ['valCosineSimilarity', 'up'],
  ['val_cosine_similarity', 'up'],
  ['auc', 'up'],
  ['valMeanSquaredError', 'down'],
  ['precision_1', 'up'],
  ['val_precision_1', 'up'],
  ['precision0', 'up'],
  ['valPrecision1', 'up'],
  ['gain', 'up'],
])('%s goes %s', (monitor, direction) => {
  expect(directionOf(monitor, metrics)).toBe(direction);
});

test.each(['mean', 'own', 'valOwn', 'learningRate', 'valAccuracy', 'constructor'])('%s needs mode', (monitor) => {
  expect(() => directionOf(monitor, metrics, 'EarlyStopping')).toThrow(
    /^EarlyStopping: expected mode 'min' or 'max'.*Give mode/,
  );
});

test('losses of outputs go down', () => {
  expect(directionOf('valTitleLoss', new Map([['titleLoss', new MeanSquaredError()]]))).toBe('down');
});

test('functions of this package say which way is better', () => {
  const p = tensor([[1]]);
  const mse = (name: string) => resolveMetric(name as 'mse', p, p).direction;
  expect([mse('mse'), mse('accuracy'), mse('auc'), mse('falsePositives'), mse('perplexity')]).toEqual([
    'down',
    'up',
    'up',
    'down',
    'down',
  ]);
});
