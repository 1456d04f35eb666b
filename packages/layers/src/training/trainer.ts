import { valueAndGrad } from '@recurra/autograd';
import { jit, type Step } from '@recurra/compiler';
import { breathe, isZero, untraced } from '@recurra/compiler/extend';
import type { OptimizerIdentifier } from '@recurra/optim';
import { resolveOptimizer } from '@recurra/optim/extend';
import { scalar, splitKey, stopGradient, Tensor, ValueError } from '@recurra/tensor';
import { withKeys } from '@recurra/tensor/extend';
import { maskOf } from '../base/masks.js';
import { collectLosses } from '../base/scope.js';
import { structureOf } from '../base/structure.js';
import { describeTree, isRecord, leavesOf } from '../base/tree.js';
import { structureVersion, type Variable, withValues } from '../base/variable.js';
import { resolveLoss } from '../losses/extend.js';
import type { Loss, LossIdentifier } from '../losses/index.js';
import { type Directed, directionOf, nameMetrics, prefixed, resolveMetric } from '../metrics/extend.js';
import { Mean, Metric, type MetricIdentifier } from '../metrics/index.js';
import { type Logs, logName } from './logs.js';
import { ModelOptimizer } from './model-optimizer.js';
import { leavesByOutput, type OutputNames, type PerOutput, perOutput } from './outputs.js';
import { isOneLoss, isOneMetric } from './rules.js';
import type { Samples } from './samples.js';
import type { TrainState } from './state.js';

/**
 * Options of `compile`. What is given for several outputs goes by their order (a list) or their names (an object); one loss, and one weight of
 * losses, counts for each of them.
 */
export interface CompileOptions {
  /** 'rmsprop' (Keras' default) */
  readonly optimizer?: OptimizerIdentifier;
  /** By name, object or function; `null` for an output that is not trained. */
  readonly loss?: PerOutput<LossIdentifier | null> | null;
  /** Factors of the outputs' losses in the sum; 1. */
  readonly lossWeights?: PerOutput<number> | null;
  /** Metrics that ignore sample weights. */
  readonly metrics?: MetricsOption;
  /** Metrics that sample and class weights count in. */
  readonly weightedMetrics?: MetricsOption;
  /** Compute operation by operation, without compiling: slow, but code inside of layers can be stepped through; false. */
  readonly runEagerly?: boolean;
}

/** Metrics of the only output, or of each output. */
export type MetricsOption =
  | readonly MetricIdentifier[]
  | readonly (readonly MetricIdentifier[] | null)[]
  | { readonly [output: string]: MetricIdentifier | readonly MetricIdentifier[] | null };

/** What a trainer needs of a model. */
export interface Trainable {
  readonly name: string;
  readonly variables: readonly Variable[];
  readonly trainableWeights: readonly Variable[];
  layersWithin(): readonly { readonly trainable: boolean }[];
  /** What regularizers of trained weights add to the loss. */
  penalties(): readonly Tensor[];
  apply(x: never, options?: { readonly training?: boolean }): unknown;
  /** Structure and names of outputs like these. */
  outputNames(outputs: unknown): OutputNames;
}

type BatchStep = Step<[unknown, unknown, unknown, string], Tensor[]>;
type PredictStep = Step<[unknown, string], unknown>;

/** A metric, what it measures, and its name in the logs. */
interface Measure {
  readonly metric: Metric;
  readonly output: number;
  readonly weighted: boolean;
  readonly name: string;
}

/** What follows from the outputs of the model: known at the first batch. */
interface Plan {
  readonly outputs: OutputNames;
  readonly losses: readonly (Loss | null)[];
  readonly weights: readonly (number | null)[];
  /** With several outputs, the mean of the loss of each. */
  readonly trackers: readonly (Mean | null)[];
  readonly measures: readonly Measure[];
  readonly logNames: readonly string[];
  /** What says which way is better, by the names in the logs. */
  readonly directed: ReadonlyMap<string, Directed>;
}

