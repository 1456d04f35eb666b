import { type Tensor, tensor } from '@recurra/tensor';
import { ScheduleFreeAdamW } from './index.js';

const GRADIENTS = [
  [2.041, -2.556, 0.418],
  [-0.568, -0.453, -0.216],
  [-2.02, -0.232, -0.865],
  [3.323, 0.226, -0.353],
  [-0.281, -0.668, -1.055],
  [-0.391, 0.482, -0.239],
];

/** Parameters and z after each step, from [1, -2, 0.5]. */
function steps(optimizer: ScheduleFreeAdamW): (readonly [p: Tensor, z: Tensor])[] {
  let parameters = { p: tensor([1, -2, 0.5]) };
  let state = optimizer.init(parameters);
  return GRADIENTS.map((g) => {
    const next = optimizer.update({ p: tensor(g) }, state, parameters);
    parameters = next.parameters as typeof parameters;
    state = next.state;
    return [parameters.p, state.slots[0]!['momentum']!];
  });
}

const near = (found: Tensor, expected: readonly number[], tolerance: number): void =>
  expect(found.sub(tensor(expected)).abs().max().item()).toBeLessThan(tolerance);

test('steps are those of Keras 3.15.1 on JAX, with a warm-up and decay', () => {
  const expected = [
    [0.9666666388511658, -1.9666666984558105, 0.46666666865348816],
    [0.9800887703895569, -1.956632137298584, 0.4902418553829193],
    [1.0311987400054932, -1.947016716003418, 0.5573292374610901],
    [1.001734972000122, -1.9481176137924194, 0.6050267815589905],
    [0.9968403577804565, -1.9318468570709229, 0.6738870143890381],
    [0.9978464841842651, -1.9351530075073242, 0.7187787294387817],
  ];
  const found = steps(new ScheduleFreeAdamW({ learningRate: 0.1, warmupSteps: 3, weightDecay: 0.01 }));
  found.forEach(([p], i) => {
    near(p, expected[i]!, 3e-6);
  });
  near(found.at(-1)![1], [0.9971091151237488, -1.939797043800354, 0.9271580576896667], 3e-6);
});

test('what the parameters hold is the mean of all iterates, as the paper has it', () => {
  const beta1 = 0.8;
  const found = steps(new ScheduleFreeAdamW({ learningRate: 0.05, beta1 }));
  found.forEach(([p, z], i) => {
    const mean = found
      .slice(0, i + 1)
      .reduce((sum, [, one]) => sum.add(one), z.zerosLike())
      .div(i + 1);
    const x = p.sub(z.mul(1 - beta1)).div(beta1);
    expect(x.sub(mean).abs().max().item()).toBeLessThan(1e-6);
  });
});
