import type { Buffer, Sized } from '../schedule/buffer.js';

const ALIGNMENT = 64;

/** `bytes` rounded up, so that blocks begin at cache lines. */
export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Where buffers lie in the memory that they share while they live: offsets for an engine that has one range for all. */
export class Placement {
  private readonly sizes = new Map<Buffer, number>();
  private readonly offsets = new Map<Buffer, number>();
  private readonly size: (block: Sized) => number;

  /** @param size bytes of a block that the engine sizes */
  constructor(size: (block: Sized) => number) {
    this.size = size;
  }

  /** Bytes of a buffer, with all that lies in it. */
  bytesOf(buffer: Buffer): number {
    let bytes = this.sizes.get(buffer);
    if (bytes === undefined) {
      if (buffer.sized) bytes = this.size(buffer.sized);
      else bytes = buffer.inner.length > 0 ? this.place(buffer.inner) : buffer.bytes;
      this.sizes.set(buffer, bytes);
    }
    return bytes;
  }

  /** Where a buffer that was placed begins. */
  offsetOf(buffer: Buffer): number {
    return this.offsets.get(buffer)!;
  }

  /** Puts buffers one after another. Returns the size of all. */
  stack(buffers: readonly Buffer[]): number {
    let total = 0;
    for (const buffer of buffers) {
      this.offsets.set(buffer, total);
      total += align(this.bytesOf(buffer));
    }
    return total;
  }

  /** Places buffers by their lifetimes: the largest first, each at the lowest offset that is free for its whole life. Returns the size of all. */
  place(buffers: readonly Buffer[]): number {
    const placed: Buffer[] = [];
    let total = 0;
    const size = (b: Buffer): number => align(Math.max(this.bytesOf(b), 1));
    for (const buffer of [...buffers].sort((a, b) => this.bytesOf(b) - this.bytesOf(a) || a.first - b.first)) {
      let offset = 0;
      for (const other of placed) {
        if (other.first > buffer.last || other.last < buffer.first) continue;
        const at = this.offsetOf(other);
        if (offset + size(buffer) <= at) break;
        offset = Math.max(offset, at + size(other));
      }
      this.offsets.set(buffer, offset);
      total = Math.max(total, offset + size(buffer));
      let i = placed.length;
      while (i > 0 && this.offsetOf(placed[i - 1]!) > offset) i--;
      placed.splice(i, 0, buffer);
    }
    return total;
  }
}
