import type { Constraint, Initializer } from '@recurra/cells';
import { ones, scalar, type Tensor } from '@recurra/tensor';
import { autograd, cells, compiler, optim } from './surface.js';
import {
  type Argument,
  anything,
  type Example,
  f,
  flag,
  integer,
  list,
  made,
  name,
  number,
  optional,
  options,
  positive,
  signed,
  tensorOnly,
  text,
} from './wrong.js';

const example = (call: unknown, ...args: Argument[]): Example => ({ call: call as Example['call'], args });
const create = (Class: new (...args: never[]) => unknown, ...args: Argument[]): Example =>
  example((...given: never[]) => new Class(...given), ...args);
const tree = made(() => ({ a: ones([2]), b: [ones([3])] }));
const loss = f((x: Tensor) => x.square().sum());

/** Right calls of what `@recurra/autograd` exports. Trees hold anything: what is no tensor is structure. */
export const AUTOGRAD: Readonly<Record<string, readonly Example[]>> = {
  grad: [
    example(autograd.grad, loss, options({ argument: integer(0, 'an empty array') })),
    example(
      autograd.grad(() => scalar(1)),
      made(() => ({ w: ones([2]) }), 'an empty object', 'an empty array'),
    ),
  ],
  valueAndGrad: [example(autograd.valueAndGrad, loss, options({ argument: integer(0, 'an empty array') }))],
  vjp: [
    example(
      autograd.vjp,
      f(() => scalar(1)),
      made(() => ones([2]), 'an empty object', 'an empty array'),
    ),
  ],
  customGradient: [example(autograd.customGradient, loss)],
  checkpoint: [example(autograd.checkpoint, loss)],
  stopGradient: [example(autograd.stopGradient, anything(ones([2])))],
  treeLeaves: [example(autograd.treeLeaves, anything(1))],
  treePaths: [example(autograd.treePaths, anything(1))],
  treeMap: [
    example(
      autograd.treeMap,
      f((x: Tensor) => x),
      tree,
    ),
  ].map((e) => ({
    ...e,
    args: [e.args[0]!, anything({})],
  })),
  treeLeavesLike: [example(autograd.treeLeavesLike, tree, tree)].map((e) => ({ ...e, args: [tree, tree] })),
  treeUnflatten: [
    example(
      autograd.treeUnflatten,
      tree,
      list(() => [ones([2]), ones([3])]),
    ),
  ].map((e) => ({
    ...e,
    args: [tree, made(() => [ones([2]), ones([3])])],
  })),
};

const decay = { value: () => 0.9, takes: [] } as Argument;
const negative = (value: number): Argument => ({ value: () => value, takes: ['-1'] });
/** Right values of the options of optimizers. Of the three clippings, one at most may be given. */
const OPTIMIZER_OPTIONS: Readonly<Record<string, Argument | null>> = {
  learningRate: positive(0.1),
  weightDecay: positive(0.1, 'null'),
  excludeFromWeightDecay: list(() => ['bias']),
  clipnorm: positive(1, 'null'),
  clipvalue: null,
  globalClipnorm: null,
  useEma: flag(true),
  emaMomentum: number(0.9),
  emaOverwriteFrequency: integer(2, 'null'),
  lossScaleFactor: positive(8, 'null'),
  gradientAccumulationSteps: integer(2, 'null'),
  name: text('mine', 'null'),
  momentum: decay,
  nesterov: flag(true),
  beta1: decay,
  beta2: decay,
  epsilon: positive(1e-7),
  amsgrad: flag(true),
  warmupSteps: integer(2),
  rho: decay,
  centered: flag(true),
  initialAccumulatorValue: positive(0.1),
  beta2Decay: negative(-0.8),
  epsilon1: positive(1e-30),
  epsilon2: positive(1e-3),
  clipThreshold: positive(1),
  relativeStep: flag(true),
  learningRatePower: negative(-0.5),
  l1RegularizationStrength: positive(0),
  l2RegularizationStrength: positive(0),
  l2ShrinkageRegularizationStrength: positive(0),
  beta: positive(0),
  nsSteps: integer(5),
  rmsRate: positive(0.2, 'null'),
  excludeLayers: list(() => ['output']),
  excludeEmbeddings: flag(true),
  muonA: number(3),
  muonB: number(-4),
  muonC: number(2),
  adamBeta1: decay,
  adamBeta2: decay,
  adamLrRatio: positive(1),
  adamWeightDecay: positive(0.1, 'null'),
};

