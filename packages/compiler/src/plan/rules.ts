import { Command } from '@recurra/kernels';
import type { DType } from '@recurra/tensor';
import {
  type CheckedIndicesParams,
  type ConvolutionParams,
  indexMessage,
  type NormalizeParams,
  type PadParams,
  type PoolingParams,
  type RandomParams,
  type ReduceName,
  type ReduceParams,
  sizeOf,
} from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from './buffer.js';
import type { Emission } from './emission.js';

const REDUCTIONS = { sum: 0, prod: 1, max: 2, min: 3, any: 4, all: 5 } as const satisfies Record<ReduceName, number>;
const TYPES: Readonly<Record<DType, number>> = { float32: 0, int32: 1, bool: 2, float64: -1 };

/** Appends the commands of an operation; says whether there is a kernel for this case. */
type Rule = (emission: Emission, node: Node) => boolean;

/** Rules for the operations that are neither views nor chains nor products, by name. */
export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...Object.keys(REDUCTIONS).map((name): [string, Rule] => [name, emitReduce]),
  ['argmax', (emission, node) => emitArgReduce(emission, node, 1)],
  ['argmin', (emission, node) => emitArgReduce(emission, node, 0)],
  ['gather', emitGather],
  ['scatterAdd', emitScatterAdd],
  ['checkedIndices', emitCheckedIndices],
  ['concat', emitConcat],
  ['pad', emitPad],
  ['random', emitRandom],
  ...['softmax', 'logSoftmax', 'normalize', 'softmaxBackward', 'logSoftmaxBackward', 'normalizeBackward'].map(
    (name, kind): [string, Rule] => [name, (emission, node) => emitRows(emission, node, kind)],
  ),
  ['convolution', (emission, node) => emitConvolution(emission, node, Command.convolution)],
  ['convolutionInput', (emission, node) => emitConvolution(emission, node, Command.convolutionInput)],
  ['convolutionKernel', (emission, node) => emitConvolution(emission, node, Command.convolutionKernel)],
  ...['windowPick', 'windowUnpick', 'windowSum', 'windowSpread'].map((name, kind): [string, Rule] => [
    name,
    (emission, node) => emitPooling(emission, node, kind),
  ]),
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

function emitReduce(emission: Emission, node: Node): boolean {
  const x = emission.refOf(node.inputs[0]!);
  const out = emission.refOf(node.outputs[0]!);
  const { axes } = node.params as ReduceParams;
  if (sizeOf(out.shape) === 0) return true;
  const { ref, outer, n, inner } = alongAxes(emission, x, axes);
  const kind = REDUCTIONS[node.primitive.name as ReduceName];
  emission.program.command(
    `${node.primitive.name} [${x.shape.join(', ')}]`,
    Command.reduce,
    [kind, outer, n, inner, emission.address(ref), emission.address(out), TYPES[ref.dtype], TYPES[out.dtype]],
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
    [largest, outer, n, inner, emission.address(ref), emission.address(out), TYPES[ref.dtype]],
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
    [
      ...[outer, x.shape[axis]!, inner, sizeOf(indices.shape)],
      ...[emission.address(x), emission.address(indices), emission.address(out)],
    ],
    sizeOf(out.shape),
    ...refusing('gather', x.shape[axis]!, true),
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
    [
      ...[outer, size, inner, sizeOf(indices.shape), emission.address(updates), emission.address(indices)],
      ...[emission.address(out), updates.dtype === 'int32' ? 1 : 0],
    ],
    sizeOf(out.shape) + sizeOf(updates.shape),
    ...refusing('scatterAdd', size, true),
  );
  return true;
}

/** The last arguments of a command that refuses indices. */
function refusing(operation: string, size: number, negative: boolean): [[], undefined, (value: number) => string] {
  return [[], undefined, (value) => indexMessage(operation, [size], negative, value)];
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
    [
      ...[count, x.dtype === 'float32' ? 1 : 0, negative ? 1 : 0, emission.address(x), emission.address(out)],
      ...[sizes.length, ...sizes],
    ],
    count * 2,
    [],
    undefined,
    (value) => indexMessage(operation, sizes, negative, value),
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
    [
      ...[product, exclusive ? 1 : 0, reverse ? 1 : 0, outer, x.shape[axis]!, inner],
      ...[emission.address(x), emission.address(out), TYPES[x.dtype]],
    ],
    sizeOf(out.shape) * 2,
  );
  return true;
}

/** Sizes as the kernels want them: those of the sequence, of the windows, and of the kernel, whichever of them is the output. */
function emitConvolution(emission: Emission, node: Node, command: number): boolean {
  const [a, b] = node.inputs.map((value) => emission.dense(emission.refOf(value))) as [Ref, Ref];
  const out = emission.refOf(node.outputs[0]!);
  if (out.dtype !== 'float32') return false;
  if (sizeOf(out.shape) === 0) return true;
  const { stride, dilation, time, size } = node.params as ConvolutionParams;
  const [kernel, windows] =
    command === Command.convolution ? [b, out] : command === Command.convolutionInput ? [b, a] : [out, b];
  const [batch, count, filters] = windows.shape as readonly [number, number, number];
  const channels = kernel.shape[1]!;
  emission.program.command(
    `${node.primitive.name} ${batch} x ${count}x${filters}x${size * channels}`,
    command,
    [
      ...[batch, time, channels, count, filters, size, stride, dilation],
      ...[emission.address(a), emission.address(b), emission.address(out)],
    ],
    sizeOf(out.shape) + batch * count * filters * size * channels * 0.25,
  );
  return true;
}

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
    [
      ...[kind, batch, time, channels, count, size, stride, before],
      ...[emission.address(inputs[0]!), emission.address(from), emission.address(out)],
    ],
    batch * channels * (time + count * size),
  );
  return true;
}

const bits = new DataView(new ArrayBuffer(4));

function emitRows(emission: Emission, node: Node, kind: number): boolean {
  const [x, g] = node.inputs.map((value) => emission.dense(emission.refOf(value))) as [Ref, Ref | undefined];
  const out = emission.refOf(node.outputs[0]!);
  const size = sizeOf(out.shape);
  if (size === 0) return true;
  const n = out.shape[out.shape.length - 1]!;
  bits.setFloat32(0, (node.params as NormalizeParams | null)?.epsilon ?? 0);
  emission.program.command(
    `${node.primitive.name} [${size / n}, ${n}]`,
    Command.rows,
    [kind, size / n, n, emission.address(x), g ? emission.address(g) : 0, emission.address(out), bits.getInt32(0)],
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
    [sizeOf(out.shape), emission.address(key), emission.address(out), bits ? 0 : 1, stream],
    sizeOf(out.shape) * 12,
  );
  return true;
}
