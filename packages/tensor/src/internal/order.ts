/**
 * The one rule of what orders and compares (NumPy's, and that of JAX and PyTorch): NaN is greater than every number and equal to itself, 0 and -0
 * are equal. So NaN comes last in ascending order, first in descending order and among the k largest, counts once in `unique`, and is
 * inserted at the end. Extremes do not skip it: the largest and the smallest of what holds a NaN is NaN, the index of either that of the
 * first NaN, and a median NaN.
 */
export function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

/** Does `a` take the place of `b` as the largest so far? A NaN does, and is not replaced. */
export function isLarger(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}

/** Does `a` take the place of `b` as the smallest so far? A NaN does, and is not replaced. */
export function isSmaller(a: number, b: number): boolean {
  return a < b || (Number.isNaN(a) && !Number.isNaN(b));
}
