import { type Tensor, ValueError } from '@recurra/tensor';
import { knownName, lookupByName, type SnakeCase } from '@recurra/tensor/extend';
import * as losses from '../losses/index.js';
import * as accuracy from './accuracy.js';
import { AUC } from './auc.js';
import * as correlation from './correlation.js';
import * as counting from './counting.js';
import { F1Score, FBetaScore } from './fscore.js';
import * as hinges from './hinge.js';
import * as iou from './iou.js';
import { Mean, MeanMetricWrapper, Sum } from './mean.js';
import { type Direction, Metric, type MetricConfig } from './metric.js';
import * as point from './operating-point.js';
import { Perplexity } from './perplexity.js';
import { Precision, Recall } from './precision-recall.js';
import * as probabilistic from './probabilistic.js';
import { R2Score } from './r2.js';
import * as regression from './regression.js';

/** Names of metrics: those of the losses, whose mean they are, and their own. */
export type MetricName =
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
  | 'f1Score'
  | 'fbetaScore'
  | 'truePositives'
  | 'trueNegatives'
  | 'falsePositives'
  | 'falseNegatives'
  | 'binaryIoU'
  | 'meanSquaredError'
  | 'meanAbsoluteError'
  | 'meanAbsolutePercentageError'
  | 'meanSquaredLogarithmicError'
  | 'rootMeanSquaredError'
  | 'cosineSimilarity'
  | 'logCosh'
  | 'logCoshError'
  | 'r2Score'
  | 'pearsonCorrelation'
  | 'concordanceCorrelation'
  | 'binaryCrossentropy'
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'klDivergence'
  | 'poisson'
  | 'perplexity'
  | 'hinge'
  | 'squaredHinge'
  | 'categoricalHinge'
  | 'bce'
  | 'kld'
  | 'mae'
  | 'mape'
  | 'mse'
  | 'msle';

/** The metrics that can be made without options, by name. */
const NAMED: Readonly<Record<Exclude<MetricName, 'accuracy' | 'acc'>, new (options: { name?: string }) => Metric>> = {
  binaryAccuracy: accuracy.BinaryAccuracy,
  categoricalAccuracy: accuracy.CategoricalAccuracy,
  sparseCategoricalAccuracy: accuracy.SparseCategoricalAccuracy,
  topKCategoricalAccuracy: accuracy.TopKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy: accuracy.SparseTopKCategoricalAccuracy,
  precision: Precision,
  recall: Recall,
  auc: AUC,
  f1Score: F1Score,
  fbetaScore: FBetaScore,
  truePositives: counting.TruePositives,
  trueNegatives: counting.TrueNegatives,
  falsePositives: counting.FalsePositives,
  falseNegatives: counting.FalseNegatives,
  binaryIoU: iou.BinaryIoU,
  meanSquaredError: regression.MeanSquaredErrorMetric,
  meanAbsoluteError: regression.MeanAbsoluteErrorMetric,
  meanAbsolutePercentageError: regression.MeanAbsolutePercentageErrorMetric,
  meanSquaredLogarithmicError: regression.MeanSquaredLogarithmicErrorMetric,
  rootMeanSquaredError: regression.RootMeanSquaredError,
  cosineSimilarity: regression.CosineSimilarityMetric,
  logCosh: regression.LogCoshError,
  logCoshError: regression.LogCoshError,
  r2Score: R2Score,
  pearsonCorrelation: correlation.PearsonCorrelation,
  concordanceCorrelation: correlation.ConcordanceCorrelation,
  binaryCrossentropy: probabilistic.BinaryCrossentropyMetric,
  categoricalCrossentropy: probabilistic.CategoricalCrossentropyMetric,
  sparseCategoricalCrossentropy: probabilistic.SparseCategoricalCrossentropyMetric,
  klDivergence: probabilistic.KLDivergenceMetric,
  poisson: probabilistic.PoissonMetric,
  perplexity: Perplexity,
  hinge: hinges.HingeMetric,
  squaredHinge: hinges.SquaredHingeMetric,
  categoricalHinge: hinges.CategoricalHingeMetric,
  bce: probabilistic.BinaryCrossentropyMetric,
  kld: probabilistic.KLDivergenceMetric,
  mae: regression.MeanAbsoluteErrorMetric,
  mape: regression.MeanAbsolutePercentageErrorMetric,
  mse: regression.MeanSquaredErrorMetric,
  msle: regression.MeanSquaredLogarithmicErrorMetric,
};

/** Those that need options, by Keras' names of their classes: for {@link deserializeMetric} alone. */
const WITH_OPTIONS = {
  Accuracy: accuracy.Accuracy,
  Mean,
  Sum,
  SensitivityAtSpecificity: point.SensitivityAtSpecificity,
  SpecificityAtSensitivity: point.SpecificityAtSensitivity,
  PrecisionAtRecall: point.PrecisionAtRecall,
  RecallAtPrecision: point.RecallAtPrecision,
  IoU: iou.IoU,
  MeanIoU: iou.MeanIoU,
  OneHotIoU: iou.OneHotIoU,
  OneHotMeanIoU: iou.OneHotMeanIoU,
};

