import type { Tensor } from '@recurra/tensor';
import { FormatError } from '@recurra/tensor';
import {
  emptyGroup,
  groupKeys,
  type Json,
  type JsonObject,
  type KerasObject,
  type ModelFile,
  type WeightGroup,
} from '../../model-file.js';
import type { Dim } from '../graph.js';
import { inOrder, type RaisedTensor } from './values.js';

/** A layer that was found, and may still get a bias or an activation. */
export interface FoundLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Record<string, Json>;
  readonly args: readonly Json[];
  readonly kwargs: Record<string, Json>;
  /** The layers whose outputs it is called with. */
  readonly reads: readonly string[];
  group: WeightGroup;
}

/** Variables with names, as a group. */
export const groupOf = (
  name: string | null,
  variables: Readonly<Record<string, Tensor>>,
  children: Readonly<Record<string, WeightGroup>> = {},
): WeightGroup => ({
  name,
  variables: Object.entries(variables).map(([key, value]) => ({ name: key, value })),
  children: new Map(Object.entries(children)),
});

/** What an output of a layer is, if not the first one of floats. */
export interface OutputOptions {
  readonly output?: number;
  readonly dtype?: string;
  readonly flipped?: boolean;
}

/** Collects the layers that operators become. */
export class KerasBuilder {
  readonly layers: FoundLayer[] = [];
  private readonly used: Map<string, number> = new Map();

  /** Adds a layer that is called with tensors. */
  layer(
    className: string,
    inputs: readonly RaisedTensor[],
    config: Readonly<Record<string, Json>>,
    {
      list = false,
      kwargs = {},
    }: { readonly list?: boolean; readonly kwargs?: Readonly<Record<string, readonly RaisedTensor[]>> } = {},
  ): FoundLayer {
    const tensors = inputs.map(kerasTensor);
    const name = this.fresh(className.toLowerCase());
    const found: FoundLayer = {
      className,
      name,
      config: { name, ...config },
      args: inputs.length === 0 ? [] : [list ? tensors : tensors[0]!],
      kwargs: Object.fromEntries(Object.entries(kwargs).map(([key, values]) => [key, values.map(kerasTensor)])),
      reads: [...inputs, ...Object.values(kwargs).flat()].map((x) => x.from.layer),
      group: emptyGroup(name),
    };
    this.layers.push(found);
    return found;
  }

  fresh(base: string): string {
    const n = this.used.get(base) ?? 0;
    this.used.set(base, n + 1);
    return n === 0 ? base : this.fresh(`${base}_${n}`);
  }

  /** An output of a layer. */
  output(
    layer: FoundLayer,
    shape: readonly Dim[],
    { output = 0, dtype = 'float32', flipped = false }: OutputOptions = {},
  ): RaisedTensor {
    return {
      kind: 'tensor',
      from: { layer: layer.name, output },
      shape,
      dtype,
      order: shape.map((_, i) => i),
      flipped,
    };
  }

  /** A tensor whose axes lie as the graph has them. Throws `FormatError` where no layer can bring them there. */
  plain(x: RaisedTensor, what: string): RaisedTensor {
    if (x.flipped)
      throw new FormatError(
        `ONNX: ${what}: expected steps in order, received those of a reversed sequence, for which Keras has no layer`,
      );
    if (inOrder(x.order)) return x;
    if (x.order[0] !== 0)
      throw new FormatError(
        `ONNX: ${what}: expected the axis of the batch first, received axes in the order ${x.order.join(', ')}`,
      );
    const layer = this.layer('Permute', [x], { dims: x.order.slice(1) });
    return this.output(
      layer,
      x.order.map((a) => x.shape[a]!),
      { dtype: x.dtype },
    );
  }

  /** The inputs, and the layers that outputs come of: what else the graph holds is no part of the model. */
  private reached(outputs: readonly RaisedTensor[]): readonly FoundLayer[] {
    const kept = new Set(outputs.map((x) => x.from.layer));
    // A layer stands behind those that it reads.
    for (const layer of [...this.layers].reverse())
      if (kept.has(layer.name)) for (const name of layer.reads) kept.add(name);
    return this.layers.filter((layer) => kept.has(layer.name) || layer.className === 'InputLayer');
  }

  /** The whole model. */
  file(
    name: string,
    inputs: readonly RaisedTensor[],
    outputs: readonly RaisedTensor[],
  ): Pick<ModelFile, 'model' | 'weights'> {
    const layers = this.reached(outputs);
    const keys = groupKeys(layers);
    const reference = (x: RaisedTensor): Json => [x.from.layer, 0, x.from.output];
    const config: JsonObject = {
      name,
      trainable: true,
      layers: layers.map((layer) => ({
        module: 'keras.layers',
        class_name: layer.className,
        config: layer.config,
        registered_name: null,
        name: layer.name,
        inbound_nodes: layer.className === 'InputLayer' ? [] : [{ args: layer.args, kwargs: layer.kwargs }],
      })),
      input_layers: inputs.map(reference),
      output_layers: outputs.map(reference),
    };
    const model: KerasObject = { module: 'keras', class_name: 'Functional', config, registered_name: null };
    return {
      model,
      weights: {
        name,
        variables: [],
        children: new Map([
          [
            'layers',
            { name: null, variables: [], children: new Map(layers.map((layer, i) => [keys[i]!, layer.group])) },
          ],
        ]),
      },
    };
  }
}

const kerasTensor = (x: RaisedTensor): Json => ({
  class_name: '__keras_tensor__',
  config: { shape: [...x.shape], dtype: x.dtype, keras_history: [x.from.layer, 0, x.from.output] },
});
