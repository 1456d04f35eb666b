import { type DType, FormatError, Tensor, ValueError } from '@recurra/tensor';
import {
  checkRules,
  checkValue,
  denseData,
  formatShape,
  isRecord,
  ndarray,
  type Rules,
  rules,
  sizeOf,
} from '@recurra/tensor/extend';
import { readJson } from './json.js';
import { type Float8Kind, widenBfloat16, widenFloat8, widenFloat16 } from './narrow-floats.js';

/** The longest header that the format allows. */
const LONGEST_HEADER = 100_000_000;
/** The highest rank of our tensors. */
const HIGHEST_RANK = 8;
/** The number of bytes that stands before the header. */
const PREFIX = 8;
const METADATA = '__metadata__';

/** Options of {@link readSafetensors} and {@link safetensorsHeader}. */
export interface ReadSafetensorsOptions {
  /** What messages call the file; 'safetensors'. */
  readonly name?: string;
}

const READ_OPTIONS: Rules<ReadSafetensorsOptions> = { name: rules.text };

/** A tensor of a file, before its elements are read. */
export interface SafetensorsEntry {
  readonly name: string;
  /** As the file spells it: `F32`, `BF16`, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Where its bytes are in the file: the first, and the one behind the last. */
  readonly begin: number;
  readonly end: number;
}

/** What stands before the elements. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly entries: readonly SafetensorsEntry[];
  /** Texts by names; those who write files put there what they like. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** What a safetensors file holds. */
export interface Safetensors {
  /** Tensors by their names, in the order of the header: files written by Python have them sorted by dtype and name. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Elements of a dtype of the format. */
interface Elements {
  /** Bits of one. */
  readonly bits: number;
  /** Our dtype of it, and a typed array from bytes of their own; `null` where none of ours can hold it. */
  readonly read: ((bytes: Uint8Array<ArrayBuffer>, wrong: (received: string) => FormatError) => Read) | null;
}

type Read = readonly [DType, Float32Array | Float64Array | Int32Array | Uint8Array];

/** Integers of other widths. */
function integers(
  values: Iterable<number | bigint> & { readonly length: number },
  wrong: (received: string) => FormatError,
): Read {
  const out = new Int32Array(values.length);
  let i = 0;
  for (const value of values) {
    const number = Number(value);
    if (number !== (number | 0)) throw wrong(`${value}, which int32 does not reach`);
    out[i++] = number;
  }
  return ['int32', out];
}

const float8 = (kind: Float8Kind): Elements => ({ bits: 8, read: (bytes) => ['float32', widenFloat8(kind, bytes)] });
const integer = (
  bits: number,
  Typed: new (buffer: ArrayBuffer) => Iterable<number | bigint> & { readonly length: number },
): Elements => ({ bits, read: ({ buffer }, wrong) => integers(new Typed(buffer), wrong) });

/** The dtypes of the format, in its order: data of later ones comes first, so that all are aligned. */
const DTYPES: ReadonlyMap<string, Elements> = new Map<string, Elements>([
  [
    'BOOL',
    {
      bits: 8,
      read: (bytes, wrong) => {
        const odd = bytes.find((byte) => byte > 1);
        if (odd !== undefined) throw wrong(`the byte ${odd}, where true is 1 and false 0`);
        return ['bool', bytes];
      },
    },
  ],
  ['F4', { bits: 4, read: null }],
  ['F6_E2M3', { bits: 6, read: null }],
  ['F6_E3M2', { bits: 6, read: null }],
  ['U8', integer(8, Uint8Array)],
  ['I8', integer(8, Int8Array)],
  ['F8_E5M2', float8('F8_E5M2')],
  ['F8_E4M3', float8('F8_E4M3')],
  ['F8_E8M0', float8('F8_E8M0')],
  ['F8_E4M3FNUZ', float8('F8_E4M3FNUZ')],
  ['F8_E5M2FNUZ', float8('F8_E5M2FNUZ')],
  ['I16', integer(16, Int16Array)],
  ['U16', integer(16, Uint16Array)],
  ['F16', { bits: 16, read: ({ buffer }) => ['float32', widenFloat16(new Uint16Array(buffer))] }],
  ['BF16', { bits: 16, read: ({ buffer }) => ['float32', widenBfloat16(new Uint16Array(buffer))] }],
  ['I32', { bits: 32, read: ({ buffer }) => ['int32', new Int32Array(buffer)] }],
  ['U32', integer(32, Uint32Array)],
  ['F32', { bits: 32, read: ({ buffer }) => ['float32', new Float32Array(buffer)] }],
  ['C64', { bits: 64, read: null }],
  ['F64', { bits: 64, read: ({ buffer }) => ['float64', new Float64Array(buffer)] }],
  ['I64', integer(64, BigInt64Array)],
  ['U64', integer(64, BigUint64Array)],
]);

/** How ours are written, in the order of their data. */
const WRITTEN: Readonly<Record<DType, string>> = { float64: 'F64', float32: 'F32', int32: 'I32', bool: 'BOOL' };
const WRITTEN_ORDER: readonly DType[] = ['float64', 'float32', 'int32', 'bool'];

const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
const isSizes = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isSize);

