import { vjp } from '@recurra/autograd';
import * as layers from '@recurra/layers';
import { camelCase, type Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Replays one case of the area `losses`: value, and gradient for the predictions. */
export function replayLoss(c: GoldenCase, comparison: Comparison): boolean {
  const Class = Object.entries(layers).find(([k]) => k === c['config'].class_name)?.[1] as
    | (new (
        o: Json,
      ) => layers.Loss)
    | undefined;
  if (!Class || !(Class.prototype instanceof layers.Loss)) return false;
  const options = Object.fromEntries(Object.entries<Json>(c['config'].arguments).map(([k, v]) => [camelCase(k), v]));
  const loss = new Class(options);
  const { y_true: yTrue, y_pred: yPred, sample_weight: weight, mask } = c['inputs'];
  const target = toTensor(yTrue);
  const { value, pullback } = vjp(
    (p: Tensor) =>
      loss.apply(target, p, { sampleWeight: weight ? toTensor(weight) : null, mask: mask ? toTensor(mask) : null }),
    toTensor(yPred),
  );
  comparison.tensor('out', value, c['outputs'].out, TOLERANCES.reduction);
  const [gradient] = pullback(toTensor(c['gradients'].cotangent.out));
  comparison.tensor('gradient of y_pred', gradient, c['gradients'].inputs.y_pred, TOLERANCES.reduction);
  return true;
}
