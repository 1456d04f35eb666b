import type { Tensor } from '@recurra/tensor';

/** What JSON holds. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** A layer or model (or another object) as Keras 3 writes it down: keys in snake_case. */
export interface KerasObject extends JsonObject {
  /** Where Keras finds the class; `null` for one's own. */
  readonly module: string | null;
  readonly class_name: string;
  readonly config: JsonObject;
  /** What one's own class was registered as: `package>name`. */
  readonly registered_name: string | null;
}

/** A tensor and the name that it goes by. */
export interface NamedTensor {
  readonly name: string;
  readonly value: Tensor;
}

/**
 * The weights of a layer (its own, in Keras' order) and of what it is made of, by the names of Keras' attributes: `layers` -> `lstm` -> `cell`. A list of layers is
 * a group without a name; those in it go by their classes in snake_case, numbered: `dense`, `dense_1`.
 */
export interface WeightGroup {
  /** The name of the layer; `null` for a list. */
  readonly name: string | null;
  readonly variables: readonly NamedTensor[];
  readonly children: ReadonlyMap<string, WeightGroup>;
}

/** The weights of one layer of a model, with all within it, by their paths: those that are trained, then the others. */
export interface LayerWeights {
  readonly name: string;
  readonly variables: readonly NamedTensor[];
}

/** The state of an optimizer: iterations, learning rate, then what it keeps of each weight, in Keras' order. */
export interface OptimizerWeights {
  readonly name: string;
  readonly variables: readonly NamedTensor[];
  /** The state of an optimizer within it (`LossScaleOptimizer`), which stands among its variables, too. */
  readonly inner?: OptimizerWeights;
}

/**
 * A saved model as a plain value: what codecs read and write. Files hold as much of it as their format can: of weights alone, `model` is `null`.
 */
export interface ModelFile {
  /** The architecture, as Keras' own JSON. */
  readonly model: KerasObject | null;
  /** Optimizer, loss and metrics: Keras' `compile_config`. */
  readonly compile: JsonObject | null;
  readonly weights: WeightGroup | null;
  /** The same weights by the layers of the model, for formats that have them so; where both are there, `weights` counts. */
  readonly layers: readonly LayerWeights[] | null;
  /** Weights by the paths of variables alone, of formats that say nothing of their places (safetensors). */
  readonly named?: ReadonlyMap<string, Tensor> | null;
  readonly optimizer: OptimizerWeights | null;
  /** Further files that travel with a model (vocabularies, tokenizers), by their paths. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}

/** A group of weights without any. */
export function emptyGroup(name: string | null): WeightGroup {
  return { name, variables: [], children: new Map() };
}

/** Keras' names of groups in a list of layers: the class in snake_case, numbered. */
export function groupKeys(layers: readonly { readonly className: string }[]): string[] {
  const used = new Map<string, number>();
  return layers.map(({ className }) => {
    const base = snakeCase(className);
    const n = used.get(base) ?? 0;
    used.set(base, n + 1);
    return n === 0 ? base : `${base}_${n}`;
  });
}

/** Keras' `to_snake_case`. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** A tensor among the weights of a file: the names of groups that lead to its group, its place in that, and itself. */
export interface PlacedTensor extends NamedTensor {
  /** Names of the groups, outermost first. */
  readonly path: readonly string[];
  /** Its place among the variables of its group. */
  readonly index: number;
  /** The names of the layers around it, that of its own last. */
  readonly layers: readonly string[];
}

/** All tensors of a group and those within, in the order of the file: a group's own, then those of its children. */
export function* tensorsOf(
  group: WeightGroup,
  path: readonly string[] = [],
  layers: readonly string[] = [],
): Generator<PlacedTensor> {
  const around = group.name === null ? layers : [...layers, group.name];
  for (const [index, { name, value }] of group.variables.entries()) yield { path, index, name, value, layers: around };
  for (const [key, child] of group.children) yield* tensorsOf(child, [...path, key], around);
}
