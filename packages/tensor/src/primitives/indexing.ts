import { allocate, type DType, type TypedArray } from '../dtype.js';
import { DTypeError, ShapeError, ValueError } from '../errors.js';
import { indexMessage, placeOf } from '../internal/indices.js';
import { compare } from '../internal/order.js';
import { denseData, type NDArray, ndarray, permuted } from '../ndarray.js';
import { type Aval, definePrimitive, type Primitive } from '../primitive.js';
import { formatShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';

/** The dense elements with `axis` moved last, as rows of length n. */
export function rowsAlong(x: NDArray, axis: number): TypedArray {
  const rank = x.shape.length;
  const order = [...Array(rank).keys()].filter((i) => i !== axis);
  return denseData(permuted(x, [...order, axis]));
}

/** The inputs one after another along an axis. */
export const concat: Primitive<{ axis: number }> = definePrimitive<{ axis: number }>({
  name: 'concat',
  abstract: (inputs, { axis }) => {
    const shape = [...inputs[0]!.shape];
    for (const x of inputs.slice(1)) {
      if (x.shape.length !== shape.length || x.shape.some((d, i) => i !== axis && d !== shape[i]))
        throw new ShapeError(
          `concat: expected shapes equal but for axis ${axis}, received ${inputs.map((t) => formatShape(t.shape)).join(' and ')}`,
        );
      shape[axis] = shape[axis]! + x.shape[axis]!;
    }
    return [{ shape, dtype: inputs[0]!.dtype }];
  },
  evaluate: (inputs, { axis }, [out]) => {
    const { shape, dtype } = out!;
    const y = allocate(dtype, sizeOf(shape));
    const inner = sizeOf(shape.slice(axis + 1));
    const outer = sizeOf(shape.slice(0, axis));
    const row = shape[axis]! * inner;
    let at = 0;
    for (const x of inputs) {
      const data = denseData(x);
      const length = x.shape[axis]! * inner;
      for (let o = 0; o < outer; o++) y.set(data.subarray(o * length, (o + 1) * length), o * row + at);
      at += length;
    }
    return [ndarray(dtype, shape, y)];
  },
  vjp: ({ inputs, cotangents, params, needs }) => {
    let at = 0;
    return inputs.map((x, i) => {
      const length = x.shape[params.axis]!;
      at += length;
      return needs[i] ? cotangents[0]!.narrow(params.axis, at - length, length) : null;
    });
  },
  samples: [
    { inputs: [{ shape: [2, 3] }, { shape: [1, 3] }], params: { axis: 0 } },
    { inputs: [{ shape: [2, 1] }, { shape: [2, 2] }, { shape: [2, 0] }], params: { axis: 1 } },
  ],
});

/** Parts of given sizes along an axis, as views; one operation, so that its gradient is one concatenation. */
export const split: Primitive<{ axis: number; sizes: readonly number[] }> = definePrimitive<{
  axis: number;
  sizes: readonly number[];
}>({
  name: 'split',
  abstract: ([x], { axis, sizes }) => {
    if (sizes.reduce((a, b) => a + b, 0) !== x!.shape[axis])
      throw new ShapeError(
        `split: expected sizes that add up to ${x!.shape[axis]} along axis ${axis}, received ${formatShape(sizes)}`,
      );
    return sizes.map((size) => ({ shape: x!.shape.map((d, i) => (i === axis ? size : d)), dtype: x!.dtype }));
  },
  evaluate: ([x], { axis }, outputs) => {
    let offset = x!.offset;
    return outputs.map(({ shape }) => {
      const part = { ...x!, shape, offset };
      offset += shape[axis]! * x!.strides[axis]!;
      return part;
    });
  },
  vjp: ({ cotangents, params, bind }) => bind(concat, cotangents, { axis: params.axis }),
  samples: [
    { inputs: [{ shape: [2, 5] }], params: { axis: 1, sizes: [2, 0, 3] } },
    { inputs: [{ shape: [3, 2] }], params: { axis: 0, sizes: [1, 1, 1] } },
  ],
});

/** Stable sort along an axis in the order of `compare`, or against it: (values, indices). */
export const sort: Primitive<{ axis: number; descending: boolean }> = definePrimitive<{
  axis: number;
  descending: boolean;
}>({
  name: 'sort',
  abstract: ([x]) => [x!, { shape: x!.shape, dtype: 'int32' }],
  evaluate: ([x], { axis, descending }) => {
    const n = x!.shape[axis]!;
    const data = rowsAlong(x!, axis);
    const values = allocate(x!.dtype, data.length);
    const indices = new Int32Array(data.length);
    const order = new Uint32Array(n);
    const sign = descending ? -1 : 1;
    for (let start = 0; start < data.length; start += n) {
      for (let i = 0; i < n; i++) order[i] = i;
      order.sort((p, q) => sign * compare(data[start + p]!, data[start + q]!) || p - q);
      for (let i = 0; i < n; i++) {
        values[start + i] = data[start + order[i]!]!;
        indices[start + i] = order[i]!;
      }
    }
    const rank = x!.shape.length;
    const moved = [...x!.shape.filter((_, i) => i !== axis), n];
    const back = Array.from({ length: rank }, (_, i) => (i === axis ? rank - 1 : i < axis ? i : i - 1));
    return [permuted(ndarray(x!.dtype, moved, values), back), permuted(ndarray('int32', moved, indices), back)];
  },
  vjp: ({ inputs, outputs, cotangents, params, bind }) =>
    bind(scatterAlong, [cotangents[0]!, outputs[1]!], { axis: params.axis, size: inputs[0]!.shape[params.axis]! }),
  samples: [
    { inputs: [{ shape: [2, 4], values: [3, 1, 2, 0.5, -1, 4, 0, 2.5] }], params: { axis: 1, descending: false } },
    { inputs: [{ shape: [3, 2], values: [3, 1, 2, 0.5, -1, 4] }], params: { axis: 0, descending: true } },
  ],
});

function checkIndex(index: number, size: number, name: string): number {
  const place = placeOf(index, size, true);
  if (place < 0) throw new ValueError(indexMessage(name, [size], true, index));
  return place;
}

/** Throws `DTypeError` unless they are int32, `ShapeError` unless there is one for each slice of `updates` along the axis. */
function expectIndices(name: string, updates: Aval, indices: Aval, axis: number): void {
  expectInt32(name, indices);
  if (indices.shape.length !== 1 || indices.shape[0] !== updates.shape[axis])
    throw new ShapeError(
      `${name}: expected ${updates.shape[axis] ?? 'no'} indices, one for each slice of ${formatShape(updates.shape)} along axis ${axis}, received shape ${formatShape(indices.shape)}`,
    );
}

function expectInt32(name: string, indices: Aval): void {
  if (indices.dtype !== 'int32')
    throw new DTypeError(
      `${name}: expected indices of dtype int32, received ${indices.dtype}. Round and cast them first.`,
    );
}

function alongAxis(shape: readonly number[], axis: number): { outer: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), inner: sizeOf(shape.slice(axis + 1)) };
}

