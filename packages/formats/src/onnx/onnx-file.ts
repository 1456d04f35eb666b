import { FormatError } from '@recurra/tensor';
import { Budget, type Limits } from '../limits.js';
import type { ModelFile } from '../model-file.js';
import { decodeOnnx } from './decode.js';

/** As {@link decodeOnnx}, within limits, and with the name of the file in what is wrong. */
export function readOnnx(bytes: Uint8Array, limits: Limits | undefined, label: string): ModelFile {
  new Budget(label, bytes.length, limits).take(bytes.length, 'the file');
  try {
    return decodeOnnx(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw Object.assign(new FormatError(`${label}: ${error.message}`), { cause: error });
  }
}
