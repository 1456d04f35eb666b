import * as optim from '@recurra/optim';
import { scalar, type Tensor } from '@recurra/tensor';
import { type Comparison, TOLERANCES } from './compare.js';
import { camelKeys, type GoldenCase, type GoldenTensor, toTensor } from './format.js';

/** Keras' serialized schedule (or the name and arguments that a case holds) with its keys in camelCase. */
function scheduleData(name: string, args: Record<string, unknown>): optim.SerializedSchedule {
  return { className: name, config: camelKeys(args) };
}

/** Keras' configuration of an optimizer with its keys in camelCase, the schedule within too. */
function optimizerConfig(config: Record<string, unknown>): Record<string, unknown> {
  const rate = config['learning_rate'] as { class_name: string; config: Record<string, unknown> } | number;
  return {
    ...camelKeys(config),
    learningRate:
      typeof rate === 'number'
        ? rate
        : {
            module: 'keras.optimizers.schedules',
            ...scheduleData(rate.class_name, rate.config),
            registeredName: null,
          },
  };
}

/** Both ways: the fields of Keras are all there and no others, and what they make has them again. */
function compareConfig(
  comparison: Comparison,
  what: string,
  found: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, unknown>>,
): void {
  comparison.equal(`${what}: fields`, Object.keys(found).sort(), Object.keys(expected).sort());
  // Keras keeps the rate as float32.
  const rounded = (value: unknown): unknown => (typeof value === 'number' ? Math.fround(value) : value);
  for (const [key, value] of Object.entries(expected))
    comparison.equal(`${what}: ${key}`, rounded(found[key]), rounded(value));
}

/** The golden trajectories were computed on TensorFlow, where Keras reads z after its update: see `ScheduleFreeAdamW`. */
class ScheduleFreeOnTensorFlow extends optim.ScheduleFreeAdamW {
  protected override iterate(_before: Tensor, after: Tensor): Tensor {
    return after;
  }
}

/** Replays one case of the area `optimizers`: configurations, schedules, and trajectories of parameters. */
export async function replayOptimizer(c: GoldenCase, comparison: Comparison): Promise<boolean> {
  const tolerance = c['config'].class_name === 'Muon' ? TOLERANCES.muon : TOLERANCES.optimizer;
  if (c['steps']) {
    const made = optim.deserializeSchedule(scheduleData(c['config'].class_name, c['config'].config));
    const data = optim.serializeSchedule(made);
    comparison.equal('class', data.className, c['config'].class_name);
    // Some cases hold the arguments alone, without defaults.
    const expected = camelKeys(c['config'].config);
    if ('name' in expected) compareConfig(comparison, 'config', data.config, expected);
    const schedule = optim.deserializeSchedule(data);
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
    args['learningRate'] = optim.deserializeSchedule(scheduleData(args['learningRate'][0], args['learningRate'][1]));
  const { class_name: className, exclude_from_weight_decay: exclude } = c['config'];
  const Class = Object.values(optim.optimizers).find((one) => new one().name === className) as
    | (new (
        o: unknown,
      ) => optim.Optimizer)
    | undefined;
  if (!Class) return false;
  const made = new Class(exclude ? { ...args, excludeFromWeightDecay: exclude } : args);
  const data = optim.serializeOptimizer(made);
  comparison.equal('class', data.className, className);
  const { excludeFromWeightDecay: _, ...config } = data.config;
  compareConfig(comparison, 'config', config, optimizerConfig(c['config'].config));
  // The copy takes the steps.
  const copy = optim.deserializeOptimizer(data);
  comparison.equal('config of the copy', copy.getConfig(), data.config);
  const optimizer =
    copy instanceof optim.ScheduleFreeAdamW ? new ScheduleFreeOnTensorFlow(copy.getConfig() as never) : copy;
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
