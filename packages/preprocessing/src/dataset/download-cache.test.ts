import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { ReadError, type ReadOptions, readBytes } from '../index.js';

// A page: no modules of Node.
jest.mock('../internal/builtin.js', () => ({ builtin: () => null }));

const url = 'data:text/plain,the%20file';
const text = async (source: Parameters<typeof readBytes>[0], options: ReadOptions = {}): Promise<string> => {
  let all = '';
  for await (const chunk of readBytes(source, options)) all += new TextDecoder().decode(chunk);
  return all;
};
const digest = (bytes: string): string => createHash('sha256').update(bytes).digest('hex');

/** What is used of a browser's caches. */
class Caches {
  readonly kept = new Map<string, { bytes: Uint8Array<ArrayBuffer>; headers: Headers }>();
  puts = 0;

  async open(): Promise<Pick<Cache, 'match' | 'put' | 'delete'>> {
    return {
      match: async (key) => {
        const found = this.kept.get(String(key));
        return found && new Response(found.bytes, { headers: found.headers });
      },
      put: async (key, response) => {
        this.puts++;
        this.kept.set(String(key), { bytes: new Uint8Array(await response.arrayBuffer()), headers: response.headers });
      },
      delete: async (key) => this.kept.delete(String(key)),
    };
  }
}

const global = globalThis as { caches?: unknown };
afterEach(() => {
  delete global.caches;
});

test('kept in the cache of a browser, for each set of headers; damaged, it is fetched again', async () => {
  const caches = new Caches();
  global.caches = caches;
  for (let pass = 0; pass < 2; pass++) {
    expect(await text(url, { cache: 'mine' })).toBe('the file');
    expect(await text(url, { cache: 'mine', headers: { authorization: 'alice' }, sha256: digest('the file') })).toBe(
      'the file',
    );
  }
  expect(caches.puts).toBe(2);
  for (const entry of caches.kept.values()) entry.bytes = new Uint8Array([...entry.bytes.subarray(1)]);
  expect(await text(url, { cache: 'mine' })).toBe('the file');
  expect(caches.puts).toBe(3);
  // What has no checksum beside is not trusted.
  for (const entry of caches.kept.values()) entry.headers = new Headers();
  expect(await text(url, { cache: 'mine' })).toBe('the file');
  expect(caches.puts).toBe(4);
  await expect(text(url, { cache: 'mine', sha256: digest('another') })).rejects.toThrow(/expected SHA-256/);
});

test('where there is no cache, that is told', async () => {
  await expect(text(url, { cache: 'mine' })).rejects.toThrow(ReadError);
  await expect(text(url, { cache: 'mine' })).rejects.toThrow(/pages need https/);
  await expect(text('path')).rejects.toThrow(/no file system here/);
});

test('checksums and gzip by the page itself', async () => {
  const zipped = new Uint8Array(gzipSync('the text'));
  expect(await text(zipped, { sha256: createHash('sha256').update(zipped).digest('hex') })).toBe('the text');
  await expect(text(zipped, { sha256: digest('x') })).rejects.toThrow(/expected SHA-256/);
  await expect(text(zipped.subarray(0, 15))).rejects.toThrow(/a whole gzip file/);
});
