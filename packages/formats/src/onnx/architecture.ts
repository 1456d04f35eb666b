import { FormatError, RecurraError } from '@recurra/tensor';
import { groupKeys, type Json, type JsonObject, type WeightGroup } from '../model-file.js';
import { type Dim, type ElementType, type GraphBuilder, type Value, valueOf } from './graph.js';
import { type Argument, isObject, isValue, LayerCall, type LayerNode } from './layer-call.js';
import { LOWERINGS } from './lower/index.js';

/** How deep layers may lie in each other. */
const DEEPEST = 32;

/** A model as a graph: what comes in and what goes out. */
export interface LoweredModel {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

const isModel = (className: string, config: JsonObject): boolean =>
  className === 'Sequential' ||
  className === 'Functional' ||
  (className === 'Model' && Array.isArray(config['layers']));

/** Writes the layers of a model into a graph. */
export class Architecture {
  private readonly g: GraphBuilder;
  private depth = 0;

  constructor(g: GraphBuilder) {
    this.g = g;
  }

  /** Throws `FormatError` where the model has what ONNX, or this codec, cannot express. */
  model(model: JsonObject, weights: WeightGroup | null): LoweredModel {
    const { class_name: className, config } = model;
    if (typeof className !== 'string' || !isObject(config) || !isModel(className, config))
      throw new FormatError(
        `ONNX: expected a Sequential or a graph of layers (Functional), received ${String(className)}. A model that writes call has no graph that could be read: build one from its layers.`,
      );
    return this.graph(className, config, weights, '', null);
  }

  /** The layers of a model's configuration, with their weights. */
  private layersOf(label: string, config: JsonObject, weights: WeightGroup | null, path: string): Described[] {
    const list = config['layers'];
    if (!Array.isArray(list) || !list.every(isObject))
      throw new FormatError(`ONNX: ${label}: expected a list of layers`);
    const described = list.map((entry): Omit<Described, 'node'> & { className: string; config: JsonObject } => {
      const { class_name: className, config: own } = entry;
      if (typeof className !== 'string' || !isObject(own))
        throw new FormatError(`ONNX: ${label}: expected layers as { class_name, config }`);
      const name = entry['name'] ?? own['name'];
      if (typeof name !== 'string') throw new FormatError(`ONNX: ${label}: expected layers with names`);
      return { className, config: own, name, inbound: entry['inbound_nodes'] ?? null };
    });
    const keys = groupKeys(described);
    const groups = weights?.children.get('layers')?.children;
    return described.map(({ className, config: own, name, inbound }, i) => ({
      name,
      inbound,
      node: {
        className,
        name,
        config: own,
        group: groups?.get(keys[i]!) ?? null,
        path: path ? `${path}/${name}` : name,
      },
    }));
  }

  /** A model's graph: with inputs of its own (`given` null), or as a layer of another one. */
  private graph(
    className: string,
    config: JsonObject,
    weights: WeightGroup | null,
    path: string,
    given: readonly Value[] | null,
  ): LoweredModel {
    const label = `${className} ${JSON.stringify(config['name'] ?? '')}`;
    if (++this.depth > DEEPEST)
      throw new FormatError(`ONNX: ${label}: expected models at most ${DEEPEST} deep in each other`);
    try {
      const layers = this.layersOf(label, config, weights, path);
      return className === 'Sequential'
        ? this.sequential(label, config, layers, given)
        : this.functional(label, config, layers, given);
    } finally {
      this.depth--;
    }
  }

  private sequential(
    label: string,
    config: JsonObject,
    layers: readonly Described[],
    given: readonly Value[] | null,
  ): LoweredModel {
    const first = layers[0]?.node;
    const input = first?.className === 'InputLayer' ? first : null;
    let x: Value;
    if (given) {
      if (given.length !== 1) throw new FormatError(`ONNX: ${label}: expected one input, received ${given.length}`);
      x = given[0]!;
    } else if (input) x = this.input(input.name, input.config);
    else {
      const shape = config['build_input_shape'] ?? null;
      if (!Array.isArray(shape))
        throw new FormatError(
          `ONNX: ${label}: expected a model that is built, whose inputs have a known shape. Begin it with Input.`,
        );
      const ids = first?.className === 'Embedding';
      x = this.input('input', { batch_shape: shape, dtype: ids ? 'int32' : 'float32' });
    }
    const start = x;
    let outputs: readonly Value[] = [x];
    for (const { node } of input ? layers.slice(1) : layers)
      outputs = this.layer(node, outputs.length === 1 ? outputs[0]! : outputs, {});
    return { inputs: [start], outputs };
  }

