import type { Tensor } from '@recurra/tensor';
import { activeTracer } from './tracers.js';

/**
 * Checks data: at once where `x` is concrete; where it is an argument of the function that is being compiled (or that argument
 * reshaped or cast), before every run of the step. `check` throws what is wrong. Values that the step computes itself are not
 * checked.
 */
export function guard(x: Tensor, check: (data: Tensor) => void): void {
  if (x.array !== null) check(x);
  else activeTracer()?.guard(x, check);
}
