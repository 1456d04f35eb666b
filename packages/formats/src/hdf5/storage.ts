import type { Shape } from '@recurra/tensor';
import { sizeOf } from '@recurra/tensor/extend';
import { inflated } from '../inflate.js';
import { copyInto, type Pace } from '../pause.js';
import { walkTree } from './links.js';
import { Message, type Messages, onlyMessage } from './objects.js';
import type { Cursor, Source } from './source.js';

/** What is done to chunks before they are written, last first when they are read. */
interface Filter {
  readonly id: number;
  readonly values: readonly number[];
}

enum FilterId {
  Deflate = 1,
  Shuffle = 2,
  Checksum = 3,
}

const COMPACT = 0;
const CONTIGUOUS = 1;
const CHUNKED = 2;

/**
 * The bytes of a data set's elements, as a copy. Throws `FormatError` where the file does not have as many as the shape asks for, for elements in other files, and for filters other than
 * those that every HDF5 library has.
 * @param size bytes of an element
 */
export async function readElements(
  source: Source,
  messages: Messages,
  shape: Shape,
  size: number,
  where: string,
  pace: Pace,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = sizeOf(shape) * size;
  const fail = (expected: string, received: string): Error => source.error(where, expected, received);
  const layout = onlyMessage(messages, Message.Layout);
  if (!layout) throw fail('a place of its elements', 'none');
  if (messages.has(Message.External)) throw source.foreign(where, 'elements in the file itself', 'such in other files');
  layout.version(3, 4);
  const kind = layout.uint(1);
  const wrongSize = (found: number): Error => fail(`${bytes} bytes for shape [${shape.join(', ')}]`, `${found}`);
  if (kind === COMPACT) {
    const own = layout.uint(2);
    if (own !== bytes) throw wrongSize(own);
    source.budget.take(bytes, where);
    return new Uint8Array(layout.take(own));
  }
  if (kind === CONTIGUOUS) {
    const at = layout.address();
    const own = layout.length();
    if (bytes === 0) return new Uint8Array(0);
    if (at === null) throw source.foreign(where, 'elements', 'a data set that was never written');
    if (own !== bytes) throw wrongSize(own);
    source.claim(at, bytes, where);
    source.budget.take(bytes, where);
    const elements = new Uint8Array(bytes);
    await copyInto(elements, source.bytes.subarray(at, at + bytes), 0, pace);
    return elements;
  }
  if (kind !== CHUNKED) throw source.foreign(where, 'elements in the file itself', `a layout of kind ${kind}`);
  return readChunks(source, messages, layout, shape, size, where, pace);
}

interface Chunk {
  readonly at: number;
  readonly size: number;
  readonly skipped: number;
  readonly offsets: readonly number[];
}

async function readChunks(
  source: Source,
  messages: Messages,
  layout: Cursor,
  shape: Shape,
  size: number,
  where: string,
  pace: Pace,
): Promise<Uint8Array<ArrayBuffer>> {
  const fail = (expected: string, received: string): Error => source.error(where, expected, received);
  if (source.bytes[layout.at - 2] !== 3)
    throw source.foreign(where, 'chunks of the older layout', 'such of libver="latest"');
  const rank = layout.uint(1) - 1;
  const tree = layout.address();
  const chunk = Array.from({ length: Math.max(0, rank) }, () => layout.uint(4));
  const own = layout.uint(4);
  if (rank !== shape.length || rank < 1 || own !== size || chunk.some((n) => n < 1))
    throw fail(`chunks of ${shape.length} axes and elements of ${size} bytes`, 'others');
  const total = sizeOf(shape) * size;
  if (total === 0) return new Uint8Array(0);
  if (tree === null) throw source.foreign(where, 'elements', 'a data set that was never written');
  const chunkBytes = sizeOf(chunk) * size;
  // Chunks at the borders are larger than what they hold, but not by more than one along each axis.
  const grid = chunk.map((n, i) => Math.ceil(shape[i]! / n));
  const expected = sizeOf(grid);
  const filters = readFilters(onlyMessage(messages, Message.Filters));
  source.budget.take(total + chunkBytes * expected, where);
  const chunks = new Map<number, Chunk>();
  walkTree(source, tree, 1, 8 + 8 * (rank + 1), where, (key, at) => {
    const bytes = key.uint(4);
    const skipped = key.uint(4);
    const offsets = Array.from({ length: rank }, () => key.uint(8));
    const cell = offsets.map((offset, i) => offset / chunk[i]!);
    if (cell.some((c, i) => !Number.isInteger(c) || c >= grid[i]!))
      throw fail('chunks within the shape', 'one beyond it');
    const index = cell.reduce((sum, c, i) => sum * grid[i]! + c, 0);
    if (chunks.has(index)) throw fail('each chunk once', 'one twice');
    source.budget.enter(where);
    source.claim(at, bytes, where);
    chunks.set(index, { at, size: bytes, skipped, offsets });
  });
  if (chunks.size !== expected) throw fail(`${expected} chunks`, `${chunks.size}`);
  const elements = new Uint8Array(total);
  for (const one of chunks.values()) {
    const bytes = await unfiltered(source, one, filters, chunkBytes, size, where);
    place(bytes, one.offsets, chunk, elements, shape, size);
    await pace();
  }
  return elements;
}

