import { vjp } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { type Tensor, tensor } from '@recurra/tensor';
import {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
  categoricalHinge,
  circle,
  cosineSimilarity,
  dice,
  hinge,
  huber,
  klDivergence,
  logCosh,
  losses,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  poisson,
  SparseCategoricalCrossentropy,
  sparseCategoricalCrossentropy,
  squaredHinge,
  tversky,
} from './index.js';

type F = (y: Tensor, p: Tensor) => Tensor;
type Case = [name: string, f: F, y: number[][] | number[], p: number[][], value: number, gradient: number[]];

const Inf = Number.POSITIVE_INFINITY;
const eps = 1e-7;

/**
 * Values and gradients of Keras 3.15.1, where it has a number; what is taken from first principles says so. At ties of a maximum and at the
 * bounds of a clip the gradient passes, as in Keras on TensorFlow (on JAX, half of it).
 */
const CASES: Case[] = [
  ['klDivergence at p = 0 and y = 0', klDivergence, [[0, 1]], [[0, 1]], 0, [0, -1]],
  ['klDivergence at p = 0, y > 0', klDivergence, [[0.5, 0.5]], [[0, 1]], 7.365901, [0, -0.5]],
  ['poisson at p = 0', poisson, [[0, 1]], [[0, 0]], 8.059048, [0.5, -4999999.5]],
  // Keras: NaN. x / max(|x|, 1e-7) has the slope y / (|y| 1e-7) at 0.
  ['cosineSimilarity of zeros', (y, p) => cosineSimilarity(y, p).neg(), [[3, 4]], [[0, 0]], 0, [-6e6, -8e6]],
  ['cosineSimilarity with zeros', (y, p) => cosineSimilarity(y, p).neg(), [[0, 0]], [[3, 4]], 0, [0, 0]],
  [
    'cosineSimilarity of short vectors',
    (y, p) => cosineSimilarity(y, p).neg(),
    [[3, 4]],
    [[5e-7, 0]],
    -0.6,
    [0, -1.6e6],
  ],
  ['logCosh at 0 and far out', logCosh, [[0, 0, 0]], [[0, 100, -1e4]], 3366.2046, [0, 1 / 3, -1 / 3]],
  // First principles: |x| - log 2.
  ['logCosh at -Infinity', logCosh, [[0]], [[-Inf]], Inf, [-1]],
  ['huber at its kinks', huber, [[0, 0, 0]], [[0, 1, -1]], 1 / 3, [0, 1 / 3, -1 / 3]],
  ['huber far out', huber, [[0]], [[1e30]], 1e30, [1]],
  ['huber at Infinity', huber, [[0]], [[-Inf]], Inf, [-1]],
  ['hinge on the margin', hinge, [[1, -1]], [[1, 0]], 0.5, [-0.5, 0.5]],
  ['squaredHinge on the margin', squaredHinge, [[1, -1]], [[1, 0]], 0.5, [0, 1]],
  ['categoricalHinge at zeros', categoricalHinge, [[1, 0, 0]], [[0, 0, 0]], 1, [-1, 1 / 3, 1 / 3]],
  ['meanAbsoluteError without error', meanAbsoluteError, [[1, 2]], [[1, 3]], 0.5, [0, 0.5]],
  ['meanAbsolutePercentageError at y = 0', meanAbsolutePercentageError, [[0, 2]], [[1, 2]], 5e8, [5e8, 0]],
  ['meanSquaredLogarithmicError below 0', meanSquaredLogarithmicError, [[0, 2]], [[-1, 2]], 0, [0, 0]],
  ['binaryCrossentropy at 0 and 1', binaryCrossentropy, [[0, 1, 0, 1]], [[0, 1, 1, 0]], 8.01512, [0, 0, 0, 0]],
  [
    'binaryCrossentropy, logits 0',
    (y, p) => binaryCrossentropy(y, p, { fromLogits: true }),
    [[0, 1]],
    [[0, 0]],
    Math.LN2,
    [0.25, -0.25],
  ],
  [
    'binaryCrossentropy, logits that are sure',
    (y, p) => binaryCrossentropy(y, p, { fromLogits: true }),
    [[0, 1]],
    [[-Inf, Inf]],
    0,
    [0, 0],
  ],
  [
    'binaryCrossentropy, logits that are wrong',
    (y, p) => binaryCrossentropy(y, p, { fromLogits: true }),
    [[0, 1]],
    [[200, -200]],
    200,
    [0.5, -0.5],
  ],
  ['categoricalCrossentropy at 1', categoricalCrossentropy, [[0, 1]], [[0, 1]], eps, [0, 0]],
  ['categoricalCrossentropy at 0', categoricalCrossentropy, [[0, 1]], [[1, 0]], 16.118095, [0, 0]],
  [
    'categoricalCrossentropy, a logit -Infinity',
    (y, p) => categoricalCrossentropy(y, p, { fromLogits: true }),
    [[0, 1, 0]],
    [[0, 0, -Inf]],
    Math.LN2,
    [0.5, -0.5, 0],
  ],
  ['sparseCategoricalCrossentropy at 0', sparseCategoricalCrossentropy, [1], [[1, 0]], 16.118095, [0, 0]],
  [
    'sparseCategoricalCrossentropy, a logit -Infinity',
    (y, p) => sparseCategoricalCrossentropy(y, p, { fromLogits: true }),
    [1],
    [[0, 0, -Inf]],
    Math.LN2,
    [0.5, -0.5, 0],
  ],
  [
    'sparseCategoricalCrossentropy, NaN at an ignored label',
    (y, p) => sparseCategoricalCrossentropy(y, p, { fromLogits: true, ignoreClass: -1 }),
    [-1, 1],
    [
      [Number.NaN, Inf],
      [0, 0],
    ],
    Math.LN2,
    [0, 0, 0.5, -0.5],
  ],
  [
    'binaryFocalCrossentropy at 0 and 1',
    binaryFocalCrossentropy,
    [[0, 1, 0, 1]],
    [[0, 1, 1, 0]],
    8.01512,
    [0, 0, 7.9711924, -8.059048],
  ],
  [
    'binaryFocalCrossentropy, gamma 0',
    (y, p) => binaryFocalCrossentropy(y, p, { gamma: 0 }),
    [[0, 1, 0, 1]],
    [[0.3, 0.4, 0.5, 0.6]],
    0.6192346,
    [0.35714287, -0.625, 0.5, -0.41666666],
  ],
  // First principles: behind (1 - p)^(gamma + 1) the slope is 0 at p = 1.
  [
    'binaryFocalCrossentropy, gamma 0.5 at 1',
    (y, p) => binaryFocalCrossentropy(y, p, { gamma: 0.5 }),
    [[1]],
    [[1]],
    0,
    [0],
  ],
  [
    'binaryFocalCrossentropy, gamma 0 at 1',
    (y, p) => binaryFocalCrossentropy(y, p, { gamma: 0 }),
    [[1]],
    [[1]],
    eps,
    [0],
  ],
  [
    'categoricalFocalCrossentropy at 1, gamma 0.5',
    (y, p) => categoricalFocalCrossentropy(y, p, { gamma: 0.5 }),
    [[0, 1]],
    [[0, 1]],
    0,
    [0, 0],
  ],
  // Keras: NaN and -Infinity for the first row, 3 in sum.
  [
    'categoricalGeneralizedCrossEntropy at 0',
    categoricalGeneralizedCrossEntropy,
    [1, 0],
    [
      [1, 0],
      [0.25, 0.75],
    ],
    3,
    [0, 0, -2, 0],
  ],
  ['dice of zeros', dice, [[0, 0]], [[0, 0]], 1, [0, 0]],
  ['tversky of zeros', tversky, [[0, 0]], [[0, 0]], 1, [0, 0]],
  // No partner of the same class: nothing to lose. (Keras: 0 too, by a mask.)
  [
    'circle without positive pairs',
    circle,
    [0, 1],
    [
      [1, 0],
      [0, 1],
    ],
    0,
    [0, 0, 0, 0],
  ],
  [
    'circle without negative pairs',
    circle,
    [1, 1],
    [
      [1, 0],
      [0, 1],
    ],
    0,
    [0, 0, 0, 0],
  ],
];

