import { FormatError, type Tensor } from '@recurra/tensor';
import { sizeOf } from '@recurra/tensor/extend';
import type { Hdf5Attribute, Hdf5Group } from '../keras/hdf5.js';
import type { Budget } from '../limits.js';
import { HDF5_MARK, startOfHdf5 } from '../looks.js';
import { pacer } from '../pause.js';
import { Heaps } from './heaps.js';
import { isGroup, readLinks } from './links.js';
import { Message, type Messages, onlyMessage, readObject } from './objects.js';
import { type Cursor, decoded, Source } from './source.js';
import { readElements } from './storage.js';
import { type ElementType, readShape, readType, tensorOf } from './types.js';

const BLOCK = 'its head';

/**
 * Reads what describes the file in itself, and gives the address of its root.
 * @param before bytes of a user's own that stand before it
 */
function readSuperblock(source: Source, before: number): number {
  const cursor = source.cursor(HDF5_MARK.length, BLOCK);
  const version = cursor.version(0, 1, 2, 3);
  const sized = (offset: number, length: number): void => {
    if (![4, 8].includes(offset) || ![4, 8].includes(length))
      throw cursor.error('addresses and lengths of 4 or 8 bytes', `such of ${offset} and ${length}`);
    source.sizes = { offset, length };
  };
  let root: number;
  if (version < 2) {
    // Versions of parts, then sizes, then how trees are made.
    cursor.skip(4);
    sized(cursor.uint(1), cursor.uint(1));
    cursor.skip(version === 0 ? 9 : 13);
    cursor.address();
    cursor.address();
    expectWhole(source, cursor, before);
    cursor.address();
    cursor.address();
    root = cursor.place();
  } else {
    sized(cursor.uint(1), cursor.uint(1));
    cursor.skip(1);
    cursor.address();
    cursor.address();
    expectWhole(source, cursor, before);
    root = cursor.place();
  }
  source.claim(0, cursor.at, BLOCK);
  return root;
}

/** Throws `FormatError` for a file that ends before where it says. */
function expectWhole(source: Source, cursor: Cursor, before: number): void {
  const end = cursor.place() - before;
  if (end > source.bytes.length) throw cursor.error(`a file of ${end} bytes`, `one of ${source.bytes.length}`);
}

/** Reads the tree of a file. */
class Reader {
  private readonly source: Source;
  private readonly heaps: Heaps;
  private readonly pace = pacer();

  constructor(source: Source) {
    this.source = source;
    this.heaps = new Heaps(source);
  }

  async group(messages: Messages, path: string, depth: number): Promise<Hdf5Group> {
    const { source } = this;
    source.budget.enter(`the group "${path}"`, depth);
    const groups = new Map<string, Hdf5Group>();
    const datasets = new Map<string, Tensor>();
    for (const [name, at] of readLinks(source, messages, path)) {
      const own = path === '/' ? `/${name}` : `${path}/${name}`;
      const object = readObject(source, at, own);
      if (isGroup(object)) groups.set(name, await this.group(object, own, depth + 1));
      else if (object.has(Message.Layout)) datasets.set(name, await this.dataset(object, own));
      else throw source.error(own, 'a group or a data set', 'another object');
      await this.pace();
    }
    return { attributes: this.attributes(messages, path), groups, datasets };
  }

  private async dataset(messages: Messages, path: string): Promise<Tensor> {
    const { source } = this;
    const label = `${source.budget.label}: ${path}`;
    source.budget.enter(`the data set "${path}"`);
    const [typeOf, shapeOf] = [onlyMessage(messages, Message.Type), onlyMessage(messages, Message.Shape)];
    if (!typeOf || !shapeOf) throw source.error(path, 'a data set with a type and a shape', 'one without');
    const type = readType(typeOf);
    const shape = readShape(shapeOf);
    if (shape === null) throw source.error(path, 'a data set with a shape', 'one without elements');
    if (type.kind === 'text' || type.kind === 'variable text')
      throw new FormatError(`${label}: expected numbers, received texts`);
    const raw = await readElements(source, messages, shape, type.size, path, this.pace);
    const dtype = type.size === 2 ? this.attributes(messages, path).get('dtype') : null;
    return tensorOf(raw, type, shape, label, dtype);
  }

  private attributes(messages: Messages, path: string): Map<string, Hdf5Attribute> {
    const { source } = this;
    const attributes = new Map<string, Hdf5Attribute>();
    const info = onlyMessage(messages, Message.AttributeInfo);
    if (info) {
      info.version(0);
      if (info.uint(1) & 1) info.skip(2);
      if (info.address() !== null)
        throw source.foreign(
          path,
          'attributes in the object itself',
          'such in a heap, as libver="latest" writes many of them',
        );
    }
    for (const message of messages.get(Message.Attribute) ?? []) {
      const [name, value] = this.attribute(message, path);
      source.budget.enter(`the attribute "${name}"`);
      if (attributes.has(name))
        throw source.error(path, 'each attribute once', `${JSON.stringify(name.slice(0, 80))} twice`);
      attributes.set(name, value);
    }
    return attributes;
  }

  private attribute(cursor: Cursor, path: string): [name: string, value: Hdf5Attribute] {
    const version = cursor.version(1, 2, 3);
    const flags = cursor.uint(1);
    if (version > 1 && flags & 3) throw cursor.foreign('attributes with a type of their own', 'one that is shared');
    const sizes = [cursor.uint(2), cursor.uint(2), cursor.uint(2)];
    if (version === 3) cursor.skip(1);
    const [nameSize, typeSize, shapeSize] = sizes.map((n) => (version === 1 ? Math.ceil(n / 8) * 8 : n));
    const name = cursor.text(nameSize!);
    const type = readType(cursor.part(typeSize!));
    const shape = readShape(cursor.part(shapeSize!));
    // One without elements has no shape.
    if (shape === null) return [name, ''];
    const count = sizeOf(shape);
    const where = `${path}: attribute "${name.slice(0, 80)}"`;
    const bytes = count * type.size;
    this.source.budget.take(bytes, where);
    const values = this.values(cursor.take(bytes), type, count, where);
    return [name, shape.length === 0 && values.length === 1 ? values[0]! : values];
  }

  /** Texts or numbers; of what is neither, nothing. */
  private values(
    raw: Uint8Array,
    type: ElementType,
    count: number,
    where: string,
  ): readonly string[] | readonly number[] {
    const elements = (): Uint8Array[] =>
      Array.from({ length: count }, (_, i) => raw.subarray(i * type.size, (i + 1) * type.size));
    switch (type.kind) {
      case 'text':
        return elements().map(decoded);
      case 'variable text':
        return elements().map((element) => this.heaps.text(element, where));
      case 'integer':
      case 'float':
      case 'bool':
        return [...tensorOf(new Uint8Array(raw), type, [count], `${this.source.budget.label}: ${where}`).data];
      default:
        return [];
    }
  }
}

/**
 * What an HDF5 file holds, in time and memory that its size bounds. Throws `FormatError` for what is none, for one that is damaged, for links by name, elements in other
 * files and types that no weights have, and for more than the budget allows.
 */
export async function readHdf5(bytes: Uint8Array, budget: Budget): Promise<Hdf5Group> {
  const start = startOfHdf5(bytes);
  if (start < 0) throw new FormatError(`${budget.label}: expected an HDF5 file, received other bytes`);
  const source = new Source(bytes.subarray(start), budget);
  const root = readObject(source, readSuperblock(source, start), '/');
  if (!isGroup(root)) throw source.error('/', 'a group', 'another object');
  return new Reader(source).group(root, '/', 0);
}
