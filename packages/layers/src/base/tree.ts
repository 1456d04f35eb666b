import { ValueError } from '@recurra/tensor';
import { describeValue, isRecord } from '@recurra/tensor/extend';

export { isRecord };

/** A tree with every leaf replaced. What is no list and no plain object is a leaf. */
export function mapTree(tree: unknown, f: (leaf: unknown, path: string) => unknown, path = ''): unknown {
  if (Array.isArray(tree)) return tree.map((child, i) => mapTree(child, f, path === '' ? String(i) : `${path}.${i}`));
  if (isRecord(tree))
    return Object.fromEntries(
      Object.entries(tree).map(([key, child]) => [key, mapTree(child, f, path === '' ? key : `${path}.${key}`)]),
    );
  return f(tree, path);
}

/** The leaves of a tree, depth first, those of objects in the order of their keys: as Keras flattens. */
export function sortedLeaves(tree: unknown): unknown[] {
  if (Array.isArray(tree)) return tree.flatMap(sortedLeaves);
  if (!isRecord(tree)) return [tree];
  const entries = Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.flatMap(([, child]) => sortedLeaves(child));
}

/** The leaves of a tree, depth first. */
export function leavesOf(tree: unknown): unknown[] {
  const found: unknown[] = [];
  mapTree(tree, (leaf) => {
    found.push(leaf);
    return leaf;
  });
  return found;
}

/** What a tree is, in a message: `a list of 2`, `an object with title, body`, `a Tensor`; leaves as `describeValue` says them. */
export function describeTree(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return `an object with ${Object.keys(value).join(', ') || 'no keys'}`;
  if (typeof value === 'object' && value !== null)
    return `${/^[aeiou]/i.test(value.constructor?.name ?? '') ? 'an' : 'a'} ${value.constructor?.name ?? 'object'}`;
  return describeValue(value);
}

/**
 * Calls `f` for each leaf of `structure` with what stands at its place in `value`, and gives the results in that structure. Lists agree in
 * length, records in keys. Throws `ValueError` that names the place.
 */
export function zipTree(
  structure: unknown,
  value: unknown,
  f: (leaf: unknown, value: unknown, path: string) => unknown,
  label: string,
  path = '',
): unknown {
  const at = path === '' ? '' : ` at "${path}"`;
  if (Array.isArray(structure)) {
    if (!Array.isArray(value) || value.length !== structure.length)
      throw new ValueError(`${label}: expected a list of ${structure.length}${at}, received ${describeTree(value)}`);
    return structure.map((child, i) => zipTree(child, value[i], f, label, path === '' ? String(i) : `${path}.${i}`));
  }
  if (isRecord(structure)) {
    const keys = Object.keys(structure);
    if (!isRecord(value) || keys.some((k) => !Object.hasOwn(value, k)) || Object.keys(value).length !== keys.length)
      throw new ValueError(
        `${label}: expected an object with ${keys.join(', ')}${at}, received ${describeTree(value)}`,
      );
    return Object.fromEntries(
      keys.map((k) => [k, zipTree(structure[k], value[k], f, label, path === '' ? k : `${path}.${k}`)]),
    );
  }
  return f(structure, value, path);
}
