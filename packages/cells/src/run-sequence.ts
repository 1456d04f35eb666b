import { treeLeaves, treeMap, treeUnflatten } from '@recurra/autograd';
import { treeLeavesLike } from '@recurra/autograd/extend';
import { isCompiling } from '@recurra/compiler';
import { concat, ShapeError, stopGradient, Tensor, ValueError } from '@recurra/tensor';
import {
  checkRules,
  checkValue,
  describeValue,
  formatShape,
  isFloating,
  type Rule,
  type Rules,
  rules,
  sameShape,
} from '@recurra/tensor/extend';
import {
  BaseCell,
  type Cell,
  type CellParams,
  type Constants,
  type DropoutMasks,
  expectCell,
  stepAxesOf,
} from './cell.js';
import { computeDType } from './dtype.js';
import { recurrent } from './recurrence.js';
import { type FusedResult, fused } from './sequence.js';
import { startsAtZero } from './starts.js';
import { loop, projectSequence, type WalkOptions, walk } from './walk.js';

/** Options of {@link runSequence}. */
export interface RunSequenceOptions<S> {
  /** The state before the first step; the cell's own (zeros) by default. */
  readonly initialState?: S;
  /** bool [batch, time]: where false, the step is skipped: state and output stay as they were. */
  readonly mask?: Tensor;
  /** Walk from the last step to the first. Outputs stay at the times of their inputs. */
  readonly reverse?: boolean;
  /** Inputs and outputs are [time, batch, ...] instead of [batch, time, ...]; so is the mask. */
  readonly timeMajor?: boolean;
  /** Truncated back-propagation through time: no gradient flows back over more than so many steps' boundary. */
  readonly truncate?: number;
  /** Outputs of skipped steps are zeros instead of the output before; the last output too. */
  readonly zeroOutputForMask?: boolean;
  /** `false` leaves `outputs` empty and saves the work of stacking them. */
  readonly returnSequences?: boolean;
  /** Dropout masks of the sequence (`cell.drawMasks`); absent outside of training. Constants: no gradient flows to them. */
  readonly dropout?: DropoutMasks | null;
  /** What the cell sees at each step beside the sequence, for a cell that `takesConstants`; floating ones in its dtype. Gradients flow to them. */
  readonly constants?: Constants | null;
}

const TENSOR = rules.instanceOf(Tensor, 'a tensor');
const TENSORS: Rule = {
  expected: 'a list of tensors',
  accepts: (v) => v === null || (Array.isArray(v) && v.every((one) => one instanceof Tensor)),
};
const STATE: Rule = {
  expected: 'a state as initialState() makes it',
  accepts: (v) => v === null || treeLeaves(v).length > 0,
};
const OPTIONS = {
  initialState: STATE,
  mask: rules.orNull(TENSOR),
  reverse: rules.flag,
  timeMajor: rules.flag,
  truncate: rules.count,
  zeroOutputForMask: rules.flag,
  returnSequences: rules.flag,
  dropout: rules.anything,
  constants: TENSORS,
} satisfies Rules<RunSequenceOptions<unknown>>;

/** What a sequence gives. */
export interface SequenceResult<S> {
  /** Outputs of all steps, [batch, time, ...output] (or time-major); `null` with `returnSequences: false`. */
  readonly outputs: Tensor | null;
  /** The output of the last step walked, [batch, ...output]: [batch, outputSize] unless the cell says otherwise. */
  readonly output: Tensor;
  /** The state after the last step. */
  readonly state: S;
}

/**
 * Walks a cell along a sequence: (h_1, s_1) = step(x_1, s_0), (h_2, s_2) = step(x_2, s_1), ... With gradients on, this is
 * back-propagation through time; `truncate: n` cuts the state's gradient every n steps (values are the same). In a compiled step
 * SimpleRNN (tanh, relu), LSTM and GRU run in kernels for whole sequences, and all other cells in a loop (`scan`).
 *
 * xs [batch, time, features], or with the axes that the cell names (`stepAxes`) in the place of features. Everything is computed in the dtype of the cell's parameters, as in Keras: floating-point inputs, states and
 * dropout masks are cast to it; integers and booleans come to the cell as they are, and SimpleRNN, LSTM and GRU cast them too. Throws
 * `ShapeError` for another rank, parameters, a mask or states of other shapes, or no steps at all; `ValueError` for states of another structure, and for constants
 * that the cell does not read.
 */
