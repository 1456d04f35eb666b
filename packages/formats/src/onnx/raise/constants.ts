/** What operators make of constants and of sizes: shapes that a graph computes, tables, states to begin with. */
import { concat, type Tensor, tensor, where } from '@recurra/tensor';
import type { ElementType } from '../graph.js';
import { typeName } from '../read.js';
import type { NodeReader } from './node-reader.js';
import { known, type Size } from './sizes.js';
import type { Raised, RaisedConstant, RaisedSizes } from './values.js';

/** How large what is computed of constants may become. */
const LARGEST = 1 << 22;
/** How many sizes a shape may have. */
const MOST = 64;

const constantOf = (value: Tensor, type: ElementType = 'float32'): RaisedConstant => ({
  kind: 'constant',
  constant: { type, value },
});

const isWhole = (type: ElementType): boolean => /int/.test(type);

/** A constant of whole numbers. */
const integersOf = (list: readonly number[], rank: 0 | 1 = 1): RaisedConstant =>
  constantOf(tensor(Float64Array.from(list), { shape: rank === 0 ? [] : [list.length] }), 'int64');

/** Sizes as a value: a constant where they are all known. */
export function sizesOf(r: NodeReader, list: readonly Size[], rank: 0 | 1): RaisedSizes | RaisedConstant {
  if (list.length > MOST) r.fail(`expected at most ${MOST} sizes, received ${list.length}`);
  // The number of samples that the graph was written for is not what it computes with here.
  if (list.every(({ of }) => of.length === 0))
    return integersOf(
      list.map(({ n }) => n),
      rank,
    );
  return { kind: 'sizes', list, rank };
}

/** Throws where so many elements are more than constants may have. */
function checkRoom(r: NodeReader, sizes: readonly number[]): void {
  const size = sizes.reduce((a, b) => a * b, 1);
  if (!(size <= LARGEST)) r.fail(`expected constants of at most ${LARGEST} elements, received ${size}`);
}

type Fold = (r: NodeReader, xs: readonly Tensor[], type: ElementType) => Tensor | RaisedConstant;

const binary =
  (f: (a: number, b: number) => number): Fold =>
  (r, [a, b], type) => {
    if (!a || !b) return r.fail('expected two inputs');
    const rank = Math.max(a.rank, b.rank);
    const shape = Array.from({ length: rank }, (_, i) => {
      const [m, n] = [a.shape[i - rank + a.rank] ?? 1, b.shape[i - rank + b.rank] ?? 1];
      if (m !== n && m !== 1 && n !== 1) r.fail('expected shapes that can be broadcast');
      return m === 1 ? n : m;
    });
    checkRoom(r, shape);
    const [x, y] = [a.broadcastTo(shape), b.broadcastTo(shape)];
    const data = Float64Array.from({ length: x.size }, (_, i) => {
      const value = f(Number(x.data[i]), Number(y.data[i]));
      return isWhole(type) ? Math.trunc(value) : value;
    });
    const result = tensor(data, { shape });
    return isWhole(type) || type === 'float64' ? result : result.cast('float32');
  };

const unary =
  (f: (a: number) => number): Fold =>
  (r, [x]) => {
    if (!x) return r.fail('expected an input');
    const result = tensor(
      Float64Array.from(x.data as ArrayLike<number>, (v) => f(Number(v))),
      { shape: [...x.shape] },
    );
    return x.dtype === 'float32' ? result.cast('float32') : result;
  };

/** Steps of one axis. */
function sliced(r: NodeReader, x: Tensor): Tensor {
  const [starts, ends] = [r.integers(1, 'starts') ?? [], r.integers(2, 'ends') ?? []];
  const axes = r.integers(3, 'axes') ?? starts.map((_, i) => i);
  const steps = r.integers(4, 'steps') ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    r.fail('expected as many ends, axes and steps as starts');
  return starts.reduce((now, from, i) => {
    const axis = r.axis(axes[i]!, now.rank);
    if (steps[i] !== 1) r.fail('expected steps of 1');
    const [start, end] = bounds(from, ends[i]!, now.shape[axis]!);
    return now.narrow(axis, start, end - start);
  }, x);
}

/** Where a slice begins and ends, counted from the front. */
export function bounds(start: number, end: number, size: number): [start: number, end: number] {
  const from = (n: number): number => Math.min(Math.max(n < 0 ? n + size : n, 0), size);
  const first = from(start);
  return [first, Math.max(first, from(end))];
}

