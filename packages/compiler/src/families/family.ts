import type { Aval } from '@recurra/tensor/extend';
import type { Node, Value } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';

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
  simplify?(inputs: readonly Value[], params: never, output: Aval): Simplified | null;
  /** It only looks at its first input in another way: the outputs as views of it, or `null` where only a copy can show it so. */
  view?(x: Ref, params: never, node: Node): readonly Ref[] | null;
  /** The operation of a chain that it is, or `null` for these dtypes. */
  chain?(node: Node): ElementwiseOperation | null;
  /** Appends its commands; says whether there is a kernel for this case. No float64 comes here. */
  emit?(emission: Emission, node: Node): boolean;
  /** Which input holds indices that may name nothing, and the size of the axis that they point into; `null` where it is not one. */
  readonly indices?: { readonly input: number; size(node: Node): number | null };
  /** May it refuse other data of this node? */
  refuses?(node: Node): boolean;
}

/** The rules of primitives that belong together, by name. */
export type Family = Readonly<Record<string, PrimitiveRules>>;
