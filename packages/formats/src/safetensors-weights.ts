import { FormatError, type Tensor } from '@recurra/tensor';
import { checkValue, formatShape, isRecord, type Rule } from '@recurra/tensor/extend';
import { listed } from './listed.js';
import { type ModelFile, type NamedTensor, type PlacedTensor, tensorsOf, type WeightGroup } from './model-file.js';
import {
  type ReadSafetensorsOptions,
  readSafetensors,
  type WriteSafetensorsOptions,
  writeSafetensors,
} from './safetensors.js';

const MODEL_FILE: Rule = {
  expected: 'a ModelFile, such as toModelFile(model) gives',
  accepts: (v) => isRecord(v) && 'weights' in v && 'layers' in v,
};

/** The name that a weight in groups has among all: the names of the layers around, and its own. */
const pathOf = ({ layers, name }: PlacedTensor): string => [...layers, name].join('/');

/** Whether the weights' own names begin with that of the model: Keras builds the layers of a Sequential within it, those of other models one by one. */
const withinModel = ({ model }: ModelFile): boolean => model?.class_name === 'Sequential';

/** The weights under the names that are written: of groups, the names around; by layers, their paths. */
function namedWeights(file: ModelFile): readonly NamedTensor[] {
  const { weights, layers } = file;
  if (weights)
    return [...tensorsOf(weights)].map((placed) => ({
      name: pathOf({ ...placed, layers: withinModel(file) ? placed.layers : placed.layers.slice(1) }),
      value: placed.value,
    }));
  if (!layers) throw new FormatError('weightNames: expected a model with weights, received one without.');
  return layers.flatMap(({ variables }) => variables);
}

/** Have two tensors the same elements? What layers share stands with each of them. */
const same = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype && a.shape.join() === b.shape.join() && a.data.every((x, i) => Object.is(x, b.data[i]));

/**
 * The weights of a model by the names that Keras gives them (`variable.path`: `text_lstm/lstm/lstm_cell/kernel`), in the order of the groups. Throws `FormatError` for a
 * model without weights, and where two that differ have one name.
 */
export function weightNames(file: ModelFile): ReadonlyMap<string, Tensor> {
  checkValue('weightNames', 'the file', file, MODEL_FILE);
  const names = new Map<string, Tensor>();
  for (const { name, value } of namedWeights(file)) {
    const other = names.get(name);
    if (other && !same(other, value))
      throw new FormatError(
        `weightNames: expected weights with names of their own, received two called "${name}". Give one of the layers another name.`,
      );
    names.set(name, value);
  }
  return names;
}

/** Writes the weights of a model as safetensors, under the names of {@link weightNames}. Architecture, compilation and optimizer do not go along. */
export function writeSafetensorsWeights(file: ModelFile, options: WriteSafetensorsOptions = {}): Uint8Array {
  return writeSafetensors(weightNames(file), options);
}

/** `a/b/c` -> `a/b/c`, `b/c`, `c`; of long ones the last `most`. */
function tailsOf(path: string, most = Infinity): string[] {
  const tails: string[] = [];
  for (let at = path.length; at > 0 && tails.length < most; ) {
    at = path.lastIndexOf('/', at - 1);
    tails.push(path.slice(at + 1));
  }
  return tails.reverse();
}

/**
 * A model with the weights of a safetensors file in the places of its own. Names are as Keras or Recurra have them, with or without the names of models around
 * (`lstm/lstm_cell/kernel` for `text_lstm/lstm/lstm_cell/kernel`). The state of the optimizer is not in such files: the result has none. Throws `FormatError` unless
 * each weight of the model is there once, in its shape, and nothing else.
 */
export function readSafetensorsWeights(
  bytes: Uint8Array,
  like: ModelFile,
  options: ReadSafetensorsOptions = {},
): ModelFile {
  checkValue('readSafetensorsWeights', 'the model', like, MODEL_FILE);
  const { tensors } = readSafetensors(bytes, options);
  const label = options.name ?? 'safetensors';
  const { weights, layers } = like;
  if (!weights && !layers)
    throw new FormatError(`${label}: expected a model with weights to read into, received one without.`);
  // In groups with all names around: the file's may be any end of them.
  const paths = weights ? [...tensorsOf(weights)].map(pathOf) : namedWeights(like).map(({ name }) => name);
  const found = matched([...new Set(paths)], [...tensors.keys()], label);
  let next = 0;
  const fill = (variables: readonly NamedTensor[]): NamedTensor[] =>
    variables.map(({ name, value: own }) => {
      const path = paths[next++]!;
      const source = found.get(path)!;
      const value = tensors.get(source)!;
      if (value.shape.join() !== own.shape.join())
        throw new FormatError(
          `${label}: expected ${formatShape(own.shape)} for "${path}", received ${formatShape(value.shape)} as "${source}". The file is of a model with other sizes.`,
        );
      return { name, value };
    });
  const filled = (group: WeightGroup): WeightGroup => ({
    ...group,
    variables: fill(group.variables),
    children: new Map([...group.children].map(([key, child]) => [key, filled(child)])),
  });
  if (weights) return { ...like, weights: filled(weights), layers: null, optimizer: null };
  return {
    ...like,
    layers: layers!.map((layer) => ({ ...layer, variables: fill(layer.variables) })),
    optimizer: null,
  };
}

/** For each path the name that means it: the same, or one of the two is the end of the other. */
function matched(paths: readonly string[], names: readonly string[], label: string): ReadonlyMap<string, string> {
  const places = new Map(paths.map((path, i) => [path, i]));
  const byTail = new Map<string, number[]>();
  for (const [path, i] of places) for (const tail of tailsOf(path)) byTail.set(tail, [...(byTail.get(tail) ?? []), i]);
  const depth = Math.max(0, ...paths.map((path) => tailsOf(path).length));
  const chosen = new Map<number, string>();
  const spare: string[] = [];
  // Names that say more choose first: `dense/kernel` may be the end of another's path, too.
  const parts = (name: string): number => name.split('/').length;
  const rest = names.filter((name) => {
    const place = places.get(name);
    if (place !== undefined) chosen.set(place, name);
    return place === undefined;
  });
  for (const name of rest.sort((a, b) => parts(b) - parts(a))) {
    const within = tailsOf(name, depth).flatMap((tail) => places.get(tail) ?? []);
    const open = new Set([...within, ...(byTail.get(name) ?? [])].filter((i) => !chosen.has(i)));
    const [place, other] = open;
    if (other !== undefined)
      throw new FormatError(
        `${label}: expected names that mean one weight, received "${name}" for "${paths[place!]}" and "${paths[other]}". Save the file with longer names.`,
      );
    if (place === undefined) spare.push(name);
    else chosen.set(place, name);
  }
  const missing = paths.filter((_, i) => !chosen.has(i));
  if (missing.length > 0 || spare.length > 0)
    throw new FormatError(
      `${label}: expected the weights of the model and nothing else; ${listed('missing', missing)}, ${listed('not of the model', spare)}.`,
    );
  return new Map(paths.map((path, i) => [path, chosen.get(i)!]));
}
