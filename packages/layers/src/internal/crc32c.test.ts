import { crc32c } from './crc32c.js';

// The vectors of RFC 3720, B.4, and the check value of the catalogue of parametrised CRCs.
test.each([
  ['zeros', new Uint8Array(32), 0x8a9136aa],
  ['ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['123456789', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
])('of %s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});
