import { treeLeaves } from '@recurra/autograd';
import type { DType, Tensor } from '@recurra/tensor';
import { isFloating, promoteTypes, toFloating } from '@recurra/tensor/extend';

/**
 * The dtype that a cell computes in: that of its floating-point parameters (the widest, where they differ), as in Keras, whatever its
 * inputs have. Without such parameters that of the inputs; `float32` where these are integers or booleans.
 */
export function computeDType(params: unknown, inputs: Tensor): DType {
  const floating = treeLeaves(params).flatMap(({ dtype }) => (isFloating(dtype) ? [dtype] : []));
  return floating.length > 0 ? floating.reduce<DType>(promoteTypes, 'bool') : toFloating(inputs.dtype);
}
