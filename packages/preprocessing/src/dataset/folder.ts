import { ValueError } from '@recurra/tensor';
import { builtin } from '../internal/builtin.js';
import { Dataset } from './dataset.js';
import { decode, decodeLeniently } from './lines.js';
import { type BadRowOptions, BadRows } from './rows.js';
import { ReadError } from './source.js';

/** One file of a {@link folderDataset}. */
export interface FolderText {
  readonly text: string;
  /** Name of the folder. */
  readonly label: string;
  /** Its place among the sorted names. */
  readonly classIndex: number;
  readonly file: string;
}

/** Options of {@link folderDataset}. */
export interface FolderOptions extends BadRowOptions {
  /** Names of files to read; `.txt` files by default. */
  readonly pattern?: RegExp;
  /** The classes, in the order of their numbers; all folders, sorted, by default. */
  readonly classNames?: readonly string[];
}

interface Entry {
  readonly label: string;
  readonly file: string;
  read(): Promise<Uint8Array>;
}

async function entriesOf(folder: string, pattern: RegExp): Promise<Entry[]> {
  const fs = builtin('node:fs/promises');
  const path = builtin('node:path');
  if (!fs || !path)
    throw new ReadError(
      `${folder}: expected files of a folder (from an input element), since there is no file system here`,
    );
  const entries: Entry[] = [];
  let labels: string[];
  try {
    labels = (await fs.readdir(folder, { withFileTypes: true })).filter((e) => e.isDirectory()).map((e) => e.name);
  } catch (error) {
    throw new ReadError(`${folder}: expected a folder, received ${(error as Error).message}`);
  }
  for (const label of labels.sort())
    for (const name of (await fs.readdir(path.join(folder, label))).sort())
      if (pattern.test(name)) {
        const file = path.join(folder, label, name);
        entries.push({ label, file, read: () => fs.readFile(file) });
      }
  return entries;
}

/** Files that a browser gave for a folder (`<input webkitdirectory>`): their paths end in `label/name`. */
function entriesOfFiles(files: Iterable<File>, pattern: RegExp): Entry[] {
  return Array.from(files, (file) => ({ file, parts: (file.webkitRelativePath || file.name).split('/') }))
    .filter(({ parts }) => parts.length > 1 && pattern.test(parts[parts.length - 1]!))
    .map(({ file, parts }) => ({
      label: parts[parts.length - 2]!,
      file: parts.join('/'),
      read: async () => new Uint8Array(await file.arrayBuffer()),
    }))
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

/**
 * The texts of a folder that has one folder a class: a path (Node), or the files of a browser's folder input. In the order of their
 * names: shuffle them. Texts that are not UTF-8 are bad rows. Keras `text_dataset_from_directory`.
 */
export function folderDataset(folder: string | Iterable<File>, options: FolderOptions = {}): Dataset<FolderText> {
  const { pattern = /\.txt$/i, classNames } = options;
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    const entries = typeof folder === 'string' ? await entriesOf(folder, pattern) : entriesOfFiles(folder, pattern);
    const names = classNames ?? [...new Set(entries.map((e) => e.label))].sort();
    if (entries.length === 0)
      throw new ValueError(
        `folderDataset: expected folders of files that match ${pattern}, received none${typeof folder === 'string' ? ` in ${folder}` : ''}`,
      );
    const classes = new Map(names.map((name, i) => [name, i]));
    for (const { label, file, read } of entries) {
      const classIndex = classes.get(label);
      if (classIndex === undefined) {
        if (classNames) continue;
        throw new ValueError(`folderDataset: expected a folder among ${names.join(', ')}, received ${label}`);
      }
      const bytes = await read();
      const text = decode(bytes);
      if (text === null) {
        bad.add({ reason: 'encoding', message: 'expected UTF-8', file, line: 1, text: decodeLeniently(bytes) });
        continue;
      }
      bad.report.good++;
      yield [{ text, label, classIndex, file }];
    }
    bad.finish();
  });
}
