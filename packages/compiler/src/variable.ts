import {
  type DType,
  type Shape,
  ShapeError,
  stopGradient,
  Tensor,
  type TensorJSON,
  TraceError,
  ValueError,
} from '@recurra/tensor';
import { checkValue, elementsToJSON, formatShape, printedAs, rules, sameShape, sizeOf } from '@recurra/tensor/extend';
import type { Block, Storage } from './engines/engine.js';
import { bytesOf } from './schedule/buffer.js';
import { activeTracer, isInsideLoop } from './tracers.js';
import { whenIdle } from './turns.js';

const TENSOR = rules.instanceOf(Tensor, 'a tensor');

/** The memory of a variable. It knows nothing of the variable, so that whoever keeps it to give it back does not keep that alive. */
interface Place {
  readonly storage: Storage;
  readonly block: Block;
  /** Is the value on the JavaScript side newer? */
  stale: boolean;
}

/** Variables that are gone give their memory back. No step in progress uses it: its plan would hold them. */
const forgotten = new FinalizationRegistry<Place>(({ storage, block }) => storage.release(block));

/** How often a variable has moved to another storage: who remembers blocks looks them up again when it changes. */
let moved = 0;

/** See {@link moved}. */
export function movedVariables(): number {
  return moved;
}

/**
 * A long-lived, mutable place for a tensor: weights, slots of optimizers, states that a layer keeps. Read it (`value`) and write
 * it (`assign`) anywhere; inside of a compiled function, reads and writes become part of the step, which updates the variable's
 * block in place. It is released with its owner, like any object, or at once by {@link Variable.dispose}.
 */
export class Variable {
  /** How it is called in explanations and errors. */
  readonly path: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The value on the JavaScript side; `null` while a compiled step holds a newer one. */
  private current: Tensor | null;
  private place: Place | null = null;
  /** How often steps have written the block. */
  private updates = 0;
  /** What {@link withValues} shows in its place. */
  private shown: Tensor | null = null;
  private disposed = false;

  constructor(value: Tensor, path = 'variable') {
    checkValue('Variable', 'the name', path, rules.text);
    checkValue(path, 'the value', value, TENSOR);
    if (value.array === null || value.trace !== null)
      throw new TraceError(
        `${path}: expected a concrete tensor for a new variable, received a traced value. Make variables outside of compiled or differentiated functions.`,
      );
    this.path = path;
    this.shape = value.shape;
    this.dtype = value.dtype;
    this.current = value;
  }

  /** The value now. Inside of a compiled function, that of the step. Throws `ValueError` after {@link Variable.dispose}. */
  get value(): Tensor {
    if (this.shown) return this.shown;
    const tracer = activeTracer();
    if (tracer) {
      this.expectAlive();
      return tracer.read(this);
    }
    return this.concrete();
  }

  /**
   * NumPy-like text, under the variable's name; consoles print it, too. While a function is traced, or after {@link Variable.dispose},
   * shape and dtype alone.
   */
  toString(): string {
    const value = this.readable();
    return value
      ? `${this.path}: ${value.toString()}`
      : `${this.path}: Variable ${formatShape(this.shape)} ${this.dtype}`;
  }

  /** `{ path, dtype, shape, data }`, what `JSON.stringify` writes; see `Tensor.toJSON`. */
  toJSON(): {
    readonly path: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly data?: TensorJSON['data'];
  } {
    const { path, dtype, shape } = this;
    const value = this.readable();
    return value?.array ? { path, dtype, shape, data: elementsToJSON(value.array) } : { path, dtype, shape };
  }

  /** The value, where its elements can be read now without becoming part of a step. */
  private readable(): Tensor | null {
    return this.disposed || this.shown || activeTracer() ? null : this.concrete();
  }

  /** @internal Shows another value, until it is given `null`. Returns what was shown before. */
  show(value: Tensor | null): Tensor | null {
    const before = this.shown;
    this.shown = value;
    return before;
  }

