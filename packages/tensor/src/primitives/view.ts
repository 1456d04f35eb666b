import { allocate } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { broadcastStrides, contiguous, denseData, forEachRun2, type NDArray, ndarray, permuted } from '../ndarray.js';
import { definePrimitive, type Primitive } from '../primitive.js';
import { broadcastShapes, formatShape, rowMajorStrides, type Shape, sameShape, sizeOf } from '../shape.js';

/** The same elements, row-major, under another shape: a view of contiguous data. */
export const reshape: Primitive<{ shape: Shape }> = definePrimitive<{ shape: Shape }>({
  name: 'reshape',
  abstract: ([x], { shape }) => {
    if (sizeOf(x!.shape) !== sizeOf(shape))
      throw new ShapeError(
        `reshape: expected a shape of ${sizeOf(x!.shape)} elements for ${formatShape(x!.shape)}, received ${formatShape(shape)}`,
      );
    return [{ shape, dtype: x!.dtype }];
  },
  evaluate: ([x], { shape }) => {
    const dense = contiguous(x!);
    return [{ ...dense, shape, strides: rowMajorStrides(shape) }];
  },
  vjp: ({ inputs, cotangents }) => [cotangents[0]!.reshape(inputs[0]!.shape)],
  samples: [
    { inputs: [{ shape: [2, 3] }], params: { shape: [3, 2] } },
    { inputs: [{ shape: [] }], params: { shape: [1, 1] } },
  ],
});

/** Axes in another order: a view. */
export const transpose: Primitive<{ permutation: readonly number[] }> = definePrimitive<{
  permutation: readonly number[];
}>({
  name: 'transpose',
  abstract: ([x], { permutation }) => {
    if (permutation.length !== x!.shape.length || new Set(permutation).size !== permutation.length)
      throw new ShapeError(
        `transpose: expected each of the ${x!.shape.length} axes once, received ${formatShape(permutation)}`,
      );
    return [{ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }];
  },
  evaluate: ([x], { permutation }) => [permuted(x!, permutation)],
  vjp: ({ cotangents, params }) => [
    cotangents[0]!.transpose(params.permutation.map((_, i) => params.permutation.indexOf(i))),
  ],
  samples: [
    { inputs: [{ shape: [2, 3, 4] }], params: { permutation: [2, 0, 1] } },
    { inputs: [{ shape: [2, 3] }], params: { permutation: [1, 0] } },
  ],
});

/** Repetition along axes of size 1 and new leading axes: a view with stride 0. */
export const broadcastTo: Primitive<{ shape: Shape }> = definePrimitive<{ shape: Shape }>({
  name: 'broadcastTo',
  abstract: ([x], { shape }) => {
    if (!sameShape(broadcastShapes(x!.shape, shape, 'broadcastTo'), shape))
      throw new ShapeError(
        `broadcastTo: expected a shape that ${formatShape(x!.shape)} broadcasts to, received ${formatShape(shape)}`,
      );
    return [{ shape, dtype: x!.dtype }];
  },
  evaluate: ([x], { shape }) => [{ ...x!, shape, strides: broadcastStrides(x!, shape) }],
  vjp: ({ inputs, cotangents }) => [cotangents[0]!.sumToShape(inputs[0]!.shape)],
  samples: [
    { inputs: [{ shape: [2, 1] }], params: { shape: [3, 2, 4] } },
    { inputs: [{ shape: [] }], params: { shape: [2] } },
  ],
});

/** Per axis: first index, number of elements, step (negative walks backwards). Indices are already inside of the shape. */
export interface SliceParams {
  readonly start: readonly number[];
  readonly size: readonly number[];
  readonly step: readonly number[];
}

