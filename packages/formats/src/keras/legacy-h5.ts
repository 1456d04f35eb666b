import { FormatError, type Tensor } from '@recurra/tensor';
import { isRecord } from '@recurra/tensor/extend';
import { writeHdf5 } from '../hdf5/write.js';
import type {
  Json,
  JsonObject,
  KerasObject,
  LayerWeights,
  ModelFile,
  NamedTensor,
  OptimizerWeights,
} from '../model-file.js';
import type { Hdf5Attribute, Hdf5Group } from './hdf5.js';
import { readKerasJson, writeKerasJson } from './json.js';
import { KERAS_VERSION, modelFrom } from './keras-file.js';
import { modelFromKeras2 } from './keras2.js';
import { compileFromKeras2, outputNames } from './keras2-training.js';

const LAYERS = 'layer_names';
const WEIGHTS = 'weight_names';
const TOP = 'top_level_model_weights';
const MODEL_WEIGHTS = 'model_weights';
const OPTIMIZER_WEIGHTS = 'optimizer_weights';
/** Attributes of more bytes are written in parts, as Keras does: HDF5 has a limit. */
const LONGEST = 64512;

/** Texts of an attribute, also where it was written in parts (`layer_names0`, `layer_names1`, ...). */
function namesOf(group: Hdf5Group, key: string, label: string): readonly string[] | null {
  const asTexts = (value: Hdf5Attribute): readonly string[] => {
    const list = Array.isArray(value) ? value : [value];
    if (list.length > 0 && list.some((v) => typeof v !== 'string'))
      throw new FormatError(`${label}: expected ${key} to be names, received others`);
    return list as readonly string[];
  };
  const whole = group.attributes.get(key);
  if (whole !== undefined) return asTexts(whole);
  const parts: string[] = [];
  for (let i = 0; group.attributes.has(`${key}${i}`); i++) parts.push(...asTexts(group.attributes.get(`${key}${i}`)!));
  return parts.length > 0 ? parts : null;
}

/** The data set at a path of names below a group. */
function datasetAt(group: Hdf5Group, path: string, label: string): Tensor {
  const parts = path.split('/').filter((part) => part !== '');
  let at: Hdf5Group | undefined = group;
  for (const part of parts.slice(0, -1)) at = at?.groups.get(part);
  const found = at?.datasets.get(parts.at(-1) ?? '');
  if (!found) throw new FormatError(`${label}: expected the weights "${path}", which it lists, received none`);
  return found;
}

const listed = (group: Hdf5Group, label: string): readonly NamedTensor[] =>
  (namesOf(group, WEIGHTS, label) ?? []).map((name) => ({ name, value: datasetAt(group, name, label) }));

/** The weights by layers, as Keras 2 and 3 write them in `.h5` files. */
function layerWeightsFrom(root: Hdf5Group, label: string): readonly LayerWeights[] {
  const names = namesOf(root, LAYERS, label);
  if (!names) throw new FormatError(`${label}: expected the names of layers, received none. Is it a file of weights?`);
  const layers = names.map((name): LayerWeights => {
    const group = root.groups.get(name);
    if (!group) throw new FormatError(`${label}: expected the layer "${name}", which it lists, received none`);
    return { name, variables: listed(group, `${label}: ${name}`) };
  });
  const top = root.groups.get(TOP);
  const own = top ? listed(top, `${label}: ${TOP}`) : [];
  return own.length > 0 ? [...layers, { name: TOP, variables: own }] : layers;
}

/** How the model was compiled, of Keras' `training_config`; `former`: as Keras 2 says it. */
function compileFrom(
  text: Hdf5Attribute | undefined,
  label: string,
  maxDepth: number,
  former: KerasObject | null,
): JsonObject | null {
  if (typeof text !== 'string' || text === '') return null;
  const config = readKerasJson(text, { label: `${label}: training_config`, maxDepth });
  if (former) return compileFromKeras2(config, `${label}: training_config`, outputNames(former));
  const { optimizer_config: optimizer = null, optimizer: own = optimizer, ...rest } = config;
  return { optimizer: own as Json, ...rest };
}

