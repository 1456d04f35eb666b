import * as optim from '@recurra/optim';
import { scalar, type Tensor } from '@recurra/tensor';
import { camelCase } from '@recurra/tensor/extend';
import { type Comparison, TOLERANCES } from './compare.js';
import { type GoldenCase, type GoldenTensor, toTensor } from './format.js';

/** `beta_1` -> `beta1`, `learning_rate` -> `learningRate`. */
function camelKeys(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).map(([k, v]) => [camelCase(k), v]));
}

/** A schedule from the name and arguments that Keras gives it. */
function makeSchedule(name: string, args: Record<string, unknown>): optim.Schedule | null {
  const key = `${name[0]!.toLowerCase()}${name.slice(1)}` as keyof typeof optim;
  const make = optim[key] as ((options: unknown) => optim.Schedule) | undefined;
  return make ? make(camelKeys(args)) : null;
}

/** Replays one case of the area `optimizers`: schedules, and trajectories of parameters. */
export async function replayOptimizer(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const tolerance = c['config'].class_name === 'Muon' ? TOLERANCES.muon : TOLERANCES.optimizer;
  if (c['steps']) {
    const schedule = makeSchedule(c['config'].class_name, c['config'].config);
    if (!schedule) return false;
    const at = (steps: Tensor[]): Tensor[] => steps.map((step) => schedule.at(step));
    const found = await comparison.run(
      at,
      (c['steps'] as number[]).map((step) => scalar(step, 'int32')),
    );
    const rates = found.map((rate) => rate.item());
    const golden = toTensor(c['outputs'].learning_rate as GoldenTensor);
    comparison.numbers('learning rate', rates, golden.data, tolerance);
    return true;
  }
  const args = camelKeys(c['config'].arguments);
  if (Array.isArray(args['learningRate']))
    args['learningRate'] = makeSchedule(args['learningRate'][0], args['learningRate'][1]);
  const exclude = c['config'].exclude_from_weight_decay;
  const Class = Object.entries(optim).find(([k]) => k === c['config'].class_name)?.[1] as
    | (new (
        o: unknown,
      ) => optim.Optimizer)
    | undefined;
  if (!Class) return false;
  const optimizer = new Class(exclude ? { ...args, excludeFromWeightDecay: exclude } : args);
  const read = (tensors: Record<string, GoldenTensor>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).map(([k, v]) => [k, toTensor(v)]));
  let parameters = read(c['parameters']);
  let state = optimizer.init(parameters);
  const update = (g: typeof parameters, s: typeof state, p: typeof parameters): ReturnType<typeof optimizer.update> =>
    optimizer.update(g, s, p);
  for (const [i, gradients] of (c['gradients_per_step'] as Record<string, GoldenTensor>[]).entries()) {
    const next = await comparison.run(update, read(gradients), state, parameters);
    parameters = next.parameters as typeof parameters;
    state = next.state;
    const { learning_rate: rate, ...expected } = c['parameters_after_step'][i] as Record<string, GoldenTensor>;
    for (const [name, value] of Object.entries(expected))
      comparison.tensor(`${name} after step ${i + 1}`, parameters[name], value, tolerance);
    comparison.tensor(`learning rate after step ${i + 1}`, optimizer.currentLearningRate(state), rate!, tolerance);
  }
  comparison.equal('iteration', state.iteration.item(), c['gradients_per_step'].length);
  if (c['parameters_after_finalize'])
    for (const [name, value] of Object.entries<GoldenTensor>(c['parameters_after_finalize']))
      comparison.tensor(`${name} after finalize`, optimizer.finalize(state, parameters)[name], value, tolerance);
  return true;
}