/** The shortest row that {@link gather} copies as a block: where both ways took the same time. */
const BLOCK = 64;

/** x[..., indices, ...]: whole slices along an axis; negative indices count from the end, others out of range throw. */
export const gather: Primitive<{ axis: number }> = definePrimitive<{ axis: number }>({
  name: 'gather',
  abstract: ([x, indices], { axis }) => {
    expectInt32('gather', indices!);
    return [{ shape: [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)], dtype: x!.dtype }];
  },
  evaluate: ([x, indices], { axis }, [out]) => {
    const { outer, inner } = alongAxis(x!.shape, axis);
    const size = x!.shape[axis]!;
    const data = denseData(x!);
    const index = denseData(indices!);
    const y = allocate(x!.dtype, sizeOf(out!.shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < index.length; i++) {
        const from = (o * size + checkIndex(index[i]!, size, 'gather')) * inner;
        // Long rows come from memory twice as fast as a block; for short ones making the view takes longer than the loop.
        if (inner >= BLOCK) y.set(data.subarray(from, from + inner), at);
        else for (let k = 0; k < inner; k++) y[at + k] = data[from + k]!;
        at += inner;
      }
    return [ndarray(x!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, params, bind }) => {
    const [x, indices] = inputs as readonly [Tensor, Tensor];
    const g = cotangents[0]!;
    const flat = g.reshape([...x.shape.slice(0, params.axis), indices.size, ...x.shape.slice(params.axis + 1)]);
    const out = bind(scatterAdd, [flat, indices.reshape([indices.size])], {
      axis: params.axis,
      size: x.shape[params.axis]!,
    });
    return [out[0]!, null];
  },
  samples: [
    { inputs: [{ shape: [4, 2] }, { shape: [2, 2], dtype: 'int32', values: [0, 3, 3, 1] }], params: { axis: 0 } },
    { inputs: [{ shape: [2, 3, 2] }, { shape: [2], dtype: 'int32', values: [-1, 0] }], params: { axis: 1 } },
  ],
});

/** The transpose of {@link gather} with 1-D indices: sums slices of `updates` into `size` slots along an axis. */
export const scatterAdd: Primitive<{ axis: number; size: number }> = definePrimitive<{ axis: number; size: number }>({
  name: 'scatterAdd',
  abstract: ([updates, indices], { axis, size }) => {
    expectIndices('scatterAdd', updates!, indices!, axis);
    return [{ shape: updates!.shape.map((d, i) => (i === axis ? size : d)), dtype: updates!.dtype }];
  },
  evaluate: ([updates, indices], { axis, size }, [out]) => {
    const { outer, inner } = alongAxis(out!.shape, axis);
    const data = denseData(updates!);
    const index = denseData(indices!);
    const y = allocate(out!.dtype, sizeOf(out!.shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < index.length; i++) {
        const to = (o * size + checkIndex(index[i]!, size, 'scatterAdd')) * inner;
        // Of booleans any, as NumPy adds them.
        if (out!.dtype === 'bool') for (let k = 0; k < inner; k++) y[to + k]! |= data[at++]!;
        else for (let k = 0; k < inner; k++) y[to + k]! += data[at++]!;
      }
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, params, bind }) => [
    bind(gather, [cotangents[0]!, inputs[1]!], { axis: params.axis })[0]!,
    null,
  ],
  samples: [
    { inputs: [{ shape: [3, 2] }, { shape: [3], dtype: 'int32', values: [1, 1, 0] }], params: { axis: 0, size: 3 } },
  ],
});

/** The lowest finite value of each dtype: what the maximum of no elements is. */
const LOWEST: Record<DType, number> = {
  float32: -3.4028234663852886e38,
  float64: -Number.MAX_VALUE,
  int32: -(2 ** 31),
  bool: 0,
};

/** The largest of the slices of `updates` that go to each of `size` slots along axis 0; the lowest value where none does. */
export const segmentMax: Primitive<{ size: number }> = definePrimitive<{ size: number }>({
  name: 'segmentMax',
  abstract: ([updates, indices], { size }) => {
    expectIndices('segmentMax', updates!, indices!, 0);
    return [{ shape: [size, ...updates!.shape.slice(1)], dtype: updates!.dtype }];
  },
  evaluate: ([updates, indices], { size }, [out]) => {
    const inner = sizeOf(out!.shape.slice(1));
    const data = denseData(updates!);
    const index = denseData(indices!);
    const lowest = LOWEST[out!.dtype];
    const y = allocate(out!.dtype, sizeOf(out!.shape)).fill(lowest);
    for (let i = 0; i < index.length; i++) {
      const to = checkIndex(index[i]!, size, 'segmentMax') * inner;
      for (let k = 0; k < inner; k++) y[to + k] = Math.max(y[to + k]!, data[i * inner + k]!);
    }
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, outputs, cotangents, params, bind }) => {
    const [updates, indices] = inputs as readonly [Tensor, Tensor];
    const pick = (t: Tensor): Tensor => bind(gather, [t, indices], { axis: 0 })[0]!;
    const hit = updates.equal(pick(outputs[0]!)).cast(updates.dtype);
    const ties = bind(scatterAdd, [hit, indices], { axis: 0, size: params.size })[0]!;
    return [hit.mul(pick(cotangents[0]!.divideNoNan(ties))), null];
  },
  samples: [{ inputs: [{ shape: [4, 2] }, { shape: [4], dtype: 'int32', values: [1, 1, 0, 1] }], params: { size: 2 } }],
});

