import { vjp } from '@recurra/autograd';
import type { Tensor } from '@recurra/tensor';
import { isFloating } from '@recurra/tensor/extend';

/** The gradients of f for the inputs that are floating, `null` for the others: how a gradient by a kernel is differentiated once more. */
export function pullbackOf(
  f: (inputs: Tensor[]) => Tensor[],
  inputs: readonly Tensor[],
  cotangents: readonly Tensor[],
): (Tensor | null)[] {
  const floating = inputs.flatMap((t, i) => (isFloating(t.dtype) ? [i] : []));
  const { pullback } = vjp(
    (own: Tensor[]) => f(inputs.map((t, i) => (floating.includes(i) ? own[floating.indexOf(i)]! : t))),
    floating.map((i) => inputs[i]!),
  );
  const [gradients] = pullback([...cotangents]);
  return inputs.map((_, i) => (floating.includes(i) ? gradients[floating.indexOf(i)]! : null));
}
