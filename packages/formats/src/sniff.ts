import { checkValue, isRecord, rules } from '@recurra/tensor/extend';
import { readJson } from './json.js';
import { HDF5_MARK } from './keras/hdf5.js';

/**
 * What a file is: 'keras' (the zip of Keras 3), 'hdf5' (`.h5`, `.weights.h5`), 'safetensors', 'tfjs' (the `model.json` of TensorFlow.js), 'onnx', 'checkpoint'
 * (Recurra's own). Those that no reader here takes are told apart, too, so that errors can name them: 'pytorch' (a pickle of `torch.save`), 'zip', 'json'.
 */
export type FileFormat = 'keras' | 'hdf5' | 'safetensors' | 'tfjs' | 'onnx' | 'checkpoint' | 'pytorch' | 'zip' | 'json';

const CHECKPOINT = new TextEncoder().encode('recurra checkpoint ');

const startsWith = (bytes: Uint8Array, magic: ArrayLike<number>, at = 0): boolean => {
  if (at + magic.length > bytes.length) return false;
  for (let i = 0; i < magic.length; i++) if (bytes[at + i] !== magic[i]) return false;
  return true;
};

/** HDF5 may have a block of the user's own before it, of 512 bytes, 1024, 2048, ... */
function isHdf5(bytes: Uint8Array): boolean {
  if (startsWith(bytes, HDF5_MARK)) return true;
  for (let at = 512; at < bytes.length; at *= 2) if (startsWith(bytes, HDF5_MARK, at)) return true;
  return false;
}

function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length >= 2n && length <= BigInt(bytes.length - 8);
}

/** Names of the members of a zip, by its directory at the end; at most some thousands. */
function zipNames(bytes: Uint8Array): Set<string> {
  const names = new Set<string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The record at the end has 22 bytes, and a comment of up to 65535, which may say anything.
  const isEnd = (at: number): boolean =>
    view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === bytes.length;
  const first = Math.max(0, bytes.length - 22 - 0xffff);
  let end = bytes.length - 22;
  while (end >= first && !isEnd(end)) end--;
  if (end < first) return names;
  let at = view.getUint32(end + 16, true);
  while (names.size < 4096 && at + 46 <= bytes.length && view.getUint32(at, true) === 0x02014b50) {
    const length = view.getUint16(at + 28, true);
    names.add(new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length)));
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return names;
}

function kindOfZip(bytes: Uint8Array): FileFormat {
  const names = zipNames(bytes);
  if (names.has('config.json') && (names.has('model.weights.h5') || names.has('metadata.json'))) return 'keras';
  return [...names].some((name) => /(^|\/)data\.pkl$/.test(name)) ? 'pytorch' : 'zip';
}

/** Beyond it, text is not looked into. */
const LONGEST_JSON = 1 << 27;

function kindOfJson(bytes: Uint8Array): FileFormat | null {
  let first = 0;
  while (first < bytes.length && [0x20, 0x09, 0x0a, 0x0d].includes(bytes[first]!)) first++;
  if (bytes[first] !== 0x7b || bytes.length > LONGEST_JSON) return null;
  try {
    const value = readJson(bytes, { label: 'sniffFormat', maxDepth: 256 });
    return isRecord(value) && ('modelTopology' in value || 'weightsManifest' in value) ? 'tfjs' : 'json';
  } catch {
    return null;
  }
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
function isOnnx(bytes: Uint8Array): boolean {
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

/**
 * The format of a file, by its bytes and not by its name; `null` for one of none that is known. It looks at marks and outlines alone: the file may still be damaged.
 */
export function sniffFormat(bytes: Uint8Array): FileFormat | null {
  checkValue('sniffFormat', 'the file', bytes, rules.instanceOf(Uint8Array, 'a Uint8Array'));
  if (startsWith(bytes, CHECKPOINT)) return 'checkpoint';
  if (isHdf5(bytes)) return 'hdf5';
  if (startsWith(bytes, [0x50, 0x4b, 0x03, 0x04]) || startsWith(bytes, [0x50, 0x4b, 0x05, 0x06]))
    return kindOfZip(bytes);
  if (isSafetensors(bytes)) return 'safetensors';
  // A pickle of protocol 2 to 5, as `torch.save` wrote it before it wrote zips.
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5) return 'pytorch';
  return kindOfJson(bytes) ?? (isOnnx(bytes) ? 'onnx' : null);
}
