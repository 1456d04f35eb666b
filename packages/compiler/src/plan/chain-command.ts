import { ChainLayout, Command, type FieldsOf, Record, wordsOf } from '@recurra/kernels';
import type { Shape } from '@recurra/tensor';
import { broadcastStrides, isContiguous, type RandomParams } from '@recurra/tensor/extend';
import type { ChainOperand } from '../emit/chain.js';
import type { Node } from '../graph.js';
import { bytesOf, runtime } from '../runtime.js';
import { type Buffer, mergeAxes, type Ref } from './buffer.js';
import type { Emission } from './emission.js';
import type { Address } from './program.js';
import { allocateRegisters, type ChainOperation } from './registers.js';
import { commonDims, MAX_DIMS, stridesOn } from './walk.js';

/** Chains of fewer elements, or of shorter rows, are interpreted. */
const COMPILED_COUNT = 512;
const COMPILED_ROW = 8;

/** An operand that a chain reads, or draws. */
interface ChainInput {
  ref: Ref;
  shape: Shape;
  random?: Node;
  register?: number;
}

/** Element-wise operations in one pass. */
export interface Chain {
  readonly label: string;
  /** Elements. */
  readonly count: number;
  /** The dimensions that all operands are walked along. */
  readonly walk: readonly number[];
  readonly inputs: readonly ChainInput[];
  readonly outputs: readonly { ref: Ref; shape: Shape; register?: number }[];
  readonly operations: readonly ChainOperation[];
  readonly registers: number;
}

/** One walk for all operands of a chain; those that do not fit are copied first. */
export function chainWalk(
  emission: Emission,
  inputs: { ref: Ref; shape: Shape; random?: Node }[],
  count: number,
): number[] {
  for (;;) {
    const walks = inputs
      .filter((input) => !input.random)
      .map((input) => mergeAxes(input.shape, broadcastStrides(input.ref, input.shape)));
    const walk = commonDims(walks);
    if (walk) return walk.length === 0 ? [count] : walk;
    const worst = inputs.reduce((a, b) =>
      mergeAxes(a.shape, broadcastStrides(a.ref, a.shape)).dims.length >=
      mergeAxes(b.shape, broadcastStrides(b.ref, b.shape)).dims.length
        ? a
        : b,
    );
    worst.ref = emission.dense({ ...worst.ref, shape: worst.shape, strides: broadcastStrides(worst.ref, worst.shape) });
  }
}

/** Appends the command of a chain. An output in a `staged` buffer shares its memory with an input. */
export function emitChainCommand(emission: Emission, staged: ReadonlySet<Buffer>, chain: Chain): void {
  const { label, count, walk, inputs, outputs, operations, registers } = chain;
  const operand = (
    fields: FieldsOf<'register' | 'layout' | 'bytes' | 's0' | 's1' | 's2' | 's3', 'at', never, Address>,
  ) => wordsOf(Record.chainOperand, fields);
  const describe = (ref: Ref, shape: Shape, register: number, output: boolean): (number | Address)[] => {
    const bytes = bytesOf(ref.dtype);
    const strides = stridesOn(walk, mergeAxes(shape, broadcastStrides(ref, shape)));
    let layout: number = ChainLayout.strided;
    // A dense output is written in whole vectors, beyond its end too: only where nothing else lies there.
    const exact = output && (staged.has(ref.buffer) || ref.offset > 0 || ref.buffer.bytes !== count * bytes);
    if (isContiguous({ shape: walk, strides }) || (output && count === 1))
      layout = exact ? ChainLayout.staged : ChainLayout.dense;
    else if (!output && strides.every((s) => s === 0)) layout = ChainLayout.scalar;
    const [s0, s1, s2, s3] = widened(strides, 0);
    return operand({ register, layout, at: emission.address(ref), bytes, s0, s1, s2, s3 });
  };
  const compact = allocateRegisters(
    inputs.map((input, i) => input.register ?? i),
    outputs.map((output, i) => output.register ?? inputs.length + i),
    operations,
    registers,
  );
  const compiled = compileChain(count, walk, inputs, outputs, compact);
  const records: (number | Address)[] = [];
  inputs.forEach((input, i) => {
    const register = compact.of(input.register ?? i);
    if (input.random) {
      const { stream = 0 } = input.random.params as RandomParams;
      const at = emission.address(input.ref);
      records.push(...operand({ register, layout: ChainLayout.random, at, bytes: 4, s0: stream, s1: 0, s2: 0, s3: 0 }));
    } else records.push(...describe(input.ref, input.shape, register, false));
  });
  outputs.forEach((output, i) => {
    records.push(...describe(output.ref, output.shape, compact.of(output.register ?? inputs.length + i), true));
  });
  for (const operation of compact.operations) records.push(...wordsOf(Record.chainOperation, operation));
  const random = inputs.filter((i) => i.random).length * 12;
  const [d0, d1, d2, d3] = widened(walk, 1);
  emission.program.command(
    label,
    Command.chain,
    {
      ...{ count, inputs: inputs.length, outputs: outputs.length, operations: operations.length },
      ...{ registers: compact.count, d0, d1, d2, d3, slot: compiled?.slot ?? 0, row: compiled?.row ?? 0 },
    },
    count * (operations.length + random),
    { records },
  );
}

