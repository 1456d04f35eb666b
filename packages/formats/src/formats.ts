import { ValueError } from '@recurra/tensor';
import { didYouMean } from '@recurra/tensor/extend';
import type { Limits } from './limits.js';
import { isHdf5, isKeras, isOnnx, isSafetensors, isTfjs } from './looks.js';
import type { ModelFile } from './model-file.js';

/** What a file may hold of a model: its architecture, how it is compiled, weights, the optimizer's state, and assets (vocabularies, tokenizers). */
export type ModelPart = 'model' | 'compile' | 'weights' | 'optimizer' | 'assets';

/** What a file is by its bytes. The two layouts of HDF5 have the same ones. */
export type FormatKind = 'keras' | 'hdf5' | 'safetensors' | 'onnx' | 'tfjs';

/** How a file is read. */
export interface ReadContext {
  readonly limits?: Limits | undefined;
  /** What messages begin with: the file. */
  readonly label: string;
  /** The bytes of a file beside it, by its name; `null` where there is none. Throws `FormatError` for names that lead elsewhere. */
  beside(name: string): Promise<Uint8Array | null>;
}

/** What is written: the file itself, and those beside it by their names, for formats of several. */
export interface WrittenFiles {
  readonly main: Uint8Array;
  readonly beside: ReadonlyMap<string, Uint8Array>;
}

/** A format: how it is known, what it holds, how it is read and written. */
export interface Format {
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  readonly kind: FormatKind;
  /** Endings of paths, with their dots. */
  readonly endings: readonly string[];
  /** What it has room for. */
  readonly holds: ReadonlySet<ModelPart>;
  /** Do these bytes look like it? */
  matches(bytes: Uint8Array): boolean;
  read(bytes: Uint8Array, context: ReadContext): Promise<ModelFile>;
  write(file: ModelFile): Promise<WrittenFiles>;
}

const alone = (main: Uint8Array): WrittenFiles => ({ main, beside: new Map() });

/**
 * The formats: an entry each, and all that reads or writes by paths and bytes knows it. Longer endings come before those that end them. What a format needs is loaded
 * when it is used.
 */
const FORMATS: readonly Format[] = [
  {
    name: 'keras',
    title: 'Keras 3',
    kind: 'keras',
    endings: ['.keras'],
    holds: new Set(['model', 'compile', 'weights', 'optimizer', 'assets']),
    matches: isKeras,
    read: async (bytes, { limits, label }) => (await import('./keras/keras-file.js')).readKeras(bytes, limits, label),
    write: async (file) => alone(await (await import('./keras/keras-file.js')).writeKeras(file)),
  },
  {
    name: 'weights.h5',
    title: "Keras 3's weights (HDF5)",
    kind: 'hdf5',
    endings: ['.weights.h5'],
    holds: new Set(['weights', 'optimizer']),
    matches: isHdf5,
    read: async (bytes, { limits, label }) => (await import('./keras/any-h5.js')).readAnyH5(bytes, limits, label),
    write: async (file) => alone(await (await import('./keras/weights-h5.js')).writeWeightsH5(file)),
  },
  {
    name: 'h5',
    title: "Keras' older format (HDF5)",
    kind: 'hdf5',
    endings: ['.h5', '.hdf5'],
    holds: new Set(['model', 'compile', 'weights', 'optimizer']),
    matches: isHdf5,
    // The two layouts have the same bytes at their beginning.
    read: async (bytes, { limits, label }) => (await import('./keras/any-h5.js')).readAnyH5(bytes, limits, label),
    write: async (file) => alone(await (await import('./keras/legacy-h5.js')).writeLegacyH5(file)),
  },
  {
    name: 'safetensors',
    title: 'safetensors',
    kind: 'safetensors',
    endings: ['.safetensors'],
    holds: new Set(['weights', 'assets']),
    matches: isSafetensors,
    read: async (bytes, { limits, label }) =>
      (await import('./safetensors-weights.js')).readSafetensorsFile(bytes, limits, label),
    write: async (file) => alone((await import('./safetensors-weights.js')).writeSafetensorsWeights(file)),
  },
  {
    name: 'onnx',
    title: 'ONNX',
    kind: 'onnx',
    endings: ['.onnx'],
    holds: new Set(['model', 'weights', 'assets']),
    matches: isOnnx,
    read: async (bytes, { limits, label }) => (await import('./onnx/onnx-file.js')).readOnnx(bytes, limits, label),
    write: async (file) => alone((await import('./onnx/encode.js')).encodeOnnx(file)),
  },
  {
    name: 'tfjs',
    title: 'TensorFlow.js layers model',
    kind: 'tfjs',
    // Files of weights are beside it, by names that are the same for all models: a folder for each.
    endings: ['model.json'],
    holds: new Set(['model', 'compile', 'weights', 'assets']),
    matches: isTfjs,
    read: async (bytes, { limits, label, beside }) =>
      (await import('./tfjs/tfjs.js')).readTfjs(bytes, beside, limits, label),
    write: async (file) => (await import('./tfjs/tfjs.js')).tfjsFiles(file),
  },
];

/** All formats, in the order in which they are asked. */
export const formats = (): readonly Format[] => FORMATS;

/** Endings of formats, for messages. */
export const endingsOf = (list: readonly Format[]): string => list.flatMap((format) => format.endings).join(', ');

/** The format that a path promises by its ending; `null` for one that promises none of them. */
export function promisedFormat(path: string): Format | null {
  const lower = path.toLowerCase();
  return FORMATS.find((format) => format.endings.some((ending) => lower.endsWith(ending))) ?? null;
}

/**
 * The format that a path promises by its ending. Throws `ValueError` with those that there are.
 * @param wanted what is to be written: whole models, or weights alone
 */
export function formatOfPath(path: string, label: string, wanted: 'model' | 'weights'): Format {
  const whole = (format: Format): boolean => format.holds.has('model');
  const fitting = FORMATS.filter((format) => whole(format) === (wanted === 'model'));
  const found = promisedFormat(path);
  if (!found) {
    const ending = /\.[^./\\]*$/.exec(path)?.[0] ?? '';
    throw new ValueError(
      `${label}: expected a path that ends in ${endingsOf(fitting)}, received "${path}".${didYouMean(
        ending,
        fitting.flatMap((format) => format.endings),
      )}`,
    );
  }
  if (!fitting.includes(found))
    throw new ValueError(
      `${label}: expected a path ${wanted === 'model' ? 'of a whole model' : 'of weights'} (${endingsOf(fitting)}), received "${path}", which promises ${
        wanted === 'model' ? 'weights alone. Use saveWeights.' : 'a whole model. Use save.'
      }`,
    );
  return found;
}

/** The format of a name. Throws `ValueError` with those that there are. */
export function formatOfName(name: string, label: string): Format {
  const found = FORMATS.find((format) => format.name === name);
  if (found) return found;
  const names = FORMATS.map((format) => format.name);
  throw new ValueError(
    `${label}: expected format ${names.join(', ')}, received ${JSON.stringify(name)}.${didYouMean(name, names)}`,
  );
}
