import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError, tensor } from '@recurra/tensor';
import { zipSync } from 'fflate';
import { formatOfName, formatOfPath } from './extend.js';
import { writeHdf5 } from './hdf5/write.js';
import { formats, readModelFile } from './index.js';
import { readKerasJson, writeKerasJson } from './keras/json.js';
import type { ModelFile, WeightGroup } from './model-file.js';

const FOLDER = join(__dirname, '../../testing/golden/files');
const golden = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(join(FOLDER, name)));
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const weights: WeightGroup = {
  name: 'model',
  variables: [],
  children: new Map([
    [
      'layers',
      {
        name: null,
        variables: [],
        children: new Map([
          [
            'dense',
            {
              name: 'mine',
              variables: [
                { name: 'kernel', value: tensor([[1.5, -2]]) },
                { name: 'bias', value: tensor([0, 3]) },
              ],
              children: new Map(),
            },
          ],
        ]),
      },
    ],
  ]),
};
const file: ModelFile = {
  model: {
    module: null,
    class_name: 'Mine',
    config: { rate: Number.NaN, limit: Number.POSITIVE_INFINITY },
    registered_name: 'mine>Mine',
  },
  compile: { optimizer: 'sgd' },
  weights,
  layers: null,
  optimizer: { name: 'sgd', variables: [{ name: 'sgd/iteration', value: tensor(7, { dtype: 'int32' }) }] },
  assets: new Map([['words.txt', encode('a\nb')]]),
};
const write = async (name: string, value: ModelFile): Promise<Uint8Array> =>
  (await formatOfName(name, 'test').write(value)).main;

test('a .keras file has all that was written', async () => {
  const again = await readModelFile(await write('keras', file));
  expect(again.model).toEqual(file.model);
  expect(again.compile).toEqual(file.compile);
  expect(again.assets).toEqual(file.assets);
  const dense = again.weights!.children.get('layers')!.children.get('dense')!;
  expect([again.weights!.name, dense.name]).toEqual(['model', 'mine']);
  expect(dense.variables.map(({ value }) => [value.dtype, value.toArray()])).toEqual([
    ['float32', [[1.5, -2]]],
    ['float32', [0, 3]],
  ]);
  expect(again.optimizer!.variables[0]!.value.item()).toBe(7);
});

test('weights of every dtype, of no elements, and 0-d ones come back', async () => {
  const values = [
    tensor([1e300, -0], { dtype: 'float64' }),
    tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: 'int32' }),
    tensor(2.5),
    tensor([], { shape: [0, 3] }),
    tensor([Number.NaN, Number.NEGATIVE_INFINITY, 1e-45]),
  ];
  const group = {
    name: 'model',
    variables: values.map((value, i) => ({ name: String(i), value })),
    children: new Map(),
  };
  const again = await readModelFile(await write('weights.h5', { ...file, weights: group }));
  again.weights!.variables.forEach(({ value }, i) => {
    expect([value.dtype, value.shape, value.data]).toEqual([values[i]!.dtype, values[i]!.shape, values[i]!.data]);
  });
});

test('what Keras wrote is known by its bytes, whatever it is called', async () => {
  const [keras, whole, alone] = await Promise.all(
    ['lstm_trained_momentum.keras', 'lstm_trained_momentum.h5', 'lstm_trained_momentum.weights.h5'].map((name) =>
      readModelFile(golden(name)),
    ),
  );
  expect(keras!.model!.class_name).toBe('Sequential');
  expect(keras!.model!['compile_config']).toBeUndefined();
  expect(keras!.compile!['loss']).toBe('mse');
  expect(whole!.layers!.map(({ name }) => name)).toEqual(['embedding', 'simple_rnn', 'lstm', 'dense']);
  expect(whole!.compile!['optimizer']).toMatchObject({ class_name: 'SGD' });
  expect([alone!.model, alone!.compile]).toEqual([null, null]);
  // Of 64 bits in the file.
  for (const { optimizer } of [keras!, whole!, alone!]) {
    expect(optimizer!.variables).toHaveLength(11);
    expect([optimizer!.variables[0]!.value.dtype, optimizer!.variables[0]!.value.item()]).toEqual(['int32', 3]);
  }
});

