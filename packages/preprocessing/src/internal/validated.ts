import { FormatError } from '@recurra/tensor';
import * as v from 'valibot';

/**
 * JSON of a file: parsed where it is text, and held against a schema. The value itself is given back, since copies by schemas leave out keys such as
 * "constructor", which are words like others. Throws `FormatError` with `label`, where in the JSON something else was expected, and what was received.
 */
export function validated<T>(label: string, schema: v.GenericSchema<unknown, T>, json: unknown): T {
  let value = json;
  if (typeof json === 'string')
    try {
      value = JSON.parse(json);
    } catch (error) {
      throw new FormatError(`${label}, received text that does not parse (${(error as Error).message})`);
    }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return value as T;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new FormatError(`${label}, received other JSON: ${path === null ? '' : `${path}: `}${issue.message}`);
}

/** An integer from 0 up to what lists can have as an index. */
export const index: v.GenericSchema<number> = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 26 - 1));

/** An object whose values are integers >= 0, with any keys. */
export const counts: v.GenericSchema<Record<string, number>> = v.custom<Record<string, number>>(
  (input) =>
    typeof input === 'object' &&
    input !== null &&
    !Array.isArray(input) &&
    Object.values(input).every((n) => Number.isInteger(n) && (n as number) >= 0 && (n as number) < 2 ** 26),
  'Invalid values: Expected an object of integers in 0..67108863',
);
