import { ShapeError, Tensor, ValueError } from '@recurra/tensor';
import { formatShape } from '@recurra/tensor/extend';
import type { Call, Operation } from './operation.js';
import { formatPartial, SymbolicTensor } from './symbolic.js';
import { leavesOf, mapTree, sortedLeaves } from './tree.js';

/** The calls of layers that lead from inputs to outputs, in an order in which they can be made. Keras `Function`. */
export class Graph {
  /** Trees of symbolic tensors. */
  readonly inputs: unknown;
  readonly outputs: unknown;
  readonly calls: readonly Call[];
  /** What is called, and what gives the inputs, each once: the furthest from the outputs first. The order of Keras' layers and weights. */
  readonly operations: readonly Operation[];

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
    for (const result of results)
      if (!(result instanceof SymbolicTensor))
        throw new ValueError(
          `${label}: expected outputs that are symbolic tensors, received ${result instanceof Tensor ? 'a tensor. Apply the layers to Input, not to values' : String(result)}`,
        );
    const walk = walkGraph(given, sortedLeaves(outputs) as SymbolicTensor[], label);
    this.calls = walk.order.filter((call) => call.sources.length > 0);
    this.operations = inOrderOfDepth(walk, sortedLeaves(inputs) as SymbolicTensor[]);
  }

  /** Is all that is called with made from the inputs, so that no tensor of a batch of its own comes in? */
  get readsInputsOnly(): boolean {
    return this.calls.every(
      ({ inputs, options }) => !leavesOf([inputs, options]).some((leaf) => leaf instanceof Tensor),
    );
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

/** The calls that lead to results, those of inputs among them: `order` has each after what it depends on, `met` the operations as they were found. */
interface Walk {
  readonly order: readonly Call[];
  readonly met: ReadonlySet<Operation>;
}

/** Walks from the results to the inputs, depth first. Throws `ValueError` where a result depends on an input that is not given. */
function walkGraph(given: ReadonlySet<unknown>, results: readonly SymbolicTensor[], label: string): Walk {
  const order: Call[] = [];
  const met = new Set<Operation>();
  const seen = new Set<Call>();
  // No recursion: a chain may be longer than the stack is deep.
  const path: { readonly call: Call; readonly sources: readonly SymbolicTensor[]; next: number }[] = [];
  const enter = (tensor: SymbolicTensor): void => {
    const { call } = tensor;
    const { sources } = call;
    if (seen.has(call) || (given.has(tensor) && sources.length > 0)) return;
    if (sources.length === 0 && !given.has(tensor))
      throw new ValueError(
        `${label}: expected all inputs that the outputs depend on, received none for "${tensor.name}" (needed by ${path.at(-1)?.call.operation.name ?? 'an output'}). Add it to the inputs.`,
      );
    seen.add(call);
    met.add(call.operation);
    path.push({ call, sources, next: 0 });
  };
  for (const result of results) {
    enter(result);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      if (top.next < top.sources.length) enter(top.sources[top.next++]!);
      else {
        order.push(top.call);
        path.pop();
      }
    }
  }
  return { order, met };
}

/** The operations by falling distance from the outputs, those of one distance in the order in which they were met. Keras' `map_graph`. */
function inOrderOfDepth({ order, met }: Walk, inputs: readonly SymbolicTensor[]): Operation[] {
  const within = new Set(order);
  const ofCall = new Map<Call, number>();
  const depths = new Map<Operation, number>();
  for (const call of [...order].reverse()) {
    // A shared operation stands where the furthest of its calls does.
    const depth = Math.max(ofCall.get(call) ?? 0, depths.get(call.operation) ?? 0);
    depths.set(call.operation, depth);
    for (const { call: before } of call.sources)
      if (within.has(before)) ofCall.set(before, Math.max(depth + 1, ofCall.get(before) ?? 0));
  }
  // Inputs that no output depends on come last but one: at the outputs' depth, before them.
  const unused = inputs.map(({ call }) => call).filter((call) => call.sources.length === 0 && !met.has(call.operation));
  const all = [...unused.map((call) => call.operation), ...met];
  return all.sort((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}
