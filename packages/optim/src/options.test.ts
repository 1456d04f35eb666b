import { treeLeaves } from '@recurra/autograd';
import { scalar, type Tensor, tensor } from '@recurra/tensor';
import { resolveOptimizer } from './extend.js';
import * as optim from './index.js';
import { Adafactor, Adam, AdamW, cosineDecay, exponentialDecay, Optimizer, optimizers, SGD } from './index.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

type Options = Record<string, unknown>;

/** Parameters, their averages and slots in eight steps. */
function observe(Class: new (options: Options) => Optimizer, options: Options): number[] {
  const optimizer = new Class(options);
  let parameters = {
    kernel: tensor([
      [0.5, -1, 2],
      [1, 0.3, -0.2],
    ]),
    bias: tensor([0.4, -0.6]),
    embeddings: tensor([[1, -0.5]]),
  };
  let state = optimizer.init(parameters);
  const seen: number[] = [];
  for (let i = 0; i < 8; i++) {
    const gradients = {
      kernel: tensor([
        [0.9, -2, 0.1],
        [Math.sin(i), Math.cos(2 * i), 0.03],
      ]),
      bias: tensor([Math.cos(i), 0.002]),
      embeddings: tensor([[0.3, Math.sin(i)]]),
    };
    ({ parameters, state } = optimizer.update(gradients, state, parameters));
    for (const leaf of treeLeaves([parameters, optimizer.finalize(state, parameters), state.slots]))
      seen.push(...leaf.data);
  }
  return seen.map(Number);
}

/** Another value of each option, and the options beside which it matters. */
const CHANGED: Record<string, { value: unknown; beside?: Options }> = {
  learningRate: { value: 0.3 },
  weightDecay: { value: 0.2 },
  excludeFromWeightDecay: { value: ['kernel'], beside: { weightDecay: 0.1 } },
  clipnorm: { value: 0.01, beside: { epsilon: 0.01 } },
  clipvalue: { value: 0.01, beside: { epsilon: 0.01 } },
  globalClipnorm: { value: 0.01, beside: { epsilon: 0.01 } },
  useEma: { value: true },
  emaMomentum: { value: 0.5, beside: { useEma: true } },
  emaOverwriteFrequency: { value: 2, beside: { useEma: true } },
  gradientAccumulationSteps: { value: 3 },
  lossScaleFactor: { value: 8 },
  momentum: { value: 0.7 },
  nesterov: { value: true, beside: { momentum: 0.6 } },
  beta1: { value: 0.3 },
  beta2: { value: 0.5 },
  epsilon: { value: 0.5 },
  amsgrad: { value: true, beside: { beta2: 0.2 } },
  rho: { value: 0.5 },
  centered: { value: true },
  initialAccumulatorValue: { value: 0.7 },
  learningRatePower: { value: -0.8 },
  l1RegularizationStrength: { value: 0.2 },
  l2RegularizationStrength: { value: 0.2 },
  l2ShrinkageRegularizationStrength: { value: 0.2 },
  beta: { value: 0.4 },
  beta2Decay: { value: -0.2 },
  epsilon1: { value: 0.3 },
  epsilon2: { value: 4 },
  clipThreshold: { value: 0.1 },
  relativeStep: { value: false, beside: { learningRate: 0.9 } },
  warmupSteps: { value: 5 },
  nsSteps: { value: 2 },
  rmsRate: { value: 0.7 },
  adamBeta1: { value: 0.3 },
  adamBeta2: { value: 0.5 },
  adamLrRatio: { value: 0.5 },
  adamWeightDecay: { value: 0.3 },
  excludeLayers: { value: ['^ker'] },
  excludeEmbeddings: { value: false },
  muonA: { value: 3 },
  muonB: { value: -4.5 },
  muonC: { value: 1.5 },
};
/** What differs for single classes. */
const OWN: Record<string, { value: unknown; beside?: Options }> = {
  'muon nesterov': { value: false },
  'lion beta1': { value: 0.99, beside: { beta2: 0.3 } },
};

const WALK = Object.entries(optimizers).flatMap(([name, Class]) =>
  Object.keys(new Class().options)
    .filter((option) => option !== 'name')
    .map((option) => [name, option, Class as new (o: Options) => Optimizer] as const),
);

