import { GRUCell, LSTMCell, SimpleRNNCell, StackedCells } from '@recurra/cells';
import { FormatError } from '@recurra/tensor';
import { describeLayer, type SerializedLayer } from './base/describe.js';
import type { AnyLayer, LayerConfig } from './base/layer.js';
import { Sequential } from './base/sequential.js';
import { isRecord } from './base/tree.js';
import { Activation } from './layers/activation.js';
import { Bidirectional } from './layers/bidirectional.js';
import { Dense } from './layers/dense.js';
import { Dropout } from './layers/dropout.js';
import { Embedding } from './layers/embedding.js';
import { GRU } from './layers/gru.js';
import { InputLayer } from './layers/input.js';
import { LSTM } from './layers/lstm.js';
import { Masking } from './layers/masking.js';
import { type AnyCell, RNN } from './layers/rnn.js';
import { SimpleRNN } from './layers/simple-rnn.js';

/** A class of layers that a configuration can make. */
export interface LayerClass {
  fromConfig(config: LayerConfig): AnyLayer;
}

/** The layers that can be made from data, by Keras' names of their classes. */
const CLASSES: ReadonlyMap<string, LayerClass> = new Map(
  Object.entries({
    InputLayer,
    Dense,
    Embedding,
    Activation,
    Dropout,
    Masking,
    RNN,
    SimpleRNN,
    LSTM,
    GRU,
    Bidirectional,
  } as unknown as Record<string, LayerClass>),
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
  const make = custom && Object.hasOwn(custom, className) ? custom[className] : CLASSES.get(className);
  if (!make)
    throw new FormatError(
      `deserializeLayer: expected a class among ${[...CLASSES.keys(), ...Object.keys(custom ?? {})].join(', ')}, received "${className}". Pass classes of your own as customObjects.`,
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
