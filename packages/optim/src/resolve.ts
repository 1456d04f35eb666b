import { ValueError } from '@recurra/tensor';
import { describeValue, lookupByName } from '@recurra/tensor/extend';
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

/**
 * The optimizer that an identifier names, with its default options. Throws `ValueError` with the known names, and for what is no
 * optimizer, such as the class itself.
 */
export function resolveOptimizer(identifier: OptimizerIdentifier): Optimizer {
  const given: unknown = identifier;
  if (typeof given === 'string') return new (lookupByName(optimizers, given, 'optimizer', 'or an Optimizer'))();
  if (typeof given === 'function')
    throw new ValueError(
      `optimizer: expected a name or an Optimizer, received ${describeValue(given)}. Create one: new ${given.name || 'Adam'}()`,
    );
  if (typeof (given as Optimizer | null)?.init !== 'function' || typeof (given as Optimizer).update !== 'function')
    throw new ValueError(
      `optimizer: expected one of ${Object.keys(optimizers).join(', ')} or an Optimizer, received ${describeValue(given)}`,
    );
  return identifier as Optimizer;
}
