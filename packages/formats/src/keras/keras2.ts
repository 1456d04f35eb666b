import { FormatError } from '@recurra/tensor';
import type { Json, JsonObject, KerasObject } from '../model-file.js';
import { callsFromKeras2, referencesFromKeras2 } from './keras2-calls.js';
import { isObject, kerasObject, optionFromKeras2, unwrapped, without } from './keras2-objects.js';

/**
 * Models as Keras 2 and TensorFlow.js describe them, described as Keras 3 does: the one place for all formats that hold such models. What computes otherwise under the
 * same name there (`hard_sigmoid`) gets another name here; what is left out has the defaults of then.
 */

/** What Keras 2 and TensorFlow.js write beside what Keras 3 has, and what changes nothing in what a layer computes. */
const FORMER_KEYS = [
  'batch_input_shape',
  'input_shape',
  'input_length',
  'input_dtype',
  'batch_size',
  'implementation',
  'time_major',
  'rank',
  'fused',
  'adjustment',
  'virtual_batch_size',
  'num_constants',
  'dynamic',
];

/** Options for which `null` is not the default. */
const MEANT: ReadonlySet<string> = new Set(['merge_mode', 'batch_shape']);

/** What an RNN has beside its cell. */
const OF_RNN: ReadonlySet<string> = new Set([
  ...['name', 'trainable', 'dtype', 'activity_regularizer'],
  ...['return_sequences', 'return_state', 'go_backwards', 'stateful', 'unroll', 'zero_output_for_mask'],
]);

/** Classes that Keras 3 calls otherwise. */
const CLASSES: Readonly<Record<string, string>> = {
  Model: 'Functional',
  BatchNormalizationV1: 'BatchNormalization',
  BatchNormalizationV2: 'BatchNormalization',
  ThresholdedReLU: 'ReLU',
};

/** What options of a class become. It throws by `fail` where Keras 3 has nothing for them. */
type Convert = (config: JsonObject, context: Context) => JsonObject;

/** Where a layer stands, for messages. */
interface Context {
  readonly label: string;
  fail(expected: string, received: unknown): never;
  /** A layer or a cell within. */
  readonly layer: (value: Json, what: string) => JsonObject;
}

const gates =
  (defaults: JsonObject): Convert =>
  (config) => {
    const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
    return { ...defaults, ...given };
  };
/** The first Keras 2, and TensorFlow.js, where nothing is said. */
const HARD = { recurrent_activation: 'hard_sigmoid' };
const lstm: Convert = (config, context) => {
  const { unit_forget_bias: forget = true, ...rest } = gates(HARD)(config, context);
  // TensorFlow.js: null is false.
  return { ...rest, unit_forget_bias: forget === true };
};
const gru = gates({ ...HARD, reset_after: false });
/** An RNN walks batches first. */
const walk =
  (convert: Convert = (config) => config): Convert =>
  (config, context) => {
    if (config['time_major'] === true) return context.fail('time_major: false', true);
    return convert(config, context);
  };
/** The only axis of a list. */
const oneAxis: Convert = (config) => {
  const { axis } = config;
  return Array.isArray(axis) && axis.length === 1 ? { ...config, axis: axis[0] as Json } : config;
};
/** Keras 2 writes groups for convolutions that have none. */
const ungrouped: Convert = ({ groups = 1, ...config }, { fail }) => (groups === 1 ? config : fail('groups: 1', groups));
const KERNEL = ['kernel_initializer', 'kernel_regularizer', 'kernel_constraint'];
const wrapper: Convert = (config, { layer }) => {
  const { backward_layer: back = null, layer: inner = null, ...rest } = config;
  const both = back === null ? {} : { backward_layer: layer(back, 'backward_layer') };
  return { ...rest, layer: layer(inner, 'layer'), ...both };
};

