import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectComplete } from './complete.js';

const folder = mkdtempSync(join(tmpdir(), 'recurra-complete-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** An ELF file of 64-bit words, lowest byte first, whose table of three sections is its last part. */
function elf(size: number, sections: number): Buffer {
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  file.writeBigUInt64LE(BigInt(sections), 40);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(3, 60);
  return file;
}

test('files that end before their table of sections does are cut off', () => {
  const file = join(folder, 'x.node');
  const whole = elf(1000, 1000 - 192);
  writeFileSync(file, whole);
  expect(() => expectComplete(file)).not.toThrow();
  for (const size of [999, 808, 500, 64]) {
    writeFileSync(file, whole.subarray(0, size));
    expect(() => expectComplete(file)).toThrow(`${file} is cut off: expected 1000 bytes, received ${size}`);
  }
  // Not even the header is there.
  writeFileSync(file, whole.subarray(0, 40));
  expect(() => expectComplete(file)).toThrow(`${file} is cut off: expected 64 bytes, received 40`);
});

test('what is no such file is left to the loader', () => {
  const file = join(folder, 'y.node');
  for (const content of ['', 'none', Buffer.alloc(100), elf(1000, 5000).fill(1, 4, 5)]) {
    writeFileSync(file, content);
    expect(() => expectComplete(file)).not.toThrow();
  }
  expect(() => expectComplete(join(folder, 'absent'))).toThrow(/ENOENT/);
});

test('a program of this machine is complete', () => {
  const isElf = readFileSync(process.execPath).readUInt32BE(0) === 0x7f454c46;
  expect(isElf).toBe(process.platform === 'linux');
  expect(() => expectComplete(process.execPath)).not.toThrow();
});
