import { ValueError } from '../errors.js';
import { checkedIndices } from '../primitives/checked-indices.js';
import { asTensor, bind, type Tensor, type TensorLike } from '../tensor.js';

/**
 * Ids (of words, classes, segments) as int32: whole numbers in 0..count-1, whatever their dtype. Throws `ValueError` for any other
 * (negative, fractional, NaN, too large), named with `operation`; where the ids are computed inside of a compiled step, the step throws.
 */
export function checkIds(x: TensorLike, count: number, operation: string): Tensor {
  return check(x, [count], false, operation);
}

/**
 * Index tuples along the last axis as int32 places, each within its size; negative ones count from the end (NumPy). Throws
 * `ValueError` beyond that, in compiled steps too.
 */
export function checkIndexTuples(x: TensorLike, sizes: readonly number[], operation: string): Tensor {
  return sizes.length === 0 ? asTensor(x, 'int32') : check(x, sizes, true, operation);
}

function check(x: TensorLike, sizes: readonly number[], negative: boolean, operation: string): Tensor {
  if (sizes.some((size) => !(Number.isInteger(size) && size >= 0)))
    throw new ValueError(`${operation}: expected sizes that are integers >= 0, received ${sizes.join(', ')}`);
  return bind(checkedIndices, [asTensor(x)], { sizes, negative, operation })[0]!;
}