/** One tensor of the header; its elements begin at `data` and end before `size`. */
function entryOf(name: string, info: unknown, data: number, size: number, label: string): SafetensorsEntry {
  const at = `${label}: tensor ${JSON.stringify(name)}`;
  if (!isRecord(info))
    throw new FormatError(`${at}: expected { dtype, shape, data_offsets }, received ${JSON.stringify(info)}.`);
  const { dtype, shape, data_offsets: offsets } = info;
  const elements = typeof dtype === 'string' ? DTYPES.get(dtype) : undefined;
  if (!elements)
    throw new FormatError(
      `${at}: expected a dtype among ${[...DTYPES.keys()].join(', ')}, received ${JSON.stringify(dtype)}.`,
    );
  if (!isSizes(shape) || shape.length > HIGHEST_RANK)
    throw new FormatError(
      `${at}: expected a shape of at most ${HIGHEST_RANK} sizes >= 0, received ${JSON.stringify(shape)}.`,
    );
  if (!isSizes(offsets) || offsets.length !== 2)
    throw new FormatError(`${at}: expected data_offsets [begin, end], received ${JSON.stringify(offsets)}.`);
  const [begin, end] = offsets as readonly [number, number];
  if (begin > end || data + end > size)
    throw new FormatError(
      `${at}: expected its bytes within the ${size - data} of the file's data, received data_offsets ${formatShape(offsets)}. The file is damaged or cut off.`,
    );
  const bytes = (sizeOf(shape) * elements.bits) / 8;
  if (bytes !== end - begin)
    throw new FormatError(
      `${at}: expected ${bytes} bytes of ${dtype} ${formatShape(shape)}, received ${end - begin}. Header and data do not belong together.`,
    );
  return { name, dtype: dtype as string, shape, begin: data + begin, end: data + end };
}

/**
 * The names, dtypes, shapes and places of the tensors of a safetensors file, without reading them. Throws `FormatError` for all that {@link readSafetensors} refuses,
 * values of elements aside.
 */
export function safetensorsHeader(bytes: Uint8Array, options: ReadSafetensorsOptions = {}): SafetensorsHeader {
  checkValue('safetensorsHeader', 'the file', bytes, rules.instanceOf(Uint8Array, 'a Uint8Array'));
  checkRules('safetensorsHeader', options, READ_OPTIONS);
  return headerOf(bytes, options.name ?? 'safetensors');
}

function headerOf(bytes: Uint8Array, label: string): SafetensorsHeader {
  if (bytes.length < PREFIX)
    throw new FormatError(
      `${label}: expected a safetensors file, received ${bytes.length} bytes, which is too short for one.`,
    );
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > LONGEST_HEADER)
    throw new FormatError(
      `${label}: expected a header of at most ${LONGEST_HEADER} bytes, received one of ${length}. Is it a safetensors file?`,
    );
  const data = PREFIX + Number(length);
  if (data > bytes.length)
    throw new FormatError(
      `${label}: expected a header of ${length} bytes, received ${bytes.length - PREFIX}. The file is cut off.`,
    );
  if (bytes[PREFIX] !== 0x7b)
    throw new FormatError(
      `${label}: expected a header that begins with "{", received another byte. Is it a safetensors file?`,
    );
  // An object of objects with lists.
  const header = readJson(bytes.subarray(PREFIX, data), { label: `${label}: header`, maxDepth: 3 });
  const metadata = new Map<string, string>();
  const entries: SafetensorsEntry[] = [];
  for (const [name, info] of Object.entries(header as object)) {
    if (name !== METADATA) {
      entries.push(entryOf(name, info, data, bytes.length, label));
      continue;
    }
    if (!isRecord(info))
      throw new FormatError(`${label}: expected ${METADATA} to be texts by names, received ${JSON.stringify(info)}.`);
    for (const [key, value] of Object.entries(info)) {
      if (typeof value !== 'string')
        throw new FormatError(
          `${label}: expected ${METADATA} to be texts by names, received ${JSON.stringify(value)}.`,
        );
      metadata.set(key, value);
    }
  }
  // All bytes are of one tensor: two files in one, or data that no reader sees, have no room.
  let at = data;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at)
      throw new FormatError(
        `${label}: tensor ${JSON.stringify(name)}: expected its bytes to begin at ${at - data}, where those before it end, received ${begin - data}. ${begin < at ? 'Tensors overlap' : 'There is a hole'}.`,
      );
    at = end;
  }
  if (at !== bytes.length)
    throw new FormatError(
      `${label}: expected an end after ${at} bytes, as the header says, received ${bytes.length} bytes.`,
    );
  return { entries, metadata };
}

/**
 * Reads a safetensors file. float16, bfloat16 and float8 are widened to `float32` (exact), integers of all widths become `int32`. Throws `FormatError` for
 * a file that is none, is damaged or cut off (holes, overlaps, bytes that no tensor has), names one thing twice or `__proto__`, for integers beyond int32, and for complex
 * numbers and floats below 8 bits. https://huggingface.co/docs/safetensors
 */