/** Sum of a loss and its gradient. */
const both = (f: F) => (y: Tensor, p: Tensor) => {
  const { value, pullback } = vjp((q: Tensor) => f(y, q).sum(), p);
  return { value, gradient: pullback(tensor(1))[0] };
};

function expectNear(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  // Rounding is as large as the largest number makes it.
  const size = Math.max(0, ...expected.filter(Number.isFinite).map(Math.abs));
  expected.forEach((e, i) => {
    const a = actual[i]!;
    if (Number.isFinite(e)) expect(Math.abs(a - e)).toBeLessThanOrEqual(2e-6 + 2e-5 * size);
    else expect(a).toBe(e);
  });
}

describe.each(CASES)('%s', (_, f, y, p, value, gradient) => {
  test('eager', () => {
    const found = both(f)(tensor(y), tensor(p));
    expectNear([found.value.item()], [value]);
    expectNear(found.gradient.data, gradient);
  });

  test('compiled', async () => {
    const step = jit(both(f));
    const found = await step(tensor(y), tensor(p));
    expectNear([found.value.item()], [value]);
    expectNear(found.gradient.data, gradient);
    step.dispose();
  });
});

test('a model whose outputs are all zero has gradients that are numbers, in every loss', () => {
  for (const [name, Class] of Object.entries(losses)) {
    const loss = new Class();
    const indices =
      loss instanceof SparseCategoricalCrossentropy ||
      ['Circle', 'CategoricalGeneralizedCrossEntropy'].includes(loss.className);
    const y =
      name === 'ctc'
        ? tensor([[1, 2]])
        : tensor(
            indices
              ? [1, 0]
              : [
                  [0, 1],
                  [1, 0],
                ],
          );
    const p =
      name === 'ctc'
        ? tensor([
            [
              [0, 0, 0],
              [0, 0, 0],
              [0, 0, 0],
            ],
          ])
        : tensor([
            [0, 0],
            [0, 0],
          ]);
    const found = both((a, b) => loss.apply(a, b))(y, p);
    expect(
      [name, found.value.item(), ...found.gradient.data].filter((v) => typeof v === 'number' && !Number.isFinite(v)),
    ).toEqual([]);
  }
});
