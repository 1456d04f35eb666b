import { FormatError } from '@recurra/tensor';
import { isObject } from '../keras/keras2-objects.js';
import { groupKeys, type Json, type JsonObject, type NamedTensor, type WeightGroup } from '../model-file.js';

/**
 * Where the weights of a model stand: in the groups of Keras' attributes, and by the names that TensorFlow.js gives them. Both follow from the layers.
 */
export interface Place {
  readonly name: string | null;
  /** What the names of its weights begin with: first as TensorFlow.js writes them, then as Keras does; none for what has no weights of its own. */
  readonly prefixes: readonly string[];
  readonly children: ReadonlyMap<string, Place>;
}

const RECURRENT: ReadonlySet<string> = new Set(['SimpleRNN', 'LSTM', 'GRU']);
const MODELS: ReadonlySet<string> = new Set(['Sequential', 'Functional', 'Model']);

/** The order of the weights of a layer: that in which Keras makes them. */
const ORDER = [
  'embeddings',
  'depthwise_kernel',
  'pointwise_kernel',
  'kernel',
  'recurrent_kernel',
  'alpha',
  'gamma',
  'beta',
  'bias',
  'moving_mean',
  'moving_variance',
];

interface Described {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
}

function described(given: Json | undefined, label: string): Described {
  if (isObject(given)) {
    const { class_name: className, config } = given;
    if (typeof className === 'string' && isObject(config)) {
      const name = given['name'] ?? config['name'] ?? null;
      return { className, name: typeof name === 'string' ? name : '', config };
    }
  }
  throw new FormatError(`${label}: expected a layer as { class_name, config }, received another form`);
}

const leaf = (name: string | null, prefixes: readonly string[]): Place => ({ name, prefixes, children: new Map() });
const parent = (name: string | null, children: readonly (readonly [string, Place])[]): Place => ({
  name,
  prefixes: [],
  children: new Map(children),
});

/** Keras' name of a cell where it is given none. */
const cellName = (className: string): string =>
  ({
    LSTMCell: 'lstm_cell',
    GRUCell: 'gru_cell',
    SimpleRNNCell: 'simple_rnn_cell',
    LSTM: 'lstm_cell',
    GRU: 'gru_cell',
  })[className] ?? 'simple_rnn_cell';

/** The cells of an RNN: TensorFlow.js numbers those of a stack. */
function cellPlace(cell: Json | undefined, scope: string, label: string): Place {
  const { className, name, config } = described(cell, label);
  if (className !== 'StackedRNNCells') return leaf(name || cellName(className), [scope, `${scope}/${name}`]);
  const list = config['cells'];
  if (!Array.isArray(list)) throw new FormatError(`${label}: expected a list of cells, received another form`);
  const cells = (list as readonly Json[]).map((one) => described(one, label));
  const keys = groupKeys(cells);
  const stack = name || 'stacked_rnn_cells';
  const places = cells.map((one, i): readonly [string, Place] => {
    if (one.className === 'StackedRNNCells')
      throw new FormatError(`${label}: expected cells in one stack, received a stack in a stack`);
    // A cell without a name is called by its class, numbered.
    const own = one.name || keys[i]!;
    return [keys[i]!, leaf(own, [`${scope}/RNNCell_${i}`, `${scope}/${stack}/${own}`, `${scope}/${own}`])];
  });
  return parent(stack, [['cells', parent(null, places)]]);
}

/** The place of a layer whose name stands before those of its weights as `scope`. */
function placeOf({ className, name, config }: Described, scope: string, label: string): Place {
  const where = `${label}: ${className} "${name}"`;
  if (MODELS.has(className) && Array.isArray(config['layers'])) {
    const layers = (config['layers'] as readonly Json[]).map((layer) => described(layer, where));
    const keys = groupKeys(layers);
    // What is in a model is named for itself.
    const places = layers.map((layer, i) => [keys[i]!, placeOf(layer, layer.name, label)] as const);
    return parent(name, [['layers', parent(null, places)]]);
  }
  if (className === 'Bidirectional') {
    const inner = described(config['layer'], where);
    const own = inner.name.replace(/^forward_/, '');
    const back = config['backward_layer'] ? described(config['backward_layer'], where).name : `backward_${own}`;
    const walk = (direction: string): Place => placeOf({ ...inner, name: direction }, `${scope}/${direction}`, label);
    return parent(name, [
      ['forward_layer', walk(`forward_${own}`)],
      ['backward_layer', walk(back)],
    ]);
  }
  if (className === 'TimeDistributed') {
    const inner = described(config['layer'], where);
    const place = placeOf(inner, scope, label);
    const longer = place.prefixes.map((prefix) => `${prefix}/${inner.name}`);
    return parent(name, [['layer', { ...place, prefixes: [...place.prefixes, ...longer] }]]);
  }
  if (className === 'RNN') return parent(name, [['cell', cellPlace(config['cell'], scope, where)]]);
  if (RECURRENT.has(className)) {
    const cell = cellName(className);
    return parent(name, [['cell', leaf(cell, [scope, `${scope}/${cell}`])]]);
  }
  return leaf(name, [scope]);
}

/** Where the weights of a model stand. Throws `FormatError` for layers of another form. */
export function placesOf(model: JsonObject, label: string): Place {
  return placeOf(described(model, label), '', label);
}

