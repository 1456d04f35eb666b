import { FormatError } from '@recurra/tensor';
import type { ModelFile } from '../model-file.js';
import { ASSETS_KEY, unpackAssets } from '../packed-assets.js';
import { encodeOnnx, graphOf } from './encode.js';
import type { Constant } from './graph.js';
import { METADATA, ownModel } from './own.js';
import { graphBytes, type ModelProto, readModel } from './proto.js';
import { raise } from './raise/index.js';
import { readTensor } from './read.js';

/** The oldest operators that are read: the meaning of many changed before. */
const OLDEST = 7;
const NEWEST = 30;

function checked(model: ModelProto): ModelProto {
  const { graph } = model;
  if (!graph) throw new FormatError('ONNX: expected a graph, received a model without one. Is it an ONNX file?');
  if (model.functions.length > 0)
    throw new FormatError(
      'ONNX: expected operators alone, received functions of its own. Inline them (onnx.inliner.inline_local_functions).',
    );
  if (graph.sparseInitializer.length > 0) throw new FormatError('ONNX: expected dense tensors, received sparse ones');
  for (const { domain, version } of model.opsetImport)
    if ((domain === '' || domain === 'ai.onnx') && !(version >= OLDEST && version <= NEWEST))
      throw new FormatError(
        `ONNX: expected operators of version ${OLDEST}..${NEWEST}, received ${version}. Convert it (onnx.version_converter).`,
      );
  return model;
}

/**
 * The model in an ONNX file, with its weights: an architecture as Keras' JSON.
 *
 * Of files that {@link encodeOnnx} wrote, the layers themselves come back, if the graph is still what they become. Other graphs are read operator by operator,
 * as far as Keras has layers for them.
 *
 * Throws `FormatError` for bytes that are no ONNX, for operators that no layer computes (with their names), and for data outside of the file.
 */
export function decodeOnnx(bytes: Uint8Array): ModelFile {
  const model = checked(readModel(bytes));
  const constants = new Map<string, Constant>();
  for (const proto of model.graph!.initializer) {
    if (constants.has(proto.name))
      throw new FormatError(`ONNX: expected initializers of different names, received "${proto.name}" twice`);
    constants.set(proto.name, readTensor(proto));
  }
  const packed = model.metadataProps.find(({ key }) => key === ASSETS_KEY)?.value;
  const assets = packed === undefined ? new Map<string, Uint8Array>() : unpackAssets(packed, 'ONNX');
  const nothing = { compile: null, layers: null, optimizer: null, assets };
  return { ...nothing, ...(own(model, constants) ?? raise(model, constants)) };
}

/** The model that was written here, if the graph is still its own. */
function own(model: ModelProto, constants: ReadonlyMap<string, Constant>): Pick<ModelFile, 'model' | 'weights'> | null {
  const metadata = new Map(model.metadataProps.map(({ key, value }) => [key, value]));
  if (!metadata.has(METADATA.model)) return null;
  try {
    const found = ownModel(metadata, constants, model.graph!.node.length, graphOf);
    const again = readModel(
      encodeOnnx(
        { ...found, compile: null, layers: null, optimizer: null, assets: new Map() },
        { architecture: false },
      ),
    );
    return sameBytes(graphBytes(again), graphBytes(model)) ? found : null;
  } catch (error) {
    // Then the graph was changed by others, and is read as theirs.
    if (error instanceof FormatError) return null;
    throw error;
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
