import { FormatError } from '@recurra/tensor';
import { crc32 } from '../crc32.js';
import { inflated } from '../inflate.js';
import type { Budget } from '../limits.js';
import { endOfZip } from '../looks.js';
import { joined, pacer } from '../pause.js';
import { expectPlainName } from '../plain-name.js';

const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The size of what stands before a member, without its name. */
const LOCAL_SIZE = 30;
const STEP = 1 << 20;

/** A member of an archive, before it is read. */
interface Member {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly at: number;
}

/** The members that the directory at the end of an archive lists. */
function membersOf(bytes: Uint8Array, budget: Budget): Map<string, Member> {
  const { label } = budget;
  const fail = (message: string): never => {
    throw new FormatError(`${label}: expected a zip archive, received ${message}. The file may be cut off.`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOfZip(bytes) ?? fail('no directory at its end');
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  if (count === 0xffff || start === 0xffffffff) fail('one of the large format (zip64)');
  const members = new Map<string, Member>();
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== ENTRY) fail('a directory that is not whole');
    const [nameSize, extra, comment] = [28, 30, 32].map((k) => view.getUint16(at + k, true)) as [
      number,
      number,
      number,
    ];
    if (at + 46 + nameSize + extra + comment > end) fail('a directory that is not whole');
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
    expectPlainName(label, 'members', name);
    budget.enter(`the member "${name}"`);
    if (members.has(name)) throw new FormatError(`${label}: expected members once, received "${name}" twice`);
    if (view.getUint16(at + 8, true) & 1) throw new FormatError(`${label}: expected "${name}" without a password`);
    const member: Member = {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    };
    members.set(name, member);
    at += 46 + nameSize + extra + comment;
  }
  checkPlaces(members, start, label);
  return members;
}

/** Throws `FormatError` for members that lie in each other: a hundred of them could have the bytes of one. */
function checkPlaces(members: ReadonlyMap<string, Member>, end: number, label: string): void {
  const sorted = [...members.values()].sort((a, b) => a.at - b.at);
  sorted.forEach(({ name, at, packed }, i) => {
    const next = sorted[i + 1]?.at ?? end;
    if (at + LOCAL_SIZE + packed > next)
      throw new FormatError(`${label}: expected members that do not overlap, received "${name}" in what follows it`);
  });
}

/** The bytes of a member, checked against its size and checksum. */
async function contentOf(bytes: Uint8Array, member: Member, budget: Budget): Promise<Uint8Array> {
  const { name, method, packed, size, at } = member;
  const label = `${budget.label}: "${name}"`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (at + LOCAL_SIZE > bytes.length || view.getUint32(at, true) !== LOCAL)
    throw new FormatError(`${label}: expected a member where the directory says, received none`);
  const begin = at + LOCAL_SIZE + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (begin + packed > bytes.length)
    throw new FormatError(`${label}: expected ${packed} bytes, received ${Math.max(0, bytes.length - begin)}`);
  const raw = bytes.subarray(begin, begin + packed);
  let content: Uint8Array;
  if (method === 0) {
    if (packed !== size) throw new FormatError(`${label}: expected ${size} bytes as they are, received ${packed}`);
    content = raw;
  } else if (method === 8) {
    budget.take(size, `"${name}"`);
    content = await inflated(raw, size, label);
  } else throw new FormatError(`${label}: expected a member that is stored or deflated, received method ${method}`);
  const pace = pacer();
  let crc = 0;
  for (let i = 0; i < content.length; i += STEP) {
    crc = crc32(content.subarray(i, i + STEP), crc);
    await pace();
  }
  if (crc !== member.crc) throw new FormatError(`${label}: expected its checksum to fit, received other bytes`);
  return content;
}

/** An archive whose members are read when they are asked for. */
export interface Archive {
  readonly names: readonly string[];
  /** The bytes of a member; `null` where there is none. */
  read(name: string): Promise<Uint8Array | null>;
}

/** Opens an archive. Throws `FormatError` for what is none, and (also later) for members that are not as they say. */
export function openZip(bytes: Uint8Array, budget: Budget): Archive {
  const members = membersOf(bytes, budget);
  return {
    names: [...members.keys()],
    read: async (name) => {
      const member = members.get(name);
      return member ? contentOf(bytes, member, budget) : null;
    },
  };
}

/** Members (their bytes part by part) as an archive, stored as they are: weights do not get smaller. */
export async function writeZip(members: ReadonlyMap<string, readonly Uint8Array[]>): Promise<Uint8Array> {
  const { Zip, ZipPassThrough } = await import('fflate');
  const pieces: Uint8Array[] = [];
  const zip = new Zip((error, piece) => {
    if (error) throw error;
    pieces.push(piece);
  });
  const pace = pacer();
  for (const [name, parts] of members) {
    const member = new ZipPassThrough(name);
    zip.add(member);
    for (const bytes of parts)
      for (let i = 0; i < bytes.length; i += STEP) {
        member.push(bytes.subarray(i, i + STEP));
        await pace();
      }
    member.push(new Uint8Array(0), true);
  }
  zip.end();
  return joined(pieces);
}
