import type { DType } from './dtype.js';
import type { NDArray } from './ndarray.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** What is known of a value before it is computed. */
export interface Aval {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What a vector-Jacobian product gets. */
export interface VjpContext<P> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** One cotangent per output, of the output's shape. */
  readonly cotangents: readonly Tensor[];
  readonly params: P;
  /** For which inputs a gradient is wanted; the others may be left `null`. */
  readonly needs: readonly boolean[];
  /** Applies another primitive, for rules that need one without a method on `Tensor`. */
  bind<Q>(primitive: Primitive<Q>, inputs: readonly Tensor[], params: Q): Tensor[];
}

/** How to draw one input of a {@link Sample}: uniform in `low..high`, or the given `values`. */
export interface SampleInput {
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly low?: number;
  readonly high?: number;
  readonly values?: readonly number[];
}

/** One set of inputs with parameters, which the conformance test runs. */
export interface Sample<P> {
  readonly inputs: readonly SampleInput[];
  readonly params: P;
}

/** A block of memory of a compiled step, as a lowering rule sees it. Elements are dense and row-major. */
export interface Block {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A kind of kernel commands (`Command` of `@recurra/kernels`): which words are numbers (`N`), blocks (`P`), and blocks that may be absent (`O`). */
export interface CommandKind<N extends string = string, P extends string = string, O extends string = string> {
  readonly name: string;
  readonly number: number;
  readonly words: readonly string[];
  readonly floats: readonly string[];
  /** Blocks that the engine sizes; those that no type asks for are for the command alone, and made for it. */
  readonly sized: readonly string[];
  readonly records: Readonly<{ [count in string]?: string }>;
  /** Types alone. */
  readonly fields?: readonly [N, P, O];
}

/** The words of a command by name. */
export type CommandFields<N extends string, P extends string, O extends string> = { readonly [name in N]: number } & {
  readonly [name in P]: Block;
} & { readonly [name in O]?: Block | null };

/** What a lowering rule gets: the blocks of its inputs and outputs, and a place for its commands. */
export interface LowerContext<P> {
  readonly inputs: readonly Block[];
  /** `null` for an output that nobody reads. */
  readonly outputs: readonly (Block | null)[];
  readonly params: P;
  /** `bytes` of memory for this operation alone, beside what the command says that the engine sizes. */
  scratch(bytes: number): Block;
  /** Appends a kernel command. `work`: about how many multiply-adds it takes. */
  emit<N extends string, P extends string, O extends string>(
    command: CommandKind<N, P, O>,
    fields: CommandFields<N, P, O>,
    work: number,
  ): void;
}

/**
 * An operation, defined once: everything that the library knows about it. Transformations (differentiation, and the
 * compiler) work on primitives alone; whatever can be a function of primitives is one, and needs no definition.
 */
export interface Primitive<P = unknown> {
  readonly name: string;
  /** Shapes and dtypes of the outputs; throws `ShapeError` / `DTypeError` where the inputs do not fit. */
  abstract(inputs: readonly Aval[], params: P): readonly Aval[];
  /** The outputs, eagerly; `outputs` is what `abstract` returned. */
  evaluate(inputs: readonly NDArray[], params: P, outputs: readonly Aval[]): readonly NDArray[];
  /**
   * Gradients for the inputs from those of the outputs, written in tensor operations, so that it differentiates again
   * and traces. `null` as the whole rule: the operation has no gradient (integer or boolean results, or constants).
   */
  readonly vjp: ((context: VjpContext<P>) => readonly (Tensor | null)[]) | null;
  /**
   * How a compiled step runs it: kernel commands. The operations of this package have their rules in the compiler, where they
   * are fused; others bring their own. Absent: the compiler calls `evaluate` between kernels.
   */
  readonly lower?: (context: LowerContext<P>) => void;
  /** Inputs for the conformance test: evaluation, gradient against finite differences, gradient of the gradient. */
  readonly samples: readonly Sample<P>[];
}

/** Declares a primitive. Any package may: an operation defined outside of `tensor` is not special. */
export function definePrimitive<P>(primitive: Primitive<P>): Primitive<P> {
  return Object.freeze(primitive);
}