/** Does a file hold a model as Keras 2 describes it? Its version says so; without one, lists of lists for calls of layers. */
function isFormer(version: Hdf5Attribute | undefined, model: JsonObject): boolean {
  if (typeof version === 'string' && /^\d/.test(version)) return Number.parseInt(version, 10) < 3;
  const config = model['config'];
  if (!isRecord(config) || !Array.isArray(config['layers'])) return Array.isArray(config);
  return (config['layers'] as readonly Json[]).some(
    (layer) =>
      isRecord(layer) &&
      ((Array.isArray(layer['inbound_nodes']) && Array.isArray(layer['inbound_nodes'][0])) ||
        (isRecord(layer['config']) && 'batch_input_shape' in layer['config'])),
  );
}

function optimizerFrom(root: Hdf5Group, label: string): OptimizerWeights | null {
  const group = root.groups.get(OPTIMIZER_WEIGHTS);
  if (!group) return null;
  const variables = listed(group, `${label}: ${OPTIMIZER_WEIGHTS}`);
  return { name: variables[0]?.name.split('/')[0] ?? 'optimizer', variables };
}

/** Is it a file of the layout before Keras 3's own? */
export const isLegacy = ({ attributes }: Hdf5Group): boolean =>
  attributes.has('model_config') || attributes.has(LAYERS) || attributes.has(`${LAYERS}0`);

/**
 * A whole model, or weights alone, of the tree of an `.h5` file of the layout before Keras 3's own; models that Keras 2 described are described as Keras 3 does. Throws
 * `FormatError` for what is missing or damaged.
 */
export function legacyFromHdf5(root: Hdf5Group, label: string, maxDepth: number): ModelFile {
  const described = root.attributes.get('model_config');
  const base = { weights: null, assets: new Map<string, Uint8Array>() };
  if (described === undefined)
    return { ...base, model: null, compile: null, optimizer: null, layers: layerWeightsFrom(root, label) };
  if (typeof described !== 'string')
    throw new FormatError(`${label}: expected model_config to be a text, received another attribute`);
  const weights = root.groups.get(MODEL_WEIGHTS);
  if (!weights) throw new FormatError(`${label}: expected the group "${MODEL_WEIGHTS}", received none`);
  const given = readKerasJson(described, { label: `${label}: model_config`, maxDepth });
  const former = isFormer(root.attributes.get('keras_version'), given);
  const model = former ? modelFromKeras2(given, label) : modelFrom(given, label).model;
  return {
    ...base,
    model,
    compile: compileFrom(root.attributes.get('training_config'), label, maxDepth, former ? model : null),
    layers: layerWeightsFrom(weights, label),
    // Keras 2 kept other variables of optimizers, in another order.
    optimizer: former ? null : optimizerFrom(root, label),
  };
}

const EMPTY: Hdf5Group = { attributes: new Map(), groups: new Map(), datasets: new Map() };

/** A tree with a data set at a path of names. */
function withDataset(group: Hdf5Group, parts: readonly string[], value: Tensor): Hdf5Group {
  const [head, ...rest] = parts as [string, ...string[]];
  if (rest.length === 0) return { ...group, datasets: new Map([...group.datasets, [head, value]]) };
  const child = withDataset(group.groups.get(head) ?? EMPTY, rest, value);
  return { ...group, groups: new Map([...group.groups, [head, child]]) };
}

/** Names as one attribute, or as several where they are too long for one. */
function nameAttributes(key: string, names: readonly string[]): [string, Hdf5Attribute][] {
  const size = names.reduce((sum, name) => sum + new TextEncoder().encode(name).length + 16, 0);
  if (size <= LONGEST) return [[key, names]];
  const parts = Math.ceil(size / LONGEST) + 1;
  const each = Math.ceil(names.length / parts);
  return Array.from({ length: Math.ceil(names.length / each) }, (_, i) => [
    `${key}${i}`,
    names.slice(i * each, (i + 1) * each),
  ]);
}

