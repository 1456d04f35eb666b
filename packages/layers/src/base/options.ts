import type { Constraint, Initializer, Regularizer } from '@recurra/cells';
import {
  describeConstraint,
  describeInitializer,
  describeRegularizer,
  resolveConstraint,
  resolveInitializer,
  resolveRegularizer,
} from '@recurra/cells/extend';
import { resolveActivation, ValueError } from '@recurra/tensor';
import {
  checkOptions,
  checkValue,
  describeActivation,
  describeValue,
  isSerialized,
  type Rule,
  type Rules,
  rules,
} from '@recurra/tensor/extend';

/** Options of every layer. */
export interface LayerOptions {
  /** By default the class name in snake_case, numbered. */
  readonly name?: string;
  /** Are its weights trained? true. */
  readonly trainable?: boolean;
  /** What it computes in, and keeps its weights in; 'float32'. */
  readonly dtype?: DTypePolicy | SerializedPolicy;
  /** A penalty on the output that training adds to the loss; none. */
  readonly activityRegularizer?: Parameters<typeof resolveRegularizer>[0];
}

/** Names of dtype policies. */
export type DTypePolicy = 'float32' | 'float64';

/** A policy as Keras writes it down. */
export interface SerializedPolicy {
  readonly className: string;
  readonly config: { readonly name: string };
}

/** The options that every layer has. */
export const LAYER_OPTIONS: Rules<LayerOptions> = {
  name: rules.filledText,
  trainable: rules.flag,
  dtype: {
    expected: "'float32' or 'float64'",
    accepts: (v) => ['float32', 'float64'].includes((isSerialized(v) ? v.config['name'] : v) as string),
  },
  // What resolves it says what it may be.
  activityRegularizer: rules.anything,
};

/** Sizes of a shape, `null` where one is open. */
export const SIZES: Rule = rules.listOf(
  rules.orNull(rules.countOrZero),
  'a list of integers >= 0 (null where a size is open)',
);

/** What options may be that mean the same in all layers which have them. */
const SHARED: Readonly<Record<string, Rule>> = {
  seed: rules.orNull(rules.countOrZero),
  noiseShape: rules.orNull(
    rules.listOf(rules.orNull(rules.count), 'a list of integers >= 1 (null: the size of the inputs)'),
  ),
};

/**
 * Throws `ValueError` unless the options that every layer has are what they should be. Names that a class does not know are refused where its own
 * are known: {@link settle}.
 */
export function checkLayerOptions(label: string, options: LayerOptions): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ValueError(`${label}: expected an object of options, received ${describeValue(options)}`);
  for (const [name, rule] of Object.entries(LAYER_OPTIONS)) {
    const value = options[name as keyof LayerOptions];
    if (value !== undefined) checkValue(label, name, value, rule);
  }
}

/** The options of a class beside those of every layer, each with its default, in the order of Keras' `get_config`. */
export type Defaults<O> = { readonly [K in Exclude<keyof O, keyof LayerOptions>]-?: O[K] };

/** Options with defaults in the place of those that were not given; initializers, regularizers and constraints as objects. */
export type Settled<O> = {
  readonly [K in Exclude<keyof O, keyof LayerOptions>]-?: K extends `${string}nitializer`
    ? Initializer
    : K extends `${string}Regularizer`
      ? Regularizer | null
      : K extends `${string}Constraint`
        ? Constraint | null
        : Exclude<O[K], undefined>;
};

/**
 * The options of a layer: unknown names are refused, defaults filled in, names resolved. One rule for all layers, by the ends of the options' names.
 * Throws `ValueError`.
 *
 * @param own what options may be that no other class has
 */
export function settle<O extends LayerOptions>(
  label: string,
  options: O,
  defaults: Defaults<O>,
  own: { readonly [K in keyof Defaults<O>]?: Rule } = {},
): Settled<O> {
  checkOptions(label, options, { ...LAYER_OPTIONS, ...defaults } as never);
  const result: Record<string, unknown> = {};
  for (const [key, fallback] of Object.entries(defaults)) {
    const given = (options as Record<string, unknown>)[key];
    const value = given === undefined ? fallback : given;
    // What has no default here belongs to a part of the layer, which checks it.
    if (value === undefined) continue;
    const rule = (own as Readonly<Record<string, Rule>>)[key] ?? SHARED[key];
    if (rule) checkValue(label, key, value, rule);
    if (/nitializer$/.test(key)) result[key] = resolveInitializer(value as never);
    else if (key.endsWith('Regularizer')) result[key] = resolveRegularizer(value as never);
    else if (key.endsWith('Constraint')) result[key] = resolveConstraint(value as never);
    else {
      if (/activation$/i.test(key)) resolveActivation(value as never);
      if (typeof fallback === 'boolean') checkValue(label, key, value, rules.flag);
      result[key] = value;
    }
  }
  return result as Settled<O>;
}

/** Settled options as plain values. Throws `ValueError` for a function: it cannot be written down. */
export function describeOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (/nitializer$/.test(key)) result[key] = describeInitializer(value as Initializer);
    else if (key.endsWith('Regularizer')) result[key] = describeRegularizer(value as Regularizer | null);
    else if (key.endsWith('Constraint')) result[key] = describeConstraint(value as Constraint | null);
    else if (/activation$/i.test(key)) result[key] = describeActivation(value, key);
    else if (typeof value === 'function')
      throw new ValueError(`getConfig: expected plain data for ${key}, received a function, which cannot be saved`);
    else result[key] = value;
  }
  return result;
}

/** Throws `ValueError` unless `value` is an integer of at least `least`. */
export function expectInteger(label: string, name: string, value: unknown, least = 1): number {
  if (!Number.isInteger(value) || (value as number) < least) {
    throw new ValueError(`${label}: expected ${name} to be an integer >= ${least}, received ${describeValue(value)}`);
  }
  return value as number;
}
