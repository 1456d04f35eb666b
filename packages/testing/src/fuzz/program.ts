import {
  type Axes,
  argsort,
  concat,
  type DType,
  isfinite,
  isinf,
  isnan,
  logsumexp,
  median,
  pad,
  roll,
  softmax,
  sort,
  stack,
  type Tensor,
  takeAlongAxis,
  tensor,
  topK,
  where,
} from '@recurra/tensor';
import { isFloating } from '@recurra/tensor/extend';

/** How near a compiled result must come to the eager one: equal to the bit, or within so much of its size (of all that is summed). */
export type Tolerance = 'exact' | number;

/** An operation of a random program. */
export interface Operation {
  readonly name: string;
  /** What it computes of one, two or three values; they have the same rank or broadcast. `n` chooses among axes, sizes and the like. */
  readonly apply: (x: Tensor, y: Tensor, z: Tensor, n: number) => Tensor;
  readonly tolerance: Tolerance;
  /** Of whole numbers, is the result whole, and its gradient too? */
  readonly whole: boolean;
}

const axisOf = (x: Tensor, n: number): number => n % Math.max(1, x.rank);
const axesOf = (x: Tensor, n: number): Axes =>
  n % 4 === 3 ? null : [axisOf(x, n), axisOf(x, n >> 2)].filter((a, i, all) => all.indexOf(a) === i);
/** For operations that need an axis. */
const ranked = (x: Tensor): Tensor => (x.rank === 0 ? x.reshape([1]) : x);
const float = (x: Tensor): Tensor => (isFloating(x.dtype) ? x : x.cast('float32'));
const integer = (x: Tensor): Tensor => x.cast('int32');
const bool = (x: Tensor): Tensor => x.cast('bool');
/** Indices in range of a size, from values of any kind. */
const within = (x: Tensor, size: number): Tensor => integer(x).mod(Math.max(1, size));

const exact = (name: string, whole: boolean, apply: Operation['apply']): Operation => ({
  name,
  apply,
  tolerance: 'exact',
  whole,
});
const near = (name: string, tolerance: number, apply: Operation['apply'], whole = false): Operation => ({
  name,
  apply,
  tolerance,
  whole,
});

