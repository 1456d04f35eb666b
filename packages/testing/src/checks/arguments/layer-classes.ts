import { Dense, LSTM, LSTMCell } from '@recurra/layers';
import { layerClasses } from '@recurra/layers/extend';
import {
  type Argument,
  axes,
  type Example,
  flag,
  integer,
  knownOptions,
  list,
  made,
  name,
  number,
  options,
  positive,
  signed,
  text,
} from './wrong.js';

const share: Argument = { value: () => 0.5, takes: [] };
const size = integer(2);
const seed = integer(1, 'null');
const activation = name('relu', 'null', 'a function');
const dataFormat = name('channelsLast', 'null');
const layer = made(() => new Dense(2));
const recurrent = made(() => new LSTM(2));

/** Options that mean the same in every class, each with a right value. */
const COMMON: Readonly<Record<string, Argument>> = {
  name: text('mine'),
  trainable: flag(true),
  dtype: name('float32'),
  activation,
  recurrentActivation: activation,
  seed,
  dataFormat,
  strides: size,
  padding: name('valid'),
  dilationRate: integer(1),
  groups: size,
  depthMultiplier: size,
  dropout: share,
  recurrentDropout: share,
  momentum: share,
  renormMomentum: share,
  epsilon: positive(1e-3),
  axis: signed(-1),
  outputMode: name('multiHot'),
  sparse: flag(false),
  maxTokens: integer(5, 'null'),
  vocabulary: list(() => ['a', 'b'], 'null'),
  idfWeights: made(() => null, 'null'),
  encoding: name('utf-8'),
  noiseShape: made(() => [null, 1], 'null', 'an empty array'),
};

/** Options that are true or false in every class. */
const FLAGS = [
  ...['useBias', 'useScale', 'useGate', 'useKernel', 'useBoundary', 'center', 'scale', 'renorm', 'rmsScaling'],
  ...['returnSequences', 'returnState', 'goBackwards', 'stateful', 'unroll', 'zeroOutputForMask', 'unitForgetBias'],
  ...['resetAfter', 'maskZero', 'keepdims', 'normalize', 'invert', 'padToMaxTokens', 'ragged', 'optional'],
  ...['synchronized'],
];

/** What stands before the options, and what is a class's own. */
interface Class {
  readonly args: readonly Argument[];
  readonly own?: Readonly<Record<string, Argument>>;
  readonly needed?: readonly string[];
  /** Options that contradict the others: they have an example of their own. */
  readonly without?: readonly string[];
  readonly also?: readonly Argument[];
}

const of = (...args: Argument[]): Class => ({ args });
const bins = { outputMode: name('int') };
const lookup = { outputMode: name('int'), numOovIndices: integer(1), salt: integer(1, 'null', '-1') };

