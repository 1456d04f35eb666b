import { fileVersion, histogram, record, scalarEvent } from './events.js';
import { Message } from './protobuf.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('messages are encoded as the guide to the encoding of Protocol Buffers has them', () => {
  // Its examples: field 1 with 150, field 2 with "testing", a message in field 3.
  expect(hex(new Message().integer(1, 150).finish())).toBe('089601');
  expect(hex(new Message().bytes(2, 'testing').finish())).toBe('120774657374696e67');
  expect(hex(new Message().bytes(3, new Message().integer(1, 150)).finish())).toBe('1a03089601');
  // Beyond 32 bits, as a step or a field may be.
  expect(hex(new Message().integer(1, 2 ** 40).finish())).toBe('08808080808020');
  expect(hex(new Message().double(1, 1).finish())).toBe('09000000000000f03f');
});

test('a record has masked sums of its length and its data', () => {
  // TensorFlow 2's own first record of a file of this time, but for the source of the writer.
  const bytes = fileVersion(0);
  expect(hex(bytes.subarray(0, 8))).toBe('1800000000000000');
  // The masked sum of the length 24, which begins every file of TensorFlow 1.
  expect(hex(bytes.subarray(8, 12))).toBe('a37f4b22');
  expect(bytes.length).toBe(8 + 4 + 24 + 4);
  expect(new TextDecoder().decode(bytes.subarray(23, 36))).toBe('brain.Event:2');
  expect(hex(record(new Uint8Array()))).toBe(`0000000000000000${'29039807'}${'d8ea82a2'}`);
});

test('a scalar is a float tensor for the plugin of scalars', () => {
  const text = hex(scalarEvent(0, 300, 'loss', 0.5));
  expect(text).toContain(Buffer.from('loss').toString('hex'));
  expect(text).toContain(Buffer.from('scalars').toString('hex'));
  // step: field 2, varint 300; the tensor's content: field 4, four bytes of 0.5.
  expect(text).toContain('10ac02');
  expect(text).toContain('22040000003f');
});

test('histograms: 30 intervals that hold all finite values, one around a single value, none for none', () => {
  const rows = histogram([0, 1, 2, 3, 30, Number.NaN, Number.POSITIVE_INFINITY]);
  expect(rows).toHaveLength(30);
  expect(rows.slice(0, 4)).toEqual([
    [0, 1, 1],
    [1, 2, 1],
    [2, 3, 1],
    [3, 4, 1],
  ]);
  expect(rows[29]).toEqual([29, 30, 1]);
  expect(rows.reduce((sum, [, , count]) => sum + count, 0)).toBe(5);
  expect(histogram([2, 2, 2])).toEqual([[1.5, 2.5, 3]]);
  expect(histogram([])).toEqual([]);
});
