/** Files of TensorFlow.js that are not what they should be. That TensorFlow.js and we compute the same is tested beside it, in packages/testing. */
import { FormatError, tensor, ValueError } from '@recurra/tensor';
import fc from 'fast-check';
import type { Json, JsonObject, KerasObject, ModelFile, WeightGroup } from '../model-file.js';
import { tensorsOf } from '../model-file.js';
import { readModelFile } from '../read-model-file.js';
import { quantized } from './quantization.js';
import { readTfjs, readTfjsArtifacts, writeTfjs } from './tfjs.js';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const layer = (className: string, config: JsonObject): JsonObject => ({ class_name: className, config });
const TOPOLOGY = {
  class_name: 'Sequential',
  config: {
    name: 'm',
    layers: [
      layer('Dense', { name: 'a', units: 2, batch_input_shape: [null, 3] }),
      layer('BatchNormalization', { name: 'b' }),
      layer('LSTM', { name: 'c', units: 1 }),
    ],
  },
  keras_version: 'tfjs-layers 4.22.0',
  backend: 'tensor_flow.js',
};
const SPECS = [
  { name: 'a/kernel', shape: [3, 2], dtype: 'float32' },
  { name: 'a/bias', shape: [2], dtype: 'float32' },
];
const values = (n: number, from = 1): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: n }, (_, i) => from + i / 2).buffer);
const MODEL = {
  modelTopology: TOPOLOGY,
  format: 'layers-model',
  weightsManifest: [{ paths: ['w.bin'], weights: SPECS }],
};

/** Reads a model with changes to its JSON, and files of weights. */
const read = (
  changes: Record<string, unknown> = {},
  files: Record<string, Uint8Array> = { 'w.bin': values(8) },
): Promise<ModelFile> => readTfjs(encode({ ...MODEL, ...changes }), async (path) => files[path] ?? null);
const weightsOf = (file: ModelFile): Record<string, unknown> =>
  Object.fromEntries(
    [...tensorsOf(file.weights!)].map(({ path, name, value }) => [`${path.join('/')}/${name}`, value.toArray()]),
  );
const manifest = (weights: unknown, paths: unknown = ['w.bin']): Record<string, unknown> => ({
  weightsManifest: [{ paths, weights }],
});

