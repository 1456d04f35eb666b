import type { CheckedIndicesParams } from '@recurra/tensor/extend';
import type { Graph, Node, Value } from '../graph.js';
import { type ScanParams, scanPrimitive } from '../scan.js';

/** The input of each operation that holds indices, which may name nothing. */
const INDICES: ReadonlyMap<string, number> = new Map([
  ['gather', 1],
  ['scatterAdd', 1],
  ['takeAlong', 1],
  ['scatterAlong', 1],
  ['segmentMax', 1],
  ['checkedIndices', 0],
]);

/**
 * The nodes that may refuse their data while a step runs: those that take indices, unless another node has checked the same ones against the
 * same size before (as the lookup has, whose gradient is a sum by index), operations of integers that have no result, those that are
 * `evaluated` on the calling thread by code that may throw, and loops of such.
 */
export function refusingNodes(graph: Graph, evaluated: (node: Node) => boolean): Set<Node> {
  const result = new Set<Node>();
  const checked = new Map<Value, Set<number>>();
  for (const node of graph.nodes) {
    if (node.primitive === (scanPrimitive as unknown)) {
      if (refusingNodes((node.params as ScanParams).body, evaluated).size > 0) result.add(node);
      continue;
    }
    const { name } = node.primitive;
    if ((name === 'pow' && node.outputs[0]!.dtype === 'int32') || evaluated(node)) result.add(node);
    const at = INDICES.get(name);
    if (at === undefined) continue;
    const indices = unshaped(node.inputs[at]!);
    const size = sizeOfAxis(node);
    const known = checked.get(indices) ?? new Set<number>();
    if (size !== null && known.has(size)) continue;
    result.add(node);
    if (size === null) continue;
    checked.set(indices, known.add(size));
    if (name === 'checkedIndices') checked.set(node.outputs[0]!, new Set([size]));
  }
  return result;
}

/** The size of the axis that the indices point into; `null` where it is not one. */
function sizeOfAxis({ primitive: { name }, params, inputs }: Node): number | null {
  if (name === 'checkedIndices') {
    const { sizes } = params as CheckedIndicesParams;
    return sizes.length === 1 ? sizes[0]! : null;
  }
  if (name === 'gather' || name === 'takeAlong') return inputs[0]!.shape[(params as { axis: number }).axis]!;
  return (params as { size: number }).size;
}

/** The value under changes of shape. */
function unshaped(value: Value): Value {
  let found = value;
  for (let { source } = found; source.kind === 'node' && source.node.primitive.name === 'reshape'; { source } = found)
    found = source.node.inputs[0]!;
  return found;
}
