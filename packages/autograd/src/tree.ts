import { Tensor, ValueError } from '@recurra/tensor';
import { checkValue, describeValue, isRecord, type Rule, rules } from '@recurra/tensor/extend';

/**
 * A tree of tensors: a tensor, or arrays and plain objects of trees. Anything else (strings, functions, null, numbers) is
 * structure and passes through untouched.
 */
export type Tree = unknown;

/** Is it a node, whose children are walked? */
function isNode(value: unknown): value is readonly unknown[] | Record<string, unknown> {
  if (Array.isArray(value)) return true;
  return !(value instanceof Tensor) && isRecord(value);
}

/** The tensors of a tree, depth first; object keys in their own order. */
export function treeLeaves(tree: Tree): Tensor[] {
  if (tree instanceof Tensor) return [tree];
  if (!isNode(tree)) return [];
  return Object.values(tree).flatMap(treeLeaves);
}

/**
 * The tree with every tensor replaced by `f(tensor, ...)`. Further trees of the same structure give further arguments: trees meet
 * by key, whatever the order of the keys. Class instances (such as a `Variable`) may stand against a tensor.
 * Throws `ValueError` where a key is missing or too many, or a tensor stands against anything else.
 */
export function treeMap<T>(f: (leaf: Tensor, ...others: never[]) => unknown, tree: T, ...others: Tree[]): T {
  checkValue('treeMap', 'f', f, rules.callable);
  const visit = (node: unknown, more: unknown[], path: string): unknown => {
    for (const other of more) checkPlace('treeMap', node, other, path);
    if (node instanceof Tensor) return (f as (...leaves: unknown[]) => unknown)(node, ...more);
    if (!isNode(node)) return node;
    const child = (key: string): unknown =>
      visit(
        (node as Record<string, unknown>)[key],
        more.map((other) => (other as Record<string, unknown>)[key]),
        join(path, key),
      );
    return Array.isArray(node)
      ? node.map((_, i) => child(String(i)))
      : Object.fromEntries(Object.keys(node).map((k) => [k, child(k)]));
  };
  return visit(tree, others, '') as T;
}

/**
 * The tensors of `tree` in the order of `structure`: where the two hold the same keys in another order, each tensor still meets its
 * own. Whoever combines or assigns two trees leaf by leaf takes this, never two calls of {@link treeLeaves}.
 * Throws `ValueError` as {@link treeMap} where the structures differ; `label` begins the message.
 */
export function treeLeavesLike(structure: Tree, tree: Tree, label = 'treeLeavesLike'): Tensor[] {
  const found: Tensor[] = [];
  const visit = (node: unknown, other: unknown, path: string): void => {
    checkPlace(label, node, other, path);
    if (node instanceof Tensor) {
      if (!(other instanceof Tensor)) throw different(label, path, 'a tensor', describe(other));
      found.push(other);
    } else if (isNode(node))
      for (const [key, child] of Object.entries(node))
        visit(child, (other as Record<string, unknown>)[key], join(path, key));
  };
  visit(structure, tree, '');
  return found;
}

/**
 * Throws `ValueError` unless something in a tree can be differentiated or walked along: numbers are not taken for tensors. What is empty is a
 * tree of no tensors.
 */
export function expectTensors(label: string, what: string, tree: Tree): void {
  if (treeLeaves(tree).length > 0) return;
  const stranger = (node: unknown): boolean => (isNode(node) ? Object.values(node).some(stranger) : true);
  if (stranger(tree))
    throw new ValueError(
      `${label}: expected ${what} to be a tensor or a tree of tensors, received ${isNode(tree) ? `${describe(tree)} without any` : describeValue(tree)}. Make tensors of numbers first (tensor, scalar).`,
    );
}

const LEAVES: Rule = {
  expected: 'a list of tensors',
  accepts: (v) => Array.isArray(v) && v.every((leaf) => leaf === null || (typeof leaf === 'object' && !isNode(leaf))),
};

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function different(label: string, path: string, expected: string, received: string): ValueError {
  const place = path === '' ? 'the root' : `"${path}"`;
  return new ValueError(
    `${label}: expected trees of one structure, with ${expected} at ${place}, received ${received} there`,
  );
}

/** A place of a tree in the words of a message. */
function describe(node: unknown): string {
  if (node instanceof Tensor) return 'a tensor';
  if (Array.isArray(node)) return `an array of ${node.length}`;
  return isNode(node) ? `the keys [${Object.keys(node).join(', ')}]` : describeValue(node);
}

/** Throws unless `other` can stand where `node` stands: tensors or instances at tensors, the same keys at branches. */
function checkPlace(label: string, node: unknown, other: unknown, path: string): void {
  let same: boolean;
  if (node instanceof Tensor) same = typeof other === 'object' && other !== null && !isNode(other);
  else if (!isNode(node)) same = !isNode(other) && !(other instanceof Tensor);
  else {
    const keys = Object.keys(node);
    same =
      isNode(other) &&
      Array.isArray(other) === Array.isArray(node) &&
      keys.length === Object.keys(other).length &&
      keys.every((key) => Object.hasOwn(other, key));
  }
  if (!same) throw different(label, path, describe(node), describe(other));
}

/** The tree with its tensors, in the order of {@link treeLeaves}, replaced by `leaves`. */
export function treeUnflatten<T>(tree: T, leaves: readonly Tensor[]): T {
  checkValue('treeUnflatten', 'the leaves', leaves, LEAVES);
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
    return Object.entries(node).flatMap(([key, child]) => visit(child, join(path, key)));
  };
  return visit(tree, '');
}
