import * as t from './index.js';

const x = t.ones([2, 3]);
const any = (v: unknown): never => v as never;

/** Calls with one wrong argument each, and what the message must say. */
const CASES: readonly (readonly [string, () => unknown, RegExp])[] = [
  ...[1.5, Number.NaN, '2', null, -1].flatMap((n): [string, () => unknown, RegExp][] => [
    [`repeat ${n}`, () => t.repeat(x, any(n)), /^repeat: expected the repeats to be an integer >= 0, received/],
    [`tile ${n}`, () => t.tile(x, any([n])), /^tile: expected the repeats to be an integer >= 0, received/],
    [
      `pad ${n}`,
      () =>
        t.pad(
          x,
          any([
            [n, 0],
            [0, 0],
          ]),
        ),
      /^pad: expected integers \[before, after\] >= 0/,
    ],
    [`slice ${n}`, () => t.slice(x, any([n, 0]), [1, 1]), /^slice: expected the start to be an integer >= 0, received/],
    [`slice size ${n}`, () => t.slice(x, [0, 0], any([n, 1])), /^slice: expected the size to be an integer >= 0/],
    [`split ${n}`, () => t.split(x, any(n), 1), /^split: expected/],
    [`narrow ${n}`, () => x.narrow(1, 0, any(n)), /^narrow: expected/],
    [`topK ${n}`, () => t.topK(x, any(n)), /^topK: expected k/],
    [`inTopK ${n}`, () => t.inTopK([0, 1], x, any(n)), /^inTopK: expected k to be an integer >= 0/],
    [`oneHot ${n}`, () => t.oneHot([0], any(n)), /^oneHot: expected a number of classes/],
    [`segmentSum ${n}`, () => t.segmentSum(x, [0, 0], any(n)), /^segmentSum: expected sizes that are integers/],
    [
      `bincount ${n}`,
      () => t.bincount([0], { minLength: any(n ?? 0.5) }),
      /^bincount: expected minLength to be an integer/,
    ],
    [`linspace ${n}`, () => t.linspace(0, 1, any(n)), /^linspace: expected a count/],
    [`zeros ${n}`, () => t.zeros(any([n])), /^full: expected dimensions that are integers >= 0/],
    [`broadcastTo ${n}`, () => x.broadcastTo(any([n, 2, 3])), /^broadcastTo: expected dimensions that are integers/],
  ]),
  ...[1.5, Number.NaN, '2'].flatMap((n): [string, () => unknown, RegExp][] => [
    [`roll ${n}`, () => t.roll(x, any(n)), /^roll: expected the shift to be an integer, received/],
    [`at ${n}`, () => x.at(any(n)), /^at: expected an index/],
    [`axis ${n}`, () => x.sum(any(n)), /^sum: expected an axis/],
    [`argmax ${n}`, () => x.argmax(any(n)), /^argmax: expected an axis/],
    [`concat ${n}`, () => t.concat([x, x], any(n)), /^concat: expected an axis/],
    [`stack ${n}`, () => t.stack([x, x], any(n)), /^stack: expected the axis to be an integer/],
    [`tril ${n}`, () => t.tril(x, any(n)), /^tril: expected the diagonal to be an integer/],
    [`triu ${n}`, () => t.triu(x, any(n)), /^triu: expected the diagonal to be an integer/],
    [`diagonal ${n}`, () => t.diagonal(x, any(n)), /^diagonal: expected the diagonal to be an integer/],
    [`eye ${n}`, () => t.eye(2, 2, any(n)), /^eye: expected the diagonal to be an integer/],
    [`round ${n}`, () => t.round(x, any(n)), /^round: expected the decimals to be an integer/],
    [`tensordot ${n}`, () => t.tensordot(x, x, any(n)), /tensordot: expected/],
    [`randomInteger ${n}`, () => t.randomInteger([2], 0, any(n)), /^randomInteger: expected/],
    [`reshape ${n}`, () => x.reshape(any([n, 2])), /^reshape: expected/],
    [
      `stridedSlice ${n}`,
      () => t.stridedSlice(x, [{ start: any(n) }]),
      /^stridedSlice: expected bounds to be an integer/,
    ],
  ]),
  ['zeros(3)', () => t.zeros(any(3)), /^full: expected a shape such as \[2, 3\], received 3/],
  ['reshape(3, 2)', () => (x.reshape as (...a: unknown[]) => unknown)(3, 2), /^reshape: expected a shape such as/],
  [
    'transpose(1, 0)',
    () => (x.transpose as (...a: unknown[]) => unknown)(1, 0),
    /^transpose: expected the axes to be an array/,
  ],
  [
    'sum({ axis })',
    () => x.sum(any({ axis: 1 })),
    /^sum: expected an axis, an array of axes, or null for all, received an object/,
  ],
  ['sum(1, true)', () => x.sum(1, any(true)), /^sum: expected options such as \{ keepDims: true \}.*received true/],
  [
    'sum(x, 1, keepdims)',
    () => t.sum(x, 1, any({ keepdims: true })),
    /^sum: unknown option "keepdims"\. Did you mean "keepDims"/,
  ],
  [
    'mean(1, keepdim)',
    () => x.mean(1, any({ keepdim: true })),
    /^mean: unknown option "keepdim"\. Did you mean "keepDims"/,
  ],
  [
    'concat(a, b)',
    () => t.concat(any(x), any(x)),
    /^concat: expected an array of tensors, received an instance of Tensor/,
  ],
  ['stack(a)', () => t.stack(any(x)), /^stack: expected an array of tensors/],
  ['add()', () => (x.add as () => unknown)(), /^tensor: expected numbers or booleans, received undefined/],
  ['add(null)', () => x.add(any(null)), /received null/],
  ['add("1")', () => x.add(any('1')), /received string/],
  ['a DataView', () => t.tensor(any(new DataView(new ArrayBuffer(8)))), /expected a typed array of numbers/],
  ['big integers', () => t.tensor(any(BigInt64Array.of(1n))), /expected a typed array of numbers/],
  // biome-ignore lint/suspicious/noSparseArray: the hole is what is tried
  ['a hole', () => t.tensor(any([1, , 2])), /received undefined/],
  [
    'pad mode',
    () =>
      t.pad(
        x,
        [
          [0, 0],
          [0, 1],
        ],
        { mode: any('constructor') },
      ),
    /pad: expected mode to be one of 'constant'/,
  ],
  [
    'pad option',
    () =>
      t.pad(
        x,
        [
          [0, 0],
          [0, 1],
        ],
        any({ values: 1 }),
      ),
    /unknown option "values"\. Did you mean "value"/,
  ],
  [
    'side',
    () => t.searchsorted([1, 2], [1], { side: any('toString') }),
    /searchsorted: expected side to be one of 'left', 'right'/,
  ],
  ['dtype', () => t.zeros([2], any('constructor')), /expected dtype float32/],
  ['slice of another rank', () => t.slice(x, [0], [1]), /^slice: expected a start and a size for each of 2 axes/],
  ['conv1d padding', () => t.conv1d(t.ones([1, 4, 1]), t.ones([2, 1, 1]), { padding: any('constructor') }), /padding/],
  ['pool padding', () => t.maxPool1d(t.ones([1, 4, 1]), 2, { padding: any('toString') }), /padding/],
  [
    'conv1dTranspose strides',
    () => t.conv1dTranspose(t.ones([1, 4, 1]), t.ones([2, 1, 1]), { strides: 1.5 }),
    /strides/,
  ],
  ['activation', () => t.resolveActivation(any('constructor')), /activation: expected one of/],
  ['activation __proto__', () => t.resolveActivation(any('__proto__')), /activation: expected one of/],
];

test.each(CASES)('%s', (_name, f, message) => {
  expect(f).toThrow(t.RecurraError);
  expect(f).toThrow(message);
});

test('an array that contains itself, and sizes beyond memory, are refused', () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  expect(() => t.tensor(any(cyclic))).toThrow(/at most 8 nested arrays/);
  const later: unknown[] = [1];
  later.push(later);
  expect(() => t.tensor(any(later))).toThrow(t.RecurraError);
  expect(() => t.bincount([1e9])).toThrow(/^bincount: expected values below/);
  expect(() => t.bincount([0], { minLength: 1e12 })).toThrow(/^bincount: expected values below/);
  expect(() => t.arange(1e15)).toThrow(/expected a size for which there is memory/);
  expect(() => t.eye(1e8)).toThrow(/expected a size for which there is memory/);
});