/** All operations that programs are made of. */
export const OPERATIONS: readonly Operation[] = [
  exact('add', true, (x, y) => x.add(y)),
  exact('sub', true, (x, y) => x.sub(y)),
  exact('mul', true, (x, y) => x.mul(y)),
  exact('div', false, (x, y) => x.div(y)),
  exact('divideNoNan', false, (x, y) => x.divideNoNan(y)),
  exact('mod', false, (x, y) => x.mod(y)),
  exact('floorDivide', false, (x, y) => x.floorDivide(y)),
  exact('maximum', true, (x, y) => x.maximum(y)),
  exact('minimum', true, (x, y) => x.minimum(y)),
  exact('less', true, (x, y) => x.less(y)),
  exact('equal', true, (x, y) => x.equal(y)),
  exact('greaterEqual', true, (x, y) => x.greaterEqual(y)),
  exact('notEqual', true, (x, y) => x.notEqual(y)),
  exact('logicalAnd', true, (x, y) => x.logicalAnd(y)),
  exact('logicalXor', true, (x, y) => bool(x).logicalXor(bool(y))),
  exact('where', true, (x, y, z) => where(bool(x), y, z)),
  exact('neg', true, (x) => x.neg()),
  exact('abs', true, (x) => x.abs()),
  exact('sign', true, (x) => x.sign()),
  exact('square', true, (x) => x.square()),
  exact('relu', true, (x) => x.relu()),
  exact('floor', true, (x) => x.floor()),
  exact('ceil', true, (x) => x.ceil()),
  exact('round', true, (x) => x.round()),
  exact('sqrt', false, (x) => x.sqrt()),
  exact('reciprocal', false, (x) => x.reciprocal()),
  exact('clip', true, (x) => x.clip(-2, 2)),
  // Not of 0: compiled, x + 0 is x, which keeps -0 (see the compiler's simplify.ts).
  exact('add of a number', true, (x, _y, _z, n) => x.add([2, -3, 1, -2][n % 4]!)),
  exact('mul by a number', true, (x, _y, _z, n) => x.mul([1, -1, 2, 0][n % 4]!)),
  exact('logicalNot', true, (x) => x.logicalNot()),
  exact('isnan', true, (x) => isnan(x)),
  exact('isinf', true, (x) => isinf(x)),
  exact('isfinite', true, (x) => isfinite(x)),
  exact('to int32', true, integer),
  exact('to bool', true, bool),
  exact('to float32', true, (x) => x.cast('float32')),
  exact('max', true, (x, _y, _z, n) => x.max(axesOf(x, n))),
  exact('min', true, (x, _y, _z, n) => x.min(axesOf(x, n))),
  exact('any', true, (x, _y, _z, n) => x.any(axesOf(x, n))),
  exact('all', true, (x, _y, _z, n) => x.all(axesOf(x, n))),
  exact('sum of int32', true, (x, _y, _z, n) => integer(x).sum(axesOf(x, n))),
  exact('prod of int32', true, (x, _y, _z, n) => integer(x).prod(axesOf(x, n))),
  exact('cumsum of int32', true, (x, _y, _z, n) =>
    integer(ranked(x)).cumsum(axisOf(x, n), { reverse: n % 2 === 1, exclusive: n % 3 === 1 }),
  ),
  exact('sort', true, (x, _y, _z, n) => sort(x, x.rank === 0 ? -1 : axisOf(x, n), { descending: n % 2 === 1 })),
  exact('argsort', true, (x, _y, _z, n) => argsort(x, x.rank === 0 ? -1 : axisOf(x, n), { descending: n % 2 === 1 })),
  exact('topK', true, (x, _y, _z, n) => topK(ranked(x), Math.min(n % 3, ranked(x).shape.at(-1)!)).values),
  exact('transpose', true, (x) => x.transpose()),
  exact('flip', true, (x, _y, _z, n) => x.flip(axesOf(x, n))),
  exact('flatten', true, (x) => x.flatten()),
  exact('flatten of the transpose', true, (x) => x.transpose().flatten().reshape(x.shape)),
  exact('expandDims', true, (x, _y, _z, n) => (x.rank < 4 ? x.expandDims(n % (x.rank + 1)) : x)),
  exact('squeeze', true, (x) => x.squeeze()),
  exact('narrow', true, (x, _y, _z, n) => {
    if (x.rank === 0) return x;
    const axis = axisOf(x, n);
    const size = x.shape[axis]!;
    const start = (n >> 2) % (size + 1);
    return x.narrow(axis, start, Math.min(size - start, 1 + (n % 5)));
  }),
  exact('concat', true, (x, y, _z, n) =>
    concat([ranked(x), ranked(y.cast(x.dtype).mul(x.onesLike()).cast(x.dtype))], axisOf(x, n)),
  ),
  exact('stack', true, (x) => (x.rank < 4 ? stack([x, x], 0) : x)),
  exact('pad', true, (x, _y, _z, n) =>
    pad(
      x,
      x.shape.map((_, i) => [(n + i) % 3, (n >> 1) % 2] as const),
      { value: n % 2 },
    ),
  ),
  exact('roll', true, (x, _y, _z, n) => (x.rank === 0 ? x : roll(x, n % 5, axisOf(x, n)))),
  exact('gather', true, (x, y, _z, n) => {
    const t = ranked(x);
    const axis = axisOf(t, n);
    return t.shape[axis] === 0 ? t : t.gather(within(y.flatten(), t.shape[axis]!), axis);
  }),
  exact('gather from the end', true, (x, y) => {
    const t = ranked(x);
    return t.shape[0] === 0
      ? t
      : t.gather(within(ranked(y).flatten().narrow(0, 0, Math.min(3, y.size)), t.shape[0]!).sub(t.shape[0]!), 0);
  }),
  exact('takeAlongAxis', true, (x, _y, _z, n) => {
    const t = ranked(x);
    const axis = axisOf(t, n);
    return t.shape[axis] === 0 ? t : takeAlongAxis(t, within(t, t.shape[axis]!), axis);
  }),
  near('sum', 2e-7, (x, _y, _z, n) => x.sum(axesOf(x, n)), true),
  near('mean', 2e-7, (x, _y, _z, n) => x.mean(axesOf(x, n))),
  near('prod', 1e-6, (x, _y, _z, n) => x.prod(axesOf(x, n)), true),
  near('cumsum', 2e-7, (x, _y, _z, n) => ranked(x).cumsum(axisOf(x, n), { reverse: n % 2 === 1 }), true),
  near(
    'matmul',
    2e-6,
    (x) => {
      const t = ranked(float(x));
      return t.rank < 2 ? t.matmul(t) : t.matmul(t.swapaxes(-1, -2));
    },
    true,
  ),
  near(
    'matmul from the left',
    2e-6,
    (x) => {
      const t = ranked(float(x));
      return t.rank < 2 ? t.matmul(t) : t.swapaxes(-1, -2).matmul(t).add(1).relu();
    },
    true,
  ),
  near(
    'matmul of int32',
    0,
    (x) => {
      const t = ranked(integer(x));
      return t.rank < 2 ? t.matmul(t) : t.matmul(t.swapaxes(-1, -2));
    },
    false,
  ),
  near('exp', 1e-6, (x) => x.exp()),
  near('expm1', 1e-6, (x) => x.expm1()),
  near('log', 1e-6, (x) => x.log()),
  near('log1p', 1e-6, (x) => x.log1p()),
  near('tanh', 1e-6, (x) => x.tanh()),
  near('sigmoid', 1e-6, (x) => x.sigmoid()),
  near('softplus', 1e-6, (x) => x.softplus()),
  near('erf', 1e-6, (x) => x.erf()),
  near('gelu', 1e-6, (x) => x.gelu()),
  near('rsqrt', 1e-6, (x) => x.rsqrt()),
  near('sin', 1e-6, (x) => x.sin()),
  near('softmax', 2e-6, (x, _y, _z, n) => softmax(ranked(float(x)), axisOf(x, n))),
  near('logsumexp', 2e-6, (x, _y, _z, n) => logsumexp(x, axesOf(x, n))),
  near('median', 2e-7, (x) => median(x)),
];

