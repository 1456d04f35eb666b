import { type DType, ShapeError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { checkOptions, checkValue, describeValue, type OptionTable, rules } from '@recurra/tensor/extend';
import { listOf } from '../internal/texts.js';

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
  checkOptions('padSequences', options, {
    maxLength: true,
    padding: true,
    truncating: true,
    value: true,
    dtype: true,
  } satisfies OptionTable<PadSequencesOptions & { dtype?: unknown }>);
  const { padding = 'pre', truncating = 'pre', dtype = 'int32' } = options;
  if (options.value !== undefined)
    checkValue('padSequences', 'value', options.value, dtype === 'string' ? rules.text : rules.isNumber);
  const value = options.value ?? (dtype === 'string' ? '' : 0);
  for (const [name, side] of [
    ['padding', padding],
    ['truncating', truncating],
  ] as const)
    if (side !== 'pre' && side !== 'post')
      throw new ValueError(`padSequences: expected ${name} 'pre' or 'post', received '${String(side)}'`);
  let longest = 0;
  let index = 0;
  for (const sequence of listOf<Sequence | readonly string[]>('padSequences', 'sequences', sequences)) {
    if (!Array.isArray(sequence) && !ArrayBuffer.isView(sequence))
      throw new ValueError(
        `padSequences: expected lists of numbers, received ${sequence === null ? 'null' : typeof sequence} at index ${index}. One sequence needs another list around it.`,
      );
    longest = Math.max(longest, sequence.length);
    index++;
  }
  const length = options.maxLength ?? longest;
  if (!Number.isInteger(length) || length < 0)
    throw new ValueError(`padSequences: expected maxLength to be an integer >= 0, received ${length}`);
  /** Which elements of a sequence stay, and where they go. */
  const place = (size: number): { from: number; to: number; count: number } => {
    const count = Math.min(size, length);
    return { from: truncating === 'pre' ? size - count : 0, to: padding === 'pre' ? length - count : 0, count };
  };
  if (dtype === 'string')
    return (sequences as readonly (readonly string[])[]).map((sequence) => {
      const { from, to, count } = place(sequence.length);
      const row = new Array<string>(length).fill(value as string);
      for (let k = 0; k < count; k++) row[to + k] = sequence[from + k]!;
      return row;
    });

  const first = sequences.find((sequence) => sequence.length > 0)?.[0];
  const width = Array.isArray(first) ? first.length : null;
  const step = width ?? 1;
  const size = sequences.length * length * step;
  const data =
    dtype === 'int32' ? new Int32Array(size) : dtype === 'float64' ? new Float64Array(size) : new Float32Array(size);
  const fits = (v: unknown): v is number => typeof v === 'number' && (dtype !== 'int32' || Math.abs(v) < 2 ** 31);
  const expected = dtype === 'int32' ? '32-bit integers' : 'numbers';
  if (!fits(value))
    throw new ValueError(
      `padSequences: expected value to be among the ${expected}, received ${value}. Give a floating dtype.`,
    );
  if (value !== 0) data.fill(value);
  const write = (at: number, v: unknown, i: number): void => {
    if (!fits(v))
      throw new ValueError(`padSequences: expected ${expected}, received ${describeValue(v)} in sequence ${i}`);
    data[at] = v; // an Int32Array cuts fractions off, as Keras does
  };
  sequences.forEach((sequence, i) => {
    const { from, to, count } = place(sequence.length);
    for (let k = 0; k < count; k++) {
      const element: unknown = sequence[from + k];
      const at = (i * length + to + k) * step;
      if ((Array.isArray(element) ? element.length : null) !== width)
        throw new ShapeError(
          `padSequences: expected elements of one shape, received ${JSON.stringify(element)} in sequence ${i} beside ${JSON.stringify(first)}`,
        );
      if (width === null) write(at, element, i);
      else for (let c = 0; c < width; c++) write(at + c, (element as readonly unknown[])[c], i);
    }
  });
  return tensor(data, {
    shape: width === null ? [sequences.length, length] : [sequences.length, length, width],
    dtype,
  });
}
