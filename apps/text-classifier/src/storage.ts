import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  LabelEncoder,
  type Sequential,
  type SerializedLayer,
  segmentWords,
  sequentialFromConfig,
  Tokenizer,
  tensor,
} from 'recurra';
import { TextClassifier } from './classifier.js';
import { CommandError } from './errors.js';

const FORMAT = 'recurra-text-classifier';
const VERSION = 1;

/** A weight in the file: its elements are little-endian float32, in base64. */
interface StoredWeight {
  readonly path: string;
  readonly shape: readonly number[];
  readonly data: string;
}

/** The file that `train --out` writes: one JSON object. */
interface StoredClassifier {
  readonly format: typeof FORMAT;
  readonly version: number;
  /** Names of the classes, by index. */
  readonly labels: readonly string[];
  /** Length to which sequences are padded and cut. */
  readonly maxLength: number;
  /** The JSON of `Tokenizer.toJson` (Keras' format). */
  readonly tokenizer: string;
  /** The layers, as `Sequential.getConfig` gives them. */
  readonly model: { readonly name: string; readonly layers: readonly SerializedLayer[] };
  readonly weights: readonly StoredWeight[];
}

/** Temporary files that an interrupted run must not leave behind. */
const unfinished = new Set<string>();

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder is no folder: nothing can have been written there.
  }
}

/** Removes half-written files; called when the process is interrupted. */
export function discardUnfinished(): void {
  for (const path of unfinished) discard(path);
  unfinished.clear();
}

/** Writes the classifier: beside the target first, then renamed, so that a reader never sees half a file. */
export function saveClassifier(classifier: TextClassifier, path: string): void {
  const stored: StoredClassifier = {
    format: FORMAT,
    version: VERSION,
    labels: classifier.labels.classes,
    maxLength: classifier.maxLength,
    tokenizer: classifier.tokenizer.toJson(),
    model: classifier.model.getConfig(),
    weights: classifier.model.weights.map(({ path: name, value }) => {
      const bytes = new DataView(new ArrayBuffer(value.size * 4));
      value.data.forEach((v: number, i: number) => {
        bytes.setFloat32(i * 4, v, true);
      });
      return { path: name, shape: value.shape, data: Buffer.from(bytes.buffer).toString('base64') };
    }),
  };
  const target = resolve(path);
  const temporary = `${target}.${process.pid}.tmp`;
  unfinished.add(temporary);
  try {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(temporary, JSON.stringify(stored));
    renameSync(temporary, target);
  } catch (error) {
    discard(temporary);
    throw new CommandError(`${path}: cannot be written: ${(error as Error).message}`);
  } finally {
    unfinished.delete(temporary);
  }
}

/** Reads what {@link saveClassifier} wrote. Throws `CommandError` for anything else. */
export function loadClassifier(path: string): TextClassifier {
  let stored: StoredClassifier;
  try {
    stored = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandError(
      `${path}: expected a file that train --out wrote, received one that cannot be read (${(error as Error).message})`,
    );
  }
  if (stored?.format !== FORMAT)
    throw new CommandError(
      `${path}: expected a file that train --out wrote ("format": "${FORMAT}"), received another one`,
    );
  if (stored.version !== VERSION)
    throw new CommandError(`${path}: expected version ${VERSION} of the format, received ${stored.version}`);
  try {
    const model = sequentialFromConfig(stored.model);
    model.setWeights(
      stored.weights.map(({ shape, data }) => {
        const bytes = Buffer.from(data, 'base64');
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        return tensor(
          Float32Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true)),
          { shape },
        );
      }),
    );
    const tokenizer = Tokenizer.fromJson(stored.tokenizer, { analyzer: segmentWords });
    return new TextClassifier(tokenizer, new LabelEncoder(stored.labels), model, stored.maxLength);
  } catch (error) {
    throw new CommandError(
      `${path}: expected a whole file that train --out wrote, received a damaged one (${(error as Error).message})`,
    );
  }
}
