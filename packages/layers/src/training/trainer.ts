import { treeLeaves, treeUnflatten, valueAndGrad } from '@recurra/autograd';
import { jit, type Step } from '@recurra/compiler';
import { type Optimizer, type OptimizerIdentifier, type OptimizerState, resolveOptimizer } from '@recurra/optim';
import { scalar, type Tensor, ValueError } from '@recurra/tensor';
import { type Loss, type LossIdentifier, resolveLoss } from '../losses/index.js';
import { Mean, type Metric, type MetricIdentifier, resolveMetric } from '../metrics/index.js';
import { assignAll, Variable, withValues } from '../variable.js';
import type { Logs } from './callbacks.js';
import type { Samples } from './samples.js';

/** Options of `compile`. */
export interface CompileOptions {
  /** 'rmsprop' (Keras' default) */
  readonly optimizer?: OptimizerIdentifier;
  readonly loss?: LossIdentifier;
  /** Metrics that ignore sample weights. */
  readonly metrics?: readonly MetricIdentifier[];
  /** Metrics that sample and class weights count in. */
  readonly weightedMetrics?: readonly MetricIdentifier[];
}

/** What a trainer needs of a model. */
export interface Trainable {
  readonly name: string;
  readonly trainableWeights: readonly Variable[];
  forward(x: Tensor, options?: { readonly training?: boolean }): { output: Tensor; mask: Tensor | null };
}

/** `val`, `loss` -> `valLoss` */
export function prefixed(prefix: string, name: string): string {
  return `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`;
}

type BatchStep = Step<[Tensor, Tensor, Tensor | null], Tensor[]>;

/**
 * Optimizer, loss and metrics of a compiled model, and the compiled steps that train and test it. Weights, the optimizer's state
 * and the metrics' accumulators are variables that those steps update in place; a step returns the loss and the metrics so far.
 */
export class Trainer {
  readonly optimizer: Optimizer;
  private readonly model: Trainable;
  private readonly loss: Loss | null;
  private readonly options: CompileOptions;
  private readonly lossMean = new Mean({ name: 'loss' });
  private metrics: { plain: Metric[]; weighted: Metric[] } | null = null;
  private state: { readonly structure: OptimizerState; readonly variables: readonly Variable[] } | null = null;
  private readonly trainStep: BatchStep;
  private readonly testStep: BatchStep;

  /** Throws `ValueError` for a name that is not known. */
  constructor(model: Trainable, options: CompileOptions) {
    const { optimizer = 'rmsprop', loss, metrics = [], weightedMetrics = [] } = options;
    for (const list of [metrics, weightedMetrics])
      if (!Array.isArray(list)) throw new ValueError(`compile: expected metrics to be a list, received ${typeof list}`);
    // Names are checked here, not at the first batch.
    const probe = scalar(0).reshape([1, 1]);
    for (const metric of [...metrics, ...weightedMetrics]) resolveMetric(metric, probe, probe);
    this.model = model;
    this.options = options;
    this.optimizer = resolveOptimizer(optimizer);
    this.loss = loss === undefined ? null : resolveLoss(loss);
    this.trainStep = jit((x, y, weight) => this.train(x, y, weight), { name: `${model.name}.train` });
    this.testStep = jit((x, y, weight) => this.test(x, y, weight), { name: `${model.name}.test` });
  }

  /** Forgets the optimizer's state: the weights are others. */
  forget(): void {
    this.state = null;
    this.trainStep.dispose();
    this.testStep.dispose();
  }

  /** Starts loss and metrics again. */
  reset(): void {
    this.lossMean.resetState();
    for (const metric of this.allMetrics) metric.resetState();
  }

  private get allMetrics(): Metric[] {
    return [...(this.metrics?.plain ?? []), ...(this.metrics?.weighted ?? [])];
  }

  /** One step of gradient descent on a batch; resolves to the loss and the metrics since the last {@link reset}. */
  async trainBatch(batch: Samples): Promise<Logs> {
    this.state ??= this.createState();
    return this.logs(await this.trainStep(batch.x, this.targets(batch), batch.weight));
  }

  /** Takes a batch into loss and metrics without training; resolves to them. */
  async testBatch(batch: Samples): Promise<Logs> {
    return this.logs(await this.testStep(batch.x, this.targets(batch), batch.weight));
  }

