import { grad } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { layerNormalization, logSoftmax, randomKey, randomNormal, softmax, type Tensor, tensor } from '@recurra/tensor';

const x = randomNormal([3, 7, 33], { key: randomKey(1) }).mul(4);

/** The definitions, from simpler operations. */
const composed: [string, (x: Tensor) => Tensor, (x: Tensor, axis: number) => Tensor][] = [
  [
    'softmax',
    (t) => {
      const e = t.sub(t.max(-1, { keepDims: true })).exp();
      return e.div(e.sum(-1, { keepDims: true }));
    },
    (t, axis) => softmax(t, axis),
  ],
  [
    'logSoftmax',
    (t) => {
      const shifted = t.sub(t.max(-1, { keepDims: true }));
      return shifted.sub(shifted.exp().sum(-1, { keepDims: true }).log());
    },
    (t, axis) => logSoftmax(t, axis),
  ],
  [
    'layerNormalization',
    (t) => {
      const centred = t.sub(t.mean(-1, { keepDims: true }));
      return centred.mul(centred.square().mean(-1, { keepDims: true }).add(1e-3).rsqrt());
    },
    (t, axis) => layerNormalization(t, null, null, { axis }),
  ],
];

function close(a: Tensor, b: Tensor, tolerance: number): void {
  expect(a.shape).toEqual(b.shape);
  let worst = 0;
  a.data.forEach((v: number, i: number) => {
    worst = Math.max(worst, Math.abs(v - b.data[i]!) / Math.max(1, Math.abs(b.data[i]!)));
  });
  expect(worst).toBeLessThan(tolerance);
}

test.each(composed)('%s is what its definition says, eager and compiled, along any axis', async (_name, by, f) => {
  const weights = randomNormal(x.shape, { key: randomKey(2) });
  for (const run of [(g: (t: Tensor) => Tensor) => g(x), (g: (t: Tensor) => Tensor) => jit(g)(x)]) {
    close(await run((t) => f(t, -1)), by(x), 2e-6);
    const moved = by(x.moveaxis(1, -1)).moveaxis(-1, 1);
    close(await run((t) => f(t, 1)), moved, 2e-6);
    const slope = (g: (t: Tensor) => Tensor) => grad((t: Tensor) => g(t).mul(weights).sum());
    close(await run(slope((t) => f(t, -1))), slope(by)(x), 5e-6);
  }
});

test('large and infinite values', async () => {
  const rows = tensor([
    [1000, 0, -1000],
    [-Infinity, 0, 0],
  ]);
  for (const y of [softmax(rows), await jit((t: Tensor) => softmax(t))(rows)])
    expect(y.toArray()).toEqual([
      [1, 0, 0],
      [0, 0.5, 0.5],
    ]);
  const nan = tensor([[Number.NaN, 1]]);
  expect(softmax(nan).toArray()).toEqual([[Number.NaN, Number.NaN]]);
  expect((await jit((t: Tensor) => softmax(t))(nan)).toArray()).toEqual([[Number.NaN, Number.NaN]]);
});

test('scale and shift', () => {
  const y = layerNormalization([[1, 3]], [2, 2], [1, 1], { epsilon: 0 });
  expect(y.toArray()).toEqual([[-1, 3]]);
  expect(() => layerNormalization([[1, 3]], [1])).toThrow(/gamma of shape \[2\], received \[1\]/);
});
