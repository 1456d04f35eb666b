import { type DType, ShapeError, stack, Tensor, type TypedArray, tensor, ValueError } from '@recurra/tensor';
import { checkRules, checkValue, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { padSequences, type Sequence } from '../text/pad-sequences.js';

/** What becomes one tensor in a batch. */
export type Leaf = number | boolean | TypedArray | Tensor | readonly number[] | readonly (readonly number[])[];

/** What a batch of elements of type T is: leaves become tensors, strings lists, tuples and objects stay and hold batches. */
export type Batched<T> = T extends string
  ? string[]
  : T extends Leaf
    ? Tensor
    : T extends Date | null | undefined | bigint
      ? T[]
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

/** An object whose fields are components; a Date, a Map and the like are values. */
const isRecord = (v: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(v);
  return prototype === null || prototype === Object.prototype || Object.keys(v).length > 0;
};

/** What elements of one batch have in common: other kinds beside each other would be cast, or lost. */
function kindOf(v: unknown): string {
  if (v === null || v === undefined) return 'no value';
  if (typeof v !== 'object') return typeof v;
  if (v instanceof Tensor) return `${v.dtype} tensor`;
  if (Array.isArray(v)) return 'list';
  if (ArrayBuffer.isView(v)) return v.constructor.name;
  return isRecord(v) ? 'object' : (v.constructor?.name ?? 'object');
}

/** What elements of a batch are called in messages: with the way to the component. */
const placed = (path: readonly (string | number)[]): string =>
  path.length === 0 ? 'elements' : `components ${path.map((k) => `[${JSON.stringify(k)}]`).join('')}`;

/** Puts the components of a list of elements together by `leaf`: tuples and objects by component. */
function combine(
  name: string,
  elements: readonly unknown[],
  leaf: (values: readonly unknown[], where: string) => unknown,
  path: readonly (string | number)[] = [],
): unknown {
  const first = elements[0];
  const where = placed(path);
  const kind = kindOf(first);
  elements.forEach((e, i) => {
    const other = kindOf(e);
    if (other !== kind)
      throw new ShapeError(
        `${name}: expected ${where} of one kind, received ${kind} in the first element of the batch and ${other} in element ${i}. Make them alike (map), or leave such elements out (filter).`,
      );
  });
  if (typeof first === 'string') return elements;
  if (kind === 'list') {
    const lists = elements as readonly (readonly unknown[])[];
    // A list of numbers is a vector, and so is every list within a component; other lists at the top are tuples.
    if (path.length > 0 || lists.every((e) => isVector(e) || e.length === 0)) return leaf(elements, where);
    const { length } = lists[0]!;
    lists.forEach((e, i) => {
      if (e.length !== length)
        throw new ShapeError(
          `${name}: expected ${where} of ${length} components, as the first of the batch has, received ${e.length} in element ${i}`,
        );
    });
    return lists[0]!.map((_, k) =>
      combine(
        name,
        lists.map((e) => e[k]),
        leaf,
        [...path, k],
      ),
    );
  }
  if (kind !== 'object') return leaf(elements, where);
  const records = elements as readonly Readonly<Record<string, unknown>>[];
  const keys = Object.keys(records[0]!);
  records.forEach((e, i) => {
    const own = Object.keys(e);
    if (own.length === keys.length && keys.every((key) => Object.hasOwn(e, key))) return;
    const missing = keys.filter((key) => !Object.hasOwn(e, key));
    const more = own.filter((key) => !keys.includes(key));
    throw new ShapeError(
      `${name}: expected ${where} with the keys of the first of the batch, ${JSON.stringify(keys)}, received element ${i} ${[
        ...(missing.length > 0 ? [`without ${JSON.stringify(missing)}`] : []),
        ...(more.length > 0 ? [`with ${JSON.stringify(more)} too`] : []),
      ].join(' and ')}. Give all elements the same keys (map).`,
    );
  });
  return Object.fromEntries(
    keys.map((key) => [
      key,
      combine(
        name,
        records.map((e) => e[key]),
        leaf,
        [...path, key],
      ),
    ]),
  );
}

function leafTensor(values: readonly unknown[], where: string): unknown {
  const [first] = values;
  const check = (shapes: readonly string[]): void => {
    shapes.forEach((shape, i) => {
      if (shape !== shapes[0])
        throw new ShapeError(
          `batch: expected ${where} of one shape, received ${shapes[0]} in the first element of the batch and ${shape} in element ${i}. For sequences of different lengths, use paddedBatch.`,
        );
    });
  };
  if (first instanceof Tensor) {
    check((values as readonly Tensor[]).map((t) => JSON.stringify(t.shape)));
    return stack(values as readonly Tensor[]);
  }
  if (isTyped(first)) {
    check((values as readonly TypedArray[]).map((v) => `[${v.length}]`));
    return stack((values as readonly TypedArray[]).map((v) => tensor(v)));
  }
  if (typeof first === 'number' || typeof first === 'boolean' || Array.isArray(first)) {
    try {
      return tensor(values as number[]);
    } catch (error) {
      const hint =
        error instanceof ShapeError
          ? 'For sequences of different lengths, use paddedBatch.'
          : 'Turn texts into numbers first (a Tokenizer, StringLookup or LabelEncoder, in map).';
      throw new ShapeError(`batch: expected ${where} of numbers, of one shape: ${(error as Error).message}. ${hint}`);
    }
  }
  return values;
}

/** A batch of elements: see `Dataset.batch`. Throws `ShapeError` for elements of different shapes, kinds or keys. */
export function collate<T>(elements: readonly T[]): Batched<T> {
  checkValue('batch', 'the elements', elements, ELEMENTS);
  if (elements.length === 0) throw new ValueError('batch: expected at least one element, received none');
  return combine('batch', elements, leafTensor) as Batched<T>;
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

const ELEMENTS: Rule = { expected: 'a list of elements', accepts: (v) => Array.isArray(v) };
export const PADDING_RULES: Rules<PaddingOptions> = {
  maxLength: rules.orNull(rules.count),
  padToMaxLength: rules.flag,
  padding: rules.oneOf('pre', 'post'),
  truncating: rules.oneOf('pre', 'post'),
  value: rules.isNumber,
};

/** Throws `ValueError` for options that padding cannot follow, by the rules of a function that pads. */
export function checkPadding<T extends PaddingOptions>(label: string, options: T, own: Rules<T>): void {
  checkRules(label, options, own);
  if (options.padToMaxLength && (options.maxLength ?? null) === null)
    throw new ValueError(`${label}: expected maxLength with padToMaxLength, received none`);
}

/** A batch of elements whose sequences are padded to the longest of the batch: see `Dataset.paddedBatch`. */
export function collatePadded<T>(elements: readonly T[], options: PaddingOptions = {}): Batched<T> {
  checkValue('paddedBatch', 'the elements', elements, ELEMENTS);
  checkPadding('paddedBatch', options, PADDING_RULES);
  if (elements.length === 0) throw new ValueError('paddedBatch: expected at least one element, received none');
  return padded(elements, options);
}

/** {@link collatePadded} of elements and options that were checked. */
export function padded<T>(elements: readonly T[], options: PaddingOptions): Batched<T> {
  const { maxLength = null, padToMaxLength = false, padding = 'post', truncating = 'post', value = 0 } = options;
  return combine('paddedBatch', elements, (values, where) => {
    const [first] = values;
    const isSequence = Array.isArray(first) || isTyped(first) || (first instanceof Tensor && first.rank > 0);
    if (!isSequence) return leafTensor(values, where);
    const sequences = values.map((v) => {
      if (v instanceof Tensor && v.rank !== (first as Tensor).rank)
        throw new ShapeError(
          `paddedBatch: expected ${where} of one rank, received ${(first as Tensor).rank} and ${v.rank}`,
        );
      return v instanceof Tensor
        ? (v.dtype === 'bool' ? v.cast('int32') : v).toArray()
        : isTyped(v)
          ? Array.from(v as ArrayLike<number>)
          : v;
    }) as Sequence[];
    let longest = 0;
    let whole = true;
    for (const s of sequences) {
      longest = Math.max(longest, s.length);
      if (whole) for (const x of s) if (typeof x === 'number' && !Number.isInteger(x)) whole = false;
    }
    const length = maxLength === null ? longest : padToMaxLength ? maxLength : Math.min(longest, maxLength);
    const dtype = dtypeOf(first, whole && !isMatrix(sequences));
    return padSequences(sequences, {
      maxLength: length,
      padding,
      truncating,
      value,
      // A fraction that fills would be cut off.
      dtype: dtype === 'int32' && !Number.isInteger(value) ? 'float32' : dtype,
    });
  }) as Batched<T>;
}

/** The dtype of padded sequences: that of tensors and typed arrays; of lists, int32 where all numbers are whole, else float32. */
function dtypeOf(first: unknown, whole: boolean): DType {
  if (first instanceof Tensor) return first.dtype;
  if (!isTyped(first)) return whole ? 'int32' : 'float32';
  if (first instanceof Float64Array) return 'float64';
  return first instanceof Float32Array ? 'float32' : 'int32';
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
