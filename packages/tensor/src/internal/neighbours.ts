import type { FloatDType } from '../dtype.js';

/** Neighbours among the numbers that a floating dtype holds. */
const double = new DataView(new ArrayBuffer(8));

/** The number of the dtype that follows `x` (one of the dtype, finite) upwards, or downwards for `direction` -1. */
export function nextAfter(x: number, direction: 1 | -1, dtype: FloatDType): number {
  if (x === 0) return direction * (dtype === 'float32' ? 2 ** -149 : Number.MIN_VALUE);
  // The bits of positive numbers are ordered as the numbers are, those of negative ones the other way round.
  const step = x > 0 === direction > 0 ? 1 : -1;
  if (dtype === 'float32') {
    double.setFloat32(0, x);
    double.setInt32(0, double.getInt32(0) + step);
    return double.getFloat32(0);
  }
  double.setFloat64(0, x);
  double.setBigInt64(0, double.getBigInt64(0) + BigInt(step));
  return double.getFloat64(0);
}

/** The number of the dtype nearest to `x`. */
export function rounded(x: number, dtype: FloatDType): number {
  return dtype === 'float32' ? Math.fround(x) : x;
}

/** The smallest number of the dtype that is not below `x`. */
export function roundedUp(x: number, dtype: FloatDType): number {
  const near = rounded(x, dtype);
  return near < x ? nextAfter(near, 1, dtype) : near;
}

/** The largest number of the dtype that is not above `x`. */
export function roundedDown(x: number, dtype: FloatDType): number {
  const near = rounded(x, dtype);
  return near > x ? nextAfter(near, -1, dtype) : near;
}
