import { FormatError } from '@recurra/tensor';
import { isObject, without } from '../keras/keras2-objects.js';
import type { Json, JsonObject } from '../model-file.js';
import { COMMON, type Fail, LAYER_RULES, optionOf, relu, WITHOUT_EFFECT } from './layers.js';

/** Models as Keras 3 describes them, as TensorFlow.js does (which is how Keras 2 did). What it cannot load is refused. */

const MODELS: ReadonlySet<string> = new Set(['Sequential', 'Functional']);
const RECURRENT: ReadonlySet<string> = new Set(['RNN', 'SimpleRNN', 'LSTM', 'GRU', 'Bidirectional']);

type Reference = readonly [layer: string, call: number, output: number];

const dtypeOf = (given: Json | undefined): Json =>
  isObject(given) && isObject(given['config']) ? (given['config']['name'] ?? null) : (given ?? null);

const isReference = (value: unknown): value is Reference =>
  Array.isArray(value) && value.length === 3 && typeof value[0] === 'string';

class Topology {
  private readonly label: string;

  constructor(label: string) {
    this.label = label;
  }

  private fail(where: string, expected: string, received: Json | undefined): never {
    throw new FormatError(
      `${this.label}: ${where}: expected ${expected}, received ${JSON.stringify(received)?.slice(0, 80) ?? 'nothing'}. TensorFlow.js cannot load this model: change it, or save it as .keras.`,
    );
  }

  /** A layer, a cell or a model. */
  layer(given: Json | undefined, where: string, walk = false): JsonObject {
    if (!isObject(given)) return this.fail(where, 'a layer as { class_name, config }', given);
    const { class_name: className, config } = given;
    if (typeof className !== 'string' || !isObject(config))
      return this.fail(where, 'a layer as { class_name, config }', given);
    const name = config['name'] ?? given['name'] ?? '';
    const own = `${className} ${JSON.stringify(name)}`;
    if (MODELS.has(className) && Array.isArray(config['layers']))
      return className === 'Sequential' ? this.sequential(config, own) : this.functional(config, own);
    if (className === 'InputLayer') return this.input(config, own);
    return this.single(className, config, own, walk);
  }

  private input(config: JsonObject, where: string): JsonObject {
    const { batch_shape: shape, dtype = 'float32', name = null } = config;
    if (!Array.isArray(shape)) return this.fail(where, 'a batch_shape', shape);
    const own = dtypeOf(dtype);
    if (own !== 'float32' && own !== 'int32' && own !== 'bool')
      return this.fail(where, 'dtype float32, int32 or bool', own);
    return { class_name: 'InputLayer', config: { batch_input_shape: shape, dtype: own, sparse: false, name } };
  }

  /** @param walk is it a direction of Bidirectional, which says there what its outputs are at masked steps? */
  private single(className: string, given: JsonObject, where: string, walk: boolean): JsonObject {
    const rule = Object.hasOwn(LAYER_RULES, className) ? LAYER_RULES[className]! : null;
    if (!rule)
      return this.fail(
        where,
        `a layer among InputLayer, ${[...MODELS].join(', ')}, ${Object.keys(LAYER_RULES).join(', ')}`,
        className,
      );
    const fail: Fail = (expected, received) => this.fail(where, expected, received);
    const { dtype, ...rest } = walk ? without(given, ['zero_output_for_mask']) : given;
    const policy = dtypeOf(dtype);
    if (policy !== null && policy !== 'float32') return fail('dtype float32, which it computes in', policy);
    const other = className === 'ReLU' ? relu(rest) : { className: rule.className ?? className, config: rest };
    const keys = [...COMMON, ...rule.keys, ...(className === 'ReLU' ? ['theta', 'alpha'] : [])];
    const converted = rule.convert ? rule.convert(other.config, fail) : other.config;
    const config: Record<string, Json> = {};
    for (const [key, value] of Object.entries(converted)) {
      const neutral = rule.only?.[key];
      if (neutral !== undefined && value !== neutral && value !== null)
        fail(`${key} ${JSON.stringify(neutral)}`, value);
      if (keys.includes(key)) config[key] = this.option(key, value, where, fail);
      else if (neutral === undefined && !WITHOUT_EFFECT.has(key) && value !== null && !(walk && key === 'build_config'))
        if (!(className === 'Bidirectional' && key === 'backward_layer')) fail(`no ${key}`, value);
    }
    if (className === 'Bidirectional') this.checkMirrored(given, where);
    const { cell = null, return_state: states = false } = given;
    if (states === true && isObject(cell) && cell['class_name'] === 'StackedRNNCells')
      fail('return_state false for a stack of cells, whose states it gives in another order', states);
    return { class_name: other.className, config };
  }

