import type { TfjsArtifacts } from '@recurra/formats';
import * as tf from '@tensorflow/tfjs';

/** TensorFlow.js beside ours: what its models save, and what it computes with what we write. */

// Hints of TensorFlow.js about faster backends, and about `unroll`.
tf.env().set('PROD', true);

export { tf };

/** A tensor of a peer, as plain values. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Small numbers that repeat nowhere. */
export const numbers = (shape: readonly number[], salt = 1): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1.7 * (i + 1) * salt + salt));

/** Gives the weights of a model values that are not what they begin as. */
export function stir(model: tf.LayersModel): void {
  model.setWeights(
    model.weights.map((weight, i) => {
      const shape = weight.shape.map((d) => d ?? 1);
      const values = numbers(shape, 0.3 + i / 7).map((v) =>
        /variance/.test(weight.originalName) ? Math.abs(v) + 0.3 : 0.6 * v,
      );
      return tf.tensor(values, shape);
    }),
  );
}

/** What a model saves. */
export async function saved(model: tf.LayersModel, includeOptimizer = false): Promise<TfjsArtifacts> {
  let artifacts: tf.io.ModelArtifacts | null = null;
  const handler = {
    save: async (own: tf.io.ModelArtifacts) => {
      artifacts = own;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
    },
  };
  await model.save(handler, { includeOptimizer });
  return artifacts as unknown as TfjsArtifacts;
}

/** The model of files, loaded by TensorFlow.js as from a server. */
export async function loaded(files: ReadonlyMap<string, Uint8Array>): Promise<tf.LayersModel> {
  const json = JSON.parse(new TextDecoder().decode(files.get('model.json')!)) as tf.io.ModelJSON;
  const weights = json.weightsManifest.flatMap(({ paths }) => paths.map((path) => files.get(path)!));
  const data = new Uint8Array(weights.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of weights) {
    data.set(part, at);
    at += part.length;
  }
  const artifacts = await tf.io.getModelArtifactsForJSON(json, async () => [
    json.weightsManifest.flatMap((group) => group.weights),
    data.buffer,
  ]);
  return tf.loadLayersModel(tf.io.fromMemory(artifacts));
}

/** What a model predicts. */
export function predicted(model: tf.LayersModel, inputs: readonly tf.Tensor[]): readonly Plain[] {
  const outputs = model.predict(inputs.length === 1 ? inputs[0]! : [...inputs]);
  return (Array.isArray(outputs) ? outputs : [outputs]).map((y) => ({ shape: y.shape, data: [...y.dataSync()] }));
}
