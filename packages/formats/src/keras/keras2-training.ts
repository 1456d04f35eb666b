import { FormatError } from '@recurra/tensor';
import { snakeCase } from '@recurra/tensor/extend';
import type { Json, JsonObject } from '../model-file.js';
import { isObject, kerasObject, without } from './keras2-objects.js';

/** How Keras 2 and TensorFlow.js say that a model is compiled (`training_config`), as Keras 3's `compile_config`. */

/** Optimizers by the names of Keras 2 and TensorFlow.js, where Keras 3 calls them otherwise. */
const OPTIMIZERS: Readonly<Record<string, string>> = { RMSProp: 'RMSprop', Momentum: 'SGD' };
/** Their options. */
const OPTIONS: Readonly<Record<string, string>> = {
  lr: 'learning_rate',
  beta1: 'beta_1',
  beta2: 'beta_2',
  use_nesterov: 'nesterov',
};
/** Options that change nothing, or that are read apart. */
const FORMER_OPTIONS = ['jit_compile', 'is_legacy_optimizer', 'decay'];

/** Losses by the names of Keras 2 and TensorFlow.js, where Keras 3 calls them otherwise. */
const LOSSES: Readonly<Record<string, string>> = {
  cosine: 'cosine_similarity',
  cosine_proximity: 'cosine_similarity',
  kullback_leibler_divergence: 'kl_divergence',
  logcosh: 'log_cosh',
  ce: 'crossentropy',
  CE: 'crossentropy',
};
const WRAPPERS: ReadonlySet<string> = new Set([
  'LossFunctionWrapper',
  'MeanMetricWrapper',
  'SumOverBatchSizeMetricWrapper',
]);

/** A name of a function or class as Keras 3 spells it. */
const named = (name: string): string => {
  // `mse` and `MSE` stay, `meanSquaredError` is spelt out.
  const own = /[a-z][A-Z]/.test(name) && !/^[A-Z]/.test(name) ? snakeCase(name) : name;
  return Object.hasOwn(LOSSES, own) ? LOSSES[own]! : own;
};

/** A loss or metric, or those of several outputs. */
function tree(value: Json, module: string, outputs: readonly string[]): Json {
  if (typeof value === 'string') return named(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map((child) => tree(child, module, outputs));
  if (!isObject(value)) return value;
  const { class_name: className, config = {} } = value;
  if (typeof className !== 'string')
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, tree(child, module, outputs)]));
  if (!isObject(config)) return typeof config === 'string' ? named(config) : value;
  if (WRAPPERS.has(className) && typeof config['fn'] === 'string') return named(config['fn']);
  if (className.includes('>')) return { ...value, module: null, registered_name: className };
  const { reduction, name, ...own } = without(config, ['fn']);
  const kept: Record<string, Json> = { ...own };
  if (reduction !== undefined) kept['reduction'] = reduction === 'auto' ? 'sum_over_batch_size' : reduction;
  // Keras puts the names of outputs before those of metrics, when there are several.
  const prefix = outputs.find((output) => typeof name === 'string' && name.startsWith(`${output}_`));
  if (typeof name === 'string') kept['name'] = prefix === undefined ? name : name.slice(prefix.length + 1);
  return kerasObject(module, className, kept);
}

/** Metrics of a single output are a list of one list. */
const flat = (value: Json): Json =>
  Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? (value[0] as Json) : value;

/** A number, or a schedule of them. */
function learningRate(rate: Json, decay: Json): Json {
  if (isObject(rate) && typeof rate['class_name'] === 'string')
    return kerasObject('keras.optimizers.schedules', rate['class_name'], (rate['config'] ?? {}) as JsonObject);
  // Keras 2: rate / (1 + decay * iterations).
  if (typeof decay === 'number' && decay !== 0)
    return kerasObject('keras.optimizers.schedules', 'InverseTimeDecay', {
      initial_learning_rate: rate,
      decay_steps: 1,
      decay_rate: decay,
      staircase: false,
    });
  return rate;
}

function optimizer(given: Json, label: string): Json {
  if (typeof given === 'string') return given.toLowerCase();
  if (!isObject(given) || typeof given['class_name'] !== 'string')
    throw new FormatError(`${label}: expected an optimizer as { class_name, config }, received another form`);
  const { config = {} } = given;
  // Keras registered its own optimizers as `Custom>Adam` for a while.
  const className = given['class_name'].replace(/^Custom>/, '');
  if (className.includes('>')) return { ...given, module: null, registered_name: className };
  if (!isObject(config)) throw new FormatError(`${label}: expected the options of ${className}, received another form`);
  const renamed = Object.entries(config).map(([key, value]): readonly [string, Json] => {
    const own = snakeCase(key);
    // TensorFlow.js calls the rate of RMSProp's average a decay.
    if (className === 'RMSProp' && own === 'decay') return ['rho', value];
    return [Object.hasOwn(OPTIONS, own) ? OPTIONS[own]! : own, value];
  });
  const options = Object.fromEntries(renamed.filter(([key, value]) => key !== 'epsilon' || value !== null));
  const { learning_rate: rate = 0.001, decay = 0 } = options;
  const own = { ...without(options, FORMER_OPTIONS), learning_rate: learningRate(rate, decay) };
  const keras = Object.hasOwn(OPTIMIZERS, className) ? OPTIMIZERS[className]! : className;
  return kerasObject('keras.optimizers', keras, own);
}

/**
 * Keras 3's `compile_config` of a `training_config`; `null` for one without an optimizer. Throws `FormatError` for other forms.
 * @param outputs the names of the model's outputs, which metrics have before their own
 */
export function compileFromKeras2(
  config: JsonObject,
  label: string,
  outputs: readonly string[] = [],
): JsonObject | null {
  const {
    optimizer_config: former = null,
    optimizer: given = former,
    loss = null,
    loss_weights: weights = null,
  } = config;
  if (given === null) return null;
  return {
    optimizer: optimizer(given, label),
    loss: tree(loss, 'keras.losses', []),
    loss_weights: weights,
    metrics: flat(tree(config['metrics'] ?? null, 'keras.metrics', outputs)),
    weighted_metrics: flat(tree(config['weighted_metrics'] ?? null, 'keras.metrics', outputs)),
  };
}

/** The names of the outputs of a model as Keras 3 describes it. */
export function outputNames({ config }: JsonObject): readonly string[] {
  const ends = isObject(config) ? config['output_layers'] : null;
  const names: string[] = [];
  const visit = (value: Json): void => {
    if (Array.isArray(value) && typeof value[0] === 'string') names.push(value[0]);
    else if (Array.isArray(value)) for (const child of value) visit(child as Json);
    else if (isObject(value)) for (const child of Object.values(value)) visit(child);
  };
  visit(ends ?? null);
  return names;
}
