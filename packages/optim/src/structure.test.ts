import { treeLeaves, treeUnflatten } from '@recurra/autograd';
import { treePaths } from '@recurra/autograd/extend';
import { full, type Tensor, tensor } from '@recurra/tensor';
import { Adam, Adamax, Nadam, type Optimizer, type OptimizerState, optimizers, RMSprop, SGD } from './index.js';

/** Own options of each class that change what its state holds or how a step is taken. */
const OWN: Record<string, readonly Record<string, unknown>[]> = {
  sgd: [{ momentum: 0.9 }, { momentum: 0.9, nesterov: true }],
  rmsprop: [{ momentum: 0.5 }, { centered: true }, { centered: true, momentum: 0.5 }],
  adam: [{ amsgrad: true }],
  adamw: [{ amsgrad: true }, { weightDecay: null }],
  adagrad: [{ initialAccumulatorValue: 0 }],
  ftrl: [{ beta: 1, l1RegularizationStrength: 0.1 }],
  adafactor: [{ relativeStep: false }],
  muon: [{ nesterov: false, rmsRate: null }],
  schedulefreeadamw: [{ warmupSteps: 3 }],
};
const SHARED = [
  {},
  { weightDecay: 0.1, excludeFromWeightDecay: ['bias'] },
  { clipnorm: 1 },
  { globalClipnorm: 1 },
  { clipvalue: 0.5 },
  { useEma: true, emaOverwriteFrequency: 2 },
  { gradientAccumulationSteps: 2 },
  { useEma: true, gradientAccumulationSteps: 2, clipnorm: 1 },
];
const CASES = Object.entries(optimizers).flatMap(([name, Class]) =>
  [{}, ...(OWN[name] ?? [])].flatMap((own) =>
    SHARED.map((shared) => [`${name} ${JSON.stringify({ ...own, ...shared })}`, Class, { ...own, ...shared }] as const),
  ),
);

const random = (shape: number[], seed: number, dtype: 'float32' | 'float64' = 'float32'): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float64Array.from({ length: size }, (_, i) => Math.sin(seed + 7 * i) + 0.1);
  return tensor(values).reshape(shape).cast(dtype);
};

/** Names and order of everything in a state, with dtypes and shapes. */
const structure = (state: OptimizerState): unknown => ({
  paths: treePaths(state),
  leaves: treeLeaves(state).map((leaf) => `${leaf.dtype} ${leaf.shape}`),
});

describe.each(CASES)('%s', (_, Class, options) => {
  test.each(['float32', 'float64'] as const)('the state of update is structured as that of init (%s)', (dtype) => {
    const optimizer = new Class(options);
    const make = (seed: number) => ({
      kernel: random([3, 2], seed, dtype),
      bias: random([2], seed + 1, dtype),
      filter: random([2, 3, 2], seed + 2, dtype),
    });
    let parameters = make(0);
    let state = optimizer.init(parameters);
    const expected = structure(state);
    for (let i = 0; i < 3; i++) {
      ({ parameters, state } = optimizer.update(make(10 + i), state, parameters));
      expect(structure(state)).toEqual(expected);
      expect(treePaths(parameters)).toEqual(['kernel', 'bias', 'filter']);
      expect(treeLeaves(parameters).every((p) => p.dtype === dtype && p.data.every((x) => Number.isFinite(x)))).toBe(
        true,
      );
    }
  });

  test('keys in another order change nothing', () => {
    const optimizer: Optimizer = new Class(options);
    const make = (seed: number) => ({
      a: random([2, 2], seed),
      b: random([2, 2], seed + 1),
      c: random([2, 2], seed + 2),
    });
    const turned = ({ a, b, c }: ReturnType<typeof make>) => ({ c, a, b });
    let one = make(0);
    let other: ReturnType<typeof make> = one;
    let oneState = optimizer.init(one);
    let otherState = oneState;
    for (let i = 0; i < 3; i++) {
      const gradients = make(20 + i);
      ({ parameters: one, state: oneState } = optimizer.update(gradients, oneState, one));
      // Gradients, then parameters as well, in another order than at init.
      ({ parameters: other, state: otherState } = optimizer.update(
        turned(gradients),
        otherState,
        i === 0 ? other : turned(other),
      ));
    }
    for (const key of ['a', 'b', 'c'] as const) expect([...other[key].data]).toEqual([...one[key].data]);
    expect(treeLeaves(otherState).map((t) => t.toArray())).toEqual(treeLeaves(oneState).map((t) => t.toArray()));
    const end = optimizer.finalize(otherState, turned(other));
    for (const key of ['a', 'b', 'c'] as const)
      expect([...end[key].data]).toEqual([...optimizer.finalize(oneState, one)[key].data]);
  });
});

