import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { LabelEncoder, RecurraError, tensor } from 'recurra';
import { sizeOf } from 'recurra/extend';
import { TextClassifier } from '../classifier.js';
import { CommandError } from '../errors.js';
import { decodeFloats, encodeFloats } from '../floats.js';
import { buildModel, type Sizes, weightShapes } from '../model.js';
import { Words } from '../words.js';
import { checkContent, type StoredClassifier } from './schema.js';
import { seal, unseal } from './seal.js';

const FORMAT = 'recurra-text-classifier';
const VERSION = 2;
/** What a string can hold, roughly: larger files were not written by us. */
const MAX_BYTES = 512 * 2 ** 20;

/** The classifier as the bytes of a file. Throws `CommandError` where a weight is not finite: such a model is worth nothing. */
export function encodeClassifier(classifier: TextClassifier): Uint8Array {
  const content: StoredClassifier = {
    labels: [...classifier.labels.classes],
    maxLength: classifier.maxLength,
    words: classifier.words.list(),
    architecture: classifier.architecture,
    weights: classifier.model.weights.map(({ path, value }) => {
      try {
        return { path, shape: [...value.shape], data: encodeFloats(value.data) };
      } catch (error) {
        throw new CommandError(
          `the model is not saved: ${path}: ${(error as Error).message}. Training went astray: try a smaller --learning-rate.`,
        );
      }
    }),
  };
  return seal(FORMAT, VERSION, content);
}

/** Reads what {@link encodeClassifier} gave. Throws `CommandError` for anything else, however little it differs. */
export function loadClassifier(path: string): TextClassifier {
  const bytes = readAll(path);
  const wrong = (received: string): CommandError =>
    new CommandError(`${path}: expected a file that train --out wrote, received ${received}`);
  if (bytes.length === 0) throw wrong('an empty one');
  const unsealed = unseal(bytes, FORMAT, VERSION);
  if ('fault' in unsealed) {
    const { fault } = unsealed;
    if (fault.kind === 'format') throw wrong('another one');
    if (fault.kind === 'version')
      throw wrong(`one of version ${fault.version} of the format, where this program knows ${VERSION}. Train again`);
    throw wrong(
      'a damaged or edited one (its SHA-256 is not that of its content). Copy it again from where it was whole, or train again',
    );
  }
  const checked = checkContent(unsealed.content);
  if ('fault' in checked) throw wrong(`one with wrong content (${checked.fault})`);
  try {
    return restore(checked.value);
  } catch (error) {
    if (error instanceof RangeError || error instanceof RecurraError)
      throw wrong(`one with wrong content (${error.message})`);
    throw error;
  }
}

/** Throws `RangeError` where parts do not fit each other, before anything large is made. */
function restore(stored: StoredClassifier): TextClassifier {
  const { architecture, maxLength } = stored;
  const labels = new LabelEncoder(stored.labels);
  if (labels.classes.some((name, i) => name !== stored.labels[i]))
    throw new RangeError('expected the labels in sorted order');
  const words = Words.of(stored.words);
  const sizes: Sizes = { vocabulary: words.size, maxLength, classes: labels.classes.length };
  const shapes = weightShapes(architecture, sizes);
  if (stored.weights.length !== shapes.length)
    throw new RangeError(`expected ${shapes.length} weights, received ${stored.weights.length}`);
  const values = stored.weights.map(({ path, shape, data }, i) => {
    const expected = shapes[i]!;
    if (shape.join() !== expected.join())
      throw new RangeError(`${path}: expected shape [${expected.join(', ')}], received [${shape.join(', ')}]`);
    try {
      return tensor(decodeFloats(data, sizeOf(expected)), { shape: expected });
    } catch (error) {
      throw error instanceof RangeError ? new RangeError(`${path}: ${error.message}`) : error;
    }
  });
  const model = buildModel(architecture, sizes);
  model.weights.forEach(({ path }, i) => {
    const { path: received } = stored.weights[i]!;
    if (path !== received) throw new RangeError(`expected the weight "${path}", received "${received}"`);
  });
  model.setWeights(values);
  return new TextClassifier(words, labels, model, architecture, maxLength);
}

/** The bytes of a file or pipe. Devices, which may never end, and what is too large are refused. */
function readAll(path: string): Uint8Array {
  const cannot = (why: string): CommandError =>
    new CommandError(`${path}: expected a file that train --out wrote, received one that cannot be read: ${why}`);
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDONLY);
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw cannot('it is a folder');
    if (!stat.isFile() && !stat.isFIFO()) throw cannot('it is no regular file');
    const pieces: Buffer[] = [];
    for (let size = 0; ; ) {
      const piece = Buffer.allocUnsafe(stat.isFile() ? Math.min(Math.max(stat.size - size, 1), MAX_BYTES) : 1 << 16);
      const n = readSync(file, piece);
      if (n === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, n));
      size += n;
      if (size > MAX_BYTES) throw cannot(`it is larger than ${MAX_BYTES} bytes`);
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw cannot(code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : message);
  } finally {
    if (file !== null) closeSync(file);
  }
}
