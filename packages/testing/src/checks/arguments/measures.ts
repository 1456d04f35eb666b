import { Loss, MeanMetricWrapper, Metric } from '@recurra/layers';
import { eye, ones, type Tensor, zeros } from '@recurra/tensor';
import { layers } from './surface.js';
import {
  type Argument,
  type Example,
  f,
  flag,
  integer,
  knownOptions,
  made,
  name,
  number,
  optional,
  options,
  positive,
  signed,
  text,
  x,
} from './wrong.js';

type Make = new (...args: never[]) => unknown;

const share: Argument = { value: () => 0.5, takes: [] };
const summed = signed(-1, 'null', 'an empty array');

/** Options of losses and metrics, each with a right value. */
const COMMON: Readonly<Record<string, Argument>> = {
  name: text('mine'),
  dtype: name('float32'),
  reduction: name('sum', 'null'),
  fromLogits: flag(true),
  labelSmoothing: share,
  axis: signed(-1),
  ignoreClass: signed(1, 'null'),
  gamma: positive(2),
  alpha: positive(0.5),
  beta: positive(0.5),
  applyClassBalancing: flag(true),
  margin: number(0.4),
  removeDiagonal: flag(true),
  delta: positive(1),
  q: share,
  threshold: number(0.5),
  thresholds: { value: () => [0.5], takes: ['null', 'a half in a list'] },
  topK: integer(1, 'null'),
  classId: integer(1, 'null'),
  numThresholds: integer(3),
  k: integer(1),
  fromSortedIds: flag(false),
  maskTokenId: signed(0, 'null'),
  numClasses: integer(2),
  targetClassIds: made(() => [0], 'an empty array'),
  sparseYTrue: flag(true),
  sparseYPred: flag(true),
  curve: name('PR'),
  summationMethod: name('minoring'),
  multiLabel: flag(true),
  numLabels: integer(2, 'null'),
  labelWeights: made(() => [1, 2], 'null', 'a half in a list', 'an empty array'),
  average: name('micro', 'null'),
  classAggregation: name('uniformAverage', 'null'),
  numRegressors: integer(0),
  sensitivity: share,
  specificity: share,
  precision: share,
  recall: share,
  direction: name('up', 'null'),
};

/** Where a class reads an option otherwise. */
const OWN: Readonly<Record<string, Readonly<Record<string, Argument>>>> = {
  Dice: { axis: summed },
  Tversky: { axis: summed },
  FBetaScore: { threshold: { value: () => 0.5, takes: ['null'] } },
  F1Score: { threshold: { value: () => 0.5, takes: ['null'] } },
};

/** Options that a class needs. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  IoU: ['numClasses', 'targetClassIds'],
  MeanIoU: ['numClasses'],
  OneHotIoU: ['numClasses', 'targetClassIds'],
  OneHotMeanIoU: ['numClasses'],
  SensitivityAtSpecificity: ['specificity'],
  SpecificityAtSensitivity: ['sensitivity'],
  PrecisionAtRecall: ['recall'],
  RecallAtPrecision: ['precision'],
};

/** The classes among the exports that extend another one. */
const classesOf = (Base: abstract new (...args: never[]) => unknown): readonly (readonly [string, Make])[] =>
  Object.entries<unknown>(layers).filter(
    (entry): entry is [string, Make] =>
      typeof entry[1] === 'function' && entry[1].prototype instanceof Base && entry[1] !== MeanMetricWrapper,
  );

function constructorOf(label: string, Class: Make): Example {
  const needed = NEEDED[label] ?? [];
  const valueOf = (key: string): Argument => {
    const value = OWN[label]?.[key] ?? COMMON[key];
    if (!value) throw new Error(`${label}: expected a right value of the option ${key} in COMMON`);
    return value;
  };
  const right = Object.fromEntries(needed.map((key) => [key, valueOf(key).value()]));
  const call = (...given: never[]): unknown => new Class(...given);
  const keys = knownOptions(() => call({ ...right, zzz: 1 } as never), label);
  return { call, args: [options(Object.fromEntries(keys.map((key) => [key, valueOf(key)])), needed)] };
}

const targets = x(() => ones([2, 2]));
/** Targets of classes: every mistake that is a number is one of a value, or of a shape. */
const strict = made(() => ones([2, 2]));
const classes = made(() => eye(2));
const indices = made(() => ones([2]));
const weighingOf = (label: string): Argument =>
  options({
    sampleWeight: {
      // Where one value stands for the whole batch, one number weighs it.
      value: () => (/^Dice|^Tversky/.test(label) ? 1 : ones([2])),
      takes: [
        'null',
        '-1',
        '1.5',
        'true',
        'NaN',
        'Infinity',
        ...(/^Dice|^Tversky/.test(label) ? (['a half in a list'] as const) : []),
      ],
    },
    mask: made(() => ones(label === 'CTC' ? [2, 5] : [2]).cast('bool'), 'null'),
  });

type Data = readonly [yTrue: Argument, yPred: Argument];

/** What classes are given that take no two tensors of one shape. */
const DATA: Readonly<Record<string, Data>> = {
  CTC: [made(() => ones([2, 2])), made(() => ones([2, 5, 3]))],
  Circle: [indices, classes],
  Mean: [x(() => ones([2])), targets],
  Sum: [x(() => ones([2])), targets],
};
const SPARSE: Data = [indices, classes];
const ofIndices = /^Sparse|GeneralizedCross|^Perplexity/;

function dataOf(label: string): Data {
  if (DATA[label]) return DATA[label];
  if (ofIndices.test(label)) return SPARSE;
  if (/^(Mean)?IoU|^BinaryIoU/.test(label)) return [made(() => ones([2])), made(() => ones([2]))];
  return [classes, strict];
}

