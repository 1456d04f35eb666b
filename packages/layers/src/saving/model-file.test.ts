import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject, KerasObject, ModelFile } from '@recurra/formats';
import { FormatError, tensor } from '@recurra/tensor';
import { Sequential } from '../base/sequential.js';
import { Dense, Embedding, Input, LSTM } from '../layers/index.js';
import { modelFromFile, toModelFile } from './model-file.js';

const FOLDER = join(__dirname, '../../../testing/golden/files');
const NAMES = [
  'batchnorm_trained_adam',
  'bidirectional_stack',
  'conv_pool',
  'functional_residual',
  'gru_reset_after',
  'lstm_trained_momentum',
  'text_lstm',
  'transformer',
];

interface Golden {
  readonly config: { readonly model: KerasObject };
  readonly inputs: Readonly<Record<string, GoldenTensor>>;
  readonly outputs: { readonly out: GoldenTensor };
  readonly weights: readonly GoldenTensor[];
}
interface GoldenTensor {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  readonly data: readonly number[];
}
const golden = (name: string): Golden => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')).cases[0];
const toTensor = ({ shape, dtype, data }: GoldenTensor) => tensor(data, { dtype }).reshape([...shape]);
const fileOf = (model: KerasObject): ModelFile => ({
  model,
  compile: (model['compile_config'] ?? null) as JsonObject | null,
  weights: null,
  layers: null,
  optimizer: null,
  assets: new Map(),
});

/** Without operations that compute masks, which are not written here, and arguments that are at their defaults. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((v) => !/^keras\.src\.ops/.test(v?.module ?? '')).map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) =>
      key === 'kwargs'
        ? [key, Object.fromEntries(Object.entries(child).filter(([k]) => k !== 'mask' && k !== 'training'))]
        : [key, plain(child)],
    ),
  );
}

describe.each(NAMES)('%s, as Keras wrote it', (name) => {
  test('predicts what Keras predicts, and is described as Keras describes it', async () => {
    const c = golden(name);
    const model = modelFromFile(fileOf(c.config.model));
    model.setWeights(c.weights.map(toTensor));
    const inputs = Object.values(c.inputs).map(toTensor);
    const x = inputs.length === 1 ? inputs[0] : inputs;
    const out = await model.predict(x);
    const expected = toTensor(c.outputs.out);
    expect(out.shape).toEqual(expected.shape);
    out.data.forEach((v: number, i: number) => {
      expect(Math.abs(v - expected.data[i]!)).toBeLessThan(1e-5);
    });
    const { model: written } = toModelFile(model);
    const { compile_config: _compile, ...theirs } = c.config.model;
    expect(written).toEqual(plain(theirs));
    // What we write is read, too.
    const again = modelFromFile({ ...toModelFile(model), layers: null });
    expect((await again.predict(x)).data).toEqual(out.data);
    const byLayers = modelFromFile({ ...toModelFile(model), weights: null });
    expect((await byLayers.predict(x)).data).toEqual(out.data);
  });
});

describe('a configuration that does not go with the weights', () => {
  const file = toModelFile(new Sequential([Input({ shape: [4] }), new Embedding(10, 3), new LSTM(5), new Dense(2)]));
  /** The same file, with another option of a layer. */
  const withOption = (index: number, key: string, value: unknown): ModelFile => {
    const model = JSON.parse(JSON.stringify(file.model)) as {
      config: { layers: { config: Record<string, unknown> }[] };
    };
    model.config.layers[index]!.config[key] = value;
    return { ...file, model: model as unknown as KerasObject };
  };

  test.each([
    [1, 'input_dim', 1e9],
    [1, 'output_dim', 2 ** 40],
    [2, 'units', 1e6],
    [3, 'units', 2 ** 50],
  ])('layer %d with %s of %d is refused before anything is allocated', (index, key, value) => {
    const before = process.memoryUsage().arrayBuffers;
    const reading = (): unknown => modelFromFile(withOption(index, key, value), {}, 'loadModel: m.keras');
    expect(reading).toThrow(FormatError);
    expect(reading).toThrow(/^loadModel: m.keras: /);
    expect(reading).toThrow(
      /expected a configuration that asks for the 222 numbers that the file has as weights, received one that asks for \d+/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  test('of other sizes, and of other layers', () => {
    expect(() => modelFromFile(withOption(3, 'units', 3))).toThrow(
      /kernel of .* to have shape \[5, 3\], received \[5, 2\]/,
    );
    expect(() => modelFromFile(withOption(3, 'use_bias', false))).toThrow(/expected 1 weights/);
  });

  test('without weights, it is drawn', () => {
    const { weights } = modelFromFile({ ...file, weights: null, layers: null });
    expect(weights.map(({ value }) => value.data.some((v) => v !== 0))).toEqual([true, true, true, true, true, false]);
  });
});
