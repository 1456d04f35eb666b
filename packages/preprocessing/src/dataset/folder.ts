import { ValueError } from '@recurra/tensor';
import { checkRules, checkValue, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { builtin } from '../internal/builtin.js';
import { stringsOf } from '../internal/texts.js';
import { Dataset } from './dataset.js';
import { decode, decodeLeniently } from './lines.js';
import { BAD_ROW_RULES, type BadRowOptions, BadRows } from './rows.js';
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
  /** The classes, in the order of their numbers; other folders are left out. All folders, sorted, by default. */
  readonly classNames?: readonly string[];
}

const FOLDER_RULES = {
  ...BAD_ROW_RULES,
  pattern: rules.instanceOf(RegExp, 'a regular expression'),
  classNames: rules.anything,
} satisfies Rules<FolderOptions>;

const FOLDER: Rule = {
  expected: 'a path, or the files of a folder',
  accepts: (v) =>
    typeof v === 'string' || typeof (v as { [Symbol.iterator]?: unknown } | null)?.[Symbol.iterator] === 'function',
};
const FILE: Rule = {
  expected: 'a File',
  accepts: (v) => {
    const { name, arrayBuffer } = (v ?? {}) as Partial<File>;
    return typeof name === 'string' && typeof arrayBuffer === 'function';
  },
};

interface Entry {
  readonly label: string;
  readonly file: string;
  read(): Promise<Uint8Array>;
}

/** Does a name match? Each by itself: patterns with the flags g or y remember where the last match ended. */
function matcher(pattern: RegExp): (name: string) => boolean {
  const own = new RegExp(pattern);
  return (name) => {
    own.lastIndex = 0;
    return own.test(name);
  };
}

/** The files of a folder and of those in it that match, sorted; links are followed, but not in circles. */
async function* filesIn(
  folder: string,
  matches: (name: string) => boolean,
  above: ReadonlySet<string>,
): AsyncGenerator<string, void, void> {
  const fs = builtin('node:fs/promises')!;
  const path = builtin('node:path')!;
  const real = await fs.realpath(folder);
  if (above.has(real)) return;
  const names = (await fs.readdir(folder)).sort();
  const inner: string[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const stat = await fs.stat(file).catch((error: Error) => {
      // A link that leads nowhere, as editors leave them, matters where it should be a text.
      if (matches(name)) throw error;
      return null;
    });
    if (stat?.isDirectory()) inner.push(file);
    else if (stat?.isFile() && matches(name)) yield file;
  }
  for (const one of inner) yield* filesIn(one, matches, new Set([...above, real]));
}

async function entriesOf(folder: string, matches: (name: string) => boolean): Promise<Entry[]> {
  const fs = builtin('node:fs/promises');
  const path = builtin('node:path');
  if (!fs || !path)
    throw new ReadError(
      `${folder}: expected files of a folder (from an input element), since there is no file system here`,
    );
  const entries: Entry[] = [];
  try {
    for (const label of (await fs.readdir(folder)).sort()) {
      const own = path.join(folder, label);
      // A link to a folder is a folder.
      if (!(await fs.stat(own)).isDirectory()) continue;
      for await (const file of filesIn(own, matches, new Set([await fs.realpath(folder)])))
        entries.push({ label, file, read: () => fs.readFile(file) });
    }
  } catch (error) {
    throw new ReadError(
      `${(error as NodeJS.ErrnoException).path ?? folder}: expected a folder of folders of files that can be read, received ${(error as Error).message}`,
    );
  }
  return entries;
}

/** Files that a browser gave for a folder (`<input webkitdirectory>`): their paths are `folder/label/name`, or have more folders within. */
function entriesOfFiles(files: Iterable<File>, matches: (name: string) => boolean): Entry[] {
  const parted = (file: File, i: number): { file: File; parts: string[] } => {
    checkValue('folderDataset', `file ${i}`, file, FILE);
    return { file, parts: (file.webkitRelativePath || file.name).split('/') };
  };
  return Array.from(files, parted)
    .filter(({ parts }) => parts.length > 1 && matches(parts[parts.length - 1]!))
    .map(({ file, parts }) => ({
      label: parts[parts.length === 2 ? 0 : 1]!,
      file: parts.join('/'),
      read: async () => new Uint8Array(await file.arrayBuffer()),
    }))
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

/**
 * The texts of a folder that has one folder a class: a path (Node), or the files of a browser's folder input. Folders within a class belong to
 * it, links are followed. In the order of their names: shuffle them. Texts that are not UTF-8 are bad rows. Keras
 * `text_dataset_from_directory`.
 *
 * Throws `ReadError` for what cannot be read, `ValueError` where no file matches, or a name of `classNames` has no files.
 */
export function folderDataset(folder: string | Iterable<File>, options: FolderOptions = {}): Dataset<FolderText> {
  checkValue('folderDataset', 'the folder', folder, FOLDER);
  checkRules('folderDataset', options, FOLDER_RULES);
  const { pattern = /\.txt$/i } = options;
  const matches = matcher(pattern);
  const classNames =
    options.classNames === undefined ? null : stringsOf('folderDataset', 'classNames', options.classNames);
  if (classNames && new Set(classNames).size !== classNames.length)
    throw new ValueError(`folderDataset: expected each of classNames once, received ${JSON.stringify(classNames)}`);
  return Dataset.fromChunks(async function* () {
    const bad = new BadRows(options);
    const entries = typeof folder === 'string' ? await entriesOf(folder, matches) : entriesOfFiles(folder, matches);
    if (entries.length === 0)
      throw new ValueError(
        `folderDataset: expected folders of files that match ${pattern}, received none${typeof folder === 'string' ? ` in ${folder}` : ''}`,
      );
    const found = [...new Set(entries.map((e) => e.label))].sort();
    const names = classNames ?? found;
    const absent = names.find((name) => !found.includes(name));
    if (absent !== undefined)
      throw new ValueError(
        `folderDataset: expected a folder of files for each of classNames, received none for ${JSON.stringify(absent)} beside ${found.join(', ')}`,
      );
    const classes = new Map(names.map((name, i) => [name, i]));
    for (const { label, file, read } of entries) {
      const classIndex = classes.get(label);
      if (classIndex === undefined) continue;
      const bytes = await read().catch((error: Error) => {
        throw new ReadError(`${file}: expected a file that can be read, received ${error.message}`);
      });
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
