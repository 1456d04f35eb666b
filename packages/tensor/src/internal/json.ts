import type { DType } from '../dtype.js';
import { denseData, type NDArray } from '../ndarray.js';
import type { Shape } from '../shape.js';

/** An element in JSON: what JSON has no number for is written as a string. */
export type JSONElement = number | boolean | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A tensor as `JSON.stringify` writes it; the elements are row-major. */
export interface TensorJSON {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: readonly JSONElement[];
}

/** @internal The elements of an array for JSON. */
export function elementsToJSON(array: NDArray): JSONElement[] {
  return Array.from(denseData(array) as ArrayLike<number>, (v) => {
    if (array.dtype === 'bool') return v !== 0;
    return Number.isFinite(v) && !Object.is(v, -0) ? v : ((Object.is(v, -0) ? '-0' : String(v)) as JSONElement);
  });
}
