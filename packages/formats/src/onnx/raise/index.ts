/** Reads a graph operator by operator: each becomes a layer of Keras, or a part of one. */
import { FormatError, RecurraError } from '@recurra/tensor';
import type { ModelFile } from '../../model-file.js';
import type { Constant, Dim } from '../graph.js';
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from '../proto.js';
import { typeName } from '../read.js';
import { BatchElsewhere, KerasBuilder, SizeIsKnown } from './builder.js';
import { computedSizes, folded, isFolded } from './constants.js';
import { fused } from './fuse.js';
import { kindName, NodeReader } from './node-reader.js';
import { OPERATORS } from './operators.js';
import { open } from './sizes.js';
import type { Raised, RaisedTensor } from './values.js';
import { settledView, viewOfStack } from './views.js';

/** Which axis of an input is that of the batch: the first, unless a recurrent operator reads another one. */
type BatchAxes = ReadonlyMap<string, number>;

/** What the graph says of its inputs further down. */
interface Told {
  readonly batchAxes: BatchAxes;
  /** Sizes that are declared open, but that the graph computes with as with a number. */
  readonly told: ReadonlyMap<string, number>;
}

/** An input of the graph as an input of the model. */
function inputOf(keras: KerasBuilder, { name, type }: ValueInfoProto, { batchAxes, told }: Told): RaisedTensor {
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
  const batch = batchAxes.get(name) ?? 0;
  const order = dim.map((_, i) => (i === batch ? 0 : i < batch ? i + 1 : i));
  const sizes = dim.map(({ dimValue, dimParam }, i): Dim => {
    const size = told.get(dimParam) ?? Number(dimValue);
    if (!(size >= 0 && size < 2 ** 31))
      throw new FormatError(`ONNX: input "${name}": expected sizes of at least 0, received ${size}`);
    // The number of samples is open; a size of 0 says that it is not known.
    return i === batch || size === 0 ? null : size;
  });
  const shape = sizes.map((_, axis) => sizes[order.indexOf(axis)]!);
  const dtype = element === 'int64' ? 'int32' : element;
  // Names of layers are parts of paths.
  const layer = keras.layer('InputLayer', [], { batch_shape: shape, dtype }, { name: name.replace(/[^\w.:-]+/g, '_') });
  const value = { ...keras.output(layer, shape, { dtype }), order };
  // Sizes of one name are one size.
  dim.forEach(({ dimParam }, i) => {
    if (i !== batch && sizes[i] === null && dimParam !== '') keras.name(value, order[i]!, open(dimParam));
  });
  return value;
}

/** How many samples the graph was written for, where its inputs agree on a number. */
function writtenFor(inputs: readonly ValueInfoProto[], batchAxes: BatchAxes): number | null {
  const sizes = new Set(
    inputs.map(({ name, type }) => Number(type?.tensorType?.shape?.dim[batchAxes.get(name) ?? 0]?.dimValue ?? 0)),
  );
  const [size] = sizes;
  return sizes.size === 1 && size !== undefined && size > 0 ? size : null;
}

