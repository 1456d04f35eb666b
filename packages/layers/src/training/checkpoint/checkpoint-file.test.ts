import { FormatError, tensor, zeros } from '@recurra/tensor';
import { crc32c } from '../../internal/crc32c.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';

const bits = new Float32Array(new Uint32Array([0x7fc12345, 0x80000000, 0xff800000, 0x00000001]).buffer);
const CHECKPOINT = {
  meta: { kind: 'test', none: null, worst: Number.NaN, low: -Infinity, zero: -0, texts: ['ä', '\u0000'] },
  groups: {
    a: [
      { path: 'x/kernel', value: tensor(bits.slice(), { shape: [2, 2] }) },
      { path: 'x/flags', value: tensor([true, false, true]) },
      { path: 'x/count', value: tensor(Int32Array.of(-7)).reshape([]) },
    ],
    b: [
      { path: 'y', value: zeros([0, 3]) },
      { path: 'z', value: tensor(Float64Array.of(Math.PI, -0)) },
      // Not as it lies in memory.
      { path: 't', value: tensor([[1, 2, 3]]).transpose() },
    ],
    none: [],
  },
};

test('what is read has the bits of what was written', () => {
  const file = encodeCheckpoint(CHECKPOINT);
  // Anywhere in a buffer.
  const shifted = new Uint8Array(file.length + 3).subarray(3);
  shifted.set(file);
  const { meta, groups } = decodeCheckpoint(shifted);
  expect(meta).toEqual(CHECKPOINT.meta);
  expect(Object.is(meta['zero'], -0)).toBe(true);
  expect(Object.keys(groups)).toEqual(['a', 'b', 'none']);
  for (const [name, tensors] of Object.entries(CHECKPOINT.groups))
    tensors.forEach(({ path, value }, i) => {
      const read = groups[name]![i]!;
      expect(read.path).toBe(path);
      expect([read.value.dtype, read.value.shape]).toEqual([value.dtype, value.shape]);
      const raw = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      expect([...raw(read.value.data as never)]).toEqual([...raw(value.data as never)]);
    });
});

test('a file with any byte changed, cut anywhere or added to is refused', () => {
  const file = encodeCheckpoint(CHECKPOINT);
  for (let at = 0; at < file.length; at++)
    for (let bit = 0; bit < 8; bit++) {
      const edited = file.slice();
      edited[at]! ^= 1 << bit;
      expect(() => decodeCheckpoint(edited)).toThrow(FormatError);
    }
  for (let length = 0; length < file.length; length++)
    expect(() => decodeCheckpoint(file.subarray(0, length))).toThrow(FormatError);
  expect(() => decodeCheckpoint(Uint8Array.of(...file, 0))).toThrow(/torn or was edited/);
  expect(() => decodeCheckpoint(new TextEncoder().encode('{"a": 1}'), 'here')).toThrow(
    /^here: expected a checkpoint of Recurra, received a file of 8 bytes that is none/,
  );
  expect(() => decodeCheckpoint(new TextEncoder().encode('recurra checkpoint 2\n....'))).toThrow(/another version/);
});

/** A checkpoint of any header, with a checksum that fits. */
function forged(header: unknown): Uint8Array {
  const magic = new TextEncoder().encode('recurra checkpoint 1\n');
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const size = Math.ceil((magic.length + 4 + text.length) / 8) * 8;
  const file = new Uint8Array(size + 4);
  const view = new DataView(file.buffer);
  file.set(magic);
  view.setUint32(magic.length, text.length, true);
  file.set(text, magic.length + 4);
  view.setUint32(size, crc32c(file.subarray(0, size)), true);
  return file;
}

test.each<[string, unknown]>([
  ['no JSON', '{'],
  ['a list', []],
  ['no groups', { meta: {} }],
  ['a group that is none', { meta: {}, groups: { a: {} } }],
  ['a tensor that is none', { meta: {}, groups: { a: [null] } }],
  ['a tensor without a name', { meta: {}, groups: { a: [{ dtype: 'float32', shape: [0] }] } }],
  ['a dtype of all objects', { meta: {}, groups: { a: [{ path: 'x', dtype: 'constructor', shape: [0] }] } }],
  ['more elements than there are', { meta: {}, groups: { a: [{ path: 'x', dtype: 'float32', shape: [2 ** 40] }] } }],
  ['sizes beyond numbers', { meta: {}, groups: { a: [{ path: 'x', dtype: 'float32', shape: [1e300, 1e300, 0] }] } }],
  ['half a size', { meta: {}, groups: { a: [{ path: 'x', dtype: 'float32', shape: [0.5] }] } }],
])('a header with a checksum that fits is refused: %s', (_, header) => {
  expect(() => decodeCheckpoint(forged(header))).toThrow(FormatError);
});

test('names are names, and what looks like a number is what it was', () => {
  const meta = { a: { $number: 'three' }, b: { $number: 'NaN', more: 1 }, c: ['NaN'] };
  const groups = JSON.parse('{"__proto__":[],"constructor":[]}');
  const again = decodeCheckpoint(encodeCheckpoint({ meta, groups }));
  expect(again.meta).toEqual(meta);
  expect(Object.keys(again.groups)).toEqual(['__proto__', 'constructor']);
  expect(Object.getPrototypeOf(again.groups)).toBe(Object.prototype);
});
