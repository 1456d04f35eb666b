import { type DType, FormatError, type Tensor } from '@recurra/tensor';
import { denseData } from '@recurra/tensor/extend';
import type { Hdf5Attribute, Hdf5Group } from '../keras/hdf5.js';
import { joined } from '../pause.js';

/*
 * The layout that h5py has by default, which every reader knows: the first versions of the superblock, of headers and of groups (a tree of tables, and a heap of
 * names), elements in one piece. HDF5 File Format Specification 3.0, III and IV.
 */

/** Entries of a table of a group, and children of a node of its tree: twice what the superblock says. */
const TABLE = 8;
const NODE = 32;
const ENTRY_SIZE = 40;
const TABLE_SIZE = 8 + TABLE * ENTRY_SIZE;
const NODE_SIZE = 24 + NODE * 8 + (NODE + 1) * 8;
const SUPERBLOCK_SIZE = 96;
/** The body of a message has a size of 16 bits. */
const LARGEST_MESSAGE = 0xffff - 7;
/** Texts of a heap: their numbers have 16 bits, and smaller heaps are read as this one. */
const HEAP_TEXTS = 60_000;
const SMALLEST_HEAP = 4096;

const even = (size: number): number => Math.ceil(size / 8) * 8;
const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Bytes by numbers of 1, 2, 4 and 8 bytes, little-endian. */
class Bytes {
  private readonly parts: number[] = [];

  u8(...values: readonly number[]): this {
    this.parts.push(...values);
    return this;
  }

  u16(value: number): this {
    return this.u8(value & 0xff, value >> 8);
  }

  u32(value: number): this {
    return this.u8(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }

  /** An address or a length; -1 is the address that is not defined. */
  u64(value: number): this {
    if (value < 0) return this.u8(...new Array<number>(8).fill(0xff));
    return this.u32((value % 2 ** 32) >>> 0).u32(Math.floor(value / 2 ** 32));
  }

  text(value: string): this {
    for (const byte of encoded(value)) this.parts.push(byte);
    return this;
  }

  add(bytes: Iterable<number>): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }

  /** Zeros up to a multiple of 8. */
  even(): this {
    while (this.parts.length % 8 !== 0) this.parts.push(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.parts);
  }
}

const float = (size: number, sign: number, exponent: number, fraction: number, bias: number): Uint8Array =>
  new Bytes()
    .u8(0x11, 0x20, sign, 0)
    .u32(size)
    .u16(0)
    .u16(size * 8)
    .u8(fraction, exponent, 0, fraction)
    .u32(bias)
    .done();
const integer = (size: number): Uint8Array =>
  new Bytes()
    .u8(0x10, 0x08, 0, 0)
    .u32(size)
    .u16(0)
    .u16(size * 8)
    .done();

const FLOAT64 = float(8, 63, 11, 52, 1023);
const INT32 = integer(4);
/** Booleans as h5py writes them: an enumeration of two. */
const BOOL = new Bytes().u8(0x18, 2, 0, 0).u32(1).add(integer(1)).text('FALSE\0\0\0TRUE\0\0\0\0').u8(0, 1).done();
/** Texts of any length, in UTF-8. */
const TEXT = new Bytes().u8(0x19, 0x01, 0x01, 0).u32(16).u8(0x10, 0, 0, 0).u32(1).u16(0).u16(8).done();
const TYPES: Readonly<Record<DType, Uint8Array>> = {
  float32: float(4, 31, 8, 23, 127),
  float64: FLOAT64,
  int32: INT32,
  bool: BOOL,
};

function shaped(shape: readonly number[]): Uint8Array {
  const bytes = new Bytes().u8(1, shape.length, 0, 0).u32(0);
  for (const size of shape) bytes.u64(size);
  return bytes.done();
}

/** A message of the header of an object. */
function message(type: number, body: Uint8Array, where: string): Uint8Array {
  if (body.length > LARGEST_MESSAGE)
    throw new FormatError(
      `${where}: expected names and shapes of at most ${LARGEST_MESSAGE} bytes, received ${body.length}. Use shorter ones.`,
    );
  return new Bytes().u16(type).u16(even(body.length)).u8(0, 0, 0, 0).add(body).even().done();
}

/** A text in a heap of the file. */
interface Placed {
  readonly length: number;
  readonly heap: number;
  readonly index: number;
}

/** A file that is being written: parts get their places one after the other, and are copied into one array at the end. */
class Writer {
  private readonly parts: Uint8Array[] = [];
  private end = SUPERBLOCK_SIZE;
  /** Texts of attributes in the order of the tree. */
  private readonly texts: Placed[] = [];
  private taken = 0;

