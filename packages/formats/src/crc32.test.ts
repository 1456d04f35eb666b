import { crc32 } from './crc32.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('the check value of the standard, and others', () => {
  expect(crc32(encode('123456789'))).toBe(0xcbf43926);
  expect(crc32(encode(''))).toBe(0);
  expect(crc32(encode('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
  expect(crc32(new Uint8Array(32))).toBe(0x190a55ad);
  expect(crc32(new Uint8Array(32).fill(0xff))).toBe(0xff6cab0b);
});

test('of parts, wherever they end', () => {
  const text = encode('The quick brown fox jumps over the lazy dog');
  for (let at = 0; at <= text.length; at++)
    expect(crc32(text.subarray(at), crc32(text.subarray(0, at)))).toBe(0x414fa339);
});
