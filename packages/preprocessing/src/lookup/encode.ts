import { type DType, ShapeError, type Tensor, tensor, ValueError } from '@recurra/tensor';

/** How ids become rows of numbers. */
export type EncodeMode = 'oneHot' | 'multiHot' | 'count';

/**
 * Ids as rows of `depth` numbers: one row an id (`oneHot`; a last axis of 1 is dropped), or one row a sample with 1 for each id that occurs
 * (`multiHot`) or how often, or with how much weight, it does (`count`). Samples are along the first axis; one list is one sample. Keras'
 * `encode_categorical_inputs`. Throws `ValueError` for ids out of 0..depth-1.
 */
export function encodeIds(
  name: string,
  ids: ArrayLike<number>,
  shape: readonly number[],
  mode: EncodeMode,
  depth: number,
  dtype: DType,
  weights: ArrayLike<number> | null = null,
): Tensor {
  for (let i = 0; i < ids.length; i++)
    if (!(ids[i]! >= 0 && ids[i]! < depth && Number.isInteger(ids[i])))
      throw new ValueError(`${name}: expected integer ids in 0..${depth - 1}, received ${ids[i]}`);
  const allocate = (n: number): Int32Array | Float32Array | Float64Array =>
    dtype === 'int32' ? new Int32Array(n) : dtype === 'float64' ? new Float64Array(n) : new Float32Array(n);
  const dims = shape.length === 0 ? [1] : shape;
  if (mode === 'oneHot') {
    const rows = dims.length > 1 && dims[dims.length - 1] === 1 ? dims.slice(0, -1) : dims;
    const data = allocate(ids.length * depth);
    for (let i = 0; i < ids.length; i++) data[i * depth + ids[i]!] = 1;
    return tensor(data, { shape: [...rows, depth], dtype });
  }
  // As Keras: the second axis, that of a sample's ids, is counted; further axes stay.
  const axis = dims.length > 1 ? 1 : 0;
  const outer = axis === 1 ? dims[0]! : 1;
  const count = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const data = allocate(outer * inner * depth);
  if (weights && weights.length !== ids.length)
    throw new ShapeError(`${name}: expected one weight an id, ${ids.length}, received ${weights.length}`);
  for (let o = 0; o < outer; o++)
    for (let c = 0; c < count; c++)
      for (let k = 0; k < inner; k++) {
        const at = (o * count + c) * inner + k;
        const to = (o * inner + k) * depth + ids[at]!;
        if (mode === 'multiHot') data[to] = 1;
        else data[to]! += weights ? weights[at]! : 1;
      }
  return tensor(data, { shape: [...(axis === 1 ? [outer] : []), ...dims.slice(axis + 1), depth], dtype });
}
