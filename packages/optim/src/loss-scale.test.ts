import { tensor } from '@recurra/tensor';
import { Adam, deserializeOptimizer, LossScaleOptimizer, SGD, serializeOptimizer } from './index.js';

const INF = Number.POSITIVE_INFINITY;

test('the scale halves and steps are left out at gradients that are not finite, and it doubles after finite ones, as in Keras', () => {
  const optimizer = new LossScaleOptimizer(new Adam({ learningRate: 0.1 }), { initialScale: 4, dynamicGrowthSteps: 2 });
  let parameters = { w: tensor([1, 2]) };
  let state = optimizer.init(parameters);
  // Keras 3.15: LossScaleOptimizer(Adam(0.1), initial_scale=4, dynamic_growth_steps=2): gradients of the scaled loss; after the step
  // the parameters, the scale, iterations and step_counter.
  const rows: readonly [number[], [number, number], number, number, number][] = [
    [[4, 8], [0.9000009894371033, 1.900000810623169], 4, 1, 1],
    [[2, 1], [0.8067842125892639, 1.8242794275283813], 8, 2, 0],
    [[INF, 1], [0.8067842125892639, 1.8242794275283813], 4, 2, 0],
    [[8, 8], [0.715876042842865, 1.7377326488494873], 4, 3, 1],
    [[Number.NaN, 0], [0.715876042842865, 1.7377326488494873], 2, 3, 0],
    [[1, 1], [0.6307264566421509, 1.6578278541564941], 2, 4, 1],
    [[1, 2], [0.5489541888237, 1.5761306285858154], 4, 5, 0],
    [[3, -3], [0.4660910665988922, 1.5202423334121704], 4, 6, 1],
  ];
  for (const [gradient, [first, second], scale, iterations, counter] of rows) {
    ({ parameters, state } = optimizer.update({ w: tensor(gradient) }, state, parameters));
    expect(parameters.w.at(0).item()).toBeCloseTo(first, 6);
    expect(parameters.w.at(1).item()).toBeCloseTo(second, 6);
    expect(optimizer.scaleLoss(tensor([1]).sum(), state).item()).toBe(scale);
    expect(state.iteration.item()).toBe(iterations);
    expect(state.shared['stepCounter']!.item()).toBe(counter);
  }
});

test('nothing of a step that is left out remains: slots, averages, accumulated gradients', () => {
  const inner = new Adam({ useEma: true, gradientAccumulationSteps: 2 });
  const optimizer = new LossScaleOptimizer(inner);
  let parameters = { a: tensor([1, 2]), b: tensor([3]) };
  let state = optimizer.init(parameters);
  ({ parameters, state } = optimizer.update({ a: tensor([1, 1]), b: tensor([1]) }, state, parameters));
  const after = optimizer.update({ a: tensor([1, 1]), b: tensor([-INF]) }, state, parameters);
  const { stepCounter: _, dynamicScale, ...shared } = after.state.shared;
  expect(dynamicScale!.item()).toBe(2 ** 14);
  expect(Object.keys(shared)).toEqual([]);
  for (const key of ['slots', 'averages', 'accumulators', 'iteration'] as const)
    expect(JSON.stringify(after.state[key])).toBe(JSON.stringify(state[key]));
  expect(JSON.stringify(after.parameters)).toBe(JSON.stringify(parameters));
  expect(optimizer.keepsAverages).toBe(true);
  expect(optimizer.finalize(after.state, parameters).a.toArray()).toEqual(state.averages[0]!.toArray());
});

test('loss_scale_factor of any optimizer: of the scaled loss, before clipping', () => {
  // Keras 3.15: SGD(0.1, loss_scale_factor=8, clipnorm=1) with the gradient [4, 80] of the scaled loss.
  const optimizer = new SGD({ learningRate: 0.1, lossScaleFactor: 8, clipnorm: 1 });
  const parameters = { w: tensor([1, 2]) };
  const state = optimizer.init(parameters);
  const { w } = optimizer.update({ w: tensor([4, 80]) }, state, parameters).parameters;
  expect(w.at(0).item()).toBeCloseTo(0.995006263256073, 6);
  expect(w.at(1).item()).toBeCloseTo(1.9001247882843018, 6);
  expect(optimizer.scaleLoss(tensor([3]).sum(), state).item()).toBe(24);
});

