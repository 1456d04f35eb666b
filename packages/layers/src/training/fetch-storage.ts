import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { type Storage, without } from './storage.js';

/**
 * Files of a server, read by `fetch`: `loadModel('models/model.json', { storage: fetchStorage('https://example.org/') })`, with all that lies beside it. Nothing is written there.
 * @param base what paths are relative to; the page, in browsers
 * @param init what `fetch` is given, such as headers
 * Throws `ValueError` for a base that is no address, and later for answers that are errors, other than 404 (no such file).
 */
export function fetchStorage(base: string | URL | null = null, init: RequestInit = {}): Storage {
  const label = 'fetchStorage';
  const { location } = globalThis as { location?: { href: string } };
  let start: URL | undefined;
  try {
    start = base === null ? location && new URL(location.href) : new URL(base, location?.href);
  } catch {
    throw new ValueError(`${label}: expected an address, received ${describeValue(base)}`);
  }
  const refused = without(label, 'is written to', 'Use downloadStorage() or indexedDbStorage().');
  return {
    read: async (path) => {
      if (!start && !URL.canParse(path))
        throw new ValueError(
          `${label}: expected an address, received "${path}", which is relative to none. Give fetchStorage a base.`,
        );
      const url = new URL(path, start);
      const response = await fetch(url, init);
      if (response.status === 404) return null;
      if (!response.ok)
        throw new ValueError(
          `${label}: expected a file at ${url.href}, received ${response.status} ${response.statusText}`,
        );
      return new Uint8Array(await response.arrayBuffer());
    },
    write: refused,
    append: refused,
    list: refused,
    remove: refused,
  };
}