/** Every optimizer with all of its options. */
const OPTIMIZERS = Object.fromEntries(
  Object.values(optim.optimizers).map((Class) => {
    const fields = Object.keys(new Class().options).flatMap((option): [string, Argument][] => {
      const value = OPTIMIZER_OPTIONS[option];
      if (value === undefined)
        throw new Error(`${Class.name}: expected a right value of ${option} in OPTIMIZER_OPTIONS`);
      return value ? [[option, value]] : [];
    });
    return [Class.name, [create(Class, options(Object.fromEntries(fields)))]];
  }),
);

/** Right calls of what `@recurra/optim` exports. */
export const OPTIM: Readonly<Record<string, readonly Example[]>> = {
  ...OPTIMIZERS,
  LossScaleOptimizer: [
    create(
      optim.LossScaleOptimizer,
      made(() => new optim.SGD()),
      options({ initialScale: positive(8), dynamicGrowthSteps: integer(2), name: text('mine', 'null') }),
    ),
  ],
  serializeOptimizer: [
    example(
      optim.serializeOptimizer,
      made(() => new optim.SGD()),
    ),
  ],
  deserializeOptimizer: [
    example(
      optim.deserializeOptimizer,
      made(() => ({ className: 'SGD', config: {} })),
      options({ customObjects: made(() => ({ SGD: optim.SGD }), 'an empty object') }),
    ),
  ],
  serializeSchedule: [
    example(
      optim.serializeSchedule,
      made(() => optim.cosineDecay({ initialLearningRate: 0.1, decaySteps: 3 })),
    ),
  ],
  deserializeSchedule: [
    example(
      optim.deserializeSchedule,
      made(() => ({ className: 'CosineDecay', config: { initialLearningRate: 0.1, decaySteps: 3 } })),
    ),
  ],
  resolveOptimizer: [example(optim.resolveOptimizer, name('adam'))],
  globalNorm: [example(optim.globalNorm, tree)],
  clipByNorm: [
    example(
      optim.clipByNorm,
      tensorOnly(() => ones([2])),
      positive(1),
    ),
  ],
  clipByGlobalNorm: [example(optim.clipByGlobalNorm, tree, positive(1))],
  clipByValue: [example(optim.clipByValue, tree, positive(1))],
  isSchedule: [example(optim.isSchedule, anything(1))],
  learningRateAt: [
    example(
      optim.learningRateAt,
      positive(0.1),
      tensorOnly(() => scalar(1)),
    ),
  ],
  exponentialDecay: [
    example(
      optim.exponentialDecay,
      options(
        {
          initialLearningRate: positive(0.1),
          decaySteps: positive(10),
          decayRate: positive(0.9),
          staircase: flag(true),
        },
        ['initialLearningRate', 'decaySteps', 'decayRate'],
      ),
    ),
  ],
  inverseTimeDecay: [
    example(
      optim.inverseTimeDecay,
      options(
        {
          initialLearningRate: positive(0.1),
          decaySteps: positive(10),
          decayRate: positive(0.9),
          staircase: flag(true),
        },
        ['initialLearningRate', 'decaySteps', 'decayRate'],
      ),
    ),
  ],
  polynomialDecay: [
    example(
      optim.polynomialDecay,
      options(
        {
          initialLearningRate: positive(0.1),
          decaySteps: positive(10),
          endLearningRate: positive(0.01),
          power: positive(1),
          cycle: flag(true),
        },
        ['initialLearningRate', 'decaySteps'],
      ),
    ),
  ],
  cosineDecay: [
    example(
      optim.cosineDecay,
      options(
        {
          initialLearningRate: positive(0.1),
          decaySteps: positive(10),
          alpha: number(0.1),
          warmupTarget: positive(0.2, 'null'),
          warmupSteps: positive(1),
        },
        ['initialLearningRate', 'decaySteps'],
      ),
    ),
  ],
  cosineDecayRestarts: [
    example(
      optim.cosineDecayRestarts,
      options(
        {
          initialLearningRate: positive(0.1),
          firstDecaySteps: positive(10),
          tMul: positive(2),
          mMul: positive(1),
          alpha: number(0.1),
        },
        ['initialLearningRate', 'firstDecaySteps'],
      ),
    ),
  ],
  piecewiseConstantDecay: [
    example(
      optim.piecewiseConstantDecay,
      options({ boundaries: made(() => [1, 2]), values: made(() => [1, 0.5, 0.1]) }, ['boundaries', 'values']),
    ),
  ],
};

