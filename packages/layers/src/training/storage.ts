import { ValueError } from '@recurra/tensor';
import { builtin, concatenated, describeValue } from '@recurra/tensor/extend';

/**
 * Where callbacks keep what they write: files in Node, what you give elsewhere (the origin's private file system, IndexedDB, a server). Paths are
 * texts with `/` between their parts.
 */
export interface Storage {
  /** All bytes of a file; `null` where there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Replaces a file, or makes it, with the folders above it. Whole or not at all: whoever reads finds the old bytes or the new ones. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds bytes at the end of a file, or makes it. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** The paths of the files in a folder, and in those within it; none where there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Removes a file, and the folder it was the last one in; nothing where there is none. */
  remove(path: string): Promise<void>;
}

const METHODS: readonly (keyof Storage)[] = ['read', 'write', 'append', 'list', 'remove'];

/** What a callback writes to: what it was given, or files in Node. Throws `ValueError` for what is no storage, and elsewhere for none. */
export function storageFor(label: string, given: Storage | null | undefined): Storage {
  if (given === undefined || given === null) {
    if (builtin('node:fs/promises') === null)
      throw new ValueError(
        `${label}: expected a storage, since there are no files to write to here. Pass { storage }: indexedDbStorage(), memoryStorage(), or an object with ${METHODS.join(', ')}.`,
      );
    return nodeStorage();
  }
  const lacking = METHODS.find((method) => typeof (given as unknown as Record<string, unknown>)[method] !== 'function');
  if (lacking !== undefined)
    throw new ValueError(
      `${label}: expected storage to have the methods ${METHODS.join(', ')}, received ${describeValue(given)} without ${lacking}`,
    );
  return given;
}

/** Throws `ValueError` unless `path` is the name of something to write. */
export function expectPath(label: string, name: string, path: unknown): string {
  if (typeof path !== 'string' || path === '')
    throw new ValueError(`${label}: expected ${name} to be a path, received ${describeValue(path)}`);
  return path;
}

/** Parts of a path as one. */
export function joined(...parts: readonly string[]): string {
  return parts.map((part, i) => (i < parts.length - 1 ? part.replace(/(?<=.)\/+$/, '') : part)).join('/');
}

/** A method of a storage that it has not: reading where one writes alone, and the other way round. */
export function without(label: string, what: string, instead: string): () => Promise<never> {
  return async () => {
    throw new ValueError(`${label}: expected a storage that ${what}, received one that does not. ${instead}`);
  };
}

/** The path of a file beside another, by its name. */
export const besideOf = (path: string, name: string): string => path.replace(/[^/\\]*$/, '') + name;

/** A storage in memory: for tests, and for what need not outlive the page. */
export function memoryStorage(): Storage {
  const files = new Map<string, Uint8Array>();
  return {
    read: async (path) => files.get(path)?.slice() ?? null,
    write: async (path, bytes) => {
      files.set(path, bytes.slice());
    },
    append: async (path, bytes) => {
      const before = files.get(path) ?? new Uint8Array();
      files.set(path, concatenated([before, bytes]));
    },
    list: async (folder) => [...files.keys()].filter((path) => path.startsWith(joined(folder, ''))).sort(),
    remove: async (path) => {
      files.delete(path);
    },
  };
}

/** What of Node's `fs/promises` is used: types of a package for browsers do not depend on Node's. */
interface Files {
  readFile(path: string): Promise<Uint8Array>;
  appendFile(path: string, bytes: Uint8Array): Promise<void>;
  realpath(path: string): Promise<string>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  readdir(path: string): Promise<string[]>;
  readdir(path: string, options: { recursive: true; withFileTypes: true }): Promise<Entry[]>;
  stat(path: string): Promise<{ readonly mode: number }>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: true }): Promise<void>;
  rmdir(path: string): Promise<void>;
  open(
    path: string,
    flags: 'w',
  ): Promise<{
    writeFile(bytes: Uint8Array): Promise<void>;
    chmod(mode: number): Promise<void>;
    sync(): Promise<void>;
    close(): Promise<void>;
  }>;
}

interface Entry {
  readonly name: string;
  readonly parentPath?: string;
  /** What `parentPath` was called before. */
  readonly path: string;
  isFile(): boolean;
}

interface Paths {
  dirname(path: string): string;
  basename(path: string): string;
  join(...parts: string[]): string;
}

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

/** What a write that is not finished is called: by the process that writes, so that those of killed ones are told from it. */
const PART = /\.(\d+)\.part$/;

/**
 * Files, by way of Node (also in Deno and Bun). A file is replaced by one that was written beside it, to the disk, and renamed: a killed process
 * leaves the old one whole. What it left beside it is removed at the next write there.
 */
export function nodeStorage(): Storage {
  const fs = builtin<Files>('node:fs/promises');
  const path = builtin<Paths>('node:path');
  const { process } = globalThis as { process?: { pid: number; kill(pid: number, signal: 0): true } };
  if (!fs || !path || !process) throw new ValueError('nodeStorage: expected Node, Deno or Bun, found neither');
  const missing =
    <T>(instead: T) =>
    (error: unknown): T => {
      if (codeOf(error) === 'ENOENT') return instead;
      throw error;
    };
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch (error) {
      return codeOf(error) === 'EPERM';
    }
  };
  return {
    read: async (file) => {
      const bytes = await fs.readFile(file).catch(missing(null));
      return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    write: async (file, bytes) => {
      // A link keeps leading where it leads.
      const target = await fs.realpath(file).catch(missing(file));
      const folder = path.dirname(target);
      const name = path.basename(target);
      await fs.mkdir(folder, { recursive: true });
      for (const entry of await fs.readdir(folder)) {
        const [, pid] = (entry.startsWith(`${name}.`) && PART.exec(entry)) || [];
        if (pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid)))
          await fs.rm(path.join(folder, entry), { force: true });
      }
      const beside = `${target}.${process.pid}.part`;
      try {
        const out = await fs.open(beside, 'w');
        try {
          await out.writeFile(bytes);
          const old = await fs.stat(target).catch(missing(null));
          if (old) await out.chmod(old.mode & 0o7777);
          await out.sync();
        } finally {
          await out.close();
        }
        await fs.rename(beside, target);
      } catch (error) {
        await fs.rm(beside, { force: true });
        throw error;
      }
    },
    append: async (file, bytes) => {
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.appendFile(file, bytes);
    },
    list: async (folder) => {
      const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true }).catch(missing<Entry[]>([]));
      return entries
        .filter((entry) => entry.isFile() && !PART.test(entry.name))
        .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
        .sort();
    },
    remove: async (file) => {
      await fs.rm(file, { force: true });
      const folder = path.dirname(file);
      const left = await fs.readdir(folder).catch(missing(null));
      // Unfinished files of killed processes do not keep a folder.
      if (left?.every((name) => PART.test(name) && !isAlive(Number(PART.exec(name)![1])))) {
        for (const name of left) await fs.rm(path.join(folder, name), { force: true });
        if (folder !== '.') await fs.rmdir(folder).catch(() => {});
      }
    },
  };
}
