import { ShapeError, Tensor, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';

/** Values in lists of lists, all of one length at each level. */
export type Nested<T> = T | readonly Nested<T>[];

/** The values of nested lists (or of a tensor), row-major, and their shape. Throws `ShapeError` for ragged lists. */
export function flatten<T>(name: string, values: Nested<T>): { readonly flat: T[]; readonly shape: number[] } {
  const shape: number[] = [];
  for (let v: Nested<T> = values; Array.isArray(v); v = (v as readonly Nested<T>[])[0]!) {
    shape.push(v.length);
    if (v.length === 0) break;
  }
  const flat: T[] = [];
  const walk = (v: Nested<T>, level: number): void => {
    if (level === shape.length && !Array.isArray(v)) flat.push(v as T);
    else if (!Array.isArray(v) || v.length !== shape[level])
      throw new ShapeError(
        `${name}: expected lists of one length at each level, ${JSON.stringify(shape)}, received ${JSON.stringify(v)}`,
      );
    else for (const item of v as readonly Nested<T>[]) walk(item, level + 1);
  };
  walk(values, 0);
  return { flat, shape };
}

/** Flat values as nested lists of a shape. */
export function nest<T>(flat: readonly T[], shape: readonly number[]): Nested<T> {
  if (shape.length === 0) return flat[0]!;
  const [first, ...rest] = shape as readonly [number, ...number[]];
  const size = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length: first }, (_, i) => nest(flat.slice(i * size, (i + 1) * size), rest));
}

/** Numbers, in nested lists or a tensor. */
export type Numbers = Tensor | Nested<number>;

/** Numbers and their shape. */
export function flattenNumbers(
  name: string,
  values: Numbers,
): { readonly flat: ArrayLike<number>; readonly shape: readonly number[] } {
  if (values instanceof Tensor) return { flat: values.data, shape: values.shape };
  // Values of typed arrays are numbers; a list may hold anything.
  if (ArrayBuffer.isView(values)) return flatten(name, Array.from(values as unknown as ArrayLike<number>));
  const nested = flatten(name, values as Nested<number>);
  nested.flat.forEach((value, i) => {
    if (typeof value !== 'number')
      throw new ValueError(`${name}: expected numbers, received ${describeValue(value)} at index ${i}`);
  });
  return nested;
}