const FOLDS: Readonly<Record<string, Fold>> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Pow: binary((a, b) => a ** b),
  Mod: binary((a, b) => a - Math.floor(a / b) * b),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Equal: binary((a, b) => Number(a === b)),
  Sqrt: unary(Math.sqrt),
  Neg: unary((a) => -a),
  Identity: (r, [x]) => x ?? r.fail('expected an input'),
  Cast: (r, [x]) => {
    const to = typeName(r.int('to', 1));
    if (!x || !to || to === 'string') return r.fail('expected numbers');
    const whole = isWhole(to)
      ? unary(Math.trunc)(r, [x], to)
      : to === 'bool'
        ? unary((a) => Number(a !== 0))(r, [x], to)
        : x;
    const value = whole as Tensor;
    return constantOf(isWhole(to) || to === 'bool' || to === 'float64' ? value : value.cast('float32'), to);
  },
  Transpose: (r, [x]) => x!.transpose(r.permutation(x!.rank)),
  Squeeze: (r, [x]) => {
    const axes = r.integers(1, 'axes')?.map((a) => r.axis(a, x!.rank));
    return x!.reshape(x!.shape.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)));
  },
  Unsqueeze: (r, [x]) => {
    const given = r.integers(1, 'axes') ?? r.fail('expected axes');
    const shape: number[] = [...x!.shape];
    for (const axis of given.map((a) => r.axis(a, x!.rank + given.length)).sort((a, b) => a - b))
      shape.splice(axis, 0, 1);
    return x!.reshape(shape);
  },
  Reshape: (r, [x]) => {
    const given = r.integers(1, 'shape') ?? r.fail('expected a shape');
    const sizes = given.map((d, i) => (d === 0 && r.int('allowzero', 0) === 0 ? (x!.shape[i] ?? 0) : d));
    const rest = sizes.filter((d) => d !== -1).reduce((a, b) => a * b, 1);
    const shape = sizes.map((d) => (d === -1 ? x!.size / rest : d));
    if (shape.some((d) => !Number.isInteger(d) || d < 0)) r.fail('expected a shape that fits');
    return x!.reshape(shape);
  },
  Concat: (r, xs) => {
    checkRoom(r, [xs.reduce((n, x) => n + x.size, 0)]);
    return concat([...xs], r.axis(r.int('axis', 0), xs[0]!.rank));
  },
  Slice: (r, [x]) => sliced(r, x!),
  Gather: (r, [x, ids]) => {
    const axis = r.axis(r.int('axis', 0), x!.rank);
    const size = x!.shape[axis]!;
    const picked = [...ids!.data].map((i) => (Number(i) < 0 ? Number(i) + size : Number(i)));
    if (picked.length > MOST || picked.some((i) => !(i >= 0 && i < size)))
      r.fail('expected a few indices that are there');
    const rows = picked.map((i) => x!.narrow(axis, i, 1));
    const shape = [...x!.shape.slice(0, axis), ...ids!.shape, ...x!.shape.slice(axis + 1)];
    return rows.length === 0 ? r.fail('expected indices') : concat(rows, axis).reshape(shape);
  },
  Expand: (r, [x, to]) => {
    const given = [...to!.data].map(Number);
    const rank = Math.max(given.length, x!.rank);
    const at = (list: readonly number[], i: number): number => list[i - rank + list.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, i) => (at(given, i) === 1 ? at(x!.shape, i) : at(given, i)));
    checkRoom(r, shape);
    return x!.broadcastTo(shape);
  },
  ConstantOfShape: (r, [shape]) => {
    const sizes = [...shape!.data].map(Number);
    checkRoom(r, sizes);
    const fill = r.has('value') ? r.value() : null;
    const data = new Float64Array(sizes.reduce((a, b) => a * b, 1)).fill(Number(fill?.value.data[0] ?? 0));
    const value = tensor(data, { shape: sizes });
    const type = fill?.type ?? 'float32';
    return constantOf(isWhole(type) || type === 'float64' ? value : value.cast('float32'), type);
  },
  Where: (r, [condition, a, b]) => {
    if (!condition || !a || !b) return r.fail('expected three inputs');
    return where(condition.notEqual(0), a, b);
  },
};

/** Is it computed of constants, or of sizes? */
export const isFolded = (opType: string): boolean => Object.hasOwn(FOLDS, opType) || Object.hasOwn(OF_SIZES, opType);

/** The constant that an operator of constants gives; `null` where it is none of those, or an input is computed. */
export function folded(r: NodeReader): Raised | null {
  const { opType, input } = r.node;
  if (!Object.hasOwn(FOLDS, opType) || input.length === 0) return null;
  const xs = input.map((_, i) => r.input(i));
  if (!xs.every((x) => x?.kind === 'constant')) return null;
  const constants = xs as readonly RaisedConstant[];
  const { type } = constants[opType === 'Where' ? 1 : 0]!.constant;
  const result = FOLDS[opType]!(
    r,
    constants.map((x) => x.constant.value),
    type,
  );
  return 'kind' in result ? result : constantOf(result, opType === 'Equal' ? 'bool' : type);
}

/** Sizes of an input: of a shape that is computed, or constants. `null` where it is neither. */
export function sizesAt(r: NodeReader, i: number): { list: readonly Size[]; rank: 0 | 1 } | null {
  const x = r.input(i);
  if (x?.kind === 'sizes') return x;
  if (x?.kind !== 'constant' || x.constant.value.rank > 1 || x.constant.value.size > MOST) return null;
  const list = [...x.constant.value.data].map((n) => known(Number(n)));
  return { list, rank: x.constant.value.rank === 0 ? 0 : 1 };
}

type OfSizes = (r: NodeReader, x: { readonly list: readonly Size[]; readonly rank: 0 | 1 }) => Raised;

