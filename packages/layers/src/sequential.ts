import { valueAndGrad } from '@recurra/autograd';
import { type Optimizer, type OptimizerIdentifier, type OptimizerState, resolveOptimizer } from '@recurra/optim';
import {
  asTensor,
  concat,
  formatShape,
  ShapeError,
  scalar,
  type Tensor,
  type TensorLike,
  ValueError,
} from '@recurra/tensor';
import { uniqueName } from './internal/naming.js';
import { formatPartial, type Layer, type PartialShape } from './layer.js';
import { InputLayer } from './layers/core.js';
import { type Loss, type LossIdentifier, resolveLoss } from './losses.js';
import { Mean, type Metric } from './metrics/metric.js';
import { type MetricIdentifier, resolveMetric } from './metrics/resolve.js';
import { deserializeLayer, type SerializedLayer, serializeLayer } from './serialize.js';
import { summaryTable } from './summary.js';
import { type Callback, History, type Logs } from './training/callbacks.js';
import { ProgressLogger, type Verbosity } from './training/progress.js';
import { batchesOf, classWeights, holdOut, type Samples, toSamples } from './training/samples.js';
import { assignAll, type Variable, withValues } from './variable.js';

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

/** Options of `fit`; names and defaults of Keras. */
export interface FitOptions {
  readonly batchSize?: number;
  readonly epochs?: number;
  readonly verbose?: Verbosity;
  readonly callbacks?: readonly Callback[];
  /** Hold out the last share of the samples (before shuffling) for validation. */
  readonly validationSplit?: number;
  /** Samples, targets and (optionally) weights to validate on after each epoch. */
  readonly validationData?: readonly [TensorLike, TensorLike] | readonly [TensorLike, TensorLike, TensorLike] | null;
  /** Draw the batches of each epoch in a new order; true. */
  readonly shuffle?: boolean;
  /** Weight of every class in the loss, by index; 1 where absent. */
  readonly classWeight?: Readonly<Record<number, number>> | null;
  /** Weight of every sample [samples], or of every step [samples, time]. */
  readonly sampleWeight?: TensorLike | null;
  /** The first epoch's number, to resume a run; 0. */
  readonly initialEpoch?: number;
  readonly validationBatchSize?: number;
  /** Validate every so many epochs; 1. */
  readonly validationFreq?: number;
}

/** Options of `evaluate`. */
export interface EvaluateOptions {
  readonly batchSize?: number;
  readonly sampleWeight?: TensorLike | null;
}

interface Compiled {
  readonly optimizer: Optimizer;
  readonly loss: Loss | null;
  readonly metrics: readonly MetricIdentifier[];
  readonly weightedMetrics: readonly MetricIdentifier[];
  resolved: { plain: Metric[]; weighted: Metric[] } | null;
  state: OptimizerState | null;
}

/** `val`, `loss` -> `valLoss` */
function prefixed(prefix: string, name: string): string {
  return `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`;
}

/** Lets timers and input be served now and then, so that long work can be watched and stopped. */
class Pacer {
  private last = Date.now();

  /** Gives way if the work has gone on for a while. */
  async pace(): Promise<void> {
    if (Date.now() - this.last < 30) return;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 0);
    });
    this.last = Date.now();
  }
}

/**
 * A model that is a chain of layers, each fed by the one before. Masks (of `Embedding` with `maskZero`, of `Masking`) go along
 * from layer to layer. Keras `Sequential`.
 */
export class Sequential {
  readonly name: string;
  /** Set to true (by a callback) to end training after the current batch. */
  stopTraining = false;
  private readonly chain: Layer[] = [];
  private compiled: Compiled | null = null;

  constructor(layers: readonly Layer[] = [], options: { readonly name?: string } = {}) {
    this.name = options.name ?? uniqueName('Sequential');
    for (const layer of layers) this.add(layer);
  }

  /** Appends a layer. An `Input` may only come first. */
  add(layer: Layer): void {
    if (layer instanceof InputLayer && this.chain.length > 0)
      throw new ValueError(`${this.name}: expected Input to come first, received it after ${this.chain.length} layers`);
    if (this.chain.includes(layer))
      throw new ValueError(`${this.name}: expected every layer once, received "${layer.name}" again`);
    if (this.chain.some((l) => l.name === layer.name))
      throw new ValueError(
        `${this.name}: expected layers of different names, received "${layer.name}" twice. Give one another { name }.`,
      );
    this.chain.push(layer);
    if (this.compiled) this.compiled.state = null;
    const input = this.inputShape;
    if (input && !this.chain.slice(0, -1).some((l) => !l.built && !(l instanceof InputLayer))) this.build(input);
  }

