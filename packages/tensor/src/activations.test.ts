import {
  gelu,
  hardShrink,
  hardSigmoid,
  hardSilu,
  keras2HardSigmoid,
  logSigmoid,
  relu,
  resolveActivation,
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
    ['keras2HardSigmoid', keras2HardSigmoid, [MAX, MIN], [1, 0]],
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
    ['keras2HardSigmoid', keras2HardSigmoid],
    ['threshold', (x) => threshold(x, { threshold: 1, defaultValue: 0 })],
  ])('%s of NaN', (_name, f) => {
    expect(f(tensor([Number.NaN])).toArray()).toEqual([Number.NaN]);
  });
});

test('the hard sigmoid of Keras 2 has a slope of 1/5, that of Keras 3 one of 1/6', () => {
  const x = tensor([-4, -2.5, -1, 0, 1, 2.5, 2.75, 4, Infinity]);
  const values = (f: (x: Tensor) => Tensor): number[] => [...f(x).data];
  // keras 2.15: K.hard_sigmoid; keras 3: keras.activations.hard_sigmoid
  const former = [0, 0, Math.fround(0.3), 0.5, Math.fround(0.7), 1, 1, 1, 1];
  values(resolveActivation('keras2_hard_sigmoid')).forEach((v, i) => {
    expect(v).toBeCloseTo(former[i]!, 6);
  });
  const now = [0, 1 / 12, 1 / 3, 0.5, 2 / 3, 11 / 12, 23 / 24, 1, 1];
  values(hardSigmoid).forEach((v, i) => {
    expect(v).toBeCloseTo(now[i]!, 6);
  });
});