test.each(WALK)('%s reads %s', (name, option, Class) => {
  const { value, beside = {} } = OWN[`${name} ${option}`] ?? CHANGED[option]!;
  const known = Object.keys(new Class({}).options);
  const fitting = Object.fromEntries(Object.entries(beside).filter(([key]) => known.includes(key)));
  const base = observe(Class, { learningRate: 0.05, ...fitting });
  const changed = observe(Class, { learningRate: 0.05, ...fitting, [option]: value });
  expect(base.every(Number.isFinite) && changed.every(Number.isFinite)).toBe(true);
  expect(changed).not.toEqual(base);
  // undefined is the default.
  expect(observe(Class, { learningRate: 0.05, ...fitting, [option]: undefined })).toEqual(
    observe(
      Class,
      Object.fromEntries(Object.entries({ learningRate: 0.05, ...fitting }).filter(([key]) => key !== option)),
    ),
  );
});

test.each(WALK)('%s refuses wrong values of %s', (_name, option, Class) => {
  const wrong: unknown[] = [Number.NaN, Number.POSITIVE_INFINITY, '0.1', {}, [0.1], Symbol.iterator, () => 1];
  const booleans = ['useEma', 'nesterov', 'amsgrad', 'centered', 'relativeStep', 'excludeEmbeddings'];
  if (booleans.includes(option)) wrong.push(0, 1, 'true', null);
  else wrong.push(true, false);
  if (option === 'learningRate') wrong.push(null, -1, tensor([0.1]));
  for (const value of wrong)
    expect(() => new Class({ [option]: value })).toThrow(new RegExp(`: expected ${option} to be `));
});

test.each(Object.entries(optimizers))('%s has a name for its configuration alone', (_, Class) => {
  expect(new Class({ name: 'mine' }).getConfig()['name']).toBe('mine');
  expect(observe(Class, { name: 'mine' })).toEqual(observe(Class, {}));
  for (const name of [1, true, {}, ['a']])
    expect(() => new Class({ name: name as never })).toThrow(/: expected name to be a text, or null/);
});

test.each([
  [
    'a negative rate',
    () => new Adam({ learningRate: -1 }),
    /Adam: expected learningRate to be a learning rate >= 0 .*received -1/,
  ],
  ['beta1 of 1', () => new Adam({ beta1: 1 }), /beta1 to be a number >= 0 and < 1, received 1/],
  ['a momentum above 1', () => new SGD({ momentum: 1.5 }), /momentum to be a number from 0 to 1/],
  ['lr', () => new Adam({ lr: 0.1 } as never), /Adam: unknown option "lr". Did you mean "learningRate"\?/],
  ['beta_1', () => new AdamW({ beta_1: 0.1 } as never), /AdamW: unknown option "beta_1". Did you mean "beta1"\?/],
  ["another class's option", () => new SGD({ beta1: 0.9 } as never), /SGD: unknown option "beta1"/],
  ['a number for options', () => new AdamW(0.01 as never), /AdamW: expected an object of options, received 0.01/],
  ['null for options', () => new Adam(null as never), /expected an object of options, received null/],
  ['a part of a step', () => new SGD({ gradientAccumulationSteps: 1.5 }), /an integer >= 1, or null, received 1.5/],
  ['a schedule not called', () => new SGD({ learningRate: cosineDecay as never }), /received the function cosineDecay/],
  [
    'a schedule without steps',
    () => exponentialDecay({ initialLearningRate: 1 } as never),
    /expected decaySteps to be .*received undefined/,
  ],
  ['no arguments', () => exponentialDecay(undefined as never), /expected initialLearningRate to be/],
  [
    'a misspelt argument',
    () => cosineDecay({ initialLearningRate: 1, decay_steps: 3 } as never),
    /Did you mean "decaySteps"/,
  ],
  ['the class', () => resolveOptimizer(Adam as never), /received the class Adam. Create one: new Adam\(\)/],
  ['a name of a prototype', () => resolveOptimizer('constructor' as never), /expected one of adadelta/],
  ['null', () => resolveOptimizer(null as never), /or an Optimizer, received null/],
  ['options for an optimizer', () => resolveOptimizer({ learningRate: 1 } as never), /received an object/],
  [
    'a rate that is a number',
    () => new SGD().update({ w: scalar(1) }, new SGD().init({ w: scalar(1) }), { w: scalar(1) }, 0.1 as never),
    /a scalar tensor, received 0.1/,
  ],
])('%s is refused', (_, f, message) => {
  expect(f).toThrow(message);
});

