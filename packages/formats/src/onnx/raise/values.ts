import type { Constant, Dim } from '../graph.js';

/** Which output of which layer. */
export interface Reference {
  readonly layer: string;
  readonly output: number;
}

/** A tensor that a layer gives: the axes that the graph sees may be those of Keras' tensor in another order. */
export interface RaisedTensor {
  readonly kind: 'tensor';
  readonly from: Reference;
  readonly shape: readonly Dim[];
  readonly dtype: string;
  /** Axis i of the graph's value is axis `order[i]` of the tensor. */
  readonly order: readonly number[];
  /** Are its steps in the opposite order of what the graph has? */
  readonly flipped: boolean;
  /** Are they floats that the graph rounds to ids, which an Embedding alone does? */
  readonly rounded?: true;
}

/** What a recurrent operator gives: a tensor of each direction, with the axes T (time), D (direction), B (batch), U (units) in some order. */
export interface RaisedStack {
  readonly kind: 'stack';
  readonly parts: readonly RaisedTensor[];
  readonly axes: string;
}

export interface RaisedConstant {
  readonly kind: 'constant';
  readonly constant: Constant;
}

/** Zeros, of a shape that may not be known: initial states. */
export interface RaisedZeros {
  readonly kind: 'zeros';
}

/** What a name in the graph stands for. */
export type Raised = RaisedTensor | RaisedStack | RaisedConstant | RaisedZeros;

/** Is the order of axes that of the tensor? */
export const inOrder = (order: readonly number[]): boolean => order.every((axis, i) => axis === i);
