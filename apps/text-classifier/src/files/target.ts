import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from '../errors.js';
import { discard, removeAbandoned, temporaryIn } from './temporary.js';

/** A place that can be written to, as {@link checkTarget} found it. */
export interface Target {
  /** The name as it was given, for messages. */
  readonly name: string;
  /** Where the bytes go: what symbolic links lead to. */
  readonly path: string;
  /** Devices and pipes take the bytes as they are; a file is written beside and renamed. */
  readonly through: boolean;
}

const reason = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ELOOP: 'its symbolic links go in a circle',
    ENAMETOOLONG: 'the name is too long',
    ENOSPC: 'the disk is full',
    ENOTDIR: 'a part of its path is no folder',
    EPERM: 'permission denied',
    EPIPE: 'its reader has gone',
    EROFS: 'the disk is read-only',
  };
  return (code !== undefined && known[code]) || message;
};

const cannot = (name: string, why: string): CommandError => new CommandError(`${name}: cannot be written: ${why}`);

/** Names of open files (`/dev/stdout`, `/dev/fd/3`): what they lead to is written through them, not replaced. */
const isOpenFile = (path: string): boolean => /^\/(proc|dev)\//.test(path) && !path.startsWith('/dev/shm/');

/**
 * Can this path be written to? Asked before long work. Follows symbolic links, removes what a killed process left unfinished there, and tries a
 * file in the folder where it exists. Throws `CommandError` for a folder, a missing permission, a read-only disk, a path through a file, ...;
 * and for one of `inputs`, which it would overwrite.
 */
export function checkTarget(name: string, inputs: readonly string[] = []): Target {
  if (name === '') throw new CommandError('--out: expected the name of a file, received an empty one', 2);
  if (/[\\/]$/.test(name) && (sep === '\\' || name.endsWith('/')))
    throw cannot(name, 'expected a file, received a folder');
  try {
    const given = resolve(name);
    const stat = statSync(given, { throwIfNoEntry: false });
    if (stat?.isDirectory()) throw cannot(name, 'it is a folder');
    if (stat) for (const input of inputs) refuseSame(name, stat, input);
    if (stat && (!stat.isFile() || isOpenFile(given))) {
      accessSync(given, constants.W_OK);
      return { name, path: given, through: true };
    }
    const path = stat ? realpathSync(given) : followed(given);
    // Renaming needs no right to the file itself: a file that is protected against writing stays as it is.
    if (stat) accessSync(path, constants.W_OK);
    tryFolder(dirname(path));
    return { name, path, through: false };
  } catch (error) {
    throw error instanceof CommandError ? error : cannot(name, reason(error));
  }
}

function refuseSame(name: string, stat: Stats, input: string): void {
  const other = statSync(input, { throwIfNoEntry: false });
  if (stat.isFile() && other && other.dev === stat.dev && other.ino === stat.ino)
    throw cannot(name, `it is also read (${input})`);
}

/** Where a path leads that does not exist yet: to the end of its symbolic links. */
function followed(path: string): string {
  let at = path;
  for (let i = 0; i < 40; i++) {
    let link: string;
    try {
      link = readlinkSync(at);
    } catch {
      return at;
    }
    at = resolve(dirname(at), link);
  }
  throw Object.assign(new Error(), { code: 'ELOOP' });
}

function tryFolder(folder: string): void {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) {
    // It will be made: where its first ancestor lets us.
    const parent = dirname(folder);
    if (parent !== folder) {
      const above = statSync(parent, { throwIfNoEntry: false });
      if (above?.isDirectory()) accessSync(parent, constants.W_OK | constants.X_OK);
      else tryFolder(parent);
    }
    return;
  }
  if (!stat.isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  removeAbandoned(folder);
  const probe = temporaryIn(folder);
  closeSync(openSync(probe, 'wx'));
  discard(probe);
}

/**
 * Writes all bytes, or leaves the file as it was: beside the target first, then renamed, so that no reader sees half of it. An existing file keeps
 * its mode and, where permitted, its owner. Devices and pipes are written through; a pipe waits for its reader. Throws `CommandError`.
 * @param onTemporary is told the name of the unfinished file before it is made
 */
export async function writeTarget(
  target: Target,
  bytes: Uint8Array,
  onTemporary: (path: string) => void = () => {},
): Promise<void> {
  try {
    if (target.through) await writeThrough(target.path, bytes);
    else replace(target.path, bytes, onTemporary);
  } catch (error) {
    throw cannot(target.name, reason(error));
  }
}

function replace(path: string, bytes: Uint8Array, onTemporary: (path: string) => void): void {
  mkdirSync(dirname(path), { recursive: true });
  const old = statSync(path, { throwIfNoEntry: false });
  const temporary = temporaryIn(dirname(path));
  onTemporary(temporary);
  try {
    const file = openSync(temporary, 'wx');
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      if (old) keepOwner(file, old);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

function keepOwner(file: number, old: Stats): void {
  try {
    fchownSync(file, old.uid, old.gid);
  } catch {
    // Giving files away is a privilege of the administrator.
  }
  fchmodSync(file, old.mode & 0o7777);
}

/** Never blocks, so that the process can be stopped while a pipe has no reader, or a slow one. */
async function writeThrough(path: string, bytes: Uint8Array): Promise<void> {
  const file = await patiently('ENXIO', () =>
    openSync(path, constants.O_WRONLY | constants.O_APPEND | (constants.O_NONBLOCK ?? 0)),
  );
  try {
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      at += await patiently('EAGAIN', () => writeSync(file, bytes, from));
    }
  } finally {
    closeSync(file);
  }
}

async function patiently<T>(code: string, attempt: () => T): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== code) throw error;
    }
    await wait(10);
  }
}
