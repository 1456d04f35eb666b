import type { Format, ModelFile } from '@recurra/formats';
import { FormatError, type Registrable, ValueError } from '@recurra/tensor';
import { checkRules, describeValue, isRecord, type Rule, type Rules, rules } from '@recurra/tensor/extend';
import { CUSTOM_OBJECTS } from '../serialize.js';
import { besideOf, expectPath, type Storage, storageFor } from '../training/storage.js';
import type { Asset } from './assets.js';
import { type AnyModel, type FromModelFileOptions, modelFromFile, toModelFile, weightsFile } from './model-file.js';
import { assignOptimizer } from './optimizer-state.js';
import type { FileSource, LoadWeightsOptions, SaveOptions, StorageOptions } from './options.js';
import { assignLayerWeights, assignWeights } from './weights.js';

/** Options of {@link loadModel}. */
export interface LoadModelOptions extends LoadWeightsOptions {
  /** Classes and functions of one's own, by their names; see `registerSerializable`, too. */
  readonly customObjects?: Readonly<Record<string, Registrable>>;
  /** Compile the model as it was, with the optimizer's state; true. */
  readonly compile?: boolean;
  /** Accepted for Keras' sake: code in files (`Lambda`) is never run, whatever it says. */
  readonly safeMode?: boolean;
}

/** Options of {@link encodeModel}. */
export interface EncodeModelOptions {
  /** The name of the format: 'keras' (the default), 'h5', 'weights.h5', 'safetensors', 'onnx'; see `formats` of `@recurra/formats`. */
  readonly format?: string;
  /** As in `model.save`. */
  readonly compile?: boolean;
  /** As in `model.save`. */
  readonly assets?: Readonly<Record<string, Asset>>;
}

/** What options may be. Storages and limits are checked by what takes them, formats by their table. */
const ASSETS: Rule = { expected: 'an object of what is to travel, by names', accepts: isRecord };
const SAVING = { storage: rules.anything, compile: rules.flag, assets: ASSETS } satisfies Rules<SaveOptions>;
const STORING = { storage: rules.anything } satisfies Rules<StorageOptions>;
const READING = { ...STORING, limits: rules.anything } satisfies Rules<LoadWeightsOptions>;
const LOADING = {
  ...READING,
  customObjects: CUSTOM_OBJECTS,
  compile: rules.flag,
  safeMode: rules.flag,
} satisfies Rules<LoadModelOptions>;
const ENCODING = { format: rules.text, compile: rules.flag, assets: ASSETS } satisfies Rules<EncodeModelOptions>;

/** Throws `ValueError` for what is no model, and for one whose weights are not there. */
function expectBuilt(label: string, model: AnyModel): void {
  if (typeof model?.layersWithin !== 'function')
    throw new ValueError(`${label}: expected a model, received ${describeValue(model)}`);
  if (!model.layersWithin().every((layer) => layer.built))
    throw new ValueError(
      `${label}: expected a model whose weights are there, received one without. Declare its input, call build(shape), or give it data first.`,
    );
}

/** The bytes of a file. */
async function bytesOf(label: string, source: FileSource, options: StorageOptions): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof Blob !== 'undefined' && source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (typeof source !== 'string')
    throw new ValueError(`${label}: expected a path, or the bytes of a file, received ${describeValue(source)}`);
  const storage = storageFor(label, options.storage);
  const bytes = await storage.read(expectPath(label, 'the path', source));
  if (bytes === null) throw new ValueError(`${label}: expected a file at "${source}", found none`);
  return bytes;
}

/** What messages begin with: a path is named. */
const labelOf = (label: string, source: FileSource): string =>
  typeof source === 'string' ? `${label}: ${source}` : label;

/** What a file holds, whatever its format. */
async function read(label: string, source: FileSource, options: LoadWeightsOptions): Promise<ModelFile> {
  const bytes = await bytesOf(label, source, options);
  const { limits } = options;
  const { readModelBytes } = await import('@recurra/formats/extend');
  if (typeof source !== 'string') return readModelBytes(bytes, { limits, label });
  const storage = storageFor(label, options.storage);
  return readModelBytes(bytes, {
    limits,
    label: labelOf(label, source),
    beside: (name) => storage.read(besideOf(source, name)),
  });
}

/** Writes a file of a format, and what belongs beside it before it: who reads it finds the rest. */
async function write(storage: Storage, path: string, format: Format, file: ModelFile): Promise<void> {
  const { main, beside } = await format.write(file);
  for (const [name, bytes] of beside) await storage.write(besideOf(path, name), bytes);
  await storage.write(path, main);
}

/**
 * What a format is to hold of a model. How it is compiled goes along where there is room for it, unless that was asked for or not. Throws `ValueError` where more was asked for than
 * the format has room for.
 */
async function fileFor(
  label: string,
  model: AnyModel,
  format: Format,
  { compile, assets = {} }: Pick<SaveOptions, 'compile' | 'assets'>,
): Promise<ModelFile> {
  const lacking = (what: string, instead: string): ValueError =>
    new ValueError(
      `${label}: expected a format that holds ${what}, received ${format.name}, which has no room for it. Leave ${instead} out, or save it as .keras.`,
    );
  const { holds } = format;
  if (compile && !holds.has('compile')) throw lacking('how a model is compiled', 'compile');
  const { encodeAssets } = await import('./assets.js');
  const files = await encodeAssets(label, assets);
  if (files.size > 0 && !holds.has('assets')) throw lacking('assets', 'assets');
  const file = holds.has('model')
    ? toModelFile(model, { compile: compile ?? holds.has('compile') })
    : weightsFile(model);
  return { ...file, assets: files };
}

