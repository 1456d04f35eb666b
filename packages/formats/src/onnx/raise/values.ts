import type { Tensor } from '@recurra/tensor';
import type { Constant, Dim } from '../graph.js';
import type { Size } from './sizes.js';

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

/** A part of an axis of a tensor: the parts of an axis stand behind each other, their product is the axis. */
export interface Atom {
  readonly axis: number;
  readonly size: Size;
}

/**
 * A tensor whose axes the graph has cut and joined anew: axis i of the graph's value is the product of the parts `axes[i]` (of none: an axis of size 1).
 * Heads of an attention are such parts, and so is what PyTorch joins with the batch for a while.
 */
export interface RaisedView {
  readonly kind: 'view';
  /** In the order of its own axes. */
  readonly base: RaisedTensor;
  /** The parts of all axes, by axis. */
  readonly atoms: readonly Atom[];
  readonly axes: readonly (readonly number[])[];
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

/** A constant that is broadcast to sizes that are not all known: initial states of all samples. */
export interface RaisedRepeated {
  readonly kind: 'repeated';
  readonly value: Tensor;
  readonly sizes: readonly Size[];
}

/** Zeros, of a shape that may not be known: initial states. */
export interface RaisedZeros {
  readonly kind: 'zeros';
}

/** Whole numbers that come of sizes: of rank 1, or (one) of rank 0. */
export interface RaisedSizes {
  readonly kind: 'sizes';
  readonly list: readonly Size[];
  readonly rank: 0 | 1;
}

/** Products of queries and keys in heads, before and after softmax: parts of an attention. */
export interface RaisedScores {
  readonly kind: 'scores';
  /** [batch, time, heads * depth] each. */
  readonly query: RaisedTensor;
  readonly key: RaisedTensor;
  readonly heads: number;
  readonly depth: number;
  readonly scale: number;
  readonly causal: boolean;
  readonly shares: boolean;
}

/** What a name in the graph stands for. */
export type Raised =
  | RaisedTensor
  | RaisedView
  | RaisedStack
  | RaisedConstant
  | RaisedRepeated
  | RaisedZeros
  | RaisedSizes
  | RaisedScores;

/** Is the order of axes that of the tensor? */
export const inOrder = (order: readonly number[]): boolean => order.every((axis, i) => axis === i);
