import { activations } from './activations.js';
import { ValueError } from './errors.js';
import { describeValue } from './names.js';
import { registeredName } from './registry.js';
import { isSerializedFunction, type SerializedFunction } from './serialized-function.js';

/**
 * An activation as configurations have it: its name, or the description of a function of one's own. Throws `ValueError` for a function without a name, and for
 * one of a name that an activation here has: it would be read as that.
 */
export function describeActivation(activation: unknown, name = 'activation'): string | SerializedFunction {
  if (activation === null || activation === undefined) return 'linear';
  if (typeof activation === 'string' || isSerializedFunction(activation)) return activation;
  if (typeof activation !== 'function')
    throw new ValueError(`getConfig: expected a name or a function for ${name}, received ${describeValue(activation)}`);
  const known = Object.entries(activations).find(([, f]) => f === activation)?.[0];
  if (known !== undefined) return known;
  // A function that is written in the options themselves is called as the option.
  const own =
    registeredName(activation) ?? (/^(activation|recurrentActivation)$/.test(activation.name) ? '' : activation.name);
  if (own === '' || Object.hasOwn(activations, own))
    throw new ValueError(
      `getConfig: expected a function with a name of its own for ${name}, received ${own === '' ? 'one without' : `one that is called ${own}, as another one here`}. Make it known: registerSerializable('my_package', f, 'my_name').`,
    );
  return { module: 'builtins', className: 'function', config: own, registeredName: 'function' };
}
