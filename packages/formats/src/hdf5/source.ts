import { FormatError } from '@recurra/tensor';
import type { Budget } from '../limits.js';

/** Sizes of what describes a file in itself. */
interface Sizes {
  /** Bytes of an address. */
  readonly offset: number;
  /** Bytes of a length. */
  readonly length: number;
}

/**
 * The bytes of an HDF5 file that is not trusted. What is read of it is claimed first: its parts do not overlap, so that all of them together have no more bytes than the
 * file. This bounds the time and the memory that any file can take, cycles and parts that are linked a thousand times included.
 */
export class Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly budget: Budget;
  /** Known once the superblock is read. */
  sizes: Sizes = { offset: 8, length: 8 };
  private claimed = 0;
  private readonly seen = new Set<number>();

  constructor(bytes: Uint8Array, budget: Budget) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.budget = budget;
  }

  /** The error of a file: where, what was expected, what came. */
  error(where: string, expected: string, received: string): FormatError {
    return new FormatError(
      `${this.budget.label}: ${where}: expected ${expected}, received ${received}. The file is damaged, or cut off.`,
    );
  }

  /** The error of what other programs may write, and no reader here takes. */
  foreign(where: string, expected: string, received: string): FormatError {
    return new FormatError(
      `${this.budget.label}: ${where}: expected ${expected}, received ${received}. Save it again with Keras, or with h5py as it is by default.`,
    );
  }

  /** Claims bytes of the file. Throws `FormatError` where they are not in it, or where parts overlap. */
  claim(at: number, size: number, where: string): void {
    if (at + size > this.bytes.length)
      throw this.error(where, `${size} bytes at ${at}`, `a file of ${this.bytes.length}`);
    this.claimed += size;
    if (this.claimed > this.bytes.length)
      throw this.error(where, 'parts that do not overlap', 'more bytes of parts than the file has');
  }

  /** Claims a place that nothing else may point to. Throws `FormatError` the second time. */
  once(at: number, where: string): void {
    if (this.seen.has(at)) throw this.error(where, 'each part to be linked once', `another link to the one at ${at}`);
    this.seen.add(at);
  }

  /** Reads from a place on, up to an end, without claiming it. */
  cursor(at: number, where: string, end: number = this.bytes.length): Cursor {
    return new Cursor(this, at, end, where);
  }
}

/** Reads a file's bytes one after the other, little-endian, and never beyond the end that it was given. */
export class Cursor {
  at: number;
  readonly end: number;
  readonly where: string;
  private readonly source: Source;

  constructor(source: Source, at: number, end: number, where: string) {
    this.source = source;
    this.at = at;
    this.end = Math.min(end, source.bytes.length);
    this.where = where;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.end - this.at;
  }

  error(expected: string, received: string): FormatError {
    return this.source.error(this.where, expected, received);
  }

  foreign(expected: string, received: string): FormatError {
    return this.source.foreign(this.where, expected, received);
  }

  /** Goes on by so many bytes, and says where they began. Throws `FormatError` beyond the end. */
  skip(size: number): number {
    const from = this.at;
    if (!(size >= 0) || from + size > this.end) throw this.error(`${size} bytes more`, `${Math.max(0, this.left)}`);
    this.at += size;
    return from;
  }

  /** An unsigned integer of 1 to 8 bytes. Throws `FormatError` beyond 2^53. */
  uint(size: number): number {
    const from = this.skip(size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.source.bytes[from + i]!;
    if (!Number.isSafeInteger(value)) throw this.error('a number below 2^53', 'a larger one');
    return value;
  }

  /** An address; `null` where it is not defined. */
  address(): number | null {
    const { bytes, sizes } = this.source;
    const from = this.at;
    let same = 0;
    while (same < sizes.offset && from + same < this.end && bytes[from + same] === 0xff) same++;
    if (same < sizes.offset) return this.uint(sizes.offset);
    this.at += same;
    return null;
  }

  /** An address that must be there. Throws `FormatError` where it is not defined. */
  place(): number {
    const at = this.address();
    if (at === null) throw this.error('an address', 'none');
    return at;
  }

  length(): number {
    return this.uint(this.source.sizes.length);
  }

  /** Bytes as they lie in the file, not copied. */
  take(size: number): Uint8Array {
    const from = this.skip(size);
    return this.source.bytes.subarray(from, from + size);
  }

  /** Another reader, of the next bytes alone. */
  part(size: number): Cursor {
    const from = this.skip(size);
    return new Cursor(this.source, from, from + size, this.where);
  }

  /** A text of so many bytes, up to its first zero. */
  text(size: number): string {
    return decoded(this.take(size));
  }

  /** Goes past a mark. Throws `FormatError` for another one. */
  mark(mark: string): void {
    const from = this.skip(mark.length);
    for (let i = 0; i < mark.length; i++)
      if (this.source.bytes[from + i] !== mark.charCodeAt(i)) throw this.error(`the mark ${mark}`, 'other bytes');
  }

  /** Goes past a version. Throws `FormatError` for one that is not known. */
  version(...known: readonly number[]): number {
    const version = this.uint(1);
    if (!known.includes(version)) throw this.error(`version ${known.join(' or ')}`, `version ${version}`);
    return version;
  }
}

/** The text of bytes, up to the first zero among them. Browsers decode no memory that threads share: a copy. */
export function decoded(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.slice(0, end < 0 ? bytes.length : end));
}
