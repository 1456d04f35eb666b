import { treeUnflatten } from '@recurra/autograd';
import { treeLeavesLike } from '@recurra/autograd/extend';
import { Command } from '@recurra/kernels';
import type { Tensor } from '@recurra/tensor';
import { type Aval, type Block, bind, type LowerContext, type Primitive } from '@recurra/tensor/extend';
import type { CellParams, SequenceKernel } from './cell.js';
import { definePair } from './kernel-pair.js';
import type { Walk } from './walk.js';

/** Which of the optional inputs there are, and how the sequence is walked. */
interface SequenceParams {
  readonly kernel: SequenceKernel;
  readonly reverse: boolean;
  readonly zeroOutput: boolean;
  readonly bias: boolean;
  readonly initial: boolean;
  readonly mask: boolean;
}

/** Inputs by name: [x, kernel, recurrentKernel, bias?, h0?, c0?, mask?]. Further ones are left out. */
function named<T>(
  list: readonly T[],
  params: SequenceParams,
): Record<'x' | 'kernel' | 'recurrent', T> & Partial<Record<'bias' | 'h0' | 'c0' | 'mask', T>> {
  const rest = [...list];
  const next = (there: boolean, name: string): Record<string, T> => (there ? { [name]: rest.shift()! } : {});
  return {
    ...next(true, 'x'),
    ...next(true, 'kernel'),
    ...next(true, 'recurrent'),
    ...next(params.bias, 'bias'),
    ...next(params.initial, 'h0'),
    ...next(params.initial && params.kernel.states > 1, 'c0'),
    ...next(params.mask, 'mask'),
  } as ReturnType<typeof named<T>>;
}

function sizes(x: Aval, recurrent: Aval): { batch: number; time: number; features: number; units: number } {
  const [batch, time, features] = x.shape as readonly [number, number, number];
  return { batch, time, features, units: recurrent.shape[0]! };
}

/** The same results by single steps: [ys, h, c?]. What the kernels have to agree with, and how a gradient is differentiated. */
function bySteps(inputs: readonly Tensor[], params: SequenceParams, by: Walk): Tensor[] {
  const { x, kernel, recurrent, bias, h0, c0, mask } = named(inputs, params);
  const { batch, units } = sizes(x, recurrent);
  const cell = params.kernel.cell(units);
  const zero = cell.initialState(batch, x.dtype);
  const state = h0 ? treeUnflatten(zero, c0 ? [h0, c0] : [h0]) : zero;
  const result = by(cell, { kernel, recurrentKernel: recurrent, ...(bias ? { bias } : {}) }, x, state, {
    reverse: params.reverse,
    zeroOutputForMask: params.zeroOutput,
    mask: mask ?? null,
    dropout: null,
    returnSequences: true,
    constants: [],
  });
  return [result.outputs!, ...treeLeavesLike(zero, result.state)];
}

/** Words that both passes have: sizes and inputs. */
function head(context: LowerContext<SequenceParams>) {
  const { params } = context;
  const { x, kernel, recurrent, bias, h0, c0, mask } = named<Block>(context.inputs, params);
  return {
    ...{ kind: params.kernel.kind, ...sizes(x, recurrent) },
    ...{ reverse: params.reverse ? 1 : 0, zeroOutput: params.zeroOutput ? 1 : 0 },
    ...{ x, kernel, recurrent, bias: bias ?? null, h0: h0 ?? null, c0: c0 ?? null, mask: mask ?? null },
  };
}

/** About how many multiply-adds (in the units of the compiler: elements) one pass of products takes, and its gates. */
function workOf(context: LowerContext<SequenceParams>): number {
  const { x, recurrent } = named<Block>(context.inputs, context.params);
  const { batch, time, features, units } = sizes(x, recurrent);
  return batch * time * units * (context.params.kernel.gates * (features + units) * 0.25 + 20);
}

/**
 * A whole sequence of SimpleRNN, LSTM or GRU (`resetAfter`). Outputs: all outputs [batch, time, units], the last state(s) [batch,
 * units], and what the backward pass needs.
 */
const sequence: Primitive<SequenceParams> = definePair<SequenceParams>({
  name: 'sequence',
  leading: 3,
  steps: bySteps,
  constants: ({ mask }) => (mask ? 1 : 0),
  emitForward: (context, fields) =>
    context.emit(Command.sequenceForward, { ...head(context), ...fields }, workOf(context)),
  emitBackward: (context, fields, [dx = null, dKernel = null, dRecurrent = null]) => {
    const gradients = { dx, dKernel, dRecurrent };
    context.emit(Command.sequenceBackward, { ...head(context), ...fields, ...gradients }, workOf(context) * 2);
  },
  sizes: (inputs, params) => {
    const { x, recurrent } = named(inputs, params);
    return sizes(x, recurrent);
  },
});

/** How a kernel walks a sequence. */
export interface FusedOptions {
  readonly reverse: boolean;
  readonly zeroOutputForMask: boolean;
  readonly mask: Tensor | null;
}

/** What a kernel gives: as `SequenceResult`, the state as a list. */
export interface FusedResult {
  readonly outputs: Tensor;
  readonly output: Tensor;
  readonly state: Tensor[];
}

/** {@link Walk} by the kernel for whole sequences. The state before the first step is `null` for zeros. */
export function fused(
  sequenceKernel: SequenceKernel,
  params: CellParams,
  xs: Tensor,
  initial: readonly Tensor[] | null,
  options: FusedOptions,
): FusedResult {
  const { reverse, zeroOutputForMask: zeroOutput, mask } = options;
  const { kernel, recurrentKernel, bias } = params;
  const results = bind(
    sequence,
    [xs, kernel, recurrentKernel, ...(bias ? [bias] : []), ...(initial ?? []), ...(mask ? [mask] : [])],
    {
      kernel: sequenceKernel,
      reverse,
      zeroOutput,
      bias: bias !== undefined,
      initial: initial !== null,
      mask: mask !== null,
    },
  );
  return finish(sequenceKernel, results, initial, options);
}

/** The result from the outputs [ys, h, c?, residual] of a kernel. */
export function finish(
  { states }: SequenceKernel,
  results: readonly Tensor[],
  initial: readonly Tensor[] | null,
  { reverse, zeroOutputForMask: zeroOutput, mask }: FusedOptions,
): FusedResult {
  let [outputs, last] = results as readonly [Tensor, Tensor];
  const state = results.slice(1, 1 + states);
  if (mask && zeroOutput)
    last = mask
      .at(reverse ? 0 : -1, 1)
      .expandDims(1)
      .select(last, last.zerosLike());
  else if (mask && initial) {
    // Before the first step that counts, outputs are zeros, not the state that was given.
    const seen = mask.cast('int32').cumsum(1, { reverse }).greater(0);
    outputs = seen.expandDims(2).select(outputs, outputs.zerosLike());
    last = mask.any(1, { keepDims: true }).select(last, last.zerosLike());
  }
  return { outputs, output: last, state };
}
