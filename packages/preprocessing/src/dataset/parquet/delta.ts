import { fault } from './fault.js';

/** Where packed differences end, and the numbers themselves where they were asked for. */
export interface Deltas {
  readonly end: number;
  readonly values: Int32Array | null;
}

/**
 * Goes through `count` integers of Parquet's DELTA_BINARY_PACKED (https://parquet.apache.org/docs/file-format/data-pages/encodings/). `keep`: 32-bit
 * integers are decoded (lengths of texts). Throws `Fault` for heads that make no sense and for blocks beyond the bytes.
 */
export function scanDeltas(bytes: Uint8Array, start: number, end: number, count: number, keep: boolean): Deltas {
  let at = start;
  const byte = (): number => (at < end ? bytes[at++]! : fault(`${count} packed differences`, 'the end'));
  /** The low 32 bits of a number of any size. */
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const part = byte();
      if (shift < 32) value = (value | ((part & 127) << shift)) >>> 0;
      if (part < 128) return value;
    }
    return fault('an integer of at most 10 bytes', 'more');
  };
  /** The low 32 bits of a zigzag number, of which bit 32 is needed. */
  const signed = (): number => {
    const from = at;
    const low = varint();
    const high = at - from >= 5 ? (bytes[from + 4]! >>> 4) & 1 : 0;
    return ((low >>> 1) | (high << 31)) ^ -(low & 1);
  };
  const block = varint();
  const miniblocks = varint();
  const total = varint();
  const size = block / miniblocks;
  if (!(miniblocks > 0 && Number.isInteger(size) && size > 0 && size % 8 === 0 && miniblocks <= end))
    fault('blocks of packed differences in equal parts of 8, 16, ...', `${miniblocks} parts of ${block}`);
  if (total !== count) fault(`${count} packed differences`, total);
  let value = signed();
  const values = keep ? new Int32Array(count) : null;
  let seen = 0;
  const note = (): void => {
    if (values) values[seen] = value;
    seen++;
  };
  if (count > 0) note();
  while (seen < count) {
    const least = signed();
    if (miniblocks > end - at) fault(`${miniblocks} widths`, `${end - at} bytes`);
    const widths = bytes.subarray(at, at + miniblocks);
    at += miniblocks;
    for (const width of widths) {
      if (seen >= count) break;
      if (width > (keep ? 32 : 64)) fault('differences of at most 64 bits (32 for lengths)', width);
      const space = (size * width) / 8;
      if (space > end - at) fault(`${size} differences of ${width} bits`, `${end - at} bytes`);
      const taken = Math.min(size, count - seen);
      if (!keep) seen += taken;
      else {
        let [from, bits, kept] = [at, 0, 0];
        const base = 2 ** width;
        for (let i = 0; i < taken; i++) {
          for (; bits < width; bits += 8) kept += bytes[from++]! * 2 ** bits;
          value = (value + least + (kept % base)) | 0;
          kept = Math.floor(kept / base);
          bits -= width;
          note();
        }
      }
      at += space;
    }
  }
  return { end: at, values };
}