  put(bytes: Uint8Array): number {
    const at = this.end;
    this.end += even(bytes.length);
    this.parts.push(bytes);
    return at;
  }

  /** Puts all texts of attributes, which point to them. */
  putTexts(texts: readonly string[]): void {
    for (let from = 0; from < texts.length; from += HEAP_TEXTS) {
      const own = texts.slice(from, from + HEAP_TEXTS).map(encoded);
      const filled = own.reduce((n, { length }) => n + 16 + even(length), 16);
      // What is left says that it is free, for which it needs 16 bytes.
      const size = Math.max(SMALLEST_HEAP, filled + 16);
      const bytes = new Uint8Array(size);
      bytes.set(new Bytes().text('GCOL').u8(1, 0, 0, 0).u64(size).done());
      let at = 16;
      own.forEach((text, i) => {
        bytes.set(
          new Bytes()
            .u16(i + 1)
            .u16(0)
            .u32(0)
            .u64(text.length)
            .done(),
          at,
        );
        bytes.set(text, at + 16);
        at += 16 + even(text.length);
      });
      bytes.set(
        new Bytes()
          .u16(0)
          .u16(0)
          .u32(0)
          .u64(size - at)
          .done(),
        at,
      );
      const heap = this.put(bytes);
      own.forEach(({ length }, i) => {
        this.texts.push({ length, heap, index: i + 1 });
      });
    }
  }

  /** Puts an object's header. */
  private header(messages: readonly Uint8Array[]): number {
    const size = messages.reduce((n, { length }) => n + length, 0);
    const bytes = new Uint8Array(16 + size);
    bytes.set(new Bytes().u8(1, 0).u16(messages.length).u32(1).u32(size).done());
    let at = 16;
    for (const one of messages) {
      bytes.set(one, at);
      at += one.length;
    }
    return this.put(bytes);
  }

  /** Puts a group after all that it holds. */
  group({ attributes, groups, datasets }: Hdf5Group, where: string): Group {
    const own = [...attributes].map(([name, value]) => this.attribute(name, value, where));
    const entries: Entry[] = [
      ...[...datasets].map(([name, value]) => ({
        name: encoded(name),
        object: { at: this.dataset(value, `${where}/${name}`) },
      })),
      ...[...groups].map(([name, group]) => ({ name: encoded(name), object: this.group(group, `${where}/${name}`) })),
    ].sort((a, b) => byBytes(a.name, b.name));
    const { names, places } = namesOf(entries);
    const data = this.put(names);
    const heap = this.put(new Bytes().text('HEAP').u32(0).u64(names.length).u64(1).u64(data).done());
    const tree = this.tree(entries, places);
    const at = this.header([message(0x11, new Bytes().u64(tree).u64(heap).done(), where), ...own]);
    return { at, tree, heap };
  }

  /** Puts the tables of a group, and the tree above them, from the lowest level on. */
  private tree(entries: readonly Entry[], places: readonly number[]): number {
    /** Children of a level: where they are, and the place of the last name in each. */
    let level: { readonly at: number; readonly last: number }[] = [];
    for (let from = 0; from < entries.length; from += TABLE) {
      const own = entries.slice(from, from + TABLE);
      const bytes = new Bytes().text('SNOD').u8(1, 0).u16(own.length);
      own.forEach(({ object }, i) => {
        bytes.u64(places[from + i]!).u64(object.at);
        if (object.tree === undefined) bytes.u64(0).u64(0).u64(0);
        else bytes.u64(1).u64(object.tree).u64(object.heap!);
      });
      const table = new Uint8Array(TABLE_SIZE);
      table.set(bytes.done());
      level.push({ at: this.put(table), last: places[from + own.length - 1]! });
    }
    for (let depth = 0; ; depth++) {
      const nodes = Math.max(1, Math.ceil(level.length / NODE));
      const first = this.end;
      const above: { at: number; last: number }[] = [];
      for (let i = 0; i < nodes; i++) {
        const own = level.slice(i * NODE, (i + 1) * NODE);
        const beside = (k: number): number => (k < 0 || k >= nodes ? -1 : first + k * NODE_SIZE);
        const bytes = new Bytes()
          .text('TREE')
          .u8(0, depth)
          .u16(own.length)
          .u64(beside(i - 1))
          .u64(beside(i + 1));
        bytes.u64(i === 0 ? 0 : level[i * NODE - 1]!.last);
        for (const { at, last } of own) bytes.u64(at).u64(last);
        const node = new Uint8Array(NODE_SIZE);
        node.set(bytes.done());
        above.push({ at: this.put(node), last: own.at(-1)?.last ?? 0 });
      }
      if (nodes === 1) return above[0]!.at;
      level = above;
    }
  }

