import { Command, DataType, Pooling, Reduction, Rows } from '@recurra/kernels';
import {
  type CheckedIndicesParams,
  type ConvolutionParams,
  indexMessage,
  type NormalizeParams,
  type PadParams,
  type PoolingParams,
  type RandomParams,
  type ReduceParams,
  sizeOf,
} from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from './buffer.js';
import type { Emission } from './emission.js';

/** Appends the commands of an operation; says whether there is a kernel for this case. */
type Rule = (emission: Emission, node: Node) => boolean;

/** Rules for the operations that are neither views nor chains nor products, by name. */
export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...Object.entries(Reduction).map(([name, kind]): [string, Rule] => [
    name,
    (emission, node) => emitReduce(emission, node, kind),
  ]),
  ['argmax', (emission, node) => emitArgReduce(emission, node, 1)],
  ['argmin', (emission, node) => emitArgReduce(emission, node, 0)],
  ['gather', emitGather],
  ['scatterAdd', emitScatterAdd],
  ['checkedIndices', emitCheckedIndices],
  ['concat', emitConcat],
  ['pad', emitPad],
  ['random', emitRandom],
  ...Object.entries(Rows).map(([name, kind]): [string, Rule] => [
    name,
    (emission, node) => emitRows(emission, node, kind),
  ]),
  ['convolution', (emission, node) => emitConvolution(emission, node)],
  ['convolutionInput', (emission, node) => emitConvolutionInput(emission, node)],
  ['convolutionKernel', (emission, node) => emitConvolutionKernel(emission, node)],
  ['windowPick', (emission, node) => emitPooling(emission, node, Pooling.pick)],
  ['windowUnpick', (emission, node) => emitPooling(emission, node, Pooling.unpick)],
  ['windowSum', (emission, node) => emitPooling(emission, node, Pooling.sum)],
  ['windowSpread', (emission, node) => emitPooling(emission, node, Pooling.spread)],
  ['cumsum', (emission, node) => emitCumulate(emission, node, 0)],
  ['cumprod', (emission, node) => emitCumulate(emission, node, 1)],
]);

/** x as [outer, n, inner], n being what `axes` take together; copied where it does not lie so. */
function alongAxes(
  emission: Emission,
  x: Ref,
  axes: readonly number[],
): { ref: Ref; outer: number; n: number; inner: number } {
  const n = sizeOf(axes.map((a) => x.shape[a]!));
  const real = axes.filter((a) => x.shape[a] !== 1);
  const first = real[0] ?? 0;
  const last = real[real.length - 1] ?? -1;
  const adjacent = x.shape.every((d, i) => i < first || i > last || d === 1 || axes.includes(i));
  if (adjacent) {
    const ref = emission.dense(x);
    if (real.length === 0) return { ref, outer: sizeOf(x.shape), n, inner: 1 };
    return { ref, outer: sizeOf(x.shape.slice(0, first)), n, inner: sizeOf(x.shape.slice(last + 1)) };
  }
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const ref = emission.dense({ ...x, shape: order.map((i) => x.shape[i]!), strides: order.map((i) => x.strides[i]!) });
  return { ref, outer: sizeOf(kept.map((i) => x.shape[i]!)), n, inner: 1 };
}

/** The number of an element type. Rules get none that has no number: what has float64 in it stays with the calling thread. */
function typeOf({ dtype }: Ref): number {
  return DataType[dtype as keyof typeof DataType];
}

function emitReduce(emission: Emission, node: Node, kind: number): boolean {
  const x = emission.refOf(node.inputs[0]!);
  const out = emission.refOf(node.outputs[0]!);
  const { axes } = node.params as ReduceParams;
  if (sizeOf(out.shape) === 0) return true;
  const { ref, outer, n, inner } = alongAxes(emission, x, axes);
  emission.program.command(
    `${node.primitive.name} [${x.shape.join(', ')}]`,
    Command.reduce,
    {
      ...{ kind, outer, n, inner, from: emission.address(ref), to: emission.address(out) },
      ...{ dtype: typeOf(ref), resultDtype: typeOf(out) },
    },
    outer * n * inner,
  );
  return true;
}

function emitArgReduce(emission: Emission, node: Node, largest: number): boolean {
  const x = emission.refOf(node.inputs[0]!);
  const out = emission.refOf(node.outputs[0]!);
  if (sizeOf(out.shape) === 0) return true;
  const { ref, outer, n, inner } = alongAxes(emission, x, [(node.params as { axis: number }).axis]);
  emission.program.command(
    node.primitive.name,
    Command.argReduce,
    { largest, outer, n, inner, from: emission.address(ref), to: emission.address(out), dtype: typeOf(ref) },
    outer * n * inner * 2,
  );
  return true;
}

