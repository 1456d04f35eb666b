import {
  gelu,
  hardShrink,
  hardSigmoid,
  hardSilu,
  logSigmoid,
  relu,
  softShrink,
  softsign,
  squareplus,
  type Tensor,
  tensor,
  threshold,
} from './index.js';

const MAX = 2147483647;
const MIN = -2147483648;

describe('activations of whole numbers are floating, and NaN stays NaN', () => {
  test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
    ['hardSigmoid', hardSigmoid, [MAX, MIN], [1, 0]],
    ['hardSilu', hardSilu, [MAX, MIN], [2147483648, 0]],
    ['softsign', softsign, [MAX, MIN], [1, -1]],
    ['logSigmoid', logSigmoid, [MAX, MIN], [0, -2147483648]],
    ['squareplus', squareplus, [65536, 0], [65536, 1]],
    ['gelu', (x) => gelu(x, { approximate: true }), [2000, 0], [2000, 0]],
  ])('%s of int32', (_name, f, x, expected) => {
    const y = f(tensor(x, { dtype: 'int32' }));
    expect(y.dtype).toBe('float32');
    y.data.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i]!, 5);
    });
  });

  test.each<[string, (x: Tensor) => Tensor]>([
    ['relu from a threshold', (x) => relu(x, { threshold: 1 })],
    ['relu with a bound', (x) => relu(x, { threshold: -1, maxValue: 2 })],
    ['hardShrink', hardShrink],
    ['softShrink', softShrink],
    ['threshold', (x) => threshold(x, { threshold: 1, defaultValue: 0 })],
  ])('%s of NaN', (_name, f) => {
    expect(f(tensor([Number.NaN])).toArray()).toEqual([Number.NaN]);
  });
});
