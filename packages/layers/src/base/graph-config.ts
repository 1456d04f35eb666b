import { describeLayer } from './describe.js';
import type { Graph } from './graph.js';
import type { AnyLayer, LayerConfig } from './layer.js';
import type { Call } from './operation.js';
import { SymbolicTensor } from './symbolic.js';
import { mapTree } from './tree.js';

/** How a graph refers to a symbolic tensor: the name of the layer, which of its calls, which output of that. */
export type TensorReference = readonly [layer: string, call: number, output: number];

/** The configuration of a graph of layers, as Keras' `Functional`: layers with the calls that feed them, and what comes in and goes out. */
export function graphConfig(name: string, trainable: boolean, graph: Graph, layers: readonly AnyLayer[]): LayerConfig {
  const calls = new Map<unknown, Call[]>();
  for (const call of graph.calls) calls.set(call.operation, [...(calls.get(call.operation) ?? []), call]);
  const reference = (tensor: SymbolicTensor): TensorReference => [
    tensor.name,
    Math.max(0, calls.get(tensor.call.operation)?.indexOf(tensor.call) ?? 0),
    tensor.index,
  ];
  const refer = (tree: unknown): unknown =>
    mapTree(tree, (leaf) =>
      leaf instanceof SymbolicTensor
        ? {
            className: '__keras_tensor__',
            config: { shape: leaf.shape, dtype: leaf.dtype, kerasHistory: reference(leaf) },
          }
        : leaf,
    );
  return {
    name,
    trainable,
    layers: layers.map((layer) => ({
      ...describeLayer(layer),
      name: layer.name,
      inboundNodes: (calls.get(layer) ?? []).map((call) => ({
        args: [refer(call.inputs)],
        kwargs: refer(call.options),
      })),
    })),
    inputLayers: mapTree(graph.inputs, (leaf) => reference(leaf as SymbolicTensor)),
    outputLayers: mapTree(graph.outputs, (leaf) => reference(leaf as SymbolicTensor)),
  };
}
