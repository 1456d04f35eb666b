import { randomKey, randomNormal, setSeed, type Tensor, tensor } from '@recurra/tensor';
import { Dense, EinsumDense, Input, Sequential } from '../index.js';

const range = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, i) => i * 0.1),
    { shape },
  );
};

// Shapes and sums of Keras, with a kernel of ones.
test.each<
  [string, number | (number | null)[], number[], string, number[], number[], number[], (number | null)[], number]
>([
  ['ab,bc->ac', 4, [2, 3], 'c', [3, 4], [4], [2, 4], [null, 4], 6],
  ['...x,xy->...y', 4, [2, 3, 5], 'y', [5, 4], [4], [2, 3, 4], [null, 3, 4], 174],
  ['ab...,bc->ac...', 4, [2, 3, 5], 'c', [3, 4], [4, 1], [2, 4, 5], [null, 4, 5], 174],
  ['abc,cde->abde', [null, 2, 6], [2, 3, 4], 'de', [4, 2, 6], [2, 6], [2, 3, 2, 6], [null, 3, 2, 6], 331.2],
  ['abc,cd->abd', [3, 6], [2, 3, 4], 'bd', [4, 6], [3, 6], [2, 3, 6], [null, 3, 6], 165.6],
  ['abc,cd->adb', [6, null], [2, 3, 4], 'd', [4, 6], [6, 1], [2, 6, 3], [null, 6, 3], 165.6],
])('%s', (equation, outputShape, shape, biasAxes, kernel, bias, out, open, sum) => {
  const layer = new EinsumDense(equation, outputShape, { biasAxes, kernelInitializer: 'ones' });
  const y = layer.apply(range(shape));
  expect(layer.weights.map((w) => w.shape)).toEqual([kernel, bias]);
  expect(y.shape).toEqual(out);
  expect(y.sum().item()).toBeCloseTo(sum, 3);
  expect(layer.computeOutputShape([null, ...shape.slice(1)])).toEqual(open);
});

test('fans are those of the axes that are summed, and of the others', () => {
  setSeed(1);
  // Keras: glorot's limit is sqrt(6 / (50 + 600)).
  for (const [equation, outputShape, shape] of [
    ['abc,cde->abde', [null, 20, 30], [null, 3, 50]],
    ['abde,dec->abc', [null, 50], [null, 3, 20, 30]],
  ] as const) {
    const layer = new EinsumDense(equation, outputShape);
    layer.build(shape);
    const largest = layer.weights[0]!.value.abs().max().item();
    expect(largest).toBeLessThanOrEqual(Math.sqrt(6 / 650));
    expect(largest).toBeGreaterThan(0.999 * Math.sqrt(6 / 650));
  }
});

test('over steps it is Dense, with an open time axis too', () => {
  const x = randomNormal([2, 3, 4], { key: randomKey(1) });
  const dense = new Dense(5, { activation: 'tanh' });
  const einsum = new EinsumDense('abc,cd->abd', [null, 5], { biasAxes: 'd', activation: 'tanh' });
  const model = new Sequential([Input({ shape: [null, 4] }), einsum]);
  expect(model.computeOutputShape([null, null, 4])).toEqual([null, null, 5]);
  const y = dense.apply(x);
  einsum.setWeights(dense.getWeights());
  [...einsum.apply(x).data].forEach((v, i) => {
    expect(v).toBeCloseTo(y.data[i]!, 6);
  });
});

test.each<[string, () => unknown, RegExp]>([
  ['an equation', () => new EinsumDense('ab->ac', 4), /EinsumDense: expected an equation like 'ab,bc->ac'/],
  [
    'dots on one side only',
    () => new EinsumDense('...b,bc->c', 4),
    /expected '\.\.\.' on one side, of the input and of the output alike/,
  ],
  [
    'a letter of nothing',
    () => new EinsumDense('ab,bc->ad', 4),
    /letters of the output to stand in a term before it, not "d"/,
  ],
  [
    'a loose letter',
    () => new EinsumDense('ab,bcd->ac', 4),
    /letters of the kernel to stand in the input or the output, not "d"/,
  ],
  ['a letter twice', () => new EinsumDense('aa,ac->ac', 4), /each letter once in a term/],
  [
    'the output shape',
    () => new EinsumDense('ab,bc->ac', 0),
    /expected outputShape to be an integer >= 1, or a list of such/,
  ],
  [
    'sizes of the output',
    () => new EinsumDense('abc,cd->abd', 4).apply(range([2, 3, 4])),
    /expected outputShape of 2 sizes/,
  ],
  ['a size', () => new EinsumDense('abc,cd->abd', [5, 6]).apply(range([2, 3, 4])), /expected size 5 of "b"/],
  ['rank', () => new EinsumDense('abc,cd->abd', [null, 4]).apply(range([2, 3])), /expected input of rank 3/],
  [
    'axes of the bias',
    () => new EinsumDense('ab,bc->ac', 4, { biasAxes: 'x' }).apply(range([2, 3])),
    /expected biasAxes among the letters of "ac"/,
  ],
  ['open features', () => new EinsumDense('ab,bc->ac', 4).build([null, null]), /expected a known size of "b"/],
])('what does not fit is refused: %s', (_, f, message) => {
  expect(f).toThrow(message);
});

test('other features than it was built for are refused', () => {
  const layer = new EinsumDense('ab,bc->ac', 4);
  layer.apply(range([2, 3]));
  expect(() => layer.apply(range([2, 5]))).toThrow(/expected input for a kernel of shape \[3, 4\], received \[2, 5\]/);
});
