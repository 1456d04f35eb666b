import { runInNewContext } from 'node:vm';
import { scalar, type Tensor, tensor } from '@recurra/tensor';
import { treeLeavesLike, treePaths } from './extend.js';
import { treeLeaves, treeMap, vjp } from './index.js';

const add = (a: Tensor, b: Tensor): Tensor => a.add(b);
const tree = { a: tensor([1]), b: { list: [tensor([2]), tensor([3])], text: 'x', none: null } };

test('trees meet by key, not by order', () => {
  const other = { b: { none: null, text: 'y', list: [tensor([20]), tensor([30])] }, a: tensor([10]) };
  const sum = treeMap(add, tree, other);
  expect(sum.a.toArray()).toEqual([11]);
  expect(sum.b.list.map((t) => t.toArray())).toEqual([[22], [33]]);
  expect(treePaths(sum)).toEqual(treePaths(tree));
  expect(treeLeavesLike(tree, other).map((t) => t.item())).toEqual([10, 20, 30]);
});

test.each([
  [
    'a key too many',
    { a: tensor([1]), b: tree.b, c: tensor([1]) },
    /the keys \[a, b\] at the root, received the keys \[a, b, c\]/,
  ],
  ['a missing key', { a: tensor([1]) }, /received the keys \[a\]/],
  ['an inherited key', Object.assign(Object.create(null), { a: tensor([1]), toString: tree.b }), /\[a, toString\]/],
  [
    'an array too long',
    { a: tensor([1]), b: { ...tree.b, list: [scalar(1), scalar(1), scalar(1)] } },
    /an array of 2 at "b.list", received an array of 3/,
  ],
  [
    'an array for an object',
    { a: tensor([1]), b: [1, 2, 3] },
    /the keys \[list, text, none\] at "b", received an array of 3/,
  ],
  ['a branch for a tensor', { a: { x: tensor([1]) }, b: tree.b }, /a tensor at "a", received the keys \[x\]/],
  ['nothing for a tensor', { a: undefined, b: tree.b }, /a tensor at "a", received undefined/],
  ['a number for a tensor', { a: 1, b: tree.b }, /a tensor at "a", received 1/],
  [
    'a tensor for a text',
    { a: tensor([1]), b: { ...tree.b, text: tensor([1]) } },
    /"x" at "b.text", received a tensor/,
  ],
  ['a tensor for null', { a: tensor([1]), b: { ...tree.b, none: tensor([1]) } }, /null at "b.none", received a tensor/],
  ['a tensor for a tree', tensor([1]), /at the root, received a tensor/],
])('%s is another structure', (_, other, message) => {
  expect(() => treeMap(add, tree, other)).toThrow(message);
  expect(() => treeLeavesLike(tree, other, 'here')).toThrow(message);
  expect(() => treeLeavesLike(tree, other, 'here')).toThrow(/^here: expected trees of one structure/);
});

test('instances may stand against tensors in treeMap', () => {
  class Box {
    constructor(public value: Tensor) {}
  }
  const boxes = { a: new Box(scalar(0)) };
  treeMap((leaf: Tensor, box: Box) => (box.value = leaf), { a: scalar(5) }, boxes);
  expect(boxes.a.value.item()).toBe(5);
});

test('vjp: cotangents meet the value by key, and have its shapes', () => {
  const f = (x: Tensor) => ({ double: x.mul(2), square: x.square() });
  const { pullback } = vjp(f, tensor([3]));
  // d(2x)/dx * 10 + d(x^2)/dx * 1 at 3
  expect(pullback({ square: tensor([1]), double: tensor([10]) })[0].toArray()).toEqual([26]);
  const wrong = (cotangent: unknown) => () => vjp(f, tensor([3])).pullback(cotangent as never);
  expect(wrong({ square: tensor([1]) })).toThrow(/vjp: expected trees of one structure/);
  expect(wrong({ square: tensor([1]), double: tensor([[1]]) })).toThrow(/vjp: expected cotangents shaped as the value/);
});

test('plain objects of another realm are nodes; instances of classes are not', () => {
  const foreign = runInNewContext('(t) => ({ a: t, list: [{ b: t }] })')(tensor([1])) as object;
  expect(treeLeaves(foreign)).toHaveLength(2);
  const instance = runInNewContext('(t) => new (class { a = t })()')(tensor([1])) as object;
  expect(treeLeaves(instance)).toHaveLength(0);
});
