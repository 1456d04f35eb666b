import type { Tensor } from '@recurra/tensor';
import { checkRules, type Rule, type Rules, rules, type Serialized, type SnakeCase } from '@recurra/tensor/extend';
import { resolveSerialized } from './serialized.js';

/** What a weight is brought back to after every step. */
export interface Constraint {
  /** Class name in Keras. */
  readonly name: string;
  /** The arguments, in camelCase. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weight as it may be. */
  apply(w: Tensor): Tensor;
}

/** Axes along which norms are taken: 0 for a kernel [inputs, units], so that each unit's weights have a norm. */
export interface NormOptions {
  readonly axis?: number | readonly number[];
}

const AXIS: Rule = {
  expected: 'an axis or a list of axes',
  accepts: (v) => rules.integer.accepts(v) || (Array.isArray(v) && v.every((axis) => rules.integer.accepts(axis))),
};
const NORM = { axis: AXIS } satisfies Rules<NormOptions>;
const MAX = { ...NORM, maxValue: rules.notNegative };
const MIN_MAX = { ...MAX, minValue: rules.notNegative, rate: rules.share };

const EPSILON = 1e-7;

function normOf(w: Tensor, axis: number | readonly number[]): Tensor {
  return w.square().sum(axis, { keepDims: true }).sqrt();
}

/** Scales columns down to a norm of at most `maxValue` (2). Keras `MaxNorm`. */
export function maxNorm(options: NormOptions & { readonly maxValue?: number } = {}): Constraint {
  checkRules('MaxNorm', options, MAX);
  const { maxValue = 2, axis = 0 } = options;
  return {
    name: 'MaxNorm',
    config: { maxValue, axis },
    apply: (w) => {
      const norms = normOf(w, axis);
      return w.mul(norms.clip(0, maxValue).div(norms.add(EPSILON)));
    },
  };
}

/** Negative weights become 0. Keras `NonNeg`. */
export function nonNeg(): Constraint {
  return { name: 'NonNeg', config: {}, apply: (w) => w.mul(w.greaterEqual(0).cast(w.dtype)) };
}

/** Scales columns to a norm of 1. Keras `UnitNorm`. */
export function unitNorm(options: NormOptions = {}): Constraint {
  checkRules('UnitNorm', options, NORM);
  const { axis = 0 } = options;
  return { name: 'UnitNorm', config: { axis }, apply: (w) => w.div(normOf(w, axis).add(EPSILON)) };
}

/**
 * Moves the norms of columns towards [minValue, maxValue] = [0, 1] by the share `rate` (1: all the way).
 * Keras `MinMaxNorm`.
 */
export function minMaxNorm(
  options: NormOptions & { readonly minValue?: number; readonly maxValue?: number; readonly rate?: number } = {},
): Constraint {
  checkRules('MinMaxNorm', options, MIN_MAX);
  const { minValue = 0, maxValue = 1, rate = 1, axis = 0 } = options;
  return {
    name: 'MinMaxNorm',
    config: { minValue, maxValue, rate, axis },
    apply: (w) => {
      const norms = normOf(w, axis);
      const wanted = norms
        .clip(minValue, maxValue)
        .mul(rate)
        .add(norms.mul(1 - rate));
      return w.mul(wanted.div(norms.add(EPSILON)));
    },
  };
}

/** The constraints by name. */
export const constraints: {
  readonly maxNorm: typeof maxNorm;
  readonly nonNeg: typeof nonNeg;
  readonly unitNorm: typeof unitNorm;
  readonly minMaxNorm: typeof minMaxNorm;
} = {
  maxNorm,
  nonNeg,
  unitNorm,
  minMaxNorm,
};

/** Names of constraints. */
export type ConstraintName = 'maxNorm' | 'nonNeg' | 'unitNorm' | 'minMaxNorm';

/** A constraint by name (camelCase or Keras' snake_case), one with options, or as Keras writes it down. */
export type ConstraintIdentifier = ConstraintName | SnakeCase<ConstraintName> | Constraint | Serialized;

/** The constraint that an identifier names; `null` for none. Throws `ValueError` with the known names. */
export function resolveConstraint(identifier: ConstraintIdentifier | null | undefined): Constraint | null {
  if (identifier === null || identifier === undefined) return null;
  return resolveSerialized('constraint', constraints, identifier, 'apply');
}
