/** How the bytes of formats look: marks and outlines alone, which say nothing of what is damaged. */
import { isRecord } from '@recurra/tensor/extend';
import { readJson } from './json.js';

/** Do the bytes have a mark at a place? */
export function startsWith(bytes: Uint8Array, mark: ArrayLike<number>, at = 0): boolean {
  if (at + mark.length > bytes.length) return false;
  for (let i = 0; i < mark.length; i++) if (bytes[at + i] !== mark[i]) return false;
  return true;
}

/** The mark of HDF5. */
export const HDF5_MARK = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a] as const;

/** Where HDF5 begins, behind a block of the user's own, of 512 bytes, 1024, 2048, ..., or none; -1 where it does not. */
export function startOfHdf5(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at = Math.max(512, at * 2)) if (startsWith(bytes, HDF5_MARK, at)) return at;
  return -1;
}

export const isHdf5 = (bytes: Uint8Array): boolean => startOfHdf5(bytes) >= 0;

/** The length of a header that can be there, and a `{`. */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length >= 2n && length <= BigInt(bytes.length - 8);
}

const ZIP_END = 0x06054b50;
const ZIP_ENTRY = 0x02014b50;
/** The size of the record at the end of a zip, without its comment. */
const ZIP_END_SIZE = 22;

/** Does it begin as an archive does, one with members or an empty one? */
export const isZip = (bytes: Uint8Array): boolean =>
  startsWith(bytes, [0x50, 0x4b, 3, 4]) || startsWith(bytes, [0x50, 0x4b, 5, 6]);

/** Where the record at the end of a zip is; `null` where there is none. A comment of up to 65535 bytes follows, which may say anything. */
export function endOfZip(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = bytes.length - ZIP_END_SIZE;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--)
    if (view.getUint32(at, true) === ZIP_END && at + ZIP_END_SIZE + view.getUint16(at + 20, true) === bytes.length)
      return at;
  return null;
}

/** Names of the members of a zip, by its directory at the end; at most some thousands. */
export function namesOfZip(bytes: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  const end = endOfZip(bytes);
  if (end === null) return names;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = view.getUint32(end + 16, true);
  while (names.size < 4096 && at + 46 <= bytes.length && view.getUint32(at, true) === ZIP_ENTRY) {
    const length = view.getUint16(at + 28, true);
    // Browsers decode no memory that threads share: a copy.
    names.add(new TextDecoder().decode(bytes.slice(at + 46, at + 46 + length)));
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return names;
}

/** The zip of Keras 3. */
export function isKeras(bytes: Uint8Array): boolean {
  if (!isZip(bytes)) return false;
  const names = namesOfZip(bytes);
  return names.has('config.json') && (names.has('model.weights.h5') || names.has('metadata.json'));
}

/** An object of JSON; `null` for what is none. */
export function jsonObjectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  let first = 0;
  while (first < bytes.length && [0x20, 0x09, 0x0a, 0x0d].includes(bytes[first]!)) first++;
  if (bytes[first] !== 0x7b) return null;
  try {
    const value = readJson(bytes, { label: 'sniffFormat', maxDepth: 256, python: true });
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** The `model.json` of TensorFlow.js. */
export function isTfjs(bytes: Uint8Array): boolean {
  const value = jsonObjectOf(bytes);
  return value !== null && ('modelTopology' in value || 'weightsManifest' in value);
}

/** A base-128 number at a place, and the place behind it; `null` where there is none. */
function varint(bytes: Uint8Array, at: number): readonly [value: number, next: number] | null {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, at + i + 1];
  }
  return null;
}

/** Wire types of the fields of ONNX' ModelProto: 0 a number, 2 bytes of a length. */
const ONNX_FIELDS: ReadonlyMap<number, number> = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
  [20, 2],
  [25, 2],
  [26, 2],
]);

/** Protobuf has no mark of its own: all fields must be those of an ONNX model, with a version and a graph, to the last byte. */
export function isOnnx(bytes: Uint8Array): boolean {
  const seen = new Set<number>();
  for (let at = 0; at < bytes.length; ) {
    const key = varint(bytes, at);
    if (!key) return false;
    const [tag, behindTag] = key;
    const field = Math.floor(tag / 8);
    if (ONNX_FIELDS.get(field) !== tag % 8) return false;
    const number = varint(bytes, behindTag);
    if (!number) return false;
    at = tag % 8 === 2 ? number[1] + number[0] : number[1];
    if (at > bytes.length) return false;
    seen.add(field);
  }
  return seen.has(1) && seen.has(7);
}
