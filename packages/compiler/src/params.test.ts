import { type Tensor, tensor } from '@recurra/tensor';
import { bind, definePrimitive, type NDArray, ndarray, type Primitive } from '@recurra/tensor/extend';
import { jit } from './index.js';
import { copyOf, keyOf } from './params.js';

/** An operation of a user: what it does is in its parameters. */
function custom<P>(name: string, f: (x: number, params: P) => number): Primitive<P> {
  return definePrimitive<P>({
    name,
    abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
    evaluate: ([x], params, [out]) => {
      const y: NDArray = ndarray(out!.dtype, out!.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = f(x!.data[x!.offset + i]!, params);
      return [y];
    },
    vjp: null,
    samples: [],
  });
}

class Box {
  readonly #inside: number;
  constructor(inside: number) {
    this.#inside = inside;
  }
  get value(): number {
    return this.#inside;
  }
}

const x = tensor([1, 2]);
/** f as it is, and compiled: both results. */
async function both(f: (x: Tensor) => Tensor[]): Promise<unknown[][]> {
  return [f(x).map((t) => t.toArray()), (await jit(f)(x)).map((t) => t.toArray())];
}

test.each<[string, Primitive<never>, unknown[]]>([
  [
    'functions',
    custom('call', (v, { f }: { f: (v: number) => number }) => f(v)) as never,
    [{ f: (v: number) => v + 1 }, { f: (v: number) => v * 10 }],
  ],
  [
    'maps',
    custom('map', (v, m: Map<string, number>) => v * m.get('k')!) as never,
    [new Map([['k', 2]]), new Map([['k', 5]])],
  ],
  ['sets', custom('set', (v, s: Set<number>) => v + s.size) as never, [new Set([1]), new Set([1, 2])]],
  ['private fields', custom('box', (v, b: Box) => v + b.value) as never, [new Box(1), new Box(2)]],
  [
    'undefined',
    custom('undef', (v, p: { a?: number; b?: number }) => v + ('a' in p ? 1 : 2)) as never,
    [{ a: undefined }, {}],
  ],
  [
    'NaN and its text',
    custom('text', (v, p: { a: unknown }) => v + (typeof p.a === 'string' ? 1 : 2)) as never,
    [{ a: 'number NaN' }, { a: Number.NaN }, { a: 'null' }, { a: null }],
  ],
  [
    'symbols',
    custom('symbol', (v, s: symbol) => v + (s === Symbol.iterator ? 1 : 2)) as never,
    [Symbol.iterator, Symbol('Symbol.iterator')],
  ],
  ['big integers', custom('big', (v, n: bigint) => v + Number(n)) as never, [1n, 2n]],
  ['dates', custom('date', (v, d: Date) => v + d.getTime()) as never, [new Date(1), new Date(2)]],
  [
    'typed arrays',
    custom('array', (v, a: Float32Array) => v + a[0]!) as never,
    [Float32Array.of(1), Float32Array.of(2)],
  ],
  [
    'keys that are symbols',
    custom('keys', (v, p: { readonly [Symbol.iterator]: number }) => v + p[Symbol.iterator]) as never,
    [{ [Symbol.iterator]: 1 }, { [Symbol.iterator]: 2 }],
  ],
  ['negative zero', custom('zero', (v, p: number) => v + (Object.is(p, -0) ? 1 : 2)) as never, [0, -0]],
])('operations whose parameters differ by %s are not merged', async (_, primitive, params) => {
  const [eager, compiled] = await both((t) => params.map((p) => bind(primitive, [t], p as never)[0]!));
  expect(compiled).toEqual(eager);
  expect(new Set(eager!.map(String)).size).toBeGreaterThan(1);
});

test('an operation keeps the parameters that it was given, though they change afterwards', async () => {
  const scale = custom(
    'scale',
    (v, { by, table }: { by: number[]; table: Map<string, number> }) => v * by[0]! * table.get('k')!,
  );
  const [eager, compiled] = await both((t) => {
    const params = { by: [2], table: new Map([['k', 1]]) };
    const first = bind(scale, [t], params)[0]!;
    params.by[0] = 3;
    params.table.set('k', 10);
    return [first, bind(scale, [t], params)[0]!];
  });
  expect(eager).toEqual([
    [2, 4],
    [30, 60],
  ]);
  expect(compiled).toEqual(eager);
});

test('what is provably equal is one operation', () => {
  expect(keyOf({ a: [1, { b: null }], f: keyOf })).toBe(keyOf({ a: [1, { b: null }], f: keyOf }));
  expect(keyOf(new Map([[1, [2]]]))).toBe(keyOf(new Map([[1, [2]]])));
  expect(keyOf(new Box(1))).toBeNull();
  expect(keyOf({ deep: [new Box(1)] })).toBeNull();
  expect(keyOf(new Float32Array(1000))).toBeNull();
  const box = new Box(1);
  expect(copyOf({ box, list: [1] })).toEqual({ box, list: [1] });
  expect(copyOf({ box }).box).toBe(box);
});
