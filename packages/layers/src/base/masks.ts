import { Tensor } from '@recurra/tensor';

/**
 * Masks go beside tensors: this table says which mask (bool, the leading axes of its tensor) belongs to a tensor that a layer gave, so that the next
 * layer finds it, in a chain, in a graph and in a `call` written by hand alike. Tensors stay plain values; an entry goes with its tensor.
 */
const table = new WeakMap<Tensor, Tensor>();

/** The mask that a tensor has from the layer that made it. Keras `tensor._keras_mask`. */
export function maskOf(x: Tensor): Tensor | null {
  return table.get(x) ?? null;
}

/** The tensor with this mask (or none). A tensor that has another one is left as it is: then it is a new tensor of the same elements. */
export function withMask(x: Tensor, mask: Tensor | null): Tensor {
  const known = table.get(x) ?? null;
  if (known === mask) return x;
  const result = known === null ? x : new Tensor(x.shape, x.dtype, x.array, x.trace);
  if (mask) table.set(result, mask);
  return result;
}
