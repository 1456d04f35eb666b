import { FormatError, tensor, zeros } from '@recurra/tensor';
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
    for (const change of [1, 128]) {
      const edited = file.slice();
      edited[at]! ^= change;
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