  /** The layers, without an `Input`. */
  get layers(): readonly Layer[] {
    return this.chain.filter((l) => !(l instanceof InputLayer));
  }

  private get inputShape(): PartialShape | null {
    const first = this.chain[0];
    return first instanceof InputLayer ? [null, ...first.shape] : null;
  }

  /** Are all weights there? */
  get built(): boolean {
    return this.layers.every((l) => l.built);
  }

  /** All weights, in the order of the layers. */
  get weights(): readonly Variable[] {
    return this.layers.flatMap((l) => l.weights);
  }

  /** The weights that training changes. */
  get trainableWeights(): readonly Variable[] {
    return this.layers.flatMap((l) => l.trainableWeights);
  }

  /** The values of all weights. */
  getWeights(): Tensor[] {
    return this.weights.map((w) => w.value);
  }

  /** Replaces the values of all weights. Throws `ShapeError` where number or shapes do not fit. */
  setWeights(values: readonly TensorLike[]): void {
    if (!this.built)
      throw new ValueError(`${this.name}: expected a built model. Begin it with Input, or call build(shape) first.`);
    assignAll(this.weights, values, this.name);
  }

  /** The number of elements of all weights. */
  countParams(): number {
    return this.layers.reduce((sum, l) => sum + l.countParams(), 0);
  }

  /** Makes the weights of all layers for inputs of this shape (batch first, `null` where open). */
  build(inputShape: PartialShape): void {
    let shape = inputShape;
    for (const layer of this.layers) {
      layer.build(shape);
      shape = layer.computeOutputShape(shape);
    }
  }

  /** The output for one batch, with the mask it carries. */
  forward(inputs: TensorLike, options: { readonly training?: boolean } = {}): { output: Tensor; mask: Tensor | null } {
    const layers = this.layers;
    if (layers.length === 0) throw new ValueError(`${this.name}: expected at least one layer, received none`);
    let x = asTensor(inputs);
    const declared = this.inputShape;
    if (declared && (declared.length !== x.rank || declared.some((d, i) => d !== null && d !== x.shape[i])))
      throw new ShapeError(
        `${this.name}: expected inputs of shape ${formatPartial(declared)}, received ${formatShape(x.shape)}`,
      );
    let mask: Tensor | null = null;
    for (const layer of layers) {
      const outputs = layer.applyAll(x, { mask, training: options.training ?? false });
      if (outputs.length !== 1)
        throw new ValueError(
          `${this.name}: expected layers of one output, received ${outputs.length} from "${layer.name}". In a chain, returnState must be false and mergeMode not null.`,
        );
      mask = layer.computeMask(x, mask);
      x = outputs[0]!;
    }
    return { output: x, mask };
  }

  /** The output for one batch. */
  apply(inputs: TensorLike, options: { readonly training?: boolean } = {}): Tensor {
    return this.forward(inputs, options).output;
  }

  /** Forgets the states of stateful layers. */
  resetStates(): void {
    for (const layer of this.layers) layer.resetState();
  }

  /** Chooses optimizer, loss and metrics. Throws `ValueError` for a name that is not known. */
  compile(options: CompileOptions = {}): void {
    const { optimizer = 'rmsprop', loss, metrics = [], weightedMetrics = [] } = options;
    for (const list of [metrics, weightedMetrics])
      if (!Array.isArray(list)) throw new ValueError(`compile: expected metrics to be a list, received ${typeof list}`);
    // Names are checked here, not at the first batch.
    const probe = scalar(0).reshape([1, 1]);
    for (const metric of [...metrics, ...weightedMetrics]) resolveMetric(metric, probe, probe);
    this.compiled = {
      optimizer: resolveOptimizer(optimizer),
      loss: loss === undefined ? null : resolveLoss(loss),
      metrics,
      weightedMetrics,
      resolved: null,
      state: null,
    };
  }

  /** The optimizer, once compiled. */
  get optimizer(): Optimizer {
    return this.needCompiled('optimizer').optimizer;
  }

  private needCompiled(what: string): Compiled {
    if (!this.compiled)
      throw new ValueError(
        `${this.name}: expected a compiled model. Call compile({ optimizer, loss }) before ${what}.`,
      );
    return this.compiled;
  }

