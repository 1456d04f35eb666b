import { fault } from './fault.js';

/**
 * Decompresses Snappy (raw format: https://github.com/google/snappy/blob/main/format_description.txt) to exactly `size` bytes. Throws `Fault` for
 * anything else, and never reads or writes beyond its bytes, nor goes back: every step takes at least a byte.
 */
export function unsnap(input: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size);
  let at = 0;
  let to = 0;
  const number = (bytes: number): number => {
    if (bytes > input.length - at) fault('more bytes of Snappy', 'the end');
    let value = 0;
    for (let i = 0; i < bytes; i++) value += input[at++]! * 2 ** (8 * i);
    return value;
  };
  let announced = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = shift < 35 ? number(1) : fault('a length of Snappy of at most 5 bytes', 'more');
    announced += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (announced !== size) fault(`a page of ${size} bytes`, `one of ${announced} bytes (Snappy)`);
  while (at < input.length) {
    const tag = input[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = (short < 60 ? short : number(short - 59)) + 1;
      if (length > input.length - at || length > size - to) fault('Snappy bytes within their page', `${length} more`);
      output.set(input.subarray(at, at + length), to);
      at += length;
      to += length;
      continue;
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const back = kind === 1 ? (tag >> 5) * 256 + number(1) : number(kind === 2 ? 2 : 4);
    if (back === 0 || back > to || length > size - to)
      fault('a Snappy copy within its page', `${length} from ${back} back`);
    if (back >= length) output.copyWithin(to, to - back, to - back + length);
    else for (let i = 0; i < length; i++) output[to + i] = output[to + i - back]!;
    to += length;
  }
  if (to !== size) fault(`a page of ${size} bytes`, `${to} bytes (Snappy)`);
  return output;
}
