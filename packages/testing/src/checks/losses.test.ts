import { type Loss, type LossName, losses } from '@recurra/layers';
import { randomKey, randomUniform, softmax, splitKey, type Tensor, tensor } from '@recurra/tensor';
import { gradientError } from './gradients.js';

const [a, b, c] = splitKey(randomKey(7), 3) as [Tensor, Tensor, Tensor];
const scores = randomUniform([4, 3], { key: a, low: 0.1, high: 0.9, dtype: 'float64' });
const floats = randomUniform([4, 3], { key: b, low: 0.1, high: 2, dtype: 'float64' });
const hot = tensor([
  [1, 0, 0],
  [0, 0, 1],
  [0, 1, 0],
  [1, 0, 0],
]).cast('float64');
const sequences = randomUniform([3, 6, 4], { key: c, dtype: 'float64' });

/** Targets and predictions where the loss has a derivative. */
function data(name: LossName): [Tensor, Tensor] {
  if (name === 'ctc')
    return [
      tensor([
        [1, 1, 2],
        [3, 0, 0],
        [2, 3, 0],
      ]),
      sequences,
    ];
  if (name === 'circle') return [tensor([0, 1, 0, 1]), softmax(scores)];
  if (name.startsWith('sparse') || name === 'categoricalGeneralizedCrossEntropy') return [tensor([0, 2, 1, 0]), scores];
  if (/rossentropy|bce|inge|dice|tversky/.test(name)) return [hot, scores];
  return [floats, scores];
}

test.each(Object.keys(losses) as LossName[])('%s: its gradient is that of finite differences, in float64', (name) => {
  const loss: Loss = new losses[name]();
  const [target, predictions] = data(name);
  const f = ([p]: Tensor[]): Tensor[] => [
    loss.apply(target, p!, { sampleWeight: [1, 0.5, 2, 3].slice(0, target.shape[0]) }),
  ];
  const weighed = !['dice', 'tversky'].includes(name);
  expect(gradientError(weighed ? f : ([p]) => [loss.apply(target, p!)], [predictions])).toBeLessThan(1e-6);
});
