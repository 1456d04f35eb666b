import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import type { AnyLayer } from './layer.js';

/** A layer as Keras writes it down inside of others. */
export interface SerializedLayer {
  /** Where Keras finds the class; absent for one's own. */
  readonly module?: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly registeredName?: string | null;
}

/** Where Keras keeps the models that are layers. */
const MODELS: Readonly<Record<string, Pick<SerializedLayer, 'module' | 'registeredName'>>> = {
  Functional: { module: 'keras.src.models.functional', registeredName: 'Functional' },
  Sequential: { module: 'keras', registeredName: null },
};

/** The layer as plain data, without its weights. Throws `ValueError` if an argument is a function. */
export function describeLayer(layer: AnyLayer): SerializedLayer {
  if (typeof layer?.getConfig !== 'function' || typeof layer.className !== 'string')
    throw new ValueError(`serializeLayer: expected a layer, received ${describeValue(layer)}`);
  const { className } = layer;
  const { module, registeredName } = MODELS[className] ?? { module: 'keras.layers', registeredName: null };
  return { module: module!, className, config: layer.getConfig(), registeredName: registeredName! };
}
