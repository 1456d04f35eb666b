import { type Aval, sameShape } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import type { Simplified } from './family.js';

/** A value that is there already. */
export const is = (value: Value): Simplified => ({ kind: 'value', value });

/** `value`, if it has the shape and dtype of the output. */
export function same(value: Value, output: Aval): Simplified | null {
  return sameShape(value.shape, output.shape) && value.dtype === output.dtype ? is(value) : null;
}

/** The node of a primitive of this name that made a value. */
export function madeBy(value: Value, name: string): Node | null {
  const { source } = value;
  return source.kind === 'node' && source.node.primitive.name === name ? source.node : null;
}
