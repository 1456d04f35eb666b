import { jit, type Profile, type Step } from '@recurra/compiler';
import type { Optimizer } from '@recurra/optim';
import { asTensor, concat, formatShape, ShapeError, type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { uniqueName } from './internal/naming.js';
import { formatPartial, type Layer, type PartialShape } from './layer.js';
import { InputLayer } from './layers/core.js';
import { deserializeLayer, type SerializedLayer, serializeLayer } from './serialize.js';
import { summaryTable } from './summary.js';
import {
  type Batches,
  type BatchSource,
  batchesFrom,
  batchesInMemory,
  isBatchSource,
  passOver,
} from './training/batches.js';
import { type Callback, History, type Logs } from './training/callbacks.js';
import { ProgressLogger, type Verbosity } from './training/progress.js';
import { batchesOf, classWeights, holdOut, toSamples } from './training/samples.js';
import { type CompileOptions, prefixed, Trainer } from './training/trainer.js';
import { assignAll, type Variable } from './variable.js';

/** Options of `fit`; names and defaults of Keras. */
export interface FitOptions {
  readonly batchSize?: number;
  readonly epochs?: number;
  readonly verbose?: Verbosity;
  readonly callbacks?: readonly Callback[];
  /** Hold out the last share of the samples (before shuffling) for validation. */
  readonly validationSplit?: number;
  /** Samples, targets and (optionally) weights to validate on after each epoch; or a source of batches. */
  readonly validationData?:
    | readonly [TensorLike, TensorLike]
    | readonly [TensorLike, TensorLike, TensorLike]
    | BatchSource
    | null;
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
  /** With a source of batches: batches of an epoch. `null` (default): one pass over the source. */
  readonly stepsPerEpoch?: number | null;
  /** With a source of batches to validate on: how many of them; all by default. */
  readonly validationSteps?: number | null;
}

/** Options of `evaluate`. */
export interface EvaluateOptions {
  readonly batchSize?: number;
  readonly sampleWeight?: TensorLike | null;
  /** With a source of batches: how many of them; all by default. */
  readonly steps?: number | null;
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
  private trainer: Trainer | null = null;
  private readonly predictStep: Step<[Tensor], Tensor>;

  constructor(layers: readonly Layer[] = [], options: { readonly name?: string } = {}) {
    this.name = options.name ?? uniqueName('Sequential');
    this.predictStep = jit((x) => this.apply(x), { name: `${this.name}.predict` });
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
    this.trainer?.forget();
    this.predictStep.dispose();
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
    this.trainer = new Trainer(this, options);
  }

  /** The optimizer, once compiled. */
  get optimizer(): Optimizer {
    return this.needTrainer('optimizer').optimizer;
  }

  private needTrainer(what: string): Trainer {
    if (!this.trainer)
      throw new ValueError(
        `${this.name}: expected a compiled model. Call compile({ optimizer, loss }) before ${what}.`,
      );
    return this.trainer;
  }

  /** Makes the weights, if they are not there, for samples like these. */
  private buildFor(x: Tensor): void {
    if (!this.built) this.build([null, ...x.shape.slice(1)]);
  }

  /**
   * One step of gradient descent on one batch; resolves to the loss and the metrics of that batch.
   * Throws as {@link Sequential.fit}.
   */
  async trainOnBatch(
    x: TensorLike,
    y: TensorLike,
    options: { readonly sampleWeight?: TensorLike | null } = {},
  ): Promise<Logs> {
    const trainer = this.needTrainer('trainOnBatch');
    const batch = toSamples(x, y, options.sampleWeight ?? null, 'trainOnBatch');
    this.buildFor(batch.x);
    trainer.reset();
    return trainer.trainBatch(batch);
  }

  /** Loss and metrics of one batch, without training. */
  async testOnBatch(
    x: TensorLike,
    y: TensorLike,
    options: { readonly sampleWeight?: TensorLike | null } = {},
  ): Promise<Logs> {
    const trainer = this.needTrainer('testOnBatch');
    const batch = toSamples(x, y, options.sampleWeight ?? null, 'testOnBatch');
    this.buildFor(batch.x);
    trainer.reset();
    return trainer.testBatch(batch);
  }

  /** The output for one batch, by the compiled step. */
  async predictOnBatch(x: TensorLike): Promise<Tensor> {
    const batch = asTensor(x);
    this.buildFor(batch);
    return this.predictStep(batch);
  }

  /** What the compiled training step for such a batch is made of: graph, fusions, kernels and memory, as text. */
  explain(x: TensorLike, y: TensorLike): string {
    const batch = toSamples(x, y, null, 'explain');
    this.buildFor(batch.x);
    const { step, args } = this.needTrainer('explain').inspect(batch);
    return step.explain(...args);
  }

  /** Trains on one batch, measuring every kernel of the step. */
  async profile(x: TensorLike, y: TensorLike): Promise<Profile<unknown>> {
    const batch = toSamples(x, y, null, 'profile');
    this.buildFor(batch.x);
    const { step, args } = this.needTrainer('profile').inspect(batch);
    return step.profile(...args);
  }

  /**
   * Trains: `epochs` times over the samples, in batches, one step of the optimizer each. Resolves to the history of loss and
   * metrics by epoch (validation metrics named `valLoss`, `valAccuracy`, ...).
   *
   * x [samples, ...], y [samples, ...]; or a `Dataset` (or other iterable) of batches [x, y], [x, y, weights] or { x, y }, which decides about
   * batch size and order. Throws `ValueError` for contradictory options, `ShapeError` for data that do not fit.
   */
  fit(x: TensorLike, y: TensorLike, options?: FitOptions): Promise<History>;
  fit(batches: BatchSource, options?: FitOptions): Promise<History>;
  async fit(
    first: TensorLike | BatchSource,
    second: TensorLike | FitOptions = {},
    third: FitOptions = {},
  ): Promise<History> {
    const trainer = this.needTrainer('fit');
    const streamed = isBatchSource(first);
    const options = streamed ? (second as FitOptions) : third;
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
    const { validationData, validationBatchSize = batchSize, classWeight, stepsPerEpoch = null } = options;
    let batches: Batches;
    // Made for each validation: a data set then begins anew, also where only some of its batches are used.
    let validation: (() => Batches) | null = null;
    if (isBatchSource(validationData))
      validation = () => batchesFrom(validationData, options.validationSteps ?? null, 'fit (validationData)');
    else if (validationData) {
      const [vx, vy, vw] = validationData;
      const held = toSamples(vx, vy, vw ?? null, 'fit (validationData)');
      validation = () => batchesInMemory(held, validationBatchSize, false);
    }
    if (streamed) {
      for (const [name, given] of [
        ['validationSplit', validationSplit > 0],
        ['sampleWeight', options.sampleWeight],
      ] as const)
        if (given)
          throw new ValueError(
            `fit: expected samples in tensors with ${name}, received a source of batches. ${name === 'sampleWeight' ? 'Give weights in the batches: [x, y, weights].' : 'Split the data set, and pass validationData.'}`,
          );
      batches = batchesFrom(first, stepsPerEpoch, 'fit');
    } else {
      let data = toSamples(first, second as TensorLike, options.sampleWeight ?? null, 'fit');
      if (!validation && validationSplit > 0) {
        const { rest, held } = holdOut(data, validationSplit);
        data = rest;
        validation = () => batchesInMemory(held, validationBatchSize, false);
      }
      if (classWeight) data = { ...data, weight: classWeights(data.y!, classWeight) };
      batches = batchesInMemory(data, batchSize, shuffle);
      this.buildFor(data.x);
    }

    const history = new History();
    const callbacks: Callback[] = [
      ...(verbose === 0 ? [] : [new ProgressLogger(verbose)]),
      ...(options.callbacks ?? []),
      history,
    ];
    for (const callback of callbacks) callback.model = this;
    this.stopTraining = false;
    for (const callback of callbacks) await callback.onTrainBegin({ epochs, steps: batches.steps });
    let logs: Logs = {};
    const pacer = new Pacer();
    try {
      for (let epoch = initialEpoch; epoch < epochs && !this.stopTraining; epoch++) {
        trainer.reset();
        for (const callback of callbacks) await callback.onEpochBegin(epoch);
        let step = 0;
        for await (const given of batches.epoch(epoch)) {
          let batch = given;
          if (streamed) {
            this.buildFor(batch.x);
            if (classWeight) batch = { ...batch, weight: classWeights(batch.y!, classWeight) };
          }
          for (const callback of callbacks) await callback.onTrainBatchBegin(step);
          logs = await trainer.trainBatch(batch);
          for (const callback of callbacks) await callback.onTrainBatchEnd(step, logs);
          step++;
          if (this.stopTraining) break;
          await pacer.pace();
        }
        if (validation && (epoch + 1) % validationFreq === 0) {
          const found = await this.evaluateBatches(trainer, validation());
          logs = {
            ...logs,
            ...Object.fromEntries(Object.entries(found).map(([name, value]) => [prefixed('val', name), value])),
          };
        }
        for (const callback of callbacks) await callback.onEpochEnd(epoch, logs);
      }
    } finally {
      await batches.close();
    }
    trainer.finalize();
    for (const callback of callbacks) await callback.onTrainEnd(logs);
    return history;
  }

  private async evaluateBatches(trainer: Trainer, batches: Batches): Promise<Logs> {
    trainer.reset();
    let logs: Logs = {};
    const pacer = new Pacer();
    try {
      for await (const batch of batches.epoch(0)) {
        this.buildFor(batch.x);
        logs = await trainer.testBatch(batch);
        await pacer.pace();
      }
    } finally {
      await batches.close();
    }
    return logs;
  }

  /** Loss and metrics over samples, or over the batches of a source, by name. */
  evaluate(x: TensorLike, y: TensorLike, options?: EvaluateOptions): Promise<Logs>;
  evaluate(batches: BatchSource, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(
    first: TensorLike | BatchSource,
    second: TensorLike | EvaluateOptions = {},
    third: EvaluateOptions = {},
  ): Promise<Logs> {
    const trainer = this.needTrainer('evaluate');
    if (isBatchSource(first)) {
      const { steps = null } = second as EvaluateOptions;
      return this.evaluateBatches(trainer, batchesFrom(first, steps, 'evaluate'));
    }
    const data = toSamples(first, second as TensorLike, third.sampleWeight ?? null, 'evaluate');
    return this.evaluateBatches(trainer, batchesInMemory(data, third.batchSize ?? 32, false));
  }

  /**
   * The outputs for samples, computed in batches: [samples, ...]. From a source of batches (tensors, or tuples that begin with the inputs), those of
   * all its batches.
   */
  async predict(
    x: TensorLike | BatchSource<Tensor | readonly [TensorLike, ...TensorLike[]]>,
    options: { readonly batchSize?: number } = {},
  ): Promise<Tensor> {
    const outputs: Tensor[] = [];
    const pacer = new Pacer();
    if (isBatchSource(x)) {
      for await (const batch of passOver(x as BatchSource<unknown>, 0)) {
        const inputs = Array.isArray(batch) ? batch[0] : ((batch as { x?: TensorLike }).x ?? batch);
        const { x: own } = toSamples(inputs as TensorLike, null, null, 'predict');
        this.buildFor(own);
        outputs.push(await this.predictStep(own));
        await pacer.pace();
      }
      if (outputs.length === 0) throw new ValueError('predict: expected at least one batch, received none');
      return concat(outputs);
    }
    const data = toSamples(x as TensorLike, null, null, 'predict');
    this.buildFor(data.x);
    for (const batch of batchesOf(data, options.batchSize ?? 32, false)) {
      outputs.push(await this.predictStep(batch.x));
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
