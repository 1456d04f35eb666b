import { ShapeError } from '../errors.js';
import type { Aval } from '../primitive.js';
import { formatShape } from '../shape.js';

/**
 * Throws `ShapeError` for an operand of another shape; `null` stands for any size. Kernels go by the shapes of the step: what does not fit would be read
 * beside the operand.
 */
export function expectOperand(name: string, what: string, { shape }: Aval, expected: readonly (number | null)[]): void {
  if (shape.length === expected.length && expected.every((size, i) => size === null || size === shape[i])) return;
  throw new ShapeError(
    `${name}: expected ${what} of shape [${expected.map((size) => size ?? 'any').join(', ')}], received ${formatShape(shape)}`,
  );
}