  /**
   * Replaces the value. A value that a gradient watches is stored as it is, without its history: nothing flows back through a variable
   * (as in Keras), so that statistics of batches may be kept inside of a differentiated loss.
   *
   * Throws `ShapeError` for another shape or dtype; `TraceError` inside of the body of a loop (`scan`), where it would happen once
   * rather than in each step; `ValueError` after {@link Variable.dispose}.
   */
  assign(value: Tensor): void {
    this.expectAlive();
    checkValue(this.path, 'the value', value, TENSOR);
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype)
      throw new ShapeError(
        `${this.path}: expected a value of ${this.dtype} ${formatShape(this.shape)}, received ${value.dtype} ${formatShape(value.shape)}`,
      );
    if (isInsideLoop())
      throw new TraceError(
        `${this.path}: expected an assignment outside of the body of scan, received one inside, where it would happen once rather than in each step. Make the value a part of the carry, and assign it after the loop.`,
      );
    const plain = value.trace === null ? value : stopGradient(value);
    const tracer = activeTracer();
    if (tracer) tracer.write(this, plain);
    else {
      if (plain.array === null)
        throw new TraceError(
          `${this.path}: expected a value with data, received one of a compiled function that has ended. Return it from that function.`,
        );
      this.current = plain;
      if (this.place) this.place.stale = true;
    }
    // Who reads it while another value is shown sees the new one too.
    if (this.shown) this.shown = plain;
  }

  /**
   * Gives its memory back now, when no step is in progress any more, rather than when the object is gone. Reading or assigning it, and
   * steps that use it, then throw `ValueError`. A second call does nothing.
   */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.current = null;
    whenIdle(() => this.forget());
  }

  /**
   * The value now, as {@link Variable.value} outside of compiled functions. It may be asked of every engine, also of one whose memory the calling
   * thread does not see. Rejects with `ValueError` after {@link Variable.dispose}.
   */
  async read(): Promise<Tensor> {
    this.expectAlive();
    const { current, place, shape, dtype, updates } = this;
    if (current) return current;
    const value = new Tensor(shape, dtype, await place!.storage.read(place!.block, { shape, dtype }));
    // Unless a step has written it again meanwhile.
    if (this.current === null && this.updates === updates && !this.disposed) this.current = value;
    return value;
  }

  /** @internal The value as data, also while a function is traced. */
  concrete(): Tensor {
    this.expectAlive();
    if (this.current === null) {
      const { place, shape, dtype } = this;
      const found = place!.storage.read(place!.block, { shape, dtype });
      if (found instanceof Promise)
        throw new ValueError(
          `${this.path}: expected an engine whose memory can be read at once, received one that answers later. Use await variable.read().`,
        );
      this.current = new Tensor(shape, dtype, found);
    }
    return this.current;
  }

  /** @internal Bytes of its block. */
  get bytes(): number {
    return sizeOf(this.shape) * bytesOf(this.dtype);
  }

  /** @internal Has it a block there? */
  isIn(storage: Storage): boolean {
    return this.place?.storage === storage;
  }

  /** @internal Its block there, which it gets now if it has none; it has one at a time. Throws what the storage throws. */
  block(storage: Storage): Block {
    if (this.place?.storage !== storage) {
      this.expectAlive();
      if (this.place) {
        this.concrete();
        this.forget();
        moved++;
      }
      const block = storage.allocate(this.bytes, { kind: 'variables', name: this.path });
      this.place = { storage, block, stale: true };
      forgotten.register(this, this.place, this);
    }
    return this.place.block;
  }

  /** @internal Gives its block back: nobody uses it, and its content is known on the JavaScript side, or to no one. */
  forget(): void {
    if (!this.place) return;
    forgotten.unregister(this);
    this.place.storage.release(this.place.block);
    this.place = null;
  }

  /** @internal Brings the block up to date before a step. */
  upload(): void {
    this.expectAlive();
    const place = this.place!;
    if (!place.stale) return;
    place.storage.write(place.block, this.concrete().concrete(this.path));
    place.stale = false;
  }

  /** @internal A step failed that might have written the block: what is known on the JavaScript side is written again. */
  restore(): void {
    if (this.current !== null && this.place) this.place.stale = true;
  }

  /** @internal A step has written the block. */
  updated(): void {
    this.current = null;
    this.updates++;
  }

  private expectAlive(): void {
    if (this.disposed)
      throw new ValueError(
        `${this.path}: expected a variable in use, received one that was disposed of. Make it anew.`,
      );
  }
}

printedAs(Variable, (variable, nested) =>
  nested ? `[Variable ${variable.path} ${formatShape(variable.shape)} ${variable.dtype}]` : variable.toString(),
);

const isListOf =
  (type: abstract new (...args: never[]) => unknown) =>
  (v: unknown): boolean =>
    Array.isArray(v) && v.every((item) => item instanceof type);
const VARIABLES = { expected: 'a list of variables', accepts: isListOf(Variable) };
const VALUES = { expected: 'a list of tensors', accepts: isListOf(Tensor) };

/** Runs `f` while the variables show other values (those that a gradient watches); what they hold does not change. */
export function withValues<R>(variables: readonly Variable[], values: readonly Tensor[], f: () => R): R {
  checkValue('withValues', 'f', f, rules.callable);
  checkValue('withValues', 'the variables', variables, VARIABLES);
  checkValue('withValues', 'the values', values, VALUES);
  if (variables.length !== values.length)
    throw new ValueError(`withValues: expected ${variables.length} values, received ${values.length}`);
  const before = variables.map((v, i) => v.show(values[i]!));
  try {
    return f();
  } finally {
    variables.forEach((v, i) => {
      v.show(before[i]!);
    });
  }
}