/** What a step is compiled for. */
interface Structure {
  /** The weights that it trains. */
  readonly trained: readonly Variable[];
  /** Another text, another compiled step. */
  readonly signature: string;
}

/**
 * Optimizer, loss and metrics of a compiled model, and the steps that train and test it. Weights, the optimizer's state and the
 * metrics' accumulators are variables that those steps update in place; a step returns the loss and the metrics so far.
 */
export class Trainer {
  readonly optimizer: ModelOptimizer;
  readonly runEagerly: boolean;
  private readonly model: Trainable;
  /** What `compile` was given. */
  readonly options: CompileOptions;
  /** Metrics that are the caller's, and may be another model's too. */
  readonly given: Metric[] = [];
  private readonly lossMean = new Mean({ name: 'loss' });
  private plan: Plan | null = null;
  private readonly trainStep: BatchStep;
  private readonly testStep: BatchStep;
  private structureAt = -1;
  private preparedFor: Structure | null = null;
  private warned = false;
  private collected: Structure = { trained: [], signature: '' };
  /** Where random numbers of a training step come from; see {@link TrainState.key}. */
  key: Variable | null = null;

  /** Throws `ValueError` for a name that is not known. */
  constructor(model: Trainable, options: CompileOptions) {
    this.model = model;
    this.options = options;
    this.runEagerly = options.runEagerly ?? false;
    this.optimizer = new ModelOptimizer(resolveOptimizer(options.optimizer ?? 'rmsprop'));
    // Names are checked here, not at the first batch.
    for (const loss of isOneLoss(options.loss) ? [options.loss] : Object.values(options.loss ?? {}))
      if (loss !== null && loss !== undefined) resolveLoss(loss as LossIdentifier);
    const probe = scalar(0).reshape([1, 1]);
    const seen = new Set<unknown>();
    for (const [name, list] of [
      ['metrics', options.metrics],
      ['weightedMetrics', options.weightedMetrics],
    ] as const) {
      if (list === undefined || list === null) continue;
      if (!Array.isArray(list) && !isRecord(list))
        throw new ValueError(
          `compile: expected ${name} to be a list, or an object by output, received ${describeTree(list)}`,
        );
      for (const metric of metricsIn(list)) {
        if (!(metric instanceof Metric)) resolveMetric(metric as MetricIdentifier, probe, probe);
        // What it has seen would be counted together.
        else if (seen.has(metric))
          throw new ValueError(
            `compile (${name}): expected every metric once, received the ${metric.className} "${metric.name}" again. Make one for each place.`,
          );
        else this.given.push(metric);
        seen.add(metric);
      }
    }
    this.trainStep = jit((x, y, weight) => this.train(x, y, weight), { name: `${model.name}.train` });
    this.testStep = jit((x, y, weight) => this.test(x, y, weight), { name: `${model.name}.test` });
  }

  /** Is more of a value of the logs better, or less? Throws `ValueError`, asking for a mode, where that cannot be known. */
  directionOf(monitor: string, what: string): 'up' | 'down' {
    return directionOf(monitor, this.plan?.directed ?? new Map(), what);
  }

  /** Makes what depends on the outputs, that `outputs` gives without computing them, and on the targets. */
  prepare(outputs: () => unknown, y: unknown): void {
    this.prepareOptimizer();
    if (!this.plan) this.planFor(outputs(), y);
  }

  /** Forgets the compiled steps. */
  forget(): void {
    this.trainStep.dispose();
    this.testStep.dispose();
  }

  /** The accumulators of loss and metrics. */
  get variables(): readonly Variable[] {
    return this.allMetrics.flatMap((metric) => metric.variables);
  }

  /** The metrics, with the names that they have in the logs. */
  get metrics(): readonly { readonly name: string; readonly metric: Metric }[] {
    return (this.plan?.measures ?? []).map(({ name, metric }) => ({ name, metric }));
  }