/** See `Model.save`. */
export async function saveModel(model: AnyModel, path: string, options: SaveOptions = {}): Promise<void> {
  const label = 'save';
  checkRules<SaveOptions>(label, options, SAVING);
  const storage = storageFor(label, options.storage);
  const { formatOfPath } = await import('@recurra/formats/extend');
  const format = formatOfPath(expectPath(label, 'the path', path), label, 'model');
  expectBuilt(label, model);
  await write(storage, path, format, await fileFor(label, model, format, options));
}

/** See `Model.saveWeights`. */
export async function saveWeights(model: AnyModel, path: string, options: StorageOptions = {}): Promise<void> {
  const label = 'saveWeights';
  checkRules<StorageOptions>(label, options, STORING);
  const storage = storageFor(label, options.storage);
  const { formatOfPath } = await import('@recurra/formats/extend');
  const format = formatOfPath(expectPath(label, 'the path', path), label, 'weights');
  expectBuilt(label, model);
  await write(storage, path, format, weightsFile(model));
}

/** See `Model.loadWeights`. */
export async function loadWeights(
  model: AnyModel,
  source: FileSource,
  options: LoadWeightsOptions = {},
): Promise<void> {
  const label = 'loadWeights';
  checkRules<LoadWeightsOptions>(label, options, READING);
  const file = await read(label, source, options);
  expectBuilt(label, model);
  await takeWeights(model, file, labelOf(label, source));
  if (!model.compiled || !file.optimizer) return;
  try {
    assignOptimizer(model.optimizer, model.trainableWeights, file.optimizer, label);
  } catch (error) {
    // As in Keras: weights go into models that are trained in another way, too.
    if (!(error instanceof FormatError)) throw error;
    console.warn(`${label}: the optimizer's state is left as it is. ${error.message}`);
  }
}

/** Puts the weights of a file in a model, as the file has them: in groups, by layers, or by names alone. */
async function takeWeights(model: AnyModel, file: ModelFile, label: string): Promise<void> {
  if (file.weights) assignWeights(model as never, file.weights, label);
  else if (file.layers) assignLayerWeights(model as never, file.layers, label);
  else if (file.named) {
    const { withNamedWeights } = await import('@recurra/formats/extend');
    assignWeights(model as never, withNamedWeights(weightsFile(model), file.named, label).weights!, label);
  } else throw new FormatError(`${label}: expected weights, received none`);
}

/**
 * The model of a file (its path, or its bytes): of Keras' `.keras` and `.h5`, written there or here, or of ONNX. With its weights, and where the file says so compiled as it was,
 * with the optimizer's state, so that training goes on; `compile: false` leaves that out. What a file is, its bytes say, and not its name.
 *
 * Throws `FormatError` for files that are damaged, or that hold other things (weights alone, `Lambda` layers, classes that are not known: pass
 * `customObjects`), `ValueError` where there is none.
 */
export async function loadModel(source: FileSource, options: LoadModelOptions = {}): Promise<AnyModel> {
  const label = 'loadModel';
  checkRules<LoadModelOptions>(label, options, LOADING);
  const { customObjects, compile = true } = options;
  const file = await read(label, source, options);
  const given: FromModelFileOptions = customObjects ? { customObjects, compile } : { compile };
  return modelFromFile(file, given, labelOf(label, source));
}

/**
 * What travels with the model of a file (its path, or its bytes), by the names under which it was saved: `model.save(path, { assets: { tokenizer, labels } })`. Files that Keras keeps
 * there for layers of its own are bytes, by their paths. Empty where there is nothing. Throws `FormatError` for files that are damaged.
 */
export async function loadAssets<A extends object = Record<string, unknown>>(
  source: FileSource,
  options: LoadWeightsOptions = {},
): Promise<A> {
  const label = 'loadAssets';
  checkRules<LoadWeightsOptions>(label, options, READING);
  const { assets } = await read(label, source, options);
  const { decodeAssets } = await import('./assets.js');
  return (await decodeAssets(labelOf(label, source), assets)) as A;
}

/** A model as the bytes of a file: what `model.save` writes. Throws `ValueError` as that does, and for a format that is not known. */
export async function encodeModel(model: AnyModel, options: EncodeModelOptions = {}): Promise<Uint8Array> {
  const label = 'encodeModel';
  checkRules<EncodeModelOptions>(label, options, ENCODING);
  const { formatOfName } = await import('@recurra/formats/extend');
  const format = formatOfName(options.format ?? 'keras', label);
  expectBuilt(label, model);
  const { main, beside } = await format.write(await fileFor(label, model, format, options));
  if (beside.size > 0)
    throw new ValueError(
      `${label}: expected a format of one file, received ${format.name}, which has ${[...beside.keys()].join(', ')} beside it. Use model.save with a storage.`,
    );
  return main;
}

/** The model of the bytes of a file. As {@link loadModel}. */
export async function decodeModel(bytes: Uint8Array, options: LoadModelOptions = {}): Promise<AnyModel> {
  if (!(bytes instanceof Uint8Array))
    throw new ValueError(`decodeModel: expected the bytes of a file, received ${describeValue(bytes)}`);
  return loadModel(bytes, options);
}