/** Variables by their names, those of one name told apart by numbers. */
function variablesGroup(variables: readonly NamedTensor[]): Hdf5Group {
  const taken = new Set<string>();
  const names = variables.map(({ name }) => {
    let own = name;
    for (let n = 1; taken.has(own); n++) own = `${name}_${n}`;
    taken.add(own);
    return own;
  });
  const group = variables.reduce((into, { value }, i) => withDataset(into, names[i]!.split('/'), value), EMPTY);
  return { ...group, attributes: new Map(nameAttributes(WEIGHTS, names)) };
}

/** A model as an `.h5` file of the layout before Keras 3's own, which Keras reads. Throws `FormatError` without a model and its weights by layers. */
export async function writeLegacyH5({ model, compile, layers, optimizer }: ModelFile): Promise<Uint8Array> {
  if (!model || !layers)
    throw new FormatError('.h5: expected a whole model, received weights alone. Write them as .weights.h5.');
  if (model.class_name !== 'Sequential' && model.class_name !== 'Functional')
    throw new FormatError(
      `.h5: expected a Sequential or a graph of layers, received the class ${model.class_name}, whose layers this format cannot tell. Save it as .keras.`,
    );
  const weights: Hdf5Group = {
    attributes: new Map<string, Hdf5Attribute>([
      ...nameAttributes(
        LAYERS,
        layers.map(({ name }) => name),
      ),
      ['backend', 'jax'],
      ['keras_version', KERAS_VERSION],
    ]),
    groups: new Map([
      ...layers.map(({ name, variables }) => [name, variablesGroup(variables)] as const),
      [TOP, variablesGroup([])] as const,
    ]),
    datasets: new Map(),
  };
  const described = former(model);
  const training = compile && trainingConfig(compile);
  return writeHdf5({
    attributes: new Map<string, Hdf5Attribute>([
      ['backend', 'jax'],
      ['keras_version', KERAS_VERSION],
      ['model_config', writeKerasJson(described)],
      ...(training ? [['training_config', writeKerasJson(training)] as const] : []),
    ]),
    groups: new Map([
      [MODEL_WEIGHTS, weights],
      ...(training && optimizer ? [[OPTIMIZER_WEIGHTS, variablesGroup(optimizer.variables)] as const] : []),
    ]),
    datasets: new Map(),
  });
}

/** A model as this format describes it: its layers by their classes alone. */
function former(object: JsonObject): JsonObject {
  const { module: _module, registered_name: registered, build_config: _build, config, ...rest } = object;
  const layers =
    isRecord(config) && Array.isArray(config['layers']) ? (config['layers'] as readonly JsonObject[]) : null;
  const own = layers ? { ...(config as JsonObject), layers: layers.map(former) } : (config as Json);
  // A class of one's own is found by the name that it was registered by.
  const named = typeof registered === 'string' && registered.includes('>') ? { class_name: registered } : {};
  return { ...rest, ...named, config: own };
}

/** Keras' `training_config`: the optimizer by another name. */
function trainingConfig({ optimizer = null, loss = null, ...rest }: JsonObject): JsonObject {
  return { ...rest, loss: spelledOut(loss), optimizer_config: optimizer };
}

/** Keras does not read its own short names of losses in this format. */
const LONG: Readonly<Record<string, string>> = {
  bce: 'binary_crossentropy',
  kld: 'kl_divergence',
  mae: 'mean_absolute_error',
  mape: 'mean_absolute_percentage_error',
  mse: 'mean_squared_error',
  msle: 'mean_squared_logarithmic_error',
};

/** Names in a tree by outputs, without short ones. */
function spelledOut(tree: Json): Json {
  if (typeof tree === 'string') return LONG[tree] ?? tree;
  if (Array.isArray(tree)) return tree.map(spelledOut);
  if (!isRecord(tree) || typeof tree['class_name'] === 'string') return tree;
  return Object.fromEntries(Object.entries(tree as JsonObject).map(([key, child]) => [key, spelledOut(child)]));
}