/** Every class, with right arguments. Those of an option that all classes read alike stand in COMMON. */
const CLASSES: Readonly<Record<string, Class>> = {
  Activation: of(activation),
  ActivityRegularization: { args: [], own: { l1: positive(0.1), l2: positive(0.1) } },
  Add: of(),
  AdditiveAttention: of(),
  AlphaDropout: of(share),
  Attention: { args: [], own: { scoreMode: name('dot') } },
  Average: of(),
  AveragePooling1D: { args: [{ ...size, takes: ['undefined'] }], own: { strides: integer(2, 'null') } },
  BatchNormalization: {
    args: [],
    own: { renormClipping: made(() => ({ rmin: 0, rmax: 2, dmax: 1 }), 'null', 'an empty object') },
  },
  Bidirectional: {
    args: [recurrent],
    own: { mergeMode: name('concat', 'null'), backwardLayer: made(() => new LSTM(2, { goBackwards: true }), 'null') },
  },
  CRF: of(size),
  Concatenate: of(),
  Conv1D: of(size, size),
  Conv1DTranspose: { args: [size, size], own: { strides: integer(2), outputPadding: integer(1, 'null') } },
  ConvLSTM1D: of(size, size),
  Cropping1D: of({ ...size, takes: ['undefined'] }),
  Dense: of(size),
  DepthwiseConv1D: of(size),
  Dot: of(integer(1, '-1')),
  Dropout: of(share),
  ELU: { args: [], own: { alpha: number(1) } },
  EinsumDense: {
    args: [name('abc,cd->abd'), made(() => [null, 4], 'an empty array')],
    own: { biasAxes: name('d', 'null') },
  },
  Embedding: of(size, size),
  Flatten: of(),
  GRU: of(size),
  GaussianDropout: of(share),
  GaussianNoise: of(share),
  GlobalAveragePooling1D: of(),
  GlobalMaxPooling1D: of(),
  GroupNormalization: { args: [], own: { groups: integer(2, '-1') } },
  GroupQueryAttention: { args: [size, size, size], own: { slidingWindow: integer(2, 'null') } },
  GroupedQueryAttention: { args: [size, size, size], own: { slidingWindow: integer(2, 'null') } },
  Identity: of(),
  InputLayer: {
    args: [],
    own: {
      shape: made(() => [2], 'an empty array'),
      batchSize: integer(2, 'null'),
      dtype: name('float32'),
    },
    needed: ['shape'],
    without: ['batchShape'],
    also: [options({ batchShape: made(() => [null, 2]) }, ['batchShape'])],
  },
  LSTM: of(size),
  Lambda: {
    args: [made(() => (v: unknown) => v, 'a function')],
    own: {
      outputShape: made(() => [2], 'null', 'a function', 'an empty array'),
      mask: made(() => null, 'null', 'a function'),
      arguments: made(() => ({ a: 1 }), 'null', 'an empty object'),
    },
  },
  LayerNormalization: { args: [], own: { axis: signed(-1) } },
  LeakyReLU: { args: [], own: { negativeSlope: positive(0.1) } },
  Masking: { args: [], own: { maskValue: number(0, 'NaN', 'Infinity') } },
  MaxPooling1D: { args: [{ ...size, takes: ['undefined'] }], own: { strides: integer(2, 'null') } },
  Maximum: of(),
  Minimum: of(),
  MultiHeadAttention: {
    args: [size, size],
    own: {
      valueDim: integer(2, 'null'),
      outputShape: integer(2, 'null'),
      attentionAxes: signed(1, 'null'),
      slidingWindow: integer(2, 'null'),
    },
  },
  Multiply: of(),
  PReLU: { args: [], own: { sharedAxes: list(() => [1], 'null') } },
  Permute: of(list(() => [2, 1])),
  PositionEmbedding: of(size),
  RMSNormalization: { args: [], own: { axis: signed(-1) } },
  RNN: of(made(() => new LSTMCell(2))),
  ReLU: {
    args: [],
    own: { maxValue: positive(1, 'null'), negativeSlope: positive(0.1), threshold: positive(0) },
  },
  RepeatVector: of(size),
  Reshape: of(list(() => [2, -1])),
  SequenceMask: of(),
  SeparableConv1D: of(size, size),
  SimpleRNN: of(size),
  SinePositionEncoding: { args: [], own: { maxWavelength: positive(1e4) } },
  Softmax: { args: [], own: { axis: signed(-1, 'an empty array') } },
  SpatialDropout1D: of(share),
  SpectralNormalization: { args: [layer], own: { powerIterations: integer(1) } },
  Subtract: of(),
  TimeDistributed: of(layer),
  UnitNormalization: { args: [], own: { axis: signed(-1) } },
  UpSampling1D: of({ ...size, takes: ['undefined'] }),
  ZeroPadding1D: of({ ...size, takes: ['undefined'] }),
  CategoryEncoding: of(size),
  Discretization: {
    args: [],
    own: { ...bins, binBoundaries: made(() => null, 'null'), numBins: integer(3), epsilon: share },
    needed: ['numBins'],
  },
  Hashing: {
    args: [size],
    own: { ...bins, maskValue: text('', 'null', 'NaN', '-1', '1.5', 'Infinity'), salt: integer(1, 'null', '-1') },
  },
  IntegerLookup: {
    args: [],
    own: {
      ...lookup,
      vocabulary: list(() => [1, 2], 'null'),
      maskToken: integer(0, 'null', '-1'),
      oovToken: integer(-1, '-1'),
    },
  },
  Normalization: {
    args: [],
    own: {
      axis: axes(-1),
      mean: number(0, 'null', 'a half in a list'),
      variance: positive(1, 'null', 'a half in a list'),
    },
  },
  Rescaling: { args: [number(2, 'a half in a list')], own: { offset: number(1, 'a half in a list') } },
  StringLookup: {
    args: [],
    own: { ...lookup, maskToken: text('', 'null'), oovToken: text('[UNK]') },
  },
  TextVectorization: {
    args: [],
    own: {
      outputMode: name('int'),
      standardize: name('lower', 'null', 'a function'),
      split: name('whitespace', 'null', 'a function'),
      ngrams: integer(2, 'null'),
      outputSequenceLength: integer(4, 'null'),
    },
  },
};

/** A right value of an option, by what its name ends with, too. */
function valueOf(key: string, label: string): Argument {
  if (COMMON[key]) return COMMON[key];
  if (FLAGS.includes(key)) return flag(false);
  if (/nitializer$/.test(key)) return name('zeros');
  if (key.endsWith('Regularizer')) return name('l2', 'null');
  if (key.endsWith('Constraint')) return name('maxNorm', 'null');
  throw new Error(`${label}: expected a right value of the option ${key} in its example, or in COMMON`);
}

type Maker = (...args: never[]) => unknown;

/** Right calls of the constructor of a class, with each of the options that the class knows. */
function examplesOf(label: string, Class: new (...args: never[]) => unknown): Example[] {
  const known = CLASSES[label];
  if (!known) throw new Error(`${label}: expected an example of its constructor in CLASSES`);
  const { args, own = {}, needed = [], without = [], also } = known;
  const call: Maker = (...given) => new Class(...given);
  const first = args.map((a) => a.value());
  const right = Object.fromEntries(needed.map((key) => [key, own[key]!.value()]));
  const keys = knownOptions(() => call(...([...first, { ...right, zzz: 1 }] as never[])), label);
  const extra = Object.keys(own).find((key) => !keys.includes(key));
  if (extra !== undefined) throw new Error(`${label}: expected options among ${keys.join(', ')}, received ${extra}`);
  const fields = Object.fromEntries(
    keys.filter((key) => !without.includes(key)).map((key) => [key, own[key] ?? valueOf(key, label)]),
  );
  const examples = [{ call, args: [...args, options(fields, needed)] }];
  return also ? [...examples, { call, args: also }] : examples;
}

/** Right calls of the constructors of all layers. */
export const LAYER_CLASSES: Readonly<Record<string, readonly Example[]>> = Object.fromEntries(
  [...layerClasses()].map(([label, Class]) => [label, examplesOf(label, Class as never)]),
);
