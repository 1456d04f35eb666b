import { type Shape, ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { differ, formatPartial, type PartialShape } from '../../base/symbolic.js';

/** One axis, or several. */
export type AxisOption = number | readonly number[];

/** Throws `ValueError` unless `value` is an integer, or (where `several`) a list of integers that names one at least. */
export function expectAxis(label: string, value: unknown, several: boolean): void {
  const list = several && Array.isArray(value) ? (value as readonly unknown[]) : [value];
  if (list.length === 0 || !list.every((axis) => Number.isInteger(axis)))
    throw new ValueError(
      `${label}: expected axis to be an integer${several ? ' or a list of integers' : ''}, received ${Array.isArray(value) ? `[${list.join(', ')}]` : String(value)}`,
    );
}

/** Axes of a shape, counted from 0. Throws `ShapeError` for one that is not there, or stands twice. */
export function axesIn(label: string, axis: AxisOption, shape: PartialShape): readonly number[] {
  const given = typeof axis === 'number' ? [axis] : axis;
  const axes = given.map((a) => (a < 0 ? a + shape.length : a));
  if (axes.some((a) => a < 0 || a >= shape.length) || new Set(axes).size !== axes.length)
    throw new ShapeError(
      `${label}: expected an input with axis ${given.join(', ')} (each once), received ${formatPartial(shape)}`,
    );
  return axes;
}

/** The axes as a list, in order: what Keras' layers have once they are built. */
export function inOrder(axis: AxisOption): readonly number[] {
  return typeof axis === 'number' ? [axis] : [...axis].sort((a, b) => a - b);
}

/** A weight that was made for axes of a shape, so that it broadcasts over all others. */
export function spread(weight: Tensor, axes: readonly number[], shape: Shape): Tensor {
  return weight.reshape(shape.map((d, i) => (axes.includes(i) ? d : 1)));
}

/** The sizes of axes. Throws `ShapeError` where one is open. */
export function sizesOf(label: string, axes: readonly number[], shape: PartialShape): readonly number[] {
  return axes.map((a) => {
    const size = shape[a];
    if (size === null || size === undefined)
      throw new ShapeError(
        `${label}: expected a known size of axis ${a}, received ${formatPartial(shape)}. Give it to Input.`,
      );
    return size;
  });
}

/** Throws `ShapeError` unless the axes have the sizes that weights were made for. */
export function expectSizes(
  label: string,
  axis: AxisOption,
  shape: PartialShape,
  weights: readonly number[] | undefined,
): void {
  const axes = axesIn(label, axis, shape);
  if (weights && axes.some((a, i) => differ(shape[a], weights[i])))
    throw new ShapeError(
      `${label}: expected axis ${axes.join(', ')} of size ${weights.join(', ')}, received ${formatPartial(shape)}`,
    );
}

/** Throws `ValueError` unless `epsilon` is a number of at least 0. */
export function expectEpsilon(label: string, value: unknown): void {
  if (typeof value !== 'number' || !(value >= 0) || value === Infinity)
    throw new ValueError(`${label}: expected epsilon to be a number >= 0, received ${String(value)}`);
}
