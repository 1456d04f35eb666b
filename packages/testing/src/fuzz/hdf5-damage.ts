import fc from 'fast-check';
import { fraction } from './mutation.js';

/** A change to a word of 8 bytes, of which HDF5's addresses and lengths are. */
interface WordChange {
  /** Which word, as a fraction of those that could be one. */
  readonly at: number;
  readonly how: 'copy' | 'odd' | 'near';
  readonly value: number;
}

/** Addresses and lengths that are none: not defined, zero, and around the limits of what numbers hold. */
const ODD = [
  0n,
  1n,
  8n,
  0xffffffffffffffffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0x20000000000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffn,
];

/** Words that may be addresses or lengths of a file of this size: numbers that are not larger. */
function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: number[] = [];
  for (let at = 8; at + 8 <= bytes.length; at += 8) {
    const value = view.getBigUint64(at, true);
    if (value !== 0n && (value <= BigInt(bytes.length) || value === 0xffffffffffffffffn)) words.push(at);
  }
  return words;
}

/** Words that say something else: addresses of other parts (circles and overlaps are made of these), sizes that are a little off, and numbers that are none. */
export const wordChanges: fc.Arbitrary<readonly WordChange[]> = fc.array(
  fc.record({
    at: fraction,
    how: fc.constantFrom<WordChange['how']>('copy', 'copy', 'odd', 'near'),
    value: fc.nat(99_999),
  }),
  { minLength: 1, maxLength: 3 },
);

/** A file after such changes. */
export function withOtherWords(bytes: Uint8Array, changes: readonly WordChange[]): Uint8Array {
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  const words = wordsOf(copy);
  for (const { at, how, value } of changes) {
    const place = words[Math.floor(at * words.length)];
    if (place === undefined) continue;
    const own = view.getBigUint64(place, true);
    if (how === 'copy') view.setBigUint64(place, view.getBigUint64(words[value % words.length]!, true), true);
    else
      view.setBigUint64(
        place,
        how === 'odd' ? ODD[value % ODD.length]! : BigInt.asUintN(64, own + BigInt((value % 65) - 32)),
        true,
      );
  }
  return copy;
}

/** The beginning of one file, and the end of another. */
export const spliced = (a: Uint8Array, b: Uint8Array, at: number): Uint8Array => {
  const place = Math.floor(at * Math.min(a.length, b.length));
  const joined = new Uint8Array(b);
  joined.set(a.subarray(0, place));
  return joined;
};