  private lossOf(compiled: Compiled, output: Tensor, mask: Tensor | null, batch: Samples): Tensor {
    if (!compiled.loss || !batch.y)
      throw new ValueError(`${this.name}: expected a loss and targets. Call compile({ loss }) and pass targets.`);
    const value = compiled.loss.apply(batch.y, output, { sampleWeight: batch.weight, mask });
    return value.rank === 0 ? value : value.mean();
  }

  private metricsOf(compiled: Compiled, y: Tensor, output: Tensor): { plain: Metric[]; weighted: Metric[] } {
    compiled.resolved ??= {
      plain: compiled.metrics.map((m) => resolveMetric(m, y, output)),
      weighted: compiled.weightedMetrics.map((m) => resolveMetric(m, y, output)),
    };
    return compiled.resolved;
  }

  private updateMetrics(compiled: Compiled, batch: Samples, output: Tensor, mask: Tensor | null): void {
    const { plain, weighted } = this.metricsOf(compiled, batch.y!, output);
    for (const metric of plain) metric.updateState(batch.y!, output, { mask });
    for (const metric of weighted) metric.updateState(batch.y!, output, { mask, sampleWeight: batch.weight });
  }

  private logs(compiled: Compiled, loss: Mean): Record<string, number> {
    const result: Record<string, number> = { loss: loss.result().item() };
    const { plain, weighted } = compiled.resolved ?? { plain: [], weighted: [] };
    for (const [list, prefix] of [
      [plain, ''],
      [weighted, 'weighted'],
    ] as const)
      for (const metric of list) {
        const name = metric.name in result ? prefixed(prefix, metric.name) : metric.name;
        const value = metric.result();
        if (value.size === 1) result[name] = value.item();
        else
          value.data.forEach((v, i) => {
            result[`${name}${i}`] = v;
          });
      }
    return result;
  }

  private resetMetrics(compiled: Compiled): void {
    for (const metric of [...(compiled.resolved?.plain ?? []), ...(compiled.resolved?.weighted ?? [])])
      metric.resetState();
  }

  /** One step of gradient descent; returns the loss. */
  private trainStep(compiled: Compiled, batch: Samples): { loss: Tensor; output: Tensor; mask: Tensor | null } {
    if (!this.built) this.build([null, ...batch.x.shape.slice(1)]);
    const variables = this.trainableWeights;
    const parameters = Object.fromEntries(variables.map((v) => [v.path, v.value]));
    const step = valueAndGrad((params: Record<string, Tensor>) =>
      withValues(variables, Object.values(params), () => {
        const { output, mask } = this.forward(batch.x, { training: true });
        return { value: this.lossOf(compiled, output, mask, batch), aux: { output, mask } };
      }),
    );
    const { value, gradient, aux } = step(parameters);
    compiled.state ??= compiled.optimizer.init(parameters);
    const next = compiled.optimizer.update(gradient, compiled.state, parameters);
    compiled.state = next.state;
    for (const v of variables) v.assign(next.parameters[v.path]!);
    return { loss: value, ...aux };
  }

