import type { EngineCase } from './case.js';
import { goldenFamilies } from './golden.js';
import { GRADIENTS, VALUES } from './primitives.js';
import { STEPS } from './steps.js';

/** The one list for all engines, by families. @param golden the folder of golden files */
export function engineFamilies(golden: string): ReadonlyMap<string, readonly EngineCase[]> {
  return new Map([
    ['steps', STEPS],
    ['values of primitives', VALUES],
    ['gradients of primitives', GRADIENTS],
    ...goldenFamilies(golden),
  ]);
}
