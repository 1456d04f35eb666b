import { RecurraError } from '@recurra/tensor';

/** What people pass by mistake. Each is made anew: a promise that nobody awaits must not be left over. */
const WRONG: Readonly<Record<Wrong, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  'the text "2"': () => '2',
  'the text "zzz"': () => 'zzz',
  'an empty object': () => ({}),
  'an empty array': () => [],
  'ragged rows': () => [[1], [1, 2]],
  'a promise': () => Promise.resolve(1),
  '-1': () => -1,
  '1.5': () => 1.5,
  true: () => true,
  'a function': () => () => 1,
  'a Map': () => new Map(),
  'a big integer': () => 1n,
  // What JavaScript takes for a number.
  'the text "0.5"': () => '0.5',
  'a half in a list': () => [0.5],
  Infinity: () => Number.POSITIVE_INFINITY,
};

/** The name of a mistake. */
export type Wrong =
  | 'undefined'
  | 'null'
  | 'NaN'
  | 'the text "2"'
  | 'the text "zzz"'
  | 'an empty object'
  | 'an empty array'
  | 'ragged rows'
  | 'a promise'
  | '-1'
  | '1.5'
  | 'true'
  | 'a function'
  | 'a Map'
  | 'a big integer'
  | 'the text "0.5"'
  | 'a half in a list'
  | 'Infinity';

const ALL = Object.keys(WRONG) as Wrong[];

/**
 * One argument of an example call: a right value, and which of the mistakes are none for it. All others must be refused. `may` lists what may
 * either be taken or refused, as other arguments decide. Fields are the options of an object, each with a right value and mistakes of its own.
 */
export interface Argument {
  readonly value: () => unknown;
  readonly takes: readonly Wrong[];
  readonly fields?: Readonly<Record<string, Argument>>;
}

function argument(value: unknown, ...takes: Wrong[]): Argument {
  return { value: typeof value === 'function' ? (value as () => unknown) : () => value, takes };
}

/** Anything like a tensor. Numbers and booleans are scalars, arrays are read. */
export const x = (value: unknown): Argument =>
  argument(value, 'NaN', '-1', '1.5', 'true', 'an empty array', 'a half in a list', 'Infinity');
/** A tensor, and nothing else. */
export const tensorOnly = (value: unknown): Argument => argument(value);
export const integer = (value: number, ...takes: Wrong[]): Argument => argument(value, ...takes);
/** An integer below 0 as well: an axis, a shift. */
export const signed = (value: number, ...takes: Wrong[]): Argument => argument(value, '-1', ...takes);
/** Any number that is finite. */
export const number = (value: number, ...takes: Wrong[]): Argument => argument(value, '-1', '1.5', ...takes);
/** A number >= 0. */
export const positive = (value: number, ...takes: Wrong[]): Argument => argument(value, '1.5', ...takes);
export const axes = (value: unknown, ...takes: Wrong[]): Argument =>
  argument(value, 'undefined', 'null', '-1', 'an empty array', ...takes);
/** A list that may be empty. */
export const list = (value: unknown, ...takes: Wrong[]): Argument => argument(value, 'an empty array', ...takes);
export const flag = (value: boolean, ...takes: Wrong[]): Argument => argument(value, 'true', ...takes);
export const text = (value: string, ...takes: Wrong[]): Argument =>
  argument(value, 'the text "2"', 'the text "0.5"', 'the text "zzz"', ...takes);
export const name = (value: unknown, ...takes: Wrong[]): Argument => argument(value, ...takes);
export const f = (value: unknown, ...takes: Wrong[]): Argument => argument(() => value, 'a function', ...takes);
export const made = (value: () => unknown, ...takes: Wrong[]): Argument => argument(value, ...takes);
/** What takes everything: predicates, leaves of trees. */
export const anything = (value: unknown): Argument => argument(() => value, ...ALL);

/** An argument that may be left out. */
export const optional = (a: Argument, ...more: Wrong[]): Argument => ({
  ...a,
  takes: ['undefined', ...more, ...a.takes],
});

/** An object of options; `required` ones first have no default. */
export function options(fields: Readonly<Record<string, Argument>>, needed: readonly string[] = []): Argument {
  const all = Object.fromEntries(
    Object.entries(fields).map(([key, a]) => [key, needed.includes(key) ? a : optional(a)]),
  );
  return {
    value: () => Object.fromEntries(Object.entries(all).map(([key, a]) => [key, a.value()])),
    takes: needed.length > 0 ? [] : ['undefined', 'an empty object'],
    fields: all,
  };
}

/** A call that is right, from which each argument goes wrong in turn. */
export interface Example {
  readonly call: (...args: never[]) => unknown;
  readonly args: readonly Argument[];
}

/** The names of options that a call knows, from its refusal of one that there is not. */
export function knownOptions(refused: () => unknown, label: string): readonly string[] {
  try {
    refused();
  } catch (error) {
    const [, names] = /unknown option "zzz"\. Known options: (.+)\.$/.exec((error as Error).message) ?? [];
    if (names !== undefined) return names.split(', ');
    throw new Error(`${label}: expected the known options in the refusal of one that there is not`, { cause: error });
  }
  throw new Error(`${label}: expected an unknown option to be refused, taken in silence`);
}

/** A message that a user can act on: what was expected, and what came. */
const HELPFUL = /expected|unknown option|there is no/;

async function outcome(
  call: (...args: never[]) => unknown,
  args: unknown[],
): Promise<{ error?: unknown; value?: unknown }> {
  for (const arg of args) if (arg instanceof Promise) arg.catch(() => {});
  try {
    return { value: await call(...(args as never[])) };
  } catch (error) {
    return { error };
  }
}

function fault(label: string, { error, value }: { error?: unknown; value?: unknown }, taken: boolean): string | null {
  if (error === undefined)
    return taken ? null : `${label}: taken in silence, gave ${String(value).replace(/\s+/g, ' ').slice(0, 60)}`;
  if (!(error instanceof RecurraError)) return `${label}: raw ${String(error).slice(0, 160)}`;
  if (!HELPFUL.test(error.message)) return `${label}: unhelpful ${error.message.slice(0, 160)}`;
  return null;
}

/** Calls an example as it is, then with each mistake in each place. Returns what was wrong: nothing, if all is well. */
export async function faults(label: string, { call, args }: Example): Promise<string[]> {
  const right = (): unknown[] => args.map((a) => a.value());
  const found: (string | null)[] = [];
  const plain = await outcome(call, right());
  if (plain.error !== undefined) return [`${label}: the example itself fails: ${String(plain.error)}`];
  for (const [i, a] of args.entries()) {
    const attempt = async (place: string, value: unknown, taken: boolean): Promise<void> => {
      const given = right();
      given[i] = value;
      found.push(fault(`${label}(${place})`, await outcome(call, given), taken));
    };
    for (const wrong of ALL) await attempt(`${i}: ${wrong}`, WRONG[wrong](), a.takes.includes(wrong));
    if (!a.fields) continue;
    await attempt(`${i}: an unknown option`, { ...(a.value() as object), zzz: 1 }, false);
    for (const [key, field] of Object.entries(a.fields))
      for (const wrong of ALL)
        await attempt(
          `${i}: { ${key}: ${wrong} }`,
          { ...(a.value() as object), [key]: WRONG[wrong]() },
          field.takes.includes(wrong),
        );
  }
  return found.filter((line) => line !== null);
}
