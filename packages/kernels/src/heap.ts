/** The alignment of blocks, in bytes; every block may also be read and written up to its next multiple. */
const ALIGNMENT = 64;
const PAGE = 65_536;
/** Addresses are 32 bits: the last page stays free, so that no block ends at 2^32, which would be address 0. */
const LARGEST = 2 ** 32 - PAGE;
const BELOW = 16 << 20;

/** A range of memory, in bytes. */
interface Range {
  start: number;
  size: number;
}

/** Who holds a block: a kind (in the plural, for lists) and a name. */
export interface Holder {
  readonly kind: string;
  readonly name: string;
}

/** There is no room for a block. */
export class HeapError extends RangeError {}

const SELF: Holder = { kind: 'blocks of kernels', name: 'kernels' };

/** Bytes as a person reads them. */
export function formatBytes(bytes: number): string {
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(2)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

/**
 * Allocation of blocks in a WebAssembly memory: few and large, freed by their owners. Blocks that stay are taken from the bottom
 * (first fit); a block that comes and goes as it grows may be taken from the top, where a free range at the end is extended, so that it
 * always gets its old place back.
 *
 * Addresses reach to 4 GiB. They are numbers here; as words of an `Int32Array` those above 2 GiB are negative, and whoever reads one there
 * takes it `>>> 0`. An index into a typed array is `address / bytes`, never `address >> n`, which is signed.
 */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** The size that the memory may grow to, in bytes. */
  readonly limit: number;
  private free: Range[];
  private end: number;
  private allocated = 0;
  private readonly blocks = new Map<number, { readonly size: number; readonly holder: Holder }>();
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
    this.limit = Math.min(limit, LARGEST);
    this.end = memory.buffer.byteLength;
    this.free = [{ start: base, size: this.end - base }];
  }

  /**
   * The address of `bytes` fresh bytes (their content is undefined), in the lowest free range that holds them, or, with `top`, at the end
   * of the highest. Throws `HeapError` where there is no room.
   */
  allocate(bytes: number, holder: Holder = SELF, top = false): number {
    const size = roundUp(bytes);
    let at = this.find(size, top);
    if (at < 0) {
      this.grow(size, top);
      at = this.find(size, top);
    }
    const range = this.free[at]!;
    range.size -= size;
    let { start } = range;
    if (top) start += range.size;
    else range.start += size;
    if (range.size === 0) this.free.splice(at, 1);
    this.blocks.set(start, { size, holder });
    this.allocated += size;
    return start;
  }

  /** Is there a free range for so many bytes, without growing? */
  hasFree(bytes: number): boolean {
    return this.find(roundUp(bytes), false) >= 0;
  }

  /** Gives a block back. */
  release(start: number): void {
    const block = this.blocks.get(start);
    if (block === undefined) throw new RangeError(`heap: expected the address of a block, received ${start}`);
    this.blocks.delete(start);
    this.allocated -= block.size;
    const after = this.free.findIndex((range) => range.start > start);
    const at = after < 0 ? this.free.length : after;
    this.free.splice(at, 0, { start, size: block.size });
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
    return { allocated: this.allocated, total: this.memory.buffer.byteLength };
  }

  /** All blocks, with who holds them. */
  *holdings(): Iterable<{ readonly holder: Holder; readonly bytes: number }> {
    for (const { size, holder } of this.blocks.values()) yield { holder, bytes: size };
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

  private find(size: number, top: boolean): number {
    return top
      ? this.free.findLastIndex((range) => range.size >= size)
      : this.free.findIndex((range) => range.size >= size);
  }

  private grow(size: number, top: boolean): void {
    const last = this.free[this.free.length - 1];
    const spare = last && last.start + last.size === this.end ? last.size : 0;
    const needed = Math.ceil((size - spare) / PAGE) * PAGE;
    // A quarter more than is asked for, so that memory grows seldom; and some below what lies at the top, for what stays.
    const wanted = Math.max(size - spare + (top ? BELOW : 0), Math.min(this.end / 4, 64 << 20));
    const generous = Math.ceil(wanted / PAGE) * PAGE;
    const room = this.limit - this.end;
    const step = [generous, needed].find((step) => step <= room && this.extend(step));
    if (step === undefined)
      throw new HeapError(
        `heap: expected ${formatBytes(size)} to fit into the ${formatBytes(this.limit)} that WebAssembly memory may grow to, of which ${formatBytes(this.allocated)} are in use. Use smaller batches or shorter sequences.`,
      );
    const start = this.end;
    this.end += step;
    if (spare > 0) last!.size += step;
    else this.free.push({ start, size: step });
  }

  /** Grows the memory itself; says whether the system gave it. */
  private extend(bytes: number): boolean {
    try {
      this.memory.grow(bytes / PAGE);
      return true;
    } catch {
      return false;
    }
  }
}

function roundUp(bytes: number): number {
  return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
}
