import type { Tensor } from '@recurra/tensor';
import { denseData } from '@recurra/tensor/extend';
import { pacer } from '../pause.js';

/** What an attribute holds. */
export type Hdf5Attribute = string | number | readonly string[] | readonly number[];

/** A group of an HDF5 file as a plain value: attributes, groups and data sets by their names. */
export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>;
  readonly groups: ReadonlyMap<string, Hdf5Group>;
  readonly datasets: ReadonlyMap<string, Tensor>;
}

type Library = typeof import('h5wasm');

/** The library, once it is asked for: it is large. */
async function load(): Promise<Library> {
  const library = await import('h5wasm');
  await library.ready;
  return library;
}

let files = 0;

/** Runs `f` with a name of a file in the library's file system, which is gone afterwards, whatever happens. */
async function withFile<R>(
  library: Library,
  f: (name: string, fs: NonNullable<Library['FS']>) => Promise<R>,
): Promise<R> {
  const fs = library.FS!;
  const name = `recurra-${++files}.h5`;
  try {
    return await f(name, fs);
  } finally {
    try {
      // What the library still has open after an error is empty then.
      fs.truncate(name, 0);
      fs.unlink(name);
    } catch {
      // It was not made.
    }
  }
}

/** A group as an HDF5 file. */
export async function writeHdf5(root: Hdf5Group): Promise<Uint8Array> {
  const library = await load();
  return withFile(library, async (name, fs) => {
    const pace = pacer();
    // As h5py writes by itself: the layout that every reader knows.
    const file = new library.File(name, 'w', { libver: ['earliest', 'latest'] });
    try {
      const fill = async (group: InstanceType<Library['Group']>, from: Hdf5Group): Promise<void> => {
        for (const [key, value] of from.attributes) writeAttribute(group, key, value);
        for (const [key, value] of from.datasets) {
          writeDataset(group, key, value);
          await pace();
        }
        for (const [key, child] of from.groups) await fill(group.create_group(key), child);
      };
      await fill(file, root);
      file.flush();
    } finally {
      file.close();
    }
    return fs.readFile(name);
  });
}

function writeAttribute(group: InstanceType<Library['Group']>, key: string, value: Hdf5Attribute): void {
  // A list without elements says nothing of their type: as h5py, it is one of numbers.
  if (Array.isArray(value) && value.length === 0) group.create_attribute(key, new Float64Array(0), [0], '<d');
  else group.create_attribute(key, value as string | string[]);
}

const TYPES: Readonly<Record<string, string>> = { float32: '<f', float64: '<d', int32: '<i', bool: '<b' };

function writeDataset(group: InstanceType<Library['Group']>, name: string, value: Tensor): void {
  const data = denseData(value.concrete('save'));
  const shape = [...value.shape];
  group.create_dataset({ name, data: data as Float32Array, shape, dtype: TYPES[value.dtype]! });
}