/** Puts the rows of a chunk where they belong; what lies beyond the shape is left out. */
function place(
  bytes: Uint8Array,
  offsets: readonly number[],
  chunk: readonly number[],
  elements: Uint8Array,
  shape: Shape,
  size: number,
): void {
  const last = shape.length - 1;
  const row = Math.min(chunk[last]!, shape[last]! - offsets[last]!) * size;
  const visit = (axis: number, from: number, to: number): void => {
    if (axis === last) {
      elements.set(bytes.subarray(from * size, from * size + row), (to + offsets[last]!) * size);
      return;
    }
    const count = Math.min(chunk[axis]!, shape[axis]! - offsets[axis]!);
    for (let i = 0; i < count; i++)
      visit(axis + 1, (from + i) * chunk[axis + 1]!, (to + offsets[axis]! + i) * shape[axis + 1]!);
  };
  visit(0, 0, 0);
}

function readFilters(cursor: Cursor | null): readonly Filter[] {
  if (!cursor) return [];
  const version = cursor.version(1, 2);
  const count = cursor.uint(1);
  if (version === 1) cursor.skip(6);
  const list = Array.from({ length: count }, () => {
    const id = cursor.uint(2);
    const nameSize = version === 1 || id >= 256 ? cursor.uint(2) : 0;
    cursor.skip(2);
    const length = cursor.uint(2);
    cursor.skip(nameSize);
    const values = Array.from({ length }, () => cursor.uint(4));
    if (version === 1 && length % 2 === 1) cursor.skip(4);
    if (!(id in FilterId)) throw cursor.foreign('filters deflate, shuffle and fletcher32', `the filter ${id}`);
    return { id, values };
  });
  if (new Set(list.map(({ id }) => id)).size < count) throw cursor.error('each filter once', 'one twice');
  return list;
}

async function unfiltered(
  source: Source,
  { at, size, skipped }: Chunk,
  filters: readonly Filter[],
  whole: number,
  elementSize: number,
  where: string,
): Promise<Uint8Array> {
  const fail = (expected: string, received: string): Error => source.error(where, expected, received);
  let bytes = source.bytes.subarray(at, at + size);
  for (let i = filters.length - 1; i >= 0; i--) {
    if (skipped & (1 << i)) continue;
    const { id, values } = filters[i]!;
    if (id === FilterId.Checksum) {
      const end = bytes.length - 4;
      if (
        end < 0 ||
        fletcher32(bytes.subarray(0, end)) !== new DataView(bytes.buffer, bytes.byteOffset + end).getUint32(0, true)
      )
        throw fail('a chunk whose checksum fits', 'another one');
      bytes = bytes.subarray(0, end);
    } else if (id === FilterId.Shuffle) {
      // Other sizes do not belong to these elements, and would take as many rounds as they say.
      if (values[0] !== elementSize) throw fail(`a shuffle of elements of ${elementSize} bytes`, `${values[0]}`);
      bytes = unshuffled(bytes, elementSize);
    } else {
      // Before it may be a checksum, of 4 bytes.
      const before = filters.slice(0, i).some((filter) => filter.id === FilterId.Checksum) ? 4 : 0;
      bytes = await inflatedZlib(bytes, whole + before, `${source.budget.label}: ${where}`);
    }
  }
  if (bytes.length !== whole) throw fail(`${whole} bytes of a chunk`, `${bytes.length}`);
  return bytes;
}

/** Deflated bytes between a head of two bytes and a checksum of four. */
const inflatedZlib = (bytes: Uint8Array, size: number, label: string): Promise<Uint8Array> =>
  inflated(bytes.subarray(2, Math.max(2, bytes.length - 4)), size, label);

/** Bytes of one place in all elements stand together; here those of an element do. */
function unshuffled(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size);
  const own = new Uint8Array(bytes);
  for (let b = 0; b < size; b++) for (let i = 0; i < count; i++) own[i * size + b] = bytes[b * count + i]!;
  return own;
}

/** Fletcher's checksum of 32 bits, as HDF5 has it: of big-endian words. */
function fletcher32(bytes: Uint8Array): number {
  let [low, high] = [0, 0];
  const add = (word: number): void => {
    low = (low + word) % 65535;
    high = (high + low) % 65535;
  };
  for (let i = 0; i + 1 < bytes.length; i += 2) add((bytes[i]! << 8) | bytes[i + 1]!);
  if (bytes.length % 2 === 1) add(bytes[bytes.length - 1]! << 8);
  return ((high << 16) | low) >>> 0;
}
