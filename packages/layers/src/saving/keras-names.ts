import { FormatError } from '@recurra/tensor';
import { camelCase, snakeCase } from '@recurra/tensor/extend';
import { describeTree, isRecord } from '../base/tree.js';

/**
 * The one place where names of configurations change between ours (camelCase) and Keras' (snake_case): keys, and the values of those options whose
 * values are names.
 */

/** How deep descriptions may lie in each other: deeper ones are no models. */
const DEEPEST = 256;

/** A key as Keras spells it: `kernelInitializer` -> `kernel_initializer`, `beta1` -> `beta_1`. */
function kerasKey(key: string): string {
  return snakeCase(key).replace(/(beta|epsilon)(\d)/g, '$1_$2');
}

/** Options whose values are names that are spelt in camelCase here; only what Keras spells otherwise is listed. */
const NAMES_HERE = /activation$|^(reduction|mode|distribution|classAggregation)$/i;
/** Options whose values may be spelt in either way here, and are read in both. */
const EITHER = /^(dataFormat|outputMode|standardize)$/;

/** Is it the description of a graph of layers? */
const isGraph = (className: string, config: Readonly<Record<string, unknown>>): boolean =>
  (className === 'Functional' || className === 'Model') && Array.isArray(config['layers']);

type Convert = (value: unknown, key: string, depth: number) => unknown;

/** Names of one direction: how keys and values of options are spelt, and how the keys of descriptions are. */
interface Spelling {
  readonly key: (key: string) => string;
  readonly text: (value: string, key: string) => string;
  /** The key among those of a description, for one here. */
  readonly of: (key: string) => string;
}

const TO_KERAS: Spelling = {
  key: kerasKey,
  text: (value, key) => (NAMES_HERE.test(key) || EITHER.test(key) ? snakeCase(value) : value),
  of: (key) => key,
};
const FROM_KERAS: Spelling = {
  key: camelCase,
  text: (value, key) => (NAMES_HERE.test(camelCase(key)) ? camelCase(value) : value),
  of: snakeCase,
};

/** Converts a tree whose keys are names of a program's own (inputs, outputs): only descriptions in it are respelt. */
function namedTree(tree: unknown, convert: Convert, of: Spelling['of'], depth: number): unknown {
  checkDepth(depth);
  if (Array.isArray(tree)) return tree.map((child) => namedTree(child, convert, of, depth + 1));
  if (!isRecord(tree)) return tree;
  if (typeof tree[of('className')] === 'string') return convert(tree, '', depth + 1);
  return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, namedTree(v, convert, of, depth + 1)]));
}

function checkDepth(depth: number): void {
  if (depth > DEEPEST)
    throw new FormatError(`expected descriptions at most ${DEEPEST} deep in each other, received deeper ones`);
}

function converter({ key: keyOf, text, of }: Spelling): Convert {
  const record = (value: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== '__proto__')
        .map(([key, child]) => [keyOf(key), convert(child, key, depth + 1)]),
    );
  const call = (node: unknown, depth: number): unknown => {
    if (!isRecord(node)) return convert(node, '', depth);
    const { args, kwargs, ...rest } = node;
    return {
      ...record(rest, depth),
      args: namedTree(args, convert, of, depth),
      kwargs: isRecord(kwargs)
        ? Object.fromEntries(
            Object.entries(kwargs).map(([key, value]) => [keyOf(key), namedTree(value, convert, of, depth)]),
          )
        : kwargs,
    };
  };
  const graph = (config: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> => {
    const [inputs, outputs, nodes] = [of('inputLayers'), of('outputLayers'), of('inboundNodes')];
    const { layers, [inputs]: from, [outputs]: to, ...rest } = config;
    const entries = (layers as readonly unknown[]).map((layer) => {
      if (!isRecord(layer) || !Array.isArray(layer[nodes])) return convert(layer, '', depth);
      const { [nodes]: calls, ...own } = layer;
      return {
        ...(convert(own, '', depth) as object),
        [keyOf(nodes)]: (calls as readonly unknown[]).map((node) => call(node, depth + 1)),
      };
    });
    return { ...record(rest, depth), layers: entries, [keyOf(inputs)]: from, [keyOf(outputs)]: to };
  };
  const convert: Convert = (value, key, depth) => {
    checkDepth(depth);
    if (Array.isArray(value)) return value.map((child) => convert(child, key, depth + 1));
    if (typeof value === 'string') return text(value, key);
    if (!isRecord(value)) return value;
    const className = value[of('className')];
    if (typeof className === 'string' && isRecord(value['config']) && isGraph(className, value['config'])) {
      const { config, ...rest } = value;
      return { ...record(rest, depth), config: graph(config as Record<string, unknown>, depth + 1) };
    }
    return record(value, depth);
  };
  return convert;
}

const convertToKeras = converter(TO_KERAS);
const convertFromKeras = converter(FROM_KERAS);

/** A description (or any part of a configuration) as Keras spells it. */
export function toKerasNames(value: unknown): unknown {
  return convertToKeras(value, '', 0);
}

/** What Keras wrote, as it is spelt here. Throws `FormatError` where it is too deep. */
export function fromKerasNames(value: unknown): unknown {
  return convertFromKeras(value, '', 0);
}

/** A tree by names of outputs (losses, metrics) with what `describe` gives for its leaves. */
export function namesByOutput(
  tree: unknown,
  describe: (leaf: unknown) => unknown,
  isLeaf: (value: unknown) => boolean,
): unknown {
  if (tree === undefined || tree === null) return null;
  if (isLeaf(tree)) return describe(tree);
  if (Array.isArray(tree)) return tree.map((child) => namesByOutput(child, describe, isLeaf));
  if (isRecord(tree))
    return Object.fromEntries(Object.entries(tree).map(([key, v]) => [key, namesByOutput(v, describe, isLeaf)]));
  throw new FormatError(`expected names, descriptions, lists or objects by output, received ${describeTree(tree)}`);
}