/** A metric as data: Keras' name of its class, and its options. */
export interface SerializedMetric {
  readonly className: string;
  readonly config: MetricConfig;
}

/**
 * A metric by name (camelCase, snake_case or Keras' name of the class), one with options, one as data, or a function of targets and
 * predictions.
 */
export type MetricIdentifier =
  | MetricName
  | SnakeCase<MetricName>
  | Metric
  | SerializedMetric
  | ((yTrue: Tensor, yPred: Tensor) => Tensor);

type MetricClass = (new (
  options: object,
) => Metric) & { fromConfig(config: Readonly<Record<string, unknown>>): Metric };

/** What exported functions say of themselves: a function has no property for it. */
const DIRECTIONS: ReadonlyMap<unknown, Direction> = new Map<unknown, Direction>([
  [accuracy.accuracy, 'up'],
  [accuracy.binaryAccuracy, 'up'],
  [accuracy.categoricalAccuracy, 'up'],
  [accuracy.sparseCategoricalAccuracy, 'up'],
  [accuracy.topKCategoricalAccuracy, 'up'],
  [accuracy.sparseTopKCategoricalAccuracy, 'up'],
  [correlation.pearsonCorrelation, 'up'],
  [correlation.concordanceCorrelation, 'up'],
  [losses.cosineSimilarity, 'up'],
  ...[
    losses.meanSquaredError,
    losses.meanAbsoluteError,
    losses.meanAbsolutePercentageError,
    losses.meanSquaredLogarithmicError,
    losses.huber,
    losses.logCosh,
    losses.hinge,
    losses.squaredHinge,
    losses.categoricalHinge,
    losses.klDivergence,
    losses.poisson,
    losses.binaryCrossentropy,
    losses.categoricalCrossentropy,
    losses.sparseCategoricalCrossentropy,
    losses.binaryFocalCrossentropy,
    losses.categoricalFocalCrossentropy,
    losses.categoricalGeneralizedCrossEntropy,
    losses.dice,
    losses.tversky,
    losses.circle,
    losses.ctc,
  ].map((f): [unknown, Direction] => [f, 'down']),
]);

/** Which accuracy 'accuracy' means, by the shapes (Keras). */
function accuracyFor(yTrue: Tensor, yPred: Tensor, name: string): Metric {
  const width = yPred.shape[yPred.rank - 1];
  if (yPred.rank < 2 || width === 1) return new accuracy.BinaryAccuracy({ name });
  const sparse = yTrue.rank < yPred.rank || yTrue.shape[yTrue.rank - 1] === 1;
  return sparse ? new accuracy.SparseCategoricalAccuracy({ name }) : new accuracy.CategoricalAccuracy({ name });
}

/**
 * The metric that an identifier names. 'accuracy' is binary, categorical or sparse, by the shapes of targets and predictions. Throws
 * `ValueError` with the known names, also for a class in place of a metric.
 */
export function resolveMetric(identifier: MetricIdentifier, yTrue: Tensor, yPred: Tensor): Metric {
  if (identifier instanceof Metric) return identifier;
  if (typeof identifier === 'function') {
    if (identifier.prototype instanceof Metric)
      throw new ValueError(
        `metric: expected a Metric, received its class ${identifier.name}. Write new ${identifier.name}().`,
      );
    // The functions of this package take options as a third argument: what is passed on are targets and predictions alone.
    return new MeanMetricWrapper(identifier, { direction: DIRECTIONS.get(identifier) ?? null });
  }
  if (typeof identifier === 'object' && identifier !== null && typeof identifier.className === 'string')
    return deserializeMetric(identifier);
  const known = knownName(['accuracy', 'acc', ...Object.keys(NAMED)], identifier, 'metric', 'or a Metric');
  if (known === 'accuracy' || known === 'acc') return accuracyFor(yTrue, yPred, known);
  return new (NAMED as Readonly<Record<string, new (options: { name?: string }) => Metric>>)[known]!({ name: known });
}

/** A metric as data, that {@link resolveMetric} and {@link deserializeMetric} read. Throws `ValueError` for functions. */
export function serializeMetric(metric: Metric): SerializedMetric {
  return { className: metric.className, config: metric.getConfig() };
}

/** The metric that {@link serializeMetric} wrote. Throws `ValueError` for an unknown class. */
export function deserializeMetric({ className, config }: SerializedMetric): Metric {
  const Class = lookupByName<unknown>({ ...NAMED, ...WITH_OPTIONS }, className, 'metric class') as MetricClass;
  return Class.fromConfig(config ?? {});
}
