import { type DType, FormatError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { denseData, sizeOf } from '@recurra/tensor/extend';
import { describeTree, isRecord } from '../../base/tree.js';
import { crc32c } from '../../internal/crc32c.js';

/** A tensor, and the path of the variable whose value it is. */
export interface NamedTensor {
  readonly path: string;
  readonly value: Tensor;
}

/** What a checkpoint file holds: plain data, and tensors in groups. */
export interface Checkpoint {
  /** Plain data, as JSON takes it. */
  readonly meta: Readonly<Record<string, unknown>>;
  readonly groups: Readonly<Record<string, readonly NamedTensor[]>>;
}

/** The first bytes of a file. Its last number is the version of the layout. */
const MAGIC = new TextEncoder().encode('recurra checkpoint 1\n');
/** Elements of all dtypes stand at multiples of it. */
const ALIGNMENT = 8;

const aligned = (n: number): number => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

interface Header {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly groups: Readonly<Record<string, readonly { path: string; dtype: DType; shape: readonly number[] }[]>>;
}

/**
 * A checkpoint as one file: the magic line, the length of a header, the header (JSON), the elements of all tensors as they are in memory (little-endian),
 * and a CRC-32C of all that. NaN of all kinds and -0 are kept: what is read has the bits of what was written.
 */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  if (!isRecord(checkpoint) || !isRecord(checkpoint.meta) || !isRecord(checkpoint.groups))
    throw new ValueError(`encodeCheckpoint: expected { meta, groups }, received ${describeTree(checkpoint)}`);
  const { meta, groups } = checkpoint;
  const header: Header = {
    meta,
    groups: Object.fromEntries(
      Object.entries(groups).map(([name, tensors]) => [
        name,
        tensors.map(({ path, value }) => ({ path, dtype: value.dtype, shape: [...value.shape] })),
      ]),
    ),
  };
  const text = new TextEncoder().encode(JSON.stringify(header, replacer));
  const data = Object.values(groups).flatMap((tensors) => tensors.map(({ value }) => bytesOf(value)));
  const begin = aligned(MAGIC.length + 4 + text.length);
  const size = data.reduce((sum, bytes) => sum + aligned(bytes.length), begin);
  const file = new Uint8Array(size + 4);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(MAGIC.length, text.length, true);
  file.set(text, MAGIC.length + 4);
  let at = begin;
  for (const bytes of data) {
    file.set(bytes, at);
    at += aligned(bytes.length);
  }
  view.setUint32(size, crc32c(file.subarray(0, size)), true);
  return file;
}

const WORDS: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity', '-0']);

/** JSON has no NaN, infinities and -0. */
function replacer(_key: string, value: unknown): unknown {
  return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? { $number: Object.is(value, -0) ? '-0' : String(value) }
    : value;
}

function reviver(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  const [word, ...others] = Object.values(value);
  const is = Object.hasOwn(value, '$number') && others.length === 0 && WORDS.has(word as string);
  return is ? Number(word) : value;
}

function bytesOf(value: Tensor): Uint8Array {
  const data = denseData(value.array!);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const ARRAYS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, bool: Uint8Array } as const;

/** What {@link encodeCheckpoint} wrote. Throws `FormatError` for a file that is none, of another version, torn, or edited. */
export function decodeCheckpoint(file: Uint8Array, label = 'decodeCheckpoint'): Checkpoint {
  if (!(file instanceof Uint8Array))
    throw new ValueError(`${label}: expected the bytes of a file (a Uint8Array), received ${describeTree(file)}`);
  const wrong = (received: string): FormatError =>
    new FormatError(
      `${label}: expected a checkpoint of Recurra, received ${received}. Remove the file, or use another one.`,
    );
  const start = new TextDecoder().decode(file.subarray(0, MAGIC.length));
  const known = new TextDecoder().decode(MAGIC);
  if (start !== known)
    throw wrong(
      start.startsWith('recurra checkpoint ')
        ? 'one of another version'
        : `a file of ${file.length} bytes that is none`,
    );
  const size = file.length - 4;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (size < MAGIC.length + 4 || view.getUint32(size, true) !== crc32c(file.subarray(0, size)))
    throw wrong('one that is torn or was edited: its checksum does not fit');
  const length = view.getUint32(MAGIC.length, true);
  const textEnd = MAGIC.length + 4 + length;
  let header: Header;
  try {
    header = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(MAGIC.length + 4, textEnd)),
      reviver,
    );
  } catch {
    throw wrong('one whose header cannot be read');
  }
  if (textEnd > size || !isRecord(header) || !isRecord(header.meta) || !isRecord(header.groups))
    throw wrong('one whose header cannot be read');
  let at = aligned(textEnd);
  const tensorOf = (entry: unknown): NamedTensor => {
    if (!isRecord(entry) || typeof entry['path'] !== 'string') throw wrong('one whose header cannot be read');
    const { path, dtype, shape } = entry as unknown as Header['groups'][string][number];
    const Elements = Object.hasOwn(ARRAYS, dtype) ? ARRAYS[dtype] : null;
    if (!Elements || !Array.isArray(shape) || !shape.every((n) => Number.isInteger(n) && n >= 0))
      throw wrong(`one with a tensor "${path}" of unknown dtype or shape`);
    const count = sizeOf(shape);
    const bytes = count * Elements.BYTES_PER_ELEMENT;
    if (!(at + bytes <= size)) throw wrong(`one that ends within "${path}"`);
    // A copy, since the file may lie anywhere in its buffer.
    const data = new Elements(file.slice(at, at + bytes).buffer);
    at += aligned(bytes);
    return { path, value: tensor(data as never, { dtype, shape }) };
  };
  // As entries: a group may have any name.
  const groups = Object.fromEntries(
    Object.entries(header.groups).map(([name, entries]: [string, unknown]) => {
      if (!Array.isArray(entries)) throw wrong('one whose header cannot be read');
      return [name, entries.map(tensorOf)];
    }),
  );
  if (at !== aligned(size)) throw wrong('one with more data than its header says');
  return { meta: header.meta, groups };
}
