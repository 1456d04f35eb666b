import type { LayerWeights, NamedTensor, WeightGroup } from '@recurra/formats';
import { FormatError, type Tensor } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';
import type { AnyLayer } from '../base/layer.js';
import { type SavedGroup, savedGroupOf } from '../base/saved.js';
import { sameElements, type Variable } from '../base/variable.js';

/** What a file may hold beside the weights of a model: the optimizer, metrics, random states. */
const BESIDE = /^(optimizer|_?compile_metrics|_?compile_loss|_?loss_tracker|_?metrics|_?seed_generators?)$/;

/** Keys of groups that files of Keras 2.13 call otherwise. */
const FORMER: Readonly<Record<string, string>> = { layers: '_layer_checkpoint_dependencies' };

const toFile = (group: SavedGroup): WeightGroup => ({
  name: group.name,
  variables: group.variables.map(({ name, variable }) => ({ name, value: sameElements(variable.value) })),
  children: new Map([...group.children].map(([key, child]) => [key, toFile(child)])),
});

/** The weights of a model, as they are now, in groups as Keras' files have them. */
export function weightsToFile(model: AnyLayer): WeightGroup {
  return toFile(savedGroupOf(model as never));
}

/** The variables of a layer in the order of Keras' older formats: those that are trained, then the others. */
export const inFormerOrder = (layer: AnyLayer): readonly Variable[] => [
  ...layer.trainableWeights,
  ...layer.nonTrainableWeights,
];

/** The weights of each layer of a model, as they are now, as Keras' older formats have them. */
export function layerWeightsToFile(model: { readonly layers: readonly unknown[] }): readonly LayerWeights[] {
  return (model.layers as readonly AnyLayer[]).map((layer) => ({
    name: layer.name,
    variables: inFormerOrder(layer).map((v) => ({ name: v.path, value: sameElements(v.value) })),
  }));
}

/** A variable, and the value that a file has for it. */
interface Assignment {
  readonly variable: Variable;
  readonly value: Tensor;
}

const told = (path: readonly string[]): string => (path.length === 0 ? 'the model' : `"${path.join('/')}"`);

function pair(
  label: string,
  where: string,
  variables: readonly { readonly name: string; readonly variable: Variable }[],
  tensors: readonly NamedTensor[],
  found: Assignment[],
): void {
  if (tensors.length !== variables.length)
    throw new FormatError(
      `${label}: expected ${variables.length} weights (${variables.map((v) => `${v.name} ${formatShape(v.variable.shape)}`).join(', ') || 'none'}) for ${where}, received ${tensors.length} (${tensors.map(({ value }) => formatShape(value.shape)).join(', ') || 'none'}). Load them into a model of the same layers.`,
    );
  variables.forEach(({ name, variable }, i) => {
    const { value } = tensors[i]!;
    if (value.shape.join() !== variable.shape.join())
      throw new FormatError(
        `${label}: expected ${name} of ${where} to have shape ${formatShape(variable.shape)}, received ${formatShape(value.shape)}. Load them into a model of the same sizes.`,
      );
    found.push({ variable, value });
  });
}

/** Has a group weights, or one of those within? */
const holds = (group: WeightGroup): boolean => group.variables.length > 0 || [...group.children.values()].some(holds);

/**
 * The keys of a list's groups in a file, for those of the model. Keras numbers layers of one class in the order of the model; a file that has
 * exactly the layers' names says more than their order does.
 */
function keysByName(saved: ReadonlyMap<string, SavedGroup>, file: WeightGroup): ReadonlyMap<string, string> | null {
  const byName = new Map([...file.children].map(([key, child]) => [child.name, key]));
  const names = [...saved.values()].map((group) => group.name);
  if (names.length !== file.children.size || byName.size !== names.length || names.includes(null)) return null;
  const keys = [...saved].map(([key, group]) => [key, byName.get(group.name)] as const);
  const family = (key: string): string => key.replace(/_\d+$/, '');
  return keys.every(([key, own]) => own !== undefined && family(own) === family(key))
    ? new Map(keys as [string, string][])
    : null;
}

function collect(label: string, saved: SavedGroup, file: WeightGroup, path: string[], found: Assignment[]): void {
  pair(label, told(path), saved.variables, file.variables, found);
  const keys = saved.name === null ? keysByName(saved.children, file) : null;
  const read = new Set<string>();
  for (const [key, child] of saved.children) {
    const own = keys?.get(key) ?? (file.children.has(key) ? key : (FORMER[key] ?? key));
    const group = file.children.get(own) ?? { name: null, variables: [], children: new Map() };
    read.add(own);
    collect(label, child, group, [...path, key], found);
  }
  for (const [key, group] of file.children)
    if (!read.has(key) && !BESIDE.test(key) && holds(group))
      throw new FormatError(
        `${label}: expected weights of this model, received such of "${[...path, key].join('/')}", which it does not have. Load them into a model of the same layers.`,
      );
}

function assign(found: readonly Assignment[]): ReadonlySet<Variable> {
  for (const { variable, value } of found) variable.assign(sameElements(value.cast(variable.dtype)));
  return new Set(found.map(({ variable }) => variable));
}

/**
 * Puts the weights of a file in a model that has its weights: all, or none. Gives those that the file had. Throws `FormatError`, with the place, where there are more of them, fewer, or others.
 */
export function assignWeights(model: AnyLayer, weights: WeightGroup, label = 'loadWeights'): ReadonlySet<Variable> {
  const found: Assignment[] = [];
  collect(label, savedGroupOf(model as never), weights, [], found);
  return assign(found);
}

/** As {@link assignWeights}, of weights by layers: those that have any, in the order of both. */
export function assignLayerWeights(
  model: AnyLayer & { readonly layers: readonly unknown[] },
  layers: readonly LayerWeights[],
  label = 'loadWeights',
): ReadonlySet<Variable> {
  const own = (model.layers as readonly AnyLayer[]).filter((layer) => layer.weights.length > 0);
  const given = layers.filter(({ variables }) => variables.length > 0);
  if (own.length !== given.length)
    throw new FormatError(
      `${label}: expected weights of ${own.length} layers (${own.map((l) => l.name).join(', ')}), received such of ${given.length} (${given.map((l) => l.name).join(', ')}). Load them into a model of the same layers.`,
    );
  const byName = new Map(given.map((entry) => [entry.name, entry]));
  const named = byName.size === own.length && own.every((layer) => byName.has(layer.name));
  const found: Assignment[] = [];
  own.forEach((layer, i) => {
    const entry = named ? byName.get(layer.name)! : given[i]!;
    const variables = inFormerOrder(layer).map((variable) => ({ name: variable.name, variable }));
    pair(label, told([layer.name]), variables, entry.variables, found);
  });
  return assign(found);
}
