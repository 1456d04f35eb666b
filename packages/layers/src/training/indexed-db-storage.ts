import { ValueError } from '@recurra/tensor';
import { checkValue, concatenated, rules } from '@recurra/tensor/extend';
import { joined, type Storage } from './storage.js';

/** The table within a database. */
const TABLE = 'files';

/**
 * Files in the browser's IndexedDB, which stay when the page is closed: for models, checkpoints and backups. Each write is one transaction: whole or not at all. Throws `ValueError`
 * where there is no IndexedDB.
 * @param name of the database; 'recurra'
 */
export function indexedDbStorage(name: string = 'recurra'): Storage {
  checkValue('indexedDbStorage', 'the name', name, {
    expected: 'a name',
    accepts: (v) => rules.text.accepts(v) && v !== '',
  });
  if (typeof indexedDB === 'undefined')
    throw new ValueError('indexedDbStorage: expected a browser, or another place with IndexedDB, found none');
  // Opened on the first use, and once.
  let opened: Promise<{ db: typeof import('idb-keyval'); table: import('idb-keyval').UseStore }> | undefined;
  const open = () => {
    opened ??= import('idb-keyval').then((db) => ({ db, table: db.createStore(name, TABLE) }));
    return opened;
  };
  return {
    read: async (path) => {
      const { db, table } = await open();
      return (await db.get<Uint8Array>(path, table)) ?? null;
    },
    write: async (path, bytes) => {
      const { db, table } = await open();
      // A copy of its own memory: views into larger buffers would be stored with all of these, and shared memory not at all.
      await db.set(path, new Uint8Array(bytes), table);
    },
    append: async (path, bytes) => {
      const { db, table } = await open();
      await db.update<Uint8Array>(path, (before = new Uint8Array()) => concatenated([before, bytes]), table);
    },
    list: async (folder) => {
      const { db, table } = await open();
      const start = folder === '' ? '' : joined(folder, '');
      return (await db.keys<string>(table)).filter((path) => path.startsWith(start)).sort();
    },
    remove: async (path) => {
      const { db, table } = await open();
      await db.del(path, table);
    },
  };
}