  private functional(
    label: string,
    config: JsonObject,
    layers: readonly Described[],
    given: readonly Value[] | null,
  ): LoweredModel {
    const inputs = references(label, 'input_layers', config['input_layers']);
    const outputs = references(label, 'output_layers', config['output_layers']);
    if (given && given.length !== inputs.length)
      throw new FormatError(`ONNX: ${label}: expected ${inputs.length} inputs, received ${given.length}`);
    const made = new Map<string, readonly Value[]>();
    const calledFrom = smallestCalls(config);
    const key = (name: string, call: number): string => `${call}/${name}`;
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    if (byName.size !== layers.length) throw new FormatError(`ONNX: ${label}: expected layers of different names`);
    inputs.forEach(([name, call], i) => {
      const layer = byName.get(name);
      if (layer?.node.className !== 'InputLayer')
        throw new FormatError(`ONNX: ${label}: expected an InputLayer "${name}"`);
      made.set(key(name, call), [given ? given[i]! : this.input(name, layer.node.config)]);
    });
    // Calls wait until what they need is there, as in Keras.
    const waiting = layers.flatMap((layer) => {
      const nodes = layer.inbound ?? [];
      if (!Array.isArray(nodes)) throw new FormatError(`ONNX: ${label}: expected inbound_nodes as a list`);
      // In Keras, a graph of layers was called once, when it was made.
      const start = isModel(layer.node.className, layer.node.config) && layer.node.className !== 'Sequential' ? 1 : 0;
      return nodes.map((node, i) => ({ layer, node, call: start + i }));
    });
    // Sequential models count their calls from 0 in some files, from 1 in others.
    const numberOf = ([name, call]: Reference): number =>
      byName.get(name)?.node.className === 'Sequential' && calledFrom.get(name) === 1 ? call - 1 : call;
    const find = (reference: Reference): Value | null => {
      const [name, , index] = reference;
      const values = made.get(key(name, numberOf(reference)));
      if (!values) return null;
      const value = values[index];
      if (!value)
        throw new FormatError(`ONNX: ${label}: expected an output ${index} of "${name}", which has ${values.length}`);
      return value;
    };
    // Each call is tried once when all that it waits for is there.
    const waitingFor = new Map<string, (() => void)[]>();
    const ready = [...waiting].reverse();
    let done = 0;
    for (let entry = ready.pop(); entry; entry = ready.pop()) {
      const { layer, node, call } = entry;
      const args = argumentsOf(label, node, find);
      if (args.missing.length > 0) {
        let left = args.missing.length;
        const again = entry;
        for (const needed of args.missing) {
          const own = key(needed[0], numberOf(needed));
          const others = waitingFor.get(own) ?? [];
          waitingFor.set(own, others);
          others.push(() => {
            if (--left === 0) ready.push(again);
          });
        }
        continue;
      }
      const own = key(layer.name, call);
      made.set(own, this.layer(layer.node, args.inputs, args.kwargs));
      done++;
      for (const wake of waitingFor.get(own) ?? []) wake();
      waitingFor.delete(own);
    }
    if (done < waiting.length)
      throw new FormatError(
        `ONNX: ${label}: expected calls whose inputs can be computed, received ${waiting.length - done} that wait for each other`,
      );
    return {
      inputs: inputs.map(([name, call]) => made.get(key(name, call))![0]!),
      outputs: outputs.map((reference) => {
        const value = find(reference);
        if (!value) throw new FormatError(`ONNX: ${label}: expected an output "${reference[0]}" that is computed`);
        return value;
      }),
    };
  }

  /** An input of the graph. */
  private input(name: string, config: JsonObject): Value {
    const shape = config['batch_shape'] ?? config['batch_input_shape'];
    const type = config['dtype'] ?? 'float32';
    if (
      !Array.isArray(shape) ||
      !shape.every((d) => d === null || (Number.isInteger(d) && (d as number) >= 0 && (d as number) < 2 ** 31))
    )
      throw new FormatError(
        `ONNX: input "${name}": expected batch_shape as sizes and null, received ${JSON.stringify(shape)}`,
      );
    if (type !== 'float32' && type !== 'int32' && type !== 'bool' && type !== 'int64')
      throw new FormatError(
        `ONNX: input "${name}": expected float32, int32, int64 or bool, received ${JSON.stringify(type)}`,
      );
    return valueOf(this.g.fresh(name), shape as Dim[], type as ElementType);
  }

  /** What a layer gives for its inputs. */
  layer(layer: LayerNode, inputs: Argument, kwargs: Readonly<Record<string, Argument>>): readonly Value[] {
    const label = `${layer.className} "${layer.name}"`;
    if (++this.depth > DEEPEST)
      throw new FormatError(`ONNX: ${label}: expected layers at most ${DEEPEST} deep in each other`);
    this.g.step();
    try {
      if (kwargs['training'] === true)
        throw new FormatError(`ONNX: ${label}: expected a call for inference, received training: true`);
      if (isModel(layer.className, layer.config)) {
        const list: readonly Argument[] = Array.isArray(inputs) ? inputs : [inputs];
        const values = list.filter(isValue);
        return this.graph(layer.className, layer.config, layer.group, layer.path, values).outputs;
      }
      const lower = Object.hasOwn(LOWERINGS, layer.className) ? LOWERINGS[layer.className] : undefined;
      if (!lower)
        throw new FormatError(
          `ONNX: ${label}: expected a layer among ${Object.keys(LOWERINGS).join(', ')}, received ${layer.className}, for which there are no operators here. Split the model before it, or write it with other layers.`,
        );
      expectFloat32(label, layer.config['dtype'] ?? null);
      const before = this.g.scope;
      this.g.scope = layer.path;
      const call = new LayerCall(this.g, layer, inputs, kwargs, (inner, x, own = {}) => [...this.layer(inner, x, own)]);
      const result = lowered(label, () => lower(call));
      this.g.scope = before;
      return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
    } finally {
      this.depth--;
    }
  }
}

/** Runs a lowering: what does not fit its weights is told as an error of the file. */
function lowered<T>(label: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof FormatError || !(error instanceof RecurraError)) throw error;
    throw new FormatError(`ONNX: ${label}: ${error.message}`);
  }
}