  private dataset(value: Tensor, where: string): number {
    const { buffer, byteOffset, byteLength } = denseData(value.concrete('save'));
    const at = byteLength === 0 ? -1 : this.put(new Uint8Array(buffer, byteOffset, byteLength));
    return this.header([
      message(0x01, shaped(value.shape), where),
      message(0x03, TYPES[value.dtype], where),
      // No value stands for elements that were not written.
      message(0x05, new Bytes().u8(2, 2, 2, 1).u32(0).done(), where),
      message(0x08, new Bytes().u8(3, 1).u64(at).u64(byteLength).done(), where),
    ]);
  }

  private attribute(name: string, value: Hdf5Attribute, where: string): Uint8Array {
    const list: readonly (string | number)[] = Array.isArray(value) ? value : [value as string | number];
    const [type, data] = this.elements(list);
    const shape = shaped(Array.isArray(value) ? [list.length] : []);
    const named = encoded(`${name}\0`);
    const bytes = new Bytes().u8(1, 0).u16(named.length).u16(type.length).u16(shape.length);
    for (const part of [named, type, shape]) bytes.add(part).even();
    return message(0x0c, bytes.add(data).done(), `${where}: attribute "${name}"`);
  }

  private elements(list: readonly (string | number)[]): readonly [type: Uint8Array, data: Uint8Array] {
    if (list.length > 0 && list.every((v) => typeof v === 'string')) {
      const bytes = new Bytes();
      for (const _text of list) {
        const { length, heap, index } = this.texts[this.taken++]!;
        bytes.u32(length).u64(heap).u32(index);
      }
      return [TEXT, bytes.done()];
    }
    // A list without elements says nothing of their type: as h5py, it is one of numbers.
    const isInteger = list.length > 0 && list.every((v) => v === ((v as number) | 0) && !Object.is(v, -0));
    const values = isInteger ? Int32Array.from(list as number[]) : Float64Array.from(list as number[]);
    return [isInteger ? INT32 : FLOAT64, new Uint8Array(values.buffer)];
  }

  /** The bytes of the file of a root, part by part; those of elements are not copied. */
  file({ at, tree, heap }: Group): readonly Uint8Array[] {
    const head = new Bytes().u8(0x89).text('HDF\r\n').u8(0x1a, 0x0a).u8(0, 0, 0, 0, 0, 8, 8, 0);
    head
      .u16(TABLE / 2)
      .u16(NODE / 2)
      .u32(0)
      .u64(0)
      .u64(-1)
      .u64(this.end)
      .u64(-1);
    head.u64(0).u64(at).u64(1).u64(tree).u64(heap);
    const padded = this.parts.flatMap((part) =>
      part.length % 8 === 0 ? [part] : [part, ZEROS.subarray(part.length % 8)],
    );
    return [head.done(), ...padded];
  }
}

/** What fills up a part to a multiple of 8 bytes. */
const ZEROS = new Uint8Array(8);

interface Group {
  readonly at: number;
  readonly tree: number;
  readonly heap: number;
}

/** An entry of a group. */
interface Entry {
  readonly name: Uint8Array;
  readonly object: { readonly at: number } & Partial<Group>;
}

function byBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** The names of entries one after the other, behind an empty one, and where each is. */
function namesOf(entries: readonly Entry[]): { readonly names: Uint8Array; readonly places: readonly number[] } {
  const places: number[] = [];
  let size = 8;
  for (const { name } of entries) {
    places.push(size);
    size += even(name.length + 1);
  }
  const names = new Uint8Array(size);
  entries.forEach(({ name }, i) => {
    names.set(name, places[i]!);
  });
  return { names, places };
}

/** Texts of all attributes, in the order in which a writer comes to them. */
function* textsOf({ attributes, groups }: Hdf5Group): Generator<string> {
  for (const value of attributes.values()) {
    const list = Array.isArray(value) ? value : [value];
    if (list.every((v) => typeof v === 'string')) yield* list as string[];
  }
  for (const group of groups.values()) yield* textsOf(group);
}

/**
 * A group as the bytes of an HDF5 file, in the layout that h5py has by default, part by part: elements of tensors as they lie in memory. Throws `FormatError` for names of an attribute, or
 * a shape, beyond what the format can hold (64 kB).
 */
export function hdf5Parts(root: Hdf5Group): readonly Uint8Array[] {
  const writer = new Writer();
  writer.putTexts([...textsOf(root)]);
  return writer.file(writer.group(root, 'HDF5'));
}

/** A group as an HDF5 file. Throws as {@link hdf5Parts}. */
export const writeHdf5 = (root: Hdf5Group): Promise<Uint8Array> => joined(hdf5Parts(root));
