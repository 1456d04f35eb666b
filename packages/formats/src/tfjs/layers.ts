import { isObject } from '../keras/keras2-objects.js';
import type { Json, JsonObject } from '../model-file.js';

/** What the layers of TensorFlow.js take: options of Keras 3 that they have, how the others may be set, and what becomes of them. */
export interface LayerRule {
  /** Options that are written as they are. */
  readonly keys: readonly string[];
  /** Options that TensorFlow.js has not: what they have to be (then they are left out). */
  readonly only?: JsonObject;
  /** Options by other names, or in other forms. */
  readonly convert?: (config: JsonObject, fail: Fail) => JsonObject;
  /** What TensorFlow.js calls the class. */
  readonly className?: string;
}

/** Refuses what TensorFlow.js cannot do. */
export type Fail = (expected: string, received: Json | undefined) => never;

const WEIGHTED = ['kernel_initializer', 'kernel_regularizer', 'kernel_constraint'];
const BIASED = ['use_bias', 'bias_initializer', 'bias_regularizer', 'bias_constraint'];
const CELL = [
  ...['units', 'activation', 'dropout', 'recurrent_dropout'],
  ...[...WEIGHTED, ...BIASED],
  ...['recurrent_initializer', 'recurrent_regularizer', 'recurrent_constraint'],
];
const WALK = ['return_sequences', 'return_state', 'go_backwards', 'stateful', 'unroll'];
// Seeds are of draws while training: TensorFlow.js draws its own.
const ANY_SEED = {};

const cell = (more: readonly string[] = [], rest: Partial<LayerRule> = {}): LayerRule => ({
  keys: [...CELL, ...more],
  ...rest,
});
const recurrent = (more: readonly string[] = [], rest: Partial<LayerRule> = {}): LayerRule => ({
  keys: [...CELL, ...WALK, ...more],
  ...rest,
  only: { zero_output_for_mask: false, time_major: false, ...rest.only },
});
const gated = ['recurrent_activation'];
const merging: LayerRule = { keys: [] };
const pooling: LayerRule = {
  keys: ['pool_size', 'strides', 'padding'],
  only: { data_format: 'channels_last' },
  convert: ({ pool_size: size = 2, ...config }) => {
    const list = (value: Json): Json => (Array.isArray(value) ? value : [value]);
    return { ...config, pool_size: list(size), strides: list(config['strides'] ?? size) };
  },
};
const globalPooling: LayerRule = { keys: [], only: { data_format: 'channels_last', keepdims: false } };
const noise: LayerRule = { keys: ['rate'], only: { noise_shape: null, ...ANY_SEED } };

/** GRU after reset has a bias for each side: there is no other model that computes the same. */
const BEFORE_RESET: JsonObject = { reset_after: false };

