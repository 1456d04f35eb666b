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
import { BATCH, known, open, type Size, Sizes } from './sizes.js';
import { inOrder, type RaisedStack, type RaisedTensor } from './values.js';

/** A layer that was found, and may still get a bias or an activation. */
export interface FoundLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Record<string, Json>;
  readonly args: readonly Json[];
  readonly kwargs: Record<string, Json>;
  /** The layers whose outputs it is called with. */
  readonly reads: readonly string[];
  /** What it is called with. */
  readonly inputs: readonly RaisedTensor[];
  group: WeightGroup;
}

/** Layers that keep the length of every axis that is open in their first input. */
const KEEPING: ReadonlySet<string> = new Set([
  ...[
    'Activation',
    'Add',
    'Average',
    'BatchNormalization',
    'Bidirectional',
    'Dense',
    'ELU',
    'Embedding',
    'GRU',
    'LSTM',
  ],
  ...['LayerNormalization', 'LeakyReLU', 'Maximum', 'Minimum', 'MultiHeadAttention', 'Multiply', 'ReLU', 'Rescaling'],
  ...['SimpleRNN', 'Softmax', 'Subtract', 'UnitNormalization', 'Concatenate', 'PReLU'],
]);

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

/** A tensor whose batch the graph has on another axis than its inputs say, of which it comes. */
export class BatchElsewhere extends Error {
  readonly inputs: readonly string[];
  readonly axis: number;

  constructor(message: string, inputs: readonly string[], axis: number) {
    super(message);
    this.inputs = inputs;
    this.axis = axis;
  }
}

/** A size that inputs declare as open, but that the graph computes with as with a number. */
export class SizeIsKnown extends Error {
  readonly size: string;
  readonly value: number;

  constructor(message: string, size: string, value: number) {
    super(message);
    this.size = size;
    this.value = value;
  }
}

/** Collects the layers that operators become. */
export class KerasBuilder {
  readonly layers: FoundLayer[] = [];
  readonly sizes: Sizes;
  /** The names of inputs in the graph, by their layers'. */
  readonly inputNames: Map<string, string> = new Map();
  private readonly used: Map<string, number> = new Map();
  private readonly byName: Map<string, FoundLayer> = new Map();
  /** Names of open sizes, by layer, output and axis. */
  private readonly named: Map<string, Size> = new Map();
  private readonly joins: Map<string, RaisedTensor> = new Map();

  constructor(batch: number | null = null) {
    this.sizes = new Sizes(batch);
  }

  find(name: string): FoundLayer {
    return this.byName.get(name)!;
  }

  /** The names of the inputs that a tensor comes of. */
  inputsOf({ from }: RaisedTensor): string[] {
    const seen = new Set([from.layer]);
    for (const name of seen) for (const read of this.find(name).reads) seen.add(read);
    return [...seen].flatMap((name) => this.inputNames.get(name) ?? []);
  }

  /** Says what the open size of an axis is. */
  name({ from }: RaisedTensor, axis: number, size: Size): void {
    this.named.set(`${from.layer}:${from.output}:${axis}`, size);
  }

  /** The size of an axis of a tensor, by the tensor's own order. */
  sizeOf(x: RaisedTensor, axis: number): Size {
    if (axis === 0) return open(BATCH);
    const number = x.shape[axis];
    if (number !== null && number !== undefined) return known(number);
    const key = `${x.from.layer}:${x.from.output}:${axis}`;
    const given = this.named.get(key);
    if (given) return given;
    const layer = this.find(x.from.layer);
    const [first] = layer.inputs;
    let found = open(key);
    if (layer.className === 'Permute') found = this.sizeOf(first!, (layer.config['dims'] as number[])[axis - 1]!);
    else if (first && KEEPING.has(layer.className) && first.shape[axis] === null) found = this.sizeOf(first, axis);
    this.named.set(key, found);
    return found;
  }

  /** Both directions of a recurrent operator, the features of one behind those of the other. */
  joined(stack: RaisedStack, what: string): RaisedTensor {
    const parts = stack.parts.map((part) => this.plain(part, what));
    const [first] = parts;
    if (!first) throw new FormatError(`ONNX: ${what}: expected directions, received none`);
    if (parts.length === 1) return first;
    const key = parts.map(({ from }) => `${from.layer}:${from.output}`).join();
    const known = this.joins.get(key);
    if (known) return known;
    const layer = this.layer('Concatenate', parts, { axis: -1 }, { list: true });
    const units = parts.reduce((n, p) => n + p.shape.at(-1)!, 0);
    const result = this.output(layer, [...first.shape.slice(0, -1), units]);
    this.joins.set(key, result);
    return result;
  }

  /** Adds a layer that is called with tensors. */
  layer(
    className: string,
    inputs: readonly RaisedTensor[],
    config: Readonly<Record<string, Json>>,
    {
      list = false,
      kwargs = {},
      flags = {},
      name: wanted,
    }: {
      readonly list?: boolean;
      readonly kwargs?: Readonly<Record<string, RaisedTensor | readonly RaisedTensor[]>>;
      readonly flags?: Readonly<Record<string, boolean>>;
      readonly name?: string;
    } = {},
  ): FoundLayer {
    const tensors = inputs.map(kerasTensor);
    const name = this.fresh(wanted || className.toLowerCase());
    const found: FoundLayer = {
      className,
      name,
      config: { name, ...config },
      args: inputs.length === 0 ? [] : list ? [tensors] : tensors,
      kwargs: {
        ...flags,
        ...Object.fromEntries(
          Object.entries(kwargs).map(([key, x]) => [key, 'kind' in x ? kerasTensor(x) : x.map(kerasTensor)]),
        ),
      },
      reads: [...inputs, ...Object.values(kwargs).flat()].map((x) => x.from.layer),
      inputs,
      group: emptyGroup(name),
    };
    this.layers.push(found);
    this.byName.set(name, found);
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

  /** A tensor with the axis of the batch first, the others as the graph has them. */
  withBatchFirst(x: RaisedTensor, what: string): RaisedTensor {
    const order = [0, ...x.order.filter((axis) => axis !== 0)];
    return this.plain({ ...x, order }, what);
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
