import { concatenated } from '@recurra/tensor/extend';
import fc from 'fast-check';

/** One change to bytes: what, where (a fraction of the file, or of the part that describes it), and how much. */
export interface Change {
  readonly kind: 'bit' | 'byte' | 'word' | 'delete' | 'insert' | 'copy' | 'cut';
  readonly metadata: boolean;
  readonly at: number;
  readonly value: number;
}

const BYTES = [0, 1, 2, 0x0f, 0x15, 0x7f, 0x80, 0xfe, 0xff];
const WORDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x01000000, 0xffff];

/** Where a file describes itself: its first byte, and the one behind its last. */
export type MetadataRange = (bytes: Uint8Array) => readonly [from: number, to: number];

/** Bytes after a change. */
export function changed(bytes: Uint8Array, { kind, metadata, at, value }: Change, range: MetadataRange): Uint8Array {
  if (bytes.length < 12) return bytes;
  const [from, to] = metadata ? range(bytes) : [0, bytes.length];
  const place = Math.min(bytes.length - 1, from + Math.floor(at * (to - from)));
  const copy = bytes.slice();
  const join = (...parts: Uint8Array[]): Uint8Array => concatenated(parts);
  switch (kind) {
    case 'bit':
      copy[place]! ^= 1 << (value % 8);
      return copy;
    case 'byte':
      copy[place] = BYTES[value % BYTES.length]!;
      return copy;
    case 'word':
      if (place + 4 <= copy.length) new DataView(copy.buffer).setUint32(place, WORDS[value % WORDS.length]!, true);
      return copy;
    case 'delete':
      return join(bytes.subarray(0, place), bytes.subarray(place + 1 + (value % 40)));
    case 'insert':
      return join(bytes.subarray(0, place), new Uint8Array(1 + (value % 40)).fill(value), bytes.subarray(place));
    case 'copy':
      copy.copyWithin(place, value % bytes.length, (value % bytes.length) + 1 + (value % 24));
      return copy;
    case 'cut':
      return bytes.subarray(0, place);
  }
}

/**
 * A place among others, from 0 to below 1, all as likely. `fc.double` is not: half of the numbers below 1 that a double can be are below 1e-154, so that nearly all
 * would be the first place.
 */
export const fraction: fc.Arbitrary<number> = fc.nat(2 ** 30 - 1).map((n) => n / 2 ** 30);

/** Some changes, one after the other. */
export const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<Change['kind']>('bit', 'bit', 'byte', 'byte', 'word', 'delete', 'insert', 'copy', 'cut'),
    metadata: fc.boolean(),
    at: fraction,
    value: fc.nat(9999),
  }),
  { minLength: 1, maxLength: 3 },
);
