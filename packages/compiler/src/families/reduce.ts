import { Command, Reduction } from '@recurra/kernels';
import { type ReduceParams, sizeOf } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import { typeOf } from './data-type.js';
import type { Family } from './family.js';

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

/** Reductions, and what runs along axes. */
export const REDUCE: Family = {
  ...Object.fromEntries(
    Object.entries(Reduction).map(([name, kind]) => [
      name,
      { emit: (emission: Emission, node: Node) => emitReduce(emission, node, kind) },
    ]),
  ),
  argmax: { emit: (emission, node) => emitArgReduce(emission, node, 1) },
  argmin: { emit: (emission, node) => emitArgReduce(emission, node, 0) },
  cumsum: { emit: (emission, node) => emitCumulate(emission, node, 0) },
  cumprod: { emit: (emission, node) => emitCumulate(emission, node, 1) },
};
