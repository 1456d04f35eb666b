import { allocate, type DType, type TypedArray } from '../dtype.js';
import { ValueError } from '../errors.js';
import { isLarger, isSmaller } from '../internal/order.js';
import { denseData, forEachRun2, type NDArray, ndarray } from '../ndarray.js';
import { definePrimitive, type Primitive, type Sample } from '../primitive.js';
import { formatShape, reducedShape, rowMajorStrides, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { concat, rowsAlong } from './indexing.js';

/** Which axes are reduced (sorted, distinct) and whether they stay as size 1. */
export interface ReduceParams {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** One run: folds `a[i], a[i + s], ...` into `acc[o]` (t = 0) or into `acc[o], acc[o + t], ...`. */
type Loop = (
  a: TypedArray,
  i: number,
  s: number,
  acc: Float64Array | Int32Array,
  o: number,
  t: number,
  n: number,
) => void;

interface Row {
  readonly start: number;
  readonly loop: Loop;
  /** Another loop for int32 results, with int32 totals: they wrap, where float64 would round. */
  readonly int?: Loop;
  readonly result: (dtype: DType) => DType;
  /** May it reduce an empty set? */
  readonly empty: boolean;
  readonly vjp: ((g: Tensor, x: Tensor, y: Tensor, axes: readonly number[]) => Tensor) | null;
}

/** Gradient of max and min: shared equally among the elements that reach it (TensorFlow). */
function shareAmongTies(g: Tensor, x: Tensor, y: Tensor, axes: readonly number[]): Tensor {
  const hit = x.equal(y).cast(g.dtype);
  return hit.mul(g).div(hit.sum(axes, { keepDims: true }));
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Keep the reduced axes, as size 1. */
  readonly keepDims?: boolean;
}

/** Options of `max` and `min`. */
export interface ExtremumOptions extends ReduceOptions {
  /** One more element, which the result is compared with. */
  readonly initial?: number;
}

/** Names of the reductions. */
export type ReduceName = 'sum' | 'prod' | 'max' | 'min' | 'any' | 'all';

// Sums and products of floats accumulate in float64 and are rounded once at the end; those of integers wrap as int32 does.
const ROWS: Record<ReduceName, Row> = {
  sum: {
    start: 0,
    loop: (a, i, s, acc, o, t, n) => {
      if (t === 0) {
        let v = acc[o]!;
        for (; n > 0; n--, i += s) v += a[i]!;
        acc[o] = v;
      } else for (; n > 0; n--, i += s, o += t) acc[o]! += a[i]!;
    },
    int: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) acc[o] = acc[o]! + a[i]!;
    },
    result: (dtype) => (dtype === 'bool' ? 'int32' : dtype),
    empty: true,
    vjp: (g, x) => g.broadcastTo(x.shape),
  },
  prod: {
    start: 1,
    loop: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) acc[o]! *= a[i]!;
    },
    int: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) acc[o] = Math.imul(acc[o]!, a[i]!);
    },
    result: (dtype) => (dtype === 'bool' ? 'int32' : dtype),
    empty: true,
    // The product of all the others, without a division, so that zeros keep their gradient.
    vjp: (g, x, _y, axes) => {
      const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
      const order = [...kept, ...axes];
      const moved = x.transpose(order);
      const flat = moved.reshape([sizeOf(kept.map((i) => x.shape[i]!)), sizeOf(axes.map((i) => x.shape[i]!))]);
      const others = flat.cumprod(1, { exclusive: true }).mul(flat.cumprod(1, { exclusive: true, reverse: true }));
      const inverse = order.map((_, i) => order.indexOf(i));
      return others.reshape(moved.shape).transpose(inverse).mul(g);
    },
  },
  max: {
    start: -Infinity,
    loop: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) acc[o] = Math.max(acc[o]!, a[i]!);
    },
    result: (dtype) => dtype,
    empty: false,
    vjp: shareAmongTies,
  },
  min: {
    start: Infinity,
    loop: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) acc[o] = Math.min(acc[o]!, a[i]!);
    },
    result: (dtype) => dtype,
    empty: false,
    vjp: shareAmongTies,
  },
  any: {
    start: 0,
    loop: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) if (a[i] !== 0) acc[o] = 1;
    },
    result: () => 'bool',
    empty: true,
    vjp: null,
  },
  all: {
    start: 1,
    loop: (a, i, s, acc, o, t, n) => {
      for (; n > 0; n--, i += s, o += t) if (a[i] === 0) acc[o] = 0;
    },
    result: () => 'bool',
    empty: true,
    vjp: null,
  },
};

