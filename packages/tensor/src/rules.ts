import type { DType } from './dtype.js';
import { ValueError } from './errors.js';
import { describeValue } from './names.js';
import { checkOptions, type OptionTable } from './options.js';

/** What an option may be: in words, and as a test. `undefined` is left to the default where the option has one. */
export interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly required?: true;
}

/** A rule for each option of `T`, and for no other. */
export type Rules<T> = OptionTable<T> & { readonly [K in keyof T]-?: Rule };

const finite = (v: unknown): v is number => typeof v === 'number' && Number.isFinite(v);
const number = (expected: string, inRange: (v: number) => boolean): Rule => ({
  expected,
  accepts: (v) => finite(v) && inRange(v),
});

/** NaN and the infinities, too. */
export const isNumber: Rule = { expected: 'a number', accepts: (v) => typeof v === 'number' };
export const anyNumber: Rule = number('a finite number', () => true);
export const notNegative: Rule = number('a finite number >= 0', (v) => v >= 0);
export const positive: Rule = number('a finite number > 0', (v) => v > 0);
export const atLeastOne: Rule = number('a finite number >= 1', (v) => v >= 1);
export const notPositive: Rule = number('a finite number <= 0', (v) => v <= 0);
/** A share of which nothing may be left out. */
export const share: Rule = number('a number from 0 to 1', (v) => v >= 0 && v <= 1);
/** The decay of a mean, which 1 would stop. */
export const decay: Rule = number('a number >= 0 and < 1', (v) => v >= 0 && v < 1);
export const openDecay: Rule = number('a number > 0 and < 1', (v) => v > 0 && v < 1);
/** Integers are those that a number holds exactly: beside larger ones others would be taken. */
export const integer: Rule = number('an integer', Number.isSafeInteger);
export const count: Rule = number('an integer >= 1', (v) => Number.isSafeInteger(v) && v >= 1);
export const countOrZero: Rule = number('an integer >= 0', (v) => Number.isSafeInteger(v) && v >= 0);
export const flag: Rule = { expected: 'true or false', accepts: (v) => typeof v === 'boolean' };
export const callable: Rule = { expected: 'a function', accepts: (v) => typeof v === 'function' };
const DTYPES: ReadonlySet<unknown> = new Set<DType>(['float32', 'float64', 'int32', 'bool']);
export const dtype: Rule = { expected: "'float32', 'float64', 'int32' or 'bool'", accepts: (v) => DTYPES.has(v) };
/** What has a rule of its own where it is used. */
export const anything: Rule = { expected: 'a value', accepts: () => true };
export const oneOf = (...values: readonly unknown[]): Rule => ({
  expected: `one of ${values.map((v) => (typeof v === 'string' ? `'${v}'` : String(v))).join(', ')}`,
  accepts: (v) => values.includes(v),
});
export const instanceOf = (type: abstract new (...args: never[]) => unknown, expected: string): Rule => ({
  expected,
  accepts: (v) => v instanceof type,
});
export const text: Rule = { expected: 'a text', accepts: (v) => typeof v === 'string' };
/** A name or a label. */
export const filledText: Rule = {
  expected: 'a text that is not empty',
  accepts: (v) => typeof v === 'string' && v !== '',
};
export const listOf = (one: Rule, expected: string): Rule => ({
  expected,
  accepts: (v) => Array.isArray(v) && v.every(one.accepts),
});
export const either = (a: Rule, b: Rule): Rule => ({
  expected: `${a.expected}, or ${b.expected}`,
  accepts: (v) => a.accepts(v) || b.accepts(v),
});
/** Axes of an input, from the front or (negative) from the end. */
export const axes: Rule = either(integer, listOf(integer, 'a list of integers'));
export const numbers: Rule = {
  expected: 'an array of finite numbers',
  accepts: (v) => Array.isArray(v) && v.every(finite),
};
export const growing: Rule = {
  expected: 'an array of finite numbers, each larger than the one before',
  accepts: (v) => Array.isArray(v) && v.every((x, i) => finite(x) && (i === 0 || x > v[i - 1])),
};
export const patterns: Rule = {
  expected: 'an array of texts or regular expressions',
  accepts: (v) => Array.isArray(v) && v.every((p) => typeof p === 'string' || p instanceof RegExp),
};
export const orNull = ({ expected, accepts }: Rule): Rule => ({
  expected: `${expected}, or null`,
  accepts: (v) => v === null || accepts(v),
});
export const required = (rule: Rule): Rule => ({ ...rule, required: true });

/** Throws `ValueError` unless a value is what its rule says. */
export function checkValue(label: string, name: string, value: unknown, rule: Rule): void {
  if (!rule.accepts(value))
    throw new ValueError(`${label}: expected ${name} to be ${rule.expected}, received ${describeValue(value)}`);
}

/** {@link checkValue} for each element of an array of integers, any by default. */
export function checkIntegers(label: string, name: string, values: readonly number[], rule: Rule = integer): void {
  if (!Array.isArray(values))
    throw new ValueError(`${label}: expected ${name} to be an array of integers, received ${describeValue(values)}`);
  for (const value of values) checkValue(label, name, value, rule);
}

/** Throws `ValueError` for options that are unknown, out of range, of another type, or missing though required. */
export function checkRules<T extends object>(label: string, options: T | undefined, rules: Rules<T>): void {
  checkOptions<T>(label, options, rules);
  const given = options as Record<string, unknown> | undefined;
  for (const name in rules) {
    const rule: Rule = rules[name];
    const value = given?.[name];
    if (value !== undefined || rule.required) checkValue(label, name, value, rule);
  }
}

/** Options with other defaults than those of the parent class; an option that is `undefined` takes the default too. */
export function withDefaults<T extends object>(
  label: string,
  options: T | undefined,
  defaults: Partial<T>,
  rules: Rules<T>,
): T {
  checkRules(label, options, rules);
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as T;
}
