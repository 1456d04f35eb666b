import { isRecord } from '@recurra/tensor/extend';
import type { Json, JsonObject } from '../model-file.js';

/** An object of JSON, as a value that may be anything else. */
export const isObject = (value: unknown): value is JsonObject => isRecord(value);

/** An object as Keras 3 writes one down. */
export const kerasObject = (module: string, className: string, config: JsonObject): JsonObject => ({
  module,
  class_name: className,
  config,
  registered_name: null,
});

/** An object without some of its keys. */
export const without = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** Activations that go by other names in Keras 2 and in TensorFlow.js: theirs, and Keras 3's. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  // Slopes of 1/5 there, 1/6 in Keras 3.
  hard_sigmoid: 'keras2_hard_sigmoid',
  swish: 'silu',
  softmax_v2: 'softmax',
};

/** Initializers: the names of Keras 2 and of TensorFlow.js, and Keras 3's. */
const INITIALIZERS: Readonly<Record<string, string>> = {
  LeCunNormal: 'LecunNormal',
  LeCunUniform: 'LecunUniform',
  OrthogonalInitializer: 'Orthogonal',
  IdentityInitializer: 'Identity',
};

/** Arrays of one number, tuples and shapes as Keras 2 writes them: the number, lists. */
export function unwrapped(value: Json): Json {
  if (Array.isArray(value)) return value.map(unwrapped);
  if (!isObject(value)) return value;
  const { type, value: inner, class_name: className, items } = value;
  if (type === 'ndarray' && inner !== undefined && !isObject(inner)) return inner;
  if ((className === '__tuple__' || className === 'TensorShape') && Array.isArray(items)) return items.map(unwrapped);
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, unwrapped(child)]));
}

/** The name of an activation in Keras 3, of its name (or description) before. */
function activation(given: Json): Json {
  if (isObject(given) && typeof given['class_name'] === 'string') {
    const { class_name: className, config } = given;
    // A function by its name.
    if (className === 'function' && typeof config === 'string') return activation(config);
    if (className === className.toLowerCase() && isObject(config) && Object.keys(config).length === 0)
      return activation(className);
    return given;
  }
  return typeof given === 'string' && Object.hasOwn(ACTIVATIONS, given) ? ACTIVATIONS[given]! : given;
}

/** A description of an initializer, a regularizer or a constraint, as Keras 3 has it; names stay. */
function described(module: string, given: Json, names: Readonly<Record<string, string>>): Json {
  if (!isObject(given) || typeof given['class_name'] !== 'string') return given;
  const { class_name: className, config = {} } = given;
  if (className.includes('>')) return { ...given, module: null, registered_name: className };
  // What they compute in once stood with them.
  const own = isObject(config) ? without(config, ['dtype']) : {};
  if (className === 'VarianceScaling' && own['distribution'] === 'normal')
    return kerasObject(module, className, { ...own, distribution: 'truncated_normal' });
  return kerasObject(module, Object.hasOwn(names, className) ? names[className]! : className, own);
}

/** The value of an option of a layer that is an object or goes by a name, as Keras 3 has it; others stay. */
export function optionFromKeras2(key: string, value: Json): Json {
  if (/initializer$/.test(key)) return described('keras.initializers', value, INITIALIZERS);
  if (/regularizer$/.test(key)) return described('keras.regularizers', value, {});
  if (/constraint$/.test(key)) return described('keras.constraints', value, {});
  if (/activation$/.test(key)) return activation(value);
  return value;
}
