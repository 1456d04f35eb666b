import { ValueError } from './errors.js';
import { describeValue, didYouMean } from './names.js';

/**
 * A table with every option of `T` as a key, and no other: `{ units: true, ... } satisfies OptionTable<DenseOptions>` does
 * not compile when an option is missing. The values are free (`true`, or a rule for the option).
 */
export type OptionTable<T> = { readonly [K in keyof T]-?: unknown };

/**
 * Refuses what is not an object of options of these names: TypeScript does so in the editor, this at run time, for those who
 * write JavaScript. `undefined` is no options at all. Throws `ValueError`:
 * `LSTM: unknown option "return_sequences". Did you mean "returnSequences"?`
 *
 * ```ts
 * const OPTIONS = { ...LAYER_OPTIONS, units: true } satisfies OptionTable<DenseOptions>;
 * checkOptions('Dense', options, OPTIONS);
 * ```
 */
export function checkOptions<T extends object>(label: string, options: T | undefined, names: OptionTable<T>): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ValueError(`${label}: expected an object of options, received ${describeValue(options)}`);
  let given = 0;
  let unknown: string | undefined;
  // Inherited keys are read like own ones, hence checked like them.
  for (const key in options) {
    given++;
    if (!Object.hasOwn(names, key)) unknown ??= key;
  }
  if (unknown === undefined && given > 0) return;
  const what = describeValue(options);
  // A tensor, a layer or a Map is a mistaken argument, not an object with misspelt options.
  if (what !== 'an object') throw new ValueError(`${label}: expected an object of options, received ${what}`);
  if (unknown === undefined) return;
  const known = Object.keys(names);
  const hint = didYouMean(unknown, known) || ` Known options: ${known.join(', ')}.`;
  throw new ValueError(`${label}: unknown option "${unknown}".${hint}`);
}
