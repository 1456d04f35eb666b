import { checkRules, concatenated, type Rules, rules, snakeCase } from '@recurra/tensor/extend';
import { isRecord } from '../../../base/tree.js';
import { Callback, type CallbackState, type EpochLogs } from '../../callback.js';
import type { Logs } from '../../logs.js';
import { expectPath, joined, type Storage, storageFor } from '../../storage.js';
import { fileVersion, graphEvent, histogramEvent, scalarEvent, textEvent } from './events.js';

/** Options of {@link TensorBoard}; names and defaults of Keras. */
export interface TensorBoardOptions {
  /** The folder for the files: of training in `train`, of validation in `validation`; 'logs'. */
  readonly logDir?: string;
  /** Histograms of all weights every so many epochs; 0: none. */
  readonly histogramFreq?: number;
  /** The layers for the graph dashboard, and the summary of the model as text; true. */
  readonly writeGraph?: boolean;
  /** Steps a second, with each epoch and batch that is written; false. */
  readonly writeStepsPerSecond?: boolean;
  /** When losses and metrics are written beside those of epochs: never ('epoch'), with each batch ('batch'), or every so many; 'epoch'. */
  readonly updateFreq?: 'epoch' | 'batch' | number;
  /** Where the files are; files, in Node. */
  readonly storage?: Storage | null;
}

const RULES: Rules<TensorBoardOptions> = {
  logDir: rules.anything,
  histogramFreq: rules.countOrZero,
  writeGraph: rules.flag,
  writeStepsPerSecond: rules.flag,
  updateFreq: {
    expected: "'epoch', 'batch' or a number of batches >= 1",
    accepts: (v) => v === 'epoch' || v === 'batch' || rules.count.accepts(v),
  },
  storage: rules.anything,
};

/** Bytes that are kept back at most. */
const BUFFER = 1 << 16;

let files = 0;

/** One event file: made with its first event, added to in pieces. */
class EventFile {
  private readonly storage: Storage;
  private readonly folder: string;
  private path: string | null = null;
  private held: Uint8Array[] = [];
  private size = 0;

  constructor(storage: Storage, folder: string) {
    this.storage = storage;
    this.folder = folder;
  }

  add(bytes: Uint8Array): void {
    this.held.push(bytes);
    this.size += bytes.length;
  }

  get isFull(): boolean {
    return this.size > BUFFER;
  }

  async flush(): Promise<void> {
    if (this.held.length === 0) return;
    const now = Date.now() / 1000;
    if (this.path === null) {
      // TensorBoard takes files with `tfevents` in their names, in the order of their names.
      const { process } = globalThis as { process?: { readonly pid?: number } };
      const name = `events.out.tfevents.${String(Math.floor(now)).padStart(10, '0')}.recurra.${process?.pid ?? 0}.${files++}.v2`;
      this.path = joined(this.folder, name);
      this.held.unshift(fileVersion(now));
    }
    const bytes = concatenated(this.held);
    this.held = [];
    this.size = 0;
    await this.storage.append(this.path, bytes);
  }
}

/**
 * Writes event files for TensorBoard: losses, metrics and the learning rate of epochs (and batches), those of validation beside them, histograms of weights, the
 * layers as a graph, and the model's summary. Tags are Keras': `epoch_loss`, `batch_loss`, `evaluation_loss_vs_iterations`, ... `tensorboard --logdir logs`
 * shows them. Keras `TensorBoard`, without its images of weights, embeddings and profiles.
 *
 * Throws `ValueError` for options that do not fit.
 */
export class TensorBoard extends Callback {
  private readonly histogramFreq: number;
  private readonly writeGraph: boolean;
  private readonly writeStepsPerSecond: boolean;
  private readonly every: number | null;
  private readonly storage: Storage;
  private readonly logDir: string;
  private train!: EventFile;
  private validation!: EventFile;
  private batches = 0;
  private drawn = false;
  private begun = { epoch: 0, batch: 0, iterations: 0 };

  constructor(options: TensorBoardOptions = {}) {
    super();
    const label = 'TensorBoard';
    checkRules(label, options, RULES);
    const {
      logDir = 'logs',
      histogramFreq = 0,
      writeGraph = true,
      writeStepsPerSecond = false,
      updateFreq = 'epoch',
      storage,
    } = options;
    expectPath(label, 'logDir', logDir);
    this.histogramFreq = histogramFreq;
    this.writeGraph = writeGraph;
    this.writeStepsPerSecond = writeStepsPerSecond;
    this.every = updateFreq === 'epoch' ? null : updateFreq === 'batch' ? 1 : updateFreq;
    this.storage = storageFor(label, storage);
    this.logDir = logDir;
    this.open();
  }