/** Layers, cells and models apart, by the names of Keras 3's classes. */
export const LAYER_RULES: Readonly<Record<string, LayerRule>> = {
  Activation: { keys: ['activation'] },
  Dense: { keys: ['units', 'activation', ...WEIGHTED, ...BIASED] },
  Dropout: { keys: ['rate', 'noise_shape'] },
  SpatialDropout1D: { keys: ['rate'], only: { noise_shape: null } },
  GaussianNoise: { keys: ['stddev'] },
  GaussianDropout: noise,
  AlphaDropout: noise,
  Flatten: { keys: ['data_format'] },
  Masking: { keys: ['mask_value'] },
  Permute: { keys: ['dims'] },
  RepeatVector: { keys: ['n'] },
  Reshape: { keys: ['target_shape'] },
  Embedding: {
    keys: [
      ...['input_dim', 'output_dim', 'mask_zero'],
      ...['embeddings_initializer', 'embeddings_regularizer', 'embeddings_constraint'],
    ],
    only: { input_length: null },
  },
  Conv1D: {
    keys: [
      ...['filters', 'kernel_size', 'strides', 'padding', 'data_format', 'dilation_rate', 'activation'],
      ...[...WEIGHTED, ...BIASED],
    ],
    only: { groups: 1 },
    convert: (config, fail) =>
      config['padding'] === 'causal' ? fail('padding "valid" or "same", which it has', 'causal') : config,
  },
  AveragePooling1D: pooling,
  MaxPooling1D: pooling,
  GlobalAveragePooling1D: globalPooling,
  GlobalMaxPooling1D: globalPooling,
  Add: merging,
  Average: merging,
  Maximum: merging,
  Minimum: merging,
  Multiply: merging,
  Concatenate: { keys: ['axis'] },
  Dot: { keys: ['axes', 'normalize'] },
  BatchNormalization: {
    keys: [
      ...['axis', 'momentum', 'epsilon', 'center', 'scale'],
      ...['beta_initializer', 'gamma_initializer', 'moving_mean_initializer', 'moving_variance_initializer'],
      ...['beta_regularizer', 'gamma_regularizer', 'beta_constraint', 'gamma_constraint'],
    ],
    only: { synchronized: false, renorm: false, renorm_clipping: null },
  },
  LayerNormalization: {
    keys: [
      ...['axis', 'epsilon', 'center', 'scale'],
      ...['beta_initializer', 'gamma_initializer', 'beta_regularizer', 'gamma_regularizer'],
    ],
    only: { beta_constraint: null, gamma_constraint: null, rms_scaling: false },
  },
  ELU: {
    keys: ['alpha'],
    convert: (config, fail) =>
      config['alpha'] === undefined || config['alpha'] === 1
        ? config
        : fail('alpha 1, the only one that it has', config['alpha']),
  },
  LeakyReLU: {
    keys: ['alpha'],
    convert: ({ negative_slope: slope = 0.3, ...config }) => ({ ...config, alpha: slope }),
  },
  PReLU: { keys: ['alpha_initializer', 'alpha_regularizer', 'alpha_constraint', 'shared_axes'] },
  ReLU: { keys: ['max_value'], only: { negative_slope: 0, threshold: 0 } },
  Softmax: { keys: ['axis'] },
  SimpleRNN: recurrent(),
  LSTM: recurrent([...gated, 'unit_forget_bias']),
  GRU: recurrent([...gated, 'reset_after'], { only: BEFORE_RESET }),
  RNN: { keys: [...WALK, 'cell'], only: { zero_output_for_mask: false } },
  SimpleRNNCell: cell(),
  LSTMCell: cell([...gated, 'unit_forget_bias']),
  GRUCell: cell([...gated, 'reset_after'], { only: BEFORE_RESET }),
  StackedRNNCells: { keys: ['cells'] },
  Bidirectional: { keys: ['merge_mode', 'layer'] },
  TimeDistributed: { keys: ['layer'] },
};

/** What every layer may have, and what changes nothing. */
export const COMMON: readonly string[] = ['name', 'trainable', 'activity_regularizer'];
export const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'seed',
  'use_cudnn',
  'implementation',
  'quantization_config',
  'renorm_momentum',
  'optional',
  'lora_rank',
  'lora_alpha',
]);

/** A ReLU that another class of TensorFlow.js is: with a threshold alone, or with a slope. */
export function relu(config: JsonObject): { readonly className: string; readonly config: JsonObject } {
  const { negative_slope: slope = 0, threshold = 0, max_value: max = null, ...rest } = config;
  const zero = (value: Json): boolean => value === 0 || value === null;
  if (max === null && zero(slope) && !zero(threshold))
    return { className: 'ThresholdedReLU', config: { ...rest, theta: threshold } };
  if (max === null && zero(threshold) && !zero(slope))
    return { className: 'LeakyReLU', config: { ...rest, alpha: slope } };
  return {
    className: 'ReLU',
    config: { ...rest, max_value: max, negative_slope: slope ?? 0, threshold: threshold ?? 0 },
  };
}

