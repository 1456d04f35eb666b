import type * as layers from '@recurra/layers';
import { deserializeMetric } from '@recurra/layers/extend';
import type { Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, type GoldenWeight, toTensor } from './format.js';
import { compareConfig, optionsOf } from './losses.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** The metric of a case, or `null` where there is no such class yet. */
function metricOf(className: string, config: Record<string, Json>): layers.Metric | null {
  try {
    return deserializeMetric({ className, config: config as layers.MetricConfig });
  } catch (error) {
    if (error instanceof Error && error.message.includes('metric class: expected one of')) return null;
    throw error;
  }
}

/** Replays one case of the area `metrics`: configuration, results after each update, and state. */
export async function replayMetric(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const { class_name: className, config, arguments: given } = c['config'];
  const metric = metricOf(className, optionsOf(given, ['curve']));
  if (!metric) return false;
  compareConfig(comparison, metric, config);
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
