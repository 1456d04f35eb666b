import type { Aval, Primitive } from '@recurra/tensor/extend';
import type { Simplified } from './families/family.js';
import { rulesOf } from './families/index.js';
import type { Value } from './graph.js';

/** The simpler form of an operation, or `null`. */
export function simplify(
  primitive: Primitive<unknown>,
  inputs: readonly Value[],
  params: unknown,
  outputs: readonly Aval[],
): Simplified | null {
  return rulesOf(primitive)?.simplify?.(inputs, params as never, outputs[0]!, primitive) ?? null;
}
