import type { SymbolicTensor } from '@recurra/layers';
import { optimizers } from '@recurra/optim';
import { camelCase } from '@recurra/tensor/extend';
import { Comparison, eagerly, TOLERANCES, type Tolerance } from './compare.js';
import { type GoldenCase, type GoldenWeight, isGoldenTensor, toTensor } from './format.js';
import { buildModel } from './layers.js';
import { squareLookups, TENSORFLOW_CLASSES } from './tensorflow.js';

// biome-ignore lint/suspicious/noExplicitAny: configurations as Keras writes them
type Json = any;

/**
 * Runs that make rounding errors grow: to about an eighth of this, on the kernels with and without fused multiply-add, eager and compiled. Batch normalization divides
 * by the spread of a few samples; a key's bias has no gradient (softmax does not see what all keys share), and Adam makes of its rounding errors steps of the
 * rate; with a rate of 0.03, Adam does that to small gradients too.
 */
const GROWING: Readonly<Record<string, { readonly atol: number; readonly of?: string }>> = {
  batchnorm_dense: { atol: 2e-4 },
  transformer_block: { atol: 1e-4, of: 'mha/key/bias' },
  time_distributed_masked_sample_weight: { atol: 3e-5 },
};

/** How near something of a run has to be. */
function toleranceOf(name: string, what: string): Tolerance {
  const { training } = TOLERANCES;
  const growing = Object.hasOwn(GROWING, name) ? GROWING[name]! : null;
  return growing && (growing.of ?? what) === what ? { ...training, atol: growing.atol } : training;
}

/** The model of a run, described with a dtype, with the weights that it begins with, compiled; `null` where a class of it is not there. */
function modelOf(c: GoldenCase, dtype: 'float32' | 'float64', runEagerly: boolean): ReturnType<typeof buildModel> {
  const { model: given, compile } = c['config'];
  const description = JSON.parse(JSON.stringify(given).replaceAll('"float32"', `"${dtype}"`));
  const model = buildModel(description.class_name, description.config, TENSORFLOW_CLASSES);
  if (!model) return null;
  const { class_name: name, arguments: args } = compile.optimizer;
  const Optimizer = optimizers[name.toLowerCase() as keyof typeof optimizers];
  if (!Optimizer) return null;
  const optimizer = new Optimizer(Object.fromEntries(Object.entries<Json>(args).map(([k, v]) => [camelCase(k), v])));
  squareLookups(model, optimizer);
  const { x } = c['inputs'];
  if (!model.built) model.build([null, ...toTensor(x).shape.slice(1)] as never);
  model.setWeights((c['weights'] as GoldenWeight[]).map((weight) => toTensor(weight).cast(dtype)));
  model.compile({
    optimizer,
    loss: compile.loss,
    metrics: compile.metrics ?? [],
    weightedMetrics: compile.weighted_metrics ?? [],
    runEagerly,
  });
  return model;
}

type GoldenModel = NonNullable<ReturnType<typeof modelOf>>;

/** Inputs in the order in which the graph takes them: several stand by name. */
const inputsOf = (model: GoldenModel, given: Json): Json =>
  isGoldenTensor(given)
    ? toTensor(given)
    : model.inputSpecs.map((input) => toTensor(given[(input as SymbolicTensor).name]));

function fitAs(c: GoldenCase, model: GoldenModel): ReturnType<GoldenModel['fit']> {
  const { config, inputs, validation } = c as Json;
  const { fit } = config;
  return model.fit(inputsOf(model, inputs.x), toTensor(inputs.y), {
    epochs: fit.epochs,
    batchSize: fit.batch_size,
    shuffle: false,
    verbose: 0,
    classWeight: fit.class_weight ?? null,
    sampleWeight: inputs.sample_weight ? toTensor(inputs.sample_weight) : null,
    validationData: validation ? [inputsOf(model, validation.x), toTensor(validation.y)] : null,
  });
}

/** The weights at the end of the run in float64, which says what of float32's is rounding. */
async function exactWeights(c: GoldenCase): Promise<readonly ArrayLike<number>[]> {
  const model = modelOf(c, 'float64', true)!;
  await fitAs(c, model);
  return model.weights.map(({ value }) => value.data);
}

/** Replays one whole training run: eagerly, or in compiled steps, as the comparison runs. */
export async function replayTraining(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const { fit, count_params: count } = c['config'];
  const model = modelOf(c, 'float32', comparison.run === eagerly);
  if (!model) return false;
  const x = inputsOf(model, c['inputs'].x);
  const y = toTensor(c['inputs'].y);
  comparison.equal('count_params', model.countParams(), count);
  comparison.tensor(
    'prediction before',
    await model.predict(x, { batchSize: fit.batch_size }),
    c['prediction_before'],
    toleranceOf(c.name, ''),
  );
  const sampleWeight = c['inputs'].sample_weight ? toTensor(c['inputs'].sample_weight) : null;
  const history = await fitAs(c, model);
  for (const [key, expected] of Object.entries<number[]>(c['history']))
    comparison.numbers(`history of ${key}`, history.values(key), expected, toleranceOf(c.name, ''));
  const evaluated = await model.evaluate(x, y, { batchSize: fit.batch_size, sampleWeight });
  for (const [key, expected] of Object.entries<number>(c['evaluate']))
    comparison.numbers(
      `evaluate ${key}`,
      [evaluated[camelCase(key)] ?? Number.NaN],
      [expected],
      toleranceOf(c.name, ''),
    );
  const compareWeights = (to: Comparison, exact: readonly ArrayLike<number>[] | null): void => {
    (c['final_weights'] as GoldenWeight[]).forEach((expected, i) => {
      const arbiter = exact ? (): ArrayLike<number> => exact[i]! : undefined;
      to.tensor(
        `final ${expected.name}`,
        model.weights[i]?.value,
        expected,
        toleranceOf(c.name, expected.name),
        arbiter,
      );
    });
  };
  const alone = new Comparison();
  compareWeights(alone, null);
  compareWeights(comparison, alone.failures.length > 0 ? await exactWeights(c) : null);
  comparison.tensor(
    'prediction',
    await model.predict(x, { batchSize: fit.batch_size }),
    c['prediction'],
    toleranceOf(c.name, ''),
  );
  return true;
}