  private get allMetrics(): Metric[] {
    return [
      this.lossMean,
      ...(this.plan?.trackers ?? []).flatMap((m) => (m ? [m] : [])),
      ...(this.plan?.measures ?? []).map((m) => m.metric),
    ];
  }

  /** Starts loss and metrics again. */
  reset(): void {
    for (const metric of this.allMetrics) metric.resetState();
  }

  /** What the accumulators hold, to be put back after a run within a run. */
  suspend(): () => void {
    const held = this.variables.map((v) => [v, v.value] as const);
    return () => {
      for (const [variable, value] of held) variable.assign(value);
    };
  }

  /** Which variables take part in a step. It is found again where variables came to be, were frozen or thawed: models are walked once, not in every step. */
  private structure(): Structure {
    if (this.structureAt !== structureVersion()) {
      const trained = this.model.trainableWeights;
      const ids = trained.map((v) => v.id);
      this.collected = { trained, signature: `${ids.join()};${structureOf(this.model)}` };
      this.structureAt = structureVersion();
    }
    return this.collected;
  }

  /** Makes the optimizer's state for weights that have none. */
  private prepareOptimizer(): void {
    const structure = this.structure();
    if (this.preparedFor === structure) return;
    this.optimizer.prepare(structure.trained);
    this.preparedFor = structure;
  }

  /** One step of gradient descent on a batch; resolves to the loss and the metrics since the last {@link reset}. */
  async trainBatch(batch: Samples, state: TrainState): Promise<Logs> {
    this.key = state.key;
    this.prepareOptimizer();
    return this.logs(await this.run(this.trainStep, batch));
  }

  /** Takes a batch into loss and metrics without training; resolves to them. */
  async testBatch(batch: Samples): Promise<Logs> {
    return this.logs(await this.run(this.testStep, batch));
  }

  private async run(step: BatchStep, { x, y, weight }: Samples): Promise<Tensor[]> {
    if (this.runEagerly) {
      await breathe();
      return step.inline(x, y, weight, '');
    }
    return step(x, y, weight, this.structure().signature);
  }

  /** The compiled training step, to look at (`explain`, `memory`, `profile`), and the arguments for a batch. */
  inspect(batch: Samples, state: TrainState): { step: BatchStep; args: [unknown, unknown, unknown, string] } {
    this.key = state.key;
    this.prepareOptimizer();
    return { step: this.trainStep, args: [batch.x, batch.y, batch.weight, this.structure().signature] };
  }

  /** Losses and metrics by output, made when outputs and targets are first seen. */
  private planFor(outputs: unknown, y: unknown): Plan {
    if (this.plan) return this.plan;
    const { options } = this;
    const named = this.model.outputNames(outputs);
    const several = named.names.length > 1;
    const losses = perOutput<LossIdentifier>(options.loss, named, 'compile (loss)', isOneLoss, { shared: true }).map(
      (loss) => (loss === null ? null : resolveLoss(loss)),
    );
    const weights = perOutput<number>(options.lossWeights, named, 'compile (lossWeights)', Number.isFinite, {
      shared: true,
    });
    const targets = y === null ? named.names.map(() => null) : leavesByOutput(y, named, 'targets');
    const values = leavesOf(outputs) as Tensor[];
    const measures: Omit<Measure, 'name'>[] = [];
    for (const [list, weighted] of [
      [options.metrics, false],
      [options.weightedMetrics, true],
    ] as const)
      metricsPerOutput(list, named, weighted ? 'compile (weightedMetrics)' : 'compile (metrics)').forEach(
        (metrics, output) => {
          for (const identifier of metrics) {
            const target = targets[output];
            if (!(target instanceof Tensor))
              throw new ValueError(
                `${this.model.name}: expected targets for "${named.names[output]}", whose metrics are asked for`,
              );
            const metric = untraced(() => resolveMetric(identifier, target, values[output]!));
            measures.push({ metric, output, weighted });
          }
        },
      );
    const outputName = (i: number): string | null => (several ? logName(named.names[i]!) : null);
    const trackers = losses.map((loss, i) =>
      several && loss ? untraced(() => new Mean({ name: prefixed(outputName(i)!, 'loss') })) : null,
    );
    const reserved = ['loss', ...trackers.flatMap((t) => (t ? [t.name] : []))];
    const byName = nameMetrics(
      measures.map(({ metric, output, weighted }) => ({ metric, weighted, output: outputName(output) })),
      reserved,
    );
    const own = [...byName.keys()];
    this.plan = {
      outputs: named,
      losses,
      weights,
      trackers,
      measures: measures.map((m, i) => ({ ...m, name: own[i]! })),
      logNames: [...reserved, ...own],
      directed: new Map<string, Directed>([
        ...reserved.map((name) => [name, { direction: 'down' }] as const),
        ...byName,
      ]),
    };
    return this.plan;
  }