const LAYERS: Readonly<Record<string, Convert>> = {
  InputLayer: ({ batch_input_shape: former, batch_shape: shape = former ?? null, ragged, ...config }, { fail }) => {
    if (ragged === true) return fail('inputs of one length', 'ragged: true');
    return { ...config, batch_shape: shape };
  },
  LeakyReLU: ({ alpha, negative_slope: slope = alpha ?? 0.3, ...config }) => ({ ...config, negative_slope: slope }),
  // x where it is above, 0 elsewhere: ReLU's threshold.
  ReLU: ({ theta, ...config }) => (theta === undefined ? config : { ...config, threshold: theta }),
  BatchNormalization: (config, context) => {
    const { renorm = false, ...rest } = oneAxis(without(config, ['renorm_clipping', 'renorm_momentum']), context);
    return renorm === true ? context.fail('batch normalization without renorm', 'renorm: true') : rest;
  },
  LayerNormalization: oneAxis,
  Reshape: (config) => {
    const { target_shape: shape } = config;
    return Array.isArray(shape) ? { ...config, target_shape: shape.map((d: Json) => d ?? -1) } : config;
  },
  SimpleRNN: walk((config) => ({ ...config, activation: config['activation'] ?? 'tanh' })),
  SimpleRNNCell: (config) => ({ ...config, activation: config['activation'] ?? 'tanh' }),
  LSTM: walk(lstm),
  LSTMCell: lstm,
  GRU: walk(gru),
  GRUCell: gru,
  RNN: walk(({ cell = null, ...config }, { layer, fail }) => {
    // It repeats the cells of a stack, and gives their states in the other order.
    if (config['cells'] !== undefined && config['return_state'] === true)
      return fail('return_state: false for a stack of cells, whose states TensorFlow.js gives in another order', true);
    // TensorFlow.js repeats what the cell has.
    const own = Object.entries(config).filter(([key]) => OF_RNN.has(key));
    return { ...Object.fromEntries(own), cell: layer(cell, 'cell') };
  }),
  StackedRNNCells: ({ cells, ...config }, { layer, fail }) => {
    if (!Array.isArray(cells)) return fail('a list of cells', cells);
    return { ...without(config, ['reverse_state_order']), cells: cells.map((cell: Json) => layer(cell, 'cells')) };
  },
  Bidirectional: wrapper,
  TimeDistributed: wrapper,
  Conv1DTranspose: ungrouped,
  // Their kernels are of depth and of points.
  DepthwiseConv1D: (config, context) => without(ungrouped(config, context), KERNEL),
  SeparableConv1D: (config, context) => without(ungrouped(config, context), KERNEL),
  // Its shape is its own.
  SpatialDropout1D: (config) => without(config, ['noise_shape']),
  MultiHeadAttention: (config) => without(config, ['query_shape', 'key_shape', 'value_shape']),
};

/** The name of a dtype or of a policy; `null` for what computes in none of floating point. */
function dtypeOf(given: Json | undefined): Json {
  const name = isObject(given) && isObject(given['config']) ? given['config']['name'] : given;
  return typeof name === 'string' ? name : null;
}

/** The shape that a chain begins with, and the dtype: of its first layer, or of the first one within that. */
function inputOf(layers: readonly JsonObject[]): { shape: readonly Json[]; dtype: string } | null {
  const [first] = layers;
  if (!first || !isObject(first['config'])) return null;
  const { class_name: className, config } = first;
  if (className === 'Sequential') return inputOf(layersOf(config));
  if (className === 'Functional' || className === 'Model') {
    const inner = Array.isArray(config['layers']) ? (config['layers'] as readonly Json[]).filter(isObject) : [];
    const inputs = inner.filter((layer) => layer['class_name'] === 'InputLayer');
    return inputs.length === 1 ? inputOf(inputs) : null;
  }
  const shape = unwrapped(config['batch_input_shape'] ?? config['batch_shape'] ?? null);
  const dtype = dtypeOf(config['dtype']);
  const known = typeof dtype === 'string' && /^(float(16|32|64)|int(8|16|32|64)|uint8|bool)$/.test(dtype);
  if (Array.isArray(shape)) return { shape, dtype: known ? dtype : 'float32' };
  if (className !== 'Embedding') return null;
  const length = unwrapped(config['input_length'] ?? null);
  return { shape: [null, ...(Array.isArray(length) ? length : [length])], dtype: 'float32' };
}

/** The layers of a chain: the oldest files have them as a list. */
const layersOf = (config: Json | undefined): readonly JsonObject[] => {
  const list = isObject(config) ? config['layers'] : config;
  return Array.isArray(list) ? (list as readonly Json[]).filter(isObject) : [];
};

class Models {
  private readonly label: string;

  constructor(label: string) {
    this.label = label;
  }

  private fail(where: string, expected: string, received: unknown): never {
    const shown = JSON.stringify(received)?.slice(0, 80) ?? 'nothing';
    throw new FormatError(`${this.label}: ${where}: expected ${expected}, received ${shown}`);
  }

  /** A layer, a cell, or a model. */
  layer(given: Json, where: string): JsonObject {
    if (!isObject(given)) return this.fail(where, 'a layer as { class_name, config }', given);
    const { class_name: className, config } = given;
    if (typeof className !== 'string' || !(isObject(config) || (className === 'Sequential' && Array.isArray(config))))
      return this.fail(where, 'a layer as { class_name, config }', given);
    const name = isObject(config) ? config['name'] : undefined;
    const own = `${className} ${JSON.stringify(name ?? given['name'] ?? '')}`;
    if (className === 'Sequential') return this.sequential(config, own);
    if (!isObject(config)) return this.fail(own, 'a configuration', config);
    if ((className === 'Model' || className === 'Functional') && Array.isArray(config['layers']))
      return this.functional(config, own);
    if (className === 'TFOpLambda' || className === 'SlicingOpLambda')
      return this.fail(
        own,
        'layers: operations on symbolic tensors are functions of TensorFlow, which is not here (write them as layers, such as Add or Rescaling)',
        config['function'] ?? className,
      );
    if (className.includes('>')) return { ...given, module: null, registered_name: className };
    return this.single(className, config, own);
  }

