import { ShapeError, Tensor, TraceError } from '@recurra/tensor';
import {
  bind,
  formatShape,
  type Interpreter,
  isFloating,
  nextLevel,
  type Primitive,
  sameShape,
  type Trace,
} from '@recurra/tensor/extend';

/** One recorded operation: how to get from the cotangents of its outputs to those of its inputs. */
interface Node {
  readonly name: string;
  readonly parents: readonly (Mark | null)[];
  readonly outputs: readonly Tensor[];
  readonly pull: (cotangents: readonly Tensor[], needs: readonly boolean[]) => readonly (Tensor | null)[];
}

/** The trace of a watched value: the value underneath, and its number among those that the level watches. */
interface Mark extends Trace {
  readonly interpreter: GradientLevel;
  readonly value: Tensor;
  readonly slot: number;
}

/**
 * One differentiation in progress (the levels of nested ones rise). It records the operations on the values that it
 * watches, and applies each to the values underneath, where an outer level may watch in turn: so derivatives of
 * derivatives come out right, and never mix (Siskind & Pearlmutter's perturbation confusion).
 */
export class GradientLevel implements Interpreter {
  readonly level: number;
  /** @internal Recorded operations, in order; `null` once released. */
  tape: Node[] | null = [];
  /** @internal Number of watched values so far. */
  slots = 0;

  constructor() {
    this.level = nextLevel();
  }

  /** A copy of `value` that this level watches. */
  watch(value: Tensor): Tensor {
    const mark: Mark = { interpreter: this, value, slot: this.slots++ };
    return new Tensor(value.shape, value.dtype, value.array, mark);
  }

  /** The value underneath, one level down. */
  unwatch(value: Tensor): Tensor {
    return value.trace?.interpreter === this ? (value.trace as Mark).value : value;
  }

  process<P>(primitive: Primitive<P>, inputs: readonly Tensor[], params: P): Tensor[] {
    const raw = inputs.map((input) => this.unwatch(input));
    const outputs = bind(primitive, raw, params);
    const rule = primitive.vjp;
    if (rule === null) return outputs;
    return record(this, inputs, outputs, primitive.name, (cotangents, needs) =>
      rule({ inputs: raw, outputs, cotangents, params, needs, bind }),
    );
  }

  /** Forgets the tape, and with it every saved value. */
  release(): void {
    this.tape = null;
  }
}

/** Puts an operation on the tape; returns its outputs, watched (integer outputs carry no gradient and stay as they are). */
export function record(
  level: GradientLevel,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  name: string,
  pull: Node['pull'],
): Tensor[] {
  if (level.tape === null)
    throw new TraceError(
      `${name}: expected a value of a gradient in progress, received one that outlived its grad / vjp. Return values from the function instead of keeping them.`,
    );
  const parents = inputs.map((input) => (input.trace?.interpreter === level ? (input.trace as Mark) : null));
  const watched = outputs.map((output) => (isFloating(output.dtype) ? level.watch(output) : output));
  level.tape.push({ name, parents, outputs: watched, pull });
  return watched;
}

/** Cotangents of `leaves`, from those of `outputs`, by walking the tape backwards; releases the tape. */
export function backward(
  level: GradientLevel,
  outputs: readonly Tensor[],
  seeds: readonly Tensor[],
  leaves: readonly Tensor[],
): Tensor[] {
  const tape = level.tape;
  if (tape === null) throw new TraceError('backward: expected a gradient in progress, received a released one');
  const cotangents = new Array<Tensor | undefined>(level.slots);
  const accumulate = (slot: number, g: Tensor): void => {
    const known = cotangents[slot];
    cotangents[slot] = known ? known.add(g) : g;
  };
  outputs.forEach((output, i) => {
    if (output.trace?.interpreter === level) accumulate((output.trace as Mark).slot, seeds[i]!.reshape(output.shape));
  });
  // Which values lead to a leaf that is asked for: the others need no gradient.
  const wanted = new Uint8Array(level.slots);
  for (const leaf of leaves) wanted[(leaf.trace as Mark).slot] = 1;
  for (const node of tape)
    if (node.parents.some((p) => p && wanted[p.slot] === 1))
      for (const output of node.outputs)
        if (output.trace?.interpreter === level) wanted[(output.trace as Mark).slot] = 1;
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i]!;
    tape.length = i; // saved values of this node go as soon as it is done
    const slots = node.outputs.map((output) =>
      output.trace?.interpreter === level ? (output.trace as Mark).slot : -1,
    );
    if (!slots.some((slot) => slot >= 0 && cotangents[slot])) continue;
    const needs = node.parents.map((p) => p !== null && wanted[p.slot] === 1);
    if (!needs.some(Boolean)) continue;
    const incoming = node.outputs.map((output, j) => {
      const slot = slots[j]!;
      const g = slot >= 0 ? cotangents[slot] : undefined;
      if (slot >= 0) cotangents[slot] = undefined;
      return g ?? level.unwatch(output).zerosLike();
    });
    const gradients = node.pull(incoming, needs);
    node.parents.forEach((parent, j) => {
      const g = gradients[j];
      if (!needs[j] || !parent || !g) return;
      if (!sameShape(g.shape, parent.value.shape))
        throw new ShapeError(
          `${node.name}: expected a gradient of shape ${formatShape(parent.value.shape)} for input ${j}, received ${formatShape(g.shape)}`,
        );
      accumulate(parent.slot, g);
    });
  }
  level.release();
  return leaves.map((leaf) => cotangents[(leaf.trace as Mark).slot] ?? (leaf.trace as Mark).value.zerosLike());
}
