/** What callbacks' options may be: the same words in all of them. */
import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';

/** Throws `ValueError` unless `value` is a finite number, of at least `least`. */
export function expectNumber(
  label: string,
  name: string,
  value: unknown,
  least: number = Number.NEGATIVE_INFINITY,
): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < least)
    throw new ValueError(
      `${label}: expected ${name} to be a finite number${Number.isFinite(least) ? ` >= ${least}` : ''}, received ${describeValue(value)}`,
    );
  return value;
}

/** Throws `ValueError` unless `value` is a whole number of at least `least`. */
export function expectWhole(label: string, name: string, value: unknown, least = 0): number {
  if (!Number.isInteger(value) || (value as number) < least)
    throw new ValueError(`${label}: expected ${name} to be an integer >= ${least}, received ${describeValue(value)}`);
  return value as number;
}

/** Throws `ValueError` unless `value` is true or false (0 or 1 for `verbose`). */
export function expectFlag(label: string, name: string, value: unknown): void {
  const allowed: readonly unknown[] = name === 'verbose' ? [0, 1] : [true, false];
  if (!allowed.includes(value))
    throw new ValueError(`${label}: expected ${name} to be ${allowed.join(' or ')}, received ${describeValue(value)}`);
}

/** Throws `ValueError` unless `value` is 'epoch' or a number of batches. */
export function expectFrequency(label: string, name: string, value: unknown): number | 'epoch' {
  if (value !== 'epoch' && (!Number.isInteger(value) || (value as number) < 1))
    throw new ValueError(
      `${label}: expected ${name} to be 'epoch' or a number of batches >= 1, received ${describeValue(value)}`,
    );
  return value as number | 'epoch';
}