interface Described {
  readonly name: string;
  readonly node: LayerNode;
  readonly inbound: Json;
}

/** How a graph refers to a tensor: the name of the layer, which of its calls, which output of that. */
type Reference = readonly [layer: string, call: number, output: number];

function isReference(value: unknown): value is Reference {
  return (
    Array.isArray(value) &&
    value.length >= 3 &&
    typeof value[0] === 'string' &&
    Number.isInteger(value[1]) &&
    Number.isInteger(value[2])
  );
}

/** References in a list, in lists in a list, in a record, or one alone, in order. */
function references(label: string, key: string, given: Json | undefined): Reference[] {
  const found: Reference[] = [];
  const visit = (node: unknown, depth: number): void => {
    if (isReference(node)) found.push(node);
    else if (Array.isArray(node) && depth < DEEPEST) for (const child of node) visit(child, depth + 1);
    else if (isObject(node) && depth < DEEPEST) for (const child of Object.values(node)) visit(child, depth + 1);
    else
      throw new FormatError(
        `ONNX: ${label}: expected ${key} as [layer, call, output], received ${JSON.stringify(node)}`,
      );
  };
  visit(given, 0);
  return found;
}

/** The smallest number of a call that anything refers to, for each layer. */
function smallestCalls(config: JsonObject): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const visit = (node: unknown, depth: number): void => {
    if (depth > 4 * DEEPEST) return;
    if (isReference(node)) found.set(node[0], Math.min(found.get(node[0]) ?? node[1], node[1]));
    else if (Array.isArray(node)) for (const child of node) visit(child, depth + 1);
    else if (isObject(node)) for (const child of Object.values(node)) visit(child, depth + 1);
  };
  const layers = config['layers'];
  if (Array.isArray(layers)) for (const layer of layers) if (isObject(layer)) visit(layer['inbound_nodes'], 0);
  visit(config['output_layers'], 0);
  return found;
}

/** Inputs and arguments of a call, and what of them is not there yet. */
function argumentsOf(
  label: string,
  node: unknown,
  find: (reference: Reference) => Value | null,
): {
  readonly inputs: Argument;
  readonly kwargs: Readonly<Record<string, Argument>>;
  readonly missing: readonly Reference[];
} {
  if (!isObject(node) || !Array.isArray(node['args']))
    throw new FormatError(`ONNX: ${label}: expected calls as { args, kwargs }, as Keras 3 writes them`);
  const missing: Reference[] = [];
  const visit = (given: unknown, depth: number): Argument => {
    if (depth > DEEPEST) throw new FormatError(`ONNX: ${label}: expected arguments at most ${DEEPEST} deep`);
    if (Array.isArray(given)) return given.map((child) => visit(child, depth + 1));
    if (!isObject(given)) return given as Json;
    if (given['class_name'] === '__keras_tensor__') {
      const history = isObject(given['config']) ? given['config']['keras_history'] : null;
      if (!isReference(history))
        throw new FormatError(`ONNX: ${label}: expected keras_history as [layer, call, output]`);
      const value = find(history);
      if (!value) missing.push(history);
      return value ?? null;
    }
    return Object.fromEntries(Object.entries(given).map(([k, child]) => [k, visit(child, depth + 1)]));
  };
  const args = (node['args'] as readonly unknown[]).map((a) => visit(a, 0));
  const kwargs = visit(node['kwargs'] ?? {}, 0) as Record<string, Argument>;
  // Keras' layers of attention take [query, value] or query, value: the same.
  const inputs = args.length === 1 ? args[0]! : args.flat();
  return {
    inputs: Array.isArray(inputs) && args.length > 1 ? inputs.filter((a) => a !== null) : inputs,
    kwargs,
    missing,
  };
}

/** Throws unless a layer computes in float32. */
function expectFloat32(label: string, dtype: Json): void {
  const name = isObject(dtype) ? (isObject(dtype['config']) ? dtype['config']['name'] : null) : dtype;
  // Layers that compute nothing of their own may have a dtype of integers.
  if (
    name === null ||
    name === undefined ||
    name === 'float32' ||
    name === 'int32' ||
    name === 'int64' ||
    name === 'bool'
  )
    return;
  throw new FormatError(
    `ONNX: ${label}: expected float32, received ${JSON.stringify(name)}. Make the model again with dtype 'float32', and take over the weights.`,
  );
}
