import { Command } from '@recurra/kernels';
import { type CheckedIndicesParams, indexMessage, sizeOf } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import type { Family } from './family.js';

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

const alongAxis = ({ inputs, params }: Node): number => inputs[0]!.shape[(params as { axis: number }).axis]!;
const given = ({ params }: Node): number => (params as { size: number }).size;
const checkedSize = ({ params }: Node): number | null => {
  const { sizes } = params as CheckedIndicesParams;
  return sizes.length === 1 ? sizes[0]! : null;
};

/** What takes indices; some of it on the calling thread. */
export const INDEXING: Family = {
  gather: { emit: emitGather, indices: { input: 1, size: alongAxis } },
  scatterAdd: { emit: emitScatterAdd, indices: { input: 1, size: given } },
  takeAlong: { indices: { input: 1, size: alongAxis } },
  scatterAlong: { indices: { input: 1, size: given } },
  segmentMax: { indices: { input: 1, size: given } },
  checkedIndices: { emit: emitCheckedIndices, indices: { input: 0, size: checkedSize, checked: true } },
};