const CELL = {
  activation: name('relu', 'null', 'a function'),
  useBias: flag(true),
  kernelInitializer: name('zeros'),
  recurrentInitializer: name('zeros'),
  biasInitializer: name('zeros'),
  kernelRegularizer: name('l2', 'null'),
  recurrentRegularizer: name('l2', 'null'),
  biasRegularizer: name('l2', 'null'),
  kernelConstraint: name('maxNorm', 'null'),
  recurrentConstraint: name('maxNorm', 'null'),
  biasConstraint: name('maxNorm', 'null'),
  dropout: { value: () => 0.5, takes: [] } as Argument,
  recurrentDropout: { value: () => 0.5, takes: [] } as Argument,
  seed: integer(1, 'null'),
};
const seed = { seed: integer(1, 'null') };
const drawn = (call: unknown, more: Readonly<Record<string, Argument>> = {}): Example =>
  // What an initializer does with its options shows when it draws.
  example(
    (...args: never[]) => (call as (...a: never[]) => Initializer)(...args).create([2, 3]).data,
    options({ ...seed, ...more }),
  );
const applied = (call: unknown, fields: Readonly<Record<string, Argument>>): Example =>
  example(
    (...args: never[]) => (call as (...a: never[]) => Constraint)(...args).apply(ones([2, 3])).data,
    options(fields),
  );
const axis = signed(0, 'an empty array');
const lstm = new cells.LSTMCell(2);

