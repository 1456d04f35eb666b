import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KerasObject, type ModelFile, readModelFile } from '@recurra/formats';
import { decodeModel, encodeModel, type SymbolicTensor } from '@recurra/layers';
import { type AnyModel, modelFromFile } from '@recurra/layers/extend';
import type { Tensor } from '@recurra/tensor';
import { type Comparison, eagerly, TOLERANCES, type Tolerance } from './compare.js';
import { type GoldenCase, type GoldenTensor, type GoldenWeight, toTensor } from './format.js';

/**
 * How near a weight has to be. Batch normalization takes away what the bias before it adds, so that this has no gradient, and Adam makes of its rounding errors steps of the
 * rate.
 */
const toleranceOf = (name: string, weight: string): Tolerance =>
  name === 'batchnorm_trained_adam_continued' && weight === 'dense/bias'
    ? { ...TOLERANCES.training, atol: 2e-4 }
    : TOLERANCES.training;

/** A model of a file, computing as the comparison runs. */
function modelOf(file: ModelFile, comparison: Comparison): AnyModel {
  const { compile } = file;
  return modelFromFile(compile ? { ...file, compile: { ...compile, run_eagerly: comparison.run === eagerly } } : file);
}

/** The inputs of a case as the model takes them. */
function inputsOf(c: GoldenCase, model: AnyModel): Tensor | Tensor[] {
  const given = c['inputs'] as Readonly<Record<string, GoldenTensor>>;
  const all = Object.values(given).map(toTensor);
  if (all.length === 1) return all[0]!;
  return model.inputSpecs.map((spec) => toTensor(given[(spec as SymbolicTensor).name]!));
}

/** A tensor that has to be there bit by bit: the decimals of the golden file are those of float32. */
function compareExactly(
  comparison: Comparison,
  what: string,
  actual: Tensor | undefined,
  expected: GoldenWeight,
): void {
  const { shape, dtype, data } = toTensor(expected);
  comparison.tensor(what, actual, { shape, dtype, data: [...data] }, TOLERANCES.exact);
}

function compareWeights(c: GoldenCase, model: AnyModel, comparison: Comparison, what: string): void {
  const weights = c['weights'] as GoldenWeight[];
  comparison.equal(`${what}: number of weights`, model.weights.length, weights.length);
  weights.forEach((expected, i) => {
    compareExactly(comparison, `${what}: ${expected.name}`, model.weights[i]?.value, expected);
  });
}

function compareOptimizer(c: GoldenCase, file: ModelFile, comparison: Comparison, what: string): void {
  const expected = c['optimizer_variables'] as GoldenWeight[] | undefined;
  if (!expected) return;
  comparison.equal(`${what}: variables of the optimizer`, file.optimizer?.variables.length, expected.length);
  expected.forEach((variable, i) => {
    compareExactly(comparison, `${what}: ${variable.name}`, file.optimizer?.variables[i]?.value, variable);
  });
}

/** Trains on as Keras did: losses of each step, weights and the optimizer's state after them. */
async function replayContinued(c: GoldenCase, comparison: Comparison, folder: string): Promise<boolean> {
  for (const name of Object.values<string>(c['files'])) {
    const file = await readModelFile(readFileSync(join(folder, name)));
    const model = modelOf(file, comparison);
    const [x, y] = [inputsOf(c, model), toTensor(c['targets'])];
    for (const [step, loss] of (c['losses'] as number[]).entries()) {
      const logs = await model.trainOnBatch(x as never, y as never);
      comparison.numbers(`${name}: loss of step ${step + 1}`, [logs['loss']!], [loss], TOLERANCES.training);
    }
    (c['weights'] as GoldenWeight[]).forEach((expected, i) => {
      comparison.tensor(
        `${name}: ${expected.name}`,
        model.weights[i]?.value,
        expected,
        toleranceOf(c.name, expected.name),
      );
    });
    // What is written then has the state where Keras has it.
    const after = await readModelFile(await encodeModel(model));
    (c['optimizer_variables'] as GoldenWeight[]).forEach((expected, i) => {
      comparison.tensor(
        `${name}: ${expected.name}`,
        after.optimizer?.variables[i]?.value,
        expected,
        TOLERANCES.training,
      );
    });
  }
  return true;
}

/**
 * Replays one case of the area `files`: every file that Keras wrote is read, and computes what the model did; written again and read, it is the same.
 */
export async function replayFile(
  c: GoldenCase,
  comparison: Comparison,
  _file: string,
  folder: string,
): Promise<boolean> {
  if (c['losses']) return replayContinued(c, comparison, folder);
  const { files, outputs } = c as unknown as {
    files: Readonly<Record<string, string>>;
    outputs: { out: GoldenTensor };
  };
  const described = c['config'].model as KerasObject;
  for (const kind of ['keras', 'h5', 'weights.h5']) {
    const name = files[kind];
    if (name === undefined) throw new Error(`expected a file of the kind "${kind}", found none`);
    const bytes = readFileSync(join(folder, name));
    const file = await readModelFile(bytes);
    compareOptimizer(c, file, comparison, name);
    // Of weights alone, the model is the one that the case describes.
    const whole = kind !== 'weights.h5';
    const model = modelOf(whole ? file : { ...file, model: described }, comparison);
    compareWeights(c, model, comparison, name);
    const x = inputsOf(c, model);
    const out = await comparison.run((inputs: never) => model.apply(inputs) as Tensor, x as never);
    comparison.tensor(`${name}: outputs`, out, outputs.out, TOLERANCES.layerOutput);
    comparison.tensor(`${name}: predictions`, await model.predict(x as never), outputs.out, TOLERANCES.layerOutput);
    comparison.equal(`${name}: count_params`, model.countParams(), c['config'].count_params);
    if (!whole) {
      await model.loadWeights(bytes);
      compareWeights(c, model, comparison, `${name}, loaded`);
      continue;
    }
    for (const format of ['keras', 'h5']) {
      const again = await decodeModel(await encodeModel(model, { format }));
      compareWeights(c, again, comparison, `${name}, as ${format}`);
      comparison.equal(`${name}, as ${format}: compiled`, again.compiled, file.compile !== null);
    }
  }
  return true;
}