  private option(key: string, value: Json, where: string, fail: Fail): Json {
    if (key === 'cell') return this.layer(value, `${where}: cell`);
    if (key === 'cells' && Array.isArray(value))
      return (value as readonly Json[]).map((cell, i) => this.layer(cell, `${where}: cell ${i}`));
    if (key === 'layer') {
      if (!where.startsWith('Bidirectional')) return this.layer(value, `${where}: layer`);
      const own = this.layer(this.withoutCell(value, where), `${where}: layer`, true);
      const config = own['config'] as JsonObject;
      // It is TensorFlow.js that names the directions.
      return { ...own, config: { ...config, name: String(config['name']).replace(/^forward_/, '') } };
    }
    return optionOf(key, value, fail);
  }

  /** The layer that an RNN of one cell is: as a direction, TensorFlow.js loads no RNN of cells. */
  private withoutCell(given: Json, where: string): Json {
    if (!isObject(given) || given['class_name'] !== 'RNN' || !isObject(given['config'])) return given;
    const { cell = null, ...config } = given['config'];
    const { class_name: className = null, config: own = null } = isObject(cell) ? cell : {};
    const layer = /^(SimpleRNN|LSTM|GRU)Cell$/.exec(String(className))?.[1];
    if (layer === undefined || !isObject(own))
      return this.fail(where, 'a direction of LSTM, GRU, SimpleRNN or one of their cells', className);
    return { ...given, class_name: layer, config: { ...without(own, ['name', 'trainable', 'dtype']), ...config } };
  }

