import { isSerialized, type Rule, rules } from '@recurra/tensor/extend';
import { isRecord } from '../base/tree.js';
import { Loss } from '../losses/index.js';
import { Metric } from '../metrics/index.js';

/** What options of `compile`, `fit`, `evaluate` and `predict` may be, beside the rules that all packages share. */

export const VERBOSE: Rule = rules.oneOf('auto', 0, 1, 2);

export const SIGNAL: Rule = {
  expected: 'an AbortSignal, or null',
  accepts: (v) => v === null || typeof (v as Partial<AbortSignal>)?.throwIfAborted === 'function',
};

export const CLASS_WEIGHT: Rule = {
  expected: 'an object from class indices to weights, or null',
  accepts: (v) => v === null || isRecord(v),
};

/** Every so many epochs, or in which. */
export const FREQUENCY: Rule = {
  expected: 'an integer >= 1, or a list of the numbers of epochs',
  accepts: (v) => (Array.isArray(v) ? v.length > 0 && v.every(rules.count.accepts) : rules.count.accepts(v)),
};

/** For the only output, or for each: in a list or an object that is not empty, where `null` stands for nothing. */
function perOutput(expected: string, isOne: (value: unknown) => boolean): Rule {
  const each = (list: readonly unknown[]): boolean =>
    list.length > 0 && list.every((v) => v === null || v === undefined || isOne(v));
  return {
    expected: `${expected}, a list or an object of them for the outputs, or null`,
    accepts: (v) => v === null || isOne(v) || (Array.isArray(v) ? each(v) : isRecord(v) && each(Object.values(v))),
  };
}

export const isOneLoss = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'function' || value instanceof Loss || isSerialized(value);

export const isOneMetric = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'function' || value instanceof Metric || isSerialized(value);

export const LOSSES: Rule = perOutput('a name, a Loss, a function', isOneLoss);
export const LOSS_WEIGHTS: Rule = perOutput('a finite number', Number.isFinite);
export const OPTIMIZER: Rule = { expected: 'a name or an Optimizer', accepts: (v) => v !== null };
