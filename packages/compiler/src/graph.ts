import type { DType, Shape } from '@recurra/tensor';
import type { NDArray, Primitive } from '@recurra/tensor/extend';
import type { Variable } from './variable.js';

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'node'; readonly node: Node; readonly output: number }
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'constant'; readonly array: NDArray }
  | { readonly kind: 'variable'; readonly variable: Variable };

/** One value of a graph: known by shape and dtype, assigned once. */
export class Value {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly source: Source;

  constructor(id: number, shape: Shape, dtype: DType, source: Source) {
    this.id = id;
    this.shape = shape;
    this.dtype = dtype;
    this.source = source;
  }
}

/** One application of a primitive. */
export interface Node {
  readonly index: number;
  readonly primitive: Primitive<unknown>;
  readonly inputs: readonly Value[];
  readonly params: unknown;
  outputs: readonly Value[];
}

/** A variable that the traced function assigned, and what it holds at the end. */
export interface Update {
  readonly variable: Variable;
  readonly value: Value;
}

/** A traced function: nodes in the order in which they were traced, which is a topological one. */
export class Graph {
  readonly inputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  readonly updates: readonly Update[];

  constructor(
    inputs: readonly Value[],
    nodes: readonly Node[],
    outputs: readonly Value[],
    updates: readonly Update[] = [],
  ) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.updates = updates;
    this.nodes = liveNodes(nodes, [...outputs, ...updates.map((u) => u.value)]);
  }
}

/** The nodes that lead to `results`; what nobody reads is dead. */
function liveNodes(nodes: readonly Node[], results: readonly Value[]): Node[] {
  const live = new Set<Node>();
  const need = (value: Value): void => {
    if (value.source.kind === 'node') live.add(value.source.node);
  };
  results.forEach(need);
  for (let i = nodes.length - 1; i >= 0; i--) if (live.has(nodes[i]!)) nodes[i]!.inputs.forEach(need);
  return nodes.filter((node) => live.has(node));
}

/** Is it a constant whose elements all equal `number`? */
export function isConstant(value: Value, number: number): boolean {
  const { source } = value;
  if (source.kind !== 'constant') return false;
  const { array } = source;
  return isUniform(array) && array.data[array.offset] === number;
}

/** Are all elements one and the same, stored once? */
export function isUniform(array: NDArray): boolean {
  let size = 1;
  let repeats = true;
  array.shape.forEach((d, i) => {
    size *= d;
    if (d !== 1 && array.strides[i] !== 0) repeats = false;
  });
  return size > 0 && repeats;
}