const pair = (f: (r: NodeReader, a: Size, b: Size) => Size | null): OfSizes =>
  function both(r, a) {
    const b = sizesAt(r, 1) ?? r.fail('expected sizes');
    const length = Math.max(a.list.length, b.list.length);
    if (![1, length].includes(a.list.length) || ![1, length].includes(b.list.length)) r.fail('expected as many sizes');
    const at = (x: readonly Size[], i: number): Size => x[x.length === 1 ? 0 : i]!;
    const list = Array.from(
      { length },
      (_, i) => f(r, at(a.list, i), at(b.list, i)) ?? r.fail('expected sizes that can be told from the graph'),
    );
    return sizesOf(r, list, a.rank === 0 && b.rank === 0 ? 0 : 1);
  };

/** What operators make of sizes of which some are open. */
const OF_SIZES: Readonly<Record<string, OfSizes>> = {
  Identity: (r, x) => sizesOf(r, x.list, x.rank),
  Cast: (r, x) => sizesOf(r, x.list, x.rank),
  Squeeze: (r, x) => (x.list.length === 1 ? sizesOf(r, x.list, 0) : r.fail('expected one size')),
  Unsqueeze: (r, x) => (x.rank === 0 ? sizesOf(r, x.list, 1) : r.fail('expected one size of rank 0')),
  Reshape: (r, x) => {
    const to = r.integers(1, 'shape') ?? [];
    if (to.length > 1) r.fail('expected sizes in one row');
    return sizesOf(r, x.list, to.length === 0 ? 0 : 1);
  },
  Concat: (r) => {
    const all = r.node.input.map((_, i) => sizesAt(r, i) ?? r.fail('expected sizes'));
    return sizesOf(
      r,
      all.flatMap((x) => x.list),
      1,
    );
  },
  Gather: (r, x) => {
    const ids = r.constant(1)!.value;
    const list = [...ids.data].map((i) => x.list.at(Number(i)) ?? r.fail('expected an axis that is there'));
    return sizesOf(r, list, ids.rank === 0 ? 0 : 1);
  },
  Slice: (r, x) => {
    const [start, end] = bounds(r.integers(1, 'starts')?.[0] ?? 0, r.integers(2, 'ends')?.[0] ?? 0, x.list.length);
    if ((r.integers(4, 'steps') ?? [1])[0] !== 1) r.fail('expected steps of 1');
    return sizesOf(r, x.list.slice(start, end), 1);
  },
  Mul: pair((r, a, b) => r.keras.sizes.times(a, b)),
  Div: pair((r, a, b) => r.keras.sizes.over(a, b)),
  Add: pair((_, a, b) => (b.n === 0 ? a : a.n === 0 ? b : null)),
  Sub: pair((_, a, b) => (b.n === 0 ? a : null)),
  Equal: (r, a) => {
    const b = sizesAt(r, 1) ?? r.fail('expected sizes');
    const list = a.list.map((x, i) => Number(r.keras.sizes.equal(x, b.list[b.list.length === 1 ? 0 : i] ?? known(-2))));
    return integersOf(list, a.rank);
  },
  Expand: filledWith,
  Tile: filledWith,
};

/** One size, repeated: how long sequences are. */
function filledWith(r: NodeReader, x: { readonly list: readonly Size[] }): Raised {
  const to = sizesAt(r, 1) ?? r.fail('expected sizes');
  if (x.list.length !== 1 || to.list.length !== 1) r.fail('expected one size, for each sample');
  return { kind: 'sizes', list: x.list, rank: 1 };
}

/** What an operator makes of sizes; `null` where none of the inputs is such, or they are not what it computes with. */
export function computedSizes(r: NodeReader): Raised | null {
  const { opType, input } = r.node;
  if (opType === 'Where' && input.some((_, i) => r.input(i)?.kind === 'sizes')) {
    const chosen = r.constant(0)!.value;
    const [a, b] = [sizesAt(r, 1), sizesAt(r, 2)];
    if (!a || !b) return r.fail('expected sizes');
    const at = (x: readonly Size[], i: number): Size => x[x.length === 1 ? 0 : i] ?? r.fail('expected as many sizes');
    const length = Math.max(a.list.length, b.list.length, chosen.size);
    const list = Array.from({ length }, (_, i) =>
      Number(chosen.data[chosen.size === 1 ? 0 : i]) !== 0 ? at(a.list, i) : at(b.list, i),
    );
    return sizesOf(r, list, a.rank === 0 && b.rank === 0 ? 0 : 1);
  }
  if (!Object.hasOwn(OF_SIZES, opType)) return null;
  const kinds = input.map((_, i) => r.input(i)?.kind);
  // A shape that a tensor is brought to is an argument.
  const first =
    opType === 'Concat' || /^(Mul|Add|Equal)$/.test(opType) ? kinds.includes('sizes') : kinds[0] === 'sizes';
  if (!first || kinds.some((kind) => kind !== undefined && kind !== 'sizes' && kind !== 'constant')) return null;
  return OF_SIZES[opType]!(r, sizesAt(r, 0) ?? r.fail('expected sizes'));
}
