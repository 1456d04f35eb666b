import * as layers from '@recurra/layers';
import { camelCase, type Tensor } from '@recurra/tensor';
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
export async function replayMetric(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const Class = METRICS[c['config'].class_name];
  if (!Class) return false;
  const metric = new Class(
    Object.fromEntries(Object.entries<Json>(c['config'].arguments).map(([k, v]) => [camelCase(k), v])),
  );
  for (const [i, { inputs, result }] of (c['updates'] as Json[]).entries()) {
    const found = await comparison.run(
      (a: Tensor, b: Tensor | null, sampleWeight: Tensor | null) => {
        metric.updateState(a, b ?? [], { sampleWeight });
        return metric.result();
      },
      toTensor(inputs.values ?? inputs.y_true),
      inputs.values ? null : toTensor(inputs.y_pred),
      inputs.sample_weight ? toTensor(inputs.sample_weight) : null,
    );
    comparison.tensor(`result after update ${i + 1}`, found, result, TOLERANCES.reduction);
  }
  (c['state'] as GoldenWeight[]).forEach((expected, i) => {
    comparison.tensor(`state ${expected.name}`, metric.variables[i]?.value, expected, TOLERANCES.reduction);
  });
  metric.resetState();
  if (typeof c['result_after_reset'] === 'object')
    comparison.tensor('result after reset', metric.result(), c['result_after_reset'], TOLERANCES.reduction);
  return true;
}