  /**
   * Trains: `epochs` times over the samples, in batches, one step of the optimizer each. Resolves to the history of loss and
   * metrics by epoch (validation metrics named `valLoss`, `valAccuracy`, ...).
   *
   * x [samples, ...], y [samples, ...]. Throws `ValueError` for contradictory options, `ShapeError` for data that do not fit.
   */
  async fit(x: TensorLike, y: TensorLike, options: FitOptions = {}): Promise<History> {
    const compiled = this.needCompiled('fit');
    const {
      batchSize = 32,
      epochs = 1,
      verbose = 'auto',
      shuffle = true,
      initialEpoch = 0,
      validationFreq = 1,
      validationSplit = 0,
    } = options;
    if (!Number.isInteger(epochs) || epochs < 1)
      throw new ValueError(`fit: expected epochs to be an integer >= 1, received ${epochs}`);
    if (!(validationSplit >= 0 && validationSplit < 1))
      throw new ValueError(`fit: expected validationSplit in 0 <= share < 1, received ${validationSplit}`);
    if (options.classWeight && options.sampleWeight)
      throw new ValueError('fit: expected classWeight or sampleWeight, received both');
    let data = toSamples(x, y, options.sampleWeight ?? null, 'fit');
    let validation: Samples | null = null;
    if (options.validationData) {
      const [vx, vy, vw] = options.validationData;
      validation = toSamples(vx, vy, vw ?? null, 'fit (validationData)');
    } else if (validationSplit > 0) {
      const { rest, held } = holdOut(data, validationSplit);
      data = rest;
      validation = held;
    }
    if (options.classWeight) data = { ...data, weight: classWeights(data.y!, options.classWeight) };

    const history = new History();
    const callbacks: Callback[] = [
      ...(verbose === 0 ? [] : [new ProgressLogger(verbose)]),
      ...(options.callbacks ?? []),
      history,
    ];
    for (const callback of callbacks) callback.model = this;
    const steps = Math.ceil(data.count / batchSize);
    const lossMean = new Mean({ name: 'loss' });
    this.stopTraining = false;
    for (const callback of callbacks) await callback.onTrainBegin({ epochs, steps });
    let logs: Record<string, number> = {};
    const pacer = new Pacer();
    for (let epoch = initialEpoch; epoch < epochs && !this.stopTraining; epoch++) {
      lossMean.resetState();
      this.resetMetrics(compiled);
      for (const callback of callbacks) await callback.onEpochBegin(epoch);
      let step = 0;
      for (const batch of batchesOf(data, batchSize, shuffle)) {
        for (const callback of callbacks) await callback.onTrainBatchBegin(step);
        const { loss, output, mask } = this.trainStep(compiled, batch);
        lossMean.updateState(loss, undefined, { sampleWeight: scalar(batch.count) });
        this.updateMetrics(compiled, batch, output, mask);
        logs = this.logs(compiled, lossMean);
        for (const callback of callbacks) await callback.onTrainBatchEnd(step, logs);
        step++;
        if (this.stopTraining) break;
        await pacer.pace();
      }
      if (validation && (epoch + 1) % validationFreq === 0) {
        const found = await this.evaluateSamples(compiled, validation, options.validationBatchSize ?? batchSize);
        for (const [name, value] of Object.entries(found)) logs[prefixed('val', name)] = value;
      }
      for (const callback of callbacks) await callback.onEpochEnd(epoch, logs);
    }
    const { useEma } = compiled.optimizer.options;
    if (useEma && compiled.state) {
      const variables = this.trainableWeights;
      const values = variables.map((v) => v.value);
      assignAll(variables, compiled.optimizer.finalize(compiled.state, values), this.name);
    }
    for (const callback of callbacks) await callback.onTrainEnd(logs);
    return history;
  }

  private async evaluateSamples(compiled: Compiled, data: Samples, batchSize: number): Promise<Logs> {
    const lossMean = new Mean({ name: 'loss' });
    this.resetMetrics(compiled);
    const pacer = new Pacer();
    for (const batch of batchesOf(data, batchSize, false)) {
      const { output, mask } = this.forward(batch.x);
      lossMean.updateState(this.lossOf(compiled, output, mask, batch), undefined, {
        sampleWeight: scalar(batch.count),
      });
      this.updateMetrics(compiled, batch, output, mask);
      await pacer.pace();
    }
    return this.logs(compiled, lossMean);
  }

  /** Loss and metrics over samples, by name. */
  async evaluate(x: TensorLike, y: TensorLike, options: EvaluateOptions = {}): Promise<Logs> {
    const compiled = this.needCompiled('evaluate');
    return this.evaluateSamples(
      compiled,
      toSamples(x, y, options.sampleWeight ?? null, 'evaluate'),
      options.batchSize ?? 32,
    );
  }

  /** The outputs for samples, computed in batches: [samples, ...]. */
  async predict(x: TensorLike, options: { readonly batchSize?: number } = {}): Promise<Tensor> {
    const outputs: Tensor[] = [];
    const pacer = new Pacer();
    for (const batch of batchesOf(toSamples(x, null, null, 'predict'), options.batchSize ?? 32, false)) {
      outputs.push(this.apply(batch.x));
      await pacer.pace();
    }
    return concat(outputs);
  }

  /** The table of layers, output shapes and numbers of parameters; written to the console, and returned. */
  summary(options: { readonly print?: boolean } = {}): string {
    const text = summaryTable(this.name, this.layers, this.inputShape);
    if (options.print !== false) console.log(text);
    return text;
  }

  /** Name and layers as plain data, without weights. */
  getConfig(): { readonly name: string; readonly layers: readonly SerializedLayer[] } {
    return { name: this.name, layers: this.chain.map(serializeLayer) };
  }

  /** The model that {@link Sequential.getConfig} describes, with fresh weights. */
  static fromConfig(config: { readonly name?: string; readonly layers: readonly SerializedLayer[] }): Sequential {
    return new Sequential(config.layers.map(deserializeLayer), config.name === undefined ? {} : { name: config.name });
  }
}
