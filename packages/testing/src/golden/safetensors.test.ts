import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type KerasObject,
  type ModelFile,
  readSafetensors,
  readSafetensorsWeights,
  writeSafetensors,
  writeSafetensorsWeights,
} from '@recurra/formats';
import { modelFromFile, toModelFile } from '@recurra/layers/extend';
import { type Tensor, type TensorJSON, tensorFromJSON } from '@recurra/tensor';

const FOLDER = join(__dirname, '../../golden/files');

interface Golden {
  readonly config: { readonly model: KerasObject };
  readonly inputs: Readonly<Record<string, TensorJSON>>;
  readonly outputs: { readonly out: TensorJSON };
  readonly weights: readonly { readonly name: string }[];
}

test.each([
  'batchnorm_trained_adam',
  'bidirectional_stack',
  'conv_pool',
  'functional_residual',
  'gru_reset_after',
  'lstm_trained_momentum',
  'text_lstm',
  'transformer',
])('%s: the weights that Keras saved as safetensors, and ours as Keras would', (name) => {
  const { cases } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as { cases: Golden[] };
  const [{ config, inputs, outputs, weights }] = cases as [Golden];
  const bytes = new Uint8Array(readFileSync(join(FOLDER, `${name}.safetensors`)));
  const none: ModelFile = {
    model: config.model,
    compile: null,
    weights: null,
    layers: null,
    optimizer: null,
    assets: new Map(),
  };
  const fresh = toModelFile(modelFromFile(none));
  for (const like of [fresh, { ...fresh, weights: null }]) {
    const model = modelFromFile(readSafetensorsWeights(bytes, like));
    const given = Object.values(inputs).map(tensorFromJSON);
    const found = model.apply((given.length === 1 ? given[0] : given) as never) as Tensor;
    const expected = tensorFromJSON(outputs.out);
    expect(found.sub(expected).abs().sub(expected.abs().mul(1e-5)).max().item()).toBeLessThan(1e-6);
    const written = readSafetensors(writeSafetensorsWeights(toModelFile(model)));
    expect([...written.tensors.keys()].sort()).toEqual(weights.map((weight) => weight.name).sort());
    const sorted = [...written.tensors].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(writeSafetensors(new Map(sorted))).toEqual(bytes);
  }
});
