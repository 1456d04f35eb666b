import { GRUCell, LSTMCell, SimpleRNNCell, StackedCells } from '@recurra/cells';
import { FormatError } from '@recurra/tensor';
import { describeLayer, type SerializedLayer } from './base/describe.js';
import type { AnyLayer, LayerConfig } from './base/layer.js';
import { Sequential } from './base/sequential.js';
import { isRecord } from './base/tree.js';
import * as layers from './layers/index.js';
import type { AnyCell } from './layers/rnn.js';

/** A class of layers that a configuration can make. */
export interface LayerClass {
  fromConfig(config: LayerConfig): AnyLayer;
}

/** Does something make layers from configurations? */
const isLayerClass = (value: unknown): value is LayerClass =>
  typeof value === 'function' && 'fromConfig' in value && typeof value.fromConfig === 'function';

/** The layers that can be made from data, by Keras' names of their classes: all that `layers/index.ts` exports. */
export const layerClasses = (): ReadonlyMap<string, LayerClass> =>
  new Map(
    Object.entries<unknown>({ ...layers }).filter((entry): entry is [string, LayerClass] => isLayerClass(entry[1])),
  );

const CELLS: ReadonlyMap<string, new (units: number, options: never) => AnyCell> = new Map(
  Object.entries({ SimpleRNNCell, LSTMCell, GRUCell }),
);

/** What goes with reading a configuration. */
export interface DeserializeOptions {
  /** Classes of one's own, by their names. */
  readonly customObjects?: Readonly<Record<string, LayerClass>>;
}

/** Is it the description of a layer or a cell? */
function isSerializedLayer(value: unknown): value is SerializedLayer {
  return (
    isRecord(value) &&
    typeof value['className'] === 'string' &&
    isRecord(value['config']) &&
    (value['module'] === undefined || value['module'] === 'keras.layers')
  );
}

/** The layer that {@link serializeLayer} wrote. Throws `FormatError` for a class that is not known. */
export function deserializeLayer(given: SerializedLayer, options: DeserializeOptions = {}): AnyLayer {
  if (!isSerializedLayer(given))
    throw new FormatError('deserializeLayer: expected { className, config }, received something else');
  const { className, config } = given;
  if (className === 'Sequential') return sequentialFromConfig(config, options);
  const custom = options.customObjects;
  const make = custom && Object.hasOwn(custom, className) ? custom[className] : layerClasses().get(className);
  if (!make)
    throw new FormatError(
      `deserializeLayer: expected a class among ${[...layerClasses().keys(), ...Object.keys(custom ?? {})].join(', ')}, received "${className}". Pass classes of your own as customObjects.`,
    );
  const inner: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (key === 'cell') inner[key] = deserializeCell(value as SerializedLayer);
    else if ((key === 'layer' || key === 'backwardLayer') && isSerializedLayer(value))
      inner[key] = deserializeLayer(value, options);
    else inner[key] = value;
  }
  // What Keras writes and nothing here depends on.
  delete inner['quantizationConfig'];
  return make.fromConfig(inner);
}

/** A cell from its description. */
function deserializeCell({ className, config }: SerializedLayer): AnyCell {
  if (className === 'StackedRNNCells')
    return new StackedCells((config['cells'] as readonly SerializedLayer[]).map(deserializeCell));
  const Class = CELLS.get(className);
  if (!Class)
    throw new FormatError(
      `deserializeLayer: expected a cell among ${[...CELLS.keys(), 'StackedRNNCells'].join(', ')}, received "${className}"`,
    );
  const { units, name: _name, trainable: _trainable, dtype: _dtype, ...rest } = config;
  return new Class(units as number, rest as never);
}

/** The model that `Sequential.getConfig` describes, with fresh weights. */
export function sequentialFromConfig(config: LayerConfig, options: DeserializeOptions = {}): Sequential {
  const { name, layers, trainable } = config as {
    name?: string;
    layers: readonly SerializedLayer[];
    trainable?: boolean;
  };
  const model = new Sequential(
    layers.map((layer) => deserializeLayer(layer, options)),
    name === undefined ? {} : { name },
  );
  if (trainable === false) model.trainable = false;
  return model;
}

export { describeLayer as serializeLayer };
