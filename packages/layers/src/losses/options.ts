import { Tensor } from '@recurra/tensor';
import { checkOptions, checkValue, type Rule, type Rules, rules } from '@recurra/tensor/extend';

type Named =
  | 'name'
  | 'fromLogits'
  | 'labelSmoothing'
  | 'axis'
  | 'ignoreClass'
  | 'gamma'
  | 'alpha'
  | 'beta'
  | 'applyClassBalancing'
  | 'margin'
  | 'removeDiagonal'
  | 'delta'
  | 'q'
  | 'threshold'
  | 'thresholds'
  | 'topK'
  | 'classId'
  | 'numThresholds'
  | 'k'
  | 'fromSortedIds'
  | 'maskTokenId'
  | 'numClasses'
  | 'sparseYTrue'
  | 'sparseYPred'
  | 'multiLabel'
  | 'numLabels'
  | 'labelWeights';

/** What options of losses, of metrics, and of the functions behind them may be, by their names: one rule for all of them. */
export const RULES: { readonly [K in Named]: Rule } = {
  name: rules.filledText,
  fromLogits: rules.flag,
  labelSmoothing: rules.share,
  axis: rules.integer,
  ignoreClass: rules.orNull(rules.integer),
  gamma: rules.notNegative,
  alpha: rules.notNegative,
  beta: rules.notNegative,
  applyClassBalancing: rules.flag,
  margin: rules.anyNumber,
  removeDiagonal: rules.flag,
  delta: rules.positive,
  q: rules.openDecay,
  threshold: rules.anyNumber,
  thresholds: rules.orNull(
    rules.either(rules.share, {
      expected: 'a list of such',
      accepts: (v) => Array.isArray(v) && v.length > 0 && v.every(rules.share.accepts),
    }),
  ),
  topK: rules.orNull(rules.count),
  classId: rules.orNull(rules.countOrZero),
  numThresholds: rules.count,
  k: rules.count,
  fromSortedIds: rules.flag,
  maskTokenId: rules.orNull(rules.integer),
  numClasses: rules.count,
  sparseYTrue: rules.flag,
  sparseYPred: rules.flag,
  multiLabel: rules.flag,
  numLabels: rules.orNull(rules.count),
  labelWeights: rules.orNull(rules.numbers),
};

/** Axes that are summed over; all of them. */
export const SUMMED: Rule = rules.orNull(rules.axes);

/** The rules of options by their names, for the functions that take them. */
export function rulesOf<K extends Named>(...names: readonly K[]): { readonly [N in K]: Rule } {
  return Object.fromEntries(names.map((name) => [name, RULES[name]])) as { readonly [N in K]: Rule };
}

/**
 * Throws `ValueError` for options of a loss or a metric that have no default among `defaults`, and for values that they may not have.
 *
 * @param own rules of the class's own, before those of all
 */
export function checkNamed(
  label: string,
  options: object,
  defaults: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, Rule>> = {},
): void {
  checkOptions<object>(label, options, defaults);
  const all: Readonly<Record<string, Rule>> = { ...RULES, ...own };
  for (const [key, value] of Object.entries(options)) {
    const rule = all[key];
    if (rule && value !== undefined) checkValue(label, key, value, rule);
  }
}

/** What goes with targets and predictions. Weights are made a tensor where they are used. */
export const WEIGHING: Rules<{ sampleWeight: unknown; mask: Tensor | null }> = {
  sampleWeight: rules.anything,
  mask: rules.orNull(rules.instanceOf(Tensor, 'a tensor')),
};

/** Options without those that were not given. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
