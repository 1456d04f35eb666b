import { ValueError } from '../errors.js';
import { describeValue } from '../names.js';

/** `value`, if it is an integer of at least `low` (any by default). Throws `ValueError`, where `what` says what it is. */
export function expectInteger(
  value: number,
  what: string,
  operation: string,
  low: number = Number.MIN_SAFE_INTEGER,
): number {
  if (!Number.isSafeInteger(value) || value < low)
    throw new ValueError(
      `${operation}: expected ${what} to be an integer${low === Number.MIN_SAFE_INTEGER ? '' : ` >= ${low}`}, received ${describeValue(value)}`,
    );
  return value;
}

/** {@link expectInteger} for each element of an array. */
export function expectIntegers(values: readonly number[], what: string, operation: string, low?: number): void {
  if (!Array.isArray(values))
    throw new ValueError(
      `${operation}: expected ${what} to be an array of integers, received ${describeValue(values)}`,
    );
  for (const value of values) expectInteger(value, what, operation, low);
}