export function runSequence<P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  options: RunSequenceOptions<S> = {},
): SequenceResult<S> {
  checkRules('runSequence', options, OPTIONS);
  expectCell('runSequence', cell);
  checkValue('runSequence', 'the inputs', xs, TENSOR);
  // A cell of one's own may have none.
  if (treeLeaves(params).length === 0 && (cell instanceof BaseCell || typeof params !== 'object' || params === null))
    throw new ValueError(
      `runSequence: expected the cell's parameters, as cell.init() makes them, received ${describeValue(params)}`,
    );
  const {
    reverse = false,
    timeMajor = false,
    truncate,
    zeroOutputForMask = false,
    returnSequences = true,
    dropout,
  } = options;
  const timeAxis = timeMajor ? 0 : 1;
  const axes = stepAxesOf(cell);
  if (xs.rank !== axes.length + 2)
    throw new ShapeError(
      `runSequence: expected inputs of rank ${axes.length + 2} [${(timeMajor ? ['time', 'batch', ...axes] : ['batch', 'time', ...axes]).join(', ')}], received ${formatShape(xs.shape)}.${xs.rank === 2 ? ' Token ids need an Embedding first.' : ''}`,
    );
  const time = xs.shape[timeAxis]!;
  const batch = xs.shape[1 - timeAxis]!;
  if (time === 0)
    throw new ShapeError(`runSequence: expected at least one step, received shape ${formatShape(xs.shape)}`);
  cell.expectParams?.(params, xs.shape.slice(2));
  const { mask } = options;
  if (mask && (mask.rank !== 2 || mask.shape[timeAxis] !== time || mask.shape[1 - timeAxis] !== batch))
    throw new ShapeError(
      `runSequence: expected a mask of shape ${formatShape(xs.shape.slice(0, 2))}, received ${formatShape(mask.shape)}`,
    );

  const given = options.constants ?? [];
  if (given.length > 0 && !cell.takesConstants)
    throw new ValueError(
      `runSequence: expected no constants, since ${cell.className ?? 'the cell'} reads none, received ${given.length}. A cell whose step reads them says takesConstants = true.`,
    );
  const dtype = computeDType(params, xs);
  const major = timeMajor ? xs.swapaxes(0, 1) : xs;
  const x = isFloating(xs.dtype) ? major.cast(dtype) : major;
  const valid = mask ? (timeMajor ? mask.transpose() : mask).cast('bool') : null;
  for (const leaf of treeLeaves(options.initialState))
    if (leaf.shape[0] !== batch)
      throw new ShapeError(`runSequence: expected states of batch size ${batch}, received ${formatShape(leaf.shape)}`);
  const zero = cell.initialState(batch, dtype, xs.shape.slice(2));
  if (mask)
    for (const leaf of treeLeaves(zero))
      if (leaf.shape[0] !== batch)
        throw new ShapeError(
          `runSequence: expected states [batch, ...] of batch size ${batch}, so that a mask can keep them, received ${formatShape(leaf.shape)}`,
        );
  const settings = {
    reverse,
    zeroOutputForMask,
    returnSequences,
    constants: given.map((constant) => (isFloating(constant.dtype) ? constant.cast(dtype) : constant)),
    dropout: dropout ? treeMap((mask) => stopGradient(mask.cast(dtype)), dropout) : null,
  };
  const part = (start: number, size: number, state: S | null): SequenceResult<S> =>
    walkPart(cell, params, x.narrow(1, start, size), state, zero, {
      ...settings,
      mask: valid?.narrow(1, start, size) ?? null,
    });
  // States of the cell's own shapes and dtypes: a loop keeps them, and kernels read them as they are.
  const first = options.initialState
    ? treeMap(
        (own, state: Tensor) => {
          if (!sameShape(state.shape, own.shape))
            throw new ShapeError(
              `runSequence: expected states of shapes ${shapesOf(zero)}, received ${shapesOf(options.initialState)}`,
            );
          return state.cast(own.dtype);
        },
        zero,
        options.initialState,
      )
    : null;
  if (truncate === undefined || truncate >= time) return timed(part(0, time, first), timeMajor);
  // Truncated: parts of so many steps in the order of the walk; states go on, their gradient does not.
  const starts: number[] = [];
  for (let start = 0; start < time; start += truncate) starts.push(start);
  const outputs: Tensor[] = [];
  let last: SequenceResult<S> | null = null;
  for (const start of starts) {
    const size = Math.min(truncate, time - start);
    const state = last ? treeMap((leaf) => stopGradient(leaf), last.state) : first;
    last = part(reverse ? time - start - size : start, size, state);
    if (last.outputs) outputs.push(last.outputs);
  }
  if (reverse) outputs.reverse();
  return timed({ ...last!, outputs: returnSequences ? concat(outputs, 1) : null }, timeMajor);
}

function shapesOf(state: unknown): string {
  return treeLeaves(state)
    .map((leaf) => formatShape(leaf.shape))
    .join(', ');
}

function timed<S>(result: SequenceResult<S>, timeMajor: boolean): SequenceResult<S> {
  return timeMajor && result.outputs ? { ...result, outputs: result.outputs.swapaxes(0, 1) } : result;
}

/** One part, in the way that suits: in a compiled step the kernel for whole sequences or a loop, else step by step. */
function walkPart<P, S>(
  cell: Cell<P, S>,
  params: P,
  xs: Tensor,
  state: S | null,
  zero: S,
  options: WalkOptions,
): SequenceResult<S> {
  if (!isCompiling()) return walk(cell, params, xs, state ?? zero, options);
  const { dropout } = options;
  const kernel = cell.sequenceKernel;
  const own = params as CellParams;
  if (!kernel || options.constants.length > 0 || treeLeaves(params).some((leaf) => leaf.dtype !== 'float32'))
    return loop(cell, params, xs, state ?? zero, options);
  if (xs.shape[2] !== own.kernel.shape[0])
    throw new ShapeError(
      `runSequence: expected inputs of ${own.kernel.shape[0]} features, received shape ${formatShape(xs.shape)}`,
    );
  const start = state ?? (startsAtZero(cell) ? null : zero);
  const initial = start === null ? null : treeLeavesLike(zero, start, 'runSequence: initialState');
  let result: FusedResult;
  if (kernel.projectedOnly || dropout?.recurrent || (dropout?.input && dropout.input.rank > 2)) {
    const projected = projectSequence(cell, params, xs, dropout);
    const bias = own.bias ? kernel.recurrentBias(own.bias) : null;
    result = recurrent(kernel, own.recurrentKernel, bias, projected, dropout?.recurrent ?? null, initial, options);
  } else {
    const cast = xs.cast('float32');
    const seen = dropout?.input ? cast.mul(dropout.input.expandDims(1)) : cast;
    result = fused(kernel, own, seen, initial, options);
  }
  return {
    outputs: options.returnSequences ? result.outputs : null,
    output: result.output,
    state: treeUnflatten(zero, result.state),
  };
}
