import { grad } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import * as t from '@recurra/tensor';
import { type Tensor, tensor } from '@recurra/tensor';

const inf = Infinity;
const nan = Number.NaN;

type Case = readonly [name: string, f: (...xs: Tensor[]) => Tensor, inputs: number[][], gradients: number[][]];

/**
 * Gradients of the sum at ties, zeros and infinities, as Keras 3.15 on JAX 0.10 and PyTorch 2.15 give them; where these differ, the
 * comment says whom we follow.
 */
const CASES: readonly Case[] = [
  // Ties: Keras on TensorFlow, whose golden values decide (JAX and PyTorch: half to each).
  [
    'maximum',
    (a, b) => a.maximum(b),
    [
      [1, 0, inf, 2, -inf],
      [1, -0, inf, 1, inf],
    ],
    [
      [1, 1, 1, 1, 0],
      [0, 0, 0, 0, 1],
    ],
  ],
  [
    'minimum',
    (a, b) => a.minimum(b),
    [
      [1, 0, inf, 2, -inf],
      [1, -0, inf, 1, inf],
    ],
    [
      [1, 1, 1, 0, 1],
      [0, 0, 0, 1, 0],
    ],
  ],
  // The infinite gradient of the root at 0 stays where it belongs (PyTorch; JAX multiplies it with 0).
  [
    'maximum after a root at 0',
    (a, b) => a.maximum(b).sqrt(),
    [
      [0, -1],
      [-1, 0],
    ],
    [
      [inf, 0],
      [0, inf],
    ],
  ],
  // PyTorch (JAX: 1).
  ['abs', (x) => x.abs(), [[0, -0, inf, -inf]], [[0, 0, 1, -1]]],
  // TensorFlow, and PyTorch before 2.15: the bounds are inside (JAX: 0.5).
  ['clip', (x) => x.clip(0, 1), [[0, 1, 0.5, -1, 2, -inf, inf]], [[1, 1, 1, 0, 0, 0, 0]]],
  ['relu', (x) => x.relu(), [[0, -0, inf, -inf, 1]], [[0, 0, 1, 0, 1]]],
  ['relu6', (x) => t.relu6(x), [[0, 6, 3, -1, 7, inf, -inf]], [[0, 0, 1, 0, 0, 0, 0]]],
  ['relu with a threshold', (x) => t.relu(x, { threshold: 1 }), [[-inf, 1, 2, inf]], [[0, 0, 1, 1]]],
  // PyTorch and TensorFlow (JAX: 1 at 0).
  ['leakyRelu', (x) => t.leakyRelu(x), [[0, 1, -inf, inf]], [[0.2, 1, 0.2, 1]]],
  ['elu', (x) => t.elu(x), [[0, -0, inf, -inf, 1]], [[1, 1, 1, 0, 1]]],
  ['selu', (x) => t.selu(x), [[0, inf, -inf, 1]], [[1.7580993175506592, 1.0507010221481323, 0, 1.0507010221481323]]],
  ['celu', (x) => t.celu(x), [[0, -0, inf, -inf, 1]], [[1, 1, 1, 0, 1]]],
  ['softplus', (x) => x.softplus(), [[0, inf, -inf]], [[0.5, 1, 0]]],
  ['sigmoid', (x) => x.sigmoid(), [[0, inf, -inf]], [[0.25, 0, 0]]],
  ['logSigmoid', (x) => t.logSigmoid(x), [[0, inf, -inf]], [[0.5, 0, 1]]],
  ['hardSigmoid', (x) => t.hardSigmoid(x), [[-3, 3, 0, inf, -inf]], [[0, 0, 1 / 6, 0, 0]]],
  // TensorFlow: 0.2 at the ends, too.
  ['keras2HardSigmoid', (x) => t.keras2HardSigmoid(x), [[-3, 3, 0, 2.5, inf, -inf]], [[0, 0, 0.2, 0.2, 0, 0]]],
  ['hardSilu', (x) => t.hardSilu(x), [[-3, 3, 0, inf, -inf]], [[0, 1, 0.5, 1, 0]]],
  // Keras (PyTorch: 0 at the ends).
  ['hardTanh', (x) => t.hardTanh(x), [[-1, 1, 0, inf, -inf]], [[1, 1, 1, 0, 0]]],
  ['hardShrink', (x) => t.hardShrink(x), [[0, 0.5, -0.5, 1, inf, -inf]], [[0, 0, 0, 1, 1, 1]]],
  ['softShrink', (x) => t.softShrink(x), [[0, 0.5, -0.5, 1, inf, -inf]], [[0, 0, 0, 1, 1, 1]]],
  ['sparseSigmoid', (x) => t.sparseSigmoid(x), [[0, inf, -inf]], [[0.5, 0, 0]]],
  ['tanh', (x) => x.tanh(), [[0, inf, -inf]], [[1, 0, 0]]],
  ['erf', (x) => x.erf(), [[inf, -inf]], [[0, 0]]],
  ['sqrt', (x) => x.sqrt(), [[0, -0, inf]], [[inf, -inf, 0]]],
  ['rsqrt', (x) => x.rsqrt(), [[0, -0]], [[-inf, -inf]]],
  ['log', (x) => x.log(), [[0, -0, inf]], [[inf, -inf, 0]]],
  ['reciprocal', (x) => x.reciprocal(), [[0, -0]], [[-inf, -inf]]],
  // PyTorch (JAX: NaN).
  ['norm of zeros', (x) => t.norm(x), [[0, 0]], [[0, 0]]],
  ['norm 3 of zeros', (x) => t.norm(x, null, { ord: 3 }), [[0, 0]], [[0, 0]]],
  ['norm 3 with a zero', (x) => t.norm(x, null, { ord: 3 }), [[0, 1]], [[0, 1]]],
  ['norm 1/2 with a zero', (x) => t.norm(x, null, { ord: 0.5 }), [[0, 1]], [[0, 1]]],
  ['norm 1', (x) => t.norm(x, null, { ord: 1 }), [[0, 1]], [[0, 1]]],
  ['norm infinity', (x) => t.norm(x, null, { ord: inf }), [[1, -1, 0]], [[0.5, -0.5, 0]]],
  ['norm infinity of zeros', (x) => t.norm(x, null, { ord: inf }), [[0, 0]], [[0, 0]]],
  // PyTorch (JAX: NaN).
  ['std of a constant', (x) => x.std(), [[2, 2]], [[0, 0]]],
  ['max', (x) => x.max(), [[1, 1, 0]], [[0.5, 0.5, 0]]],
  ['min', (x) => x.min(), [[-inf, -inf, 0]], [[0.5, 0.5, 0]]],
  ['prod', (x) => x.prod(), [[0, 3, 2]], [[6, 0, 0]]],
  ['prod of two zeros', (x) => x.prod(), [[0, 0, 2]], [[0, 0, 0]]],
  ['sort', (x) => t.sort(x).mul([1, 2, 3]), [[1, nan, 1]], [[1, 3, 2]]],
  // d/dy where x <= 0: TensorFlow's 0 (both others: NaN for x < 0).
  [
    'pow',
    (a, b) => a.pow(b),
    [
      [0, 0, 0, -1, -1, 2],
      [0, 1, 2, 0, 2, 0],
    ],
    [
      [0, 1, 0, 0, -2, 0],
      [0, 0, 0, 0, 0, Math.LN2],
    ],
  ],
  // PyTorch (JAX: NaN).
  [
    'atan2',
    (a, b) => t.atan2(a, b),
    [
      [0, 1],
      [0, 0],
    ],
    [
      [0, 0],
      [0, -1],
    ],
  ],
  [
    'mod',
    (a, b) => a.mod(b),
    [
      [6, -6, 5],
      [3, 3, -inf],
    ],
    [
      [1, 1, 1],
      [-2, 2, 1],
    ],
  ],
  ['logsumexp', (x) => t.logsumexp(x), [[-inf, 0]], [[0, 1]]],
  ['logsumexp of three', (x) => t.logsumexp(x), [[0, 0, -inf]], [[0.5, 0.5, 0]]],
  ['softmax', (x) => t.softmax(x).mul([0, 1, 2]), [[0, 0, -inf]], [[-0.25, 0.25, 0]]],
  [
    'binary cross-entropy with logits of 0',
    (z) => t.binaryCrossentropy([0, 1], z, { fromLogits: true }),
    [[0, 0]],
    [[0.5, -0.5]],
  ],
  [
    'binary cross-entropy with extreme logits',
    (z) => t.binaryCrossentropy([1, 0, 0, 1, 1, 1, 0], z, { fromLogits: true }),
    [[inf, inf, -inf, -inf, 100, -100, -100]],
    [[0, 1, 0, -1, 0, -1, 0]],
  ],
  [
    'sparse cross-entropy with a logit of -Infinity',
    (z) => t.sparseCategoricalCrossentropy(0, z, { fromLogits: true }),
    [[0, 0, -inf]],
    [[-0.5, 0.5, 0]],
  ],
  [
    'sparse cross-entropy whose own logit is -Infinity',
    (z) => t.sparseCategoricalCrossentropy(2, z, { fromLogits: true }),
    [[0, 0, -inf]],
    [[0.5, 0.5, -1]],
  ],
  [
    'cross-entropy with a logit of -Infinity',
    (z) => t.categoricalCrossentropy([1, 0, 0], z, { fromLogits: true }),
    [[0, 0, -inf]],
    [[-0.5, 0.5, 0]],
  ],
];

