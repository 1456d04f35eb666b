import type { Tensor } from '@recurra/tensor';
import { tensor as t } from './surface.js';
import {
  type Argument,
  anything,
  axes,
  type Example,
  f,
  flag,
  integer,
  list,
  made,
  name,
  number,
  optional,
  options,
  positive,
  signed,
  tensorOnly,
  x,
} from './wrong.js';

const matrix = (): Tensor =>
  t.tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const m: Argument = x(matrix);
const vector: Argument = x(() => t.tensor([0.1, 0.2, 0.7]));
const sequence: Argument = x(() => t.ones([2, 4, 3]));
const ids = (...values: number[]): Argument => x(() => t.tensor(values, { dtype: 'int32' }));
const keepDims = options({ keepDims: flag(true) });
const axis = (value: number): Argument => optional(signed(value));
const dtype = optional(name('float32'));
const shape = list([2, 3]);
const key = tensorOnly(() => t.randomKey(1));
const random = { key, dtype: name('float32') };
const example = (call: unknown, ...args: Argument[]): Example => ({ call: call as Example['call'], args });

const UNARY = [
  ...[
    'neg',
    'abs',
    'sign',
    'square',
    'floor',
    'ceil',
    'trunc',
    'exp',
    'expm1',
    'exp2',
    'log',
    'log1p',
    'log2',
    'log10',
  ],
  ...['sqrt', 'rsqrt', 'reciprocal', 'cbrt', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh'],
  ...['acosh', 'atanh', 'erf', 'erfinv', 'logicalNot', 'isnan', 'isinf', 'isfinite', 'stopGradient', 'zerosLike'],
  ...['onesLike', 'unique', 'linear', 'tanh', 'sigmoid', 'exponential', 'softplus', 'softsign', 'logSigmoid', 'relu6'],
  ...[
    'selu',
    'silu',
    'mish',
    'hardSigmoid',
    'hardSilu',
    'hardTanh',
    'keras2HardSigmoid',
    'tanhShrink',
    'sparsePlus',
    'sparseSigmoid',
  ],
  'flatten',
];
const BINARY = [
  ...[
    'add',
    'sub',
    'mul',
    'div',
    'pow',
    'maximum',
    'minimum',
    'mod',
    'floorDivide',
    'divideNoNan',
    'atan2',
    'logaddexp',
  ],
  ...[
    'equal',
    'notEqual',
    'less',
    'lessEqual',
    'greater',
    'greaterEqual',
    'logicalAnd',
    'logicalOr',
    'logicalXor',
    'outer',
  ],
];
const REDUCTIONS = ['sum', 'prod', 'mean', 'variance', 'std', 'any', 'all', 'countNonzero', 'logsumexp'];

/** A right call of every function that `@recurra/tensor` exports. */
export const TENSOR: Readonly<Record<string, readonly Example[]>> = {
  ...Object.fromEntries(UNARY.map((n) => [n, [example((t as never)[n], m)]])),
  ...Object.fromEntries(BINARY.map((n) => [n, [example((t as never)[n], m, m)]])),
  ...Object.fromEntries(REDUCTIONS.map((n) => [n, [example((t as never)[n], m, axes(1), keepDims)]])),
  max: [example(t.max, m, axes(1), options({ keepDims: flag(true), initial: number(0, 'NaN', 'Infinity') }))],
  min: [example(t.min, m, axes(1), options({ keepDims: flag(true), initial: number(0, 'NaN', 'Infinity') }))],
  norm: [example(t.norm, m, axes(1), options({ keepDims: flag(true), ord: positive(3, 'Infinity') }))],
  argmax: [example(t.argmax, m, optional(axis(1), 'null'), keepDims)],
  argmin: [example(t.argmin, m, optional(axis(1), 'null'), keepDims)],
  median: [example(t.median, m, optional(axis(1), 'null'), keepDims)],
  cumsum: [example(t.cumsum, m, optional(axis(1), 'null'), options({ exclusive: flag(true), reverse: flag(true) }))],
  cumprod: [example(t.cumprod, m, optional(axis(1), 'null'), options({ exclusive: flag(true), reverse: flag(true) }))],
  round: [example(t.round, m, optional(signed(1)))],
  clip: [example(t.clip, m, { ...x(0), takes: [...x(0).takes, 'null'] }, { ...x(1), takes: [...x(1).takes, 'null'] })],
  where: [
    example(
      t.where,
      x(() => t.tensor([true, false])),
      x(1),
      x(2),
    ),
  ],
  nanToNum: [
    example(
      t.nanToNum,
      m,
      options({
        nan: number(0, 'NaN', 'Infinity'),
        posinf: number(1, 'NaN', 'Infinity'),
        neginf: number(-1, 'NaN', 'Infinity'),
      }),
    ),
  ],
  cast: [example(t.cast, m, name('int32'))],

  reshape: [example(t.reshape, m, list([3, 2]))],
  transpose: [example(t.transpose, m, optional(list([1, 0]), 'null'))],
  swapaxes: [example(t.swapaxes, m, signed(0), signed(1))],
  moveaxis: [example(t.moveaxis, m, signed(0), signed(1))],
  expandDims: [example(t.expandDims, m, signed(0, 'an empty array'))],
  squeeze: [
    example(
      t.squeeze,
      x(() => t.ones([1, 2])),
      axes(0),
    ),
  ],
  broadcastTo: [example(t.broadcastTo, m, list([4, 2, 3]))],
  flip: [example(t.flip, m, axes(1))],
  narrow: [example(t.narrow, m, signed(1), integer(0), integer(2))],
  at: [example(t.at, m, signed(0), axis(1))],
  gather: [example(t.gather, m, ids(1, 0), axis(1))],
  sumToShape: [example(t.sumToShape, m, list([1, 3]))],
  concat: [
    example(
      t.concat,
      list(() => [matrix(), matrix()]),
      axis(1),
    ),
  ],
  stack: [
    example(
      t.stack,
      list(() => [matrix(), matrix()]),
      axis(1),
    ),
  ],
  unstack: [example(t.unstack, m, axis(1))],
  split: [example(t.split, m, integer(3, 'an empty array'), axis(1))],
  stridedSlice: [example(t.stridedSlice, m, list([{ start: 0, stop: 1 }]))],
  slice: [example(t.slice, m, list([0, 1]), list([1, 2]))],
  pad: [
    example(
      t.pad,
      m,
      list([
        [0, 1],
        [1, 0],
      ]),
      options({ mode: name('constant'), value: number(0, 'NaN', 'Infinity') }),
    ),
  ],
  tile: [example(t.tile, m, integer(2, 'an empty array'))],
  repeat: [example(t.repeat, m, integer(2), optional(axis(1), 'null'))],
  roll: [example(t.roll, m, signed(1), optional(axis(1), 'null'))],
  tril: [example(t.tril, m, optional(signed(0)))],
  triu: [example(t.triu, m, optional(signed(0)))],
  diagonal: [example(t.diagonal, m, optional(signed(0)))],

  sort: [example(t.sort, m, axis(1), options({ descending: flag(true) }))],
  argsort: [example(t.argsort, m, axis(1), options({ descending: flag(true) }))],
  topK: [example(t.topK, m, integer(2))],
  inTopK: [example(t.inTopK, ids(0, 1), m, integer(2))],
  take: [example(t.take, m, ids(1, 0), optional(axis(1), 'null'))],
  takeAlongAxis: [
    example(
      t.takeAlongAxis,
      m,
      x(() => t.tensor([[1], [0]], { dtype: 'int32' })),
      axis(1),
    ),
  ],
  oneHot: [example(t.oneHot, ids(0, 2), integer(3), axis(-1))],
  searchsorted: [example(t.searchsorted, vector, vector, options({ side: name('left') }))],
  digitize: [example(t.digitize, vector, vector)],
  bincount: [example(t.bincount, ids(0, 1, 1), options({ minLength: integer(2) }))],
  segmentSum: [example(t.segmentSum, m, ids(0, 1), integer(2))],
  segmentMax: [example(t.segmentMax, m, ids(0, 1), integer(2))],
  scatter: [
    example(
      t.scatter,
      x(() => t.tensor([[0], [1]], { dtype: 'int32' })),
      m,
      list([2, 3]),
    ),
  ],
  scatterUpdate: [
    example(
      t.scatterUpdate,
      m,
      x(() => t.tensor([[0]], { dtype: 'int32' })),
      x(() => t.ones([1, 3])),
    ),
  ],

  matmul: [
    example(
      t.matmul,
      m,
      x(() => t.ones([3, 2])),
    ),
  ],
  dot: [
    example(
      t.dot,
      m,
      x(() => t.ones([3, 2])),
    ),
  ],
  tensordot: [
    example(
      t.tensordot,
      m,
      x(() => t.ones([3, 2])),
      optional(integer(1)),
    ),
  ],
  einsum: [
    example(
      t.einsum,
      name('ij,jk->ik'),
      m,
      x(() => t.ones([3, 2])),
    ),
  ],

  softmax: [example(t.softmax, m, axes(-1))],
  logSoftmax: [example(t.logSoftmax, m, axes(-1))],
  sparsemax: [example(t.sparsemax, m, axis(-1))],
  glu: [
    example(
      t.glu,
      x(() => t.ones([2, 4])),
      axis(-1),
    ),
  ],
  relu: [
    example(t.relu, m, options({ negativeSlope: number(0.1), maxValue: number(6, 'null'), threshold: number(1) })),
  ],
  leakyRelu: [example(t.leakyRelu, m, options({ negativeSlope: number(0.1) }))],
  elu: [example(t.elu, m, options({ alpha: number(1) }))],
  celu: [example(t.celu, m, options({ alpha: number(1) }))],
  gelu: [example(t.gelu, m, options({ approximate: flag(true) }))],
  hardShrink: [example(t.hardShrink, m, options({ threshold: number(0.5) }))],
  softShrink: [example(t.softShrink, m, options({ threshold: number(0.5) }))],
  threshold: [
    example(t.threshold, m, options({ threshold: number(1), defaultValue: number(0) }, ['threshold', 'defaultValue'])),
  ],
  squareplus: [example(t.squareplus, m, options({ b: number(4) }))],
  resolveActivation: [example(t.resolveActivation, { ...name('relu'), takes: ['undefined', 'null', 'a function'] })],

  layerNormalization: [
    example(
      t.layerNormalization,
      m,
      { ...optional(x(() => t.ones([3]))), takes: [...optional(m).takes, 'null'] },
      { ...optional(x(() => t.ones([3]))), takes: [...optional(m).takes, 'null'] },
      options({ axis: signed(-1), epsilon: positive(1e-3) }),
    ),
  ],
  binaryCrossentropy: [example(t.binaryCrossentropy, vector, vector, options({ fromLogits: flag(true) }))],
  categoricalCrossentropy: [
    example(t.categoricalCrossentropy, vector, vector, options({ fromLogits: flag(true), axis: signed(-1) })),
  ],
  sparseCategoricalCrossentropy: [
    example(t.sparseCategoricalCrossentropy, ids(0, 2), m, options({ fromLogits: flag(true), axis: signed(-1) })),
  ],
  conv1d: [
    example(
      t.conv1d,
      sequence,
      x(() => t.ones([2, 3, 5])),
      options({ strides: integer(1), padding: name('same'), dilationRate: integer(1), groups: integer(1) }),
    ),
  ],
  depthwiseConv1d: [
    example(
      t.depthwiseConv1d,
      sequence,
      x(() => t.ones([2, 3, 1])),
      options({ strides: integer(1), padding: name('same'), dilationRate: integer(1) }),
    ),
  ],
  conv1dTranspose: [
    example(
      t.conv1dTranspose,
      sequence,
      x(() => t.ones([2, 5, 3])),
      options({ strides: integer(1), padding: name('same') }),
    ),
  ],
  maxPool1d: [example(t.maxPool1d, sequence, integer(2), options({ strides: integer(1), padding: name('same') }))],
  averagePool1d: [
    example(t.averagePool1d, sequence, integer(2), options({ strides: integer(1), padding: name('same') })),
  ],
  conv1dTransposeLength: [example(t.conv1dTransposeLength, integer(4), integer(2))],
  paddingOf: [example(t.paddingOf, integer(4), integer(2), integer(1), name('same'))],

  full: [example(t.full, shape, number(1, 'NaN', 'Infinity'), dtype)],
  zeros: [example(t.zeros, shape, dtype)],
  ones: [example(t.ones, shape, dtype)],
  arange: [example(t.arange, number(0), optional(number(4)), optional(number(1)), dtype)],
  linspace: [example(t.linspace, number(0), number(1), optional(integer(4)), options({ endpoint: flag(false) }))],
  eye: [example(t.eye, integer(2), optional(integer(2)), optional(signed(0)), dtype)],
  scalar: [example(t.scalar, number(1, 'NaN', 'Infinity'), dtype)],
  tensor: [example(t.tensor, x([1, 2, 3, 4]), options({ shape: list([2, 2]), dtype: name('float32') }))],
  tensorFromJSON: [
    example(
      t.tensorFromJSON,
      made(() => JSON.parse(JSON.stringify(t.ones([2])))),
    ),
  ],

  bernoulli: [example(t.bernoulli, x(0.5), shape, options(random))],
  categorical: [example(t.categorical, vector, options({ key }))],
  permutation: [example(t.permutation, integer(4), options({ key }))],
  randomBits: [example(t.randomBits, shape, options({ key }))],
  randomInteger: [example(t.randomInteger, shape, signed(0), signed(4), options({ key }))],
  randomKey: [example(t.randomKey, integer(3))],
  randomNormal: [example(t.randomNormal, shape, options({ ...random, mean: number(0), std: positive(1) }))],
  truncatedNormal: [example(t.truncatedNormal, shape, options({ ...random, mean: number(0), std: positive(1) }))],
  randomUniform: [example(t.randomUniform, shape, options({ ...random, low: number(0), high: number(1) }))],
  setSeed: [example(t.setSeed, integer(3))],
  splitKey: [example(t.splitKey, key, optional(integer(2)))],
  withKeys: [
    example(
      t.withKeys,
      { ...key, takes: ['null'] },
      f(() => 1),
    ),
  ],
  nextKey: [example(t.nextKey)],

  describeValue: [example(t.describeValue, anything(1))],
};
