import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ModelFile, readModelFile, sniffFormat } from '@recurra/formats';
import { formatOfBytes, formatOfName } from '@recurra/formats/extend';
import { type Checkpoint, decodeCheckpoint, modelFromCheckpoint, type Storage } from '@recurra/layers';
import { toModelFile } from '@recurra/layers/extend';
import type { Tensor } from '@recurra/tensor';
import { CommandError } from './errors.js';

/** A file that was read: what it holds, and what it is. */
export interface Opened {
  readonly path: string;
  readonly bytes: number;
  readonly format: string;
  readonly title: string;
  readonly file: ModelFile;
  /** What it holds beside, which a `ModelFile` has no place for. */
  readonly notes: readonly string[];
}

/** The bytes of a file. Throws `CommandError` where there is none, and for what is none. */
async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'there is none'
        : code === 'EISDIR'
          ? 'it is a folder'
          : code === 'EACCES'
            ? 'permission is denied'
            : code === 'ERR_FS_FILE_TOO_LARGE'
              ? 'it is larger than 2 GiB'
              : message;
    throw new CommandError(`${path}: expected a file that can be read, but ${why}`);
  }
}

/** Reads a model file of any format, checkpoints too. Throws `CommandError` and `FormatError`. */
export async function open(path: string): Promise<Opened> {
  const bytes = await bytesOf(path);
  if (sniffFormat(bytes) === 'checkpoint') return checkpoint(path, bytes);
  const { name } = formatOfBytes(bytes, path);
  const beside = async (other: string): Promise<Uint8Array | null> => {
    try {
      return new Uint8Array(await readFile(join(dirname(path), other)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  };
  const file = await readModelFile(bytes, { label: path, beside });
  // Both layouts of HDF5 look alike until they are read.
  const format = formatOfName(name === 'weights.h5' && (file.model ?? file.layers) ? 'h5' : name, path);
  return { path, bytes: bytes.length, format: format.name, title: format.title, file, notes: [] };
}

const nothing = { model: null, compile: null, weights: null, layers: null, optimizer: null } as const;

async function checkpoint(path: string, bytes: Uint8Array): Promise<Opened> {
  const { meta, groups }: Checkpoint = decodeCheckpoint(bytes, path);
  const opened = { path, bytes: bytes.length, format: 'checkpoint', title: "checkpoint of Recurra's own" };
  if (meta['kind'] === 'run')
    throw new CommandError(
      `${path}: expected the file of a model, received the backup of a run. BackupAndRestore goes on with it.`,
    );
  const own = groups['optimizer'];
  const optimizer = own
    ? { name: 'optimizer', variables: own.map(({ path: name, value }) => ({ name, value })) }
    : null;
  const notes = own ? ["the optimizer's state, which loadCheckpoint puts in a model that is compiled as it was"] : [];
  if (meta['kind'] !== 'model') {
    const named = new Map<string, Tensor>((groups['weights'] ?? []).map((w) => [w.path, w.value]));
    return { ...opened, file: { ...nothing, named, optimizer, assets: new Map() }, notes };
  }
  const storage = {
    read: async () => bytes,
    ...Object.fromEntries(['write', 'append', 'list', 'remove'].map((m) => [m, () => {}])),
  };
  const model = await modelFromCheckpoint(path, { storage: storage as unknown as Storage });
  return { ...opened, file: { ...toModelFile(model as never), optimizer }, notes };
}
