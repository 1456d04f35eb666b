import { vjp } from '@recurra/autograd';
import * as layers from '@recurra/layers';
import { camelCase, type Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, toTensor } from './format.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/** Replays one case of the area `losses`: value, and gradient for the predictions. */
export async function replayLoss(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const Class = Object.entries(layers).find(([k]) => k === c['config'].class_name)?.[1] as
    | (new (
        o: Json,
      ) => layers.Loss)
    | undefined;
  if (!Class || !(Class.prototype instanceof layers.Loss)) return false;
  const options = Object.fromEntries(Object.entries<Json>(c['config'].arguments).map(([k, v]) => [camelCase(k), v]));
  const loss = new Class(options);
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
