import { readHdf5 } from '../hdf5/read.js';
import { Budget, type Limits } from '../limits.js';
import type { ModelFile } from '../model-file.js';
import { isLegacy, legacyFromHdf5 } from './legacy-h5.js';
import { weightsFromHdf5 } from './weights-h5.js';

/** A file of either layout of HDF5: Keras 3's weights, or the models and weights of before, told apart by what they hold. Throws `FormatError`. */
export async function readAnyH5(bytes: Uint8Array, limits?: Limits, label = '.h5'): Promise<ModelFile> {
  const budget = new Budget(label, bytes.length, limits);
  const root = await readHdf5(bytes, budget);
  if (isLegacy(root)) return legacyFromHdf5(root, label, budget.maxDepth);
  return { model: null, compile: null, layers: null, assets: new Map(), ...weightsFromHdf5(root, label) };
}
