import type { Variable } from './variable.js';

const numbers = new WeakMap<object, number>();
let next = 0;

/** A number of a layer's own. */
function numberOf(layer: object): number {
  let number = numbers.get(layer);
  if (number === undefined) {
    number = next++;
    numbers.set(layer, number);
  }
  return number;
}

/**
 * What compiled steps of a model depend on beside weights and the shapes of data, as text: another text, another step. The layers (models within
 * may have got more), which of them are frozen (those without weights to train, too, may run otherwise then), and states that came to be.
 */
export function structureOf(model: {
  readonly variables: readonly Variable[];
  layersWithin(): readonly { readonly trainable: boolean }[];
}): string {
  const states = model.variables.filter((v) => v.role !== 'weight').map((v) => v.id);
  const layers = model.layersWithin().map((layer) => `${numberOf(layer)}${layer.trainable ? '' : '!'}`);
  return `${states.join()};${layers.join()}`;
}
