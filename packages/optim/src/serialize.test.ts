import { scalar, type Tensor } from '@recurra/tensor';
import { resolveOptimizer } from './extend.js';
import * as optim from './index.js';
import { Adam, cosineDecay, deserializeOptimizer, deserializeSchedule, Optimizer, optimizers, SGD } from './index.js';
import type { StepContext } from './optimizer.js';
import type { Slots } from './slots.js';

/** What Keras 3.15 writes for all optimizers without arguments, and what for each. */
const SHARED = {
  weightDecay: null,
  clipnorm: null,
  globalClipnorm: null,
  clipvalue: null,
  useEma: false,
  emaMomentum: 0.99,
  emaOverwriteFrequency: null,
  lossScaleFactor: null,
  gradientAccumulationSteps: null,
};
const BETAS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
const DEFAULTS: Record<string, Record<string, unknown>> = {
  Adadelta: { name: 'adadelta', rho: 0.95, epsilon: 1e-7 },
  Adafactor: {
    ...{ name: 'adafactor', beta2Decay: -0.8, epsilon1: 1e-30, epsilon2: 0.001, clipThreshold: 1, relativeStep: true },
  },
  Adagrad: { name: 'adagrad', initialAccumulatorValue: 0.1, epsilon: 1e-7 },
  Adam: { name: 'adam', ...BETAS, amsgrad: false },
  Adamax: { name: 'adamax', ...BETAS },
  AdamW: { name: 'adam_w', weightDecay: 0.004, ...BETAS, amsgrad: false },
  Ftrl: {
    ...{ name: 'ftrl', learningRatePower: -0.5, initialAccumulatorValue: 0.1, l1RegularizationStrength: 0, beta: 0 },
    ...{ l2RegularizationStrength: 0, l2ShrinkageRegularizationStrength: 0 },
  },
  Lamb: { name: 'lamb', ...BETAS },
  Lion: { name: 'lion', beta1: 0.9, beta2: 0.99 },
  Muon: {
    ...{ name: 'muon', weightDecay: 0.004, adamBeta1: 0.9, adamBeta2: 0.999, epsilon: 1e-7, excludeLayers: [] },
    ...{ muonA: 3.4445, muonB: -4.775, muonC: 2.0315, adamLrRatio: 1, momentum: 0.95, nsSteps: 5, nesterov: true },
    ...{ excludeEmbeddings: true, adamWeightDecay: 0.004, rmsRate: 0.2 },
  },
  Nadam: { name: 'nadam', ...BETAS },
  RMSprop: { name: 'rm_sprop', rho: 0.9, momentum: 0, epsilon: 1e-7, centered: false },
  ScheduleFreeAdamW: { name: 'schedule_free_adam_w', learningRate: 0.0025, ...BETAS, epsilon: 1e-8, warmupSteps: 0 },
  SGD: { name: 'sgd', learningRate: 0.01, momentum: 0, nesterov: false },
};

const classes = Object.values(optimizers).map((Class) => [new Class().name, Class] as const);

test.each(classes)('%s without options is as in Keras, and is made again from data', (name, Class) => {
  const optimizer = new Class();
  expect(optimizer.getConfig()).toEqual({ learningRate: 0.001, ...SHARED, ...DEFAULTS[name] });
  const data = optim.serializeOptimizer(optimizer);
  expect(data).toEqual({
    module: 'keras.optimizers',
    className: name,
    config: optimizer.getConfig(),
    registeredName: null,
  });
  for (const again of [deserializeOptimizer(JSON.parse(JSON.stringify(data))), resolveOptimizer(data)]) {
    expect(again).toBeInstanceOf(Class);
    expect(optim.serializeOptimizer(again)).toEqual(data);
  }
  expect(deserializeOptimizer({ className: name.toLowerCase(), config: {} })).toBeInstanceOf(Class);
});

test('what excludeFromWeightDecay holds, and schedules, go through JSON', () => {
  const learningRate = cosineDecay({ initialLearningRate: 0.1, decaySteps: 10 });
  const optimizer = new Adam({ learningRate, excludeFromWeightDecay: ['bias', /Gamma$/i], weightDecay: 0.1 });
  const data = JSON.parse(JSON.stringify(optim.serializeOptimizer(optimizer))) as optim.SerializedOptimizer;
  // Keras 3.15: serialize(Adam(CosineDecay(0.1, 10)))['config']['learning_rate'], keys in camelCase.
  expect(data.config['learningRate']).toEqual({
    module: 'keras.optimizers.schedules',
    className: 'CosineDecay',
    config: {
      initialLearningRate: 0.1,
      decaySteps: 10,
      alpha: 0,
      name: 'CosineDecay',
      warmupTarget: null,
      warmupSteps: 0,
    },
    registeredName: null,
  });
  const again = deserializeOptimizer(data);
  expect(again.options.excludeFromWeightDecay).toEqual(['bias', /Gamma$/i]);
  expect(again.learningRate).toMatchObject({ name: 'CosineDecay', config: learningRate.config });
});

