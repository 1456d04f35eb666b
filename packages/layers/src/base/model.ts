import type { MemoryUse, Profile, Step } from '@recurra/compiler';
import { evalShape, guard } from '@recurra/compiler/extend';
import { concat, type DType, type Shape, Tensor, ValueError, zeros } from '@recurra/tensor';
import {
  checkOptions,
  checkRules,
  describeValue,
  isFloating,
  type OptionTable,
  snakeCase,
} from '@recurra/tensor/extend';
import { classWeights } from '../losses/alignment.js';
import type { FileSource, LoadWeightsOptions, SaveOptions, StorageOptions } from '../saving/options.js';
import { type SummaryOptions, summaryTable } from '../summary.js';
import {
  type Batch,
  type Batches,
  type BatchSource,
  batchesFrom,
  batchesInMemory,
  expectOptionsFor,
  isBatchSource,
  samplesOfBatch,
} from '../training/batches.js';
import { type Callback, type CallbackModel, Callbacks, expectCallbacks } from '../training/callback.js';
import { History } from '../training/callbacks/history.js';
import { ProgressLogger, type Verbosity } from '../training/callbacks/progress.js';
import type { Logs } from '../training/logs.js';
import { Loop, type LoopOptions, type Steps } from '../training/loop.js';
import type { ModelOptimizer } from '../training/model-optimizer.js';
import type { OutputNames } from '../training/outputs.js';
import { batchesOf, holdOut, type Samples, toSamples, toTensors } from '../training/samples.js';
import { TrainState } from '../training/state.js';
import { type CompileOptions, predictStep, Trainer } from '../training/trainer.js';
import { Turns } from '../training/turns.js';
import { Graph } from './graph.js';
import { graphConfig } from './graph-config.js';
import { type BuildConfig, type Context, Layer, type LayerConfig, toSpecs } from './layer.js';
import { maskOf } from './masks.js';
import {
  COMPILE_OPTIONS,
  EVALUATE_OPTIONS,
  type EvaluateOptions,
  FIT_OPTIONS,
  type FitOptions,
  PREDICT_OPTIONS,
  type PredictOptions,
  type Targets,
  TEST_BATCH_OPTIONS,
  TRAIN_BATCH_OPTIONS,
  type Weights,
} from './model-options.js';
import { distinct } from './naming.js';
import { SpecOf } from './operation.js';
import { LAYER_OPTIONS, type LayerOptions } from './options.js';
import { structureOf } from './structure.js';
import { type Data, type PartialShape, type Spec, SymbolicTensor, type Values } from './symbolic.js';
import { describeTree, isRecord, leavesOf, mapTree, zipTree } from './tree.js';
import { structureVersion } from './variable.js';

/** The symbolic tensors that a model leads from and to. */
export interface ModelOptions<I = unknown, O = unknown> extends LayerOptions {
  readonly inputs: I;
  readonly outputs: O;
}

const MODEL_OPTIONS: OptionTable<object> = { inputs: true, outputs: true, ...LAYER_OPTIONS };

/**
 * A layer that can be trained: `compile`, `fit`, `evaluate`, `predict`. Three ways to have one: {@link Sequential} for a chain of layers; `new
 * Model({ inputs, outputs })` for any graph of layers that were applied to `Input`s (trees of inputs and outputs, shared layers, other models as layers); and
 * a subclass that writes `call`. Keras `Model`.
 *
 * ```ts
 * const x = Input({ shape: [8] });
 * const hidden = new Dense(8, { activation: 'relu' }).apply(x);
 * const model = new Model({ inputs: x, outputs: new Dense(1).apply(new Add().apply([x, hidden])) });
 * ```
 */
