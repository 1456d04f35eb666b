import { ValueError } from '@recurra/tensor';
import { type Storage, without } from './storage.js';

/** What of a document is used: types of a package for browsers and Node alike do not depend on the DOM's. */
interface Page {
  createElement(name: 'a'): { href: string; download: string; click(): void };
}

/** How long the browser may take to begin with a download, in milliseconds. */
const BEGINS = 60_000;

/**
 * What is written becomes a download of the browser, under the last part of its path: `model.save('model.keras', { storage: downloadStorage() })`. Nothing is read there. Throws `ValueError`
 * where there is no page.
 */
export function downloadStorage(): Storage {
  const label = 'downloadStorage';
  const { document: page } = globalThis as { document?: Page };
  if (!page)
    throw new ValueError(`${label}: expected a page of a browser, found none. In Node, files need no storage.`);
  const refused = without(label, 'is read from', 'Use fileStorage(files) or indexedDbStorage().');
  return {
    read: refused,
    write: async (path, bytes) => {
      const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: 'application/octet-stream' }));
      const link = page.createElement('a');
      link.href = url;
      link.download = path.slice(path.lastIndexOf('/') + 1);
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), BEGINS);
    },
    append: refused,
    list: refused,
    remove: refused,
  };
}
