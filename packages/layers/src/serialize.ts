import { type Initializer, type InitializerName, initializers } from '@recurra/cells';
import { FormatError } from '@recurra/tensor';
import type { Layer, LayerConfig } from './layer.js';
import { Bidirectional } from './layers/bidirectional.js';
import { Activation, Dense, Dropout, Embedding, InputLayer, Masking } from './layers/core.js';
import { GRU, LSTM, type RecurrentLayer, SimpleRNN } from './layers/recurrent.js';

/** A layer as data: the name of its class and the arguments that make it. */
export interface SerializedLayer {
  readonly className: string;
  readonly config: LayerConfig;
}

/** The layer as plain data, without its weights. Throws `ValueError` if an argument is a function. */
export function serializeLayer(layer: Layer): SerializedLayer {
  return { className: layer.className, config: layer.getConfig() };
}

// biome-ignore lint/suspicious/noExplicitAny: options come from data and are checked by the constructors
type Options = any;

const CLASSES: Record<string, (config: Options) => Layer> = {
  InputLayer: (c) => new InputLayer(c),
  Dense: ({ units, ...rest }) => new Dense(units, rest),
  Embedding: ({ inputDim, outputDim, ...rest }) => new Embedding(inputDim, outputDim, rest),
  Activation: ({ activation, ...rest }) => new Activation(activation, rest),
  Dropout: ({ rate, ...rest }) => new Dropout(rate, rest),
  Masking: (c) => new Masking(c),
  SimpleRNN: ({ units, ...rest }) => new SimpleRNN(units, rest),
  LSTM: ({ units, ...rest }) => new LSTM(units, rest),
  GRU: ({ units, ...rest }) => new GRU(units, rest),
  Bidirectional: ({ layer, backwardLayer, ...rest }) =>
    new Bidirectional(deserializeLayer(layer) as RecurrentLayer<unknown>, {
      ...rest,
      ...(backwardLayer ? { backwardLayer: deserializeLayer(backwardLayer) } : {}),
    }),
};

/** The layer that {@link serializeLayer} wrote. Throws `FormatError` for a class that is not known. */
export function deserializeLayer({ className, config }: SerializedLayer): Layer {
  const make = CLASSES[className];
  if (!make)
    throw new FormatError(
      `deserializeLayer: expected a class among ${Object.keys(CLASSES).join(', ')}, received "${className}"`,
    );
  const options = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      key.endsWith('Initializer') && typeof value === 'object' && value !== null
        ? makeInitializer(value as SerializedLayer)
        : value,
    ]),
  );
  return make(options);
}

function makeInitializer({ className, config }: SerializedLayer): Initializer {
  const name = `${className[0]!.toLowerCase()}${className.slice(1)}` as InitializerName;
  const make = initializers[name] as unknown as ((options: LayerConfig) => Initializer) | undefined;
  if (!make)
    throw new FormatError(
      `deserializeLayer: expected an initializer among ${Object.keys(initializers).join(', ')}, received "${className}"`,
    );
  return make(config);
}
