import * as layers from '@recurra/layers';
import { camelCase } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, type GoldenWeight, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Metrics that exist here, by Keras' names. */
const METRICS: Record<string, new (o: Json) => layers.Metric> = {
  Accuracy: layers.Accuracy,
  BinaryAccuracy: layers.BinaryAccuracy,
  CategoricalAccuracy: layers.CategoricalAccuracy,
  SparseCategoricalAccuracy: layers.SparseCategoricalAccuracy,
  TopKCategoricalAccuracy: layers.TopKCategoricalAccuracy,
  SparseTopKCategoricalAccuracy: layers.SparseTopKCategoricalAccuracy,
  Precision: layers.Precision,
  Recall: layers.Recall,
  AUC: layers.AUC,
  MeanSquaredError: layers.MeanSquaredErrorMetric,
  MeanAbsoluteError: layers.MeanAbsoluteErrorMetric,
  BinaryCrossentropy: layers.BinaryCrossentropyMetric,
  CategoricalCrossentropy: layers.CategoricalCrossentropyMetric,
  SparseCategoricalCrossentropy: layers.SparseCategoricalCrossentropyMetric,
  RootMeanSquaredError: layers.RootMeanSquaredError,
  MeanAbsolutePercentageError: layers.MeanAbsolutePercentageErrorMetric,
  MeanSquaredLogarithmicError: layers.MeanSquaredLogarithmicErrorMetric,
  CosineSimilarity: layers.CosineSimilarityMetric,
  LogCoshError: layers.LogCoshError,
  Hinge: layers.HingeMetric,
  SquaredHinge: layers.SquaredHingeMetric,
  CategoricalHinge: layers.CategoricalHingeMetric,
  KLDivergence: layers.KLDivergenceMetric,
  Poisson: layers.PoissonMetric,
  TruePositives: layers.TruePositives,
  TrueNegatives: layers.TrueNegatives,
  FalsePositives: layers.FalsePositives,
  FalseNegatives: layers.FalseNegatives,
  Mean: layers.Mean,
  Sum: layers.Sum,
};

/** Replays one case of the area `metrics`. */
export function replayMetric(c: GoldenCase, comparison: Comparison): boolean {
  const Class = METRICS[c['config'].class_name];
  if (!Class) return false;
  const metric = new Class(
    Object.fromEntries(Object.entries<Json>(c['config'].arguments).map(([k, v]) => [camelCase(k), v])),
  );
  (c['updates'] as Json[]).forEach(({ inputs, result }, i) => {
    const sampleWeight = inputs.sample_weight ? toTensor(inputs.sample_weight) : null;
    if (inputs.values) metric.updateState(toTensor(inputs.values), [], { sampleWeight });
    else metric.updateState(toTensor(inputs.y_true), toTensor(inputs.y_pred), { sampleWeight });
    comparison.tensor(`result after update ${i + 1}`, metric.result(), result, TOLERANCES.reduction);
  });
  (c['state'] as GoldenWeight[]).forEach((expected, i) => {
    comparison.tensor(`state ${expected.name}`, metric.variables[i]?.value, expected, TOLERANCES.reduction);
  });
  metric.resetState();
  if (typeof c['result_after_reset'] === 'object')
    comparison.tensor('result after reset', metric.result(), c['result_after_reset'], TOLERANCES.reduction);
  return true;
}