test('a rate that was set since then is written in its place', () => {
  expect(optim.serializeOptimizer(new SGD(), 0.5).config['learningRate']).toBe(0.5);
});

class Halving extends Optimizer {
  readonly name = 'Halving';

  protected createSlots(): Slots {
    return {};
  }

  protected step({ parameter, slots }: StepContext): { parameter: Tensor; slots: Slots } {
    return { parameter: parameter.mul(0.5), slots };
  }
}

test('classes of your own are read by their names', () => {
  const data = optim.serializeOptimizer(new Halving({ weightDecay: 0.1 }));
  expect(data).toMatchObject({ className: 'Halving', config: { name: 'halving', weightDecay: 0.1 } });
  expect(data.module).toBeUndefined();
  expect(() => deserializeOptimizer(data)).toThrow(
    /deserializeOptimizer: class: expected one of .* received "Halving"/,
  );
  const again = deserializeOptimizer(data, { customObjects: { Halving } });
  expect(again).toBeInstanceOf(Halving);
  expect(again.options.weightDecay).toBe(0.1);
  const wrapped = optim.serializeOptimizer(new optim.LossScaleOptimizer(new Halving()));
  expect(() => deserializeOptimizer(wrapped, { customObjects: { Halving } })).not.toThrow();
  const custom = (customObjects: unknown) => () => deserializeOptimizer(data, { customObjects } as never);
  expect(custom({ Halving: 1 })).toThrow(/expected customObjects to be an object of classes of optimizers/);
  expect(() => deserializeOptimizer(data, { custom_objects: {} } as never)).toThrow(/Did you mean "customObjects"/);
});

test.each<[string, unknown, RegExp]>([
  ['an unknown class', { className: 'Adm', config: {} }, /received "Adm"\. Did you mean "Adam"\?/],
  ['an unknown option', { className: 'Adam', config: { beta_1: 0.9 } }, /Adam: unknown option "beta_1"/],
  ["another class's option", { className: 'SGD', config: { beta1: 0.9 } }, /SGD: unknown option "beta1"/],
  ['a value out of range', { className: 'Adam', config: { beta1: 2 } }, /expected beta1 to be/],
  [
    'no configuration',
    { className: 'Adam' },
    /expected an optimizer as data, { className, config }, received an object/,
  ],
  ['a key that is not read', { className: 'Adam', config: {}, learningRate: 1 }, /unknown option "learningRate"/],
  ['a list', [], /expected an optimizer as data/],
  ['null', null, /expected an optimizer as data.*received null/],
  ['a name', 'adam', /received "adam"/],
  [
    'an unknown schedule',
    { className: 'Adam', config: { learningRate: { className: 'Cosine', config: {} } } },
    /deserializeSchedule: .* received "Cosine"/,
  ],
  [
    'a wrong pattern',
    { className: 'Adam', config: { excludeFromWeightDecay: [{ pattern: 1 }] } },
    /expected excludeFromWeightDecay to be/,
  ],
])('%s is refused', (_, data, message) => {
  expect(() => deserializeOptimizer(data as never)).toThrow(message);
});

test('schedules of your own are no data', () => {
  const mine: optim.Schedule = { name: 'Mine', config: {}, at: (step) => step.cast('float32') };
  expect(() => new SGD({ learningRate: mine }).getConfig()).toThrow(/serializeSchedule: .* received "Mine"/);
  expect(() => optim.serializeSchedule(0.1 as never)).toThrow(/expected the schedule to be a schedule, received 0.1/);
  expect(() => optim.serializeOptimizer(Adam as never)).toThrow(/received the class Adam/);
  expect(() => deserializeSchedule({ className: 'CosineDecay', config: { decaySteps: 3 } })).toThrow(
    /cosineDecay: expected initialLearningRate/,
  );
  expect(() => deserializeSchedule({ className: 'CosineDecay', config: {}, at: 1 } as never)).toThrow(
    /unknown option "at"/,
  );
});

test('expressions are looked for from the start of a path, whatever their flags', () => {
  const optimizer = new SGD({ weightDecay: 0.5, excludeFromWeightDecay: [/kernel/g] });
  const parameters = { kernel: scalar(1), kernel2: scalar(1), kernel3: scalar(1) };
  const zero = { kernel: scalar(0), kernel2: scalar(0), kernel3: scalar(0) };
  const next = optimizer.update(zero, optimizer.init(parameters), parameters).parameters;
  expect(Object.values(next).map((w) => w.item())).toEqual([1, 1, 1]);
});
