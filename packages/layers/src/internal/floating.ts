import type { DType, Tensor } from '@recurra/tensor';
import { isFloating } from '@recurra/tensor/extend';

/** Integers and booleans as `dtype`; what is floating stays. */
export function floating(x: Tensor, dtype: DType = 'float32'): Tensor {
  return isFloating(x.dtype) ? x : x.cast(dtype);
}
