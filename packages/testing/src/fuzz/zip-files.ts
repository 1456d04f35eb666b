import { crc32, deflateRawSync } from 'node:zlib';
import { concatenated } from '@recurra/tensor/extend';

/** A member of an archive as the fuzzer writes it: its checksum fits, and everything else is what it is told. */
export interface ZipMember {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deflated?: boolean;
  /** Fields of the directory that say something else: by their names in {@link FIELDS}. */
  readonly lies?: Readonly<Partial<Record<ZipField, number>>>;
}

/** Fields of an entry of the directory. */
export const ZIP_FIELDS = ['flags', 'method', 'crc', 'packed', 'size', 'nameSize', 'extraSize', 'at'] as const;
/** One of them. */
export type ZipField = (typeof ZIP_FIELDS)[number];

/** Where fields stand in an entry, and in how many bytes. */
const FIELDS: Readonly<Record<ZipField, readonly [at: number, size: 2 | 4]>> = {
  flags: [8, 2],
  method: [10, 2],
  crc: [16, 4],
  packed: [20, 4],
  size: [24, 4],
  nameSize: [28, 2],
  extraSize: [30, 2],
  at: [42, 4],
};

const put = (bytes: Uint8Array, at: number, size: 2 | 4, value: number): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
};

/** An archive of members, by the layout of PKWARE's APPNOTE, whatever they are called and say of themselves. */
export function zipOf(members: readonly ZipMember[], count: number = members.length): Uint8Array {
  const parts: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let at = 0;
  for (const { name, bytes, deflated = false, lies = {} } of members) {
    const named = new TextEncoder().encode(name);
    const content = deflated ? deflateRawSync(bytes) : bytes;
    const entry = new Uint8Array(46 + named.length);
    put(entry, 0, 4, 0x02014b50);
    put(entry, 4, 2, 20);
    put(entry, 6, 2, 20);
    const truth = { flags: 0, method: deflated ? 8 : 0, crc: crc32(bytes), packed: content.length, size: bytes.length };
    const all = { ...truth, nameSize: named.length, extraSize: 0, at };
    for (const field of ZIP_FIELDS) put(entry, FIELDS[field][0], FIELDS[field][1], all[field]);
    entry.set(named, 46);
    const local = new Uint8Array(30 + named.length);
    put(local, 0, 4, 0x04034b50);
    // The fields that both have stand in the same order.
    local.set(entry.subarray(6, 32), 4);
    put(local, 28, 2, 0);
    local.set(named, 30);
    for (const field of ZIP_FIELDS) put(entry, FIELDS[field][0], FIELDS[field][1], lies[field] ?? all[field]);
    parts.push(local, content);
    entries.push(entry);
    at += local.length + content.length;
  }
  const end = new Uint8Array(22);
  put(end, 0, 4, 0x06054b50);
  put(end, 8, 2, count);
  put(end, 10, 2, count);
  put(
    end,
    12,
    4,
    entries.reduce((n, { length }) => n + length, 0),
  );
  put(end, 16, 4, at);
  return concatenated([...parts, ...entries, end]);
}

/** The members of an archive whose members are stored as they are, which Keras writes. */
export function membersOf(bytes: Uint8Array): readonly ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 22;
  let at = view.getUint32(end + 16, true);
  return Array.from({ length: view.getUint16(end + 10, true) }, () => {
    const [packed, nameSize, extra, local] = [
      view.getUint32(at + 20, true),
      view.getUint16(at + 28, true),
      view.getUint16(at + 30, true) + view.getUint16(at + 32, true),
      view.getUint32(at + 42, true),
    ];
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
    at += 46 + nameSize + extra;
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    return { name, bytes: bytes.subarray(begin, begin + packed) };
  });
}
