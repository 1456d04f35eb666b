/**
 * The one rule of indices. What names a position along an axis (gather, take, takeAlongAxis, scatter, scatterUpdate) counts from the
 * end where it is negative, as in NumPy; what names a thing (ids of words, classes, segments) is in 0..size-1. All else is refused, in
 * compiled steps too: numbers that are not whole, NaN, and what lies beyond the axis.
 */
export function indexMessage(operation: string, sizes: readonly number[], negative: boolean, value: number): string {
  const whole = Number.isInteger(value) || Number.isNaN(value) ? '' : '. Round or cast first';
  return `${operation}: expected ${expected(sizes, negative)}, received ${value}${whole}.`;
}

function expected(sizes: readonly number[], negative: boolean): string {
  const name = negative ? 'indices' : 'ids';
  const [size] = sizes as readonly [number];
  if (sizes.length > 1) return `${name} within shape [${sizes.join(', ')}]`;
  return size === 0
    ? `no ${name}, since there is nothing to choose from`
    : `${name} in ${negative ? -size : 0}..${size - 1}`;
}

/** The place that an index names, or -1 where it names none. */
export function placeOf(index: number, size: number, negative: boolean): number {
  const place = negative && index < 0 ? index + size : index;
  return Number.isInteger(place) && place >= 0 && place < size ? place : -1;
}