  /** The loss of every output, and their weighted sum with what layers add. */
  private lossOf(
    outputs: unknown,
    y: unknown,
    weight: unknown,
    added: readonly Tensor[],
  ): { total: Tensor; each: (Tensor | null)[]; masks: (Tensor | null)[] } {
    const plan = this.planFor(outputs, y);
    const values = leavesOf(outputs) as Tensor[];
    const masks = values.map(maskOf);
    const targets = y === null ? values.map(() => null) : leavesByOutput(y, plan.outputs, 'targets');
    const sampleWeights = weightsOf(weight, plan.outputs);
    const each = plan.losses.map((loss, i) => {
      const target = targets[i];
      if (!loss) return null;
      if (!(target instanceof Tensor))
        throw new ValueError(
          `${this.model.name}: expected targets${values.length > 1 ? ` for "${plan.outputs.names[i]}"` : ''}, received none. Pass targets.`,
        );
      const value = loss.apply(target, values[i]!, { sampleWeight: sampleWeights[i] ?? null, mask: masks[i] ?? null });
      return value.rank === 0 ? value : value.mean();
    });
    const terms = each.flatMap((value, i) =>
      value ? [plan.weights[i] === null ? value : value.mul(plan.weights[i]!)] : [],
    );
    terms.push(...added);
    if (terms.length === 0)
      throw new ValueError(
        `${this.model.name}: expected a loss. Call compile({ loss }) and pass targets, or let a layer add one.`,
      );
    return { total: terms.reduce((a, b) => a.add(b)), each, masks };
  }

  private train(x: unknown, y: unknown, weight: unknown): Tensor[] {
    const variables = this.model.trainableWeights;
    const [next, use] = splitKey(this.key!.value);
    const step = valueAndGrad((watched: Tensor[]) =>
      withKeys(use!, () =>
        withValues(variables, watched, () => {
          const { result, losses } = collectLosses(true, () => this.model.apply(x as never, { training: true }));
          const found = this.lossOf(result, y, weight, [...losses, ...this.model.penalties()]);
          // Gradients are of the scaled loss; what is reported is the loss itself.
          return { value: this.optimizer.scaleLoss(found.total), aux: { outputs: result, ...found } };
        }),
      ),
    );
    const { gradient, aux } = step(variables.map((v) => v.value));
    this.key!.assign(next!);
    this.expectGradients(variables, gradient);
    this.optimizer.apply(variables, gradient);
    return this.measure(aux.total, aux.each, y, aux.outputs, aux.masks, weight);
  }

  /** Throws `ValueError` where the loss depends on none of the weights, and warns of those that it does not depend on: no step would change them. */
  private expectGradients(variables: readonly Variable[], gradients: readonly Tensor[]): void {
    // Eagerly, a gradient that is there may be zero just now.
    if (this.runEagerly) return;
    const idle = variables.filter((_, i) => isZero(gradients[i]!)).map((v) => v.path);
    if (idle.length === 0) return;
    if (idle.length === variables.length)
      throw new ValueError(
        `${this.model.name}: expected a loss that depends on the weights, received one without a gradient for any of them. Comparisons, rounding, argMax and stopGradient have none.`,
      );
    if (this.warned) return;
    this.warned = true;
    console.warn(
      `${this.model.name}: the loss does not depend on ${idle.join(', ')}: they are not trained. Set trainable = false where that is meant.`,
    );
  }

