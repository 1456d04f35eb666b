import { ValueError } from '@recurra/tensor';
import { checkOptions } from '@recurra/tensor/extend';
import { Callback, HOOKS, type Hook } from '../callback.js';

/** A callback from functions, without a class. Keras `LambdaCallback`. Throws `ValueError` for a hook that there is not. */
export class LambdaCallback extends Callback {
  constructor(hooks: { readonly [H in Hook]?: Callback[H] } = {}) {
    super();
    checkOptions('LambdaCallback', hooks, Object.fromEntries(HOOKS.map((hook) => [hook, true])) as never);
    for (const [hook, f] of Object.entries(hooks)) {
      if (f === undefined) continue;
      if (typeof f !== 'function') throw new ValueError(`LambdaCallback: expected a function for ${hook}`);
      (this as unknown as Record<string, unknown>)[hook] = f;
    }
  }
}
