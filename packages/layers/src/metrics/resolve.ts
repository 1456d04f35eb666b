import { camelCase, type SnakeCase, type Tensor, ValueError } from '@recurra/tensor';
import type { LossName } from '../losses.js';
import * as accuracy from './accuracy.js';
import { AUC, FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives } from './confusion.js';
import { MeanMetricWrapper, Metric } from './metric.js';
import * as regression from './regression.js';

/** Names of metrics: those of the losses, whose mean they are, and their own. */
export type MetricName =
  | Exclude<LossName, 'huber'>
  | 'accuracy'
  | 'acc'
  | 'binaryAccuracy'
  | 'categoricalAccuracy'
  | 'sparseCategoricalAccuracy'
  | 'topKCategoricalAccuracy'
  | 'sparseTopKCategoricalAccuracy'
  | 'precision'
  | 'recall'
  | 'auc'
  | 'rootMeanSquaredError'
  | 'truePositives'
  | 'trueNegatives'
  | 'falsePositives'
  | 'falseNegatives';

/** A metric by name (camelCase or snake_case), one with options, or a function of targets and predictions. */
export type MetricIdentifier = MetricName | SnakeCase<MetricName> | Metric | ((yTrue: Tensor, yPred: Tensor) => Tensor);

const BY_NAME: Record<Exclude<MetricName, 'accuracy' | 'acc'>, (name: string) => Metric> = {
  binaryAccuracy: (name) => new accuracy.BinaryAccuracy({ name }),
  categoricalAccuracy: (name) => new accuracy.CategoricalAccuracy({ name }),
  sparseCategoricalAccuracy: (name) => new accuracy.SparseCategoricalAccuracy({ name }),
  topKCategoricalAccuracy: (name) => new accuracy.TopKCategoricalAccuracy({ name }),
  sparseTopKCategoricalAccuracy: (name) => new accuracy.SparseTopKCategoricalAccuracy({ name }),
  precision: (name) => new Precision({ name }),
  recall: (name) => new Recall({ name }),
  auc: (name) => new AUC({ name }),
  meanSquaredError: (name) => new regression.MeanSquaredErrorMetric({ name }),
  meanAbsoluteError: (name) => new regression.MeanAbsoluteErrorMetric({ name }),
  mse: (name) => new regression.MeanSquaredErrorMetric({ name }),
  mae: (name) => new regression.MeanAbsoluteErrorMetric({ name }),
  binaryCrossentropy: (name) => new regression.BinaryCrossentropyMetric({ name }),
  categoricalCrossentropy: (name) => new regression.CategoricalCrossentropyMetric({ name }),
  sparseCategoricalCrossentropy: (name) => new regression.SparseCategoricalCrossentropyMetric({ name }),
  rootMeanSquaredError: (name) => new regression.RootMeanSquaredError({ name }),
  meanAbsolutePercentageError: (name) => new regression.MeanAbsolutePercentageErrorMetric({ name }),
  meanSquaredLogarithmicError: (name) => new regression.MeanSquaredLogarithmicErrorMetric({ name }),
  cosineSimilarity: (name) => new regression.CosineSimilarityMetric({ name }),
  logCosh: (name) => new regression.LogCoshError({ name }),
  hinge: (name) => new regression.HingeMetric({ name }),
  squaredHinge: (name) => new regression.SquaredHingeMetric({ name }),
  categoricalHinge: (name) => new regression.CategoricalHingeMetric({ name }),
  klDivergence: (name) => new regression.KLDivergenceMetric({ name }),
  poisson: (name) => new regression.PoissonMetric({ name }),
  truePositives: (name) => new TruePositives({ name }),
  trueNegatives: (name) => new TrueNegatives({ name }),
  falsePositives: (name) => new FalsePositives({ name }),
  falseNegatives: (name) => new FalseNegatives({ name }),
};

/**
 * The metric that an identifier names. 'accuracy' is binary, categorical or sparse, by the shapes of targets and
 * predictions. Throws `ValueError` with the known names.
 */
export function resolveMetric(identifier: MetricIdentifier, yTrue: Tensor, yPred: Tensor): Metric {
  if (identifier instanceof Metric) return identifier;
  if (typeof identifier === 'function') return new MeanMetricWrapper(identifier);
  const name = camelCase(identifier);
  if (name === 'accuracy' || name === 'acc') {
    const width = yPred.shape[yPred.rank - 1];
    if (yPred.rank < 2 || width === 1) return new accuracy.BinaryAccuracy({ name });
    const sparse = yTrue.rank < yPred.rank || (yTrue.shape[yTrue.rank - 1] === 1 && width !== 1);
    return sparse ? new accuracy.SparseCategoricalAccuracy({ name }) : new accuracy.CategoricalAccuracy({ name });
  }
  const make = BY_NAME[name as keyof typeof BY_NAME];
  if (!make)
    throw new ValueError(
      `metric: expected one of accuracy, ${Object.keys(BY_NAME).join(', ')} or a Metric, received "${identifier}"`,
    );
  return make(name);
}
