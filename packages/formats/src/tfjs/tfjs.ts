import { FormatError, ValueError } from '@recurra/tensor';
import { checkRules, isRecord, type Rules, rules } from '@recurra/tensor/extend';
import type { WrittenFiles } from '../formats.js';
import { readJsonObject, writeJson } from '../json.js';
import { modelFrom } from '../keras/keras-file.js';
import { modelFromKeras2 } from '../keras/keras2.js';
import { isObject } from '../keras/keras2-objects.js';
import { compileFromKeras2, outputNames } from '../keras/keras2-training.js';
import { Budget, type Limits } from '../limits.js';
import type { Json, JsonObject, KerasObject, LayerWeights, ModelFile, NamedTensor } from '../model-file.js';
import { ASSETS_KEY, packAssets, unpackAssets } from '../packed-assets.js';
import { Joined, specsOf, type WeightSpec, weightsIn, writtenWeight } from './manifest.js';
import { besidePath } from './paths.js';
import { groupsFrom, inOrder, namesOf, placesOf } from './places.js';
import type { Quantization } from './quantization.js';
import { topologyOf } from './topology.js';
import { trainingConfigOf } from './training.js';

/** Where the metadata of one's own is among the assets of a model. */
const METADATA = 'user_defined_metadata.json';
/** What TensorFlow.js calls models made of layers. */
const FORMAT = 'layers-model';
const SHARD = 4 * 2 ** 20;

/** Reads a file beside the model by its path there; `null` where there is none. */
export type Beside = (path: string) => Promise<Uint8Array | null> | Uint8Array | null;

/** A model as `io.ModelArtifacts` of TensorFlow.js has it: what its `IOHandler`s load and save. */
export interface TfjsArtifacts {
  /** The layers, as JSON. */
  readonly modelTopology?: unknown;
  /** What the weights are, in their order. */
  readonly weightSpecs?: unknown;
  /** Their bytes, one behind the other; several buffers are read as one. */
  readonly weightData?: ArrayBuffer | Uint8Array | readonly (ArrayBuffer | Uint8Array)[];
  readonly trainingConfig?: unknown;
  readonly userDefinedMetadata?: unknown;
  readonly format?: string;
}

/** Options of {@link writeTfjs}. */
export interface WriteTfjsOptions {
  /** The most bytes of a file of weights; 4 MiB, which browsers keep. */
  readonly shardBytes?: number;
  /** Make weights smaller: 'uint8', 'uint16' (256 or 65536 steps between the smallest and the largest number) or 'float16'; they are kept as they are. */
  readonly quantize?: Quantization;
}

const WRITING: Rules<WriteTfjsOptions> = {
  shardBytes: rules.count,
  quantize: rules.oneOf('uint8', 'uint16', 'float16'),
};