/** A strided window: a view. */
export const slice: Primitive<SliceParams> = definePrimitive<SliceParams>({
  name: 'slice',
  abstract: ([x], { start, size, step }) => {
    for (let i = 0; i < x!.shape.length; i++) {
      const last = start[i]! + (size[i]! - 1) * step[i]!;
      if (size[i]! > 0 && (start[i]! < 0 || start[i]! >= x!.shape[i]! || last < 0 || last >= x!.shape[i]!))
        throw new ShapeError(
          `slice: expected a window inside of ${formatShape(x!.shape)}, received start ${formatShape(start)}, size ${formatShape(size)}, step ${formatShape(step)}`,
        );
    }
    return [{ shape: size, dtype: x!.dtype }];
  },
  evaluate: ([x], { start, size, step }) => {
    let offset = x!.offset;
    for (let i = 0; i < size.length; i++) if (size[i]! > 0) offset += start[i]! * x!.strides[i]!;
    return [{ ...x!, shape: size, strides: x!.strides.map((stride, i) => stride * step[i]!), offset }];
  },
  vjp: ({ inputs, cotangents, params, bind }) => {
    const shape = inputs[0]!.shape;
    const { start, size, step } = params;
    const backwards = step.flatMap((s, i) => (s < 0 ? [i] : []));
    const g = backwards.length > 0 ? cotangents[0]!.flip(backwards) : cotangents[0]!;
    const low = start.map((first, i) => (size[i] === 0 ? 0 : step[i]! < 0 ? first + (size[i]! - 1) * step[i]! : first));
    const interior = step.map((s) => Math.abs(s) - 1);
    const high = shape.map((d, i) => (size[i] === 0 ? d : d - low[i]! - ((size[i]! - 1) * (interior[i]! + 1) + 1)));
    return bind(pad, [g], { low, high, interior, value: 0 });
  },
  samples: [
    { inputs: [{ shape: [4, 5] }], params: { start: [1, 4], size: [2, 3], step: [2, -2] } },
    { inputs: [{ shape: [3] }], params: { start: [1], size: [0], step: [1] } },
  ],
});

/** Per axis: elements added before, after, and between neighbours. */
export interface PadParams {
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly interior: readonly number[];
  readonly value: number;
}

/** Constant padding around and between the elements. */
export const pad: Primitive<PadParams> = definePrimitive<PadParams>({
  name: 'pad',
  abstract: ([x], { low, high, interior }) => [
    {
      shape: x!.shape.map((d, i) => low[i]! + high[i]! + (d === 0 ? 0 : (d - 1) * (interior[i]! + 1) + 1)),
      dtype: x!.dtype,
    },
  ],
  evaluate: ([x], { low, interior, value }, [out]) => {
    const y = allocate(out!.dtype, sizeOf(out!.shape));
    if (value !== 0) y.fill(value);
    const strides = rowMajorStrides(out!.shape);
    let offset = 0;
    for (let i = 0; i < low.length; i++) offset += low[i]! * strides[i]!;
    const data = x!.data;
    const spread = strides.map((stride, i) => stride * (interior[i]! + 1));
    forEachRun2(x!.shape, x!.offset, x!.strides, offset, spread, (i, s, o, t, _k, n) => {
      for (; n > 0; n--, i += s, o += t) y[o] = data[i]!;
    });
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, params, bind }) => {
    const size = inputs[0]!.shape;
    return bind(slice, [cotangents[0]!], { start: params.low, size, step: params.interior.map((d) => d + 1) });
  },
  samples: [
    { inputs: [{ shape: [2, 3] }], params: { low: [1, 0], high: [0, 2], interior: [0, 1], value: -1 } },
    { inputs: [{ shape: [2] }], params: { low: [0], high: [0], interior: [2], value: 0 } },
  ],
});

/** Elements of a tensor as nested JavaScript arrays. */
export type NestedArray<T> = T | NestedArray<T>[];

/** Row-major elements as nested arrays of `shape` (the bare element for a scalar); booleans for dtype bool. */
export function toNested(a: NDArray): NestedArray<number | boolean> {
  const data = denseData(a);
  let at = 0;
  const build = (axis: number): NestedArray<number | boolean> => {
    if (axis === a.shape.length) {
      const v = data[at++]!;
      return a.dtype === 'bool' ? v !== 0 : v;
    }
    return Array.from({ length: a.shape[axis]! }, () => build(axis + 1));
  };
  return build(0);
}
