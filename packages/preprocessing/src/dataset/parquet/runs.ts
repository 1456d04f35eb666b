import { fault } from './fault.js';

/** What numbers in runs are: their greatest, how many there are of one that was asked for, how many zeros, and the first. */
export interface RunSummary {
  readonly max: number;
  readonly matching: number;
  readonly zeros: number;
  readonly first: number;
}

/**
 * Goes through `count` numbers of `width` bits in Parquet's hybrid of repeated and bit-packed runs
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE). Throws `Fault` where a run goes beyond the bytes or the count.
 */
export function scanRuns(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  match = -1,
): RunSummary {
  if (width > 32) fault('numbers of at most 32 bits', width);
  let [at, seen, max, matching, zeros, first] = [start, 0, 0, 0, 0, 0];
  const note = (value: number, times: number): void => {
    if (seen === 0) first = value;
    if (value > max) max = value;
    if (value === match) matching += times;
    if (value === 0) zeros += times;
    seen += times;
  };
  const byte = (): number => (at < end ? bytes[at++]! : fault(`${count} numbers in runs`, `${seen}, then the end`));
  while (seen < count) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      const part = shift < 35 ? byte() : fault('a run with a head of at most 5 bytes', 'more');
      head += (part & 127) * 2 ** shift;
      if (part < 128) break;
    }
    const left = count - seen;
    if (head % 2 === 0) {
      const times = head / 2;
      if (times > left) fault(`a run of at most ${left} numbers`, times);
      let value = 0;
      for (let i = 0; i < width; i += 8) value += byte() * 2 ** i;
      if (times > 0) note(value, times);
      continue;
    }
    const packed = ((head - 1) / 2) * 8;
    // The last group of eight is filled up.
    if (packed >= left + 8) fault(`packed runs of at most ${left} numbers`, packed);
    const taken = Math.min(packed, left);
    if (Math.ceil((taken * width) / 8) > end - at)
      fault(`${taken} packed numbers of ${width} bits`, `${end - at} bytes`);
    const from = at;
    let bits = 0;
    let kept = 0;
    if (width <= 24) {
      const mask = 2 ** width - 1;
      for (let i = 0; i < taken; i++) {
        for (; bits < width; bits += 8) kept |= bytes[at++]! << bits;
        note(kept & mask, 1);
        kept >>>= width;
        bits -= width;
      }
    } else {
      const base = 2 ** width;
      for (let i = 0; i < taken; i++) {
        for (; bits < width; bits += 8) kept += bytes[at++]! * 2 ** bits;
        note(kept % base, 1);
        kept = Math.floor(kept / base);
        bits -= width;
      }
    }
    at = from + (packed * width) / 8;
  }
  return { max, matching, zeros, first };
}
