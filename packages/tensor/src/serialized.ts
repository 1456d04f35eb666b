import { ValueError } from './errors.js';
import { describeValue, isRecord } from './names.js';
import { checkOptions, type OptionTable } from './options.js';

/** An object as data, as Keras writes it down (keys in camelCase): the name of its class, and its configuration. */
export interface Serialized {
  /** Where Keras finds the class; absent for one's own. */
  readonly module?: string | null;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly registeredName?: string | null;
}

const KEYS = { module: true, className: true, config: true, registeredName: true } satisfies OptionTable<Serialized>;

/** Has it a class and a configuration? */
export function isSerialized(value: unknown): value is Serialized {
  return isRecord(value) && typeof value['className'] === 'string' && isRecord(value['config']);
}

/** Throws `ValueError` unless it has a class, a configuration, and nothing that is not read. */
export function checkSerialized(label: string, what: string, value: unknown): asserts value is Serialized {
  if (!isSerialized(value))
    throw new ValueError(`${label}: expected ${what} as data, { className, config }, received ${describeValue(value)}`);
  checkOptions<Serialized>(label, value, KEYS);
}
