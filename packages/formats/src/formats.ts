import { FormatError, ValueError } from '@recurra/tensor';
import { didYouMean } from '@recurra/tensor/extend';
import { isHdf5 } from './keras/hdf5.js';
import { isZip } from './keras/zip.js';
import type { Limits } from './limits.js';
import type { ModelFile } from './model-file.js';

/** A format of one file: how it is known, read and written. */
export interface Format {
  readonly name: string;
  /** Endings of paths, with their dots. */
  readonly endings: readonly string[];
  /** What it can hold. */
  readonly holds: 'models' | 'weights';
  /** Can these bytes be of it? */
  matches(bytes: Uint8Array): boolean;
  read(bytes: Uint8Array, limits: Limits | undefined, label: string): Promise<ModelFile>;
  write(file: ModelFile): Promise<Uint8Array>;
}

/**
 * The formats: an entry each, and all that reads or writes by paths and bytes knows it. Longer endings come before those that end them. What a format needs is loaded
 * when it is used.
 */
const FORMATS: readonly Format[] = [
  {
    name: 'keras',
    endings: ['.keras'],
    holds: 'models',
    matches: isZip,
    read: async (...args) => (await import('./keras/keras-file.js')).readKeras(...args),
    write: async (file) => (await import('./keras/keras-file.js')).writeKeras(file),
  },
  {
    name: 'weights.h5',
    endings: ['.weights.h5'],
    holds: 'weights',
    matches: isHdf5,
    read: async (...args) => (await import('./keras/any-h5.js')).readAnyH5(...args),
    write: async (file) => (await import('./keras/weights-h5.js')).writeWeightsH5(file),
  },
  {
    name: 'h5',
    endings: ['.h5', '.hdf5'],
    holds: 'models',
    matches: isHdf5,
    // The two layouts have the same bytes at their beginning.
    read: async (...args) => (await import('./keras/any-h5.js')).readAnyH5(...args),
    write: async (file) => (await import('./keras/legacy-h5.js')).writeLegacyH5(file),
  },
];

/** All formats, in the order in which they are asked. */
export const formats = (): readonly Format[] => FORMATS;

const told = (list: readonly Format[]): string => list.flatMap((format) => format.endings).join(', ');

/**
 * The format that a path promises by its ending. Throws `ValueError` with those that there are.
 * @param holds what is to be written
 */
export function formatOfPath(path: string, label: string, holds: Format['holds']): Format {
  const lower = path.toLowerCase();
  const found = FORMATS.find((format) => format.endings.some((ending) => lower.endsWith(ending)));
  const fitting = FORMATS.filter((format) => holds === 'weights' || format.holds === 'models');
  if (!found) {
    const ending = /\.[^./\\]*$/.exec(path)?.[0] ?? '';
    throw new ValueError(
      `${label}: expected a path that ends in ${told(fitting)}, received "${path}".${didYouMean(
        ending,
        fitting.flatMap((format) => format.endings),
      )}`,
    );
  }
  if (holds === 'models' && found.holds === 'weights')
    throw new ValueError(
      `${label}: expected a path of a whole model (${told(fitting)}), received "${path}", which promises weights alone. Use saveWeights.`,
    );
  return found;
}

/** The format of a name. Throws `ValueError` with those that there are. */
export function formatOfName(name: string, label: string): Format {
  const found = FORMATS.find((format) => format.name === name);
  if (found) return found;
  const names = FORMATS.map((format) => format.name);
  throw new ValueError(`${label}: expected format ${names.join(', ')}, received ${JSON.stringify(name)}`);
}

/** What a file of any format holds, by its bytes. Throws `FormatError` for what is none of them, and for what is damaged. */
export async function readModelFile(
  bytes: Uint8Array,
  limits?: Limits,
  label: string = 'readModelFile',
): Promise<ModelFile> {
  if (!(bytes instanceof Uint8Array))
    throw new ValueError(`${label}: expected the bytes of a file as a Uint8Array, received ${typeof bytes}`);
  const format = FORMATS.find((candidate) => candidate.matches(bytes));
  if (!format)
    throw new FormatError(
      `${label}: expected a file of a model (${told(FORMATS)}), received ${bytes.length === 0 ? 'an empty one' : `${bytes.length} other bytes`}`,
    );
  return format.read(bytes, limits, label);
}
