import { treeLeaves, treeMap } from '@recurra/autograd';
import { formatShape, ShapeError, stack, stopGradient, type Tensor, unstack, ValueError } from '@recurra/tensor';
import type { Cell, DropoutMasks } from './cell.js';

/** Options of {@link runSequence}. */
export interface RunSequenceOptions<S> {
  /** The state before the first step; the cell's own (zeros) by default. */
  readonly initialState?: S;
  /** bool [batch, time]: where false, the step is skipped: state and output stay as they were. */
  readonly mask?: Tensor;
  /** Walk from the last step to the first. Outputs stay at the times of their inputs. */
  readonly reverse?: boolean;
  /** Inputs and outputs are [time, batch, features] instead of [batch, time, features]; so is the mask. */
  readonly timeMajor?: boolean;
  /** Truncated back-propagation through time: no gradient flows back over more than so many steps' boundary. */
  readonly truncate?: number;
  /** Outputs of skipped steps are zeros instead of the output before; the last output too. */
  readonly zeroOutputForMask?: boolean;
  /** `false` leaves `outputs` empty and saves the work of stacking them. */
  readonly returnSequences?: boolean;
  /** Dropout masks of the sequence (`cell.drawMasks`); absent outside of training. */
  readonly dropout?: DropoutMasks | null;
}

/** What a sequence gives. */
export interface SequenceResult<S> {
  /** Outputs of all steps, [batch, time, outputSize] (or time-major); `null` with `returnSequences: false`. */
  readonly outputs: Tensor | null;
  /** The output of the last step walked, [batch, outputSize]. */
  readonly output: Tensor;
  /** The state after the last step. */
  readonly state: S;
}

/**
 * Walks a cell along a sequence: (h_1, s_1) = step(x_1, s_0), (h_2, s_2) = step(x_2, s_1), ... With gradients on, this is
 * back-propagation through time; `truncate: n` cuts the state's gradient every n steps (values are the same).
 *
 * xs [batch, time, features]. Throws `ShapeError` for another rank, a mask of another shape, or no steps at all.
 */
export function runSequence<P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  options: RunSequenceOptions<S> = {},
): SequenceResult<S> {
  const {
    reverse = false,
    timeMajor = false,
    truncate,
    zeroOutputForMask = false,
    returnSequences = true,
    dropout,
  } = options;
  const timeAxis = timeMajor ? 0 : 1;
  if (xs.rank !== 3)
    throw new ShapeError(
      `runSequence: expected inputs of rank 3 [batch, time, features], received ${formatShape(xs.shape)}. Token ids need an Embedding first.`,
    );
  if (truncate !== undefined && !(Number.isInteger(truncate) && truncate > 0))
    throw new ValueError(`runSequence: expected truncate to be an integer >= 1, received ${truncate}`);
  const time = xs.shape[timeAxis]!;
  const batch = xs.shape[1 - timeAxis]!;
  if (time === 0)
    throw new ShapeError(`runSequence: expected at least one step, received shape ${formatShape(xs.shape)}`);
  const { mask } = options;
  if (mask && (mask.rank !== 2 || mask.shape[timeAxis] !== time || mask.shape[1 - timeAxis] !== batch))
    throw new ShapeError(
      `runSequence: expected a mask of shape ${formatShape(xs.shape.slice(0, 2))}, received ${formatShape(mask.shape)}`,
    );

  // The input mask of a step [batch, features], with an axis of size 1 where the sequence has its time.
  const overTime = dropout?.input ? { input: dropout.input.expandDims(dropout.input.rank - 2 + timeAxis) } : undefined;
  const projected = cell.project && cell.stepProjected ? cell.project(params, xs, overTime) : null;
  const inputs = unstack(projected ?? xs, timeAxis);
  const masks = mask ? unstack(mask.cast('bool'), timeAxis).map((m) => m.expandDims(1)) : null;
  let state = options.initialState ?? cell.initialState(batch, xs.dtype);
  for (const leaf of treeLeaves(state))
    if (leaf.shape[0] !== batch)
      throw new ShapeError(`runSequence: expected states of batch size ${batch}, received ${formatShape(leaf.shape)}`);
  let output: Tensor | null = null;
  const outputs = new Array<Tensor>(time);
  for (let i = 0; i < time; i++) {
    const t = reverse ? time - 1 - i : i;
    if (truncate !== undefined && i > 0 && i % truncate === 0) state = treeMap((leaf) => stopGradient(leaf), state);
    const result: { output: Tensor; state: S } = projected
      ? cell.stepProjected!(params, inputs[t]!, state, dropout ?? undefined)
      : cell.step(params, inputs[t]!, state, dropout ?? undefined);
    const valid = masks?.[t];
    if (valid) {
      const last: Tensor = output === null || zeroOutputForMask ? result.output.zerosLike() : output;
      output = valid.select(result.output, last);
      state = treeMap((next, before) => valid.select(next, before), result.state, state);
    } else {
      output = result.output;
      state = result.state;
    }
    outputs[t] = output;
  }
  return { outputs: returnSequences ? stack(outputs, timeAxis) : null, output: output!, state };
}
