import { treeLeaves, treeMap } from '@recurra/autograd';
import { Tensor, ValueError } from '@recurra/tensor';
import { checkValue, describeValue, rules } from '@recurra/tensor/extend';

const TENSOR = rules.instanceOf(Tensor, 'a tensor');

/** sqrt of the sum of squares over all tensors of a tree. */
export function globalNorm(tree: unknown): Tensor {
  const squares = treeLeaves(tree).map((leaf) => leaf.square().sum());
  if (squares.length === 0) throw new ValueError('globalNorm: expected a tree with at least one tensor, received none');
  return squares.reduce((a, b) => a.add(b)).sqrt();
}

/** x scaled down to at most `maxNorm`: x * maxNorm / max(norm(x), maxNorm). */
export function clipByNorm(x: Tensor, maxNorm: number): Tensor {
  checkValue('clipByNorm', 'x', x, TENSOR);
  checkValue('clipByNorm', 'maxNorm', maxNorm, rules.notNegative);
  return x.mul(x.square().sum().sqrt().maximum(maxNorm).reciprocal().mul(maxNorm));
}

/** All tensors of a tree scaled by one factor, so that their {@link globalNorm} is at most `maxNorm`. */
export function clipByGlobalNorm<T>(tree: T, maxNorm: number): T {
  checkValue('clipByGlobalNorm', 'maxNorm', maxNorm, rules.notNegative);
  const factor = globalNorm(tree).maximum(maxNorm).reciprocal().mul(maxNorm);
  return treeMap((leaf) => leaf.mul(factor), tree);
}

/** Every element of every tensor clipped to [-limit, limit]. */
export function clipByValue<T>(tree: T, limit: number): T {
  checkValue('clipByValue', 'limit', limit, rules.notNegative);
  if (treeLeaves(tree).length === 0)
    throw new ValueError(`clipByValue: expected a tree with at least one tensor, received ${describeValue(tree)}`);
  return treeMap((leaf) => leaf.clip(-limit, limit), tree);
}
