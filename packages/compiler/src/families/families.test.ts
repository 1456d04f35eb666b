import { F32, I32 } from '@recurra/kernels';
import { type Tensor, tensor } from '@recurra/tensor';
import { allPrimitives, bind, definePrimitive, denseData, ndarray } from '@recurra/tensor/extend';
import { jit } from '../index.js';
import { ELEMENTWISE } from './elementwise.js';
import { rulesOf } from './index.js';
import { INDEXING } from './indexing.js';
import { MATMUL } from './matmul.js';
import { RANDOM } from './random.js';
import { REDUCE } from './reduce.js';
import { ROWS } from './rows.js';
import { SHAPES } from './shapes.js';
import { WINDOWS } from './windows.js';

const FAMILIES = { ELEMENTWISE, SHAPES, REDUCE, INDEXING, ROWS, WINDOWS, RANDOM, MATMUL };
const NAMES = new Set([...allPrimitives().map((p) => p.name), 'barrier']);

/** A primitive of another package, which adds one, whatever it is called. */
const addsOne = (name: string) =>
  definePrimitive<null>({
    name,
    abstract: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
    evaluate: ([x]) => [
      ndarray(
        'float32',
        x!.shape,
        Float32Array.from(denseData(x!), (v) => v + 1),
      ),
    ],
    vjp: null,
    samples: [],
  });

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
  const neg = addsOne('neg');
  expect(rulesOf(neg)).toBeUndefined();
  const step = jit((x: Tensor) => bind(neg, [bind(neg, [x], null)[0]!], null)[0]!);
  expect((await step(tensor([1, 2]))).toArray()).toEqual([3, 4]);
  expect((await jit((x: Tensor) => x.neg().neg())(tensor([1, 2]))).toArray()).toEqual([1, 2]);
});

test.each(['neg', 'reshape', 'transpose'])('the inverse of another %s is not its own inverse', async (name) => {
  // It adds one, whatever it is called: what undoes the operation of that name does not undo it.
  const other = addsOne(name);
  const inverse: Record<string, (x: Tensor) => Tensor> = {
    neg: (x) => x.neg(),
    reshape: (x) => x.reshape([2, 1]),
    transpose: (x) => x.transpose(),
  };
  const step = jit((x: Tensor) => inverse[name]!(bind(other, [x], null)[0]!));
  const added = [2, 3];
  const expected = { neg: added.map((v) => -v), reshape: added, transpose: added }[name];
  expect([...(await step(tensor([[1, 2]]))).data]).toEqual(expected);
});

test('another matmul, add and tanh are no product with bias and activation', async () => {
  const [matmul, add, tanh] = ['matmul', 'add', 'tanh'].map(addsOne) as [
    ReturnType<typeof addsOne>,
    ReturnType<typeof addsOne>,
    ReturnType<typeof addsOne>,
  ];
  const step = jit((x: Tensor, w: Tensor) => {
    const product = bind(matmul, [x, w], null)[0]!;
    const own = x.matmul(w);
    return [product.add(w.reshape([1])).tanh(), bind(tanh, [bind(add, [own, w.reshape([1])], null)[0]!], null)[0]!];
  });
  const [first, second] = await step(tensor([[2]]), tensor([[3]]));
  expect(first!.item()).toBeCloseTo(Math.tanh(3 + 3), 6);
  expect(second!.item()).toBe(8);
});
