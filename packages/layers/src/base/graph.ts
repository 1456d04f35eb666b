import { formatShape, ShapeError, Tensor, ValueError } from '@recurra/tensor';
import type { Call } from './operation.js';
import { formatPartial, SymbolicTensor } from './symbolic.js';
import { leavesOf, mapTree } from './tree.js';

/** The calls of layers that lead from inputs to outputs, in an order in which they can be made. Keras `Function`. */
export class Graph {
  /** Trees of symbolic tensors. */
  readonly inputs: unknown;
  readonly outputs: unknown;
  readonly calls: readonly Call[];

  /** Throws `ValueError` where an output depends on an input that is not given, or there are none. */
  constructor(inputs: unknown, outputs: unknown, label: string) {
    this.inputs = inputs;
    this.outputs = outputs;
    const given = new Set<unknown>();
    for (const leaf of leavesOf(inputs)) {
      if (!(leaf instanceof SymbolicTensor))
        throw new ValueError(
          `${label}: expected inputs that are symbolic tensors (of Input), received ${leaf instanceof Tensor ? 'a tensor' : String(leaf)}`,
        );
      if (given.has(leaf)) throw new ValueError(`${label}: expected every input once, received "${leaf.name}" twice`);
      given.add(leaf);
    }
    if (given.size === 0) throw new ValueError(`${label}: expected at least one input, received none`);
    const results = leavesOf(outputs);
    if (results.length === 0) throw new ValueError(`${label}: expected at least one output, received none`);
    const calls: Call[] = [];
    const seen = new Set<Call>();
    const visit = (tensor: SymbolicTensor, path: readonly string[]): void => {
      if (given.has(tensor)) return;
      const { call } = tensor;
      if (seen.has(call)) return;
      if (call.sources.length === 0)
        throw new ValueError(
          `${label}: expected all inputs that the outputs depend on, received none for "${tensor.name}" (needed by ${path.join(', ') || 'an output'}). Add it to the inputs.`,
        );
      seen.add(call);
      for (const source of call.sources) visit(source, [tensor.name]);
      calls.push(call);
    };
    for (const result of results) {
      if (!(result instanceof SymbolicTensor))
        throw new ValueError(
          `${label}: expected outputs that are symbolic tensors, received ${result instanceof Tensor ? 'a tensor. Apply the layers to Input, not to values' : String(result)}`,
        );
      visit(result, []);
    }
    this.calls = calls;
  }

  /** The outputs for values of the inputs (a tree like {@link Graph.inputs}); masks come with the values. */
  run(values: readonly Tensor[], label: string): unknown {
    const known = new Map<SymbolicTensor, unknown>();
    leavesOf(this.inputs).forEach((leaf, i) => {
      const input = leaf as SymbolicTensor;
      expectShape(values[i]!, input, label);
      known.set(input, values[i]);
    });
    const fill = (tree: unknown): unknown =>
      mapTree(tree, (leaf) => (leaf instanceof SymbolicTensor ? known.get(leaf) : leaf));
    for (const call of this.calls) {
      const outputs = (call.operation as unknown as { apply(x: unknown, options: unknown): unknown }).apply(
        fill(call.inputs),
        fill(call.options),
      );
      const found = leavesOf(outputs);
      leavesOf(call.outputs).forEach((leaf, i) => {
        if (leaf instanceof SymbolicTensor) known.set(leaf, found[i]);
      });
    }
    return fill(this.outputs);
  }
}

/** Throws `ShapeError`, naming the input, where a value has not its shape. */
function expectShape(value: Tensor, { shape, name }: SymbolicTensor, label: string): void {
  if (shape.length !== value.rank || shape.some((d, i) => d !== null && d !== value.shape[i]))
    throw new ShapeError(
      `${label}: expected values of shape ${formatPartial(shape)} for the input "${name}", received ${formatShape(value.shape)}`,
    );
}