/** One operation of a random program: which one, of which values before it, and what it chooses. */
export type Instruction = readonly [operation: number, x: number, y: number, z: number, n: number];

/** A random program: the shape that all inputs broadcast to, their dtypes, a seed for their values, and what is done with them. */
export interface Program {
  readonly shape: readonly number[];
  readonly inputs: readonly { readonly dtype: DType; readonly kept: number; readonly drop: number }[];
  readonly values: number;
  readonly instructions: readonly Instruction[];
}

/** Values above this are let go: a program of squares and products soon computes nothing but infinities. */
const MOST_ELEMENTS = 20_000;

/** Numbers of a seed (Mulberry32), in 0..1. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The inputs of a program: each has some axes of the shape, others have size 1, or leading ones are missing. */
export function inputsOf(program: Program, draw: (dtype: DType, random: () => number) => number): Tensor[] {
  const random = randomNumbers(program.values);
  return program.inputs.map(({ dtype, kept, drop }) => {
    const shape = program.shape
      .slice(drop % (program.shape.length + 1))
      .map((d, i) => (((kept >> i) & 1) === 1 ? 1 : d));
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Array.from({ length: size }, () => draw(dtype, random));
    return tensor(dtype === 'bool' ? data.map((v) => v !== 0) : data, { dtype, shape });
  });
}

/** What an instruction computes of the values before it; `null` where they do not fit each other, or would become too many. */
export function execute(
  values: readonly Tensor[],
  [operation, x, y, z, n]: Instruction,
  operations: readonly Operation[],
): Tensor | null {
  const { name, apply } = operations[operation % operations.length]!;
  const [a, b, c] = [x, y, z].map((i) => values[i % values.length]!) as [Tensor, Tensor, Tensor];
  if (!fit(a, b) || !fit(a, c) || !fit(b, c)) return null;
  if (a.rank > 4 || (name.startsWith('matmul') && a.size > 3000)) return null;
  if (name === 'stack' || name === 'gather' || name === 'pad' || name === 'concat')
    if (a.size * Math.max(1, name === 'gather' ? b.size : 4) > MOST_ELEMENTS) return null;
  if (broadcastSize(a, b) > MOST_ELEMENTS || broadcastSize(a, c) > MOST_ELEMENTS || broadcastSize(b, c) > MOST_ELEMENTS)
    return null;
  return apply(a, b, c, n);
}

function fit(a: Tensor, b: Tensor): boolean {
  for (let i = 1; i <= Math.min(a.rank, b.rank); i++) {
    const [p, q] = [a.shape[a.rank - i]!, b.shape[b.rank - i]!];
    if (p !== q && p !== 1 && q !== 1) return false;
  }
  return true;
}

function broadcastSize(a: Tensor, b: Tensor): number {
  let size = 1;
  for (let i = 1; i <= Math.max(a.rank, b.rank); i++) {
    const [p, q] = [a.shape[a.rank - i] ?? 1, b.shape[b.rank - i] ?? 1];
    size *= p === 1 ? q : p;
  }
  return size;
}
