import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStorage, nodeStorage, type Storage, storageFor } from './storage.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'storage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each<[string, () => Storage]>([
  ['files', nodeStorage],
  ['memory', memoryStorage],
])('%s: what is written is read, replaced, added to, listed and removed', async (_, make) => {
  const storage = make();
  const at = (name: string): string => `${folder}/${name}`;
  expect(await storage.read(at('a/b.bin'))).toBeNull();
  expect(await storage.list(at('a'))).toEqual([]);
  const given = bytes(1, 2, 3);
  await storage.write(at('a/b.bin'), given);
  given[0] = 9;
  expect(await storage.read(at('a/b.bin'))).toEqual(bytes(1, 2, 3));
  await storage.write(at('a/b.bin'), bytes(4));
  await storage.append(at('a/b.bin'), bytes(5, 6));
  await storage.append(at('a/c/d.bin'), bytes(7));
  expect(await storage.read(at('a/b.bin'))).toEqual(bytes(4, 5, 6));
  expect(await storage.list(at('a'))).toEqual([at('a/b.bin'), at('a/c/d.bin')]);
  await storage.remove(at('a/b.bin'));
  await storage.remove(at('a/b.bin'));
  expect(await storage.list(at('a'))).toEqual([at('a/c/d.bin')]);
  await storage.remove(at('a/c/d.bin'));
  expect(await storage.list(at('a'))).toEqual([]);
});

test('a file keeps its mode and stays behind its link, and unfinished files of dead processes go', async () => {
  const storage = nodeStorage();
  const file = join(folder, 'real.ckpt');
  writeFileSync(file, 'old');
  chmodSync(file, 0o640);
  symlinkSync(file, join(folder, 'link.ckpt'));
  // No process has this number on Linux: pid_max is at most 2^22.
  writeFileSync(`${file}.99999999.part`, 'torn');
  await storage.write(join(folder, 'link.ckpt'), bytes(65));
  expect(readFileSync(file, 'utf8')).toBe('A');
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder).sort()).toEqual(['link.ckpt', 'real.ckpt']);
});

test('a write that fails leaves nothing beside, and the old file', async () => {
  const storage = nodeStorage();
  const target = join(folder, 'folder');
  await storage.write(join(target, 'x'), bytes(1));
  await expect(storage.write(target, bytes(2))).rejects.toThrow(/EISDIR|directory/);
  expect(readdirSync(folder)).toEqual(['folder']);
});

test('what is no storage is refused', () => {
  expect(() => storageFor('CSVLogger', { read: () => {} } as never)).toThrow(
    /CSVLogger: expected storage to have the methods read, write, append, list, remove, received an object without write/,
  );
  const { process } = globalThis;
  try {
    (globalThis as { process?: unknown }).process = undefined;
    expect(() => storageFor('CSVLogger', undefined)).toThrow(/CSVLogger: expected a storage.*memoryStorage\(\)/);
  } finally {
    globalThis.process = process;
  }
});
