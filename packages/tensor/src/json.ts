import type { DType } from './dtype.js';
import { FormatError } from './errors.js';
import type { TensorJSON } from './internal/json.js';
import { dtype as dtypeRule } from './rules.js';
import { checkShape, formatShape, sizeOf } from './shape.js';
import { type Tensor, tensor } from './tensor.js';

const NUMBERS: ReadonlyMap<unknown, number> = new Map(
  ['NaN', 'Infinity', '-Infinity', '-0'].map((text) => [text, Number(text)]),
);

/**
 * The tensor that `JSON.stringify` wrote, bit for bit. Takes what `JSON.parse` gives; throws `FormatError` for anything that is not the
 * `{ dtype, shape, data }` of a tensor.
 */
export function tensorFromJSON(value: unknown): Tensor {
  const { dtype, shape, data } = (typeof value === 'object' && value !== null ? value : {}) as Partial<TensorJSON>;
  if (!dtypeRule.accepts(dtype) || !Array.isArray(shape) || !Array.isArray(data))
    throw new FormatError('tensorFromJSON: expected { dtype, shape, data } as JSON.stringify writes a tensor');
  checkShape(shape, 'tensorFromJSON');
  if (data.length !== sizeOf(shape))
    throw new FormatError(
      `tensorFromJSON: expected ${sizeOf(shape)} elements for shape ${formatShape(shape)}, received ${data.length}`,
    );
  const type = dtype === 'bool' ? 'boolean' : 'number';
  const elements = data.map((v: unknown) => {
    const element = type === 'number' ? (NUMBERS.get(v) ?? v) : v;
    if (typeof element !== type)
      throw new FormatError(
        `tensorFromJSON: expected elements of type ${type} for dtype ${dtype}, received ${JSON.stringify(v)}`,
      );
    return element as number | boolean;
  });
  return tensor(elements, { dtype: dtype as DType, shape });
}
