import { type AnyCell, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells } from '@recurra/cells';
import { FormatError, type Registrable } from '@recurra/tensor';
import {
  checkRules,
  customNames,
  customObject,
  isRegistrable,
  isSerialized,
  type Rule,
  type Rules,
  withCustomObjects,
} from '@recurra/tensor/extend';
import type { SerializedLayer } from './base/describe.js';
import { asFormatError, graphFromConfig } from './base/graph-from-config.js';
import type { AnyLayer, LayerConfig } from './base/layer.js';
import type { Model } from './base/model.js';
import { Sequential } from './base/sequential.js';
import { describeTree, isRecord } from './base/tree.js';
import * as layers from './layers/index.js';

/** A class of layers that a configuration can make. */
export interface LayerClass {
  fromConfig(config: LayerConfig): AnyLayer;
}

/** Does something make layers from configurations? */
const isLayerClass = (value: unknown): value is LayerClass =>
  value !== null &&
  (typeof value === 'function' || typeof value === 'object') &&
  'fromConfig' in value &&
  typeof value.fromConfig === 'function';

/** The layers that can be made from data, by Keras' names of their classes: all that `layers/index.ts` exports. */
export const layerClasses = (): ReadonlyMap<string, LayerClass> =>
  new Map(
    Object.entries<unknown>({ ...layers }).filter((entry): entry is [string, LayerClass] => isLayerClass(entry[1])),
  );

/** A class of cells that a configuration can make: one that extends `RecurrentCell`. */
export interface CellClass {
  fromConfig(config: Readonly<Record<string, unknown>>): AnyCell;
}

const CELLS: ReadonlyMap<string, new (units: number, options: never) => AnyCell> = new Map(
  Object.entries({ SimpleRNNCell, LSTMCell, GRUCell }),
);

/** What goes with reading a configuration. */
export interface DeserializeOptions {
  /** Classes (layers, cells, losses, metrics, ...) and functions of one's own, by their names; see `registerSerializable`, too. */
  readonly customObjects?: Readonly<Record<string, LayerClass | CellClass | Registrable>>;
}

/** Classes and functions of one's own, by their names. */
export const CUSTOM_OBJECTS: Rule = {
  expected: 'an object of classes and functions by their names',
  accepts: (v) => isRecord(v) && Object.values(v).every(isRegistrable),
};

const OPTIONS: Rules<DeserializeOptions> = { customObjects: CUSTOM_OBJECTS };

/** Where Keras finds classes of layers and models. */
const LAYER_MODULES: ReadonlySet<string> = new Set([
  'keras.layers',
  'keras',
  'keras.models',
  'keras.src.models.functional',
  'keras.src.models.sequential',
  'keras.src.models.model',
]);

/** How deep layers may lie in each other (models in models, wrappers in wrappers). */
const DEEPEST = 64;
let depth = 0;

/** Layers that one description has made: by the numbers by which it says that one is meant again, and by how they were described. */
interface Made {
  readonly byId: Map<number, AnyLayer>;
  readonly byText: Map<string, AnyLayer>;
}
let together: Made | null = null;

/** Runs `f`; layers that the descriptions which it reads share are one layer. */
export function deserializeTogether<R>(f: () => R): R {
  const before = together;
  together = { byId: new Map(), byText: new Map() };
  try {
    return f();
  } finally {
    together = before;
  }
}

/** A description without what tells its places apart, to be compared. */
const textOf = ({ className, config }: SerializedLayer): string =>
  JSON.stringify([className, config], (key, value: unknown) => (key === 'sharedObjectId' ? undefined : value));

/**
 * The layer of a description, which may have been described before. Keras marks the second description and those after it, so that the first one is found by what
 * it says: its class, its name, its configuration.
 */
function sharedLayer(given: SerializedLayer, make: () => AnyLayer): AnyLayer {
  const { sharedObjectId: id } = given;
  const made = together;
  if (!made) return make();
  const known = id === undefined ? undefined : (made.byId.get(id) ?? made.byText.get(textOf(given)));
  const layer = known ?? make();
  if (id !== undefined) made.byId.set(id, layer);
  else made.byText.set(textOf(given), layer);
  return layer;
}

/** Is it the description of a layer or a cell? */
function isSerializedLayer(value: unknown): value is SerializedLayer {
  return (
    isSerialized(value) && (value.module === undefined || value.module === null || LAYER_MODULES.has(value.module))
  );
}

/**
 * The layer (or model) that `serializeLayer` wrote. Throws `FormatError` for a class that is not known, for arguments that the class refuses, and for
 * descriptions of another form.
 */
