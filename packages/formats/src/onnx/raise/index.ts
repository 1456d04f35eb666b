/** Reads a graph operator by operator: each becomes a layer of Keras, or a part of one. */
import { FormatError, RecurraError } from '@recurra/tensor';
import type { ModelFile } from '../../model-file.js';
import type { Constant, Dim } from '../graph.js';
import type { ModelProto, NodeProto, ValueInfoProto } from '../proto.js';
import { typeName } from '../read.js';
import { KerasBuilder } from './builder.js';
import { NodeReader } from './node-reader.js';
import { OPERATORS } from './operators.js';
import type { Raised, RaisedTensor } from './values.js';

/** An input of the graph as an input of the model. */
function inputOf(keras: KerasBuilder, { name, type }: ValueInfoProto): RaisedTensor {
  const tensorType = type?.tensorType;
  const element = tensorType && typeName(tensorType.elemType);
  if (!tensorType?.shape || (element !== 'float32' && element !== 'int32' && element !== 'int64' && element !== 'bool'))
    throw new FormatError(
      `ONNX: input "${name}": expected float32, integers or bool of a known rank, received ${element ?? 'another type'}`,
    );
  const { dim } = tensorType.shape;
  if (dim.length < 1 || dim.length > 16)
    throw new FormatError(
      `ONNX: input "${name}": expected an axis of the batch, and at most 16, received ${dim.length}`,
    );
  const shape = dim.map(({ dimValue }, i): Dim => {
    const size = Number(dimValue);
    if (!(size >= 0 && size < 2 ** 31))
      throw new FormatError(`ONNX: input "${name}": expected sizes of at least 0, received ${size}`);
    // The number of samples is open; a size of 0 says that it is not known.
    return i === 0 || size === 0 ? null : size;
  });
  const dtype = element === 'int64' ? 'int32' : element;
  const layer = keras.layer('InputLayer', [], { batch_shape: shape, dtype });
  return keras.output(layer, shape, { dtype });
}

/** Nodes in an order in which each comes after those that it reads. Throws `FormatError` for circles, and for names that nothing gives. */
function sorted(nodes: readonly NodeProto[], known: ReadonlySet<string>): NodeProto[] {
  const giver = new Map<string, number>();
  nodes.forEach(({ output, opType }, i) => {
    for (const name of output) {
      if (name === '') continue;
      if (giver.has(name) || known.has(name))
        throw new FormatError(`ONNX: ${opType}: expected outputs of new names, received "${name}" again`);
      giver.set(name, i);
    }
  });
  const readers = new Map<number, number[]>();
  const left = nodes.map(({ input, opType }, i) => {
    const needed = new Set<number>();
    for (const name of input) {
      if (name === '' || known.has(name)) continue;
      const from = giver.get(name);
      if (from === undefined)
        throw new FormatError(
          `ONNX: ${opType}: expected an input "${name}" that a node, an input or an initializer gives`,
        );
      needed.add(from);
    }
    for (const from of needed) readers.set(from, [...(readers.get(from) ?? []), i]);
    return needed.size;
  });
  const ready = left.flatMap((n, i) => (n === 0 ? [i] : []));
  const order: NodeProto[] = [];
  for (let at = 0; at < ready.length; at++) {
    order.push(nodes[ready[at]!]!);
    for (const i of readers.get(ready[at]!) ?? []) if (--left[i]! === 0) ready.push(i);
  }
  if (order.length < nodes.length)
    throw new FormatError(
      `ONNX: expected a graph without circles, received ${nodes.length - order.length} nodes that wait for each other`,
    );
  return order;
}

/** The model that the operators of a graph compute. Throws `FormatError` for those that no layer computes. */
export function raise(
  model: ModelProto,
  constants: ReadonlyMap<string, Constant>,
): Pick<ModelFile, 'model' | 'weights'> {
  const graph = model.graph!;
  const unknown = new Set(
    graph.node
      .filter(({ opType, domain }) => !Object.hasOwn(OPERATORS, opType) || (domain !== '' && domain !== 'ai.onnx'))
      .map(({ opType, domain }) => (domain ? `${domain}.${opType}` : opType)),
  );
  if (unknown.size > 0)
    throw new FormatError(
      `ONNX: expected operators that layers compute (${Object.keys(OPERATORS).join(', ')}), received ${[...unknown].slice(0, 20).join(', ')}`,
    );
  const keras = new KerasBuilder();
  const values = new Map<string, Raised>(
    [...constants].map(([name, constant]) => [name, { kind: 'constant', constant }]),
  );
  const inputs = graph.input
    .filter(({ name }) => !constants.has(name))
    .map((info) => {
      const value = inputOf(keras, info);
      if (values.has(info.name))
        throw new FormatError(`ONNX: expected inputs of different names, received "${info.name}" twice`);
      values.set(info.name, value);
      return value;
    });
  const uses = new Map<string, number>();
  const use = (name: string): unknown => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { input } of graph.node) input.forEach(use);
  for (const { name } of graph.output) use(name);
  for (const node of sorted(graph.node, new Set(values.keys()))) {
    const reader = new NodeReader(node, keras, values, uses);
    const result = lowered(reader.label, () => OPERATORS[node.opType]!(reader));
    const list = Array.isArray(result) ? (result as readonly Raised[]) : [result as Raised];
    node.output.forEach((name, i) => {
      const value = list[i];
      if (name !== '' && value) values.set(name, value);
      else if (name !== '' && reader.isUsed(i)) reader.fail(`expected output ${i} not to be used`);
    });
  }
  const outputs = graph.output.map(({ name }) => {
    const value = values.get(name);
    if (value?.kind !== 'tensor' || value.rounded)
      throw new FormatError(`ONNX: expected an output "${name}" that a layer gives`);
    return keras.plain(value, `output "${name}"`);
  });
  if (inputs.length === 0 || outputs.length === 0)
    throw new FormatError('ONNX: expected a graph with inputs and outputs');
  return keras.file(graph.name || 'model', inputs, outputs);
}

function lowered<T>(label: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof FormatError || !(error instanceof RecurraError)) throw error;
    throw new FormatError(`ONNX: ${label}: ${error.message}`);
  }
}
