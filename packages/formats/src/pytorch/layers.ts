import { type Tensor, ValueError } from '@recurra/tensor';
import { describeValue, didYouMean, isRecord } from '@recurra/tensor/extend';
import { listed } from '../listed.js';
import { CLASS_OF, type PytorchKind } from './state-dict.js';

/** What is needed of a layer to give it weights or read them: every layer of `@recurra/layers` has it. */
export interface WeightedLayer {
  readonly name: string;
  readonly className: string;
  readonly built: boolean;
  readonly weights: readonly { readonly path: string; readonly value: Tensor }[];
  getConfig(): Readonly<Record<string, unknown>>;
  setWeights(values: readonly Tensor[]): void;
}

/** A model: layers with names. */
export interface WeightedModel {
  readonly layers: readonly WeightedLayer[];
  readonly weights: WeightedLayer['weights'];
}

/**
 * Which layers hold the weights of which modules: `{ embed: 'embedding', 'encoder.rnn': ['bidirectional', 'bidirectional_1'], head: 'dense' }`. Layers by their names,
 * or themselves (those of models within models); for modules of several layers (`num_layers`) a list.
 */
export type PytorchModules = Readonly<Record<string, string | WeightedLayer | readonly (string | WeightedLayer)[]>>;

/** A layer, and the module that computes what it does. */
export interface Counterpart {
  readonly layer: WeightedLayer;
  readonly kind: PytorchKind;
  readonly bidirectional: boolean;
  readonly useBias: boolean;
}

const KIND_OF: ReadonlyMap<string, PytorchKind> = new Map(
  (Object.keys(CLASS_OF) as PytorchKind[]).map((kind) => [CLASS_OF[kind], kind]),
);

const isLayer = (value: unknown): value is WeightedLayer =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as WeightedLayer).weights) &&
  typeof (value as WeightedLayer).setWeights === 'function' &&
  typeof (value as WeightedLayer).getConfig === 'function';

/** The name of an activation in a configuration; `null`: it is written some other way. */
const nameOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** Throws unless a recurrent layer of this configuration computes what PyTorch's module does. */
function checkComputation(at: string, kind: PytorchKind, config: Readonly<Record<string, unknown>>): void {
  if (kind === 'Embedding' || kind === 'Linear') return;
  const expected: Record<string, readonly string[]> =
    kind === 'RNN' ? { activation: ['tanh', 'relu'] } : { activation: ['tanh'], recurrentActivation: ['sigmoid'] };
  for (const [key, names] of Object.entries(expected))
    if (!names.includes(nameOf(config[key]) ?? ''))
      throw new ValueError(
        `${at}: expected ${key} ${names.map((name) => `'${name}'`).join(' or ')}, as nn.${kind} has, received ${describeValue(config[key])}`,
      );
  if (kind === 'GRU' && config['resetAfter'] !== true)
    throw new ValueError(
      `${at}: expected resetAfter: true, since nn.GRU applies the reset gate after the recurrent product, received ${describeValue(config['resetAfter'])}`,
    );
}

/** The module that a layer is the counterpart of. Throws `ValueError` for layers of other classes or computations, and before they have weights. */
function counterpartOf(label: string, layer: WeightedLayer): Counterpart {
  const at = `${label}: layer "${layer.name}"`;
  if (!layer.built || layer.weights.length === 0)
    throw new ValueError(
      `${at}: expected a layer whose weights are there, received one without. Declare the model's input, or call build(shape) first.`,
    );
  const bidirectional = layer.className === 'Bidirectional';
  let { className } = layer;
  let config = layer.getConfig();
  if (bidirectional) {
    const [forward, backward] = [config['layer'], config['backwardLayer']].map((inner) =>
      isRecord(inner) && isRecord(inner['config']) ? inner : { className: 'unknown', config: {} },
    );
    const configs = [forward!, backward!].map((inner) => inner['config'] as Readonly<Record<string, unknown>>);
    if (configs[0]!['goBackwards'] === true)
      throw new ValueError(
        `${at}: expected a first layer that walks forwards, as PyTorch's does, received goBackwards: true`,
      );
    if (forward!['className'] !== backward!['className'] || configs[0]!['useBias'] !== configs[1]!['useBias'])
      throw new ValueError(`${at}: expected two directions of one class and one useBias, received others`);
    className = String(forward!['className']);
    config = configs[0]!;
    if (KIND_OF.has(className)) checkComputation(`${at}, backward`, KIND_OF.get(className)!, configs[1]!);
  }
  const kind = KIND_OF.get(className);
  if (!kind || (bidirectional && (kind === 'Embedding' || kind === 'Linear')))
    throw new ValueError(
      `${at}: expected one of ${[...KIND_OF.keys()].join(', ')}, or Bidirectional of a recurrent one, received ${className}`,
    );
  checkComputation(at, kind, config);
  return { layer, kind, bidirectional, useBias: kind !== 'Embedding' && config['useBias'] !== false };
}

/** The layers of each module, in the order of its stack. Throws `ValueError` for names that the model has not, and for a layer that is named twice. */
export function layersByModule(
  label: string,
  model: WeightedModel,
  modules: PytorchModules,
): readonly (readonly [string, readonly Counterpart[]])[] {
  if (typeof model !== 'object' || model === null || !Array.isArray(model.layers) || !Array.isArray(model.weights))
    throw new ValueError(`${label}: expected a model, received ${describeValue(model)}`);
  if (!isRecord(modules) || Object.keys(modules).length === 0)
    throw new ValueError(
      `${label}: expected layers by the names of modules ({ 'encoder.rnn': 'lstm' }), received ${isRecord(modules) ? 'none' : describeValue(modules)}`,
    );
  const byName = new Map(model.layers.map((layer) => [layer.name, layer]));
  const seen = new Set<WeightedLayer>();
  return Object.entries(modules).map(([module, given]) => {
    const list: readonly unknown[] = Array.isArray(given) ? given : [given];
    if (list.length === 0)
      throw new ValueError(`${label}: module "${module}": expected at least one layer, received none`);
    const counterparts = list.map((one) => {
      const layer = isLayer(one) ? one : layerNamed(label, module, byName, one);
      if (seen.has(layer)) throw new ValueError(`${label}: expected each layer once, received "${layer.name}" twice`);
      seen.add(layer);
      return counterpartOf(label, layer);
    });
    return [module, counterparts] as const;
  });
}

function layerNamed(
  label: string,
  module: string,
  byName: ReadonlyMap<string, WeightedLayer>,
  name: unknown,
): WeightedLayer {
  const found = typeof name === 'string' ? byName.get(name) : undefined;
  if (found) return found;
  throw new ValueError(
    `${label}: module "${module}": expected a layer or the name of one (${listed('there', [...byName.keys()])}), received ${describeValue(name)}.${typeof name === 'string' ? didYouMean(name, byName.keys()) : ''}`,
  );
}

/** The tensors of a layer's variables, by the last parts of their paths, those of each direction in a list. */
export function valuesOf({ layer, bidirectional }: Counterpart): readonly ReadonlyMap<string, Tensor>[] {
  const named = layer.weights.map(({ path, value }) => [path.slice(path.lastIndexOf('/') + 1), value] as const);
  const half = named.length / 2;
  return (bidirectional ? [named.slice(0, half), named.slice(half)] : [named]).map((part) => new Map(part));
}