/** As many sizes or strides as chains walk. */
function widened(list: readonly number[], fill: number): [number, number, number, number] {
  return [...new Array<number>(MAX_DIMS - list.length).fill(fill), ...list] as [number, number, number, number];
}

/** A function for a chain that is long enough to be worth it, and walks dense rows; `null` for the interpreter. */
function compileChain(
  count: number,
  walk: readonly number[],
  inputs: readonly ChainInput[],
  outputs: readonly { ref: Ref; shape: Shape; register?: number }[],
  compact: ReturnType<typeof allocateRegisters>,
): { slot: number; row: number } | null {
  if (count < COMPILED_COUNT) return null;
  const row = walk.length > 1 ? walk[walk.length - 1]! : 0;
  const rows = walk.slice(0, -1);
  let even = true;
  if (row > 0 && row < COMPILED_ROW) return null;
  const describe = (ref: Ref, shape: Shape, register: number): ChainOperand | null => {
    const strides = stridesOn(walk, mergeAxes(shape, broadcastStrides(ref, shape)));
    const inner = strides[strides.length - 1] ?? 0;
    if (inner !== 0 && inner !== 1) return null;
    const outer = strides.slice(0, -1);
    const last = outer[outer.length - 1] ?? 0;
    const isEven = outer.every((s, i) => i === outer.length - 1 || s === outer[i + 1]! * rows[i + 1]!);
    if (!isEven) even = false;
    return { register, bytes: bytesOf(ref.dtype), inner: inner === 1, outer: isEven ? last : outer };
  };
  const operands: ChainOperand[] = [];
  for (const [i, { ref, shape, random, register }] of inputs.entries()) {
    if (random && row > 0) return null;
    const described = random
      ? { register: 0, bytes: 4, inner: true, outer: 0, random: (random.params as RandomParams).stream ?? 0 }
      : describe(ref, shape, 0);
    if (!described) return null;
    operands.push({ ...described, register: compact.of(register ?? i) });
  }
  const results: ChainOperand[] = [];
  for (const [i, { ref, shape, register }] of outputs.entries()) {
    const described = describe(ref, shape, compact.of(register ?? inputs.length + i));
    if (!described?.inner) return null;
    results.push(described);
  }
  // Draws come four at a time, from element 0 on.
  if (operands.some((o) => o.random !== undefined) && count % 4 !== 0) return null;
  const { operations, count: registers } = compact;
  const slot = runtime().chains.slotOf({
    inputs: operands,
    outputs: results,
    operations,
    registers,
    row,
    rows: even ? [] : rows,
  });
  return slot === 0 ? null : { slot, row };
}
