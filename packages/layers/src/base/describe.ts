import type { AnyLayer } from './layer.js';

/** A layer as Keras writes it down inside of others. */
export interface SerializedLayer {
  /** Where Keras finds the class; absent for one's own. */
  readonly module?: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly registeredName?: string | null;
}

/** The layer as plain data, without its weights. Throws `ValueError` if an argument is a function. */
export function describeLayer(layer: AnyLayer): SerializedLayer {
  return { module: 'keras.layers', className: layer.className, config: layer.getConfig(), registeredName: null };
}
