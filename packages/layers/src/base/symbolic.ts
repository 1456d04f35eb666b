import type { DType, Tensor, TensorLike } from '@recurra/tensor';
import type { Call } from './operation.js';
import { leavesOf } from './tree.js';

/** A shape whose batch size (or time) may be open: `null`. */
export type PartialShape = readonly (number | null)[];

/** What is known of a tensor before there is one. */
export interface Spec {
  readonly shape: PartialShape;
  readonly dtype: DType;
}

/**
 * A tensor that a graph of layers will have: shape and dtype, and the call that makes it. Made by {@link Input} and by layers that are applied to
 * other symbolic tensors. Keras `KerasTensor`.
 */
export class SymbolicTensor implements Spec {
  readonly shape: PartialShape;
  readonly dtype: DType;
  /** The call that makes it, and its place among that call's outputs. */
  readonly call: Call;
  readonly index: number;

  /** @internal Use `Input` and layers. */
  constructor(spec: Spec, call: Call, index: number) {
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    this.call = call;
    this.index = index;
  }

  /** The name of the layer that makes it. */
  get name(): string {
    return this.call.operation.name;
  }

  /** The number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  toString(): string {
    return `SymbolicTensor ${formatPartial(this.shape)} ${this.dtype}, output of "${this.name}"`;
  }
}

/** A tree of tensors with symbolic ones in their place. */
export type Symbolic<T> = T extends Tensor
  ? SymbolicTensor
  : T extends object
    ? { readonly [K in keyof T]: Symbolic<T[K]> }
    : T;
/** A tree of symbolic tensors with tensors in their place. */
export type Values<S> = S extends SymbolicTensor
  ? Tensor
  : S extends object
    ? { readonly [K in keyof S]: Values<S[K]> }
    : S;
/** A tree of tensors with whatever can be made a tensor in their place. */
export type Data<T> = T extends Tensor ? TensorLike : T extends object ? { readonly [K in keyof T]: Data<T[K]> } : T;
/** A tree of tensors with their specs in their place. */
export type Specs<T> = T extends Tensor ? Spec : T extends object ? { readonly [K in keyof T]: Specs<T[K]> } : T;
/** A tree of tensors with their shapes in their place. */
export type Shapes<T> = T extends Tensor
  ? PartialShape
  : T extends object
    ? { readonly [K in keyof T]: Shapes<T[K]> }
    : T;
/** A tree of tensors with their masks (bool, or none) in their place. */
export type Masks<T> = T extends Tensor
  ? Tensor | null
  : T extends object
    ? { readonly [K in keyof T]: Masks<T[K]> }
    : T;

/** Are two sizes known, and not the same? One that is not there differs from all that are known. */
export function differ(a: number | null | undefined, b: number | null | undefined): boolean {
  return a !== null && b !== null && a !== b;
}

/** `[null, 100]` as text. */
export function formatPartial(shape: PartialShape): string {
  return `[${shape.map((d) => d ?? 'null').join(', ')}]`;
}

/** Is there a symbolic tensor in a tree? */
export function hasSymbolic(tree: unknown): boolean {
  return leavesOf(tree).some((leaf) => leaf instanceof SymbolicTensor);
}
