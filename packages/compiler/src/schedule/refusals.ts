import { rulesOf } from '../families/index.js';
import type { Graph, Node, Value } from '../graph.js';
import { type ScanParams, scanPrimitive } from '../scan.js';

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
    const rules = rulesOf(node.primitive);
    if (rules?.refuses?.(node) || evaluated(node)) result.add(node);
    if (!rules?.indices) continue;
    const indices = unshaped(node.inputs[rules.indices.input]!);
    const size = rules.indices.size(node);
    const known = checked.get(indices) ?? new Set<number>();
    if (size !== null && known.has(size)) continue;
    result.add(node);
    if (size === null) continue;
    checked.set(indices, known.add(size));
    if (rules.indices.checked) checked.set(node.outputs[0]!, new Set([size]));
  }
  return result;
}

/** The value under changes of shape. */
function unshaped(value: Value): Value {
  let found = value;
  for (let { source } = found; source.kind === 'node' && rulesOf(source.node.primitive)?.flat; { source } = found)
    found = source.node.inputs[0]!;
  return found;
}