/** All places that may have weights of their own. */
function* leavesOf(place: Place): Generator<Place> {
  if (place.prefixes.length > 0) yield place;
  for (const child of place.children.values()) yield* leavesOf(child);
}

/** The rank of a weight among those of its layer. */
const rankOf = (tail: string): number => {
  const rank = ORDER.indexOf(tail);
  return rank < 0 ? ORDER.length : rank;
};

/** Weights of one layer in the order in which Keras makes them. */
export const inOrder = (weights: readonly NamedTensor[]): readonly NamedTensor[] =>
  [...weights].sort((a, b) => rankOf(tailOf(a.name)) - rankOf(tailOf(b.name)));

/** The last part of a name, without the number of the output. */
const tailOf = (name: string): string => split(name.replace(/:\d+$/, ''))[1];

/** What stands before the last part of a name, and that. */
const split = (name: string): readonly [before: string, tail: string] => {
  const at = name.lastIndexOf('/');
  return [at < 0 ? '' : name.slice(0, at), name.slice(at + 1)];
};

/**
 * The weights of a model by the names of Keras' attributes, of those of a manifest. Names are as TensorFlow.js has them (`lstm/kernel`) or as Keras does
 * (`lstm/lstm_cell/kernel:0`). Throws `FormatError` for a weight that no layer has, and for two that are the same.
 */
export function groupsFrom(place: Place, weights: readonly NamedTensor[], label: string): WeightGroup {
  const byPrefix = new Map<string, Place>();
  for (const leafPlace of leavesOf(place))
    for (const prefix of leafPlace.prefixes) {
      const other = byPrefix.get(prefix);
      // Of layers of one name, the first has it; TensorFlow.js refuses such models.
      if (!other) byPrefix.set(prefix, leafPlace);
    }
  const found = new Map<Place, NamedTensor[]>();
  for (const { name, value } of weights) {
    const [before, tail] = split(name.replace(/:\d+$/, ''));
    const owner = ownerOf(byPrefix, before);
    if (!owner)
      throw new FormatError(
        `${label}: expected weights of the model's layers, received "${name}", which none of them has`,
      );
    const own = found.get(owner) ?? [];
    if (own.some((other) => other.name === tail))
      throw new FormatError(
        `${label}: expected each weight once, received "${name}", which is there under another name`,
      );
    found.set(owner, [...own, { name: tail, value }]);
  }
  const group = (at: Place): WeightGroup => ({
    name: at.name,
    variables: inOrder(found.get(at) ?? []),
    children: new Map([...at.children].map(([key, child]) => [key, group(child)])),
  });
  return group(place);
}

/** The layer that names begin with; names of models, and of cells, may stand around. */
function ownerOf(byPrefix: ReadonlyMap<string, Place>, before: string): Place | undefined {
  for (let path = before; ; ) {
    const own = byPrefix.get(path) ?? byPrefix.get(split(path)[0]);
    if (own) return own;
    const at = path.indexOf('/');
    if (at < 0) return undefined;
    path = path.slice(at + 1);
  }
}

/** What TensorFlow.js takes as the name of a weight. */
const NAME = /^[A-Za-z0-9][-A-Za-z0-9._/]*$/;

/** The weights of a model by the names of TensorFlow.js. Throws `FormatError` for such as it does not know, and for names that it refuses. */
export function namesOf(place: Place, group: WeightGroup, label: string): readonly NamedTensor[] {
  const taken = new Set<string>();
  const named: NamedTensor[] = [];
  const visit = (at: Place, own: WeightGroup): void => {
    const [prefix] = at.prefixes;
    if (prefix === undefined && own.variables.length > 0)
      throw new FormatError(
        `${label}: expected weights of layers, received such of ${JSON.stringify(own.name)} itself`,
      );
    for (const { name, value } of own.variables) {
      const full = `${prefix}/${name}`;
      if (!NAME.test(full))
        throw new FormatError(
          `${label}: expected names of layers of letters, digits, ".", "-" and "_", received "${full}", which TensorFlow.js refuses. Give the layer another name.`,
        );
      if (taken.has(full))
        throw new FormatError(
          `${label}: expected layers of different names, received two called "${prefix}". TensorFlow.js tells weights by them: rename one.`,
        );
      taken.add(full);
      named.push({ name: full, value });
    }
    const keys = keysOf(at, own);
    for (const [key, child] of own.children) {
      const found = at.children.get(keys.get(key) ?? key);
      if (found) visit(found, child);
      else if (holds(child))
        throw new FormatError(
          `${label}: expected weights that layers of TensorFlow.js have, received such of "${key}" in ${JSON.stringify(own.name)}`,
        );
    }
  };
  visit(place, group);
  return named;
}

/** Has a group weights, or one of those within? */
const holds = (group: WeightGroup): boolean => group.variables.length > 0 || [...group.children.values()].some(holds);

/** In a list, layers are found by their names first: their keys are numbered in an order that files may have otherwise. */
function keysOf(place: Place, group: WeightGroup): ReadonlyMap<string, string> {
  if (place.name !== null || group.name !== null) return new Map();
  const byName = new Map([...place.children].map(([key, child]) => [child.name, key]));
  if (byName.size !== place.children.size) return new Map();
  const entries = [...group.children].flatMap(([key, child]) => {
    const own = child.name === null ? undefined : byName.get(child.name);
    return own === undefined ? [] : [[key, own] as const];
  });
  return new Map(entries);
}