describe('weights', () => {
  const two = {
    'layers/dense/kernel': [
      [1, 1.5],
      [2, 2.5],
      [3, 3.5],
    ],
    'layers/dense/bias': [4, 4.5],
  };

  test('of one file', async () => {
    expect(weightsOf(await read())).toEqual(two);
  });

  test('of several groups, and of files that end within a number', async () => {
    const all = values(8);
    const files: Record<string, Uint8Array> = {
      'x/1': all.slice(0, 5),
      '2': all.slice(5, 6),
      '3': all.slice(6, 24),
      w: all.slice(24),
    };
    const file = await read(
      {
        weightsManifest: [
          { paths: ['x/1', '2', '3'], weights: [SPECS[0]] },
          { paths: ['w'], weights: [SPECS[1]] },
        ],
      },
      files,
    );
    expect(weightsOf(file)).toEqual(two);
  });

  test('in another order, under names of Keras, and with those of an optimizer', async () => {
    const weights = [
      { name: 'a/bias:0', shape: [2], dtype: 'float32' },
      { name: 'iter', shape: [], dtype: 'int32', group: 'optimizer' },
      { name: 'm/a/kernel:0', shape: [3, 2], dtype: 'float32' },
      { name: 'a/kernel/m', shape: [3, 2], dtype: 'float32', group: 'optimizer' },
      { name: 'b/moving_variance', shape: [2], dtype: 'float32' },
      { name: 'b/moving_mean', shape: [2], dtype: 'float32' },
      { name: 'b/beta', shape: [2], dtype: 'float32' },
      { name: 'b/gamma', shape: [2], dtype: 'float32' },
      { name: 'c/lstm_cell_7/kernel', shape: [1], dtype: 'float32' },
    ];
    const file = await read(manifest(weights), { 'w.bin': values(2 + 1 + 6 + 6 + 8 + 1) });
    expect(Object.keys(weightsOf(file))).toEqual([
      'layers/dense/kernel',
      'layers/dense/bias',
      'layers/batch_normalization/gamma',
      'layers/batch_normalization/beta',
      'layers/batch_normalization/moving_mean',
      'layers/batch_normalization/moving_variance',
      'layers/lstm/cell/kernel',
    ]);
    expect(file.optimizer).toBe(null);
  });

  test('int32 and bool', async () => {
    const weights = [
      { name: 'a/kernel', shape: [2], dtype: 'int32' },
      { name: 'a/bias', shape: [3], dtype: 'bool' },
    ];
    const file = await read(manifest(weights), {
      'w.bin': Uint8Array.from([255, 255, 255, 255, 7, 0, 0, 0, 0, 1, 200]),
    });
    expect(weightsOf(file)).toEqual({ 'layers/dense/kernel': [-1, 7], 'layers/dense/bias': [false, true, true] });
  });

  test('of 8 and 16 bits, with a scale', async () => {
    const weights = [
      { name: 'a/kernel', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.1, min: -1 } },
      { name: 'a/bias', shape: [2], dtype: 'int32', quantization: { dtype: 'uint16', scale: 1.5, min: -2 } },
      { name: 'b/gamma', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    ];
    const file = await read(manifest(weights), { 'w.bin': Uint8Array.from([0, 10, 255, 0, 0, 1, 2, 0, 0x3c, 1, 0]) });
    // tf.io.decodeWeights: q * scale + min in double precision, Math.round for whole numbers.
    expect(weightsOf(file)).toEqual({
      'layers/dense/kernel': [-1, 0, Math.fround(24.5)],
      'layers/dense/bias': [-2, Math.round(513 * 1.5 - 2)],
      'layers/batch_normalization/gamma': [1, 2 ** -24],
    });
  });

  test('alone, without layers', async () => {
    const file = await readTfjs(encode({ weightsManifest: MODEL.weightsManifest }), async () => values(8));
    expect(file.model).toBe(null);
    expect(file.layers!.map(({ name, variables }) => [name, variables.map((v) => v.name)])).toEqual([
      ['a', ['a/kernel', 'a/bias']],
    ]);
  });

  test('layers without weights', async () => {
    const file = await readTfjs(encode({ modelTopology: TOPOLOGY }), async () => null);
    expect([file.weights, file.layers, file.model?.class_name]).toEqual([null, null, 'Sequential']);
  });

  test('by bytes, as any format', async () => {
    const file = await readModelFile(encode(MODEL), { beside: async (name) => (name === 'w.bin' ? values(8) : null) });
    expect(weightsOf(file)).toEqual(two);
    await expect(readModelFile(encode(MODEL))).rejects.toThrow(/expected the weights "w.bin" beside the file/);
  });
});

