import { ValueError } from '@recurra/tensor';
import { describeValue, registeredName } from '@recurra/tensor/extend';
import type { AnyLayer } from './layer.js';

/** A layer as Keras writes it down inside of others. */
export interface SerializedLayer {
  /** Where Keras finds the class; absent for one's own. */
  readonly module?: string | null;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly registeredName?: string | null;
  /** What it was built for. */
  readonly buildConfig?: Readonly<Record<string, unknown>> | null;
  /** In a description of several layers: what it is described again by, if it was described before. */
  readonly sharedObjectId?: number;
}

/** Layers that have been described, with their numbers, while one description is made. */
let described: Map<AnyLayer, number> | null = null;

/** Runs `f`; layers that it describes twice are the same layer: the second description says so, as Keras' do. */
export function describeTogether<R>(f: () => R): R {
  if (described) return f();
  described = new Map();
  try {
    return f();
  } finally {
    described = null;
  }
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
  const before = described?.get(layer);
  if (before === undefined) described?.set(layer, described.size + 1);
  const again = before === undefined ? {} : { sharedObjectId: before };
  const { className } = layer;
  const config = layer.getConfig();
  const own = registeredName(layer.constructor);
  // What was made once can be made again at once, also where no input says the shape.
  const build = layer.builtByShape ? layer.getBuildConfig() : null;
  const rest = build ? { buildConfig: build as Readonly<Record<string, unknown>> } : {};
  if (own !== null) return { module: null, className, config, registeredName: own, ...rest, ...again };
  const base = MODELS[className] ?? { module: 'keras.layers', registeredName: null };
  return { className, config, ...base, ...rest, ...again } as SerializedLayer;
}
