import type { Limits } from '@recurra/formats';
import type { Storage } from '../training/storage.js';

/** Where files are. */
export interface StorageOptions {
  /** Files, in Node. */
  readonly storage?: Storage | null;
}

/** Options of `model.save`. */
export interface SaveOptions extends StorageOptions {
  /** Save how the model is compiled, too, and the optimizer's state; true. */
  readonly compile?: boolean;
}

/** Options of `model.loadWeights`. */
export interface LoadWeightsOptions extends StorageOptions {
  /** How much a file may make the reader allocate. */
  readonly limits?: Limits;
}

/** A file: its path, or its bytes. */
export type FileSource = string | Uint8Array | ArrayBuffer | Blob;