/** The nodes that outputs come of. */
function needed(graph: GraphProto): NodeProto[] {
  const giver = new Map<string, number>();
  graph.node.forEach(({ output }, i) => {
    for (const name of output) giver.set(name, i);
  });
  const kept = new Set<number>();
  const waiting = graph.output.map(({ name }) => name);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const at = name === '' ? undefined : giver.get(name);
    if (at === undefined || kept.has(at)) continue;
    kept.add(at);
    waiting.push(...graph.node[at]!.input);
  }
  return graph.node.filter((_, i) => kept.has(i));
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
  const graph = fused(model.graph!, constants);
  const order = sorted(graph.node, new Set([...constants.keys(), ...graph.input.map(({ name }) => name)]));
  const wanted = new Set(needed(graph));
  const nodes = order.filter((node) => wanted.has(node));
  const unknown = nodes.filter(({ opType, domain }) => !isKnown(opType) || (domain !== '' && domain !== 'ai.onnx'));
  if (unknown.length > 0)
    throw new FormatError(
      `ONNX: expected operators that layers compute (${Object.keys(OPERATORS).join(', ')}), received ${[...new Set(unknown.map(named))].slice(0, 20).join(', ')}`,
    );
  const batchAxes = new Map<string, number>();
  const told = new Map<string, number>();
  for (;;) {
    try {
      return raiseWith({ graph, nodes, constants, batchAxes, told });
    } catch (error) {
      if (error instanceof SizeIsKnown && !told.has(error.size)) {
        told.set(error.size, error.value);
        continue;
      }
      // An input whose batch is another axis than the first: from the front, then. Each input is turned once.
      if (error instanceof SizeIsKnown) throw new FormatError(error.message);
      if (!(error instanceof BatchElsewhere)) throw error;
      const turned = error.inputs.filter((name) => !batchAxes.has(name));
      if (turned.length === 0) throw new FormatError(error.message);
      for (const name of turned) batchAxes.set(name, error.axis);
    }
  }
}

const isKnown = (opType: string): boolean => Object.hasOwn(OPERATORS, opType) || isFolded(opType);
const named = ({ opType, domain, name }: NodeProto): string =>
  `${domain ? `${domain}.` : ''}${opType}${name ? ` "${name}"` : ''}`;

interface Raising extends Told {
  readonly graph: GraphProto;
  readonly nodes: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, Constant>;
}

function raiseWith({ graph, nodes, constants, batchAxes, told }: Raising): Pick<ModelFile, 'model' | 'weights'> {
  const given = graph.input.filter(({ name }) => !constants.has(name));
  const keras = new KerasBuilder(writtenFor(given, batchAxes));
  const values = new Map<string, Raised>(
    [...constants].map(([name, constant]) => [name, { kind: 'constant', constant }]),
  );
  const inputs = given.map((info) => {
    const value = inputOf(keras, info, { batchAxes, told });
    if (values.has(info.name))
      throw new FormatError(`ONNX: expected inputs of different names, received "${info.name}" twice`);
    values.set(info.name, value);
    keras.inputNames.set(value.from.layer, info.name);
    return value;
  });
  const uses = new Map<string, number>();
  const use = (name: string): unknown => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { input } of nodes) input.forEach(use);
  for (const { name } of graph.output) use(name);
  for (const node of nodes) {
    const reader = new NodeReader(node, keras, values, uses);
    const result = lowered(reader.label, () => {
      const found = folded(reader) ?? computedSizes(reader);
      if (found) return found;
      const operator = Object.hasOwn(OPERATORS, node.opType) ? OPERATORS[node.opType] : undefined;
      return operator ? operator(reader) : reader.fail('expected constants: no layer computes it of tensors');
    });
    const list = Array.isArray(result) ? (result as readonly Raised[]) : [result as Raised];
    node.output.forEach((name, i) => {
      const value = list[i];
      if (name !== '' && value) values.set(name, value);
      else if (name !== '' && reader.isUsed(i)) reader.fail(`expected output ${i} not to be used`);
    });
  }
  const outputs = graph.output.map(({ name }) => {
    const what = `output "${name}"`;
    const value = values.get(name);
    if (!value || !/^(tensor|view|stack)$/.test(value.kind))
      throw new FormatError(
        `ONNX: ${what}: expected a value that a layer gives, received ${value ? kindName(value) : 'none'}`,
      );
    const view = value.kind === 'stack' ? viewOfStack(keras, value, what) : value;
    const x = view.kind === 'view' ? settledView(keras, view, what) : (view as RaisedTensor);
    if (x.rounded) throw new FormatError(`ONNX: ${what}: expected values that a layer gives, received rounded ones`);
    return keras.withBatchFirst(x, what);
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