/** y[..., j, ...] = x[..., indices[..., j, ...], ...] (NumPy's take_along_axis; other axes of one size). */
export const takeAlong: Primitive<{ axis: number }> = definePrimitive<{ axis: number }>({
  name: 'takeAlong',
  abstract: ([x, indices], { axis }) => {
    expectInt32('takeAlongAxis', indices!);
    if (x!.shape.length !== indices!.shape.length || x!.shape.some((d, i) => i !== axis && d !== indices!.shape[i]))
      throw new ShapeError(
        `takeAlongAxis: expected indices shaped as x but for axis ${axis}, received ${formatShape(indices!.shape)} for ${formatShape(x!.shape)}`,
      );
    return [{ shape: indices!.shape, dtype: x!.dtype }];
  },
  evaluate: ([x, indices], { axis }, [out]) => {
    const { outer, inner } = alongAxis(x!.shape, axis);
    const size = x!.shape[axis]!;
    const count = indices!.shape[axis]!;
    const data = denseData(x!);
    const index = denseData(indices!);
    const y = allocate(x!.dtype, index.length);
    for (let o = 0, at = 0; o < outer; o++)
      for (let j = 0; j < count; j++)
        for (let k = 0; k < inner; k++, at++)
          y[at] = data[(o * size + checkIndex(index[at]!, size, 'takeAlongAxis')) * inner + k]!;
    return [ndarray(x!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, params, bind }) => [
    bind(scatterAlong, [cotangents[0]!, inputs[1]!], { axis: params.axis, size: inputs[0]!.shape[params.axis]! })[0]!,
    null,
  ],
  samples: [
    { inputs: [{ shape: [2, 3] }, { shape: [2, 2], dtype: 'int32', values: [0, 2, 1, 1] }], params: { axis: 1 } },
  ],
});

/** The transpose of {@link takeAlong}: sums each update into the slot that its index names. */
export const scatterAlong: Primitive<{ axis: number; size: number }> = definePrimitive<{ axis: number; size: number }>({
  name: 'scatterAlong',
  abstract: ([updates, indices], { axis, size }) => {
    expectInt32('scatterAlong', indices!);
    return [{ shape: updates!.shape.map((d, i) => (i === axis ? size : d)), dtype: updates!.dtype }];
  },
  evaluate: ([updates, indices], { axis, size }, [out]) => {
    const { outer, inner } = alongAxis(out!.shape, axis);
    const count = updates!.shape[axis]!;
    const data = denseData(updates!);
    const index = denseData(indices!);
    const y = allocate(out!.dtype, sizeOf(out!.shape));
    for (let o = 0, at = 0; o < outer; o++)
      for (let j = 0; j < count; j++)
        for (let k = 0; k < inner; k++, at++)
          y[(o * size + checkIndex(index[at]!, size, 'scatterAlong')) * inner + k]! += data[at]!;
    return [ndarray(out!.dtype, out!.shape, y)];
  },
  vjp: ({ inputs, cotangents, params, bind }) => [
    bind(takeAlong, [cotangents[0]!, inputs[1]!], { axis: params.axis })[0]!,
    null,
  ],
  samples: [
    {
      inputs: [{ shape: [2, 2] }, { shape: [2, 2], dtype: 'int32', values: [0, 2, 1, 1] }],
      params: { axis: 1, size: 3 },
    },
  ],
});