export class Model<I = SymbolicTensor, O = SymbolicTensor>
  extends Layer<Values<I>, Values<O>>
  implements CallbackModel
{
  /** Set to true (by a callback) to end training after the current batch. */
  stopTraining = false;
  /** The calls from inputs to outputs; `null` for a model that writes `call`. */
  readonly graph: Graph | null;
  protected override readonly supportsMasking: boolean = true;
  protected override readonly callArguments: readonly string[] | null;
  readonly #turns = new Turns();
  #trainer: Trainer | null = null;
  #predict: Step<[unknown, string], unknown> | null = null;
  #state: TrainState | null = null;
  /** When all layers were found to be built. */
  #builtAt = -1;
  #structureAt = -1;
  #structure = '';

  /** Throws `ValueError` where an output depends on an input that is not given, and for two layers of one name. */
  constructor(options: ModelOptions<I, O> | LayerOptions = {}) {
    checkOptions<object>('Model', options, MODEL_OPTIONS);
    const { inputs, outputs, ...rest } = options as Partial<ModelOptions<I, O>>;
    super(rest);
    if ((inputs === undefined) !== (outputs === undefined))
      throw new ValueError(`${this.label}: expected both inputs and outputs, or neither (and a call of its own)`);
    this.graph = inputs === undefined ? null : new Graph(inputs, outputs, this.label);
    this.callArguments = this.graph ? [] : null;
    if (this.graph) {
      const names = this.layers.map((l) => l.name);
      const twice = names.find((name, i) => names.indexOf(name) !== i);
      if (twice !== undefined)
        throw new ValueError(
          `${this.label}: expected layers of different names, received "${twice}" twice. Give one another { name }.`,
        );
      this.build(undefined as never);
    }
  }

  /**
   * The model that a configuration describes, for classes that write `call`: `new TheClass(...its positional arguments, the rest)`. A class whose constructor takes
   * arguments that do not stand in `getConfig` writes `fromConfig` and `getConfig` itself.
   *
   * Throws `ValueError` for such a class without, and for `Model` itself: graphs hold layers of any class, which `modelFromConfig` knows, so that
   * programs without it stay small.
   */
  static override fromConfig<L>(
    // biome-ignore lint/suspicious/noExplicitAny: the constructors of subclasses take what they take
    this: { new (...args: any[]): L; readonly positional: readonly string[] },
    config: LayerConfig,
  ): L {
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked makes the model
    return subclassFromConfig(this, config);
  }

  override get className(): string {
    return this.graph ? 'Functional' : super.className;
  }

  protected override get independentSamples(): boolean {
    return this.graph?.readsInputsOnly ?? false;
  }

  protected override get scopeName(): null {
    return null;
  }

  /** The layers of the model, each once: in the order of its graph, or of its properties. */
  get layers(): readonly Layer<never, unknown>[] {
    return this.children() as readonly Layer<never, unknown>[];
  }

  protected override checkShape(shape: unknown): void {
    // A graph has its shapes.
    if (!this.graph) super.checkShape(shape);
  }

  override children(): ReturnType<Layer['children']> {
    if (!this.graph) return super.children();
    return this.graph.operations.filter((op) => op instanceof Layer) as never;
  }

  override savedParts(): Readonly<Record<string, unknown>> {
    const layers = this.layers as readonly unknown[];
    return this.graph ? { layers } : { ...super.savedParts(), layers };
  }

  override get savedFirst(): string | null {
    return this.graph ? 'layers' : null;
  }

  /** The layer of a name. Throws `ValueError` with the names that there are. */
  getLayer(name: string): Layer<never, unknown> {
    const found = this.layers.find((layer) => layer.name === name);
    if (!found)
      throw new ValueError(
        `${this.label}: expected the name of a layer (${this.layers.map((l) => l.name).join(', ')}), received "${name}"`,
      );
    return found;
  }

  /** The shape that the inputs of a chain are declared to have; `null` where it is open, or there is no chain. */
  get inputShape(): PartialShape | null {
    return null;
  }

  /** The symbolic inputs of a graph. */
  get inputs(): I {
    return this.graph?.inputs as I;
  }

  /** The symbolic outputs of a graph. */
  get outputs(): O {
    return this.graph?.outputs as O;
  }

  call(inputs: Values<I>, _context: Context<Values<I>>): Values<O> {
    if (!this.graph)
      throw new ValueError(
        `${this.label}: expected inputs and outputs, or a subclass that writes call(inputs, context)`,
      );
    return this.graph.run(leavesOf(inputs) as Tensor[], this.label) as Values<O>;
  }

  /** Masks come with the outputs from the layers that gave them. */
  override computeMask(_inputs: never, _masks: never, outputs?: Values<O>): never {
    return mapTree(outputs ?? null, (y) => (y instanceof Tensor ? maskOf(y) : null)) as never;
  }

  /** The data that `fit` and the like are given, as a tree of tensors of the structure that `call` takes. */
  protected inputsOf(data: unknown, what: string): unknown {
    if (!this.graph) return toTensors(data, 'inputs', what);
    const { inputs } = this.graph;
    const names = leavesOf(inputs).map((leaf) => (leaf as SymbolicTensor).name);
    let given = data;
    // As in Keras, inputs go by the names of their layers too, and the only one may stand in a list.
    if (isRecord(data) && !isRecord(inputs) && names.every((name) => Object.hasOwn(data, name))) {
      const unknown = Object.keys(data).find((key) => !names.includes(key));
      if (unknown !== undefined)
        throw new ValueError(`${what}: expected inputs ${names.join(', ')}, received "${unknown}" too`);
      let i = 0;
      given = mapTree(inputs, () => data[names[i++]!]);
    } else if (
      inputs instanceof SymbolicTensor &&
      Array.isArray(data) &&
      data.length === 1 &&
      data[0] instanceof Tensor
    )
      given = data[0];
    // Files say [input] where there is one.
    else if (Array.isArray(inputs) && inputs.length === 1 && data instanceof Tensor) given = [data];
    return zipTree(
      inputs,
      given,
      (leaf, value, path) => {
        const { dtype, name } = leaf as SymbolicTensor;
        const t = toTensors(value, path === '' ? 'inputs' : `inputs "${path}"`, what);
        if (!(t instanceof Tensor))
          throw new ValueError(`${what}: expected one tensor for the input "${name}", received ${describeTree(value)}`);
        return t.dtype === dtype ? t : castExactly(t, dtype, `${what}: input "${name}"`);
      },
      `${what} (inputs${Array.isArray(inputs) ? ` ${names.join(', ')}` : ''} of ${this.label})`,
    );
  }

  /** @internal Structure and names of outputs. */
  outputNames(outputs: unknown): OutputNames {
    const structure = this.graph ? this.graph.outputs : outputs;
    if (isRecord(structure)) {
      const names: string[] = [];
      mapTree(structure, (leaf, path) => {
        names.push(path);
        return leaf;
      });
      return { structure, names };
    }
    const leaves = leavesOf(structure);
    if (this.graph) return { structure, names: distinct(leaves.map((leaf) => (leaf as SymbolicTensor).name)) };
    return { structure, names: leaves.map((_, i) => (leaves.length === 1 ? 'output' : `output_${i + 1}`)) };
  }

  /** Makes the weights, if they are not there, for samples like these. */
  protected buildFor(x: unknown): void {
    // The model is walked where layers or variables came to be, not for every batch.
    if (this.#builtAt === structureVersion()) return;
    if (this.built && this.layersWithin().every((layer) => layer.built)) this.#builtAt = structureVersion();
    else this.abstractly(x);
  }

  /** A model that writes `call` makes the weights of its layers by walking through it, for inputs of this shape. */
  override buildFromConfig(config: BuildConfig<Values<I>>): void {
    const shape = config.inputShape;
    if (this.graph || shape === undefined || shape === null) return;
    super.buildFromConfig(config);
    if (this.layersWithin().every((layer) => layer.built)) return;
    const like = (dtype: DType): unknown =>
      mapTree(toSpecs(shape, dtype), (spec) =>
        zeros(
          (spec as Spec).shape.map((size) => size ?? 1),
          dtype,
        ),
      );
    try {
      this.abstractly(like('float32'));
    } catch {
      // Of ids, then: a shape does not say so.
      this.abstractly(like('int32'));
    }
  }

  /** Chooses optimizer, loss and metrics. Throws `ValueError` for a name that is not known. */
  compile(options: CompileOptions = {}): void {
    checkRules('compile', options, COMPILE_OPTIONS);
    this.#trainer?.forget();
    this.#trainer = new Trainer(this as never, options);
    this.#state = null;
  }

  /** Was `compile` called? */
  get compiled(): boolean {
    return this.#trainer !== null;
  }

  /** @internal What `compile` was given; `null` before. */
  get compileOptions(): CompileOptions | null {
    return this.#trainer?.options ?? null;
  }

  /** The optimizer, once compiled: its learning rate can be read and set, also while training. */
  get optimizer(): ModelOptimizer {
    return this.trainerFor('optimizer').optimizer;
  }

  /** The metrics of a model that was trained or evaluated, with their names in the logs. */
  get metrics(): Trainer['metrics'] {
    return this.trainerFor('metrics').metrics;
  }

  directionOf(monitor: string, what = 'monitor'): 'up' | 'down' {
    return this.trainerFor(what).directionOf(monitor, what);
  }

  private trainerFor(what: string): Trainer {
    if (!this.#trainer)
      throw new ValueError(
        `${this.label}: expected a compiled model. Call compile({ optimizer, loss }) before ${what}.`,
      );
    return this.#trainer;
  }

  /** Where training stands; made anew for each `fit`, kept for `trainOnBatch`. */
  private newState(trainer: Trainer, callbacks: readonly Callback[] = []): TrainState {
    return new TrainState(
      () => ({
        weights: this.variables,
        optimizer: trainer.optimizer.variables,
        metrics: trainer.variables,
      }),
      callbacks,
      this,
    );
  }

  private stepsOf(trainer: Trainer): Steps {
    return {
      prepare: ({ x, y }) => {
        this.buildFor(x);
        trainer.prepare(() => this.abstractly(x), y);
      },
      train: (batch, state) => trainer.trainBatch(batch, state),
      test: (batch) => trainer.testBatch(batch),
      reset: () => trainer.reset(),
      suspend: () => trainer.suspend(),
    };
  }

  /**
   * Trains on samples (tensors, typed arrays or nested lists), or on the batches of a source: a `Dataset`, or any (async) iterable of `[x, y]`, `[x, y,
   * weights]` or `{ x, y, sampleWeight }`. Samples are shuffled anew in each epoch, in an order that the seed gives (`setSeed`).
   *
   * Throws `ValueError` before `compile` and for options that do not fit, `ShapeError` where inputs and targets do not; a signal that aborts rejects with its
   * reason, and leaves the weights of the last batch.
   */
  fit(x: Data<Values<I>>, y: Targets<O>, options?: FitOptions<Data<Values<I>>, O>): Promise<History>;
  fit(
    batches: BatchSource<Batch<Data<Values<I>>, Targets<O>>>,
    options?: FitOptions<Data<Values<I>>, O>,
  ): Promise<History>;
  async fit(first: unknown, second?: unknown, third?: unknown): Promise<History> {
    const streamed = isBatchSource(
      first,
      second === undefined || (isRecord(second) && third === undefined && isFitOptions(second)),
    );
    const given = streamed ? second : third;
    const options = (given === undefined ? {} : given) as FitOptions;
    const what = 'fit';
    checkRules(what, options, FIT_OPTIONS);
    if (!streamed && third === undefined) expectTargets(what, second, FIT_OPTIONS);
    expectNoSteps(this, what);
    const trainer = this.trainerFor(what);
    const {
      batchSize = 32,
      epochs = 1,
      verbose = 'auto',
      callbacks = [],
      validationSplit = 0,
      validationData = null,
      shuffle = true,
      classWeight = null,
      sampleWeight = null,
      initialEpoch = 0,
      validationFreq = 1,
      stepsPerEpoch = null,
      validationSteps = null,
      signal = null,
    } = options;
    if (classWeight && sampleWeight !== null)
      throw new ValueError(
        'fit: expected classWeight or sampleWeight, received both. Multiply them into sampleWeight.',
      );
    expectOptionsFor(what, streamed, {
      ofSamples: { batchSize: options.batchSize, sampleWeight },
      ofBatches: { stepsPerEpoch },
    });
    expectCallbacks(callbacks);
    signal?.throwIfAborted();
    return this.#turns.take(
      'fit',
      this.label,
      async (turn) => {
        const history = new History();
        const all = this.callbacksFor(callbacks, verbose, [history]);
        const state = this.newState(trainer, all);
        this.#state = state;
        state.epoch = initialEpoch;
        const inputsOf = (data: unknown, name: string): unknown => this.inputsOf(data, name);
        const shapes = new Map<string, readonly number[] | null>();
        const weighed = (batch: Samples): Samples =>
          this.weighed(batch, classWeight, what, shapes, streamed ? batch.count : batchSize);
        const validationBatchSize = options.validationBatchSize ?? batchSize;
        let validation =
          validationData === null
            ? null
            : this.validationBatches(validationData, validationBatchSize, {
                ofSamples: { validationBatchSize: options.validationBatchSize },
                ofBatches: { validationSteps },
              });
        let batches: Batches;
        if (streamed) {
          if (validationSplit > 0)
            throw new ValueError(
              'fit: expected samples in tensors with validationSplit, received a source of batches. Split the data set, and pass validationData.',
            );
          batches = batchesFrom(first as BatchSource, stepsPerEpoch, what, (b) =>
            weighed(samplesOfBatch(b, what, inputsOf)),
          );
        } else {
          let data = toSamples(first, second, sampleWeight, what, inputsOf);
          if (!validation && validationSplit > 0) {
            const { rest, held } = holdOut(data, validationSplit);
            data = rest;
            validation = () => batchesInMemory(held, validationBatchSize);
          }
          batches = batchesInMemory(weighed(data), batchSize, shuffle ? () => state.shuffleKey.value : null);
        }
        const hooks = new Callbacks(all, turn.outside);
        this.stopTraining = false;
        const validates = (epoch: number): boolean =>
          typeof validationFreq === 'number' ? (epoch + 1) % validationFreq === 0 : validationFreq.includes(epoch + 1);
        const run: LoopOptions = { epochs, validation, validates, stopped: () => this.stopTraining, signal };
        const begun = hooks.call('onTrainBegin', { epochs, steps: batches.steps, initialEpoch, state });
        if (begun) await begun;
        let logs: Logs;
        try {
          logs = await new Loop(this.stepsOf(trainer), hooks).train(batches, state, run);
        } catch (error) {
          const failed = hooks.call('onTrainError', error);
          if (failed) await failed;
          throw error;
        }
        trainer.optimizer.finalize();
        const ended = hooks.call('onTrainEnd', logs);
        if (ended) await ended;
        return history;
      },
      [...trainer.given, ...callbacks],
    );
  }

  /** What an epoch is validated on: samples in memory, or a source of batches. */
  private validationBatches(
    data: unknown,
    batchSize: number,
    given: {
      readonly ofSamples: Record<string, unknown>;
      readonly ofBatches: { readonly validationSteps: number | null };
    },
  ): () => Batches {
    const what = 'fit (validationData)';
    const inputsOf = (own: unknown, name: string): unknown => this.inputsOf(own, name);
    const isRecordOfSamples = isRecord(data) && 'x' in data && 'y' in data;
    const streamed = !isRecordOfSamples && isBatchSource(data, !isPair(data));
    expectOptionsFor(what, streamed, given);
    if (streamed)
      return () =>
        batchesFrom(
          data as BatchSource,
          given.ofBatches.validationSteps,
          what,
          (b) => samplesOfBatch(b, what, inputsOf),
          'validationSteps',
        );
    if (!isRecordOfSamples && !isPair(data))
      throw new ValueError(
        `${what}: expected [x, y], [x, y, weights], { x, y } or a source of batches, received ${describeTree(data)}`,
      );
    const [x, y, weight] = isRecordOfSamples
      ? [data['x'], data['y'], data['sampleWeight']]
      : (data as readonly unknown[]);
    const held = toSamples(x, y, weight ?? null, what, inputsOf);
    return () => batchesInMemory(held, batchSize);
  }

  /** Samples with weights by their classes. `shapes` keeps the output's shape for each of the inputs': the model is traced once for each. */
  private weighed(
    batch: Samples,
    classWeight: Readonly<Record<number, number>> | null,
    what: string,
    shapes: Map<string, readonly number[] | null> = new Map(),
    batchSize = batch.count,
  ): Samples {
    if (!classWeight) return batch;
    if (!(batch.y instanceof Tensor))
      throw new ValueError(
        `${what}: expected one output with classWeight, received targets of several. Give weights by output: sampleWeight: { name: weights }.`,
      );
    const key = leavesOf(batch.x)
      .map((x) => (x as Tensor).shape.join())
      .join(';');
    if (!shapes.has(key)) {
      shapes.set(key, this.#outputShape(batch.x, batchSize));
    }
    return { ...batch, weight: classWeights(batch.y, classWeight, shapes.get(key)!, what) };
  }

  /** The shape of the only output for such inputs, found for a batch of them: stateful layers keep the size of what they see first. */
  #outputShape(x: unknown, batchSize: number): readonly number[] | null {
    const batch = mapTree(x, (leaf) => {
      const { shape, dtype } = leaf as Tensor;
      return new SpecOf([Math.min(batchSize, shape[0]!), ...shape.slice(1)], dtype);
    });
    const outputs = leavesOf(this.abstractly(batch));
    if (outputs.length !== 1) return null;
    return [(leavesOf(x)[0] as Tensor).shape[0]!, ...(outputs[0] as Tensor).shape.slice(1)];
  }

  /** The outputs for such inputs, as tensors without data. */
  private abstractly(x: unknown): unknown {
    return evalShape(
      (...values) => {
        let i = 0;
        return this.apply(mapTree(x, () => values[i++]) as never);
      },
      leavesOf(x) as { shape: Shape; dtype: DType }[],
    );
  }

  private callbacksFor(given: readonly Callback[], verbose: Verbosity, own: readonly Callback[]): Callback[] {
    const all = [...(verbose === 0 ? [] : [new ProgressLogger(verbose)]), ...given, ...own];
    for (const callback of all) callback.model = this;
    return all;
  }

  /** Loss and metrics over samples, or over the batches of a source, by name. */
  evaluate(x: Data<Values<I>>, y: Targets<O>, options?: EvaluateOptions): Promise<Logs>;
  evaluate(batches: BatchSource<Batch<Data<Values<I>>, Targets<O>>>, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(first: unknown, second?: unknown, third?: unknown): Promise<Logs> {
    const what = 'evaluate';
    const streamed = isBatchSource(first, second === undefined || (isRecord(second) && third === undefined));
    const given = streamed ? second : third;
    const options = (given === undefined ? {} : given) as EvaluateOptions;
    checkRules(what, options, EVALUATE_OPTIONS);
    if (!streamed && third === undefined) expectTargets(what, second, EVALUATE_OPTIONS);
    expectNoSteps(this, what);
    const trainer = this.trainerFor(what);
    const { batchSize = 32, sampleWeight = null, steps = null, callbacks = [], signal = null } = options;
    expectOptionsFor(what, streamed, {
      ofSamples: { batchSize: options.batchSize, sampleWeight },
      ofBatches: { steps },
    });
    expectCallbacks(callbacks);
    return this.#turns.take(
      what,
      this.label,
      (turn) => {
        const inputsOf = (data: unknown, name: string): unknown => this.inputsOf(data, name);
        const batches = streamed
          ? batchesFrom(first as BatchSource, steps, what, (b) => samplesOfBatch(b, what, inputsOf), 'steps')
          : batchesInMemory(toSamples(first, second, sampleWeight, what, inputsOf), batchSize);
        const hooks = new Callbacks(this.callbacksFor(callbacks, 0, []), turn.outside);
        return new Loop(this.stepsOf(trainer), hooks).test(batches, signal);
      },
      trainer.given,
    );
  }

  /**
   * The outputs for samples, computed in batches: [samples, ...], in the structure that the model gives. From a source of batches (inputs, or
   * tuples that begin with them), those of all its batches.
   */
  async predict(
    x: Data<Values<I>> | BatchSource<Data<Values<I>> | readonly [Data<Values<I>>, ...unknown[]]>,
    options: PredictOptions = {},
  ): Promise<Values<O>> {
    const what = 'predict';
    checkRules(what, options, PREDICT_OPTIONS);
    expectNoSteps(this, what);
    const { batchSize = 32, steps = null, callbacks = [], signal = null } = options;
    const streamed = isBatchSource(x, false);
    expectOptionsFor(what, streamed, { ofSamples: { batchSize: options.batchSize }, ofBatches: { steps } });
    expectCallbacks(callbacks);
    const body = async (around: <T>(f: () => T) => T): Promise<Values<O>> => {
      const hooks = new Callbacks(this.callbacksFor(callbacks, 0, []), around);
      const outputs: unknown[] = [];
      const samples = streamed ? null : toSamples(x, null, null, what, (d, n) => this.inputsOf(d, n));
      const all = streamed
        ? batchesFrom(
            x as BatchSource,
            steps,
            what,
            (batch) => {
              const own =
                Array.isArray(batch) && !this.takesList()
                  ? batch[0]
                  : isRecord(batch) && 'x' in batch && !this.takesKey('x')
                    ? batch['x']
                    : batch;
              return toSamples(own, null, null, what, (d, n) => this.inputsOf(d, n));
            },
            'steps',
          ).epoch(0)
        : batchesOf(samples!, batchSize, null);
      const begun = hooks.call('onPredictBegin');
      if (begun) await begun;
      for await (const batch of all) {
        signal?.throwIfAborted();
        const before = hooks.call('onPredictBatchBegin', outputs.length);
        if (before) await before;
        outputs.push(await this.#forward(batch.x));
        const after = hooks.call('onPredictBatchEnd', outputs.length - 1);
        if (after) await after;
      }
      const ended = hooks.call('onPredictEnd');
      if (ended) await ended;
      if (outputs.length === 0) throw new ValueError('predict: expected at least one batch, received none');
      const parts = outputs.map((o) => leavesOf(o) as Tensor[]);
      let i = 0;
      return mapTree(outputs[0], () => {
        const k = i++;
        return parts.length === 1 ? parts[0]![k] : concat(parts.map((p) => p[k]!));
      }) as Values<O>;
    };
    // States are changed by prediction too: only then it has to have a turn of its own.
    const keepsStates = this.variables.some((v) => v.role === 'state');
    return keepsStates ? this.#turns.take(what, this.label, (turn) => body(turn.outside)) : body((f) => f());
  }

  private takesList(): boolean {
    return this.graph !== null && Array.isArray(this.graph.inputs);
  }

  private takesKey(key: string): boolean {
    return this.graph !== null && isRecord(this.graph.inputs) && Object.hasOwn(this.graph.inputs, key);
  }

  async #forward(x: unknown): Promise<unknown> {
    // As in training, the model is walked where variables came to be, not for every batch.
    if (this.#structureAt !== structureVersion()) {
      this.buildFor(x);
      this.#structure = structureOf(this);
      this.#structureAt = structureVersion();
    }
    if (this.#trainer?.runEagerly) return this.apply(x as never, { training: false } as never);
    this.#predict ??= predictStep(this as never);
    return this.#predict(x, this.#structure);
  }

  /** One step of gradient descent on one batch; resolves to the loss and the metrics of that batch. Throws as {@link Model.fit}. */
  async trainOnBatch(
    x: Data<Values<I>>,
    y: Targets<O>,
    options: { readonly sampleWeight?: Weights; readonly classWeight?: Readonly<Record<number, number>> | null } = {},
  ): Promise<Logs> {
    const what = 'trainOnBatch';
    checkRules(what, options, TRAIN_BATCH_OPTIONS);
    const trainer = this.trainerFor(what);
    return this.#turns.take(
      what,
      this.label,
      () => {
        let batch = toSamples(x, y, options.sampleWeight ?? null, what, (d, n) => this.inputsOf(d, n));
        batch = this.weighed(batch, options.classWeight ?? null, what);
        this.#state ??= this.newState(trainer);
        this.stepsOf(trainer).prepare(batch);
        trainer.reset();
        return trainer.trainBatch(batch, this.#state);
      },
      trainer.given,
    );
  }

  /** Loss and metrics of one batch, without training. */
  async testOnBatch(
    x: Data<Values<I>>,
    y: Targets<O>,
    options: { readonly sampleWeight?: Weights } = {},
  ): Promise<Logs> {
    const what = 'testOnBatch';
    checkRules(what, options, TEST_BATCH_OPTIONS);
    const trainer = this.trainerFor(what);
    return this.#turns.take(
      what,
      this.label,
      async () => {
        const batch = toSamples(x, y, options.sampleWeight ?? null, what, (d, n) => this.inputsOf(d, n));
        const resume = trainer.suspend();
        try {
          this.stepsOf(trainer).prepare(batch);
          trainer.reset();
          return await trainer.testBatch(batch);
        } finally {
          resume();
        }
      },
      trainer.given,
    );
  }

  /** The outputs for one batch. */
  async predictOnBatch(x: Data<Values<I>>): Promise<Values<O>> {
    const { x: own } = toSamples(x, null, null, 'predictOnBatch', (d, n) => this.inputsOf(d, n));
    return (await this.#forward(own)) as Values<O>;
  }

  private inspect(x: unknown, y: unknown): ReturnType<Trainer['inspect']> {
    const trainer = this.trainerFor('explain');
    const batch = toSamples(x, y, null, 'explain', (d, n) => this.inputsOf(d, n));
    this.stepsOf(trainer).prepare(batch);
    this.#state ??= this.newState(trainer);
    return trainer.inspect(batch, this.#state);
  }

  /** The compiled training step for a batch like this one, as text: graph, fusions, kernels, memory. */
  explain(x: Data<Values<I>>, y: Targets<O>): string {
    const { step, args } = this.inspect(x, y);
    return step.explain(...args);
  }

  /** Runs one training step, and measures its kernels. It changes the weights. */
  async profile(x: Data<Values<I>>, y: Targets<O>): Promise<Profile<Tensor[]>> {
    const { step, args } = this.inspect(x, y);
    return step.profile(...args);
  }

  /** The memory that the training step for a batch like this one takes, in bytes. */
  memory(x: Data<Values<I>>, y: Targets<O>): MemoryUse {
    const { step, args } = this.inspect(x, y);
    return step.memory(...args);
  }

  /** Forgets the compiled steps: the layers are others. */
  protected forgetSteps(): void {
    this.#trainer?.forget();
    this.#predict?.dispose();
    this.#predict = null;
  }

  /**
   * Gives all memory back at once: compiled steps, weights, the state of the optimizer and of metrics. The model cannot be used any more; `getWeights`
   * before it gives copies that stay. Without it, memory goes back when the model is no longer referred to.
   */
  dispose(): void {
    this.forgetSteps();
    const own = [...this.variables, ...(this.#trainer?.variables ?? []), ...(this.#trainer?.optimizer.variables ?? [])];
    for (const variable of own) variable.dispose();
  }

  /** The table of layers, output shapes and numbers of parameters, as Keras prints it; written to the console, and returned. */
  summary(options: SummaryOptions = {}): string {
    const text = summaryTable(this as never, options);
    if (options.print !== false) console.log(text);
    return text;
  }

  /**
   * Writes the model to a file: architecture, weights and, once compiled, how it is compiled and the optimizer's state, so that training goes on where it is loaded
   * ({@link loadModel}), here or in Keras. The format goes by the ending: `.keras` (Keras 3), `.h5` (the one before), `.onnx` (for inference elsewhere, without how it is
   * compiled). The file is replaced as a whole.
   *
   * Throws `ValueError` for another ending, for a model whose weights are not there, for functions without a name in it, and for `compile: true` where the format has no room
   * for that; `FormatError` for layers that ONNX has no operators for.
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const { saveModel } = await import('../saving/files.js');
    return saveModel(this, path, options);
  }

  /**
   * Writes the weights: to a `.weights.h5` file, which Keras 3 reads, with the optimizer's state once compiled, or to a `.safetensors` file, under Keras' paths of variables
   * (`lstm/lstm_cell/kernel`). Throws `ValueError` for another ending, and for a model whose weights are not there.
   */
  async saveWeights(path: string, options: StorageOptions = {}): Promise<void> {
    const { saveWeights } = await import('../saving/files.js');
    return saveWeights(this, path, options);
  }

  /**
   * Puts the weights of a file (a path, or its bytes) in this model: of `.weights.h5`, `.safetensors`, or of a whole model; the optimizer's state, too, where both have one of
   * the same kind. All or none: `FormatError` is thrown, and nothing changed, where they do not fit.
   */
  async loadWeights(source: FileSource, options: LoadWeightsOptions = {}): Promise<void> {
    const { loadWeights } = await import('../saving/files.js');
    return loadWeights(this, source, options);
  }

  /** @internal The optimizer, where it has its state. */
  get builtOptimizer(): ModelOptimizer | null {
    const optimizer = this.#trainer?.optimizer;
    return optimizer?.built ? optimizer : null;
  }

  override getConfig(): LayerConfig {
    if (this.graph) return graphConfig(this.name, this.trainable, this.graph, this.children());
    return super.getConfig();
  }

  /** The specs of inputs that a graph declares. */
  get inputSpecs(): readonly Spec[] {
    return this.graph ? (leavesOf(this.graph.inputs) as SymbolicTensor[]) : [];
  }
}

/** What Keras lets subclasses replace in a run, and Recurra compiles as a whole. */
const STEPS = {
  fit: ['trainStep', 'computeLoss', 'computeMetrics'],
  evaluate: ['testStep', 'computeLoss', 'computeMetrics'],
  predict: ['predictStep'],
} as const;

/** Throws `ValueError` for a subclass with a step of its own, which nothing would call. */
function expectNoSteps(model: object, run: keyof typeof STEPS): void {
  const methods = model as Readonly<Record<string, unknown>>;
  const found = STEPS[run]
    .flatMap((name) => [name, snakeCase(name)])
    .find((name) => typeof methods[name] === 'function');
  if (found !== undefined)
    throw new ValueError(
      `${run}: expected a model without "${found}", which ${run} does not call. Add to the loss with addLoss, give compile a loss or metric of your own, or write the loop with jit (docs: Getting started, Compiled steps).`,
    );
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length >= 2 && value.length <= 3 && !isRecord(value[0]);
}

/** A model of a class that writes `call`. */
function subclassFromConfig<L>(
  // biome-ignore lint/suspicious/noExplicitAny: the constructors of subclasses take what they take
  Class: { new (...args: any[]): L; readonly positional: readonly string[] },
  config: LayerConfig,
): L {
  if ((Class as unknown) === Model || 'layers' in config)
    throw new ValueError(
      `${Class.name}.fromConfig: expected the configuration of a class that writes call, received one of a graph or chain of layers. Use deserializeLayer({ className: ${'inputLayers' in config ? "'Functional'" : "'Sequential'"}, config }).`,
    );
  if (Class.length > Class.positional.length)
    throw new ValueError(
      `${Class.name}.fromConfig: expected a static fromConfig(config) and a getConfig of its own, since its constructor takes arguments that only its code knows; received neither`,
    );
  return Layer.fromConfig.call(Class as never, config) as L;
}

/** Is a second argument of `fit` its options, rather than targets by output? */
function isFitOptions(value: Record<string, unknown>): boolean {
  return (
    Object.keys(value).every((key) => Object.hasOwn(FIT_OPTIONS, key)) ||
    !leavesOf(value).some((leaf) => leaf instanceof Tensor)
  );
}

/** Throws `ValueError` for options in the place of targets, which are never bare numbers, texts or flags. */
function expectTargets(what: string, given: unknown, options: object): void {
  if (!isRecord(given)) return;
  for (const [key, value] of Object.entries(given))
    if (Object.hasOwn(options, key) && ['number', 'string', 'boolean'].includes(typeof value))
      throw new ValueError(
        `${what}: expected targets after the inputs, received options alone. Write ${what}(x, y, { ${key}: ${describeValue(value)} }).`,
      );
}

/** A tensor in the dtype that an input declares; where that holds integers only, throws `ValueError` for others. */
function castExactly(t: Tensor, dtype: DType, label: string): Tensor {
  if (!isFloating(dtype) && isFloating(t.dtype))
    guard(t, (data) => {
      for (const v of data)
        if (!Number.isInteger(v))
          throw new ValueError(`${label}: expected integers, as its dtype ${dtype} says, received ${v}`);
    });
  return t.cast(dtype);
}
