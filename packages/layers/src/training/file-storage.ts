import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { type Storage, without } from './storage.js';

/** The parts of `File` that are used. */
interface NamedBlob extends Blob {
  readonly name: string;
}

const isFile = (value: unknown): value is NamedBlob =>
  typeof Blob !== 'undefined' && value instanceof Blob && typeof (value as Partial<NamedBlob>).name === 'string';

/**
 * Files that a person chose (`<input type="file" multiple>`, or dropped on the page), to be read by their names: `loadModel('model.json', { storage: fileStorage(input.files) })`. One
 * file alone needs no storage: `loadModel(file)`. Nothing is written there. Throws `ValueError` for what are no files, and for two of one name.
 */
export function fileStorage(files: Iterable<Blob & { readonly name: string }>): Storage {
  const label = 'fileStorage';
  const list: unknown[] =
    typeof files === 'object' && files !== null && Symbol.iterator in files ? [...files] : [files];
  const byName = new Map<string, NamedBlob>();
  for (const file of list) {
    if (!isFile(file))
      throw new ValueError(`${label}: expected files, such as input.files has, received ${describeValue(file)}`);
    if (byName.has(file.name))
      throw new ValueError(`${label}: expected files of different names, received two called "${file.name}"`);
    byName.set(file.name, file);
  }
  const refused = without(label, 'is written to', 'Use downloadStorage() or indexedDbStorage().');
  return {
    read: async (path) => {
      const file = byName.get(path);
      return file ? new Uint8Array(await file.arrayBuffer()) : null;
    },
    write: refused,
    append: refused,
    list: async (folder) => [...byName.keys()].filter((name) => folder === '' || name.startsWith(`${folder}/`)).sort(),
    remove: refused,
  };
}