const make = (label: string, Class: Make): unknown =>
  new Class(...([Object.fromEntries((NEEDED[label] ?? []).map((key) => [key, COMMON[key]!.value()]))] as never[]));

const LOSSES = Object.fromEntries(
  classesOf(Loss).map(([label, Class]): [string, readonly Example[]] => [
    label,
    [
      constructorOf(label, Class),
      {
        call: (...given: never[]) => (make(label, Class) as Loss).apply(...(given as unknown as [Tensor, Tensor])),
        args: [...dataOf(label), weighingOf(label)],
      },
    ],
  ]),
);

/** Metrics of values alone: what stands second is not looked at. */
const OF_VALUES = ['Mean', 'Sum'];
const METRICS = Object.fromEntries(
  classesOf(Metric).map(([label, Class]): [string, readonly Example[]] => [
    label,
    [
      constructorOf(label, Class),
      {
        call: OF_VALUES.includes(label)
          ? (a: never, o: never) => (make(label, Class) as Metric).updateState(a, undefined as never, o)
          : (...given: never[]) =>
              (make(label, Class) as Metric).updateState(...(given as unknown as [Tensor, Tensor])),
        args: OF_VALUES.includes(label) ? [dataOf(label)[0], weighingOf(label)] : [...dataOf(label), weighingOf(label)],
      },
    ],
  ]),
);

const crossentropy = options({ fromLogits: flag(true), labelSmoothing: share, axis: signed(-1) });
const focal = {
  fromLogits: flag(true),
  labelSmoothing: share,
  axis: signed(-1),
  gamma: positive(2),
  alpha: positive(0.5),
};

/** The last arguments of functions that take more than targets and predictions. */
const MORE: Readonly<Record<string, readonly Argument[]>> = {
  binaryCrossentropy: [crossentropy],
  categoricalCrossentropy: [crossentropy],
  sparseCategoricalCrossentropy: [
    options({ fromLogits: flag(true), axis: signed(-1), ignoreClass: signed(1, 'null') }),
  ],
  binaryFocalCrossentropy: [options({ ...focal, applyClassBalancing: flag(true) })],
  categoricalFocalCrossentropy: [options(focal)],
  categoricalGeneralizedCrossEntropy: [optional(share)],
  circle: [options({ gamma: positive(2), margin: number(0.4), removeDiagonal: flag(true) })],
  dice: [options({ axis: summed })],
  tversky: [options({ axis: summed, alpha: positive(0.5), beta: positive(0.5) })],
  huber: [optional(positive(1))],
  cosineSimilarity: [optional(signed(-1))],
  ctc: [optional(made(() => ones([2, 5]).cast('bool'), 'null'))],
  binaryAccuracy: [optional(number(0.5))],
  topKCategoricalAccuracy: [optional(integer(1))],
  sparseTopKCategoricalAccuracy: [options({ k: integer(1), fromSortedIds: flag(false) })],
  pearsonCorrelation: [optional(signed(-1))],
  concordanceCorrelation: [optional(signed(-1))],
};

const FUNCTIONS = [
  ...['accuracy', 'binaryAccuracy', 'categoricalAccuracy', 'sparseCategoricalAccuracy', 'topKCategoricalAccuracy'],
  ...['sparseTopKCategoricalAccuracy', 'pearsonCorrelation', 'concordanceCorrelation', 'binaryCrossentropy'],
  ...['binaryFocalCrossentropy', 'categoricalCrossentropy', 'categoricalFocalCrossentropy', 'categoricalHinge'],
  ...['categoricalGeneralizedCrossEntropy', 'circle', 'cosineSimilarity', 'ctc', 'dice', 'hinge', 'huber'],
  ...['klDivergence', 'logCosh', 'meanAbsoluteError', 'meanAbsolutePercentageError', 'meanSquaredError'],
  ...['meanSquaredLogarithmicError', 'poisson', 'sparseCategoricalCrossentropy', 'squaredHinge', 'tversky'],
] as const;

const functionData = (label: string): Data => {
  if (label === 'ctc') return DATA['CTC']!;
  if (label === 'circle' || /^sparse|Generalized/.test(label)) return SPARSE;
  return [classes, strict];
};

const CALLS = Object.fromEntries(
  FUNCTIONS.map((label): [string, readonly Example[]] => [
    label,
    [{ call: layers[label] as Example['call'], args: [...functionData(label), ...(MORE[label] ?? [])] }],
  ]),
);

/** Right calls of losses and metrics: constructors, functions, and what takes batches. */
export const MEASURES: Readonly<Record<string, readonly Example[]>> = {
  ...LOSSES,
  ...METRICS,
  ...CALLS,
  MeanMetricWrapper: [
    {
      call: (...given: never[]) => new MeanMetricWrapper(...(given as unknown as [never])),
      args: [
        f((a: Tensor, b: Tensor) => a.sub(b)),
        options({ name: text('mine'), dtype: name('float32'), direction: name('up', 'null') }),
      ],
    },
  ],
  resolveLoss: [{ call: layers.resolveLoss as Example['call'], args: [name('mse', 'a function')] }],
  serializeLoss: [{ call: layers.serializeLoss as Example['call'], args: [made(() => new layers.Huber())] }],
  resolveMetric: [
    {
      call: (given: never) => layers.resolveMetric(given, zeros([2, 1]), zeros([2, 1])),
      args: [name('mse', 'a function')],
    },
  ],
  serializeMetric: [{ call: layers.serializeMetric as Example['call'], args: [made(() => new layers.AUC())] }],
  deserializeMetric: [
    {
      call: layers.deserializeMetric as Example['call'],
      args: [made(() => ({ className: 'AUC', config: {} }))],
    },
  ],
};
