import type { Limits } from '@recurra/formats';
import type { Storage } from '../training/storage.js';
import type { Asset } from './assets.js';

/** Where files are. */
export interface StorageOptions {
  /** Files, in Node. */
  readonly storage?: Storage | null;
}

/** Options of `model.save`. */
export interface SaveOptions extends StorageOptions {
  /** Save how the model is compiled, too, and the optimizer's state; true where the format has room for it. */
  readonly compile?: boolean;
  /**
   * What is to travel with the model, by names: tokenizers, label encoders, layers without weights, plain data, bytes. {@link loadAssets} gives it back. Of `.keras` and `.onnx`
   * files; Keras and others leave it alone.
   */
  readonly assets?: Readonly<Record<string, Asset>>;
}

/** Options of `model.loadWeights`. */
export interface LoadWeightsOptions extends StorageOptions {
  /** How much a file may make the reader allocate. */
  readonly limits?: Limits;
}

/** A file: its path, or its bytes. */
export type FileSource = string | Uint8Array | ArrayBuffer | Blob;