describe('what is refused', () => {
  const spec = SPECS[0]!;
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a path up', manifest(SPECS, ['../w.bin']), /plain relative names/],
    ['a path up, within', manifest(SPECS, ['a/../../w.bin']), /plain relative names/],
    ['a root', manifest(SPECS, ['/etc/passwd']), /plain relative names/],
    ['a drive', manifest(SPECS, ['C:\\w.bin']), /plain relative names/],
    ['another host', manifest(SPECS, ['https://example.com/w.bin']), /plain relative names/],
    ['another host, by slashes', manifest(SPECS, ['//example.com/w.bin']), /plain relative names/],
    ['data', manifest(SPECS, ['data:,x']), /plain relative names/],
    ['a path up in percents', manifest(SPECS, ['%2E%2e/w.bin']), /beside the file/],
    ['a query', manifest(SPECS, ['w.bin?x=1']), /beside the file/],
    ['backslashes', manifest(SPECS, ['a\\w.bin']), /beside the file/],
    ['a step in place', manifest(SPECS, ['./w.bin']), /beside the file/],
    ['a NUL', manifest(SPECS, ['w\0.bin']), /plain relative names/],
    ['a line', manifest(SPECS, ['w\n.bin']), /beside the file/],
    ['no path', manifest(SPECS, ['']), /plain relative names/],
    ['a path that is no text', manifest(SPECS, [7]), /plain relative names/],
    ['a file twice', manifest(SPECS, ['w.bin', 'w.bin']), /each file of weights once/],
    ['a file that is not there', manifest(SPECS, ['v.bin']), /"v.bin" beside the file, found none/],
    ['paths that are no list', manifest(SPECS, 'w.bin'), /list of \{ paths, weights \}/],
    ['weights that are no list', manifest({}), /expected a list of weights/],
    ['a weight that is null', manifest([null]), /expected \{ name, shape, dtype \}/],
    ['no name', manifest([{ ...spec, name: '' }]), /expected a name/],
    ['a name twice', manifest([spec, spec]), /different names, received "a\/kernel" twice/],
    [
      'a name twice, by suffixes',
      manifest([
        { ...spec, shape: [2] },
        { ...spec, shape: [6], name: 'a/kernel:0' },
      ]),
      /each weight once/,
    ],
    ['a name of no layer', manifest([{ ...spec, name: 'z/kernel' }, SPECS[1]]), /"z\/kernel", which none of them has/],
    [
      '__proto__ as a name',
      manifest([{ ...spec, name: '__proto__' }, SPECS[1]]),
      /"__proto__", which none of them has/,
    ],
    ['a shape that is too large', manifest([{ ...spec, shape: [2 ** 30, 2 ** 30] }]), /fewer than 2\^31 elements/],
    [
      'a shape beyond the file',
      manifest([{ ...spec, shape: [2 ** 30] }]),
      /expected 4294967296 bytes of weights, received 32/,
    ],
    ['a shape without elements and one beyond', manifest([{ ...spec, shape: [2 ** 31, 0] }]), /shape of sizes/],
    ['a negative size', manifest([{ ...spec, shape: [-3, -2] }, SPECS[1]]), /shape of sizes/],
    ['a size that is not whole', manifest([{ ...spec, shape: [1.5, 4] }]), /shape of sizes/],
    ['too many axes', manifest([{ ...spec, shape: Array(9).fill(1) }]), /shape of sizes/],
    ['more bytes than weights', manifest([spec]), /expected 24 bytes of weights, received 32/],
    ['complex numbers', manifest([{ ...spec, dtype: 'complex64' }]), /dtype float32, int32, bool or string/],
    ['an inherited dtype', manifest([{ ...spec, dtype: 'toString' }]), /dtype float32, int32, bool or string/],
    ['texts', manifest([{ name: 'a/kernel', dtype: 'string', shape: [1] }]), /received (texts|fewer)/],
    ...(
      [
        [{ dtype: 'uint8', scale: null, min: 0 }, /a finite scale/],
        [{ dtype: 'uint8', scale: '1', min: 0 }, /a finite scale/],
        [{ dtype: 'uint16', scale: 1 }, /a finite min/],
        [{ dtype: 'uint4', scale: 1, min: 0 }, /uint8, uint16 or float16/],
        [{ dtype: 'toString', scale: 1, min: 0 }, /uint8, uint16 or float16/],
        ['uint8', /quantization as/],
      ] as const
    ).map(([quantization, message]): [string, Record<string, unknown>, RegExp] => [
      `quantization ${JSON.stringify(quantization)}`,
      manifest([{ ...spec, quantization }, SPECS[1]]),
      message,
    ]),
    [
      'half precision of whole numbers',
      manifest([{ ...spec, dtype: 'int32', quantization: { dtype: 'float16' } }]),
      /float32 for what is quantized as float16/,
    ],
    [
      'a scale beyond whole numbers',
      manifest([
        { name: 'a/kernel', shape: [8], dtype: 'int32', quantization: { dtype: 'uint8', scale: 1e300, min: 0 } },
      ]),
      /expected 8 bytes|whole numbers of 32 bits/,
    ],
    [
      'states of a stack of cells',
      {
        modelTopology: {
          class_name: 'Sequential',
          config: {
            layers: [layer('RNN', { name: 'r', return_state: true, cells: [], cell: layer('LSTMCell', { units: 1 }) })],
          },
        },
      },
      /return_state: false for a stack of cells/,
    ],
    ['a graph model', { format: 'graph-model' }, /made of layers/],
    ['operations', { modelTopology: { node: [] }, format: undefined }, /made of layers/],
    ['a list as a model', { modelTopology: [] }, /modelTopology to be an object/],
    ['a text as a model', { modelTopology: { model_config: '{}' } }, /model_config to be an object/],
    ['a model without a class', { modelTopology: { config: {} } }, /layer as \{ class_name, config \}/],
    [
      'layers that are none',
      { modelTopology: { class_name: 'Sequential', config: { layers: [7] } } },
      /a list of layers/,
    ],
    ['a manifest that is none', { weightsManifest: 7 }, /weightsManifest to be a list/],
    ['a training configuration that is none', { trainingConfig: [] }, /trainingConfig to be an object/],
    ['metadata that are none', { userDefinedMetadata: [1] }, /userDefinedMetadata to be an object/],
    [
      'packed files with names that lead elsewhere',
      { userDefinedMetadata: { 'recurra.assets': '{"../a":"x"}' } },
      /plain relative names/,
    ],
  ])('%s', async (_name, changes, message) => {
    const error = await read(changes).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
  });

  test('NaN as a scale, a key twice, __proto__ as a key, deep JSON, other JSON', async () => {
    const text = JSON.stringify(MODEL);
    const given = (json: string): Promise<ModelFile> => readTfjs(new TextEncoder().encode(json), async () => values(8));
    await expect(
      given(
        text.replace('"dtype":"float32"', '"dtype":"float32","quantization":{"dtype":"uint8","scale":NaN,"min":0}'),
      ),
    ).rejects.toThrow(/a finite scale/);
    await expect(given(text.replace('"name":"a"', '"name":"a","name":"b"'))).rejects.toThrow(/each key once/);
    await expect(given(text.replace('"units":2', '"units":2,"__proto__":{"x":1}'))).rejects.toThrow(/__proto__/);
    await expect(given(`{"modelTopology":${'['.repeat(500)}${']'.repeat(500)}}`)).rejects.toThrow(/levels/);
    await expect(given('[]')).rejects.toThrow(FormatError);
    await expect(given('{}')).rejects.toThrow(/modelTopology or weightsManifest/);
  });

  test('files cut off at every byte', async () => {
    for (let n = 0; n < 32; n++)
      await expect(read({}, { 'w.bin': values(8).slice(0, n) })).rejects.toThrow(FormatError);
    const json = encode(MODEL);
    for (let n = 0; n < json.length; n += 3)
      await expect(readTfjs(json.slice(0, n), async () => values(8))).rejects.toThrow(FormatError);
  });

  test('more than the limits allow', async () => {
    const json = encode(MODEL);
    await expect(readTfjs(json, async () => values(8), { maxBytes: json.length + 8 })).rejects.toThrow(/at most/);
    await expect(readTfjs(json, async () => values(8), { maxEntries: 2 })).rejects.toThrow(/at most 2 entries/);
    await expect(readTfjs(json, async () => values(8), { maxDepth: 3 })).rejects.toThrow(/3 levels/);
  });

  test('calls of other forms, in graphs', async () => {
    const graph = (inbound: Json, outputs: Json = [['d', 0, 0]]): Promise<ModelFile> =>
      read({
        modelTopology: {
          class_name: 'Model',
          config: {
            name: 'g',
            layers: [
              { ...layer('InputLayer', { name: 'i', batch_input_shape: [null, 3] }), name: 'i', inbound_nodes: [] },
              { ...layer('Dense', { name: 'a', units: 2 }), name: 'a', inbound_nodes: inbound },
            ],
            input_layers: [['i', 0, 0]],
            output_layers: outputs,
          },
        },
      });
    await expect(graph([[['i', 0, 0, {}]]], [['a', 0, 0]])).resolves.toBeDefined();
    for (const inbound of [
      7,
      [7],
      [[]],
      [[[]]],
      [[['i']]],
      [[['i', -1, 0]]],
      [[['i', 0, 0.5]]],
      [[['z', 0, 0, {}]]],
      [[[7, 0, 0, {}]]],
    ])
      await expect(graph(inbound, [['a', 0, 0]])).rejects.toThrow(FormatError);
    for (const outputs of [null, 7, [7], [['z', 0, 0]], [['a', 'b', 0]]])
      await expect(graph([[['i', 0, 0, {}]]], outputs)).rejects.toThrow(FormatError);
  });

  test('values that are no artifacts', async () => {
    const artifacts = { modelTopology: TOPOLOGY, weightSpecs: SPECS, weightData: values(8).buffer as ArrayBuffer };
    await expect(readTfjsArtifacts(artifacts)).resolves.toBeDefined();
    await expect(readTfjsArtifacts({ ...artifacts, weightData: [values(3), values(5, 2.5)] })).resolves.toBeDefined();
    await expect(readTfjsArtifacts({ ...artifacts, weightData: values(7) })).rejects.toThrow(FormatError);
    await expect(readTfjsArtifacts({ modelTopology: TOPOLOGY, weightSpecs: SPECS })).rejects.toThrow(/together/);
    await expect(readTfjsArtifacts({ ...artifacts, weightData: 'x' as never })).rejects.toThrow(ValueError);
    await expect(readTfjsArtifacts(null as never)).rejects.toThrow(ValueError);
    const circle: Record<string, unknown> = {};
    circle['modelTopology'] = circle;
    await expect(readTfjsArtifacts(circle)).rejects.toThrow(FormatError);
  });
});

