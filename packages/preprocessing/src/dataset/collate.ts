import { ShapeError, stack, Tensor, type TypedArray, tensor, ValueError } from '@recurra/tensor';
import { padSequences, type Sequence } from '../text/pad-sequences.js';

/** What becomes one tensor in a batch. */
export type Leaf = number | boolean | TypedArray | Tensor | readonly number[] | readonly (readonly number[])[];

/** What a batch of elements of type T is: leaves become tensors, strings lists, tuples and objects stay and hold batches. */
export type Batched<T> = T extends string
  ? string[]
  : T extends Leaf
    ? Tensor
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Batched<T[K]> }
      : T extends object
        ? { [K in keyof T]: Batched<T[K]> }
        : T[];

/** What a sample of a batch is: the inverse of {@link Batched}, as far as types tell. */
export type Unbatched<T> = T extends Tensor
  ? Tensor
  : T extends readonly unknown[]
    ? number extends T['length']
      ? T[number]
      : { -readonly [K in keyof T]: Unbatched<T[K]> }
    : T extends object
      ? { [K in keyof T]: Unbatched<T[K]> }
      : never;

const isTyped = (v: unknown): v is TypedArray => ArrayBuffer.isView(v) && !(v instanceof DataView);
const isVector = (v: unknown): v is readonly number[] =>
  Array.isArray(v) && v.length > 0 && v.every((x) => typeof x === 'number');

/** Puts the components of a list of elements together by `leaf`: tuples and objects by component. */
function combine(elements: readonly unknown[], leaf: (values: readonly unknown[]) => unknown, depth = 0): unknown {
  const first = elements[0];
  if (typeof first === 'string') return elements;
  if (first === null || first === undefined || typeof first !== 'object') return leaf(elements);
  if (first instanceof Tensor || isTyped(first)) return leaf(elements);
  if (Array.isArray(first)) {
    // A list of numbers is a vector, and so is every list within a component; other lists at the top are tuples.
    if (depth > 0 || elements.every((e) => isVector(e) || (Array.isArray(e) && e.length === 0))) return leaf(elements);
    return first.map((_, k) =>
      combine(
        elements.map((e) => {
          if (!Array.isArray(e) || e.length !== first.length)
            throw new ShapeError(
              `batch: expected elements of ${first.length} components, received ${JSON.stringify(e)?.slice(0, 80)}`,
            );
          return e[k];
        }),
        leaf,
        depth + 1,
      ),
    );
  }
  return Object.fromEntries(
    Object.keys(first).map((key) => [
      key,
      combine(
        elements.map((e) => (e as Record<string, unknown>)[key]),
        leaf,
        depth + 1,
      ),
    ]),
  );
}

function leafTensor(values: readonly unknown[]): unknown {
  const [first] = values;
  if (first instanceof Tensor) return stack(values as readonly Tensor[]);
  if (isTyped(first)) {
    for (const v of values)
      if (!isTyped(v) || v.length !== first.length)
        throw new ShapeError(
          `batch: expected elements of ${first.length} values, received ${(v as TypedArray)?.length}. For elements of different lengths, use paddedBatch.`,
        );
    return stack((values as readonly TypedArray[]).map((v) => tensor(v)));
  }
  if (typeof first === 'number' || typeof first === 'boolean' || Array.isArray(first)) {
    try {
      return tensor(values as number[]);
    } catch (error) {
      throw new ShapeError(
        `batch: expected elements of one shape: ${(error as Error).message}. For elements of different lengths, use paddedBatch.`,
      );
    }
  }
  return values;
}

/** A batch of elements: see `Dataset.batch`. Throws `ShapeError` for elements of different shapes. */
export function collate<T>(elements: readonly T[]): Batched<T> {
  if (elements.length === 0) throw new ValueError('batch: expected at least one element, received none');
  return combine(elements, leafTensor) as Batched<T>;
}

/** How sequences are padded in a batch. */
export interface PaddingOptions {
  /** Longest sequence that stays whole; `null` (default): no limit. */
  readonly maxLength?: number | null;
  /** Pad to `maxLength` even where all sequences of a batch are shorter; false. */
  readonly padToMaxLength?: boolean;
  /** 'post' (default) or 'pre'. */
  readonly padding?: 'pre' | 'post';
  /** Where longer sequences lose elements; 'post'. */
  readonly truncating?: 'pre' | 'post';
  /** What fills; 0. */
  readonly value?: number;
}

/** A batch of elements whose sequences are padded to the longest of the batch: see `Dataset.paddedBatch`. */
export function collatePadded<T>(elements: readonly T[], options: PaddingOptions = {}): Batched<T> {
  if (elements.length === 0) throw new ValueError('paddedBatch: expected at least one element, received none');
  const { maxLength = null, padToMaxLength = false, padding = 'post', truncating = 'post', value = 0 } = options;
  return combine(elements, (values) => {
    const [first] = values;
    const isSequence = Array.isArray(first) || isTyped(first) || (first instanceof Tensor && first.rank > 0);
    if (!isSequence) return leafTensor(values);
    const sequences = values.map((v) =>
      v instanceof Tensor ? v.toArray() : isTyped(v) ? Array.from(v as ArrayLike<number>) : v,
    ) as Sequence[];
    let longest = 0;
    let whole = true;
    for (const s of sequences) {
      longest = Math.max(longest, s.length);
      if (whole) for (const x of s) if (typeof x === 'number' && !Number.isInteger(x)) whole = false;
    }
    const length = maxLength === null ? longest : padToMaxLength ? maxLength : Math.min(longest, maxLength);
    const integers =
      first instanceof Tensor
        ? first.dtype === 'int32'
        : isTyped(first)
          ? first instanceof Int32Array
          : whole && !isMatrix(sequences);
    return padSequences(sequences, {
      maxLength: length,
      padding,
      truncating,
      value,
      dtype: integers ? 'int32' : 'float32',
    });
  }) as Batched<T>;
}

/** Sequences of vectors are features, float32, whether their values are whole or not. */
function isMatrix(sequences: readonly Sequence[]): boolean {
  return sequences.some((s) => Array.isArray(s[0]));
}

/** The samples of a batch; see `Dataset.unbatch`. Throws `ShapeError` for components of different lengths. */
export function samplesOf(batch: unknown): readonly unknown[] {
  if (batch instanceof Tensor) return Array.from({ length: batch.shape[0] ?? 0 }, (_, i) => batch.at(i));
  if (Array.isArray(batch)) {
    // A tuple of batches has a tensor among its components; all else is a list of elements.
    if (!batch.some((v) => v instanceof Tensor)) return batch;
    return zipped(batch.map((part) => samplesOf(part)));
  }
  if (
    typeof batch === 'object' &&
    batch !== null &&
    Object.values(batch).every((part) => typeof part === 'object' && part !== null)
  ) {
    const keys = Object.keys(batch);
    return zipped(Object.values(batch).map((part) => samplesOf(part))).map((parts) =>
      Object.fromEntries(parts.map((part, k) => [keys[k]!, part])),
    );
  }
  throw new ShapeError(`unbatch: expected batches of tensors or lists, received ${typeof batch}`);
}

function zipped(parts: readonly (readonly unknown[])[]): unknown[][] {
  const count = parts[0]?.length ?? 0;
  for (const part of parts)
    if (part.length !== count)
      throw new ShapeError(`unbatch: expected components of ${count} samples, received ${part.length}`);
  return Array.from({ length: count }, (_, i) => parts.map((part) => part[i]));
}