function emitGather(emission: Emission, node: Node): boolean {
  const [x, indices] = node.inputs.map((v) => emission.dense(emission.refOf(v))) as [Ref, Ref];
  const out = emission.refOf(node.outputs[0]!);
  const { axis } = node.params as { axis: number };
  if (x.dtype === 'bool') return false;
  if (sizeOf(out.shape) === 0) return true;
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  emission.program.command(
    `gather [${out.shape.join(', ')}]`,
    Command.gather,
    {
      ...{ outer, size: x.shape[axis]!, inner, count: sizeOf(indices.shape) },
      ...{ from: emission.address(x), indices: emission.address(indices), to: emission.address(out) },
    },
    sizeOf(out.shape),
    { failure: (value) => indexMessage('gather', [x.shape[axis]!], true, value) },
  );
  return true;
}

function emitScatterAdd(emission: Emission, node: Node): boolean {
  const [updates, indices] = node.inputs.map((v) => emission.dense(emission.refOf(v))) as [Ref, Ref];
  const out = emission.refOf(node.outputs[0]!);
  const { axis, size } = node.params as { axis: number; size: number };
  if (updates.dtype === 'bool') return false;
  if (sizeOf(out.shape) === 0) return true;
  const outer = sizeOf(out.shape.slice(0, axis));
  const inner = sizeOf(out.shape.slice(axis + 1));
  emission.program.command(
    `scatterAdd [${out.shape.join(', ')}]`,
    Command.scatterAdd,
    {
      ...{ outer, size, inner, count: sizeOf(indices.shape), integers: updates.dtype === 'int32' ? 1 : 0 },
      ...{ updates: emission.address(updates), indices: emission.address(indices), to: emission.address(out) },
    },
    sizeOf(out.shape) + sizeOf(updates.shape),
    { failure: (value) => indexMessage('scatterAdd', [size], true, value) },
  );
  return true;
}

function emitCheckedIndices(emission: Emission, node: Node): boolean {
  const x = emission.dense(emission.refOf(node.inputs[0]!));
  const out = emission.refOf(node.outputs[0]!);
  const { sizes, negative, operation } = node.params as CheckedIndicesParams;
  const count = sizeOf(out.shape);
  if (count === 0) return true;
  emission.program.command(
    `${operation} (indices)`,
    Command.checkIndices,
    {
      ...{ count, floats: x.dtype === 'float32' ? 1 : 0, negative: negative ? 1 : 0 },
      ...{ from: emission.address(x), to: emission.address(out) },
    },
    count * 2,
    {
      records: { sizes: sizes.map((size) => ({ size })) },
      failure: (value) => indexMessage(operation, sizes, negative, value),
    },
  );
  return true;
}

function emitConcat(emission: Emission, node: Node): boolean {
  const out = emission.refOf(node.outputs[0]!);
  const { axis } = node.params as { axis: number };
  let { offset } = out;
  for (const value of node.inputs) {
    const part: Ref = { ...out, shape: value.shape, offset };
    emission.emitCopy(emission.refOf(value), part, 'concat');
    offset += value.shape[axis]! * out.strides[axis]!;
  }
  return true;
}

function emitPad(emission: Emission, node: Node): boolean {
  const x = emission.refOf(node.inputs[0]!);
  const out = emission.refOf(node.outputs[0]!);
  const { low, interior, value } = node.params as PadParams;
  const fill = emission.scalar(out.dtype, value);
  emission.emitCopy({ ...fill, shape: out.shape, strides: out.shape.map(() => 0) }, out, 'pad');
  const offset = low.reduce((sum, d, i) => sum + d * out.strides[i]!, 0);
  const strides = out.strides.map((s, i) => s * (interior[i]! + 1));
  emission.emitCopy(x, { ...out, shape: x.shape, strides, offset }, 'pad');
  return true;
}

function emitCumulate(emission: Emission, node: Node, product: number): boolean {
  const x = emission.dense(emission.refOf(node.inputs[0]!));
  const out = emission.refOf(node.outputs[0]!);
  const { axis, exclusive, reverse } = node.params as { axis: number; exclusive: boolean; reverse: boolean };
  if (x.dtype === 'bool') return false;
  if (sizeOf(out.shape) === 0) return true;
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  emission.program.command(
    node.primitive.name,
    Command.cumulate,
    {
      ...{ product, exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0, outer, n: x.shape[axis]!, inner },
      ...{ from: emission.address(x), to: emission.address(out), dtype: typeOf(x) },
    },
    sizeOf(out.shape) * 2,
  );
  return true;
}

/**
 * The operands of a convolution (or of one of its gradients) and what its command says of them; `roles` tells which are the kernel and the
 * windows. `null` where there is no kernel for it, or nothing to do.
 */