  /** The other direction is a copy of the first one, walked backwards: TensorFlow.js makes it. */
  private checkMirrored(config: JsonObject, where: string): void {
    const { layer, backward_layer: back = null } = config;
    if (back === null) return;
    const plain = (value: Json | undefined): string => {
      const own = isObject(value) && isObject(value['config']) ? value['config'] : {};
      const { class_name: className = null } = isObject(value) ? value : {};
      const rest = without(own, ['name', 'go_backwards', 'trainable', 'seed', 'zero_output_for_mask']);
      return JSON.stringify([className, Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))]);
    };
    if (plain(layer) !== plain(back)) this.fail(where, 'a backward layer that is like the forward one', 'another one');
    const name = (value: Json | undefined): string =>
      isObject(value) && isObject(value['config']) ? String(value['config']['name']) : '';
    const expected = `backward_${name(layer).replace(/^forward_/, '')}`;
    if (name(back) !== expected) this.fail(where, `a backward layer called "${expected}"`, name(back));
  }

  private sequential(config: JsonObject, where: string): JsonObject {
    const list = config['layers'] as readonly Json[];
    const layers = list.map((layer, i) => this.layer(layer, `${where}: layer ${i}`));
    const [first] = layers;
    if (!first) return this.fail(where, 'at least one layer', []);
    const begins = first['class_name'] === 'InputLayer' || MODELS.has(String(first['class_name']));
    if (!begins) {
      const shape = config['build_input_shape'] ?? null;
      if (!Array.isArray(shape)) return this.fail(where, 'a model that declares its input, or that is built', shape);
      layers[0] = { ...first, config: { ...(first['config'] as JsonObject), batch_input_shape: shape } };
    }
    this.checkTrainable(config, where);
    return { class_name: 'Sequential', config: { name: config['name'] ?? null, layers } };
  }

  private functional(config: JsonObject, where: string): JsonObject {
    const list = config['layers'] as readonly Json[];
    const classes = new Map(
      list.map((entry) => {
        const { name = null, class_name: className = null, config: own = null } = isObject(entry) ? entry : {};
        return [String(name ?? (isObject(own) ? own['name'] : '')), String(className)];
      }),
    );
    const reference = ([name, call, output]: Reference): Reference => {
      if (!classes.has(name)) this.fail(where, 'references to layers of the model', name);
      // TensorFlow.js counts the calls of chains from 1, as those of graphs.
      return [name, classes.get(name) === 'Sequential' ? call + 1 : call, output];
    };
    const layers = list.map((entry) => {
      const layer = this.layer(entry, where);
      const { name = (layer['config'] as JsonObject)['name'] ?? null, inbound_nodes: nodes = [] } = entry as JsonObject;
      if (!Array.isArray(nodes)) return this.fail(where, 'inbound_nodes as a list', nodes);
      const className = String(classes.get(String(name)));
      const calls = (nodes as readonly Json[]).map((node) =>
        this.call(node, `${where}: ${String(name)}`, className).map((own) => [...reference(own), {}] as Json),
      );
      return { name, ...layer, inbound_nodes: calls };
    });
    const ends = (key: 'input_layers' | 'output_layers'): Json =>
      this.references(config[key] ?? null, `${where}: ${key}`).map(reference);
    this.checkTrainable(config, where);
    return {
      class_name: 'Model',
      config: {
        name: config['name'] ?? null,
        layers,
        input_layers: ends('input_layers'),
        output_layers: ends('output_layers'),
      },
    };
  }

  /** Models that are not trained as a whole: TensorFlow.js keeps that of layers alone. */
  private checkTrainable(config: JsonObject, where: string): void {
    if (config['trainable'] === false) this.fail(where, 'trainable: true for a model (set it for its layers)', false);
  }

  private references(tree: Json, where: string): Reference[] {
    if (isReference(tree)) return [tree];
    const inner = Array.isArray(tree) ? (tree as readonly Json[]) : isObject(tree) ? Object.values(tree) : [];
    if (inner.length === 0) this.fail(where, 'references as ["layer", call, output]', tree);
    return inner.flatMap((child) => this.references(child, where));
  }

  /** What a layer is called with: tensors of its arguments, then the states to begin with. */
  private call(node: Json, where: string, className: string): Reference[] {
    if (!isObject(node) || !Array.isArray(node['args'])) return this.fail(where, 'calls as { args, kwargs }', node);
    const tensors = (tree: Json): Reference[] => {
      if (Array.isArray(tree)) return (tree as readonly Json[]).flatMap(tensors);
      const history = isObject(tree) && isObject(tree['config']) ? tree['config']['keras_history'] : undefined;
      return isReference(history) ? [history] : this.fail(where, 'calls with tensors', tree);
    };
    const inputs = tensors(node['args'] as Json);
    const kwargs = isObject(node['kwargs']) ? node['kwargs'] : {};
    const states: Reference[] = [];
    for (const [key, value] of Object.entries(kwargs)) {
      if (value === null || (key === 'training' && value === false)) continue;
      if (key === 'initial_state' && RECURRENT.has(className)) states.push(...tensors(value));
      else this.fail(where, `calls without ${key}`, value);
    }
    return [...inputs, ...states];
  }
}

/** A model as TensorFlow.js describes it. Throws `FormatError`, with the layer, for what TensorFlow.js has not. */
export function topologyOf(model: JsonObject, label: string): JsonObject {
  return new Topology(label).layer(model, 'model');
}
