import { ValueError } from '@recurra/tensor';
import { describeValue, registeredName, type Serialized } from '@recurra/tensor/extend';
import * as classes from './classes.js';
import { Optimizer } from './optimizer.js';
import type { LearningRate } from './schedule.js';

/** An optimizer as data, as Keras writes it down (keys in camelCase). */
export type SerializedOptimizer = Serialized;

/**
 * An optimizer as data, which {@link deserializeOptimizer} reads: its class and options, not its state. A class of your own has no `module`.
 * Throws `ValueError` for a schedule of your own.
 * @param learningRate the rate as it is now, where it was set after
 */
export function serializeOptimizer(optimizer: Optimizer, learningRate?: LearningRate): SerializedOptimizer {
  if (!(optimizer instanceof Optimizer))
    throw new ValueError(`serializeOptimizer: expected an Optimizer, received ${describeValue(optimizer)}`);
  const { name: className } = optimizer;
  const config = optimizer.getConfig(learningRate);
  const known = className === 'LossScaleOptimizer' || Object.hasOwn(classes, className);
  const registered = registeredName(optimizer.constructor);
  if (registered !== null) return { module: null, className, config, registeredName: registered };
  return known
    ? { module: 'keras.optimizers', className, config, registeredName: null }
    : { className, config, registeredName: className };
}