const group = (
  name: string | null,
  children: Record<string, WeightGroup> = {},
  variables: WeightGroup['variables'] = [],
): WeightGroup => ({
  name,
  variables,
  children: new Map(Object.entries(children)),
});
const keras = (className: string, config: JsonObject): KerasObject => ({
  module: 'keras.layers',
  class_name: className,
  config,
  registered_name: null,
});
/** A chain of one layer, with its weights. */
const chain = (className: string, config: JsonObject, variables: WeightGroup['variables'] = []): ModelFile => ({
  model: keras('Sequential', {
    name: 'm',
    layers: [
      keras('InputLayer', { name: 'i', batch_shape: [null, 5, 2], dtype: 'float32' }),
      keras(className, { name: 'x', ...config }),
    ],
  }),
  compile: null,
  weights: group('m', { layers: group(null, { [className.toLowerCase()]: group('x', {}, variables) }) }),
  layers: null,
  optimizer: null,
  assets: new Map(),
});

describe('what is written', () => {
  const kernel = tensor([
    [1, -2],
    [0.5, 3],
  ]);
  const dense = chain('Dense', { units: 2, use_bias: false }, [{ name: 'kernel', value: kernel }]);

  test('files of at most so many bytes', async () => {
    const files = await writeTfjs(dense, { shardBytes: 7 });
    expect([...files].map(([name, { length }]) => [name, length]).slice(1)).toEqual([
      ['group1-shard1of3.bin', 7],
      ['group1-shard2of3.bin', 7],
      ['group1-shard3of3.bin', 2],
    ]);
    const again = await readTfjs(files.get('model.json')!, (path) => files.get(path) ?? null);
    expect(weightsOf(again)).toEqual({ 'layers/dense/kernel': kernel.toArray() });
  });

  test('what travels with a model, and metadata of TensorFlow.js', async () => {
    const assets = new Map([
      ['recurra/labels.json', encode(['a', 'b'])],
      ['recurra/raw.bin', Uint8Array.from([255, 0, 254])],
      ['user_defined_metadata.json', encode({ author: 'me' })],
    ]);
    const files = await writeTfjs({ ...dense, assets });
    const again = await readTfjs(files.get('model.json')!, (path) => files.get(path) ?? null);
    expect(new Map([...again.assets].sort())).toEqual(new Map([...assets].sort()));
    const json = JSON.parse(new TextDecoder().decode(files.get('model.json')));
    expect(json.userDefinedMetadata.author).toBe('me');
  });

  test.each<[string, ModelFile, RegExp]>([
    ['GRU after reset', chain('GRU', { units: 1, reset_after: true }), /GRU "x": expected reset_after false/],
    [
      "Keras 3's hard sigmoid",
      chain('LSTM', { units: 1, recurrent_activation: 'hard_sigmoid' }),
      /recurrent_activation among .*keras2_hard_sigmoid, received "hard_sigmoid"/,
    ],
    [
      'a layer that it lacks',
      chain('MultiHeadAttention', { num_heads: 1 }),
      /a layer among .*, received "MultiHeadAttention"/,
    ],
    ['a name that objects have', chain('toString', {}), /a layer among/],
    ['code', chain('Lambda', {}), /a layer among/],
    ['causal padding', chain('Conv1D', { padding: 'causal' }), /padding "valid" or "same"/],
    ['groups', chain('Conv1D', { groups: 2 }), /groups 1, received 2/],
    ['an activation that it lacks', chain('Dense', { activation: 'exponential' }), /activation among/],
    [
      'an initializer that it lacks',
      chain('Dense', { kernel_initializer: { class_name: 'STFT', config: {} } }),
      /kernel_initializer among/,
    ],
    [
      'a regularizer that it lacks',
      chain('Dense', { kernel_regularizer: { class_name: 'OrthogonalRegularizer', config: {} } }),
      /L1, L2 or L1L2/,
    ],
    [
      'a constraint that it lacks',
      chain('Dense', { kernel_constraint: { class_name: 'Mine', config: {} } }),
      /kernel_constraint among/,
    ],
    ['an option that it lacks', chain('Dense', { lanes: 3 }), /no lanes, received 3/],
    ['an alpha of ELU', chain('ELU', { alpha: 0.5 }), /alpha 1/],
    ['a ReLU of all options', chain('ReLU', { max_value: 1, negative_slope: 0.1 }), /negative_slope 0, received 0.1/],
    ['float64', chain('Dense', { dtype: 'float64' }), /dtype float32/],
    [
      'a number that is none',
      chain('Masking', { mask_value: Number.NaN }),
      /finite numbers, received NaN for mask_value/,
    ],
    [
      'directions that differ',
      chain('Bidirectional', {
        layer: keras('LSTM', { name: 'forward_l', units: 1 }),
        backward_layer: keras('GRU', { name: 'backward_l', units: 1 }),
      }),
      /like the forward one/,
    ],
    ['weights alone', { ...dense, model: null }, /whole model/],
    ['a layer without weights in groups', { ...dense, weights: null }, /weights in groups/],
    [
      'states of a stack of cells',
      chain('RNN', {
        return_state: true,
        cell: keras('StackedRNNCells', {
          cells: [keras('LSTMCell', { units: 1 }), keras('GRUCell', { units: 1, reset_after: false })],
        }),
      }),
      /return_state false for a stack of cells/,
    ],
    [
      'an optimizer that it lacks',
      { ...dense, compile: { optimizer: { class_name: 'Lion', config: {} }, loss: 'mse' } },
      /an optimizer among .*compile: false/,
    ],
    [
      'a loss that it lacks',
      { ...dense, compile: { optimizer: { class_name: 'SGD', config: {} }, loss: 'ctc' } },
      /a loss among/,
    ],
    [
      'logits',
      {
        ...dense,
        compile: {
          optimizer: { class_name: 'SGD', config: {} },
          loss: { class_name: 'BinaryCrossentropy', config: { from_logits: true } },
        },
      },
      /without from_logits/,
    ],
    [
      'a schedule',
      {
        ...dense,
        compile: {
          optimizer: { class_name: 'SGD', config: { learning_rate: { class_name: 'CosineDecay', config: {} } } },
          loss: 'mse',
        },
      },
      /learning rate that is a number/,
    ],
    [
      'weights of a name that it refuses',
      chain('Dense', { name: 'ä b', units: 2 }, [{ name: 'kernel', value: kernel }]),
      /TensorFlow.js refuses/,
    ],
  ])('%s is refused', async (_name, file, message) => {
    const error = await writeTfjs(file).then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
  });

  test('options of other kinds', async () => {
    await expect(writeTfjs(dense, { quantize: 'int4' as never })).rejects.toThrow(ValueError);
    await expect(writeTfjs(dense, { shardBytes: 0 })).rejects.toThrow(ValueError);
    await expect(writeTfjs(dense, { shards: 2 } as never)).rejects.toThrow(ValueError);
  });
});

