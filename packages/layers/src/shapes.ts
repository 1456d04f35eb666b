import type { Graph } from './base/graph.js';
import type { AnyLayer } from './base/layer.js';
import type { PartialShape, SymbolicTensor } from './base/symbolic.js';
import { isRecord, leavesOf, mapTree } from './base/tree.js';
import { InputLayer } from './layers/input.js';

/** What goes into a layer of a model and what comes out: trees of shapes, `null` where it is not known. */
export interface LayerShapes {
  readonly input: unknown;
  readonly output: unknown;
  /** The dtype of the (first) output. */
  readonly dtype: string | null;
}

/** A shape as a leaf, so that trees of shapes can be told from lists of sizes. */
class ShapeLeaf {
  readonly shape: PartialShape;

  constructor(shape: PartialShape) {
    this.shape = shape;
  }
}

/** For a chain's shapes that come as lists of sizes: the tree of leaves. */
function asLeaves(tree: unknown): unknown {
  if (Array.isArray(tree) && tree.every((d) => d === null || typeof d === 'number'))
    return new ShapeLeaf(tree as PartialShape);
  if (Array.isArray(tree)) return tree.map(asLeaves);
  if (isRecord(tree)) return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, asLeaves(v)]));
  return null;
}

/**
 * The shapes of the layers of a model, as far as they are known: those of the last call in a graph, those that follow from the input's in a chain.
 * @param from the shapes of the model itself, where it is a layer of another
 */
export function shapesOf(model: AnyLayer, from: LayerShapes | null = null): ReadonlyMap<AnyLayer, LayerShapes> {
  const found = new Map<AnyLayer, LayerShapes>();
  const graph = (model as { graph?: Graph | null }).graph;
  if (graph) {
    const leaf = (tree: unknown): unknown => mapTree(tree, (t) => new ShapeLeaf((t as SymbolicTensor).shape ?? []));
    for (const layer of model.children())
      if (layer instanceof InputLayer) {
        const output = new ShapeLeaf(layer.batchShape);
        found.set(layer, { input: output, output, dtype: layer.inputType });
      }
    for (const call of graph.calls)
      found.set(call.operation as AnyLayer, {
        input: leaf(call.inputs),
        output: leaf(call.outputs),
        dtype: (call.results[0] as SymbolicTensor | undefined)?.dtype ?? null,
      });
    return found;
  }
  const given = from?.input instanceof ShapeLeaf ? from.input.shape : null;
  // Without a declared input, what layers were built for says how they were called.
  const declared = given ?? (model as { inputShape?: PartialShape | null }).inputShape ?? null;
  let shape: unknown = declared;
  for (const layer of (model as { layers?: readonly AnyLayer[] }).layers ?? []) {
    if (declared === null) shape = layer.getBuildConfig()?.inputShape ?? null;
    const output: unknown = shape === null ? null : layer.computeOutputShape(shape);
    found.set(layer, {
      input: shape === null ? null : asLeaves(shape),
      output: output === null ? null : asLeaves(output),
      dtype: shape === null ? null : layer.dtype,
    });
    shape = output;
  }
  return found;
}

/** Shapes as Keras writes them: `(None, 4)`, `[(None, 3), (None, 3)]`, `?` where nothing is known. */
export function shapesText(tree: unknown): string {
  if (tree === null || tree === undefined) return '?';
  const leaves = leavesOf(tree);
  if (leaves.length === 1 && leaves[0] instanceof ShapeLeaf) return one(leaves[0]);
  const text = (node: unknown): string => {
    if (node instanceof ShapeLeaf) return one(node);
    if (Array.isArray(node)) return `[${node.map(text).join(', ')}]`;
    if (isRecord(node))
      return `{${Object.entries(node)
        .map(([k, v]) => `${k}: ${text(v)}`)
        .join(', ')}}`;
    return '?';
  };
  return text(tree);
}

const one = ({ shape }: ShapeLeaf): string => `(${shape.map((d) => d ?? 'None').join(', ')})`;
