import { formatShape, type Shape, ShapeError, sameShape, type Tensor, TraceError } from '@recurra/tensor';
import { runtime } from './runtime.js';
import { activeTracer } from './tracers.js';

/**
 * A long-lived, mutable place for a tensor: weights, slots of optimizers, states that a layer keeps. Read it (`value`) and write
 * it (`assign`) anywhere; inside of a compiled function, reads and writes become part of the step, which updates the variable's
 * block in place. It is released with its owner, like any object.
 */
export class Variable {
  /** How it is called in explanations and errors. */
  readonly path: string;
  readonly shape: Shape;
  private readonly dtype: Tensor['dtype'];
  /** The value on the JavaScript side; `null` while a compiled step holds a newer one. */
  private current: Tensor | null;
  private block: Block | null = null;
  /** What {@link withValues} shows in its place. */
  private shown: Tensor | null = null;

  constructor(value: Tensor, path = 'variable') {
    if (value.array === null || value.trace !== null)
      throw new TraceError(
        `${path}: expected a concrete tensor for a new variable, received a traced value. Make variables outside of compiled or differentiated functions.`,
      );
    this.path = path;
    this.shape = value.shape;
    this.dtype = value.dtype;
    this.current = value;
  }

  /** The value now. Inside of a compiled function, that of the step. */
  get value(): Tensor {
    if (this.shown) return this.shown;
    const tracer = activeTracer();
    if (tracer) return tracer.read(this);
    return this.concrete();
  }

  /** @internal Shows another value, until it is given `null`. Returns what was shown before. */
  show(value: Tensor | null): Tensor | null {
    const before = this.shown;
    this.shown = value;
    return before;
  }

  /** Replaces the value. Throws `ShapeError` for another shape or dtype. */
  assign(value: Tensor): void {
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype)
      throw new ShapeError(
        `${this.path}: expected a value of ${this.dtype} ${formatShape(this.shape)}, received ${value.dtype} ${formatShape(value.shape)}`,
      );
    const tracer = activeTracer();
    if (tracer) {
      tracer.write(this, value);
      return;
    }
    this.current = value;
    if (this.block) this.block.stale = true;
  }

  /** @internal The value as data, also while a function is traced. */
  concrete(): Tensor {
    if (this.current === null) this.current = runtime().read(this.block!.address, this.shape, this.dtype);
    return this.current;
  }

  /** @internal The address of its block in WebAssembly memory, which it gets now if it has none. */
  address(): number {
    if (!this.block) {
      this.block = { address: runtime().allocateFor(this, this.concrete()), stale: true };
    }
    return this.block.address;
  }

  /** @internal Brings the block up to date before a step. */
  upload(): void {
    const block = this.block!;
    if (!block.stale) return;
    runtime().write(block.address, this.concrete());
    block.stale = false;
  }

  /** @internal A step failed that might have written the block: what is known on the JavaScript side is written again. */
  restore(): void {
    if (this.current !== null && this.block) this.block.stale = true;
  }

  /** @internal A step has written the block. */
  updated(): void {
    this.current = null;
  }
}

/** Runs `f` while the variables show other values (those that a gradient watches); what they hold does not change. */
export function withValues<R>(variables: readonly Variable[], values: readonly Tensor[], f: () => R): R {
  const before = variables.map((v, i) => v.show(values[i]!));
  try {
    return f();
  } finally {
    variables.forEach((v, i) => {
      v.show(before[i]!);
    });
  }
}

interface Block {
  readonly address: number;
  /** Is the value on the JavaScript side newer? */
  stale: boolean;
}
