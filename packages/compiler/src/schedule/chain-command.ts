import { ChainLayout, Command, type Fields } from '@recurra/kernels';
import type { Shape } from '@recurra/tensor';
import { broadcastStrides, isContiguous } from '@recurra/tensor/extend';
import { type Buffer, bytesOf, mergeAxes, type Ref } from './buffer.js';
import type { Emission } from './emission.js';
import type { Address } from './program.js';
import { allocateRegisters, type ChainOperation } from './registers.js';
import { commonDims, MAX_DIMS, stridesOn } from './walk.js';

/** An operand that a chain reads, or draws. */
interface ChainInput {
  ref: Ref;
  shape: Shape;
  random?: { readonly stream: number };
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
  inputs: { ref: Ref; shape: Shape; random?: object }[],
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
  const describe = (ref: Ref, shape: Shape, register: number, output: boolean): Fields<Address> => {
    const bytes = bytesOf(ref.dtype);
    const strides = stridesOn(walk, mergeAxes(shape, broadcastStrides(ref, shape)));
    let layout: number = ChainLayout.strided;
    // A dense output is written in whole vectors, beyond its end too: only where nothing else lies there.
    const exact = output && (staged.has(ref.buffer) || ref.offset > 0 || ref.buffer.bytes !== count * bytes);
    if (isContiguous({ shape: walk, strides }) || (output && count === 1))
      layout = exact ? ChainLayout.staged : ChainLayout.dense;
    else if (!output && strides.every((s) => s === 0)) layout = ChainLayout.scalar;
    const [s0, s1, s2, s3] = widened(strides, 0);
    return { register, layout, at: emission.address(ref), bytes, s0, s1, s2, s3 };
  };
  const compact = allocateRegisters(
    inputs.map((input, i) => input.register ?? i),
    outputs.map((output, i) => output.register ?? inputs.length + i),
    operations,
    registers,
  );
  const reads = inputs.map(({ ref, shape, random, register: own }, i): Fields<Address> => {
    const register = compact.of(own ?? i);
    if (!random) return describe(ref, shape, register, false);
    return { register, layout: ChainLayout.random, at: emission.address(ref), bytes: 4, s0: random.stream };
  });
  const writes = outputs.map(({ ref, shape, register }, i) =>
    describe(ref, shape, compact.of(register ?? inputs.length + i), true),
  );
  const random = inputs.filter((i) => i.random).length * 12;
  const [d0, d1, d2, d3] = widened(walk, 1);
  emission.program.command(
    label,
    Command.chain,
    { count, registers: compact.count, d0, d1, d2, d3 },
    count * (operations.length + random),
    { records: { inputs: reads, outputs: writes, operations: compact.operations.map((one) => ({ ...one })) } },
  );
}

/** As many sizes or strides as chains walk. */
function widened(list: readonly number[], fill: number): [number, number, number, number] {
  return [...new Array<number>(MAX_DIMS - list.length).fill(fill), ...list] as [number, number, number, number];
}
