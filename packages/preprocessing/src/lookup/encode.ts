import { type DType, type Shape, ShapeError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { sizeOf } from '@recurra/tensor/extend';

/** How ids become rows of numbers. */
export type EncodeMode = 'oneHot' | 'multiHot' | 'count';

/** The shape of ids of some shape in a mode: as they are ('int'), or as {@link encodeIds} encodes them ('tfIdf' as 'count'). */
export function encodedShape(shape: Shape, mode: 'int' | EncodeMode | 'tfIdf', depth: number): Shape {
  if (mode === 'int') return shape;
  const dims = shape.length === 0 ? [1] : shape;
  if (mode === 'oneHot') return [...(dims.length > 1 && dims.at(-1) === 1 ? dims.slice(0, -1) : dims), depth];
  // As Keras: the second axis, that of a sample's ids, is counted; further axes stay.
  return dims.length > 1 ? [dims[0]!, ...dims.slice(2), depth] : [depth];
}

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
  const encoded = encodedShape(shape, mode, depth);
  const size = sizeOf(encoded);
  const data =
    dtype === 'int32' ? new Int32Array(size) : dtype === 'float64' ? new Float64Array(size) : new Float32Array(size);
  if (mode === 'oneHot') {
    for (let i = 0; i < ids.length; i++) data[i * depth + ids[i]!] = 1;
    return tensor(data, { shape: encoded, dtype });
  }
  const [outer, count, inner] = shape.length > 1 ? [shape[0]!, shape[1]!, sizeOf(shape.slice(2))] : [1, ids.length, 1];
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
  return tensor(data, { shape: encoded, dtype });
}
