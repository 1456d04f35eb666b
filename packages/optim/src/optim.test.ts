import { valueAndGrad } from '@recurra/autograd';
import { ones, scalar, tensor } from '@recurra/tensor';
import { resolveOptimizer } from './extend.js';
import {
  Adafactor,
  Adam,
  AdamW,
  clipByGlobalNorm,
  clipByValue,
  cosineDecay,
  globalNorm,
  type Optimizer,
  optimizers,
  piecewiseConstantDecay,
  SGD,
} from './index.js';

/** Minimises a bowl with one steep and one flat side, from (1, 1); the value at the end. */
function descend(optimizer: Optimizer, steps: number): number {
  let params = { x: ones([1]), y: ones([2, 2]) };
  let state = optimizer.init(params);
  const loss = (p: typeof params) => p.x.square().mul(4).sum().add(p.y.square().sum());
  for (let i = 0; i < steps; i++) {
    const { gradient } = valueAndGrad(loss)(params);
    ({ parameters: params, state } = optimizer.update(gradient, state, params));
  }
  return loss(params).item();
}

test.each(Object.entries(optimizers))('%s goes down', (name, Class) => {
  const rate = name === 'adadelta' ? 20 : name === 'muon' ? 0.1 : 0.05;
  expect(descend(new Class({ learningRate: rate }), 60)).toBeLessThan(8 * 0.5);
});

test('update changes neither the parameters nor the state that it is given', () => {
  const params = { w: ones([2]) };
  const optimizer = new Adam();
  const state = optimizer.init(params);
  optimizer.update({ w: ones([2]) }, state, params);
  expect(params.w.toArray()).toEqual([1, 1]);
  expect(state.iteration.item()).toBe(0);
  expect(state.slots[0]!['momentum']!.toArray()).toEqual([0, 0]);
});

test('float64 parameters stay float64', () => {
  const params = { w: tensor(Float64Array.of(1, 2)) };
  const optimizer = new SGD({ learningRate: 0.5 });
  expect(
    optimizer.update({ w: tensor(Float64Array.of(1, 1)) }, optimizer.init(params), params).parameters.w.dtype,
  ).toBe('float64');
});

test('clipping bounds norms and values', () => {
  const tree = { a: tensor([3]), b: tensor([4]) };
  expect(globalNorm(tree).item()).toBe(5);
  expect(globalNorm(clipByGlobalNorm(tree, 1)).item()).toBeCloseTo(1, 6);
  expect(clipByGlobalNorm(tree, 10).a.item()).toBeCloseTo(3, 6);
  expect(clipByValue(tree, 3.5).b.item()).toBe(3.5);
});

test('weight decay leaves out what is excluded', () => {
  const params = { kernel: ones([1]), bias: ones([1]) };
  const zero = { kernel: tensor([0]), bias: tensor([0]) };
  const optimizer = new SGD({ learningRate: 0.1, weightDecay: 0.5, excludeFromWeightDecay: [/bias$/] });
  const { parameters } = optimizer.update(zero, optimizer.init(params), params);
  expect([parameters.kernel.item(), parameters.bias.item()]).toEqual([Math.fround(0.95), 1]);
});

test('schedules move the learning rate', () => {
  const schedule = piecewiseConstantDecay({ boundaries: [1], values: [0.5, 0.1] });
  const optimizer = new SGD({ learningRate: schedule });
  let params = { w: tensor([0]) };
  let state = optimizer.init(params);
  const seen: number[] = [];
  for (let i = 0; i < 3; i++) {
    const before = params.w.item();
    ({ parameters: params, state } = optimizer.update({ w: tensor([1]) }, state, params));
    seen.push(before - params.w.item());
  }
  expect(seen.map((v) => Number(v.toFixed(4)))).toEqual([0.5, 0.5, 0.1]);
  expect(cosineDecay({ initialLearningRate: 1, decaySteps: 10 }).at(scalar(5)).item()).toBeCloseTo(0.5, 6);
});

test('Adafactor keeps weights whose row and column have no gradient', () => {
  const optimizer = new Adafactor({ learningRate: 0.01 });
  const params = {
    w: tensor([
      [1, 1],
      [1, 1],
    ]),
  };
  const gradient = {
    w: tensor([
      [0, 0],
      [0, 100],
    ]),
  };
  // By hand: rows [0, 5e3], columns [0, 5e3] + 1e-30; the direction of the only gradient is 100 / sqrt(5e3 / 2.5e3 * 5e3) = 1, of root mean square 1/2.
  const { parameters } = optimizer.update(gradient, optimizer.init(params), params);
  expect(parameters.w.toArray()).toEqual([
    [1, 1],
    [1, Math.fround(0.99)],
  ]);
});

test('names are found in any spelling', () => {
  expect(resolveOptimizer('adam')).toBeInstanceOf(Adam);
  expect(resolveOptimizer('AdamW' as never)).toBeInstanceOf(AdamW);
  expect(() => resolveOptimizer('adma' as never)).toThrow(/expected one of adadelta, .* received "adma"/);
});

test('mistakes are told', () => {
  expect(() => new SGD({ learningRate: -1 })).toThrow(/learning rate >= 0/);
  expect(() => new Adam({ clipnorm: 1, clipvalue: 1 })).toThrow(/at most one of clipnorm/);
  const optimizer = new SGD();
  const params = { w: ones([2]) };
  expect(() => optimizer.update({ w: ones([3]) }, optimizer.init(params), params)).toThrow(
    /shape \[2\] for "w", received \[3\]/,
  );
  expect(() => optimizer.update({} as typeof params, optimizer.init(params), params)).toThrow(
    /gradients: expected trees of one structure, with the keys \[w\] at the root, received the keys \[\]/,
  );
});

test.each(Object.entries(optimizers))(
  '%s: a momentum that nothing feeds any more is 0 before it is subnormal',
  (name, Class) => {
    const given = name === 'sgd' || name === 'rmsprop' ? { momentum: 0.9 } : {};
    const optimizer = new Class({ ...given, learningRate: 0.01 } as never);
    let params = { w: ones([2]) };
    let state = optimizer.init(params);
    const at = (step: number): number[] => {
      const { momentum } = state.slots[0]!;
      for (let i = state.iteration.item(); i < step; i++)
        ({ parameters: params, state } = optimizer.update(
          { w: tensor(i === 0 ? [1e-3, -1e-3] : [0, 0]) },
          state,
          params,
        ));
      return momentum ? [...state.slots[0]!['momentum']!.data] : [];
    };
    // Of one gradient g each keeps a share that shrinks by a factor: what is normal stays.
    const [early, later] = [at(50), at(52)];
    // Weights are what the schedule-free one calls so; muon takes out what is left of a vector by Adam.
    if (name !== 'schedulefreeadamw' && early.length > 0) {
      const factor = name === 'lion' ? 0.99 : 0.9;
      expect(Math.abs(later[0]! / early[0]!)).toBeCloseTo(factor ** 2, 4);
      const end = at(name === 'lion' ? 8400 : 860);
      expect(end.map(Math.abs)).toEqual([0, 0]);
    }
    for (const v of at(state.iteration.item())) expect(v === 0 || Math.abs(v) >= 2 ** -126).toBe(true);
  },
);
