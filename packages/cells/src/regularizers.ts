import { eye, type Tensor, ValueError } from '@recurra/tensor';
import { camelCase, checkRules, rules, type Serialized, type SnakeCase } from '@recurra/tensor/extend';
import { resolveSerialized } from './serialized.js';

/** A penalty on a weight (or an output) that is added to the loss. */
export interface Regularizer {
  /** Class name in Keras. */
  readonly name: string;
  /** The arguments, in camelCase. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The penalty: a scalar. */
  apply(x: Tensor): Tensor;
}

const sumOfSizes = (x: Tensor, l1: number): Tensor => x.abs().sum().mul(l1);
const sumOfSquares = (x: Tensor, l2: number): Tensor => x.square().sum().mul(l2);

const L1 = { l1: rules.notNegative };
const L2 = { l2: rules.notNegative };
const L1_L2 = { ...L1, ...L2 };
const ORTHOGONAL = { factor: rules.notNegative, mode: rules.oneOf('rows', 'columns') };

/** l1 * sum(|x|); `l1` 0.01. Keras `L1`. */
export function l1(options: { readonly l1?: number } = {}): Regularizer {
  checkRules('L1', options, L1);
  const { l1: rate = 0.01 } = options;
  return { name: 'L1', config: { l1: rate }, apply: (x) => sumOfSizes(x, rate) };
}

/** l2 * sum(x^2); `l2` 0.01. Keras `L2`. */
export function l2(options: { readonly l2?: number } = {}): Regularizer {
  checkRules('L2', options, L2);
  const { l2: rate = 0.01 } = options;
  return { name: 'L2', config: { l2: rate }, apply: (x) => sumOfSquares(x, rate) };
}

/** l1 * sum(|x|) + l2 * sum(x^2); both 0, and 0.01 under the name 'l1L2'. Keras `L1L2`. */
export function l1L2(options: { readonly l1?: number; readonly l2?: number } = {}): Regularizer {
  checkRules('L1L2', options, L1_L2);
  const { l1: a = 0, l2: b = 0 } = options;
  return { name: 'L1L2', config: { l1: a, l2: b }, apply: (x) => sumOfSizes(x, a).add(sumOfSquares(x, b)) };
}

/**
 * How far the rows (or columns) of a matrix are from being orthogonal to each other: factor * 0.5 * the sum of the sizes of the products of different
 * unit rows, over their number n (n - 1) / 2. `factor` 0.01, `mode` 'rows'. Keras `OrthogonalRegularizer`.
 */
export function orthogonalRegularizer(
  options: { readonly factor?: number; readonly mode?: 'rows' | 'columns' } = {},
): Regularizer {
  checkRules('OrthogonalRegularizer', options, ORTHOGONAL);
  const { factor: rate = 0.01, mode = 'rows' } = options;
  return {
    name: 'OrthogonalRegularizer',
    config: { factor: rate, mode },
    apply: (x) => {
      if (x.rank !== 2)
        throw new ValueError(`OrthogonalRegularizer: expected a matrix, received a tensor of rank ${x.rank}`);
      const axis = mode === 'rows' ? 1 : 0;
      const unit = x.div(x.square().sum(axis).expandDims(axis).maximum(1e-12).sqrt());
      const products = mode === 'rows' ? unit.matmul(unit.transpose()) : unit.transpose().matmul(unit);
      const size = x.shape[mode === 'rows' ? 0 : 1]!;
      const others = products.mul(eye(size).neg().add(1).cast(x.dtype)).abs().sum();
      return others.mul(0.5 * rate).div(Math.max(1, (size * (size - 1)) / 2));
    },
  };
}

/** The regularizers by name. */
export const regularizers: {
  readonly l1: typeof l1;
  readonly l2: typeof l2;
  readonly l1L2: typeof l1L2;
  readonly orthogonalRegularizer: typeof orthogonalRegularizer;
} = {
  l1,
  l2,
  l1L2,
  orthogonalRegularizer,
};

/** Names of regularizers. */
export type RegularizerName = 'l1' | 'l2' | 'l1L2' | 'orthogonalRegularizer';

/** A regularizer by name (camelCase or Keras' snake_case), one with options, as Keras writes it down, or none. */
export type RegularizerIdentifier = RegularizerName | SnakeCase<RegularizerName> | Regularizer | Serialized;

/** The regularizer that an identifier names; `null` for none. Throws `ValueError` with the known names. */
export function resolveRegularizer(identifier: RegularizerIdentifier | null | undefined): Regularizer | null {
  if (identifier === null || identifier === undefined) return null;
  // By name both parts count, as in Keras.
  if (typeof identifier === 'string' && camelCase(identifier) === 'l1L2') return l1L2({ l1: 0.01, l2: 0.01 });
  return resolveSerialized('regularizer', regularizers, identifier, 'apply');
}
