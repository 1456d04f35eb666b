import { Command } from '@recurra/kernels';
import { ones, randomKey, randomUniform, type Tensor, tensor } from '@recurra/tensor';
import { bind, definePrimitive, denseData } from '@recurra/tensor/extend';
import { jit, scan, setEngine, Variable } from '../index.js';
import type { Supports } from '../schedule/supports.js';
import { wasmEngine } from './engines.js';

const engine = wasmEngine() as { supports: Supports };
const { supports } = engine;

beforeEach(() => setEngine('wasm'));
afterEach(() => {
  engine.supports = supports;
});

/** The lines of an explanation that say what the calling thread evaluates. */
function evaluated(text: string): string[] {
  const lines = text.split('\n');
  const at = lines.indexOf('evaluated on the calling thread, between commands:');
  return at < 0 ? [] : lines.slice(at + 1, -1).map((line) => line.trim());
}

test('explain says what the host evaluates, and why', async () => {
  const f = (x: Tensor, w: Tensor): Tensor => x.matmul(w).tanh().sum();
  const [x, w] = [ones([2, 3]), ones([3, 4])];
  const expected = f(x, w).item();
  expect(evaluated(jit(f).explain(x, w))).toEqual([]);

  engine.supports = ({ name }) => name !== 'gemm';
  const product = jit(f);
  expect(evaluated(product.explain(x, w))).toEqual(['matmul (host): the engine has no gemm of float32']);
  // The activation that a kernel would have taken in is a chain of its own.
  expect(product.explain(x, w)).toContain('program: 3 commands');
  expect((await product(x, w)).item()).toBeCloseTo(expected, 5);

  engine.supports = ({ name }, dtypes) => name !== 'chain' || !dtypes.includes('bool');
  const choice = jit((a: Tensor) => a.greater(0).select(a, a.neg()));
  expect(evaluated(choice.explain(x))).toEqual([
    'greater (host): the engine has no chain of float32, bool',
    'select (host): the engine has no chain of bool, float32',
  ]);
  expect((await choice(tensor([-1, 2]))).toArray()).toEqual([1, 2]);

  // For an engine that has everything: what has no kernel, and float64.
  engine.supports = supports;
  expect(evaluated(jit((a: Tensor) => a.cast('float64').add(1).cast('float32')).explain(x))).toEqual([
    'cast (host): float64',
    'add (host): float64',
  ]);
});

test('a loop is evaluated where its body would be, and says what of it', async () => {
  const walk = (xs: Tensor, w: Tensor) =>
    scan((sum: Tensor, x: Tensor) => ({ carry: sum.add(x.matmul(w)), y: sum }), ones([1, 2]), xs);
  const args = [ones([3, 1, 2]), ones([2, 2])] as const;
  engine.supports = ({ name }) => name !== 'gemm';
  const step = jit(walk);
  expect(evaluated(step.explain(...args))).toEqual([
    'scan (host): in its body, matmul (host): the engine has no gemm of float32',
  ]);
  expect((await step(...args)).carry.toArray()).toEqual([[7, 7]]);
  engine.supports = ({ name }) => name !== 'loop';
  expect(evaluated(jit(walk).explain(...args))).toEqual(['scan (host): the engine has no loop of float32']);
});

test('carries of float64 that change places are not lost in a loop', async () => {
  const wide = (v: number): Tensor => tensor([v], { dtype: 'float64' });
  const turn = (a: Tensor, b: Tensor) =>
    scan(({ x, y }: { x: Tensor; y: Tensor }) => ({ carry: { x: y, y: x }, y: [] }), { x: a, y: b }, [], { length: 3 });
  const { carry } = await jit(turn)(wide(1), wide(2));
  expect([carry.x.toArray(), carry.y.toArray()]).toEqual([[2], [1]]);
});

test('random numbers that an engine cannot draw are the same ones', async () => {
  const draw = (key: Tensor): Tensor => randomUniform([5], { key }).mul(2);
  const expected = draw(randomKey(3)).toArray();
  engine.supports = ({ name }) => name !== 'random';
  const step = jit(draw);
  expect(evaluated(step.explain(randomKey(3)))).toEqual(['random (host): the engine has no random of int32, float32']);
  expect((await step(randomKey(3))).toArray()).toEqual(expected);
});

test('what the host evaluates may fail: variables are then as they were', async () => {
  engine.supports = ({ name }) => name !== 'gather';
  const v = new Variable(ones([2]), 'v');
  const step = jit((table: Tensor, i: Tensor) => {
    v.assign(v.value.mul(2));
    return table.take(i, 0);
  });
  const index = (i: number): Tensor => tensor([i], { dtype: 'int32' });
  await expect(step(ones([3, 2]), index(5))).rejects.toThrow(/5/);
  expect(v.value.toArray()).toEqual([1, 1]);
  expect((await step(ones([3, 2]), index(-1))).toArray()).toEqual([[1, 1]]);
  expect(v.value.toArray()).toEqual([2, 2]);
  v.dispose();
});

test('a kernel that another package brings is asked for by the command that it appends', async () => {
  const twice = definePrimitive<null>({
    name: 'twice',
    abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
    evaluate: ([x]) => [tensor(Float32Array.from(denseData(x!), (one) => one * 2)).concrete('twice')],
    lower: ({ inputs: [key], outputs: [to], emit }) =>
      emit(Command.random, { count: 2, uniform: 1, stream: 0, key: key!, to: to! }, 24),
    vjp: null,
    samples: [],
  });
  engine.supports = ({ name }) => name !== 'random';
  const step = jit((x: Tensor) => bind(twice, [x], null)[0]!);
  expect(evaluated(step.explain(tensor([1, 2])))).toEqual(['twice (host): the engine has no random of float32']);
  expect((await step(tensor([1, 2]))).toArray()).toEqual([2, 4]);
});
