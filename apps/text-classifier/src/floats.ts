/** Is every element a finite number? */
export function allFinite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return false;
  return true;
}

/** Length of the base64 text of so many bytes. */
const base64Length = (bytes: number): number => 4 * Math.ceil(bytes / 3);

/** Numbers as little-endian float32, in base64. Throws `RangeError` where one is not finite as float32. */
export function encodeFloats(values: ArrayLike<number>): string {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (let i = 0; i < values.length; i++) {
    const value = Math.fround(values[i]!);
    if (!Number.isFinite(value)) throw new RangeError(`expected finite numbers, received ${values[i]} at ${i}`);
    view.setFloat32(i * 4, value, true);
  }
  return Buffer.from(view.buffer).toString('base64');
}

/** The numbers that {@link encodeFloats} wrote. Throws `RangeError` for another count, another spelling, or one that is not finite. */
export function decodeFloats(text: string, count: number): Float32Array<ArrayBuffer> {
  if (text.length !== base64Length(count * 4))
    throw new RangeError(`expected ${base64Length(count * 4)} characters of base64, received ${text.length}`);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== count * 4 || bytes.toString('base64') !== text)
    throw new RangeError(`expected base64 of ${count} numbers, received other text`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Float32Array.from({ length: count }, (_, i) => view.getFloat32(i * 4, true));
  const wrong = values.findIndex((v) => !Number.isFinite(v));
  if (wrong >= 0) throw new RangeError(`expected finite numbers, received ${values[wrong]} at ${wrong}`);
  return values;
}
