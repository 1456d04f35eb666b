import { ValueError } from '@recurra/tensor';
import {
  checkRules,
  checkSerialized,
  customObject,
  describeValue,
  isRecord,
  isSerialized,
  lookupByName,
  type Rules,
} from '@recurra/tensor/extend';
import * as classes from './classes.js';
import { LossScaleOptimizer } from './loss-scale.js';
import type { Optimizer, OptimizerOptions } from './optimizer.js';
import type { SerializedOptimizer } from './serialize.js';

/** Names of optimizers, in lower case. */
export type OptimizerName = Lowercase<keyof typeof classes>;

/** An optimizer by name (any case, Keras' spelling too), one, or one as data. */
export type OptimizerIdentifier = OptimizerName | Optimizer | SerializedOptimizer;

/** What reads optimizers from data: a class of them. */
export interface OptimizerClass {
  fromConfig(config: Readonly<Record<string, unknown>>): Optimizer;
}

/** Options of {@link deserializeOptimizer}. */
export interface DeserializeOptimizerOptions {
  /** Classes of your own by name. */
  readonly customObjects?: Readonly<Record<string, OptimizerClass>>;
}

const LABEL = 'deserializeOptimizer';
const CUSTOM_RULES: Rules<DeserializeOptimizerOptions> = {
  customObjects: {
    expected: 'an object of classes of optimizers',
    accepts: (v) =>
      isRecord(v) &&
      Object.values(v).every((Class) => typeof (Class as Partial<OptimizerClass> | null)?.fromConfig === 'function'),
  },
};

/** The classes by lower-case name: all that `classes.ts` exports, in the order of the alphabet. */
export const optimizers: Readonly<Record<OptimizerName, new (options?: OptimizerOptions) => Optimizer>> =
  Object.fromEntries(
    Object.entries({ ...classes })
      .map(([name, Class]) => [name.toLowerCase(), Class] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ) as never;

/**
 * The optimizer that {@link serializeOptimizer} wrote, or Keras, with the keys in camelCase; without its state. Classes of your own go by their
 * names in `customObjects`. Throws `ValueError` for an unknown class and for options that are unknown or do not fit.
 */
export function deserializeOptimizer(data: SerializedOptimizer, options: DeserializeOptimizerOptions = {}): Optimizer {
  checkRules<DeserializeOptimizerOptions>(LABEL, options, CUSTOM_RULES);
  checkSerialized(LABEL, 'an optimizer', data);
  const { innerOptimizer, ...rest } = data.config;
  const inner = isSerialized(innerOptimizer) ? deserializeOptimizer(innerOptimizer, options) : innerOptimizer;
  const known: Readonly<Record<string, unknown>> = { ...classes, LossScaleOptimizer, ...options.customObjects };
  const registered = customObject(data.className, data.registeredName);
  const Class = (
    registered && 'fromConfig' in registered ? registered : lookupByName(known, data.className, `${LABEL}: class`)
  ) as OptimizerClass;
  return Class.fromConfig(innerOptimizer === undefined ? rest : { ...rest, innerOptimizer: inner });
}

/**
 * The optimizer that an identifier names, with its default options, or that data describe. Throws `ValueError` with the known names, and for
 * what is no optimizer, such as the class itself.
 */
export function resolveOptimizer(identifier: OptimizerIdentifier): Optimizer {
  const given: unknown = identifier;
  if (typeof given === 'string') return new (lookupByName(optimizers, given, 'optimizer', 'or an Optimizer'))();
  if (typeof given === 'function')
    throw new ValueError(
      `optimizer: expected a name or an Optimizer, received ${describeValue(given)}. Create one: new ${given.name || 'Adam'}()`,
    );
  if (isSerialized(given)) return deserializeOptimizer(given);
  if (typeof (given as Optimizer | null)?.init !== 'function' || typeof (given as Optimizer).update !== 'function')
    throw new ValueError(
      `optimizer: expected one of ${Object.keys(optimizers).join(', ')} or an Optimizer, received ${describeValue(given)}`,
    );
  return identifier as Optimizer;
}