test('its configuration is that of Keras, and makes it again', () => {
  const optimizer = new LossScaleOptimizer(new Adam({ learningRate: 0.5 }), { initialScale: 4, dynamicGrowthSteps: 2 });
  const data = serializeOptimizer(optimizer);
  // Keras 3.15: serialize(LossScaleOptimizer(Adam(0.5), initial_scale=4.0, dynamic_growth_steps=2)), keys in camelCase.
  expect(data).toEqual({
    module: 'keras.optimizers',
    className: 'LossScaleOptimizer',
    config: {
      name: 'loss_scale_optimizer',
      innerOptimizer: {
        module: 'keras.optimizers',
        className: 'Adam',
        config: {
          name: 'adam',
          learningRate: 0.5,
          weightDecay: null,
          clipnorm: null,
          globalClipnorm: null,
          clipvalue: null,
          useEma: false,
          emaMomentum: 0.99,
          emaOverwriteFrequency: null,
          lossScaleFactor: null,
          gradientAccumulationSteps: null,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-7,
          amsgrad: false,
        },
        registeredName: null,
      },
      initialScale: 4,
      dynamicGrowthSteps: 2,
    },
    registeredName: null,
  });
  const again = deserializeOptimizer(JSON.parse(JSON.stringify(data)));
  expect(again).toBeInstanceOf(LossScaleOptimizer);
  expect((again as LossScaleOptimizer).inner).toBeInstanceOf(Adam);
  expect(serializeOptimizer(again)).toEqual(data);
});

test('what older configurations of Keras hold is read where it has no effect, and refused where it would have', () => {
  const config = { innerOptimizer: new SGD(), useEma: false, clipnorm: null, emaMomentum: 0.99 };
  expect(LossScaleOptimizer.fromConfig(config)).toBeInstanceOf(LossScaleOptimizer);
  expect(() => LossScaleOptimizer.fromConfig({ ...config, clipnorm: 1 })).toThrow(
    /LossScaleOptimizer: unknown option "clipnorm"/,
  );
});

test('mistakes are told', () => {
  const inner = new Adam();
  expect(() => new LossScaleOptimizer('adam' as never)).toThrow(
    /expected an optimizer without a loss scale of its own, received "adam"/,
  );
  expect(() => new LossScaleOptimizer(new Adam({ lossScaleFactor: 2 }))).toThrow(
    /with lossScaleFactor 2. Leave it out/,
  );
  expect(() => new LossScaleOptimizer(new LossScaleOptimizer(inner))).toThrow(/received an instance of LossScale/);
  expect(() => new LossScaleOptimizer(inner, { initialScale: 0 })).toThrow(/initialScale to be a finite number > 0/);
  expect(() => new LossScaleOptimizer(inner, { dynamicGrowthSteps: 1.5 })).toThrow(
    /dynamicGrowthSteps to be an integer/,
  );
  expect(() => new LossScaleOptimizer(inner, { initial_scale: 2 } as never)).toThrow(/Did you mean "initialScale"/);
  expect(() => new LossScaleOptimizer(inner, { learningRate: 2 } as never)).toThrow(/unknown option "learningRate"/);
  const parameters = { w: tensor([1]) };
  expect(() => new LossScaleOptimizer(inner).update(parameters, inner.init(parameters), parameters)).toThrow(
    /expected a state made by init of this optimizer/,
  );
  expect(() =>
    deserializeOptimizer({ className: 'LossScaleOptimizer', config: { innerOptimizer: { className: 'Adam' } } }),
  ).toThrow(/expected innerOptimizer to be an Optimizer, received an object/);
  expect(() => deserializeOptimizer({ className: 'LossScaleOptimizer', config: {} })).toThrow(
    /expected innerOptimizer to be an Optimizer, received undefined/,
  );
});