export function deserializeLayer(given: SerializedLayer, options: DeserializeOptions = {}): AnyLayer {
  checkRules('deserializeLayer', options, OPTIONS);
  if (!isSerializedLayer(given))
    throw new FormatError(`deserializeLayer: expected { className, config }, received ${describeTree(given)}`);
  if (depth >= DEEPEST)
    throw new FormatError(
      `deserializeLayer: expected layers at most ${DEEPEST} deep in each other, received deeper ones`,
    );
  depth++;
  try {
    return withCustomObjects(options.customObjects, () =>
      asFormatError(`deserializeLayer: ${given.className}`, () => sharedLayer(given, () => layerFrom(given, options))),
    );
  } finally {
    depth--;
  }
}

/** The layer of a description, built as it was. */
function layerFrom(given: SerializedLayer, options: DeserializeOptions): AnyLayer {
  const layer = madeFrom(given, options);
  if (!layer.built && isRecord(given.buildConfig)) layer.buildFromConfig(given.buildConfig);
  return layer;
}

function madeFrom({ className, config, registeredName }: SerializedLayer, options: DeserializeOptions): AnyLayer {
  const found = customObject(className, registeredName);
  const own = found && isLayerClass(found) ? found : undefined;
  if (
    !own &&
    (className === 'Sequential' || className === 'Functional' || (className === 'Model' && 'layers' in config))
  )
    return modelFromConfig(config, options) as AnyLayer;
  const make = own ?? layerClasses().get(className);
  if (!make)
    throw new FormatError(
      `deserializeLayer: expected a class among ${[...layerClasses().keys(), ...customNames()].join(', ')}, received "${className}". Pass classes of your own as customObjects, or make them known with registerSerializable.`,
    );
  const inner: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (key === 'cell') inner[key] = deserializeCell(value as SerializedLayer, options);
    else if ((key === 'layer' || key === 'backwardLayer') && isSerializedLayer(value))
      inner[key] = deserializeLayer(value, options);
    else inner[key] = value;
  }
  return make.fromConfig(inner) as AnyLayer;
}

/** A cell from its description. Throws `FormatError` for a class that is not known. */
function deserializeCell(given: SerializedLayer, options: DeserializeOptions): AnyCell {
  if (!isSerializedLayer(given))
    throw new FormatError('deserializeLayer: expected a cell as { className, config }, received something else');
  const { className, config, registeredName } = given;
  const { name: _name, trainable: _trainable, dtype: _dtype, ...own } = config;
  const custom = customObject(className, registeredName);
  if (custom && 'fromConfig' in custom) return custom.fromConfig(config as never) as AnyCell;
  if (className === 'StackedRNNCells') {
    const { cells, ...rest } = own as { readonly cells: readonly SerializedLayer[] };
    return new StackedRNNCells(
      cells.map((cell) => deserializeCell(cell, options)),
      rest,
    );
  }
  const Class = CELLS.get(className);
  if (!Class)
    throw new FormatError(
      `deserializeLayer: expected a cell among ${[...CELLS.keys(), 'StackedRNNCells', ...customNames()].join(', ')}, received "${className}". Pass classes of your own as customObjects, or make them known with registerSerializable.`,
    );
  const { units, ...rest } = own;
  return new Class(units as number, rest as never);
}

/**
 * The model that `getConfig` of a `Sequential` or of a graph of layers describes, with fresh weights. Models that write `call` are made by their class:
 * `TheClass.fromConfig(config)`. Throws `FormatError` for a configuration of another form. Keras `Model.from_config`.
 */
export function modelFromConfig(config: LayerConfig, options: DeserializeOptions = {}): Model<unknown, unknown> {
  if (!isRecord(config) || !Array.isArray(config['layers']))
    throw new FormatError(
      `modelFromConfig: expected the configuration of a Sequential or of a graph of layers, with a list of layers, received ${describeTree(config)}. A model that writes call is made by its class: TheClass.fromConfig(config).`,
    );
  if (!('inputLayers' in config) && !('outputLayers' in config))
    return sequentialFromConfig(config, options) as Model<unknown, unknown>;
  return graphFromConfig(config, (layer) => deserializeLayer(layer, options));
}

/** The model that `Sequential.getConfig` describes, with fresh weights. Throws `FormatError` for a configuration of another form. */
export function sequentialFromConfig(config: LayerConfig, options: DeserializeOptions = {}): Sequential {
  if (!isRecord(config) || !Array.isArray(config['layers']))
    throw new FormatError(
      `sequentialFromConfig: expected a configuration with a list of layers, received ${describeTree(config)}`,
    );
  const { name, layers, trainable } = config as {
    name?: string | null;
    layers: readonly SerializedLayer[];
    trainable?: boolean | null;
  };
  const made = layers.map((layer) => deserializeLayer(layer, options));
  const model = asFormatError('sequentialFromConfig', () => new Sequential(made, name == null ? {} : { name }));
  if (trainable === false) model.trainable = false;
  return model;
}
