import { Command, Pooling } from '@recurra/kernels';
import { type ConvolutionParams, type PoolingParams, sizeOf } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import type { Family, PrimitiveRules } from './family.js';

type Rule = NonNullable<PrimitiveRules['emit']>;

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

/** Convolution and windows over time. */
export const WINDOWS: Family = {
  convolution: { emit: emitConvolution },
  convolutionInput: { emit: emitConvolutionInput },
  convolutionKernel: { emit: emitConvolutionKernel },
  windowPick: { emit: (emission, node) => emitPooling(emission, node, Pooling.pick) },
  windowUnpick: { emit: (emission, node) => emitPooling(emission, node, Pooling.unpick) },
  windowSum: { emit: (emission, node) => emitPooling(emission, node, Pooling.sum) },
  windowSpread: { emit: (emission, node) => emitPooling(emission, node, Pooling.spread) },
};
