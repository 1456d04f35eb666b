import { camelCase, ValueError } from '@recurra/tensor';
import { Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW } from './adam.js';
import { Adadelta, Adafactor, Adagrad, Ftrl, Lion, RMSprop } from './adaptive.js';
import { Muon } from './muon.js';
import type { Optimizer, OptimizerOptions } from './optimizer.js';
import { SGD } from './sgd.js';

/** Names of optimizers, in lower case. */
export type OptimizerName =
  | 'sgd'
  | 'rmsprop'
  | 'adam'
  | 'adamw'
  | 'adamax'
  | 'nadam'
  | 'adagrad'
  | 'adadelta'
  | 'ftrl'
  | 'lion'
  | 'lamb'
  | 'adafactor'
  | 'muon'
  | 'scheduleFreeAdamw';

/** An optimizer by name (any case, Keras' spelling too), or one. */
export type OptimizerIdentifier = OptimizerName | Optimizer;

/** The classes by lower-case name. */
export const optimizers: Record<OptimizerName, new (options?: OptimizerOptions) => Optimizer> = {
  sgd: SGD,
  rmsprop: RMSprop,
  adam: Adam,
  adamw: AdamW,
  adamax: Adamax,
  nadam: Nadam,
  adagrad: Adagrad,
  adadelta: Adadelta,
  ftrl: Ftrl,
  lion: Lion,
  lamb: Lamb,
  adafactor: Adafactor,
  muon: Muon,
  scheduleFreeAdamw: ScheduleFreeAdamW,
};

/** The optimizer that an identifier names, with its default options. Throws `ValueError` with the known names. */
export function resolveOptimizer(identifier: OptimizerIdentifier): Optimizer {
  if (typeof identifier !== 'string') return identifier;
  const wanted = camelCase(identifier).toLowerCase();
  const found = Object.entries(optimizers).find(([name]) => name.toLowerCase() === wanted);
  if (!found)
    throw new ValueError(
      `optimizer: expected one of ${Object.keys(optimizers).join(', ')} or an Optimizer, received "${identifier}"`,
    );
  return new found[1]();
}
