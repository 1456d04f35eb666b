import { allocate, type DType } from '../dtype.js';
import { ValueError } from '../errors.js';
import { ndarray } from '../ndarray.js';
import { anyNumber, checkRules, checkValue, dtype as dtypeRule, flag, integer } from '../rules.js';
import { checkShape, type Shape, sizeOf } from '../shape.js';
import { asTensor, elementOf, scalar, Tensor, type TensorLike } from '../tensor.js';

/** A tensor full of one value (a broadcast view of it). */
export function full(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  checkShape(shape, 'full');
  return scalar(value, dtype).broadcastTo(shape);
}

/** Zeros. */
export function zeros(shape: Shape, dtype: DType = 'float32'): Tensor {
  return full(shape, 0, dtype);
}

/** Ones. */
export function ones(shape: Shape, dtype: DType = 'float32'): Tensor {
  return full(shape, 1, dtype);
}

/** Zeros of the shape and dtype of `x`. */
export function zerosLike(x: TensorLike): Tensor {
  return asTensor(x).zerosLike();
}

/** Ones of the shape and dtype of `x`. */
export function onesLike(x: TensorLike): Tensor {
  return asTensor(x).onesLike();
}

/**
 * start, start + step, ... before stop; `arange(n)` counts from 0. int32 where all three are integers (and its numbers have 32 bits), else float32.
 * Throws `ValueError` for a step of 0, `DTypeError` for numbers that the dtype asked for cannot hold.
 */
export function arange(start: number, stop?: number, step = 1, dtype?: DType): Tensor {
  if (dtype !== undefined) checkValue('arange', 'dtype', dtype, dtypeRule);
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0 || ![from, to, step].every(Number.isFinite))
    throw new ValueError(`arange: expected finite bounds and a step other than 0, received ${from}, ${to}, ${step}`);
  const n = Math.max(0, Math.ceil((to - from) / step));
  const last = from + Math.max(0, n - 1) * step;
  const whole = [from, to, step].every(Number.isInteger) && from === (from | 0) && last === (last | 0);
  const type = dtype ?? (whole ? 'int32' : 'float32');
  const data = allocate(type, n);
  for (let i = 0; i < n; i++) data[i] = elementOf(from + i * step, type, 'arange');
  return new Tensor([n], type, ndarray(type, [n], data));
}

const LINSPACE = { endpoint: flag };

/** `count` evenly spaced numbers from `start` to `stop` (included unless `endpoint: false`). float32. */
export function linspace(start: number, stop: number, count = 50, options: { endpoint?: boolean } = {}): Tensor {
  checkRules('linspace', options, LINSPACE);
  checkValue('linspace', 'start', start, anyNumber);
  checkValue('linspace', 'stop', stop, anyNumber);
  if (!Number.isInteger(count) || count < 0) throw new ValueError(`linspace: expected a count >= 0, received ${count}`);
  const steps = options.endpoint === false ? count : count - 1;
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = steps === 0 ? start : start + ((stop - start) * i) / steps;
  return new Tensor([count], 'float32', ndarray('float32', [count], data));
}

/** Ones on the k-th diagonal of a rows x columns matrix, zeros elsewhere. */
export function eye(rows: number, columns: number = rows, k = 0, dtype: DType = 'float32'): Tensor {
  checkShape([rows, columns], 'eye');
  checkValue('eye', 'the diagonal', k, integer);
  const data = allocate(dtype, sizeOf([rows, columns]));
  for (let i = 0; i < rows; i++) if (i + k >= 0 && i + k < columns) data[i * columns + i + k] = 1;
  return new Tensor([rows, columns], dtype, ndarray(dtype, [rows, columns], data));
}
