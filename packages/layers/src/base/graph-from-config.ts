import { FormatError, RecurraError, type Tensor, tensor } from '@recurra/tensor';
import { InputLayer } from '../layers/input.js';
import { firstCall, SYMBOLIC_TENSOR, TENSOR } from './graph-config.js';
import { type AnyLayer, Layer, type LayerConfig } from './layer.js';
import { Model } from './model.js';
import type { SymbolicTensor } from './symbolic.js';
import { describeTree, isRecord, leavesOf } from './tree.js';

/** How deep lists and objects of a configuration may lie in each other: deeper ones are no models. */
const DEEPEST = 64;

/** A call that is still to be made. */
interface Pending {
  readonly layer: string;
  readonly index: number;
  readonly args: unknown;
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** How many of the calls that it depends on were not made yet. */
  waits: number;
}

/** Runs `f`; whatever it throws (a refused option, a shape that does not fit) is a fault of the configuration: `FormatError`. */
export function asFormatError<R>(what: string, f: () => R): R {
  try {
    return f();
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const own = error instanceof RecurraError ? '' : ' The arguments of the configuration do not fit the class.';
    throw Object.assign(new FormatError(`${what}: ${message}${own}`), { cause: error });
  }
}

/**
 * The model of a configuration of a graph of layers ({@link graphConfig}, Keras' `Functional`), with fresh weights.
 * Throws `FormatError`: for entries of another form, names that there are twice or not at all, calls that wait for each other.
 * @param make makes a layer from its description
 */
export function graphFromConfig(config: LayerConfig, make: (given: never) => AnyLayer): Model<unknown, unknown> {
  const label =
    `modelFromConfig: Functional ${typeof config['name'] === 'string' ? JSON.stringify(config['name']) : ''}`.trimEnd();
  const fail = (expected: string, received: unknown): never => {
    throw new FormatError(`${label}: expected ${expected}, received ${describeTree(received)}`);
  };
  const { name, trainable, layers: entries } = config;
  if (name !== undefined && name !== null && typeof name !== 'string') fail('a name that is a text', name);
  if (trainable !== undefined && trainable !== null && typeof trainable !== 'boolean')
    fail('trainable to be true or false', trainable);
  if (!Array.isArray(entries)) return fail('a list of layers', entries);

  const layers = new Map<string, AnyLayer>();
  const calls = new Map<string, Pending[]>();
  for (const entry of entries as unknown[]) {
    if (!isRecord(entry)) return fail('layers that are objects with className, config, name and inboundNodes', entry);
    const own = entry['name'] ?? (isRecord(entry['config']) ? entry['config']['name'] : undefined);
    if (typeof own !== 'string' || own === '') return fail('layers with a name', own);
    if (layers.has(own)) throw new FormatError(`${label}: expected layers of different names, received "${own}" twice`);
    const layer = make(entry as never);
    if (!(layer instanceof Layer)) return fail(`a layer for "${own}"`, layer);
    if (layer.name !== own)
      throw new FormatError(`${label}: expected the layer "${own}" to have that name, received "${layer.name}"`);
    const nodes = entry['inboundNodes'] ?? [];
    if (!Array.isArray(nodes)) return fail(`inboundNodes of "${own}" to be a list`, nodes);
    if (layer instanceof InputLayer && nodes.length > 0) return fail(`no calls of the input "${own}"`, nodes);
    layers.set(own, layer);
    calls.set(
      own,
      (nodes as unknown[]).map((node, index) => {
        if (!isRecord(node) || !Array.isArray(node['args']) || node['args'].length === 0)
          return fail(`calls of "${own}" with a list of args`, isRecord(node) ? node['args'] : node);
        const kwargs = node['kwargs'] ?? {};
        if (!isRecord(kwargs)) return fail(`kwargs of "${own}" to be an object`, kwargs);
        // Several positional arguments of Keras' call are a list of inputs here.
        const { args } = node;
        return { layer: own, index, args: args.length === 1 ? args[0] : args, kwargs, waits: 0 };
      }),
    );
  }

  /** The call and the output that a reference means; an input's one is `null`. */
  const referred = (reference: unknown, from: string): { call: Pending | null; layer: AnyLayer; output: number } => {
    if (!isReference(reference)) return fail(`references of the form [layer, call, output] in ${from}`, reference);
    const [of, number, output] = reference;
    const layer = layers.get(of);
    if (!layer) throw new FormatError(`${label}: expected a layer "${of}", which ${from} refers to, received none`);
    if (layer instanceof InputLayer) {
      if (number !== 0 || output !== 0) return fail(`${from} to refer to the input as ["${of}", 0, 0]`, reference);
      return { call: null, layer, output };
    }
    const call = calls.get(of)![number - firstCall(layer)];
    if (!call)
      throw new FormatError(
        `${label}: expected ${from} to refer to one of the ${calls.get(of)!.length} calls of "${of}", received call ${number}`,
      );
    return { call, layer, output };
  };

  const dependents = new Map<Pending, Pending[]>();
  const wait = (call: Pending, on: Pending): void => {
    call.waits++;
    const known = dependents.get(on);
    if (known) known.push(call);
    else dependents.set(on, [call]);
  };
  const all = [...calls.values()].flat();
  for (const call of all) {
    const from = `"${call.layer}"`;
    // Calls of one layer are made in their order: it numbers them.
    if (call.index > 0) wait(call, calls.get(call.layer)![call.index - 1]!);
    for (const value of [call.args, call.kwargs])
      fillTree(value, label, (history) => {
        const { call: on } = referred(history, from);
        if (on) wait(call, on);
        return null;
      });
  }

  const made = new Map<Pending, readonly SymbolicTensor[]>();
  const tensorOf = (reference: unknown, from: string): SymbolicTensor => {
    const { call, layer, output } = referred(reference, from);
    if (!call) return (layer as InputLayer).output;
    const results = made.get(call);
    const result = results?.[output];
    if (!result)
      throw new FormatError(
        `${label}: expected ${from} to refer to one of the ${results?.length ?? 0} outputs of "${call.layer}", received output ${output}`,
      );
    return result;
  };
  const ready = all.filter((call) => call.waits === 0);
  for (let next = 0; next < ready.length; next++) {
    const call = ready[next]!;
    const from = `"${call.layer}"`;
    const fill = (tree: unknown): unknown => fillTree(tree, label, (history) => tensorOf(history, from));
    const options: Record<string, unknown> = {};
    // Arguments that were left at their defaults are written too; the run says whether it trains.
    for (const [key, value] of Object.entries(call.kwargs))
      if (value !== null && !(key === 'training' && value === false)) options[key] = fill(value);
    const outputs = asFormatError(`${label}: layer ${from}`, () =>
      (layers.get(call.layer)! as { apply(x: unknown, options: object): unknown }).apply(fill(call.args), options),
    );
    const results = leavesOf(outputs) as SymbolicTensor[];
    made.set(call, results);
    for (const dependent of dependents.get(call) ?? []) if (--dependent.waits === 0) ready.push(dependent);
  }
  if (made.size < all.length) {
    const stuck = [...new Set(all.filter((call) => !made.has(call)).map((call) => `"${call.layer}"`))];
    throw new FormatError(
      `${label}: expected layers that feed each other in one direction, received a circle among ${stuck.slice(0, 5).join(', ')}`,
    );
  }
  const ends = (key: 'inputLayers' | 'outputLayers'): unknown => {
    if (config[key] === undefined) return fail(key, undefined);
    return referenceTree(config[key], label, (reference) => tensorOf(reference, key));
  };
  const model = asFormatError(label, () => {
    const options = { inputs: ends('inputLayers'), outputs: ends('outputLayers') };
    return new Model(typeof name === 'string' ? { ...options, name } : options);
  });
  if (trainable === false) model.trainable = false;
  return model;
}

