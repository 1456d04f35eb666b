import { classNameToName } from './class-name.js';

/** Keras' short names, which losses and metrics share. */
export const SHORT_NAMES = {
  bce: 'binaryCrossentropy',
  kld: 'klDivergence',
  mae: 'meanAbsoluteError',
  mape: 'meanAbsolutePercentageError',
  mse: 'meanSquaredError',
  msle: 'meanSquaredLogarithmicError',
} as const;

/**
 * The classes among a module's exports that extend `base`, by name, and by the short names for those. In the order of the alphabet: that of a module's
 * exports is not the same everywhere.
 */
export function classesByName<C extends abstract new (...args: never[]) => unknown>(
  module: Readonly<Record<string, unknown>>,
  base: abstract new (...args: never[]) => unknown,
  short: Readonly<Record<string, string>>,
  nameOf: (className: string) => string = classNameToName,
): Record<string, C> {
  const named = Object.entries(module).flatMap(([key, value]): [string, C][] =>
    typeof value === 'function' && value.prototype instanceof base ? [[nameOf(key), value as unknown as C]] : [],
  );
  const table = Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const [alias, name] of Object.entries(short)) table[alias] = table[name]!;
  return table;
}
