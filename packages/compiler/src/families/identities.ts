import { type Aval, type Primitive, sameShape } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import type { Simplified } from './family.js';

/** A value that is there already. */
export const is = (value: Value): Simplified => ({ kind: 'value', value });

/** `value`, if it has the shape and dtype of the output. */
export function same(value: Value, output: Aval): Simplified | null {
  return sameShape(value.shape, output.shape) && value.dtype === output.dtype ? is(value) : null;
}

/** The node of this primitive that made a value. */
export function madeBy(value: Value, primitive: Primitive<unknown>): Node | null {
  const { source } = value;
  return source.kind === 'node' && source.node.primitive === primitive ? source.node : null;
}
