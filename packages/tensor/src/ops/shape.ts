import { promoteTypes } from '../dtype.js';
import { ShapeError, ValueError } from '../errors.js';
import { describeValue } from '../names.js';
import { checkOptions, type OptionTable } from '../options.js';
import { concat as concatPrimitive, split as splitPrimitive } from '../primitives/indexing.js';
import { pad as padPrimitive, slice as slicePrimitive } from '../primitives/view.js';
import {
  checkIntegers,
  checkRules,
  checkValue,
  count,
  countOrZero,
  integer,
  isNumber,
  oneOf,
  type Rules,
} from '../rules.js';
import { type Axes, formatShape, normalizeAxis, type Shape } from '../shape.js';
import { asTensor, bind, elementOf, type Tensor, type TensorLike } from '../tensor.js';
import { arange } from './creation.js';

/** The same elements under another shape; one size may be -1. */
export function reshape(x: TensorLike, shape: Shape): Tensor {
  return asTensor(x).reshape(shape);
}
/** Axes in another order (reversed by default). */
export function transpose(x: TensorLike, permutation?: readonly number[] | null): Tensor {
  return asTensor(x).transpose(permutation);
}
/** Two axes exchanged. */
export function swapaxes(x: TensorLike, a: number, b: number): Tensor {
  return asTensor(x).swapaxes(a, b);
}
/** One axis moved to another place. */
export function moveaxis(x: TensorLike, source: number, destination: number): Tensor {
  return asTensor(x).moveaxis(source, destination);
}
/** New axes of size 1. */
export function expandDims(x: TensorLike, axis: number | readonly number[]): Tensor {
  return asTensor(x).expandDims(axis);
}
/** Without axes of size 1. */
export function squeeze(x: TensorLike, axis?: Axes): Tensor {
  return asTensor(x).squeeze(axis);
}
/** Repeated along axes of size 1 and new leading axes. */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  return asTensor(x).broadcastTo(shape);
}
/** Reversed along axes (all by default). */
export function flip(x: TensorLike, axis?: Axes): Tensor {
  return asTensor(x).flip(axis);
}

/** All elements along one axis. */
export function flatten(x: TensorLike): Tensor {
  return asTensor(x).flatten();
}
/** Elements start <= i < start + size along one axis. */
export function narrow(x: TensorLike, axis: number, start: number, size: number): Tensor {
  return asTensor(x).narrow(axis, start, size);
}
/** One index along one axis, which is dropped; negative counts from the end. */
export function at(x: TensorLike, index: number, axis = 0): Tensor {
  return asTensor(x).at(index, axis);
}
/** Slices along an axis, by an integer tensor of any shape. */
export function gather(x: TensorLike, indices: TensorLike, axis = 0): Tensor {
  return asTensor(x).gather(indices, axis);
}
/** The inverse of broadcasting: summed down to `shape`. */
export function sumToShape(x: TensorLike, shape: Shape): Tensor {
  return asTensor(x).sumToShape(shape);
}

/** Tensors one after another along an axis; shapes equal but for it, dtypes promoted. */
export function concat(values: readonly TensorLike[], axis = 0): Tensor {
  if (!Array.isArray(values))
    throw new ValueError(`concat: expected an array of tensors, received ${describeValue(values)}`);
  if (values.length === 0) throw new ValueError('concat: expected at least one tensor, received none');
  const tensors = values.map((v) => asTensor(v));
  const dtype = tensors.map((t) => t.dtype).reduce(promoteTypes);
  const inputs = tensors.map((t) => t.cast(dtype));
  const along = normalizeAxis(axis, inputs[0]!.rank, 'concat');
  return inputs.length === 1 ? inputs[0]! : bind(concatPrimitive, inputs, { axis: along })[0]!;
}

/** Tensors of one shape along a new axis. */
export function stack(values: readonly TensorLike[], axis = 0): Tensor {
  checkValue('stack', 'the axis', axis, integer);
  if (!Array.isArray(values))
    throw new ValueError(`stack: expected an array of tensors, received ${describeValue(values)}`);
  return concat(
    values.map((v) => asTensor(v).expandDims(axis)),
    axis,
  );
}

/** The slices along an axis, which is dropped. */
export function unstack(x: TensorLike, axis = 0): Tensor[] {
  const t = asTensor(x);
  const a = normalizeAxis(axis, t.rank, 'unstack');
  const shape = t.shape.filter((_, i) => i !== a);
  const sizes = new Array<number>(t.shape[a]!).fill(1);
  return bind(splitPrimitive, [t], { axis: a, sizes }).map((part) => part.reshape(shape));
}