  private test(x: unknown, y: unknown, weight: unknown): Tensor[] {
    const { result, losses } = collectLosses(false, () => this.model.apply(x as never, { training: false }));
    const added = [...losses, ...this.model.penalties()];
    const { total, each, masks } = this.lossOf(result, y, weight, added);
    return this.measure(total, each, y, result, masks, weight);
  }

  /** Takes a batch into loss and metrics, and returns what they are now. */
  private measure(
    total: Tensor,
    each: readonly (Tensor | null)[],
    y: unknown,
    outputs: unknown,
    masks: readonly (Tensor | null)[],
    weight: unknown,
  ): Tensor[] {
    const plan = this.plan!;
    const values = (leavesOf(outputs) as Tensor[]).map((v) => stopGradient(v));
    const batch = scalar(values[0]!.shape[0]!);
    this.lossMean.updateState(total, undefined, { sampleWeight: batch });
    plan.trackers.forEach((tracker, i) => {
      tracker?.updateState(each[i]!, undefined, { sampleWeight: batch });
    });
    const targets = y === null ? [] : leavesByOutput(y, plan.outputs, 'targets');
    const sampleWeights = weightsOf(weight, plan.outputs);
    for (const { metric, output, weighted } of plan.measures)
      metric.updateState(targets[output] as Tensor, values[output]!, {
        mask: masks[output] ?? null,
        ...(weighted ? { sampleWeight: sampleWeights[output] ?? null } : {}),
      });
    return [
      this.lossMean.result(),
      ...plan.trackers.flatMap((t) => (t ? [t.result()] : [])),
      ...plan.measures.map((m) => m.metric.result()),
    ];
  }

  /** Results of a step by name. */
  private logs(values: Tensor[]): Logs {
    const result: Record<string, number> = {};
    const { logNames } = this.plan!;
    values.forEach((value, i) => {
      const name = logNames[i]!;
      if (value.size === 1) result[name] = value.item();
      else
        value.data.forEach((v, k) => {
          result[`${name}${k}`] = v;
        });
    });
    return result;
  }
}

/** The compiled forward pass of a model. */
export function predictStep(model: Trainable): PredictStep {
  return jit((x) => model.apply(x as never, { training: false }), { name: `${model.name}.predict` });
}

/** Sample weights by output: one tensor counts for all. */
function weightsOf(weight: unknown, outputs: OutputNames): (Tensor | null)[] {
  if (weight === null) return outputs.names.map(() => null);
  if (weight instanceof Tensor) return outputs.names.map(() => weight);
  return leavesByOutput(weight, outputs, 'sample weights') as (Tensor | null)[];
}

/** All metrics of a list or an object, nested as they may be by output. */
function metricsIn(given: unknown): unknown[] {
  if (given === null || given === undefined) return [];
  if (isOneMetric(given) || typeof given !== 'object') return [given];
  return Object.values(given).flatMap(metricsIn);
}

/** Lists of metrics by output. For one output a list is its metrics; for several, a list holds one entry an output. */
function metricsPerOutput(given: MetricsOption | undefined, outputs: OutputNames, label: string): MetricIdentifier[][] {
  const list = (value: unknown): MetricIdentifier[] =>
    value === null || value === undefined
      ? []
      : Array.isArray(value)
        ? (value.flat() as MetricIdentifier[])
        : [value as MetricIdentifier];
  if (given === undefined || given === null) return outputs.names.map(() => []);
  if (outputs.names.length === 1 && Array.isArray(given)) return [list(given)];
  return perOutput<unknown>(given, outputs, label, isOneMetric).map(list);
}
