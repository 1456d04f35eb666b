import { FormatError } from '@recurra/tensor';
import { snakeCase } from '@recurra/tensor/extend';
import { isObject } from '../keras/keras2-objects.js';
import type { Json, JsonObject } from '../model-file.js';

/** How a model is compiled, as TensorFlow.js writes it. What it has not is refused: save the model without compiling. */

/** Losses and metrics by the names that TensorFlow.js knows. */
const LOSSES: ReadonlyMap<string, string> = new Map([
  ...[
    ...['mean_squared_error', 'mean_absolute_error', 'mean_absolute_percentage_error'],
    ...['mean_squared_logarithmic_error', 'squared_hinge', 'hinge', 'categorical_hinge', 'categorical_crossentropy'],
    ...['sparse_categorical_crossentropy', 'binary_crossentropy', 'poisson'],
  ].map((name) => [name, name] as const),
  ['mse', 'mean_squared_error'],
  ['mae', 'mean_absolute_error'],
  ['mape', 'mean_absolute_percentage_error'],
  ['msle', 'mean_squared_logarithmic_error'],
  ['bce', 'binary_crossentropy'],
  ['log_cosh', 'logcosh'],
  ['logcosh', 'logcosh'],
  ['kl_divergence', 'kullback_leibler_divergence'],
  ['kld', 'kullback_leibler_divergence'],
]);
const METRICS: ReadonlyMap<string, string> = new Map([
  ...['accuracy', 'acc', 'crossentropy', 'ce', 'binary_accuracy', 'categorical_accuracy', 'precision'].map(
    (name) => [name, name] as const,
  ),
  ...['categorical_crossentropy', 'sparse_categorical_crossentropy'].map((name) => [name, name] as const),
  ...['mse', 'mae', 'mape'].map((name) => [name, name] as const),
  ['mean_squared_error', 'mse'],
  ['mean_absolute_error', 'mae'],
  ['mean_absolute_percentage_error', 'mape'],
]);

/** Optimizers: the class, and its options by those of Keras 3. */
const OPTIMIZERS: Readonly<Record<string, readonly [className: string, keys: Readonly<Record<string, string>>]>> = {
  SGD: ['SGD', {}],
  Adam: ['Adam', { beta_1: 'beta_1', beta_2: 'beta_2', epsilon: 'epsilon' }],
  Adamax: ['Adamax', { beta_1: 'beta_1', beta_2: 'beta_2', epsilon: 'epsilon' }],
  Adadelta: ['Adadelta', { rho: 'rho', epsilon: 'epsilon' }],
  Adagrad: ['Adagrad', { initial_accumulator_value: 'initial_accumulator_value' }],
  RMSprop: ['RMSProp', { rho: 'decay', momentum: 'momentum', epsilon: 'epsilon', centered: 'centered' }],
};
/** Options that change nothing, where they are these. */
const NEUTRAL: JsonObject = { amsgrad: false, use_ema: false, nesterov: false, momentum: 0 };
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'name',
  'ema_momentum',
  'ema_overwrite_frequency',
  'loss_scale_factor',
  'gradient_accumulation_steps',
]);

/** How TensorFlow.js is told that a model is compiled. Throws `FormatError` for what it does not have. */
export function trainingConfigOf(compile: JsonObject, label: string): JsonObject {
  const fail = (expected: string, received: Json | undefined): never => {
    throw new FormatError(
      `${label}: expected ${expected}, received ${JSON.stringify(received)?.slice(0, 80)}. TensorFlow.js cannot compile this model: save it with { compile: false }.`,
    );
  };
  const named =
    (known: ReadonlyMap<string, string>, what: string) =>
    (value: Json): Json => {
      const description = isObject(value) && typeof value['class_name'] === 'string' ? value : null;
      const name = description ? nameOf(description, fail) : value;
      return (
        (typeof name === 'string' ? known.get(name) : undefined) ??
        fail(`${what} among ${[...known.keys()].join(', ')}`, value)
      );
    };
  const tree = (value: Json, leaf: (value: Json) => Json): Json => {
    if (value === null) return null;
    if (Array.isArray(value)) return (value as readonly Json[]).map((child) => tree(child, leaf));
    if (isObject(value) && typeof value['class_name'] !== 'string')
      return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, tree(child, leaf)]));
    return leaf(value);
  };
  for (const key of ['loss_weights', 'weighted_metrics'])
    if (compile[key] !== undefined && compile[key] !== null) fail(`no ${key}`, compile[key]);
  const metrics = tree(compile['metrics'] ?? null, named(METRICS, 'metrics'));
  if (Array.isArray(metrics) && metrics.some(Array.isArray))
    fail('metrics that are the same for all outputs', compile['metrics']);
  const loss = tree(compile['loss'] ?? null, named(LOSSES, 'a loss')) ?? fail('a loss', null);
  return { loss, metrics: metrics ?? [], optimizer_config: optimizerOf(compile['optimizer'] ?? null, fail) };
}

/** The name of a loss or metric that is described: such as has no options of its own. */
function nameOf(
  { class_name: className, config }: JsonObject,
  fail: (expected: string, received: Json) => never,
): string {
  if (className === 'function' && typeof config === 'string') return config;
  const { name: _name, dtype: _dtype, reduction = null, ...rest } = isObject(config) ? config : {};
  const usual: JsonObject = { from_logits: false, label_smoothing: 0, axis: -1, ignore_class: null, fn: null };
  for (const [key, value] of Object.entries(rest))
    if (value !== null && value !== usual[key]) fail(`${String(className)} without ${key}`, value);
  if (reduction !== null && reduction !== 'sum_over_batch_size') fail('the mean over the batch', reduction);
  const name = snakeCase(String(className));
  return name === 'kldivergence' || name === 'k_l_divergence' ? 'kl_divergence' : name;
}

function optimizerOf(given: Json, fail: (expected: string, received: Json) => never): JsonObject {
  if (!isObject(given) || typeof given['class_name'] !== 'string' || !isObject(given['config']))
    return fail('an optimizer as { class_name, config }', given);
  const { class_name: className, config } = given;
  const known = Object.hasOwn(OPTIMIZERS, className) ? OPTIMIZERS[className]! : null;
  if (!known) return fail(`an optimizer among ${Object.keys(OPTIMIZERS).join(', ')}`, className);
  const rate = config['learning_rate'] ?? 0.001;
  if (typeof rate !== 'number') return fail('a learning rate that is a number', rate);
  const own: Record<string, Json> = { learning_rate: rate };
  const momentum = className === 'SGD' && typeof config['momentum'] === 'number' && config['momentum'] > 0;
  for (const [key, value] of Object.entries(config)) {
    if (key === 'learning_rate' || WITHOUT_EFFECT.has(key) || value === null) continue;
    const to = known[1][key];
    if (to !== undefined) own[to] = value;
    else if (momentum && key === 'momentum') own['momentum'] = value;
    else if (momentum && key === 'nesterov') own['use_nesterov'] = value;
    // TensorFlow.js has one of its own in the others.
    else if (key === 'epsilon') continue;
    else if (value !== NEUTRAL[key]) fail(`${className} without ${key}`, value);
  }
  return { class_name: momentum ? 'Momentum' : known[0], config: own };
}