function expectEqual(received: readonly Tensor[], expected: readonly number[][]): void {
  received.forEach((gradient, i) => {
    gradient.data.forEach((v: number, k: number) => {
      const e = expected[i]![k]!;
      if (!Number.isFinite(e)) expect(v).toBe(e);
      else expect(v).toBeCloseTo(e, 6);
    });
  });
}

test.each(CASES)('%s: gradient at special points, eager and compiled', async (_name, f, inputs, gradients) => {
  const xs = inputs.map((x) => tensor(x));
  const g = grad((values: Tensor[]) => f(...values).sum());
  expectEqual(g(xs), gradients);
  expectEqual(await jit(g)(xs), gradients);
});

test('losses at infinite scores: what is weighted with 0 counts for nothing', async () => {
  const sparse = (z: Tensor): Tensor => t.sparseCategoricalCrossentropy([0, 2], z, { fromLogits: true });
  const soft = (z: Tensor): Tensor =>
    t.categoricalCrossentropy(
      [
        [1, 0, 0],
        [0, 0, 1],
      ],
      z,
      { fromLogits: true },
    );
  const z = tensor([
    [0, 0, -inf],
    [0, 0, -inf],
  ]);
  const binary = (x: Tensor): Tensor => t.binaryCrossentropy([1, 0, 1, 0, 0.5], x, { fromLogits: true });
  for (const run of [
    async (f: (x: Tensor) => Tensor, x: Tensor) => f(x),
    async (f: (x: Tensor) => Tensor, x: Tensor) => jit(f)(x),
  ]) {
    for (const f of [sparse, soft]) {
      const [first, second] = (await run(f, z)).data;
      expect(first).toBeCloseTo(Math.LN2, 6);
      expect(second).toBe(inf);
    }
    const losses = await run(binary, tensor([inf, -inf, -inf, inf, 0]));
    expect([...losses.data].slice(0, 4)).toEqual([0, 0, inf, inf]);
    expect(losses.data[4]).toBeCloseTo(Math.LN2, 6);
  }
});