test('RMSprop, centred with momentum, as by hand, where states pass as lists of leaves', () => {
  const [rho, momentum, epsilon, rate] = [0.9, 0.5, 1e-7, 0.01];
  const optimizer = new RMSprop({ centered: true, momentum, rho, epsilon, learningRate: rate });
  let parameters = { w: tensor([1]) };
  const made = optimizer.init(parameters);
  let state = made;
  let [w, v, mean, m] = [1, 0, 0, 0];
  for (const g of [0.5, -0.2, 0.1, 0.4]) {
    const next = optimizer.update({ w: tensor([g]) }, state, parameters);
    parameters = next.parameters;
    state = treeUnflatten(made, treeLeaves(next.state));
    v = rho * v + (1 - rho) * g * g;
    mean = rho * mean + (1 - rho) * g;
    m = momentum * m + (rate * g) / Math.sqrt(v - mean * mean + epsilon);
    w -= m;
    expect(parameters.w.item()).toBeCloseTo(w, 5);
  }
  expect(Object.keys(state.slots[0]!)).toEqual(['velocity', 'momentum', 'averageGradient']);
});

test('other structures are refused', () => {
  const parameters = { w: random([2], 0), b: random([2], 1) };
  const adam = new Adam();
  const state = adam.init(parameters);
  const update =
    (o: Optimizer, g: unknown, s: unknown, p: unknown = parameters) =>
    () =>
      o.update(g as typeof parameters, s as OptimizerState, p as typeof parameters);
  expect(update(adam, { ...parameters, c: random([2], 2) }, state)).toThrow(
    /gradients: expected trees of one structure/,
  );
  expect(update(adam, [parameters.w, parameters.b], state)).toThrow(/gradients: expected trees of one structure/);
  expect(update(adam, { w: parameters.w, b: null }, state)).toThrow(/a tensor at "b", received null/);
  const renamed = { w: parameters.w, c: parameters.b };
  expect(update(adam, renamed, state, renamed)).toThrow(/a state for \[w, b\] and the parameters \[w, c\]/);
  const wide = { w: random([3], 0), b: random([2], 1) };
  expect(update(adam, wide, state, wide)).toThrow(
    /slots of "w": expected momentum to be float32 \[3\], received float32 \[2\]/,
  );
  expect(update(new Adam({ amsgrad: true }), parameters, state)).toThrow(
    /expected \[momentum, velocity, velocityHat\], as init makes them, received \[momentum, velocity\]/,
  );
  expect(update(new Adamax(), parameters, state)).toThrow(/expected \[momentum, norm\]/);
  expect(update(new SGD(), parameters, state)).toThrow(/expected \[\], as init makes them/);
  expect(update(new Nadam(), parameters, state)).toThrow(/shared state: expected \[product\]/);
  expect(update(new Adam({ useEma: true }), parameters, state)).toThrow(/2 averages for 2 parameters, received 0/);
  expect(update(new Adam({ gradientAccumulationSteps: 2 }), parameters, state)).toThrow(/2 accumulators/);
  expect(update(adam, parameters, { ...state, slots: state.slots.slice(1) })).toThrow(
    /2 slots for 2 parameters, received 1/,
  );
  expect(update(adam, parameters, { ...state, iteration: full([], 0, 'float32') })).toThrow(
    /iteration to be int32 \[\]/,
  );
  expect(update(adam, parameters, undefined)).toThrow(/expected a state made by init/);
});

test('a state without paths follows the order of the leaves', () => {
  const optimizer = new SGD({ momentum: 0.5 });
  const parameters = { a: tensor([1]), b: tensor([2]) };
  const { paths: _, ...state } = optimizer.init(parameters);
  expect(optimizer.update(parameters, state, parameters).state.slots.map((s) => s['momentum']!.toArray())).toEqual([
    [Math.fround(-0.01)],
    [Math.fround(-0.02)],
  ]);
});
