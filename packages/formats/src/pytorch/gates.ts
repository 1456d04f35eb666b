import { concat, split, stack, type Tensor, zeros } from '@recurra/tensor';

/** PyTorch's recurrent modules. */
export type RecurrentKind = 'LSTM' | 'GRU' | 'RNN';

/** Gates of each, one block of rows after the other. */
export const GATES: Readonly<Record<RecurrentKind, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

/**
 * Where the blocks of PyTorch stand in ours, and back (it is its own inverse): LSTM i f g o is Keras' i f c o; GRU r z n becomes z r h.
 */
const ORDER: Readonly<Record<RecurrentKind, readonly number[]>> = { LSTM: [0, 1, 2, 3], GRU: [1, 0, 2], RNN: [0] };

/** The weights of one direction of one layer as PyTorch has them. */
export interface PytorchDirection {
  /** [gates * units, features] */
  readonly weightIh: Tensor;
  /** [gates * units, units] */
  readonly weightHh: Tensor;
  /** [gates * units], both or none. */
  readonly biasIh: Tensor | null;
  readonly biasHh: Tensor | null;
}

/** The weights of one direction of one layer as Keras has them: see the cells of `@recurra/cells`. */
export interface KerasDirection {
  readonly kernel: Tensor;
  readonly recurrentKernel: Tensor;
  readonly bias: Tensor | null;
}

/** Blocks along the first axis in the other library's order. */
const reordered = (kind: RecurrentKind, value: Tensor): Tensor => {
  const order = ORDER[kind];
  if (order.every((to, from) => to === from)) return value;
  const blocks = split(value, order.length, 0);
  return concat(
    order.map((from) => blocks[from]!),
    0,
  );
};

/**
 * Kernels are transposed. The two biases of an LSTM or RNN are always added to the same sum: ours is their sum. Those of a GRU are not (the reset gate
 * multiplies one of them), and stay two rows, as `resetAfter` has them.
 */
export function toKeras(kind: RecurrentKind, { weightIh, weightHh, biasIh, biasHh }: PytorchDirection): KerasDirection {
  let bias: Tensor | null = null;
  if (biasIh && biasHh)
    bias = kind === 'GRU' ? stack([reordered(kind, biasIh), reordered(kind, biasHh)], 0) : biasIh.add(biasHh);
  return {
    kernel: reordered(kind, weightIh).transpose(),
    recurrentKernel: reordered(kind, weightHh).transpose(),
    bias,
  };
}

/** The way back of {@link toKeras}. One bias becomes the first of the two, and the second is zeros. */
export function toPytorch(kind: RecurrentKind, { kernel, recurrentKernel, bias }: KerasDirection): PytorchDirection {
  const biases = (): [Tensor, Tensor] => {
    if (kind !== 'GRU') return [bias!, zeros(bias!.shape, bias!.dtype)];
    return [reordered(kind, bias!.at(0)), reordered(kind, bias!.at(1))];
  };
  const [biasIh, biasHh] = bias ? biases() : [null, null];
  return {
    weightIh: reordered(kind, kernel.transpose()),
    weightHh: reordered(kind, recurrentKernel.transpose()),
    biasIh,
    biasHh,
  };
}