/** Right calls of what `@recurra/cells` exports. */
export const CELLS: Readonly<Record<string, readonly Example[]>> = {
  SimpleRNNCell: [create(cells.SimpleRNNCell, integer(2), options(CELL))],
  LSTMCell: [
    create(
      cells.LSTMCell,
      integer(2),
      options({ ...CELL, recurrentActivation: name('relu', 'null', 'a function'), unitForgetBias: flag(true) }),
    ),
  ],
  GRUCell: [
    create(
      cells.GRUCell,
      integer(2),
      options({ ...CELL, recurrentActivation: name('relu', 'null', 'a function'), resetAfter: flag(true) }),
    ),
  ],
  StackedRNNCells: [
    create(
      cells.StackedRNNCells,
      made(() => [lstm, lstm]),
    ),
  ],
  initializeParams: [
    example(
      cells.initializeParams,
      made(() => ({ kernel: { shape: [2, 3] } })),
      options({ dtype: name('float32') }),
    ),
  ],
  runSequence: [
    example(
      cells.runSequence,
      made(() => lstm),
      made(() => lstm.init(3)),
      tensorOnly(() => ones([2, 4, 3])),
      options({
        reverse: flag(true),
        mask: { ...tensorOnly(() => ones([2, 4]).cast('bool')), takes: ['null'] },
        initialState: made(() => lstm.initialState(2), 'null'),
      }),
    ),
  ],
  dotProductAttention: [
    example(
      cells.dotProductAttention,
      tensorOnly(() => ones([1, 2, 1, 3])),
      tensorOnly(() => ones([1, 2, 1, 3])),
      tensorOnly(() => ones([1, 2, 1, 3])),
      options({ mask: { ...tensorOnly(() => ones([1, 2])), takes: ['null'] }, causal: flag(true), scale: number(1) }),
    ),
  ],
  zeros: [example(cells.zeros)],
  ones: [example(cells.ones)],
  constant: [
    example((...a: never[]) => cells.constant(...a).create([2]).data, options({ value: number(1, 'NaN', 'Infinity') })),
  ],
  identity: [example((...a: never[]) => cells.identity(...a).create([2, 2]).data, options({ gain: number(1) }))],
  randomNormalInitializer: [drawn(cells.randomNormalInitializer, { mean: number(0), stddev: positive(1) })],
  truncatedNormalInitializer: [drawn(cells.truncatedNormalInitializer, { mean: number(0), stddev: positive(1) })],
  randomUniformInitializer: [
    drawn(cells.randomUniformInitializer, { minval: number(-2), maxval: { value: () => 2, takes: ['1.5', '-1'] } }),
  ],
  varianceScaling: [
    drawn(cells.varianceScaling, { scale: positive(1), mode: name('fanIn'), distribution: name('uniform') }),
  ],
  glorotUniform: [drawn(cells.glorotUniform)],
  glorotNormal: [drawn(cells.glorotNormal)],
  heUniform: [drawn(cells.heUniform)],
  heNormal: [drawn(cells.heNormal)],
  lecunUniform: [drawn(cells.lecunUniform)],
  lecunNormal: [drawn(cells.lecunNormal)],
  orthogonal: [drawn(cells.orthogonal, { gain: number(1) })],
  resolveInitializer: [example(cells.resolveInitializer, name('zeros'))],
  fans: [example(cells.fans, list([2, 3]))],
  l1: [applied(cells.l1, { l1: positive(0.1) })],
  l2: [applied(cells.l2, { l2: positive(0.1) })],
  l1L2: [applied(cells.l1L2, { l1: positive(0.1), l2: positive(0.1) })],
  orthogonalRegularizer: [applied(cells.orthogonalRegularizer, { factor: positive(0.1), mode: name('rows') })],
  resolveRegularizer: [example(cells.resolveRegularizer, optional(name('l2'), 'null'))],
  maxNorm: [applied(cells.maxNorm, { maxValue: positive(2), axis })],
  minMaxNorm: [applied(cells.minMaxNorm, { minValue: positive(0), maxValue: positive(2), rate: number(1), axis })],
  unitNorm: [applied(cells.unitNorm, { axis })],
  nonNeg: [example(cells.nonNeg)],
  resolveConstraint: [example(cells.resolveConstraint, optional(name('maxNorm'), 'null'))],
};

/** Right calls of what `@recurra/compiler` exports. */
export const COMPILER: Readonly<Record<string, readonly Example[]>> = {
  jit: [example(compiler.jit, loss, options({ name: text('step'), cacheSize: integer(4) }))],
  Variable: [
    create(
      compiler.Variable as never,
      tensorOnly(() => ones([2])),
      optional(text('w')),
    ),
    example(
      (v: Tensor) => new compiler.Variable(ones([2])).assign(v),
      tensorOnly(() => ones([2])),
    ),
  ],
  scan: [
    example(
      compiler.scan,
      f((c: Tensor, x: Tensor) => ({ carry: c, y: x })),
      made(() => scalar(0), 'undefined', 'null', 'an empty object', 'an empty array'),
      // Nothing to walk along: with a length, the body is simply repeated.
      anything(ones([3])),
      options({ reverse: flag(true), length: integer(3) }),
    ),
  ],
  setThreads: [example(compiler.setThreads, integer(1))],
  threads: [example(compiler.threads)],
  setEngine: [example(compiler.setEngine, name('wasm'))],
  engine: [example(compiler.engine)],
  availableEngines: [example(compiler.availableEngines)],
  wasmEngine: [example(compiler.wasmEngine)],
  breathe: [example(compiler.breathe)],
  isCompiling: [example(compiler.isCompiling)],
  evalShape: [
    example(
      compiler.evalShape,
      f(() => scalar(1)),
      list(() => [ones([2])]),
    ),
  ],
  untraced: [
    example(
      compiler.untraced,
      f(() => 1),
    ),
  ],
  withValues: [
    example(
      compiler.withValues,
      list(() => [new compiler.Variable(ones([2]))]),
      list(() => [ones([2])]),
      f(() => 1),
    ),
  ],
};
