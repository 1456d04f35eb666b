import { type Tensor, tensor } from '@recurra/tensor';
import { jit, Variable } from './index.js';

const x = tensor([1, 2]);
// biome-ignore lint/suspicious/noExplicitAny: any static argument
type Anything = any;

test.each<[string, Anything, RegExp]>([
  [
    'a typed array',
    Float32Array.of(1, 2),
    /received a Float32Array, whose elements would be constants of the compiled code\. Pass tensor\(\.\.\.\) of it/,
  ],
  ['one in a structure', { a: [Int32Array.of(1)] }, /received a Int32Array/],
  ['a buffer', new ArrayBuffer(8), /received a ArrayBuffer/],
  [
    'an instance of a class',
    new (class Settings {
      rate = 1;
    })(),
    /received a Settings: what changes inside of it would not be seen/,
  ],
  [
    'a tensor in a map',
    new Map([['a', x]]),
    /expected tensors in arrays and plain objects, received one inside of a Map/,
  ],
  ['a tensor in a set', { deep: new Set([[x]]) }, /received one inside of a Set/],
  ['a typed array in a map', new Map([['a', Float32Array.of(1)]]), /received a Float32Array/],
  [
    'a frozen object that holds what changes',
    Object.freeze(
      new (class Frozen {
        list = new Uint8Array(1);
      })(),
    ),
    /received a Uint8Array/,
  ],
])('%s is refused, with the way out', async (_, value, message) => {
  await expect(jit((t: Tensor, _v: Anything) => t.mul(2), { name: 'step' })(x, value)).rejects.toThrow(message);
});

test('static arguments are compared by content: what changed is seen', async () => {
  let traced = 0;
  const step = jit((t: Tensor, { map, set, date, pattern }: Anything) => {
    traced++;
    return t.mul(map.get('k')).add(set.size).add(date.getTime()).add(pattern.flags.length);
  });
  const make = (): Anything => ({ map: new Map([['k', 2]]), set: new Set([1]), date: new Date(0), pattern: /a/ });
  const argument = make();
  expect((await step(x, argument)).toArray()).toEqual([3, 5]);
  expect((await step(x, make())).toArray()).toEqual([3, 5]);
  expect(traced).toBe(1);
  argument.map.set('k', 10);
  expect((await step(x, argument)).toArray()).toEqual([11, 21]);
  argument.set.add(2);
  expect((await step(x, argument)).toArray()).toEqual([12, 22]);
  argument.date.setTime(100);
  expect((await step(x, argument)).toArray()).toEqual([112, 122]);
  argument.pattern = /a/gi;
  expect((await step(x, argument)).toArray()).toEqual([114, 124]);
  expect(traced).toBe(5);
});

test('symbols, functions, frozen objects and variables are told apart by identity', async () => {
  const step = jit((t: Tensor, key: Anything) =>
    t.mul(typeof key === 'function' ? key() : key === Symbol.iterator ? 2 : 3),
  );
  expect((await step(x, Symbol.iterator)).toArray()).toEqual([2, 4]);
  expect((await step(x, Symbol('Symbol.iterator'))).toArray()).toEqual([3, 6]);
  expect((await step(x, () => 4)).toArray()).toEqual([4, 8]);
  expect((await step(x, () => 5)).toArray()).toEqual([5, 10]);
  class Rate {
    constructor(readonly by: number) {
      Object.freeze(this);
    }
  }
  const scaled = jit((t: Tensor, rate: Rate) => t.mul(rate.by));
  expect((await scaled(x, new Rate(2))).toArray()).toEqual([2, 4]);
  expect((await scaled(x, new Rate(3))).toArray()).toEqual([3, 6]);
  const read = jit((t: Tensor, v: Variable) => t.add(v.value));
  const [a, b] = [new Variable(tensor([1, 1])), new Variable(tensor([5, 5]))];
  expect((await read(x, a)).toArray()).toEqual([2, 3]);
  expect((await read(x, b)).toArray()).toEqual([6, 7]);
  a.assign(tensor([10, 10]));
  expect((await read(x, a)).toArray()).toEqual([11, 12]);
});

test('an argument that contains itself is refused', async () => {
  const step = jit((t: Tensor, _: Anything) => t);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = [cyclic];
  await expect(step(x, cyclic)).rejects.toThrow(
    /step: expected arguments nested .* received one that is deeper, or contains itself/,
  );
  expect((await step(x, { self: [] })).toArray()).toEqual([1, 2]);
});