test('layers with names of one kilobyte each are written in parts, as Keras does', async () => {
  const layers = Array.from({ length: 100 }, (_, i) => ({
    name: `${i}`.padStart(1000, 'x'),
    variables: [
      { name: 'a/kernel', value: tensor([i]) },
      { name: 'a/kernel', value: tensor([-i]) },
    ],
  }));
  const model = { ...file.model!, class_name: 'Sequential' };
  const again = await readModelFile(await write('h5', { ...file, model, layers }));
  expect(again.layers!.map(({ name }) => name)).toEqual(layers.map(({ name }) => name));
  expect(again.layers![7]!.variables.map(({ value }) => value.item())).toEqual([7, -7]);
});

test('rates are floating numbers for Python, which tells 0 from 0.0', () => {
  const text = writeKerasJson({ momentum: 0, rho: 0.5, units: 1, name: 'momentum', adam_beta_1: -1, x: Number.NaN });
  expect(text).toBe('{"momentum":0.0,"rho":0.5,"units":1,"name":"momentum","adam_beta_1":-1.0,"x":NaN}');
  expect(readKerasJson(text, { label: 'test' })).toEqual({
    momentum: 0,
    rho: 0.5,
    units: 1,
    name: 'momentum',
    adam_beta_1: -1,
    x: Number.NaN,
  });
});

test('paths and names promise formats', () => {
  expect(formatOfPath('a/b.weights.h5', 'test', 'weights').name).toBe('weights.h5');
  expect(formatOfPath('a/B.KERAS', 'test', 'model').name).toBe('keras');
  expect(formatOfPath('model.h5', 'test', 'model').name).toBe('h5');
  expect(() => formatOfPath('a.kears', 'test', 'model')).toThrow(
    /ends in .keras.*received "a.kears". Did you mean ".keras"/,
  );
  expect(() => formatOfPath('a', 'test', 'model')).toThrow(
    /test: expected a path that ends in .keras, .h5, .hdf5, .onnx, model.json, received "a"/,
  );
  expect(() => formatOfPath('a.weights.h5', 'test', 'model')).toThrow(/weights alone. Use saveWeights/);
  expect(formatOfPath('W.SafeTensors', 'test', 'weights').name).toBe('safetensors');
  expect(formatOfPath('a.onnx', 'test', 'model').name).toBe('onnx');
  expect(() => formatOfPath('a.onnx', 'test', 'weights')).toThrow(
    /a path of weights \(.weights.h5, .safetensors\), received "a.onnx", which promises a whole model. Use save/,
  );
  expect(() => formatOfName('onx', 'test')).toThrow(
    /expected format keras, weights.h5, h5, safetensors, onnx.*, received "onx". Did you mean "onnx"/,
  );
  // What ends a longer ending comes after it, and no two formats want one.
  const endings = formats().flatMap((format) => format.endings);
  for (const [i, ending] of endings.entries())
    expect(endings.slice(i + 1).filter((later) => later.endsWith(ending))).toEqual([]);
});