/** Parts along an axis: so many equal ones (must divide), or cut before each of the given indices. */
export function split(x: TensorLike, parts: number | readonly number[], axis = 0): Tensor[] {
  const t = asTensor(x);
  const a = normalizeAxis(axis, t.rank, 'split');
  const n = t.shape[a]!;
  if (typeof parts === 'number') checkValue('split', 'the number of parts', parts, count);
  else checkIntegers('split', 'the indices', parts);
  if (typeof parts === 'number' && (parts < 1 || n % parts !== 0))
    throw new ValueError(`split: expected a number of parts that divides ${n}, received ${parts}`);
  const cuts = typeof parts === 'number' ? Array.from({ length: parts - 1 }, (_, i) => ((i + 1) * n) / parts) : parts;
  const edges = [0, ...cuts.map((c) => Math.min(n, c < 0 ? c + n : c)), n];
  const sizes = edges.slice(1).map((end, i) => end - edges[i]!);
  if (sizes.some((size) => size < 0))
    throw new ValueError(`split: expected ascending indices, received ${JSON.stringify(parts)}`);
  return bind(splitPrimitive, [t], { axis: a, sizes });
}

const RANGE = { start: true, stop: true, step: true } satisfies OptionTable<Extract<SliceSpec, object>>;

/** One entry of {@link stridedSlice}: a range, an index (which drops the axis), a new axis, or all axes between. */
export type SliceSpec =
  | { readonly start?: number | null; readonly stop?: number | null; readonly step?: number | null }
  | number
  | 'newaxis'
  | '...';

/**
 * Python's slicing: `x[1:3, ::-1, 0, None, ...]` is `stridedSlice(x, [{start: 1, stop: 3}, {step: -1}, 0, 'newaxis', '...'])`.
 * Bounds beyond the ends are clipped, as in Python; an index out of range throws.
 */
export function stridedSlice(x: TensorLike, specs: readonly SliceSpec[]): Tensor {
  const t = asTensor(x);
  if (!Array.isArray(specs))
    throw new ValueError(`stridedSlice: expected an array with an entry per axis, received ${describeValue(specs)}`);
  const used = specs.filter((s) => s !== 'newaxis' && s !== '...').length;
  if (used > t.rank)
    throw new ShapeError(
      `stridedSlice: expected at most ${t.rank} entries for shape ${formatShape(t.shape)}, received ${used}`,
    );
  const all = specs.includes('...') ? specs : [...specs, '...' as const];
  const start: number[] = [];
  const size: number[] = [];
  const step: number[] = [];
  const shape: number[] = [];
  for (const spec of all) {
    const n = t.shape[start.length]!;
    if (spec === 'newaxis') shape.push(1);
    else if (spec === '...') {
      for (let i = t.rank - used; i > 0; i--) {
        const whole = t.shape[start.length]!;
        start.push(0);
        size.push(whole);
        step.push(1);
        shape.push(whole);
      }
    } else if (typeof spec === 'number') {
      const i = spec < 0 ? spec + n : spec;
      if (!Number.isInteger(spec) || i < 0 || i >= n)
        throw new ValueError(`stridedSlice: expected an index in ${-n}..${n - 1}, received ${spec}`);
      start.push(i);
      size.push(1);
      step.push(1);
    } else {
      checkOptions('stridedSlice', spec, RANGE);
      const by = spec.step ?? 1;
      for (const bound of [spec.start, spec.stop])
        if (bound !== null && bound !== undefined && bound !== Infinity && bound !== -Infinity)
          checkValue('stridedSlice', 'bounds', bound, integer);
      if (!Number.isInteger(by) || by === 0)
        throw new ValueError(`stridedSlice: expected a step that is an integer other than 0, received ${by}`);
      const clip = (v: number | null | undefined, fallback: number): number =>
        v === null || v === undefined
          ? fallback
          : Math.max(by < 0 ? -1 : 0, Math.min(by < 0 ? n - 1 : n, v < 0 ? v + n : v));
      const from = clip(spec.start, by < 0 ? n - 1 : 0);
      const to = clip(spec.stop, by < 0 ? -1 : n);
      const count = Math.max(0, Math.ceil((to - from) / by));
      start.push(count === 0 ? 0 : from);
      size.push(count);
      step.push(by);
      shape.push(count);
    }
  }
  return bind(slicePrimitive, [t], { start, size, step })[0]!.reshape(shape);
}

/** `size` elements from `start` along every axis (a window without steps). */
export function slice(x: TensorLike, start: readonly number[], size: Shape): Tensor {
  return asTensor(x).slice(start, size);
}

const PAD = {
  mode: oneOf('constant', 'reflect', 'symmetric'),
  value: isNumber,
} satisfies Rules<Parameters<typeof pad>[2] & object>;

/**
 * Padding of [before, after] elements per axis: a constant (0 by default), the reflection without the edge (`reflect`) or
 * with it (`symmetric`).
 */
