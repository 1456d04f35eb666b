import { Tensor, ValueError } from '@recurra/tensor';
import { InputLayer } from '../layers/input.js';
import { describeLayer } from './describe.js';
import { Graph } from './graph.js';
import type { AnyLayer, LayerConfig } from './layer.js';
import type { Call, Operation } from './operation.js';
import { SymbolicTensor } from './symbolic.js';
import { mapTree } from './tree.js';

/** How a graph refers to a symbolic tensor: the name of the layer, which of its calls, which output of that. */
export type TensorReference = readonly [layer: string, call: number, output: number];

/** What stands for a symbolic tensor, and for one with values, among the arguments of a call. */
export const SYMBOLIC_TENSOR = '__keras_tensor__';
export const TENSOR = '__tensor__';

/** The number of a layer's first call: in Keras, a graph of layers was called once, when it was made. */
export const firstCall = (operation: Operation): number =>
  (operation as { readonly graph?: unknown }).graph instanceof Graph ? 1 : 0;

/** Which calls of each operation a graph has, numbered as in its configuration. */
export function callNumbers(graph: Graph): ReadonlyMap<Call, number> {
  const next = new Map<Operation, number>();
  const numbers = new Map<Call, number>();
  for (const call of graph.calls) {
    const n = next.get(call.operation) ?? firstCall(call.operation);
    numbers.set(call, n);
    next.set(call.operation, n + 1);
  }
  return numbers;
}

/** The configuration of a graph of layers, as Keras' `Functional`: layers with the calls that feed them, and what comes in and goes out. */
export function graphConfig(name: string, trainable: boolean, graph: Graph, layers: readonly AnyLayer[]): LayerConfig {
  const numbers = callNumbers(graph);
  const calls = new Map<unknown, Call[]>();
  for (const call of graph.calls) calls.set(call.operation, [...(calls.get(call.operation) ?? []), call]);
  // A graph may begin at what a layer outside of it gives: an input of its own stands there.
  const taken = new Set(layers.map((layer) => layer.name));
  const stands = new Map<SymbolicTensor, InputLayer>();
  mapTree(graph.inputs, (leaf) => {
    const tensor = leaf as SymbolicTensor;
    if (tensor.call.sources.length === 0) return leaf;
    let own = `${tensor.name}_input`;
    for (let n = 1; taken.has(own); n++) own = `${tensor.name}_input_${n}`;
    taken.add(own);
    stands.set(tensor, new InputLayer({ batchShape: tensor.shape, dtype: tensor.dtype, name: own }));
    return leaf;
  });
  const reference = (tensor: SymbolicTensor): TensorReference => {
    const stand = stands.get(tensor);
    return stand ? [stand.name, 0, 0] : [tensor.name, numbers.get(tensor.call) ?? 0, tensor.index];
  };
  const refer = (tree: unknown, label: string): unknown =>
    mapTree(tree, (leaf) => {
      if (leaf instanceof SymbolicTensor)
        return {
          className: SYMBOLIC_TENSOR,
          config: { shape: leaf.shape, dtype: leaf.dtype, kerasHistory: reference(leaf) },
        };
      if (leaf instanceof Tensor) return { className: TENSOR, config: { value: leaf.toArray(), dtype: leaf.dtype } };
      if (typeof leaf === 'function' || typeof leaf === 'symbol' || (typeof leaf === 'object' && leaf !== null))
        throw new ValueError(
          `getConfig: expected calls with tensors, texts, numbers and booleans, received ${typeof leaf === 'object' ? `an instance of ${leaf.constructor?.name ?? 'Object'}` : `a ${typeof leaf}`} in a call of "${label}", which cannot be saved`,
        );
      return leaf ?? null;
    });
  return {
    name,
    trainable,
    layers: [
      ...[...stands.values()].map((layer) => ({ ...describeLayer(layer), name: layer.name, inboundNodes: [] })),
      ...layers.map((layer) => ({
        ...describeLayer(layer),
        name: layer.name,
        inboundNodes: (calls.get(layer) ?? []).map((call) => ({
          args: layer.argumentsOf(call.inputs).map((argument) => refer(argument, layer.name)),
          kwargs: refer(call.options, layer.name),
        })),
      })),
    ],
    inputLayers: mapTree(graph.inputs, (leaf) => reference(leaf as SymbolicTensor)),
    outputLayers: mapTree(graph.outputs, (leaf) => reference(leaf as SymbolicTensor)),
  };
}