test('Adafactor without relativeStep takes the rate as it is', () => {
  // One parameter of rms 1 and equal gradients: the direction is 1, so that the step is the rate.
  const moved = (relativeStep: boolean): number => {
    const optimizer = new Adafactor({ learningRate: 0.9, relativeStep });
    const state = { ...optimizer.init({ w: tensor([1]) }), iteration: scalar(3, 'int32') };
    return 1 - optimizer.update({ w: tensor([5]) }, state, { w: tensor([1]) }).parameters.w.item();
  };
  // At step 4 the limit is 1 / sqrt(4). beta2 = 1 - 4^-0.8, and the clipped direction has rms 1.
  expect(moved(true)).toBeCloseTo(0.5, 5);
  expect(moved(false)).toBeCloseTo(0.9, 5);
});

const SCHEDULES: Record<string, readonly [Options, Record<string, { value: unknown; beside?: Options }>]> = {
  exponentialDecay: [
    { initialLearningRate: 0.1, decaySteps: 3, decayRate: 0.5 },
    {
      initialLearningRate: { value: 0.2 },
      decaySteps: { value: 4 },
      decayRate: { value: 0.7 },
      staircase: { value: true },
    },
  ],
  inverseTimeDecay: [
    { initialLearningRate: 0.1, decaySteps: 3, decayRate: 0.5 },
    {
      initialLearningRate: { value: 0.2 },
      decaySteps: { value: 4 },
      decayRate: { value: 0.7 },
      staircase: { value: true },
    },
  ],
  piecewiseConstantDecay: [
    { boundaries: [2], values: [1, 0.5] },
    { boundaries: { value: [3] }, values: { value: [1, 0.2] } },
  ],
  polynomialDecay: [
    { initialLearningRate: 0.1, decaySteps: 3 },
    {
      initialLearningRate: { value: 0.2 },
      decaySteps: { value: 4 },
      endLearningRate: { value: 0.05 },
      power: { value: 2 },
      cycle: { value: true },
    },
  ],
  cosineDecay: [
    { initialLearningRate: 0.1, decaySteps: 3 },
    {
      initialLearningRate: { value: 0.2 },
      decaySteps: { value: 4 },
      alpha: { value: 0.3 },
      warmupTarget: { value: 0.4 },
      warmupSteps: { value: 2, beside: { warmupTarget: 0.4 } },
    },
  ],
  cosineDecayRestarts: [
    { initialLearningRate: 0.1, firstDecaySteps: 3 },
    {
      initialLearningRate: { value: 0.2 },
      firstDecaySteps: { value: 4 },
      tMul: { value: 1 },
      mMul: { value: 0.5 },
      alpha: { value: 0.3 },
    },
  ],
};

test.each(Object.entries(SCHEDULES))('%s reads all of its arguments', (name, [base, changes]) => {
  const make = optim[name as 'cosineDecay'] as unknown as (options: Options) => optim.Schedule;
  const rates = (options: Options): number[] =>
    Array.from({ length: 12 }, (_, i) => make(options).at(scalar(i, 'int32')).item() as number);
  for (const [option, { value, beside = {} }] of Object.entries(changes)) {
    expect(rates({ ...base, ...beside, [option]: value })).not.toEqual(rates({ ...base, ...beside }));
    for (const wrong of [Number.NaN, '1', {}])
      expect(() => make({ ...base, [option]: wrong })).toThrow(`${name}: expected ${option} to be`);
  }
  // The walk has all arguments: the message lists those that are known.
  const message = (): unknown => make({ ...base, qqqqqqqqqqqqqqqq: 1 });
  expect(message).toThrow(`Known options: name, ${Object.keys(changes).join(', ')}.`);
  expect(make({ ...base, name: 'mine' }).config['name']).toBe('mine');
});

test('a class of your own without rules takes further options, in an object, and checks the shared ones', () => {
  class Bare extends Optimizer {
    readonly name = 'Bare';

    protected createSlots(): Slots {
      return {};
    }

    protected step({ parameter, slots }: StepContext): { parameter: Tensor; slots: Slots } {
      return { parameter, slots };
    }
  }
  expect(new Bare({ shrink: 2, useEma: undefined } as Options).options).toMatchObject({ shrink: 2, useEma: false });
  expect(() => new Bare({ shrink: 2, useEma: 1 } as Options)).toThrow(
    'Bare: expected useEma to be true or false, received 1',
  );
  for (const given of [[], [1], 'adam', 3, null, new Map([['learningRate', 1]])])
    expect(() => new Bare(given as never)).toThrow(/^Bare: expected an object of options, received/);
});