  /** Puts the moving averages of the weights in their place, where the optimizer keeps them. */
  finalize(): void {
    if (!this.optimizer.options.useEma || !this.state) return;
    const variables = this.model.trainableWeights;
    const values = variables.map((v) => v.value);
    assignAll(variables, this.optimizer.finalize(this.currentState(), values), this.model.name);
  }

  /** The compiled training step, to look at (`explain`, `memory`, `profile`), and the arguments for a batch. */
  inspect(batch: Samples): { step: BatchStep; args: [Tensor, Tensor, Tensor | null] } {
    this.state ??= this.createState();
    return { step: this.trainStep, args: [batch.x, this.targets(batch), batch.weight] };
  }

  private targets(batch: Samples): Tensor {
    if (!this.loss || !batch.y)
      throw new ValueError(`${this.model.name}: expected a loss and targets. Call compile({ loss }) and pass targets.`);
    return batch.y;
  }

  private parameters(): Record<string, Tensor> {
    return Object.fromEntries(this.model.trainableWeights.map((v) => [v.path, v.value]));
  }

  private createState(): NonNullable<Trainer['state']> {
    const structure = this.optimizer.init(this.parameters());
    const variables = treeLeaves(structure).map(
      (value, i) => new Variable(value, `${this.model.name}/optimizer/${i}`, { trainable: false }),
    );
    return { structure, variables };
  }

  private currentState(): OptimizerState {
    const { structure, variables } = this.state!;
    return treeUnflatten(
      structure,
      variables.map((v) => v.value),
    );
  }

  private lossOf(y: Tensor, output: Tensor, mask: Tensor | null, sampleWeight: Tensor | null): Tensor {
    const value = this.loss!.apply(y, output, { sampleWeight, mask });
    return value.rank === 0 ? value : value.mean();
  }

  private train(x: Tensor, y: Tensor, weight: Tensor | null): Tensor[] {
    const variables = this.model.trainableWeights;
    const parameters = this.parameters();
    const step = valueAndGrad((watched: Record<string, Tensor>) =>
      withValues(variables, Object.values(watched), () => {
        const { output, mask } = this.model.forward(x, { training: true });
        return { value: this.lossOf(y, output, mask, weight), aux: { output, mask } };
      }),
    );
    const { value, gradient, aux } = step(parameters);
    const next = this.optimizer.update(gradient, this.currentState(), parameters);
    for (const v of variables) v.assign(next.parameters[v.path]!);
    treeLeaves(next.state).forEach((leaf, i) => {
      this.state!.variables[i]!.assign(leaf);
    });
    return this.measure(value, y, aux.output, aux.mask, weight);
  }

  private test(x: Tensor, y: Tensor, weight: Tensor | null): Tensor[] {
    const { output, mask } = this.model.forward(x);
    return this.measure(this.lossOf(y, output, mask, weight), y, output, mask, weight);
  }

  /** Takes a batch into loss and metrics, and returns what they are now. */
  private measure(loss: Tensor, y: Tensor, output: Tensor, mask: Tensor | null, weight: Tensor | null): Tensor[] {
    this.lossMean.updateState(loss, undefined, { sampleWeight: scalar(y.shape[0]!) });
    const { metrics = [], weightedMetrics = [] } = this.options;
    this.metrics ??= {
      plain: metrics.map((m) => resolveMetric(m, y, output)),
      weighted: weightedMetrics.map((m) => resolveMetric(m, y, output)),
    };
    for (const metric of this.metrics.plain) metric.updateState(y, output, { mask });
    for (const metric of this.metrics.weighted) metric.updateState(y, output, { mask, sampleWeight: weight });
    return [this.lossMean.result(), ...this.allMetrics.map((metric) => metric.result())];
  }

  /** Results of a step by name. */
  private logs([loss, ...values]: Tensor[]): Logs {
    const result: Record<string, number> = { loss: loss!.item() };
    const { plain, weighted } = this.metrics!;
    const names = [...plain.map((m) => ['', m.name]), ...weighted.map((m) => ['weighted', m.name])];
    values.forEach((value, i) => {
      const [prefix, own] = names[i] as [string, string];
      const name = own in result ? prefixed(prefix, own) : own;
      if (value.size === 1) result[name] = value.item();
      else
        value.data.forEach((v, k) => {
          result[`${name}${k}`] = v;
        });
    });
    return result;
  }
}
