import { Tensor, ValueError } from '@recurra/tensor';

/**
 * A tree of tensors: a tensor, or arrays and plain objects of trees. Anything else (strings, functions, null, numbers) is
 * structure and passes through untouched.
 */
export type Tree = unknown;

/** Is it a node, whose children are walked? */
function isNode(value: unknown): value is readonly unknown[] | Record<string, unknown> {
  if (Array.isArray(value)) return true;
  if (typeof value !== 'object' || value === null || value instanceof Tensor) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The tensors of a tree, depth first; object keys in their own order. */
export function treeLeaves(tree: Tree): Tensor[] {
  if (tree instanceof Tensor) return [tree];
  if (!isNode(tree)) return [];
  return Object.values(tree).flatMap(treeLeaves);
}

/**
 * The tree with every tensor replaced by `f(tensor, ...)`. Further trees of the same structure give further arguments.
 * Throws `ValueError` where their structures differ.
 */
export function treeMap<T>(f: (leaf: Tensor, ...others: never[]) => unknown, tree: T, ...others: Tree[]): T {
  const visit = (node: unknown, more: unknown[], path: string): unknown => {
    if (node instanceof Tensor) return (f as (...leaves: unknown[]) => unknown)(node, ...more);
    if (!isNode(node)) return node;
    const keys = Object.keys(node);
    for (const other of more)
      if (!isNode(other) || Array.isArray(other) !== Array.isArray(node) || keys.some((k) => !Object.hasOwn(other, k)))
        throw new ValueError(
          `treeMap: expected trees of one structure, received another one at "${path || 'the root'}" (keys ${keys.join(', ')})`,
        );
    const child = (key: string): unknown =>
      visit(
        (node as Record<string, unknown>)[key],
        more.map((other) => (other as Record<string, unknown>)[key]),
        `${path}.${key}`,
      );
    return Array.isArray(node)
      ? node.map((_, i) => child(String(i)))
      : Object.fromEntries(keys.map((k) => [k, child(k)]));
  };
  return visit(tree, others, '') as T;
}

/** The tree with its tensors, in the order of {@link treeLeaves}, replaced by `leaves`. */
export function treeUnflatten<T>(tree: T, leaves: readonly Tensor[]): T {
  let next = 0;
  const result = treeMap(() => leaves[next++], tree);
  if (next !== leaves.length) throw new ValueError(`treeUnflatten: expected ${next} leaves, received ${leaves.length}`);
  return result;
}

/** The place of every tensor in a tree, in the order of {@link treeLeaves}: keys joined by dots, e.g. `layer.0.kernel`. */
export function treePaths(tree: Tree): string[] {
  const visit = (node: unknown, path: string): string[] => {
    if (node instanceof Tensor) return [path];
    if (!isNode(node)) return [];
    return Object.entries(node).flatMap(([key, child]) => visit(child, path === '' ? key : `${path}.${key}`));
  };
  return visit(tree, '');
}
