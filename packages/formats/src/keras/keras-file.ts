import { FormatError } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import { readHdf5 } from '../hdf5/read.js';
import { hdf5Parts } from '../hdf5/write.js';
import { Budget, type Limits } from '../limits.js';
import type { JsonObject, KerasObject, ModelFile } from '../model-file.js';
import { readKerasJson, writeKerasJson } from './json.js';
import { weightsFromHdf5, weightsToHdf5 } from './weights-h5.js';
import { openZip, writeZip } from './zip.js';

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';
const ASSETS = 'assets/';

/** The release of Keras whose files these are. */
export const KERAS_VERSION = '3.15.1';

/** The model that a configuration describes, and how it is compiled, apart. Throws `FormatError` for other JSON. */
export function modelFrom(config: JsonObject, label: string): { model: KerasObject; compile: JsonObject | null } {
  const { compile_config: compile = null, ...model } = config;
  if (typeof model['class_name'] !== 'string' || !isRecord(model['config']))
    throw new FormatError(`${label}: expected a model as { class_name, config }, received another object`);
  const compiled = isRecord(compile) && Object.keys(compile).length > 0;
  const { module = null, registered_name: registered = null } = model;
  return {
    model: { ...model, module, registered_name: registered } as KerasObject,
    compile: compiled ? (compile as JsonObject) : null,
  };
}

/**
 * The model of a `.keras` file. Throws `FormatError` for other bytes, members that are missing or damaged, and for more than the limits allow.
 */
export async function readKeras(bytes: Uint8Array, limits?: Limits, label = '.keras'): Promise<ModelFile> {
  const budget = new Budget(label, bytes.length, limits);
  const archive = openZip(bytes, budget);
  const config = await archive.read(CONFIG);
  if (!config)
    throw new FormatError(
      `${label}: expected the member "${CONFIG}", received ${archive.names.join(', ').slice(0, 120) || 'none'}. Is it a file of Keras 3?`,
    );
  const { maxDepth } = budget;
  const described = modelFrom(readKerasJson(config, { label: `${label}: ${CONFIG}`, maxDepth }), label);
  const weights = await archive.read(WEIGHTS);
  if (!weights) throw new FormatError(`${label}: expected the member "${WEIGHTS}", received none`);
  const root = await readHdf5(weights, budget);
  const assets = new Map<string, Uint8Array>();
  for (const name of archive.names)
    if (name.startsWith(ASSETS) && !name.endsWith('/'))
      assets.set(name.slice(ASSETS.length), (await archive.read(name)) as Uint8Array);
  return { ...described, layers: null, assets, ...weightsFromHdf5(root, label) };
}

/** `2026-11-27@12:00:00`, as Keras writes it. */
const stamp = (date: Date): string => date.toISOString().slice(0, 19).replace('T', '@');

/** A model as a `.keras` file, which Keras reads. Throws `FormatError` for weights alone. */
export async function writeKeras(file: ModelFile): Promise<Uint8Array> {
  const { model, compile, weights, optimizer, assets } = file;
  if (!model || !weights)
    throw new FormatError('.keras: expected a whole model, received weights alone. Write them as .weights.h5.');
  const encode = (value: JsonObject): Uint8Array => new TextEncoder().encode(writeKerasJson(value));
  const members = new Map<string, readonly Uint8Array[]>([
    [METADATA, [encode({ keras_version: KERAS_VERSION, date_saved: stamp(new Date()) })]],
    [CONFIG, [encode({ ...model, compile_config: compile ?? {} })]],
    [WEIGHTS, hdf5Parts(weightsToHdf5({ weights, optimizer }))],
    ...[...assets].map(([name, bytes]) => [`${ASSETS}${name}`, [bytes]] as const),
  ]);
  return writeZip(members);
}