function define(name: string, row: Row): Primitive<ReduceParams> {
  const rule = row.vjp;
  const samples: Sample<ReduceParams>[] = [
    { inputs: [{ shape: [2, 3, 2] }], params: { axes: [0, 1, 2], keepDims: false } },
    { inputs: [{ shape: [2, 3, 2] }], params: { axes: [1], keepDims: true } },
    { inputs: [{ shape: [2, 3, 2] }], params: { axes: [0, 2], keepDims: false } },
    { inputs: [{ shape: [] }], params: { axes: [], keepDims: false } },
  ];
  return definePrimitive<ReduceParams>({
    name,
    abstract: ([x], { axes, keepDims }) => {
      if (!row.empty && sizeOf(axes.map((axis) => x!.shape[axis]!)) === 0)
        throw new ValueError(
          `${name}: expected at least one element to reduce, received shape ${formatShape(x!.shape)} over axes ${formatShape(axes)}`,
        );
      return [{ shape: reducedShape(x!.shape, axes, keepDims), dtype: row.result(x!.dtype) }];
    },
    evaluate: ([x], { axes }, [out]) => {
      const kept = reducedShape(x!.shape, axes, true);
      const strides = rowMajorStrides(kept).map((stride, i) => (axes.includes(i) ? 0 : stride));
      const integers = row.int !== undefined && out!.dtype === 'int32';
      const acc = integers ? new Int32Array(sizeOf(kept)) : new Float64Array(sizeOf(kept));
      acc.fill(row.start);
      const loop = integers ? row.int! : row.loop;
      forEachRun2(x!.shape, x!.offset, x!.strides, 0, strides, (i, s, o, t, _k, n) =>
        loop(x!.data, i, s, acc, o, t, n),
      );
      if (integers || out!.dtype === 'float64') return [ndarray(out!.dtype, out!.shape, acc)];
      const y = allocate(out!.dtype, acc.length);
      y.set(acc);
      return [ndarray(out!.dtype, out!.shape, y)];
    },
    vjp:
      rule &&
      (({ inputs, outputs, cotangents, params }) => {
        const [x] = inputs as readonly [Tensor];
        const kept = reducedShape(x.shape, params.axes, true);
        return [rule(cotangents[0]!.reshape(kept), x, outputs[0]!.reshape(kept), params.axes)];
      }),
    samples,
  });
}

/** Reductions over any set of axes. */
export const reduce: Record<ReduceName, Primitive<ReduceParams>> = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, define(name, row)]),
) as Record<ReduceName, Primitive<ReduceParams>>;

function argReduce(name: 'argmax' | 'argmin'): Primitive<{ axis: number }> {
  const best = name === 'argmax' ? isLarger : isSmaller;
  return definePrimitive<{ axis: number }>({
    name,
    abstract: ([x], { axis }) => {
      if (x!.shape[axis] === 0)
        throw new ValueError(
          `${name}: expected at least one element along axis ${axis}, received shape ${formatShape(x!.shape)}`,
        );
      return [{ shape: reducedShape(x!.shape, [axis], false), dtype: 'int32' }];
    },
    evaluate: ([x], { axis }, [out]) => {
      const n = x!.shape[axis]!;
      const data = rowsAlong(x!, axis);
      const y = new Int32Array(sizeOf(out!.shape));
      for (let r = 0; r < y.length; r++) {
        const start = r * n;
        let at = 0;
        for (let i = 1; i < n; i++) if (best(data[start + i]!, data[start + at]!)) at = i;
        y[r] = at;
      }
      return [ndarray('int32', out!.shape, y)];
    },
    vjp: null,
    samples: [{ inputs: [{ shape: [2, 3] }], params: { axis: 1 } }],
  });
}

/** Index of the first largest element along an axis; of the first NaN, if there is one. */
export const argmax: Primitive<{ axis: number }> = argReduce('argmax');
/** Index of the first smallest element along an axis; of the first NaN, if there is one. */
export const argmin: Primitive<{ axis: number }> = argReduce('argmin');

