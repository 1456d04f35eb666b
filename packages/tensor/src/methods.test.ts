import * as t from './index.js';

/** What reads or shows a tensor rather than computes with it, and `select`, whose function is called as in keras.ops: `where`. */
const READS = [
  'constructor',
  'rank',
  'size',
  'data',
  'toArray',
  'toJSON',
  'item',
  'toString',
  'print',
  'concrete',
  'select',
];
/**
 * Functions of a tensor that are no methods. What hangs on the class is in every bundle: with composites on it, the smallest program that
 * uses a tensor would grow by a quarter (52 to 66 kB minified).
 */
const COMPOSITES = [
  ...['pad', 'roll', 'tile', 'tril', 'triu', 'diagonal', 'split', 'unstack', 'stridedSlice', 'nanToNum'],
  ...['sort', 'argsort', 'topK', 'inTopK', 'takeAlongAxis', 'oneHot', 'unique', 'searchsorted', 'digitize', 'bincount'],
  ...['segmentSum', 'segmentMax', 'scatter', 'scatterUpdate', 'logsumexp', 'norm', 'median'],
  ...['softmax', 'logSoftmax', 'layerNormalization', 'outer', 'dot', 'tensordot', 'einsum'],
  ...['conv1d', 'depthwiseConv1d', 'conv1dTranspose', 'maxPool1d', 'averagePool1d'],
  ...['binaryCrossentropy', 'categoricalCrossentropy', 'sparseCategoricalCrossentropy'],
  ...['categorical', 'bernoulli', 'splitKey', 'where', 'threshold', ...Object.keys(t.activations)],
];
/** They take lists of tensors, make tensors, or are no operations. What packages are built of is in the other entry. */
const OTHERS = [
  ...['concat', 'stack', 'tensor', 'scalar', 'tensorFromJSON', 'full', 'zeros', 'ones', 'arange', 'linspace', 'eye'],
  ...['permutation', 'randomBits', 'randomInteger', 'randomKey', 'randomNormal', 'truncatedNormal', 'randomUniform'],
  ...['setSeed', 'resolveActivation', 'broadcastShapes', 'registerSerializable'],
];

const methods = Object.getOwnPropertyNames(t.Tensor.prototype).filter((name) => !READS.includes(name));
const functions = Object.entries(t).flatMap(([name, value]) =>
  typeof value === 'function' && !/^[A-Z]/.test(name) ? [name] : [],
);

test('every method is a function, too', () => {
  expect(methods.filter((name) => !functions.includes(name))).toEqual([]);
});

test('every function of a tensor is a method, but for composites', () => {
  const known = new Set([...methods, ...COMPOSITES, ...OTHERS]);
  expect(functions.filter((name) => !known.has(name))).toEqual([]);
});

test('methods give what functions give', () => {
  const x = t.tensor([
    [0.126, -3, 2],
    [4, 0, -1.555],
  ]);
  expect(x.slice([0, 1], [2, 2]).toArray()).toEqual([
    [-3, 2],
    [0, Math.fround(-1.555)],
  ]);
  expect(x.take([1, 1], 0).toArray()).toEqual(t.take(x, [1, 1], 0).toArray());
  expect(x.repeat(2, 1).toArray()).toEqual(t.repeat(x, 2, 1).toArray());
  expect(x.countNonzero(1, { keepDims: true }).toArray()).toEqual([[3], [2]]);
  expect(x.round(1).at(0).at(0).item()).toBeCloseTo(0.1, 6);
  expect(t.narrow(x, 1, 1, 2).toArray()).toEqual(x.narrow(1, 1, 2).toArray());
  expect(t.at(x, -1).toArray()).toEqual(x.at(-1).toArray());
  expect(t.flatten(x).shape).toEqual([6]);
  expect(t.gather(x, [1]).toArray()).toEqual(x.gather([1]).toArray());
  expect(t.sumToShape(x, [1, 3]).shape).toEqual([1, 3]);
});
