import { FormatError } from '@recurra/tensor';
import { pacer } from './pause.js';

/**
 * Inflates in pieces, and stops where there is more than was declared. Throws `FormatError` for bytes that are not deflated ones, and for more or fewer than `size`.
 */
export async function inflated(raw: Uint8Array, size: number, label: string): Promise<Uint8Array> {
  const { Inflate } = await import('fflate');
  const content = new Uint8Array(size);
  let filled = 0;
  let over = false;
  const stream = new Inflate((chunk) => {
    if (filled + chunk.length > size) over = true;
    else {
      content.set(chunk, filled);
      filled += chunk.length;
    }
  });
  const pace = pacer();
  try {
    // Each push may give a thousand times its size.
    const step = 1 << 14;
    for (let i = 0; i < raw.length && !over; i += step) {
      stream.push(raw.subarray(i, i + step), i + step >= raw.length);
      await pace();
    }
  } catch (error) {
    throw Object.assign(new FormatError(`${label}: expected deflated bytes, received others`), { cause: error });
  }
  if (over || filled !== size)
    throw new FormatError(`${label}: expected ${size} bytes after inflating, received ${over ? 'more' : filled}`);
  return content;
}
