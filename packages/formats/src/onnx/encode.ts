import { FormatError, type Tensor } from '@recurra/tensor';
import { writeJson } from '../json.js';
import type { ModelFile } from '../model-file.js';
import { ASSETS_KEY, packAssets } from '../packed-assets.js';
import { Architecture } from './architecture.js';
import {
  attributeMessage,
  type Constant,
  type Dim,
  type ElementType,
  GraphBuilder,
  type Limits,
  type Value,
} from './graph.js';
import { isObject } from './layer-call.js';
import { describeWeights, METADATA } from './own.js';
import { DATA_TYPES, writeModel } from './proto.js';

/** The version of the operators: runtimes since 2021 know it. */
const OPSET = 17;
/** The version of the format that came with it. */
const IR_VERSION = 8;

/** Options of {@link encodeOnnx}. */
export interface OnnxOptions {
  /** Keep the architecture beside the graph, so that {@link decodeOnnx} gives back the layers themselves; true. */
  readonly architecture?: boolean;
}

/** A graph as it is written, before it becomes bytes. */
export interface WrittenGraph {
  readonly builder: GraphBuilder;
  readonly inputs: readonly Value[];
  readonly outputs: readonly (readonly [value: Value, name: string])[];
}

/** The graph of a model. Throws `FormatError` for what has no operators. */
export function graphOf(file: Pick<ModelFile, 'model' | 'weights'>, limits?: Limits): WrittenGraph {
  if (!file.model)
    throw new FormatError(
      'ONNX: expected a model with its architecture, received weights alone. Save the whole model.',
    );
  const builder = new GraphBuilder(limits);
  const { inputs, outputs } = new Architecture(builder).model(file.model, file.weights);
  builder.scope = '';
  const names = outputNames(file.model.config['output_layers'] ?? null, outputs.length, inputs);
  return {
    builder,
    inputs: [...inputs, ...builder.stateInputs],
    outputs: [
      ...outputs.map((value, i) => [value, builder.fresh(names[i] ?? `output_${i}`)] as const),
      ...builder.stateOutputs,
    ],
  };
}

/** Outputs go by the layers that give them. */
function outputNames(given: unknown, count: number, inputs: readonly Value[]): string[] {
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (!Array.isArray(node)) {
      // Outputs by names, in the order in which the graph gives them.
      if (isObject(node)) Object.values(node).forEach(visit);
    } else if (typeof node[0] === 'string')
      found.push(inputs.some((x) => x.name === node[0]) ? `${node[0]}_output` : node[0]);
    else node.forEach(visit);
  };
  visit(given);
  return found.length === count ? found : count === 1 ? ['output'] : [];
}

/**
 * A model as ONNX (opset 17), for inference: bytes that onnxruntime and others run, in Node, in browsers and elsewhere. The sizes of batches, and those of time
 * where the model leaves them open, stay open. LSTM, GRU and SimpleRNN become ONNX' own operators, and masks are kept exactly. A stateful layer's states are
 * further inputs (`lstm/state_h`) and outputs (`lstm/state_h/next`).
 *
 * Throws `FormatError` for layers, activations and dtypes that have no operators, naming them; for models that write `call`, and for weights alone.
 */
export function encodeOnnx(file: ModelFile, { architecture = true }: OnnxOptions = {}): Uint8Array {
  const { builder, inputs, outputs } = graphOf(file);
  return writeModel({
    irVersion: BigInt(IR_VERSION),
    producerName: 'recurra',
    opsetImport: [{ domain: '', version: BigInt(OPSET) }],
    metadataProps: [
      ...(file.assets.size > 0 ? [{ key: ASSETS_KEY, value: packAssets(file.assets) }] : []),
      ...(architecture && file.model
        ? [
            { key: METADATA.model, value: writeJson(file.model) },
            {
              key: METADATA.weights,
              value: writeJson(file.weights && describeWeights(file.weights, builder.read)),
            },
          ]
        : []),
    ],
    graph: {
      name: String(file.model!.config['name'] ?? 'model'),
      node: [
        ...builder.nodes.map(({ op, name, inputs: from, outputs: to, attributes }) => ({
          opType: op,
          name,
          input: [...from],
          output: [...to],
          attribute: Object.entries(attributes).map(([key, value]) => attributeMessage(key, value)),
        })),
        // Outputs go by names of their own.
        ...outputs.map(([value, name]) => ({
          opType: 'Identity',
          name: `output/${name}`,
          input: [value.name],
          output: [name],
          attribute: [],
        })),
      ],
      initializer: [...builder.constants].map(([name, constant]) => tensorMessage(name, constant)),
      input: inputs.map((value) => infoMessage(value.name, value)),
      output: outputs.map(([value, name]) => infoMessage(name, value)),
    },
  });
}

function infoMessage(name: string, { shape, type }: Value): object {
  const dim = (size: Dim, axis: number): object =>
    size === null ? { dimParam: axis === 0 ? 'batch' : `${name}_axis_${axis}` } : { dimValue: BigInt(size) };
  return { name, type: { tensorType: { elemType: DATA_TYPES[type], shape: { dim: shape.map(dim) } } } };
}

/** Elements as little-endian bytes. */
function rawBytes(value: Tensor, type: ElementType): Uint8Array {
  const { data } = value;
  const size = { float32: 4, int32: 4, int64: 8, bool: 1 }[type as 'float32'];
  const bytes = new Uint8Array(data.length * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < data.length; i++) {
    const element = Number(data[i]);
    if (type === 'float32') view.setFloat32(4 * i, element, true);
    else if (type === 'int32') view.setInt32(4 * i, element, true);
    else if (type === 'int64') view.setBigInt64(8 * i, BigInt(element), true);
    else bytes[i] = element;
  }
  return bytes;
}

function tensorMessage(name: string, { type, value }: Constant): object {
  return {
    name,
    dims: value.shape.map(BigInt),
    dataType: DATA_TYPES[type],
    rawData: rawBytes(value, type),
  };
}