/** Activations of TensorFlow.js, by Keras 3's names. */
const ACTIVATIONS: ReadonlyMap<string, string> = new Map([
  ...['elu', 'gelu', 'linear', 'log_softmax', 'mish', 'relu', 'relu6', 'selu', 'sigmoid', 'softmax'].map(
    (name) => [name, name] as const,
  ),
  ...['softplus', 'softsign', 'tanh'].map((name) => [name, name] as const),
  ['silu', 'swish'],
  ['swish', 'swish'],
  // Slopes of 1/5 there; Keras 3's hard_sigmoid has 1/6.
  ['keras2_hard_sigmoid', 'hard_sigmoid'],
]);

/** Initializers that TensorFlow.js has, with their options. */
const INITIALIZERS: Readonly<Record<string, readonly [className: string, keys: readonly string[]]>> = {
  Zeros: ['Zeros', []],
  Ones: ['Ones', []],
  Constant: ['Constant', ['value']],
  RandomUniform: ['RandomUniform', ['minval', 'maxval']],
  RandomNormal: ['RandomNormal', ['mean', 'stddev']],
  TruncatedNormal: ['TruncatedNormal', ['mean', 'stddev']],
  Identity: ['Identity', ['gain']],
  Orthogonal: ['Orthogonal', ['gain']],
  VarianceScaling: ['VarianceScaling', ['scale', 'mode', 'distribution']],
  GlorotUniform: ['GlorotUniform', []],
  GlorotNormal: ['GlorotNormal', []],
  HeUniform: ['HeUniform', []],
  HeNormal: ['HeNormal', []],
  LecunUniform: ['LeCunUniform', []],
  LecunNormal: ['LeCunNormal', []],
};
const CONSTRAINTS: Readonly<Record<string, readonly string[]>> = {
  MaxNorm: ['max_value', 'axis'],
  MinMaxNorm: ['min_value', 'max_value', 'rate', 'axis'],
  NonNeg: [],
  UnitNorm: ['axis'],
};

const picked = (config: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.filter((key) => config[key] !== undefined).map((key) => [key, config[key]!]));
const object = (className: string, config: JsonObject): JsonObject => ({ class_name: className, config });

/** An option of a layer as TensorFlow.js takes it: names of activations, descriptions of initializers, regularizers and constraints. */
export function optionOf(key: string, value: Json, fail: Fail): Json {
  if (/activation$/.test(key)) {
    const name = value === null ? 'linear' : ACTIVATIONS.get(String(value));
    return name ?? fail(`${key} among ${[...ACTIVATIONS.keys()].join(', ')}`, value);
  }
  if (value === null || !/(initializer|regularizer|constraint)$/.test(key)) return value;
  if (!isObject(value) || typeof value['class_name'] !== 'string')
    return fail(`${key} as { class_name, config }`, value);
  const { class_name: className, config: given } = value;
  const config = isObject(given) ? given : {};
  if (key.endsWith('initializer')) {
    const known = Object.hasOwn(INITIALIZERS, className) ? INITIALIZERS[className]! : null;
    if (!known) return fail(`${key} among ${Object.keys(INITIALIZERS).join(', ')}`, className);
    const own = picked(config, known[1]);
    if (own['distribution'] === undefined) return object(known[0], own);
    // TensorFlow.js: normal ones are truncated.
    const distribution = own['distribution'] === 'uniform' ? 'uniform' : 'normal';
    return object(known[0], { ...own, distribution });
  }
  if (key.endsWith('regularizer')) {
    const { l1 = 0, l2 = 0 } = config;
    // Of one alone, the other is 0; both have 0.01 where nothing is said.
    if (className === 'L1') return object('L1L2', { l1: config['l1'] ?? 0.01, l2: 0 });
    if (className === 'L2') return object('L1L2', { l1: 0, l2: config['l2'] ?? 0.01 });
    return className === 'L1L2' ? object('L1L2', { l1, l2 }) : fail(`${key} L1, L2 or L1L2`, className);
  }
  const known = Object.hasOwn(CONSTRAINTS, className) ? CONSTRAINTS[className]! : null;
  return known
    ? object(className, picked(config, known))
    : fail(`${key} among ${Object.keys(CONSTRAINTS).join(', ')}`, className);
}
