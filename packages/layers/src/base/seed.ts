import { randomKey, splitKey, stopGradient, type Tensor } from '@recurra/tensor';
import { nextKey } from '@recurra/tensor/extend';
import { Variable } from './variable.js';

/**
 * Random keys of one layer. With a seed, they are a stream of the layer's own, kept in a variable that each draw moves on; without one, they come
 * from the run (`setSeed`, `fit`). Keras `SeedGenerator`.
 */
export class SeedGenerator {
  readonly #state: Variable | null;

  /** @param keep makes the variable one of the layer */
  constructor(seed: number | null, name: string, keep: (variable: Variable) => Variable) {
    this.#state =
      seed === null ? null : keep(new Variable(randomKey(seed), `${name}/seed_generator_state`, { role: 'seed' }));
  }

  /** A key that was not used yet. */
  next(): Tensor {
    if (!this.#state) return nextKey();
    const [next, use] = splitKey(this.#state.value);
    this.#state.assign(stopGradient(next!));
    return use!;
  }
}