function convolutionOf(
  emission: Emission,
  node: Node,
  roles: (a: Ref, b: Ref, out: Ref) => readonly [kernel: Ref, windows: Ref],
) {
  const [a, b] = node.inputs.map((value) => emission.dense(emission.refOf(value))) as [Ref, Ref];
  const out = emission.refOf(node.outputs[0]!);
  const { stride, dilation, time, size } = node.params as ConvolutionParams;
  const [kernel, { shape }] = roles(a, b, out);
  const [batch, windows, filters] = shape as readonly [number, number, number];
  const channels = kernel.shape[1]!;
  return {
    isKernel: out.dtype === 'float32',
    isEmpty: sizeOf(out.shape) === 0,
    label: `${node.primitive.name} ${batch} x ${windows}x${filters}x${size * channels}`,
    sizes: { batch, time, channels, windows, filters, size, stride, dilation },
    places: [emission.address(a), emission.address(b), emission.address(out)] as const,
    work: sizeOf(out.shape) + batch * windows * filters * size * channels * 0.25,
  };
}

const emitConvolution: Rule = (emission, node) => {
  const { isKernel, isEmpty, label, sizes, places, work } = convolutionOf(emission, node, (_, b, out) => [b, out]);
  if (!isKernel || isEmpty) return isKernel;
  const [x, kernel, y] = places;
  emission.program.command(label, Command.convolution, { ...sizes, x, kernel, y }, work);
  return true;
};

const emitConvolutionInput: Rule = (emission, node) => {
  const { isKernel, isEmpty, label, sizes, places, work } = convolutionOf(emission, node, (a, b) => [b, a]);
  if (!isKernel || isEmpty) return isKernel;
  const [gradient, kernel, dx] = places;
  emission.program.command(label, Command.convolutionInput, { ...sizes, gradient, kernel, dx }, work);
  return true;
};

const emitConvolutionKernel: Rule = (emission, node) => {
  const { isKernel, isEmpty, label, sizes, places, work } = convolutionOf(emission, node, (_, b, out) => [out, b]);
  if (!isKernel || isEmpty) return isKernel;
  const [x, gradient, dKernel] = places;
  emission.program.command(label, Command.convolutionKernel, { ...sizes, x, gradient, dKernel }, work);
  return true;
};

function emitPooling(emission: Emission, node: Node, kind: number): boolean {
  const inputs = node.inputs.map((value) => emission.dense(emission.refOf(value)));
  const from = inputs[inputs.length - 1]!;
  const out = emission.refOf(node.outputs[0]!);
  if (inputs.some((ref) => ref.dtype !== 'float32')) return false;
  if (sizeOf(out.shape) === 0) return true;
  const { time, count, size, stride, before } = node.params as PoolingParams;
  const [batch, , channels] = out.shape as readonly [number, number, number];
  emission.program.command(
    `${node.primitive.name} [${out.shape.join(', ')}]`,
    Command.pooling,
    {
      ...{ kind, batch, time, channels, windows: count, size, stride, before },
      ...{ compared: emission.address(inputs[0]!), from: emission.address(from), to: emission.address(out) },
    },
    batch * channels * (time + count * size),
  );
  return true;
}

function emitRows(emission: Emission, node: Node, kind: number): boolean {
  const [x, g] = node.inputs.map((value) => emission.dense(emission.refOf(value))) as [Ref, Ref | undefined];
  const out = emission.refOf(node.outputs[0]!);
  const size = sizeOf(out.shape);
  if (size === 0) return true;
  const n = out.shape[out.shape.length - 1]!;
  emission.program.command(
    `${node.primitive.name} [${size / n}, ${n}]`,
    Command.rows,
    {
      ...{ kind, count: size / n, n, epsilon: (node.params as NormalizeParams | null)?.epsilon ?? 0 },
      ...{ x: emission.address(x), gradient: g ? emission.address(g) : null, out: emission.address(out) },
    },
    size * 12,
  );
  return true;
}

function emitRandom(emission: Emission, node: Node): boolean {
  const key = emission.dense(emission.refOf(node.inputs[0]!));
  const out = emission.refOf(node.outputs[0]!);
  const { kind, dtype, stream = 0 } = node.params as RandomParams;
  const bits = kind === 'bits' && dtype === 'int32';
  if (!bits && !(kind === 'uniform' && dtype === 'float32')) return false;
  if (sizeOf(out.shape) === 0) return true;
  emission.program.command(
    `random ${kind}`,
    Command.random,
    {
      ...{ count: sizeOf(out.shape), uniform: bits ? 0 : 1, stream },
      ...{ key: emission.address(key), to: emission.address(out) },
    },
    sizeOf(out.shape) * 12,
  );
  return true;
}