export function readSafetensors(bytes: Uint8Array, options: ReadSafetensorsOptions = {}): Safetensors {
  checkValue('readSafetensors', 'the file', bytes, rules.instanceOf(Uint8Array, 'a Uint8Array'));
  checkRules('readSafetensors', options, READ_OPTIONS);
  const { name: label = 'safetensors' } = options;
  const { entries, metadata } = headerOf(bytes, label);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype: stored, shape, begin, end } of entries) {
    const at = `${label}: tensor ${JSON.stringify(name)}`;
    const { read } = DTYPES.get(stored)!;
    if (!read)
      throw new FormatError(
        `${at}: expected numbers that float32, float64, int32 or bool can hold, received ${stored}. Convert it before it is saved.`,
      );
    // A copy, since elements may lie anywhere, and the file is the caller's.
    const own = new Uint8Array(end - begin);
    own.set(bytes.subarray(begin, end));
    const [dtype, data] = read(
      own,
      (received) => new FormatError(`${at}: expected ${stored} elements, received ${received}.`),
    );
    tensors.set(name, new Tensor(shape, dtype, ndarray(dtype, shape, data)));
  }
  return { tensors, metadata };
}

/** Options of {@link writeSafetensors}. */
export interface WriteSafetensorsOptions {
  /** Texts by names, for the header; none. Loaders of PyTorch models look for `{ format: 'pt' }`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const isText = (value: unknown): value is string => typeof value === 'string';
export const WRITE_OPTIONS: Rules<WriteSafetensorsOptions> = {
  metadata: { expected: 'an object of texts', accepts: (v) => isRecord(v) && Object.values(v).every(isText) },
};

/** UTF-8 has no halves of characters: such a name would come back as another one. */
const isWhole = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/**
 * Writes tensors to a safetensors file. The header names them in the order in which they are given; their elements follow as the Python package has them: float64, float32,
 * int32, bool, and by name within each, so that all are aligned. Files of the same tensors, given by that order, are the same byte for byte. Throws `ValueError` for names that
 * cannot stand in a file (`__metadata__`, `__proto__`, halves of surrogate pairs) and for headers beyond 100 MB.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  options: WriteSafetensorsOptions = {},
): Uint8Array {
  const label = 'writeSafetensors';
  checkRules(label, options, WRITE_OPTIONS);
  if (!(tensors instanceof Map) && !isRecord(tensors))
    throw new ValueError(`${label}: expected tensors by their names, as a Map or an object, received neither`);
  const given: readonly (readonly [string, Tensor])[] = [
    ...(tensors instanceof Map ? tensors : Object.entries(tensors)),
  ];
  for (const [name, value] of given) {
    checkValue(label, 'a name', name, rules.text);
    checkValue(label, `"${name}"`, value, rules.instanceOf(Tensor, 'a tensor'));
  }
  const { metadata = {} } = options;
  for (const name of [...given.map(([name]) => name), ...Object.keys(metadata)])
    if (name === METADATA || name === '__proto__' || !isWhole(name))
      throw new ValueError(`${label}: expected names that a file can hold, received ${JSON.stringify(name)}`);
  for (const text of Object.values(metadata))
    if (!isWhole(text))
      throw new ValueError(`${label}: expected metadata that UTF-8 can hold, received ${JSON.stringify(text)}`);
  const encoder = new TextEncoder();
  const inFile = given
    .map(([name, value]) => ({
      name,
      utf8: encoder.encode(name),
      data: denseData(value.concrete(label)),
      rank: WRITTEN_ORDER.indexOf(value.dtype),
    }))
    .sort((a, b) => a.rank - b.rank || byBytes(a.utf8, b.utf8));
  const begins = new Map<string, number>();
  let size = 0;
  for (const { name, data } of inFile) {
    begins.set(name, size);
    size += data.byteLength;
  }
  const parts = given.map(([name, { dtype, shape, size: count }]) => {
    const begin = begins.get(name)!;
    const end = begin + count * (dtype === 'bool' ? 1 : dtype === 'float64' ? 8 : 4);
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: WRITTEN[dtype], shape, data_offsets: [begin, end] })}`;
  });
  // As text, since an object would put names that are numbers first.
  if (Object.keys(metadata).length > 0) parts.unshift(`"${METADATA}":${JSON.stringify(metadata)}`);
  const text = encoder.encode(`{${parts.join(',')}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > LONGEST_HEADER)
    throw new ValueError(
      `${label}: expected a header of at most ${LONGEST_HEADER} bytes, received one of ${length}. Use shorter names, or more files.`,
    );
  const file = new Uint8Array(PREFIX + length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(0x20, PREFIX, PREFIX + length);
  file.set(text, PREFIX);
  for (const { name, data } of inFile)
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), PREFIX + length + begins.get(name)!);
  return file;
}

/** The order of UTF-8, which that of UTF-16 is not. */
function byBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