  private single(className: string, config: JsonObject, where: string): JsonObject {
    const keras = Object.hasOwn(CLASSES, className) ? CLASSES[className]! : className;
    const context: Context = {
      label: where,
      fail: (expected, received) => this.fail(where, expected, received),
      layer: (value, what) => this.layer(value, `${where}: ${what}`),
    };
    const plain = unwrapped(className === 'ThresholdedReLU' ? { theta: 1, ...config } : config) as JsonObject;
    const convert = Object.hasOwn(LAYERS, keras) ? LAYERS[keras]! : (own: JsonObject) => own;
    const converted = convert(plain, context);
    const { dtype, ...rest } = without(converted, FORMER_KEYS);
    // TensorFlow.js writes null for what was not given, which has the default then.
    const entries = Object.entries(rest)
      .filter(([key, value]) => value !== null || MEANT.has(key) || /activation$/.test(key))
      .map(([key, value]) => [key, optionFromKeras2(key, value)] as const);
    const floating = dtypeOf(dtype);
    // Of what is no floating number are the inputs of a layer, not its weights.
    const kept =
      keras === 'InputLayer'
        ? { dtype: floating ?? 'float32' }
        : typeof floating === 'string' && /float/.test(floating)
          ? { dtype: floating }
          : {};
    return kerasObject('keras.layers', keras, { ...Object.fromEntries(entries), ...kept });
  }

  private sequential(config: Json | undefined, where: string): JsonObject {
    const given = layersOf(config);
    const total = isObject(config) ? config['layers'] : config;
    if (!Array.isArray(total) || given.length !== total.length) return this.fail(where, 'a list of layers', total);
    const layers = given.map((layer, i) => this.layer(layer, `${where}: layer ${i}`));
    const input = layers[0]?.['class_name'] === 'InputLayer' ? null : inputOf(given);
    if (input) {
      const { name } = given[0]!['config'] as JsonObject;
      const own = { batch_shape: input.shape, dtype: input.dtype, sparse: false, name: `${String(name)}_input` };
      layers.unshift(kerasObject('keras.layers', 'InputLayer', own));
    }
    const rest = isObject(config) ? without(unwrapped(config) as JsonObject, ['layers', 'dtype']) : {};
    return kerasObject('keras', 'Sequential', { ...rest, layers });
  }

  private functional(config: JsonObject, where: string): JsonObject {
    const entries = config['layers'] as readonly Json[];
    const named = entries.map((entry) => {
      if (!isObject(entry) || (!isObject(entry['config']) && entry['class_name'] !== 'Sequential'))
        return this.fail(where, 'layers as { class_name, config, name, inbound_nodes }', entry);
      const layer = this.layer(entry, where);
      const name = entry['name'] ?? (layer['config'] as JsonObject)['name'];
      if (typeof name !== 'string') return this.fail(where, 'layers with names', entry['name']);
      return { name, layer, inbound: (entry['inbound_nodes'] ?? []) as Json };
    });
    const classes = new Map(named.map(({ name, layer }) => [name, String(layer['class_name'])]));
    const calls = { label: `${this.label}: ${where}`, classes, ...this.ends(config) };
    const layers = callsFromKeras2(named, calls).map((inbound, i) => {
      const { layer, name } = named[i]!;
      return { ...layer, name, inbound_nodes: inbound };
    });
    const rest = without(unwrapped(config) as JsonObject, ['layers', 'input_layers', 'output_layers', 'dtype']);
    const inputs = referencesFromKeras2(calls.inputs, calls, named);
    const outputs = referencesFromKeras2(calls.outputs, calls, named);
    return kerasObject('keras.src.models.functional', 'Functional', {
      ...rest,
      layers,
      input_layers: inputs,
      output_layers: outputs,
    });
  }

  private ends(config: JsonObject): { inputs: Json; outputs: Json } {
    return { inputs: config['input_layers'] ?? null, outputs: config['output_layers'] ?? null };
  }
}

/**
 * The description of a model (or layer) of Keras 2 or TensorFlow.js as Keras 3 has it; what is of Keras 3's form stays as it is. Throws `FormatError` for other forms, and
 * for what Keras 3 has no layer for.
 */
export function modelFromKeras2(model: JsonObject, label: string): KerasObject {
  return new Models(label).layer(model, 'model') as KerasObject;
}
