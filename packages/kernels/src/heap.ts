/** The alignment of blocks, in bytes; every block may also be read and written up to its next multiple. */
const ALIGNMENT = 64;
const PAGE = 65_536;

/** A range of memory, in bytes. */
interface Range {
  start: number;
  size: number;
}

/** First-fit allocation of blocks in a WebAssembly memory: few and large, freed by their owners. */
export class Heap {
  readonly memory: WebAssembly.Memory;
  private readonly limit: number;
  private free: Range[];
  private end: number;
  private readonly sizes = new Map<number, number>();
  private views: {
    buffer: ArrayBufferLike;
    bytes: number;
    f32: Float32Array;
    f64: Float64Array;
    i32: Int32Array;
    u8: Uint8Array;
  } | null = null;

  /** @param base the first address to hand out; @param limit the size that the memory may grow to, in bytes */
  constructor(memory: WebAssembly.Memory, base: number, limit: number) {
    this.memory = memory;
    this.limit = limit;
    this.end = memory.buffer.byteLength;
    this.free = [{ start: base, size: this.end - base }];
  }

  /** The address of `bytes` fresh bytes (their content is undefined). Throws `RangeError` where memory is exhausted. */
  allocate(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    let at = this.free.findIndex((range) => range.size >= size);
    if (at < 0) {
      this.grow(size);
      at = this.free.findIndex((range) => range.size >= size);
    }
    const range = this.free[at]!;
    const start = range.start;
    range.start += size;
    range.size -= size;
    if (range.size === 0) this.free.splice(at, 1);
    this.sizes.set(start, size);
    return start;
  }

  /** Gives a block back. */
  release(start: number): void {
    const size = this.sizes.get(start);
    if (size === undefined) throw new RangeError(`heap: expected the address of a block, received ${start}`);
    this.sizes.delete(start);
    const after = this.free.findIndex((range) => range.start > start);
    const at = after < 0 ? this.free.length : after;
    this.free.splice(at, 0, { start, size });
    const join = (i: number): void => {
      const a = this.free[i];
      const b = this.free[i + 1];
      if (a && b && a.start + a.size === b.start) {
        a.size += b.size;
        this.free.splice(i + 1, 1);
      }
    };
    join(at);
    join(at - 1);
  }

  /** Bytes in blocks, bytes of the memory. */
  usage(): { allocated: number; total: number } {
    let allocated = 0;
    for (const size of this.sizes.values()) allocated += size;
    return { allocated, total: this.memory.buffer.byteLength };
  }

  /** The memory as typed arrays; they are renewed when it grows, so read them anew for every use. */
  get arrays(): { f32: Float32Array; f64: Float64Array; i32: Int32Array; u8: Uint8Array } {
    const buffer = this.memory.buffer;
    if (this.views === null || this.views.buffer !== buffer || this.views.bytes !== buffer.byteLength)
      this.views = {
        buffer,
        bytes: buffer.byteLength,
        f32: new Float32Array(buffer),
        f64: new Float64Array(buffer),
        i32: new Int32Array(buffer),
        u8: new Uint8Array(buffer),
      };
    return this.views;
  }

  private grow(size: number): void {
    const last = this.free[this.free.length - 1];
    const spare = last && last.start + last.size === this.end ? last.size : 0;
    // A quarter more than is asked for, so that memory grows seldom.
    const wanted = Math.ceil(Math.max(size - spare, Math.min(this.end / 4, 64 << 20)) / PAGE) * PAGE;
    const room = this.limit - this.end;
    const step = wanted <= room ? wanted : Math.ceil((size - spare) / PAGE) * PAGE;
    if (step > room)
      throw new RangeError(
        `heap: expected ${size} bytes to fit into the ${this.limit} bytes that WebAssembly memory may grow to, of which ${this.end} are in use. Use smaller batches or shorter sequences.`,
      );
    this.memory.grow(step / PAGE);
    const start = this.end;
    this.end += step;
    if (spare > 0) last!.size += step;
    else this.free.push({ start, size: step });
  }
}
