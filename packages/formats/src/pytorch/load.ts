import { FormatError, ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { checkRules, formatShape, type Rules, rules } from '@recurra/tensor/extend';
import { listed } from '../listed.js';
import {
  type Counterpart,
  layersByModule,
  type PytorchModules,
  type WeightedLayer,
  type WeightedModel,
} from './layers.js';
import { checkStateDict, layersOf, type PytorchLayer, type StateDict } from './state-dict.js';

/** Options of {@link loadPytorchWeights}. */
export interface LoadPytorchOptions {
  /** Refuse tensors that no layer takes and weights that no tensor fills; true. Without, the report names them. */
  readonly strict?: boolean;
}

const OPTIONS: Rules<LoadPytorchOptions> = { strict: rules.flag };

/** What {@link loadPytorchWeights} did. */
export interface PytorchReport {
  /** The layers that have weights of the file now, by name. */
  readonly loaded: readonly { readonly layer: string; readonly module: string; readonly depth: number }[];
  /** Tensors of the state dict that no layer took. */
  readonly unused: readonly string[];
  /** Paths of the model's weights that stayed as they were. */
  readonly untouched: readonly string[];
}

/** The weights for a layer. Throws where it and the module differ. */
function weightsFor(
  label: string,
  { layer, kind, bidirectional, useBias }: Counterpart,
  source: PytorchLayer,
): Tensor[] {
  const at = `${label}: layer "${layer.name}"`;
  const of = `module "${source.module}"${source.depth > 0 ? `, layer ${source.depth}` : ''}`;
  if (source.kind !== kind || source.bidirectional !== bidirectional)
    throw new ValueError(
      `${at}: expected the weights of ${bidirectional ? 'a bidirectional' : 'an'} nn.${kind}, received those of ${source.bidirectional ? 'a bidirectional' : 'an'} nn.${source.kind} (${of}). Make the layer ${source.bidirectional ? `a Bidirectional of ${source.kind}` : `of the class ${source.className}`}.`,
    );
  if (source.useBias !== useBias)
    throw new ValueError(
      `${at}: expected a module with${useBias ? '' : 'out'} bias, received ${of} with${source.useBias ? '' : 'out'}: ${listed('tensors', source.from)}. Make the layer with useBias: ${source.useBias}.`,
    );
  return source.weights.map(({ name, value }, i) => {
    const { path, value: own } = layer.weights[i]!;
    if (own.shape.join() !== value.shape.join())
      throw new ShapeError(
        `${at}: expected ${name} ${formatShape(own.shape)} for "${path}", received ${formatShape(value.shape)} from ${of} (${source.features} inputs, ${source.units} units).`,
      );
    return value.cast(own.dtype);
  });
}

/**
 * Puts the weights of a PyTorch state dict into the layers of a model, so that they compute what the modules do (see {@link pytorchWeights} for what is done to them):
 *
 * ```ts
 * const { tensors } = readSafetensors(bytes);
 * loadPytorchWeights(model, tensors, { embed: 'embedding', 'encoder.rnn': ['bidirectional', 'bidirectional_1'], head: 'dense' });
 * ```
 *
 * All or none are replaced. Throws `FormatError` where the state dict lacks tensors or (`strict`) has others, `ValueError` for layers of another class, direction,
 * activation or bias, and (`strict`) weights of the model that nothing fills, `ShapeError` for other sizes.
 */
export function loadPytorchWeights(
  model: WeightedModel,
  state: StateDict,
  modules: PytorchModules,
  options: LoadPytorchOptions = {},
): PytorchReport {
  const label = 'loadPytorchWeights';
  checkStateDict(label, state);
  checkRules(label, options, OPTIONS);
  const { strict = true } = options;
  const values = new Map<WeightedLayer, Tensor[]>();
  const loaded: { layer: string; module: string; depth: number }[] = [];
  const used = new Set<string>();
  for (const [module, counterparts] of layersByModule(label, model, modules)) {
    const sources = layersOf(label, state, module, counterparts[0]!.kind);
    if (sources.length !== counterparts.length)
      throw new ValueError(
        `${label}: module "${module}": expected ${sources.length} layers, as it has (num_layers), received ${counterparts.length}: ${counterparts.map(({ layer }) => layer.name).join(', ')}.`,
      );
    sources.forEach((source, i) => {
      const { layer } = counterparts[i]!;
      values.set(layer, weightsFor(label, counterparts[i]!, source));
      loaded.push({ layer: layer.name, module, depth: i });
      for (const name of source.from) used.add(name);
    });
  }
  const unused = [...state.keys()].filter((name) => !used.has(name));
  const filled = new Set([...values.keys()].flatMap((layer) => layer.weights));
  const untouched = model.weights.filter((weight) => !filled.has(weight)).map(({ path }) => path);
  if (strict && unused.length > 0)
    throw new FormatError(
      `${label}: expected a layer for each tensor of the state dict, received ${listed('without', unused)}. Name their modules, or give { strict: false }.`,
    );
  if (strict && untouched.length > 0)
    throw new ValueError(
      `${label}: expected a module for each weight of the model, received ${listed('without', untouched)}. Name their layers, or give { strict: false }.`,
    );
  for (const [layer, tensors] of values) layer.setWeights(tensors);
  return { loaded, unused, untouched };
}
