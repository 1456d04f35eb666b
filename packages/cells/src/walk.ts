import { treeMap } from '@recurra/autograd';
import { scan } from '@recurra/compiler';
import { stack, type Tensor, unstack, zeros } from '@recurra/tensor';
import { type Cell, type CellStep, type Constants, type DropoutMasks, outputShapeOf } from './cell.js';
import { computeDType } from './dtype.js';
import type { SequenceResult } from './run-sequence.js';

/** How a sequence is walked; everything has been checked, and lies [batch, time, ...step]. */
export interface WalkOptions {
  readonly reverse: boolean;
  readonly zeroOutputForMask: boolean;
  readonly returnSequences: boolean;
  /** bool [batch, time] */
  readonly mask: Tensor | null;
  readonly dropout: DropoutMasks | null;
  readonly constants: Constants;
}

/** Walks a cell along xs [batch, time, ...step]. */
export type Walk = <P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  initial: S,
  options: WalkOptions,
) => SequenceResult<S>;

/** The part of all steps that does not depend on states, or the inputs as they are, and how to take one step from there. */
function project<P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  { dropout, constants }: WalkOptions,
): { inputs: Tensor; step: (input: Tensor, state: S) => CellStep<S> } {
  const masks = dropout ?? undefined;
  if (!cell.project || !cell.stepProjected)
    return { inputs: xs, step: (input, state) => cell.step(params, input, state, masks, constants) };
  return {
    inputs: projectSequence(cell, params, xs, dropout),
    step: (input, state) => cell.stepProjected!(params, input, state, masks, constants),
  };
}

/** `cell.project` of a whole sequence. */
export function projectSequence<P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  dropout: DropoutMasks | null | undefined,
): Tensor {
  // The input mask of a step [batch, ...step], with an axis of size 1 where the sequence has its time.
  const overTime = dropout?.input ? { input: dropout.input.expandDims(1 - xs.rank) } : undefined;
  return cell.project!(params, xs, overTime);
}

/** `after` for the samples of a batch whose step counts, `before` for the others; of any rank, valid [batch]. */
function pick(valid: Tensor, after: Tensor, before: Tensor): Tensor {
  return valid.reshape([-1, ...new Array<number>(after.rank - 1).fill(1)]).select(after, before);
}

/** One operation after another: eager evaluation. */
export const walk: Walk = (cell, params, xs, initial, options) => {
  const { reverse, zeroOutputForMask, returnSequences, mask } = options;
  const time = xs.shape[1]!;
  const { inputs: projected, step } = project(cell, params, xs, options);
  const inputs = unstack(projected, 1);
  const masks = mask ? unstack(mask, 1) : null;
  let state = initial;
  let output: Tensor | null = null;
  const outputs = new Array<Tensor>(time);
  for (let i = 0; i < time; i++) {
    const t = reverse ? time - 1 - i : i;
    const result = step(inputs[t]!, state);
    const valid = masks?.[t];
    if (valid) {
      const last: Tensor = output === null || zeroOutputForMask ? result.output.zerosLike() : output;
      output = pick(valid, result.output, last);
      state = treeMap((next, before) => pick(valid, next, before), result.state, state);
    } else {
      output = result.output;
      state = result.state;
    }
    outputs[t] = output;
  }
  return { outputs: returnSequences ? stack(outputs, 1) : null, output: output!, state };
};

/** As a loop, which a compiled step holds once however long the sequence is. */
export const loop: Walk = <P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  initial: S,
  options: WalkOptions,
): SequenceResult<S> => {
  const { reverse, zeroOutputForMask, returnSequences, mask } = options;
  const { inputs, step } = project(cell, params, xs, options);
  const first = zeros([xs.shape[0]!, ...outputShapeOf(cell, xs.shape.slice(2))], computeDType(params, xs));
  const { carry, ys } = scan(
    ({ state, output }: { state: S; output: Tensor }, element: { x: Tensor; valid?: Tensor }) => {
      const result = step(element.x, state);
      let next = { state: result.state, output: result.output };
      if (element.valid) {
        const { valid } = element;
        next = {
          state: treeMap((after, before) => pick(valid, after, before), result.state, state),
          output: pick(valid, result.output, zeroOutputForMask ? result.output.zerosLike() : output),
        };
      }
      return { carry: next, y: returnSequences ? { output: next.output } : {} };
    },
    { state: initial, output: first },
    { x: inputs.swapaxes(0, 1), ...(mask ? { valid: mask.transpose() } : {}) },
    { reverse },
  );
  const outputs = (ys as { output?: Tensor }).output;
  return { outputs: outputs ? outputs.swapaxes(0, 1) : null, output: carry.output, state: carry.state };
};