test.each<[string, Uint8Array, RegExp]>([
  ['a pickle', Uint8Array.of(0x80, 2, 0x8a, 0x0a), /a pickle of torch.save. It may hold code.*safetensors/],
  ['a checkpoint', encode('recurra checkpoint 1\n'), /a checkpoint of Recurra's own. Use loadCheckpoint/],
  ['a configuration', encode('{"class_name":"Sequential"}'), /other JSON. The configuration of a model alone/],
  ['another text', encode('the cat'), /received 7 other bytes/],
])('%s is told from files of models', async (_, bytes, message) => {
  await expect(readModelFile(bytes, { label: 'm' })).rejects.toThrow(FormatError);
  await expect(readModelFile(bytes, { label: 'm' })).rejects.toThrow(message);
});

test.each(['keras', 'h5', 'weights.h5', 'safetensors', 'onnx'])(
  '%s is not written without what it holds',
  async (name) => {
    const empty = { ...file, weights: null, layers: null };
    await expect(write(name, empty)).rejects.toThrow(FormatError);
  },
);

describe('hostile files', () => {
  const archive = (members: Record<string, Uint8Array>): Uint8Array =>
    zipSync({ 'config.json': config, 'metadata.json': config, ...members }, { level: 9 });
  const config = encode('{"class_name":"A","config":{}}');
  test.each<[string, () => Uint8Array | Promise<Uint8Array>, RegExp]>([
    ['nothing', () => new Uint8Array(), /received an empty one/],
    ['a text', () => encode('{"class_name": "Sequential"}'), /expected a file of a model/],
    [
      'a member above the archive',
      () => archive({ '../config.json': config }),
      /plain relative names, received "..\/config.json"/,
    ],
    ['an absolute member', () => archive({ '/etc/passwd': config }), /plain relative names/],
    ['a drive', () => archive({ 'C:\\config.json': config }), /plain relative names/],
    [
      'no configuration',
      () => zipSync({ 'metadata.json': config, 'model.weights.h5': config }),
      /expected a file of a model .*received a zip archive without the members config.json/,
    ],
    ['no weights', () => archive({}), /expected the member "model.weights.h5"/],
    ['no JSON', () => archive({ 'config.json': encode('{"class_name":') }), /config.json: expected JSON/],
    ['another object', () => archive({ 'config.json': encode('[]') }), /expected an object of JSON/],
    [
      'a prototype',
      () => archive({ 'config.json': encode('{"class_name":"A","config":{"__proto__":{"x":1}}}') }),
      /"__proto__"/,
    ],
    ['depth', () => archive({ 'config.json': encode(`${'['.repeat(5000)}${']'.repeat(5000)}`) }), /at most 128 levels/],
    [
      'a bomb',
      () => archive({ 'config.json': new Uint8Array(50 * 2 ** 20) }),
      /at most 16777216 bytes of content, received "config.json", which declares 52428800/,
    ],
    [
      'weights that are none',
      () => archive({ 'config.json': config, 'model.weights.h5': config }),
      /expected an HDF5 file/,
    ],
    [
      'numbers with gaps',
      () =>
        writeHdf5({
          attributes: new Map(),
          datasets: new Map(),
          groups: new Map([
            ['vars', { attributes: new Map(), groups: new Map(), datasets: new Map([['1', tensor([1])]]) }],
          ]),
        }),
      /expected variables 0 to 0, received 1/,
    ],
    [
      'data beside groups',
      () => writeHdf5({ attributes: new Map(), groups: new Map(), datasets: new Map([['x', tensor([1])]]) }),
      /expected variables in groups "vars"/,
    ],
    [
      'a list of layers that are not there',
      () => writeHdf5({ attributes: new Map([['layer_names', ['a']]]), groups: new Map(), datasets: new Map() }),
      /expected the layer "a", which it lists/,
    ],
  ])('%s', async (_, make, message) => {
    await expect(make().constructor === Promise ? make() : Promise.resolve(make())).resolves.toBeDefined();
    const reading = readModelFile(await make());
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(message);
  });

  test('members that lie in each other', async () => {
    const bytes = archive({ 'config.json': config, 'assets/a': config });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const entry = Buffer.from(bytes).lastIndexOf('assets/a') - 46;
    // The second begins where the first does.
    view.setUint32(entry + 42, 0, true);
    await expect(readModelFile(bytes)).rejects.toThrow(/expected members that do not overlap, received "config.json"/);
  });

  test('limits are those that are given', async () => {
    const bytes = golden('text_lstm.keras');
    await expect(readModelFile(bytes, { limits: { maxBytes: 1000 } })).rejects.toThrow(
      /at most 1000 bytes, received 25092/,
    );
    await expect(readModelFile(bytes, { limits: { maxEntries: 5 } })).rejects.toThrow(/at most 5 entries/);
    await expect(readModelFile(bytes, { limits: { maxDepth: 3 } })).rejects.toThrow(/at most 3 levels/);
    await expect(readModelFile(bytes, { limits: { maxByte: 1 } } as never)).rejects.toThrow(/unknown option "maxByte"/);
    await expect(readModelFile('text_lstm.keras' as never)).rejects.toThrow(
      /as a Uint8Array, received "text_lstm.keras"/,
    );
  });

  test('an archive of a member that is not as its checksum says', async () => {
    const bytes = golden('text_lstm.keras').slice();
    const at = Buffer.from(bytes).indexOf('"Sequential"');
    bytes[at + 1] = 'T'.charCodeAt(0);
    await expect(readModelFile(bytes)).rejects.toThrow(/"config.json": expected its checksum to fit/);
  });
});
