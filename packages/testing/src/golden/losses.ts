import { vjp } from '@recurra/autograd';
import * as layers from '@recurra/layers';
import { resolveLoss } from '@recurra/layers/extend';
import type { Tensor } from '@recurra/tensor';
import { camelCase } from '@recurra/tensor/extend';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Keras' options in camelCase; of their values, those that name something too (not those of `keep`). */
export function optionsOf(config: Record<string, Json>, keep: readonly string[] = []): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      camelCase(key),
      typeof value === 'string' && !keep.includes(key) ? camelCase(value) : value,
    ]),
  );
}

/** Options that Keras' `get_config` leaves out, so that its copies lose them; here they are written. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  SparseCategoricalCrossentropy: ['axis'],
  CosineSimilarity: ['axis'],
  Huber: ['delta'],
  SparseTopKCategoricalAccuracy: ['fromSortedIds'],
  AUC: ['thresholds'],
};

/** Compares an object's configuration with Keras', and with that of the object made from it. */
export function compareConfig(
  comparison: Comparison,
  object: { readonly className: string; getConfig(): Readonly<Record<string, unknown>> },
  golden: Record<string, Json>,
): void {
  const sorted = (config: Readonly<Record<string, unknown>>): [string, unknown][] =>
    Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  const ours = object.getConfig();
  const expected = optionsOf(golden, ['curve']);
  const more = LEFT_OUT[object.className] ?? [];
  const written = Object.fromEntries(
    Object.entries(ours).filter(([key]) => Object.hasOwn(expected, key) || !more.includes(key)),
  );
  comparison.equal('config', sorted(written), sorted(expected));
  const Class = object.constructor as unknown as { fromConfig(config: unknown): typeof object };
  comparison.equal('config of the copy', sorted(Class.fromConfig(ours).getConfig()), sorted(ours));
}

/** Replays one case of the area `losses`: configuration, value, and gradient for the predictions. */
export async function replayLoss(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const { class_name: className, config, arguments: given } = c['config'];
  if (!Object.values(layers.losses).some((Class) => new Class().className === className)) return false;
  const loss = resolveLoss({ className, config: optionsOf(given) as layers.LossConfig });
  compareConfig(comparison, loss, config);
  const { y_true: yTrue, y_pred: yPred, sample_weight: weight, mask } = c['inputs'];
  const { value, gradient } = await comparison.run(
    (target: Tensor, prediction: Tensor, sampleWeight: Tensor | null, valid: Tensor | null, cotangent: Tensor) => {
      const { value, pullback } = vjp((p: Tensor) => loss.apply(target, p, { sampleWeight, mask: valid }), prediction);
      return { value, gradient: pullback(cotangent)[0] };
    },
    toTensor(yTrue),
    toTensor(yPred),
    weight ? toTensor(weight) : null,
    mask ? toTensor(mask) : null,
    toTensor(c['gradients'].cotangent.out),
  );
  comparison.tensor('out', value, c['outputs'].out, TOLERANCES.reduction);
  comparison.tensor('gradient of y_pred', gradient, c['gradients'].inputs.y_pred, TOLERANCES.reduction);
  return true;
}