export function pad(
  x: TensorLike,
  width: readonly (readonly [number, number])[],
  options: { mode?: 'constant' | 'reflect' | 'symmetric'; value?: number } = {},
): Tensor {
  const t = asTensor(x);
  checkRules('pad', options, PAD);
  const { value = 0, mode = 'constant' } = options;
  const counts = Array.isArray(width) ? width : [];
  if (
    counts.length !== t.rank ||
    counts.some((pair) => !Array.isArray(pair) || pair.length !== 2 || pair.some((n) => !Number.isInteger(n) || n < 0))
  )
    throw new ValueError(
      `pad: expected integers [before, after] >= 0 for each of ${t.rank} axes, received ${typeof width === 'object' ? JSON.stringify(width) : describeValue(width)}`,
    );
  if (mode === 'constant')
    return bind(padPrimitive, [t], {
      low: width.map((w) => w[0]),
      high: width.map((w) => w[1]),
      interior: width.map(() => 0),
      value: elementOf(value, t.dtype, 'pad'),
    })[0]!;
  let y = t;
  for (const [axis, [low, high]] of width.entries()) {
    if (low === 0 && high === 0) continue;
    const n = t.shape[axis]!;
    const edge = mode === 'reflect' ? 1 : 0;
    if (Math.max(low, high) > n - edge)
      throw new ValueError(
        `pad: expected at most ${n - edge} elements of ${mode} padding along axis ${axis}, received ${low} and ${high}`,
      );
    const index = Array.from({ length: low + n + high }, (_, i) => {
      const at = i - low;
      if (at < 0) return -at - 1 + edge;
      return at >= n ? 2 * n - 1 - at - edge : at;
    });
    y = y.gather(Int32Array.from(index), axis);
  }
  return y;
}

/** The whole tensor repeated: so many times per axis (missing leading axes are added). */
export function tile(x: TensorLike, repeats: number | readonly number[]): Tensor {
  const t = asTensor(x);
  const counts = typeof repeats === 'number' ? [repeats] : repeats;
  checkIntegers('tile', 'the repeats', counts, countOrZero);
  const rank = Math.max(t.rank, counts.length);
  const shape = [...Array(rank - t.rank).fill(1), ...t.shape] as number[];
  const times = [...Array(rank - counts.length).fill(1), ...counts] as number[];
  return t
    .reshape(shape.flatMap((d) => [1, d]))
    .broadcastTo(shape.flatMap((d, i) => [times[i]!, d]))
    .reshape(shape.map((d, i) => d * times[i]!));
}

/** Each element repeated along an axis (or each of the flattened tensor). */
export function repeat(x: TensorLike, repeats: number, axis: number | null = null): Tensor {
  return asTensor(x).repeat(repeats, axis);
}

/** Shifted along an axis (or flattened), what leaves at one end entering at the other. */
export function roll(x: TensorLike, shift: number, axis: number | null = null): Tensor {
  const t = asTensor(x);
  checkValue('roll', 'the shift', shift, integer);
  if (axis === null) return roll(t.flatten(), shift, 0).reshape(t.shape);
  const a = normalizeAxis(axis, t.rank, 'roll');
  const n = t.shape[a]!;
  const by = n === 0 ? 0 : ((shift % n) + n) % n;
  return by === 0 ? t : concat([t.narrow(a, n - by, by), t.narrow(a, 0, n - by)], a);
}

function triangle(x: TensorLike, keep: (row: Tensor, column: Tensor) => Tensor): Tensor {
  const t = asTensor(x);
  const [rows, columns] = t.shape.slice(-2);
  if (rows === undefined || columns === undefined)
    throw new ShapeError(`tril / triu: expected a rank of at least 2, received ${formatShape(t.shape)}`);
  return keep(arange(rows).expandDims(1), arange(columns)).select(t, t.zerosLike());
}

/** Elements on and below the k-th diagonal, zeros above. */
export function tril(x: TensorLike, k = 0): Tensor {
  checkValue('tril', 'the diagonal', k, integer);
  return triangle(x, (row, column) => column.lessEqual(row.add(k)));
}

/** Elements on and above the k-th diagonal, zeros below. */
export function triu(x: TensorLike, k = 0): Tensor {
  checkValue('triu', 'the diagonal', k, integer);
  return triangle(x, (row, column) => column.greaterEqual(row.add(k)));
}

/** The k-th diagonal of the last two axes, as the last axis. */
export function diagonal(x: TensorLike, k = 0): Tensor {
  checkValue('diagonal', 'the diagonal', k, integer);
  const t = asTensor(x);
  const [rows, columns] = t.shape.slice(-2);
  if (rows === undefined || columns === undefined)
    throw new ShapeError(`diagonal: expected a rank of at least 2, received ${formatShape(t.shape)}`);
  const row = Math.max(0, -k);
  const column = Math.max(0, k);
  const n = Math.max(0, Math.min(rows - row, columns - column));
  const index = Int32Array.from({ length: n }, (_, i) => (row + i) * columns + column + i);
  return t.reshape([...t.shape.slice(0, -2), rows * columns]).gather(index, -1);
}