/** Options of running sums and products. */
export interface RunningOptions {
  /** Leave out the element itself: the first result is the empty sum (0) or product (1). */
  readonly exclusive?: boolean;
  /** Run from the end. */
  readonly reverse?: boolean;
}

/** A running fold along an axis: inclusive or not, from the start or from the end. */
export interface ScanParams {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

function runningFold(x: NDArray, { axis, exclusive, reverse }: ScanParams, dtype: DType, product: boolean): NDArray {
  const data = denseData(x);
  const n = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const outer = sizeOf(x.shape.slice(0, axis));
  const y = allocate(dtype, data.length);
  const integers = dtype === 'int32';
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let total = product ? 1 : 0;
      for (let k = 0; k < n; k++) {
        const at = (o * n + (reverse ? n - 1 - k : k)) * inner + i;
        if (exclusive) y[at] = total;
        // Floats run in float64; integers wrap.
        if (product) total = integers ? Math.imul(total, data[at]!) : total * data[at]!;
        else total = integers ? (total + data[at]!) | 0 : total + data[at]!;
        if (!exclusive) y[at] = total;
      }
    }
  return ndarray(dtype, x.shape, y);
}

const scanSamples: Sample<ScanParams>[] = [
  { inputs: [{ shape: [2, 4], low: 0.5, high: 1.5 }], params: { axis: 1, exclusive: false, reverse: false } },
  { inputs: [{ shape: [3, 2], low: 0.5, high: 1.5 }], params: { axis: 0, exclusive: true, reverse: true } },
];
const scanType = (dtype: DType): DType => (dtype === 'bool' ? 'int32' : dtype);

/** y_t = x_1 + ... + x_t. */
export const cumsum: Primitive<ScanParams> = definePrimitive<ScanParams>({
  name: 'cumsum',
  abstract: ([x]) => [{ shape: x!.shape, dtype: scanType(x!.dtype) }],
  evaluate: ([x], params, [out]) => [runningFold(x!, params, out!.dtype, false)],
  vjp: ({ cotangents, params }) => [
    cotangents[0]!.cumsum(params.axis, { exclusive: params.exclusive, reverse: !params.reverse }),
  ],
  samples: scanSamples,
});

/** y_t = x_1 * ... * x_t. Its gradient divides by no x: each dy_t/dx_s is the product of the others, so zeros are exact. */
export const cumprod: Primitive<ScanParams> = definePrimitive<ScanParams>({
  name: 'cumprod',
  abstract: ([x]) => [{ shape: x!.shape, dtype: scanType(x!.dtype) }],
  evaluate: ([x], params, [out]) => [runningFold(x!, params, out!.dtype, true)],
  vjp: ({ inputs, cotangents, params, bind }) => {
    const { axis, exclusive, reverse } = params;
    const move = (t: Tensor): Tensor => {
      const last = t.moveaxis(axis, -1);
      return reverse ? last.flip(-1) : last;
    };
    const back = (t: Tensor): Tensor => (reverse ? t.flip(-1) : t).moveaxis(-1, axis);
    const x = move(inputs[0]!);
    const g = move(cotangents[0]!);
    const n = x.shape[x.rank - 1]!;
    // Horner from the end: with s_t = g_t + x_{t+1} s_{t+1} (inclusive), dL/dx_t = p_{t-1} s_t, p the exclusive products.
    const at = (t: Tensor, i: number): Tensor => t.narrow(-1, i, 1);
    const before = x.cumprod(-1, { exclusive: true });
    const pieces: Tensor[] = [];
    let s: Tensor | null = null;
    for (let t = n - 1; t >= 0; t--) {
      if (exclusive) {
        pieces.unshift(s ? at(before, t).mul(s) : at(x, t).zerosLike());
        s = s ? at(g, t).add(at(x, t).mul(s)) : at(g, t);
      } else {
        s = s ? at(g, t).add(at(x, t + 1).mul(s)) : at(g, t);
        pieces.unshift(at(before, t).mul(s));
      }
    }
    return [n === 0 ? inputs[0]!.zerosLike() : back(bind(concat, pieces, { axis: x.rank - 1 })[0]!)];
  },
  samples: scanSamples,
});
