import { Command, Rows } from '@recurra/kernels';
import { type NormalizeParams, sizeOf } from '@recurra/tensor/extend';
import type { Node } from '../graph.js';
import type { Ref } from '../schedule/buffer.js';
import type { Emission } from '../schedule/emission.js';
import type { Family } from './family.js';

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

/** Functions of whole rows. */
export const ROWS: Family = Object.fromEntries(
  Object.entries(Rows).map(([name, kind]) => [
    name,
    { emit: (emission: Emission, node: Node) => emitRows(emission, node, kind) },
  ]),
);
