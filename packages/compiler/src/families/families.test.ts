import { F32, I32 } from '@recurra/kernels';
import { type Tensor, tensor } from '@recurra/tensor';
import { allPrimitives, bind, definePrimitive, denseData } from '@recurra/tensor/extend';
import { jit } from '../index.js';
import { ELEMENTWISE } from './elementwise.js';
import { rulesOf } from './index.js';
import { INDEXING } from './indexing.js';
import { RANDOM } from './random.js';
import { REDUCE } from './reduce.js';
import { ROWS } from './rows.js';
import { SHAPES } from './shapes.js';
import { WINDOWS } from './windows.js';

const FAMILIES = { ELEMENTWISE, SHAPES, REDUCE, INDEXING, ROWS, WINDOWS, RANDOM };
const NAMES = new Set([...allPrimitives().map((p) => p.name), 'barrier']);

test.each(Object.entries(FAMILIES))(
  '%s: rules are those of primitives that there are, each in one family',
  (name, family) => {
    expect(Object.keys(family).filter((key) => !NAMES.has(key))).toEqual([]);
    const others = Object.entries(FAMILIES).filter(([other]) => other !== name);
    expect(Object.keys(family).filter((key) => others.some(([, other]) => Object.hasOwn(other, key)))).toEqual([]);
  },
);

test('each operation of chains has a primitive that uses it', () => {
  const used = [...Object.keys(F32), ...Object.keys(I32)];
  expect(used.filter((name) => !rulesOf(allPrimitives().find((p) => p.name === name))?.chain)).toEqual([]);
});

test('rules belong to the object, not to its name', async () => {
  // As `neg` of another package, which is no negation: neither simplified nor put into a chain.
  const neg = definePrimitive<null>({
    name: 'neg',
    abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
    evaluate: ([x]) => [tensor(Float32Array.from(denseData(x!), (v) => v + 1)).concrete('neg')],
    vjp: null,
    samples: [],
  });
  expect(rulesOf(neg)).toBeUndefined();
  const step = jit((x: Tensor) => bind(neg, [bind(neg, [x], null)[0]!], null)[0]!);
  expect((await step(tensor([1, 2]))).toArray()).toEqual([3, 4]);
  expect((await jit((x: Tensor) => x.neg().neg())(tensor([1, 2]))).toArray()).toEqual([1, 2]);
});