function isReference(value: unknown): value is readonly [string, number, number] {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    typeof value[0] === 'string' &&
    value.slice(1).every((n) => Number.isInteger(n) && n >= 0)
  );
}

/** A tree of references with what `f` gives in their place. */
function referenceTree(tree: unknown, label: string, f: (reference: unknown) => unknown, depth = 0): unknown {
  if (depth > DEEPEST) throw new FormatError(`${label}: expected lists at most ${DEEPEST} deep, received deeper ones`);
  if (isReference(tree)) return f(tree);
  if (Array.isArray(tree)) return tree.map((child) => referenceTree(child, label, f, depth + 1));
  if (isRecord(tree))
    return Object.fromEntries(Object.entries(tree).map(([key, v]) => [key, referenceTree(v, label, f, depth + 1)]));
  return f(tree);
}

/** The arguments of a call with tensors in the place of their descriptions. */
function fillTree(tree: unknown, label: string, symbolic: (history: unknown) => unknown, depth = 0): unknown {
  if (depth > DEEPEST)
    throw new FormatError(`${label}: expected arguments at most ${DEEPEST} deep, received deeper ones`);
  if (Array.isArray(tree)) return tree.map((child) => fillTree(child, label, symbolic, depth + 1));
  if (!isRecord(tree)) return tree;
  const { className, config } = tree;
  if (className === SYMBOLIC_TENSOR) return symbolic(isRecord(config) ? config['kerasHistory'] : config);
  if (className === TENSOR) return asFormatError(`${label}: a tensor among the arguments`, () => tensorFrom(config));
  return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, fillTree(v, label, symbolic, depth + 1)]));
}

function tensorFrom(config: unknown): Tensor {
  if (!isRecord(config)) throw new FormatError(`expected a tensor's value and dtype, received ${describeTree(config)}`);
  return tensor(config['value'] as never, { dtype: config['dtype'] as never });
}
