import { treeUnflatten } from '@recurra/autograd';
import { treeLeavesLike } from '@recurra/autograd/extend';
import { Command } from '@recurra/kernels';
import { stack, type Tensor } from '@recurra/tensor';
import { type Aval, type Block, bind, type LowerContext, type Primitive } from '@recurra/tensor/extend';
import type { Cell, CellParams, SequenceKernel } from './cell.js';
import { definePair } from './kernel-pair.js';
import { type FusedOptions, type FusedResult, finish } from './sequence.js';
import type { Walk } from './walk.js';

/** Which of the optional inputs there are, and how the sequence is walked. */
interface RecurrenceParams {
  readonly kernel: SequenceKernel;
  readonly reverse: boolean;
  readonly zeroOutput: boolean;
  readonly bias: boolean;
  readonly drop: boolean;
  readonly initial: boolean;
  readonly mask: boolean;
}

type Name = 'bias' | 'h0' | 'c0' | 'drop' | 'mask';

/** Inputs by name: [projected inputs, recurrentKernel, bias?, h0?, c0?, drop?, mask?]. Further ones are left out. */
function named<T>(
  list: readonly T[],
  params: RecurrenceParams,
): Record<'x' | 'recurrent', T> & Partial<Record<Name, T>> {
  const rest = [...list];
  const next = (there: boolean, name: string): Record<string, T> => (there ? { [name]: rest.shift()! } : {});
  return {
    ...next(true, 'x'),
    ...next(true, 'recurrent'),
    ...next(params.bias, 'bias'),
    ...next(params.initial, 'h0'),
    ...next(params.initial && params.kernel.states > 1, 'c0'),
    ...next(params.drop, 'drop'),
    ...next(params.mask, 'mask'),
  } as ReturnType<typeof named<T>>;
}

/** What the kernels call [kind, batch, time, units]. */
function sizes(params: RecurrenceParams, x: Aval, recurrent: Aval): [number, number, number, number] {
  return [params.kernel.kind, x.shape[0]!, x.shape[1]!, recurrent.shape[0]!];
}

/** The same results by single steps: [ys, h, c?]. What the kernels have to agree with, and how a gradient is differentiated. */
function bySteps(inputs: readonly Tensor[], params: RecurrenceParams, by: Walk): Tensor[] {
  const { x, recurrent, bias, h0, c0, drop, mask } = named(inputs, params);
  const units = recurrent.shape[0]!;
  const cell = params.kernel.cell(units);
  const zero = cell.initialState(x.shape[0]!, x.dtype);
  const state = h0 ? treeUnflatten(zero, c0 ? [h0, c0] : [h0]) : zero;
  // The inputs come projected, with the bias of that product.
  const projected: Cell<CellParams, unknown> = {
    outputSize: units,
    init: () => cell.init(units),
    initialState: (batch, dtype) => cell.initialState(batch, dtype),
    step: (own, input, before, masks) => cell.stepProjected!(own, input, before, masks),
    drawMasks: () => null,
    project: (_, given) => given,
    stepProjected: (own, input, before, masks) => cell.stepProjected!(own, input, before, masks),
  };
  const weights: CellParams = {
    kernel: recurrent,
    recurrentKernel: recurrent,
    ...(bias ? { bias: stack([bias.zerosLike(), bias]) } : {}),
  };
  const result = by(projected, weights, x, state, {
    reverse: params.reverse,
    zeroOutputForMask: params.zeroOutput,
    mask: mask ?? null,
    dropout: drop ? { recurrent: drop } : null,
    returnSequences: true,
    constants: [],
  });
  return [result.outputs!, ...treeLeavesLike(zero, result.state)];
}

/** Words that both passes have: sizes and inputs. */
function head(context: LowerContext<RecurrenceParams>) {
  const { params } = context;
  const { x, recurrent, bias, h0, c0, drop, mask } = named<Block>(context.inputs, params);
  const [kind, batch, time, units] = sizes(params, x, recurrent);
  return {
    ...{ kind, batch, time, units, reverse: params.reverse ? 1 : 0, zeroOutput: params.zeroOutput ? 1 : 0 },
    ...{ x, recurrent, bias: bias ?? null, drop: drop ?? null, h0: h0 ?? null, c0: c0 ?? null, mask: mask ?? null },
  };
}

/** About how many multiply-adds (in the units of the compiler: elements) one pass of products takes, and its gates. */
function workOf(context: LowerContext<RecurrenceParams>): number {
  const { x, recurrent } = named<Block>(context.inputs, context.params);
  const [, batch, time, units] = sizes(context.params, x, recurrent);
  return batch * time * units * (context.params.kernel.gates * units * 0.25 + 20);
}

/**
 * The recurrent part of a whole sequence of SimpleRNN, LSTM or GRU on projected inputs [batch, time, gates * units]. Outputs: all
 * outputs [batch, time, units], the last state(s) [batch, units], and what the backward pass needs. Dropout masks are constants.
 */
const recurrence: Primitive<RecurrenceParams> = definePair<RecurrenceParams>({
  name: 'recurrence',
  leading: 2,
  steps: bySteps,
  constants: ({ drop, mask }) => (drop ? 1 : 0) + (mask ? 1 : 0),
  emitForward: (context, fields) =>
    context.emit(Command.recurrenceForward, { ...head(context), ...fields }, workOf(context)),
  emitBackward: (context, fields, [dx = null, dRecurrent = null]) =>
    context.emit(Command.recurrenceBackward, { ...head(context), ...fields, dx, dRecurrent }, workOf(context) * 2),
  sizes: (inputs, params) => {
    const { x, recurrent } = named(inputs, params);
    const [, batch, time, units] = sizes(params, x, recurrent);
    return { batch, time, units };
  },
});

/**
 * `Walk` on inputs that have been projected [batch, time, gates * units], by the kernel for the recurrent part of a whole sequence: with
 * dropout masks of the states [gates, batch, units], and for a GRU that resets before its product. `bias` is that of the recurrent
 * product alone (a GRU with `resetAfter`). The state before the first step is `null` for zeros.
 */
export function recurrent(
  kernel: SequenceKernel,
  recurrentKernel: Tensor,
  bias: Tensor | null,
  projected: Tensor,
  drop: Tensor | null,
  initial: readonly Tensor[] | null,
  options: FusedOptions,
): FusedResult {
  const { reverse, zeroOutputForMask: zeroOutput, mask } = options;
  const results = bind(
    recurrence,
    [
      ...[projected, recurrentKernel, ...(bias ? [bias] : []), ...(initial ?? [])],
      ...[...(drop ? [drop] : []), ...(mask ? [mask] : [])],
    ],
    {
      kernel,
      reverse,
      zeroOutput,
      bias: bias !== null,
      drop: drop !== null,
      initial: initial !== null,
      mask: mask !== null,
    },
  );
  return finish(kernel, results, initial, options);
}
