import { type Rule, rules } from '@recurra/tensor/extend';

/** What options of callbacks may be, beside the rules that all packages share. */

export const SAY: Rule = { expected: '0 or 1', accepts: (v) => v === 0 || v === 1 };

/** After each epoch, or after so many batches. */
export const SAVE_FREQUENCY: Rule = {
  expected: "'epoch' or a number of batches >= 1",
  accepts: (v) => v === 'epoch' || rules.count.accepts(v),
};
