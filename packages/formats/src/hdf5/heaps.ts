import { decoded, type Source } from './source.js';

type Objects = ReadonlyMap<number, Uint8Array>;

/** Texts that lie in the heaps of a file: read once each, since attributes share them. */
export class Heaps {
  private readonly source: Source;
  private readonly heaps = new Map<number, Objects>();

  constructor(source: Source) {
    this.source = source;
  }

  /** The text that an element of variable length points to. Throws `FormatError` where there is none. */
  text(element: Uint8Array, where: string): string {
    const { source } = this;
    const cursor = source.cursor(element.byteOffset - source.bytes.byteOffset, where);
    const length = cursor.uint(4);
    const heap = cursor.address();
    const index = cursor.uint(4);
    if (length === 0 || heap === null || heap === 0) return '';
    const found = this.at(heap, where).get(index);
    if (!found || length > found.length) throw source.error(where, `a text of ${length} bytes`, 'none of that length');
    source.budget.take(length, where);
    return decoded(found.subarray(0, length));
  }

  private at(heap: number, where: string): Objects {
    const known = this.heaps.get(heap);
    if (known) return known;
    const { source } = this;
    const objects = new Map<number, Uint8Array>();
    const head = source.cursor(heap, where);
    head.mark('GCOL');
    head.version(1);
    head.skip(3);
    const size = head.length();
    source.claim(heap, size, where);
    const cursor = source.cursor(head.at, where, heap + size);
    while (cursor.left >= 8 + source.sizes.length) {
      const index = cursor.uint(2);
      cursor.skip(6);
      const length = cursor.length();
      // What is left is free.
      if (index === 0) break;
      objects.set(index, cursor.take(length));
      cursor.skip(Math.min(cursor.left, (8 - (length % 8)) % 8));
    }
    this.heaps.set(heap, objects);
    return objects;
  }
}
