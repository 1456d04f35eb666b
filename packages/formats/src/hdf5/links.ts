import { Message, type Messages, onlyMessage } from './objects.js';
import { type Cursor, decoded, type Source } from './source.js';

/** Is it a group? */
export const isGroup = (messages: Messages): boolean =>
  messages.has(Message.SymbolTable) || messages.has(Message.LinkInfo) || messages.has(Message.Link);

/**
 * What a group holds: addresses of objects by their names, in the order of the names. Throws `FormatError` for links by name (to the same file or another one), names that
 * stand twice or mean nothing, and groups of thousands of links in a heap of the newest layout.
 */
export function readLinks(source: Source, messages: Messages, where: string): ReadonlyMap<string, number> {
  const links = new Map<string, number>();
  const add = (name: string, at: number): void => {
    source.budget.enter(`${where}: ${name}`);
    if (name === '' || name === '.' || name === '..' || name.includes('/'))
      throw source.error(where, 'plain names', JSON.stringify(name.slice(0, 80)));
    if (links.has(name)) throw source.error(where, 'each name once', `${JSON.stringify(name.slice(0, 80))} twice`);
    links.set(name, at);
  };
  const table = onlyMessage(messages, Message.SymbolTable);
  if (table) readSymbols(source, table, add);
  const info = onlyMessage(messages, Message.LinkInfo);
  if (info) {
    info.version(0);
    if (info.uint(1) & 1) info.skip(8);
    if (info.address() !== null)
      throw source.foreign(
        where,
        'links in the group itself',
        'such in a heap, as libver="latest" writes many of them',
      );
  }
  for (const link of messages.get(Message.Link) ?? []) readLink(link, add);
  return new Map([...links].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const linkError = (cursor: Cursor, name: string): Error =>
  cursor.foreign(
    'groups and data sets of the file itself',
    `the link ${JSON.stringify(name.slice(0, 80))} to another place`,
  );

function readLink(cursor: Cursor, add: (name: string, at: number) => void): void {
  cursor.version(1);
  const flags = cursor.uint(1);
  const type = flags & 8 ? cursor.uint(1) : 0;
  // The order in which it was made, and how its name is encoded.
  if (flags & 4) cursor.skip(8);
  if (flags & 16) cursor.skip(1);
  const name = cursor.text(cursor.uint(2 ** (flags & 3)));
  if (type !== 0) throw linkError(cursor, name);
  add(name, cursor.place());
}

/** How entries of symbol tables say that they are links by name. */
const SOFT = 2;

/** The older layout: a tree of tables, and a heap of names. */
function readSymbols(source: Source, table: Cursor, add: (name: string, at: number) => void): void {
  const { where } = table;
  const tree = table.place();
  const names = readLocalHeap(source, table.place(), where);
  const readTable = (at: number): void => {
    source.once(at, where);
    const cursor = source.cursor(at, where);
    cursor.mark('SNOD');
    cursor.version(1);
    cursor.skip(1);
    const count = cursor.uint(2);
    source.claim(at, 8 + count * (2 * source.sizes.offset + 24), where);
    for (let i = 0; i < count; i++) {
      const name = nameAt(names, cursor);
      const object = cursor.address();
      const kind = cursor.uint(4);
      cursor.skip(20);
      if (kind === SOFT || object === null) throw linkError(cursor, name);
      add(name, object);
    }
  };
  walkTree(source, tree, 0, source.sizes.length, where, (_key, at) => readTable(at));
}

function nameAt(names: Uint8Array, cursor: Cursor): string {
  const at = cursor.place();
  const end = names.indexOf(0, at);
  if (at >= names.length || end < 0) throw cursor.error('a name that ends', 'one beyond the names');
  return decoded(names.subarray(at, end));
}

function readLocalHeap(source: Source, at: number, where: string): Uint8Array {
  source.once(at, where);
  const cursor = source.cursor(at, where);
  cursor.mark('HEAP');
  cursor.version(0);
  cursor.skip(3);
  const size = cursor.length();
  cursor.length();
  const data = cursor.place();
  source.claim(at, cursor.at - at, where);
  source.claim(data, size, where);
  return source.bytes.subarray(data, data + size);
}

/**
 * Walks a tree of the first version, from left to right, and calls `leaf` with the key and the address of each of its leaves. Throws `FormatError` for nodes that stand elsewhere than
 * their level says, or twice.
 * @param keySize bytes of a key
 */
export function walkTree(
  source: Source,
  at: number,
  type: 0 | 1,
  keySize: number,
  where: string,
  leaf: (key: Cursor, at: number) => void,
  level: number | null = null,
): void {
  source.once(at, where);
  const cursor = source.cursor(at, where);
  cursor.mark('TREE');
  if (cursor.uint(1) !== type) throw cursor.error(`a tree of kind ${type}`, 'another one');
  const own = cursor.uint(1);
  if (level !== null && own !== level) throw cursor.error(`a node of level ${level}`, `${own}`);
  const count = cursor.uint(2);
  // Its neighbours.
  cursor.skip(2 * source.sizes.offset);
  source.claim(at, cursor.at - at + count * (keySize + source.sizes.offset), where);
  for (let i = 0; i < count; i++) {
    const key = cursor.part(keySize);
    const child = cursor.place();
    if (own === 0) leaf(key, child);
    else walkTree(source, child, type, keySize, where, leaf, own - 1);
  }
}
