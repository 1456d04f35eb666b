import { FormatError } from '@recurra/tensor';
import type { Json, JsonObject } from '../model-file.js';
import { isObject, without } from './keras2-objects.js';

/** A layer of a graph, and its calls as Keras 2 lists them. */
interface NamedLayer {
  readonly name: string;
  readonly inbound: Json;
}

/** The graph that references mean. */
interface Calls {
  readonly label: string;
  /** The classes of the layers in Keras 3, by their names. */
  readonly classes: ReadonlyMap<string, string>;
  readonly inputs: Json;
  readonly outputs: Json;
}

type Reference = readonly [layer: string, call: number, output: number];

/** Layers to which states to begin with are given behind their inputs. */
const RECURRENT: ReadonlySet<string> = new Set([
  'RNN',
  'SimpleRNN',
  'LSTM',
  'GRU',
  'Bidirectional',
  'ConvLSTM1D',
  'ConvLSTM2D',
]);
/** Arguments that stand before others in Keras 3's calls. */
const POSITIONAL: Readonly<Record<string, readonly string[]>> = { MultiHeadAttention: ['value', 'key'] };

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** `["dense", 0, 0]`, with or without the arguments of the call. */
function isReference(value: unknown): value is readonly [string, number, number, ...Json[]] {
  return (
    Array.isArray(value) &&
    (value.length === 3 || value.length === 4) &&
    typeof value[0] === 'string' &&
    isCount(value[1]) &&
    isCount(value[2])
  );
}

/** All references in a tree. */
function* referencesIn(tree: Json): Generator<readonly [string, number, number, ...Json[]]> {
  if (isReference(tree)) {
    yield tree;
    yield* referencesIn(tree[3] ?? null);
  } else if (Array.isArray(tree)) for (const child of tree) yield* referencesIn(child as Json);
  else if (isObject(tree)) for (const child of Object.values(tree)) yield* referencesIn(child);
}

/** Numbers of calls as Keras 3 counts them: graphs of layers were called once when they were made, chains were not. */
class Numbers {
  private readonly smallest = new Map<string, number>();
  private readonly classes: ReadonlyMap<string, string>;

  constructor(layers: readonly NamedLayer[], { classes, outputs }: Calls) {
    this.classes = classes;
    for (const tree of [...layers.map(({ inbound }) => inbound), outputs])
      for (const [name, call] of referencesIn(tree))
        this.smallest.set(name, Math.min(call, this.smallest.get(name) ?? call));
  }

  of([name, call, output]: Reference): Reference {
    const className = this.classes.get(name);
    // Keras 2 and TensorFlow.js count from 1 for both: all calls that are written are used, the first one, too.
    const from = this.smallest.get(name) === 0 ? 0 : 1;
    if (className === 'Sequential') return [name, call - from, output];
    if (className === 'Functional') return [name, call - from + 1, output];
    return [name, call, output];
  }
}

const isFormer = (node: Json): boolean => !(isObject(node) && 'args' in node);

/** The calls of each layer of a graph as Keras 3 has them. Throws `FormatError` for other forms. */
export function callsFromKeras2(layers: readonly NamedLayer[], graph: Calls): readonly (readonly Json[])[] {
  const numbers = new Numbers(layers, graph);
  return layers.map(({ name, inbound }) => {
    const fail = (expected: string, received: unknown): never => {
      throw new FormatError(
        `${graph.label}: expected ${expected} for "${name}", received ${JSON.stringify(received)?.slice(0, 80)}`,
      );
    };
    if (!Array.isArray(inbound)) return fail('inbound_nodes as a list', inbound);
    const known = (reference: Reference): JsonObject => {
      if (!graph.classes.has(reference[0])) fail('calls that refer to layers of the model', reference);
      return {
        class_name: '__keras_tensor__',
        config: { shape: [null], dtype: 'float32', keras_history: numbers.of(reference) },
      };
    };
    /** A tree of references as tensors. */
    const tensors = (tree: Json): Json => {
      if (isReference(tree)) return known([tree[0], tree[1], tree[2]]);
      if (Array.isArray(tree) && tree.length > 0) return (tree as readonly Json[]).map(tensors);
      if (isObject(tree)) return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, tensors(child)]));
      return fail('inbound_nodes of the form [["layer", call, output, {}]]', tree);
    };
    /** Arguments by name: references to layers among them are tensors, all else stays. */
    const argument = (value: Json): Json => {
      if (isReference(value) && graph.classes.has(value[0])) return known([value[0], value[1], value[2]]);
      if (Array.isArray(value)) return (value as readonly Json[]).map(argument);
      return value;
    };
    const className = graph.classes.get(name)!;
    return (inbound as readonly Json[]).map((node) => {
      if (!isFormer(node)) return node;
      const list = isReference(node) || !Array.isArray(node) ? [node] : (node as readonly Json[]);
      if (list.length === 0) return fail('calls with inputs', node);
      const own = [...list].reverse().find((entry) => isReference(entry) && isObject(entry[3]));
      const given = isReference(own) && isObject(own[3]) ? own[3] : {};
      const kwargs = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, argument(value)]));
      const args = list.map(tensors);
      if (args.length === 1) {
        const more = (POSITIONAL[className] ?? []).filter((key) => (kwargs[key] ?? null) !== null);
        return { args: [...args, ...more.map((key) => kwargs[key]!)], kwargs: without(kwargs, more) };
      }
      // States to begin with stand behind the inputs.
      if (RECURRENT.has(className)) {
        const [inputs, ...states] = args as [Json, ...Json[]];
        return { args: [inputs], kwargs: { ...kwargs, initial_state: states } };
      }
      return { args: [args], kwargs };
    });
  });
}

/** Inputs or outputs of a graph as Keras 3 refers to them: a single one is no list. */
export function referencesFromKeras2(tree: Json, graph: Calls, layers: readonly NamedLayer[]): Json {
  const numbers = new Numbers(layers, graph);
  const visit = (value: Json): Json => {
    if (isReference(value)) {
      if (!graph.classes.has(value[0]))
        throw new FormatError(
          `${graph.label}: expected inputs and outputs of the model's layers, received "${value[0]}"`,
        );
      return numbers.of([value[0], value[1], value[2]]);
    }
    if (Array.isArray(value)) return (value as readonly Json[]).map(visit);
    if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, visit(child)]));
    throw new FormatError(
      `${graph.label}: expected input_layers and output_layers as [["layer", call, output]], received ${JSON.stringify(value)}`,
    );
  };
  const visited = visit(tree);
  return Array.isArray(visited) && visited.length === 1 && Array.isArray(visited[0]) ? (visited[0] as Json) : visited;
}
