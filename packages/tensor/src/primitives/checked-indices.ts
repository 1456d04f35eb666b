import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { indexMessage, placeOf } from '../internal/indices.js';
import { denseData, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive } from '../primitive.js';
import { formatShape } from '../shape.js';

/** What indices are checked against. */
export interface CheckedIndicesParams {
  /** One size for all elements, or one for each element of the last axis (index tuples). */
  readonly sizes: readonly number[];
  /** May they count from the end? */
  readonly negative: boolean;
  /** The name of who asks, in errors. */
  readonly operation: string;
}

/** Indices as int32 places 0..size-1; throws `ValueError` for one that names none (see `internal/indices.ts`). */
export const checkedIndices: Primitive<CheckedIndicesParams> = definePrimitive<CheckedIndicesParams>({
  name: 'checkedIndices',
  abstract: ([x], { sizes, operation }) => {
    if (x!.dtype === 'bool') throw new DTypeError(`${operation}: expected indices (int32), received bool`);
    if (sizes.length !== 1 && x!.shape[x!.shape.length - 1] !== sizes.length)
      throw new ShapeError(
        `${operation}: expected index tuples of ${sizes.length} numbers, received shape ${formatShape(x!.shape)}`,
      );
    return [{ shape: x!.shape, dtype: 'int32' }];
  },
  evaluate: ([x], { sizes, negative, operation }, [out]) => {
    const data = denseData(x!);
    const y = new Int32Array(data.length);
    for (let i = 0; i < y.length; i++) {
      const size = sizes[i % sizes.length]!;
      const place = placeOf(data[i]!, size, negative);
      if (place < 0) throw new ValueError(indexMessage(operation, sizes, negative, data[i]!));
      y[i] = place;
    }
    return [ndarray('int32', out!.shape, y)];
  },
  vjp: null,
  samples: [
    {
      inputs: [{ shape: [2, 2], dtype: 'int32', values: [0, -1, 2, 1] }],
      params: { sizes: [3, 2], negative: true, operation: 'scatter' },
    },
    {
      inputs: [{ shape: [3], values: [0, 1, 3] }],
      params: { sizes: [4], negative: false, operation: 'embedding' },
    },
  ],
});