describe('quantization', () => {
  test('is within a step, and zero stays zero', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e6), max: Math.fround(1e6) }), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.constantFrom('uint8' as const, 'uint16' as const),
        (list, to) => {
          const given = Float32Array.from(list);
          const { bytes, spec } = quantized(given, to, 'test');
          const { scale, min } = spec as { scale: number; min: number };
          const steps = to === 'uint8' ? bytes : new Uint16Array(bytes.slice().buffer);
          given.forEach((v, i) => {
            const back = steps[i]! * scale + min;
            expect(Math.abs(back - v)).toBeLessThanOrEqual(scale * 1.0001);
            if (v === 0 && given.some((w) => w !== 0) && given.some((w) => w !== given[0]))
              expect(Math.abs(back)).toBeLessThan(1e-9 + scale * 1e-6);
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([['uint8'], ['uint16'], ['float16']] as const)('%s of numbers that cannot be', (to) => {
    for (const odd of [Number.NaN, Infinity, -Infinity])
      expect(() => quantized(Float32Array.of(1, odd), to, 'test')).toThrow(ValueError);
    if (to === 'float16') expect(() => quantized(Float32Array.of(65520), to, 'test')).toThrow(/65504/);
    expect(quantized(new Float32Array(0), to, 'test').bytes.length).toBe(0);
  });

  test('half precision is the nearest, even where two are as near', () => {
    // NumPy: np.float32(x).astype(np.float16).view(np.uint16)
    const pairs: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [65504, 0x7bff],
      [65519, 0x7bff],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2],
      [2 ** -14, 0x0400],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [-2.7, 0xc166],
      [1e-30, 0],
    ];
    const { bytes } = quantized(
      Float32Array.from(pairs, ([x]) => x),
      'float16',
      'test',
    );
    expect([...new Uint16Array(bytes.slice().buffer)]).toEqual(pairs.map(([, half]) => half));
  });
});
