import type { Tensor, TypedArray } from '@recurra/tensor';
import { denseData } from '@recurra/tensor/extend';
import { activeTracer } from './tracers.js';

/**
 * Throws what is wrong with the elements of a tensor. They are not copied, since it runs before every step: read, and never written.
 */
export type Check = (data: TypedArray, tensor: Tensor) => void;

/** Lets a check see a concrete tensor. */
export function checkData(x: Tensor, check: Check): void {
  check(denseData(x.concrete('guard')), x);
}

/**
 * Checks data: at once where `x` is concrete; where it is an argument of the function that is being compiled (or that argument
 * reshaped or cast), before every run of the step. `check` throws what is wrong. Values that the step computes itself are not
 * checked.
 */
export function guard(x: Tensor, check: Check): void {
  if (x.array !== null) checkData(x, check);
  else activeTracer()?.guard(x, check);
}
