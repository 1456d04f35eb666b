import type { Aval, Primitive } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import type { Product } from './matmul.js';

/** What an operation becomes: a value that is there already, or the same operation on other inputs. */
export type Simplified =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'same'; readonly inputs: readonly Value[]; readonly params: unknown };

/** One operation of a chain, with the conversion (an operation of its own) that its arguments need. */
export interface ElementwiseOperation {
  readonly code: number;
  readonly convert: number | null;
}

/** All that the compiler knows of a primitive; what is absent it does not do. */
export interface PrimitiveRules {
  /** The simpler form of the operation, or `null`: identities that hold for every float32, NaN and infinities included (but for the sign of x + 0). */
  simplify?(inputs: readonly Value[], params: never, output: Aval, self: Primitive<unknown>): Simplified | null;
  /** It only looks at its first input in another way: the outputs as views of it, or `null` where only a copy can show it so. */
  view?(x: Ref, params: never, node: Node): readonly Ref[] | null;
  /** The operation of a chain that it is, or `null` for these dtypes. */
  chain?(node: Node): ElementwiseOperation | null;
  /** Appends its commands; says whether there is a kernel for this case. No float64 comes here. Its commands hang on shapes, dtypes and parameters alone. */
  emit?(emission: Emission, node: Node): boolean;
  /** It is a matrix product: appends it, with what is applied as it is written. Float32 alone comes here. */
  product?(emission: Emission, node: Node, product: Product): void;
  /** What a product does in its place as it writes: adds a row to each of its own, or applies the function of this number. */
  readonly writeBack?: 'bias' | number;
  /** The uniform numbers that a chain can draw in its place, from the key that is its input; `null` where it cannot. */
  draws?(node: Node): { readonly stream: number } | null;
  /** It gives the elements of its input in their order. */
  readonly flat?: boolean;
  /** What holds of its output's elements, for a check of data, holds of its input's. */
  readonly checkedAsInput?: boolean;
  /** The input that must have been computed before what it gives may be used, though it reads another one. */
  readonly token?: number;
  /**
   * Which input holds indices that may name nothing, and the size of the axis that they point into; `null` where it is not one. `checked`: what it
   * gives are indices that are there.
   */
  readonly indices?: { readonly input: number; size(node: Node): number | null; readonly checked?: boolean };
  /** May it refuse other data of this node? */
  refuses?(node: Node): boolean;
}

/** The rules of primitives that belong together, by name. */
export type Family = Readonly<Record<string, PrimitiveRules>>;