  /** New files; they come to be with their first events. */
  private open(): void {
    this.train = new EventFile(this.storage, joined(this.logDir, 'train'));
    this.validation = new EventFile(this.storage, joined(this.logDir, 'validation'));
  }

  private scalars(file: EventFile, step: number, values: Logs, tag: (name: string) => string): void {
    const now = Date.now() / 1000;
    for (const [name, value] of Object.entries(values)) file.add(scalarEvent(now, step, tag(snakeCase(name)), value));
  }

  override onTrainBegin(): void {
    this.batches = 0;
    this.drawn = !this.writeGraph;
    this.open();
  }

  /** The layers, which are all there at the first batch. */
  private draw(): void {
    this.drawn = true;
    const now = Date.now() / 1000;
    const { model } = this;
    const summary = model.summary({ print: false });
    this.train.add(textEvent(now, 0, 'model_summary', summary.replace(/^/gm, '    ')));
    let config: unknown;
    try {
      config = model.getConfig();
    } catch (error) {
      // As in Keras: a layer with a function trains on, and is not drawn.
      console.warn(`TensorBoard: the graph is left out: ${(error as Error).message}`);
      return;
    }
    this.train.add(graphEvent(now, JSON.stringify(inSnakeCase({ className: model.className, config }))));
  }

  override onEpochBegin(): void {
    this.begun = { ...this.begun, epoch: Date.now(), iterations: this.model.optimizer.iterations };
  }

  override onTrainBatchBegin(): void {
    this.batches++;
    if (!this.drawn) this.draw();
    if (this.writeStepsPerSecond) this.begun.batch = Date.now();
  }

  override onTrainBatchEnd(_batch: number, logs: Logs): void | Promise<void> {
    if (this.every === null || this.batches % this.every !== 0) return;
    this.scalars(this.train, this.batches, logs, (name) => `batch_${name}`);
    if (this.writeStepsPerSecond) {
      const seconds = Math.max(1, Date.now() - this.begun.batch) / 1000;
      this.scalars(this.train, this.batches, { stepsPerSecond: 1 / seconds }, (name) => `batch_${name}`);
    }
    if (this.train.isFull) return this.train.flush();
  }

  override async onTestEnd(logs: Logs): Promise<void> {
    // A model may be evaluated before it has an optimizer's state.
    const step = this.model.optimizer.iterations;
    this.scalars(this.validation, step, logs, (name) => `evaluation_${name}_vs_iterations`);
    await this.validation.flush();
  }

  override async onEpochEnd(epoch: number, logs: EpochLogs): Promise<void> {
    const { optimizer } = this.model;
    const own: Record<string, number> = {};
    const validated: Record<string, number> = {};
    for (const [name, value] of Object.entries(logs)) {
      const [, rest] = /^val([A-Z].*)$/.exec(name) ?? [];
      if (rest === undefined) own[name] = value;
      else validated[rest] = value;
    }
    own['learningRate'] ??= optimizer.learningRate;
    if (this.writeStepsPerSecond) {
      const seconds = Math.max(1, Date.now() - this.begun.epoch) / 1000;
      own['stepsPerSecond'] = (optimizer.iterations - this.begun.iterations) / seconds;
    }
    this.scalars(this.train, epoch, own, (name) => `epoch_${name}`);
    this.scalars(this.validation, epoch, validated, (name) => `epoch_${name}`);
    if (this.histogramFreq > 0 && epoch % this.histogramFreq === 0) {
      const now = Date.now() / 1000;
      for (const variable of this.model.weights)
        this.train.add(
          histogramEvent(now, epoch, `${variable.path}/histogram`, variable.value.data as ArrayLike<number>),
        );
    }
    await this.flush();
  }

  private async flush(): Promise<void> {
    await this.train.flush();
    await this.validation.flush();
  }

  override onTrainEnd(): Promise<void> {
    return this.flush();
  }

  override onTrainError(): Promise<void> {
    return this.flush();
  }

  override captureState(): CallbackState {
    return { values: { batches: this.batches } };
  }

  override restoreState({ values }: CallbackState): void {
    this.batches = values['batches'] as number;
  }
}

/** Configurations with keys in Keras' spelling. */
function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), inSnakeCase(inner)]));
}
