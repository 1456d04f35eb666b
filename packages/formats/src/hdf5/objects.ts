import type { Cursor, Source } from './source.js';

/** Kinds of messages in the headers of objects, of which all others are passed by. */
export enum Message {
  Shape = 0x01,
  LinkInfo = 0x02,
  Type = 0x03,
  Link = 0x06,
  External = 0x07,
  Layout = 0x08,
  Filters = 0x0b,
  Attribute = 0x0c,
  Continuation = 0x10,
  SymbolTable = 0x11,
  AttributeInfo = 0x15,
}

/** What an object (a group or a data set) is made of: bodies of its messages, by their kinds. */
export type Messages = ReadonlyMap<number, readonly Cursor[]>;

/** Flag of a message that stands elsewhere. */
const SHARED = 2;

/** Where more messages are. */
interface Block {
  readonly at: number;
  readonly size: number;
}

/** What messages of a version look like. */
interface Layout {
  readonly version: 1 | 2;
  /** Bytes before the body of a message. */
  readonly prefix: number;
  /** Do they have a number of the order in which they were made? */
  readonly ordered: boolean;
}

/**
 * The messages of the object at an address. Throws `FormatError` for what is none, for one that is linked a second time (which cycles do), and for messages that are
 * shared with other objects.
 */
export function readObject(source: Source, at: number, where: string): Messages {
  source.once(at, where);
  const messages = new Map<number, Cursor[]>();
  const blocks: Block[] = [];
  const layout =
    source.bytes[at] === 0x4f ? headOfVersion2(source, at, where, blocks) : headOf(source, at, where, blocks);
  for (let block = blocks.pop(); block; block = blocks.pop()) {
    source.claim(block.at, block.size, where);
    const cursor = source.cursor(block.at, where, block.at + block.size);
    while (cursor.left >= layout.prefix) {
      const { type, flags, body } = messageAt(cursor, layout);
      if (type === Message.Continuation) blocks.push(continuation(source, body, layout));
      else if (type in Message) {
        if (flags & SHARED) throw cursor.foreign('messages of its own', `one of kind ${type} that is shared`);
        const same = messages.get(type);
        if (same) same.push(body);
        else messages.set(type, [body]);
      }
    }
  }
  return messages;
}

function messageAt(cursor: Cursor, { version, ordered }: Layout): { type: number; flags: number; body: Cursor } {
  const type = cursor.uint(version === 1 ? 2 : 1);
  const size = cursor.uint(2);
  const flags = cursor.uint(1);
  if (version === 1) cursor.skip(3);
  else if (ordered) cursor.skip(2);
  return { type, flags, body: cursor.part(size) };
}

/** Further messages, between a mark and a checksum in version 2. */
function continuation(source: Source, body: Cursor, { version }: Layout): Block {
  const at = body.place();
  const size = body.length();
  source.once(at, body.where);
  if (version === 1) return { at, size };
  source.cursor(at, body.where).mark('OCHK');
  return { at: at + 4, size: Math.max(0, size - 8) };
}

function headOf(source: Source, at: number, where: string, blocks: Block[]): Layout {
  source.claim(at, 16, where);
  const cursor = source.cursor(at, where);
  cursor.version(1);
  // Reserved, the number of messages, and that of links.
  cursor.skip(7);
  const size = cursor.uint(4);
  blocks.push({ at: at + 16, size });
  return { version: 1, prefix: 8, ordered: false };
}

function headOfVersion2(source: Source, at: number, where: string, blocks: Block[]): Layout {
  const cursor = source.cursor(at, where);
  cursor.mark('OHDR');
  cursor.version(2);
  const flags = cursor.uint(1);
  // Times, and when attributes move to a heap.
  if (flags & 0x20) cursor.skip(16);
  if (flags & 0x10) cursor.skip(4);
  const size = cursor.uint(2 ** (flags & 3));
  source.claim(at, cursor.at - at, where);
  blocks.push({ at: cursor.at, size });
  const ordered = (flags & 4) !== 0;
  return { version: 2, prefix: ordered ? 6 : 4, ordered };
}

/** The one message of a kind; `null` where there is none. Throws `FormatError` where there are several. */
export function onlyMessage(messages: Messages, kind: Message): Cursor | null {
  const found = messages.get(kind) ?? [];
  if (found.length > 1) throw found[1]!.error(`one message of kind ${kind}`, `${found.length}`);
  return found[0] ?? null;
}