/** What a file describes, apart from its weights. */
interface DescribedModel {
  readonly model: KerasObject | null;
  readonly compile: JsonObject | null;
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** What travels with a model: what was packed here, and all else that its metadata has. */
function assetsOf(metadata: Json, label: string): Map<string, Uint8Array> {
  if (metadata === null) return new Map();
  if (!isObject(metadata))
    throw new FormatError(`${label}: expected userDefinedMetadata to be an object, received another value`);
  const { [ASSETS_KEY]: packed = null, ...rest } = metadata;
  if (packed !== null && typeof packed !== 'string')
    throw new FormatError(`${label}: expected ${ASSETS_KEY} to be a text, received another value`);
  const assets = packed === null ? new Map<string, Uint8Array>() : unpackAssets(packed, label);
  if (Object.keys(rest).length > 0 || packed === null) assets.set(METADATA, new TextEncoder().encode(writeJson(rest)));
  return assets;
}

/** The description of a model. Throws `FormatError` for graphs of operations, and for other forms. */
function describe(root: JsonObject, label: string): DescribedModel {
  const {
    modelTopology: topology = null,
    trainingConfig = null,
    userDefinedMetadata: metadata = null,
    format = null,
  } = root;
  if ((format !== null && format !== FORMAT) || (isObject(topology) && 'node' in topology))
    throw new FormatError(
      `${label}: expected a model made of layers (format "${FORMAT}"), received ${JSON.stringify(format ?? 'graph-model')}. Models of operations have no layers: convert the Keras model that it came from.`,
    );
  const assets = assetsOf(metadata, label);
  if (topology === null) return { model: null, compile: null, assets };
  if (!isObject(topology))
    throw new FormatError(`${label}: expected modelTopology to be an object, received another value`);
  // Converters of Keras' files keep what stands around the model there, too.
  const { model_config: inner = null, keras_version: version = null, training_config: trained = null } = topology;
  const given = inner ?? topology;
  if (!isObject(given))
    throw new FormatError(`${label}: expected model_config to be an object, received another value`);
  const now = typeof version === 'string' && /^3\./.test(version);
  const model = now ? modelFrom(given, label).model : modelFromKeras2(given, label);
  const training = trainingConfig ?? trained;
  if (training !== null && !isObject(training))
    throw new FormatError(`${label}: expected trainingConfig to be an object, received another value`);
  return { model, compile: training ? compileFromKeras2(training, label, outputNames(model)) : null, assets };
}

/** Weights alone, by the layers that their names begin with. */
function byLayers(weights: readonly NamedTensor[]): readonly LayerWeights[] {
  const layers = new Map<string, NamedTensor[]>();
  for (const weight of weights) {
    const [layer = ''] = weight.name.split('/');
    layers.set(layer, [...(layers.get(layer) ?? []), weight]);
  }
  return [...layers].map(([name, variables]) => ({ name, variables: inOrder(variables) }));
}

/** A model with the weights of its files. */
function fileFrom(described: DescribedModel, weights: readonly NamedTensor[] | null, label: string): ModelFile {
  const { model } = described;
  const base = { ...described, optimizer: null };
  if (weights === null) {
    if (!model) throw new FormatError(`${label}: expected modelTopology or weightsManifest, received neither`);
    return { ...base, weights: null, layers: null };
  }
  if (!model) return { ...base, weights: null, layers: byLayers(weights) };
  return { ...base, weights: groupsFrom(placesOf(model, label), weights, label), layers: null };
}

/** The root of a file's JSON; converters of Keras' files write it in Python. */
const rootOf = (json: Uint8Array | string, label: string, { maxDepth }: Budget): JsonObject =>
  readJsonObject(json, { label, maxDepth, python: true });

/** The files of weights of a manifest, each read once. Throws `FormatError` where one is missing or more than the limits allow. */
async function shardsOf(
  paths: readonly string[],
  files: Beside,
  total: { bytes: number },
  limits: Limits | undefined,
  label: string,
): Promise<readonly Uint8Array[]> {
  const shards: Uint8Array[] = [];
  for (const path of paths) {
    const bytes = await files(path);
    if (bytes === null || bytes === undefined)
      throw new FormatError(`${label}: expected the weights "${path}" beside the file, found none`);
    if (!(bytes instanceof Uint8Array))
      throw new ValueError(`${label}: expected the bytes of "${path}" as a Uint8Array, received ${typeof bytes}`);
    total.bytes += bytes.length;
    // Refuses files that are too large together.
    new Budget(label, total.bytes, limits);
    shards.push(bytes);
  }
  return shards;
}

/**
 * A layers model of TensorFlow.js: its `model.json`, and the weights in the files beside it. Configurations of Keras 2 and of TensorFlow.js are described as Keras 3 does
 * (`hard_sigmoid`, which has other slopes there, becomes `keras2_hard_sigmoid`), quantized weights have the numbers that TensorFlow.js computes with, and
 * `userDefinedMetadata` is the asset `user_defined_metadata.json` (what was saved with a model here is there under its own names). The state of an optimizer is passed over.
 *
 * Throws `FormatError` for graph models, for files that are missing, damaged or more than the limits allow, and for paths that lead elsewhere.
 *
 * @param modelJson the bytes of `model.json`
 * @param files reads a file beside it, by the path that the manifest has
 * @param label what messages call the file
 */
export async function readTfjs(
  modelJson: Uint8Array,
  files: Beside,
  limits?: Limits,
  label: string = 'model.json',
): Promise<ModelFile> {
  const budget = new Budget(label, modelJson.length, limits);
  const root = rootOf(modelJson, label, budget);
  const described = describe(root, label);
  const { weightsManifest: manifest = null } = root;
  if (manifest === null) return fileFrom(described, null, label);
  if (!Array.isArray(manifest))
    throw new FormatError(
      `${label}: expected weightsManifest to be a list of { paths, weights }, received another value`,
    );
  // All that is declared is checked before anything is read.
  const seen = { names: new Set<string>(), paths: new Set<string>() };
  const groups = (manifest as readonly Json[]).map((group) => {
    if (!isObject(group) || !Array.isArray(group['paths']))
      throw new FormatError(
        `${label}: expected weightsManifest to be a list of { paths, weights }, received another form`,
      );
    const paths = (group['paths'] as readonly Json[]).map((given) => {
      const path = besidePath(given, label);
      budget.enter(`the file "${path}"`);
      if (seen.paths.has(path))
        throw new FormatError(`${label}: expected each file of weights once, received "${path}" twice`);
      seen.paths.add(path);
      return path;
    });
    return { paths, specs: specsOf(group['weights'], label, budget, seen.names) };
  });
  const total = { bytes: modelJson.length };
  const weights: NamedTensor[] = [];
  const loaded: { specs: readonly WeightSpec[]; data: Joined }[] = [];
  for (const { paths, specs } of groups)
    loaded.push({ specs, data: new Joined(await shardsOf(paths, files, total, limits, label)) });
  const bytes = new Budget(label, total.bytes, limits);
  for (const { specs, data } of loaded) weights.push(...(await weightsIn(specs, data, bytes, label)));
  return fileFrom(described, weights, label);
}

const bytesOf = (part: unknown, label: string): Uint8Array => {
  if (part instanceof Uint8Array) return part;
  if (part instanceof ArrayBuffer || Object.prototype.toString.call(part) === '[object ArrayBuffer]')
    return new Uint8Array(part as ArrayBuffer);
  throw new ValueError(`${label}: expected weightData as an ArrayBuffer (or several), received ${typeof part}`);
};

/**
 * A layers model that TensorFlow.js has in memory: the artifacts that its `IOHandler`s load and save (`await model.save(tf.io.withSaveHandler(...))`). As {@link readTfjs}.
 * Throws `FormatError` for artifacts of another form, `ValueError` for what is no such object.
 */
export async function readTfjsArtifacts(
  artifacts: TfjsArtifacts,
  limits?: Limits,
  label: string = 'readTfjsArtifacts',
): Promise<ModelFile> {
  if (!isRecord(artifacts))
    throw new ValueError(`${label}: expected { modelTopology, weightSpecs, weightData }, received ${typeof artifacts}`);
  const { weightData = null, ...rest } = artifacts as TfjsArtifacts & Record<string, unknown>;
  let text: string;
  try {
    text = JSON.stringify(rest);
  } catch {
    throw new FormatError(`${label}: expected artifacts of plain JSON, received values that are none`);
  }
  const root = rootOf(text, label, new Budget(label, text.length, limits));
  const described = describe(root, label);
  const { weightSpecs: given = null } = root;
  if (given === null && weightData === null) return fileFrom(described, null, label);
  if (given === null || weightData === null)
    throw new FormatError(`${label}: expected weightSpecs and weightData together, received one of them`);
  const parts = (Array.isArray(weightData) ? weightData : [weightData]).map((part) => bytesOf(part, label));
  const data = new Joined(parts);
  const budget = new Budget(label, text.length + data.length, limits);
  const specs = specsOf(given, label, budget, new Set());
  return fileFrom(described, await weightsIn(specs, data, budget, label), label);
}

/** JSON as it is written: numbers that are none have no place in it. */
function jsonBytes(value: Json, label: string): Uint8Array {
  const text = JSON.stringify(value, (key, v) => {
    if (typeof v === 'number' && !Number.isFinite(v))
      throw new FormatError(`${label}: expected finite numbers, received ${v} for ${key}, which JSON cannot hold`);
    return v;
  });
  return new TextEncoder().encode(text);
}

/** What travels with a model, as metadata: that of its file of this name as it is, other files packed. */
function metadataOf(assets: ReadonlyMap<string, Uint8Array>, label: string): { userDefinedMetadata?: JsonObject } {
  if (assets.size === 0) return {};
  const own = assets.get(METADATA);
  const metadata = own ? readJsonObject(own, { label: `${label}: ${METADATA}` }) : {};
  const others = new Map([...assets].filter(([name]) => name !== METADATA));
  const packed = others.size > 0 ? { [ASSETS_KEY]: packAssets(others) } : {};
  return { userDefinedMetadata: { ...metadata, ...packed } };
}

/**
 * A model as TensorFlow.js loads it with `tf.loadLayersModel`: files by their names, `model.json` and the weights (`group1-shard1of1.bin`, ...).
 * How it is compiled goes along; the state of the optimizer does not.
 *
 * Throws `FormatError`, with the layer, for what TensorFlow.js cannot load: layers, activations, losses and optimizers that it lacks, a GRU with `resetAfter`, Keras 3's
 * `hardSigmoid`, float64; for weights alone; and for names of layers that are there twice. `ValueError` for numbers that cannot be quantized.
 */
export async function writeTfjs(
  file: ModelFile,
  options: WriteTfjsOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const label = 'tfjs';
  checkRules<WriteTfjsOptions>('writeTfjs', options, WRITING);
  const { shardBytes = SHARD, quantize } = options;
  const { model, compile, weights, assets } = file;
  if (!model || !weights)
    throw new FormatError(
      `${label}: expected a whole model with its weights in groups, received ${model ? 'one without' : 'weights alone'}. Load it into a model first: toModelFile(modelFromFile(file)).`,
    );
  const modelTopology = {
    ...topologyOf(model, label),
    keras_version: 'tfjs-layers 4.22.0',
    backend: 'tensor_flow.js',
  };
  const written = namesOf(placesOf(model, label), weights, label).map((weight) => writtenWeight(weight, quantize));
  const data = new Joined(written.map(({ bytes }) => bytes));
  const count = Math.ceil(data.length / shardBytes);
  const shards = Array.from({ length: count }, (_, i): [string, Uint8Array] => [
    `group1-shard${i + 1}of${count}.bin`,
    data.slice(i * shardBytes, Math.min(data.length, (i + 1) * shardBytes)),
  ]);
  const root = {
    modelTopology,
    format: FORMAT,
    generatedBy: 'Recurra',
    convertedBy: null,
    ...(compile ? { trainingConfig: trainingConfigOf(compile, label) } : {}),
    ...metadataOf(assets, label),
    weightsManifest: [{ paths: shards.map(([name]) => name), weights: written.map(({ spec }) => spec) }],
  };
  return new Map<string, Uint8Array>([['model.json', jsonBytes(root as Json, label)], ...shards]);
}

/** As {@link writeTfjs}, for the table of formats. */
export async function tfjsFiles(file: ModelFile): Promise<WrittenFiles> {
  const { 'model.json': main, ...beside } = Object.fromEntries(await writeTfjs(file));
  return { main: main!, beside: new Map(Object.entries(beside)) };
}
