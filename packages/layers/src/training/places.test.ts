import 'fake-indexeddb/auto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ValueError } from '@recurra/tensor';
import { Dense, Input, loadModel, Sequential } from '../index.js';
import { downloadStorage } from './download-storage.js';
import { fetchStorage } from './fetch-storage.js';
import { fileStorage } from './file-storage.js';
import { indexedDbStorage } from './indexed-db-storage.js';
import { memoryStorage, type Storage } from './storage.js';

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
const weightsOf = (model: { getWeights(): { data: ArrayLike<number> }[] }): number[] =>
  model.getWeights().flatMap((w) => Array.from(w.data));
const model = new Sequential([Input({ shape: [2] }), new Dense(1)]);
let file: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  const storage = memoryStorage();
  await model.save('m.keras', { storage });
  file = new Uint8Array((await storage.read('m.keras'))!);
});

test('IndexedDB keeps files, and models in them', async () => {
  const storage = indexedDbStorage('one');
  expect(await storage.read('a/b')).toBeNull();
  const given = bytes(0, 1, 2, 3).subarray(1);
  await storage.write('a/b', given);
  given[0] = 9;
  const again = (await storage.read('a/b'))!;
  expect([...again]).toEqual([1, 2, 3]);
  expect(again.buffer.byteLength).toBe(3);
  await storage.append('a/b', bytes(4));
  await Promise.all([storage.append('c', bytes(5)), storage.append('c', bytes(6))]);
  expect([...(await storage.read('a/b'))!, ...(await storage.read('c'))!]).toEqual([1, 2, 3, 4, 5, 6]);
  await storage.write('ab', bytes(7));
  expect(await storage.list('a')).toEqual(['a/b']);
  expect(await storage.list('')).toEqual(['a/b', 'ab', 'c']);
  await storage.remove('a/b');
  await storage.remove('a/b');
  expect(await storage.list('a')).toEqual([]);
  await model.save('models/m.keras', { storage });
  // Another visit of the page.
  expect(weightsOf(await loadModel('models/m.keras', { storage: indexedDbStorage('one') }))).toEqual(weightsOf(model));
  await expect(loadModel('models/m.keras', { storage: indexedDbStorage() })).rejects.toThrow(/found none/);
});

test('files that a person chose are read by their names', async () => {
  const storage = fileStorage([new File([file], 'm.keras'), new File(['x'], 'other.txt')]);
  expect(weightsOf(await loadModel('m.keras', { storage }))).toEqual(weightsOf(model));
  expect(weightsOf(await loadModel(new File([file], 'any')))).toEqual(weightsOf(model));
  expect(await storage.read('none')).toBeNull();
  expect(await storage.list('')).toEqual(['m.keras', 'other.txt']);
  await expect(model.save('m.keras', { storage })).rejects.toThrow(
    /fileStorage: expected a storage that is written to/,
  );
});

test('what is saved to downloads is downloaded under its name', async () => {
  const links: { href: string; download: string; clicked: number }[] = [];
  const blobs: Blob[] = [];
  const place = globalThis as { document?: unknown };
  const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  const revoked: string[] = [];
  URL.createObjectURL = (blob) => `blob:${blobs.push(blob as Blob)}`;
  URL.revokeObjectURL = (url) => void revoked.push(url);
  place.document = {
    createElement: () => {
      const link = { href: '', download: '', clicked: 0, click: () => void link.clicked++ };
      links.push(link);
      return link;
    },
  };
  try {
    const storage = downloadStorage();
    await model.save('folder/m.keras', { storage });
    expect(links).toMatchObject([{ href: 'blob:1', download: 'm.keras', clicked: 1 }]);
    expect(weightsOf(await loadModel(new Uint8Array(await blobs[0]!.arrayBuffer())))).toEqual(weightsOf(model));
    expect(revoked).toEqual([]);
    jest.runAllTimers();
    expect(revoked).toEqual(['blob:1']);
    await expect(storage.read('m.keras')).rejects.toThrow(/expected a storage that is read from/);
  } finally {
    jest.useRealTimers();
    delete place.document;
    Object.assign(URL, { createObjectURL: create, revokeObjectURL: revoke });
  }
  expect(() => downloadStorage()).toThrow(/expected a page of a browser, found none/);
});

describe('a server', () => {
  let server: Server;
  let base: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/models/m.keras' && request.headers['x-key'] === '1') response.end(file);
      else response.writeHead(request.url === '/models/m.keras' ? 403 : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('gives files by their addresses', async () => {
    const storage = fetchStorage(base, { headers: { 'x-key': '1' } });
    expect(weightsOf(await loadModel('m.keras', { storage }))).toEqual(weightsOf(model));
    expect(weightsOf(await loadModel(`${base}m.keras`, { storage }))).toEqual(weightsOf(model));
    await expect(loadModel('n.keras', { storage })).rejects.toThrow(/expected a file at "n.keras", found none/);
    await expect(loadModel('m.keras', { storage: fetchStorage(base) })).rejects.toThrow(/m.keras, received 403/);
    await expect(loadModel('m.keras', { storage: fetchStorage() })).rejects.toThrow(
      /relative to none. Give fetchStorage a base/,
    );
    await expect(model.save('m.keras', { storage })).rejects.toThrow(/expected a storage that is written to/);
  });
});

test.each<[string, () => Storage, RegExp]>([
  ['no name', () => indexedDbStorage(''), /indexedDbStorage: expected the name to be a name/],
  ['a name that is none', () => indexedDbStorage(5 as never), /indexedDbStorage/],
  ['no files', () => fileStorage([5] as never), /fileStorage: expected files, such as input.files has, received 5/],
  ['null', () => fileStorage(null as never), /fileStorage: expected files/],
  ['a name twice', () => fileStorage([new File([], 'a'), new File([], 'a')]), /two called "a"/],
  ['no address', () => fetchStorage('models/'), /fetchStorage: expected an address, received/],
])('%s is refused', (_, make, message) => {
  expect(make).toThrow(ValueError);
  expect(make).toThrow(message);
});

test('without IndexedDB, that is told', () => {
  const place = globalThis as { indexedDB?: unknown };
  const { indexedDB: kept } = place;
  delete place.indexedDB;
  try {
    expect(() => indexedDbStorage()).toThrow(/expected a browser, or another place with IndexedDB/);
  } finally {
    place.indexedDB = kept;
  }
});
