import { type DType, ShapeError, type Tensor, tensor, ValueError } from '@recurra/tensor';

/** Options of {@link padSequences}. */
export interface PadSequencesOptions<V = number> {
  /** The common length; that of the longest sequence by default. */
  readonly maxLength?: number | null;
  /** Where padding goes; 'pre' (before), as in Keras. */
  readonly padding?: 'pre' | 'post';
  /** Where longer sequences lose elements; 'pre' (the start). */
  readonly truncating?: 'pre' | 'post';
  /** What fills; 0. */
  readonly value?: V;
}

/** A sequence of numbers, or of vectors of one length. */
export type Sequence = readonly number[] | readonly (readonly number[])[];

/**
 * Sequences in one tensor [count, maxLength] (or [count, maxLength, width] for sequences of vectors), shorter ones padded and
 * longer ones cut. int32 by default: fractions are cut off, as in Keras. `dtype: 'string'` gives nested arrays of strings.
 */
export function padSequences(
  sequences: readonly Sequence[],
  options?: PadSequencesOptions & { readonly dtype?: DType },
): Tensor;
export function padSequences(
  sequences: readonly (readonly string[])[],
  options: PadSequencesOptions<string> & { readonly dtype: 'string' },
): string[][];
export function padSequences(
  sequences: readonly (Sequence | readonly string[])[],
  options: PadSequencesOptions<number | string> & { readonly dtype?: DType | 'string' } = {},
): Tensor | string[][] {
  const { padding = 'pre', truncating = 'pre', dtype = 'int32' } = options;
  const value = options.value ?? (dtype === 'string' ? '' : 0);
  for (const [name, side] of [
    ['padding', padding],
    ['truncating', truncating],
  ] as const)
    if (side !== 'pre' && side !== 'post')
      throw new ValueError(`padSequences: expected ${name} 'pre' or 'post', received '${String(side)}'`);
  const length = options.maxLength ?? Math.max(0, ...sequences.map((s) => s.length));
  if (!Number.isInteger(length) || length < 0)
    throw new ValueError(`padSequences: expected maxLength to be an integer >= 0, received ${length}`);
  const first = sequences.find((s) => s.length > 0)?.[0];
  const width = Array.isArray(first) ? first.length : null;
  const fill = width === null ? value : new Array(width).fill(value);
  const rows = sequences.map((sequence, i) => {
    const cut =
      sequence.length <= length
        ? sequence
        : truncating === 'pre'
          ? sequence.slice(sequence.length - length)
          : sequence.slice(0, length);
    for (const element of cut)
      if ((Array.isArray(element) ? element.length : null) !== width)
        throw new ShapeError(
          `padSequences: expected elements of one shape, received ${JSON.stringify(element)} in sequence ${i} beside ${JSON.stringify(first)}`,
        );
    const rest = new Array(length - cut.length).fill(fill);
    return padding === 'pre' ? [...rest, ...cut] : [...cut, ...rest];
  });
  if (dtype === 'string') return rows as string[][];
  const flat = rows.flat(2) as number[];
  const shape = width === null ? [rows.length, length] : [rows.length, length, width];
  if (dtype === 'int32') {
    const whole = Int32Array.from(flat, (v, i) => {
      if (!(Math.abs(v) < 2 ** 31))
        throw new ValueError(`padSequences: expected 32-bit integers, received ${v} (element ${i})`);
      return Math.trunc(v);
    });
    return tensor(whole, { shape });
  }
  return tensor(dtype === 'float64' ? Float64Array.from(flat) : Float32Array.from(flat), { shape, dtype });
}
