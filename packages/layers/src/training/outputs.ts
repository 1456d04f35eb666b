import { ValueError } from '@recurra/tensor';
import { describeTree, isRecord, leavesOf } from '../base/tree.js';

/** Something for each output of a model: for the only one, by order, or by name. */
export type PerOutput<T> = T | readonly T[] | { readonly [name: string]: T };

/** The outputs of a model: their structure (a tree with anything as leaves), and a name for each leaf. */
export interface OutputNames {
  readonly structure: unknown;
  readonly names: readonly string[];
}

/**
 * What was given for each output, in the order of the outputs' leaves; `null` where nothing was. Lists go by order, records by name. Throws
 * `ValueError` for a name that no output has, for a list of another length, and for one value where there are several outputs, unless it is
 * `shared`: then it counts for each (Keras' rule for losses and their weights).
 */
export function perOutput<T>(
  given: unknown,
  { names }: OutputNames,
  label: string,
  isOne: (value: unknown) => boolean,
  { shared = false }: { readonly shared?: boolean } = {},
): (T | null)[] {
  if (given === undefined || given === null) return names.map(() => null);
  if (isOne(given)) {
    if (names.length > 1 && !shared)
      throw new ValueError(
        `${label}: expected one for each of the outputs ${names.join(', ')} (a list, or an object by name), received ${describeTree(given)}`,
      );
    return names.map(() => given as T);
  }
  if (Array.isArray(given)) {
    if (given.length !== names.length)
      throw new ValueError(
        `${label}: expected a list of ${names.length} for the outputs ${names.join(', ')}, received ${describeTree(given)}`,
      );
    return given.map((value) => (value ?? null) as T | null);
  }
  if (isRecord(given)) {
    const unknown = Object.keys(given).find((key) => !names.includes(key));
    if (unknown !== undefined)
      throw new ValueError(`${label}: expected names of outputs (${names.join(', ')}), received "${unknown}"`);
    return names.map((name) => (Object.hasOwn(given, name) ? ((given[name] ?? null) as T | null) : null));
  }
  throw new ValueError(`${label}: expected one for each output, received ${describeTree(given)}`);
}

/** The leaves of a tree of values for the outputs: in the outputs' structure, a list in their order, or a record by name. */
export function leavesByOutput(tree: unknown, outputs: OutputNames, label: string): unknown[] {
  const { names } = outputs;
  const leaves = leavesOf(tree);
  if (isRecord(tree) && names.length >= 1 && Object.keys(tree).every((key) => names.includes(key)))
    return names.map((name) => (Object.hasOwn(tree, name) ? (tree[name] ?? null) : null));
  if (leaves.length !== names.length)
    throw new ValueError(
      `${label}: expected one tensor for each of the outputs ${names.join(', ')}, received ${describeTree(tree)}`,
    );
  return leaves;
}
