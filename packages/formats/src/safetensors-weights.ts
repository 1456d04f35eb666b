import { FormatError, type Tensor } from '@recurra/tensor';
import { checkRules, checkValue, formatShape, isRecord, type Rule } from '@recurra/tensor/extend';
import { Budget, type Limits } from './limits.js';
import { listed } from './listed.js';
import { type ModelFile, type NamedTensor, type PlacedTensor, tensorsOf, type WeightGroup } from './model-file.js';
import { ASSETS_KEY, packAssets, unpackAssets } from './packed-assets.js';
import {
  type ReadSafetensorsOptions,
  readSafetensors,
  WRITE_OPTIONS,
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

/**
 * Writes the weights of a model as safetensors, under the names of {@link weightNames}; its assets are among the metadata (`recurra.assets`). Architecture, compilation and
 * optimizer do not go along.
 */
export function writeSafetensorsWeights(file: ModelFile, options: WriteSafetensorsOptions = {}): Uint8Array {
  checkRules('writeSafetensorsWeights', options, WRITE_OPTIONS);
  const names = weightNames(file);
  if (file.assets.size === 0) return writeSafetensors(names, options);
  return writeSafetensors(names, { metadata: { ...options.metadata, [ASSETS_KEY]: packAssets(file.assets) } });
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
 * (`lstm/lstm_cell/kernel` for `text_lstm/lstm/lstm_cell/kernel`); the numbers that names are given may be others (`dense_2` and `dense_5` for `dense` and `dense_1`). The state of the optimizer is not in such files: the result has none. Throws `FormatError` unless
 * each weight of the model is there once, in its shape, and nothing else.
 */
export function readSafetensorsWeights(
  bytes: Uint8Array,
  like: ModelFile,
  options: ReadSafetensorsOptions = {},
): ModelFile {
  checkValue('readSafetensorsWeights', 'the model', like, MODEL_FILE);
  return withNamedWeights(like, readSafetensors(bytes, options).tensors, options.name ?? 'safetensors');
}

/** The weights of a safetensors file, which go by names alone: their places are those of the model that they are put in. */
export function readSafetensorsFile(bytes: Uint8Array, limits: Limits | undefined, label: string): ModelFile {
  new Budget(label, bytes.length, limits).take(bytes.length, 'the file');
  const { tensors, metadata } = readSafetensors(bytes, { name: label });
  const packed = metadata.get(ASSETS_KEY);
  return {
    model: null,
    compile: null,
    weights: null,
    layers: null,
    named: tensors,
    optimizer: null,
    assets: packed === undefined ? new Map() : unpackAssets(packed, label),
  };
}

/** A model with weights that go by names alone in the places of its own. As {@link readSafetensorsWeights}, for tensors that were read. */
export function withNamedWeights(like: ModelFile, tensors: ReadonlyMap<string, Tensor>, label: string): ModelFile {
  const { weights, layers } = like;
  if (!weights && !layers)
    throw new FormatError(`${label}: expected a model with weights to read into, received one without.`);
  // In groups with all names around: the file's may be any end of them.
  const paths = weights ? [...tensorsOf(weights)].map(pathOf) : namedWeights(like).map(({ name }) => name);
  const found = matchedByNumbers([...new Set(paths)], [...tensors.keys()], label);
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

/**
 * Paths with names that were numbered by a program counted from 0 in each layer around: `dense_7/kernel` and `dense_9/kernel` as `dense#0/kernel` and `dense#1/kernel`. So models of one
 * kind have the same ones, however many were made before.
 */
function counted(paths: readonly string[]): ReadonlyMap<string, string> {
  // Numbers of each name, by what stands before it.
  const numbers = new Map<string, Set<number>>();
  const partsOf = (path: string): (readonly [around: string, family: string, number: number])[] => {
    const names = path.split('/');
    return names.slice(0, -1).map((name, i) => {
      const [, family = name, number = '0'] = /^(.*?)(?:_(\d+))?$/.exec(name) ?? [];
      return [`${names.slice(0, i).join('/')}/${family}`, family, Number(number)] as const;
    });
  };
  for (const path of paths)
    for (const [around, , number] of partsOf(path)) numbers.set(around, (numbers.get(around) ?? new Set()).add(number));
  const order = new Map([...numbers].map(([around, found]) => [around, [...found].sort((a, b) => a - b)]));
  return new Map(
    paths.map((path) => {
      const parts = partsOf(path).map(([around, family, number]) => `${family}#${order.get(around)!.indexOf(number)}`);
      return [path, [...parts, path.slice(path.lastIndexOf('/') + 1)].join('/')];
    }),
  );
}

/** As {@link matched}, also where layers of the same names have other numbers: those that a program gives go on from model to model. */
function matchedByNumbers(
  paths: readonly string[],
  names: readonly string[],
  label: string,
): ReadonlyMap<string, string> {
  try {
    return matched(paths, names, label);
  } catch (error) {
    if (paths.length !== names.length) throw error;
    const [own, theirs] = [counted(paths), counted(names)];
    try {
      const found = matched([...own.values()], [...theirs.values()], label);
      const back = new Map([...theirs].map(([name, key]) => [key, name]));
      return new Map(paths.map((path) => [path, back.get(found.get(own.get(path)!)!)!]));
    } catch {
      // With the names as they are.
      throw error;
    }
  }
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
