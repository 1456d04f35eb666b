import type { Format } from '@recurra/formats';
import { ValueError } from '@recurra/tensor';
import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import type { AnyModel } from '../../saving/model-file.js';
import { Callback, type CallbackState, type EpochLogs } from '../callback.js';
import { promisedFormatOf, saveCheckpoint } from '../checkpoint/model-checkpoint.js';
import type { Logs } from '../logs.js';
import { Monitor, type MonitorMode } from '../monitor.js';
import { expectPath, type Storage, storageFor } from '../storage.js';
import { BatchCounter } from './batch-counter.js';
import { FileName } from './file-name.js';
import { SAVE_FREQUENCY, SAY } from './rules.js';

/** Options of {@link ModelCheckpoint}; names and defaults of Keras. */
export interface ModelCheckpointOptions {
  /** 'valLoss' (also written 'val_loss'). */
  readonly monitor?: string;
  /** Say when it saves; 0. */
  readonly verbose?: 0 | 1;
  /** Save when the monitored value is better than all before; false: always. */
  readonly saveBestOnly?: boolean;
  /** Weights (and the optimizer's state) without the model's configuration; false. */
  readonly saveWeightsOnly?: boolean;
  /** Is less better ('min') or more ('max')? 'auto': as the metric says. */
  readonly mode?: MonitorMode;
  /** After each epoch, or after so many batches; 'epoch'. */
  readonly saveFreq?: 'epoch' | number;
  /** With `saveBestOnly`: what the first value has to be better than. */
  readonly initialValueThreshold?: number | null;
  /** Where the files are; files, in Node. */
  readonly storage?: Storage | null;
}

const RULES: Rules<ModelCheckpointOptions> = {
  monitor: rules.anything,
  verbose: SAY,
  saveBestOnly: rules.flag,
  saveWeightsOnly: rules.flag,
  mode: rules.anything,
  saveFreq: SAVE_FREQUENCY,
  initialValueThreshold: rules.orNull(rules.anyNumber),
  storage: rules.anything,
};

/**
 * Saves the model, or its weights, after epochs or numbers of batches: always, or when it is the best so far. The path is a template of `epoch` (from 1),
 * with `saveFreq` in batches `batch` (from 1), and the logs: `checkpoints/{epoch:02d}-{valLoss:.4f}.keras`. Files are written whole or not at all, in the format that the ending
 * promises: as `model.save` writes them (`.keras`, `.h5`), or with `saveWeightsOnly` as `model.saveWeights` does (`.weights.h5`, `.safetensors`). Other endings, such as `.ckpt`,
 * are of Recurra's own format, with a checksum over all: `modelFromCheckpoint` and `loadCheckpoint` read it. Keras `ModelCheckpoint`; as there, an epoch without the
 * monitored value is saved, with a warning.
 *
 * Throws `ValueError` for a path whose template cannot be read, and when training begins for one that promises a format which cannot be written here, or weights alone for a whole
 * model.
 */
export class ModelCheckpoint extends Callback {
  private readonly options: Required<Omit<ModelCheckpointOptions, 'storage'>>;
  private readonly storage: Storage;
  private readonly filepath: string;
  private readonly path: FileName;
  private readonly monitor: Monitor;
  private readonly counter: BatchCounter | null;
  private best: number | null;
  private epoch = 0;

  constructor(filepath: string, options: ModelCheckpointOptions = {}) {
    super();
    const label = 'ModelCheckpoint';
    checkRules(label, options, RULES);
    const {
      monitor = 'valLoss',
      verbose = 0,
      saveBestOnly = false,
      saveWeightsOnly = false,
      mode = 'auto',
      saveFreq = 'epoch',
      initialValueThreshold = null,
    } = options;
    this.options = { monitor, verbose, saveBestOnly, saveWeightsOnly, mode, saveFreq, initialValueThreshold };
    this.path = new FileName(label, expectPath(label, 'the path', filepath));
    this.filepath = filepath;
    this.monitor = new Monitor(label, monitor, mode);
    this.counter = saveFreq === 'epoch' ? null : new BatchCounter(saveFreq);
    this.best = initialValueThreshold;
    this.storage = storageFor(label, options.storage);
  }

  override async onTrainBegin(): Promise<void> {
    await this.format();
  }

  /** The format that the path promises; `null` for that of checkpoints. */
  private async format(): Promise<Format | null> {
    const { saveWeightsOnly } = this.options;
    const format = await promisedFormatOf('ModelCheckpoint', this.filepath);
    if (format && format.holds.has('model') === saveWeightsOnly)
      throw new ValueError(
        `ModelCheckpoint: expected a path of ${saveWeightsOnly ? 'weights (.weights.h5, .safetensors)' : 'a whole model (.keras)'}, since saveWeightsOnly is ${saveWeightsOnly}, received "${this.filepath}", which promises ${saveWeightsOnly ? 'a whole model' : 'weights alone'}.`,
      );
    return format;
  }

  override onEpochBegin(epoch: number): void {
    this.epoch = epoch;
  }

  override onTrainBatchEnd(batch: number, logs: Logs): void | Promise<void> {
    if (this.counter?.due()) return this.save(this.epoch, logs, { batch: batch + 1 });
  }

  override onEpochEnd(epoch: number, logs: EpochLogs): void | Promise<void> {
    if (!this.counter) return this.save(epoch, logs, {});
  }

  private async save(epoch: number, logs: Logs, place: { batch?: number }): Promise<void> {
    const { saveBestOnly, saveWeightsOnly, monitor, verbose } = this.options;
    const path = this.path.of({ epoch: epoch + 1, ...place, ...logs });
    const say = (text: string): void => {
      if (verbose) console.log(`Epoch ${epoch + 1}: ${text}`);
    };
    if (saveBestOnly) {
      const value = this.monitor.read(logs, this.model);
      if (value !== null) {
        const before = this.best === null ? 'none' : this.best.toFixed(5);
        if (this.best !== null && !this.monitor.improves(value, this.best)) {
          say(`${monitor} did not improve from ${before}`);
          return;
        }
        say(`${monitor} improved from ${before} to ${value.toFixed(5)}, saving to ${path}`);
        this.best = value;
      }
    } else say(`saving to ${path}`);
    const { storage } = this;
    if (!(await this.format())) return saveCheckpoint(this.model, path, { storage, weightsOnly: saveWeightsOnly });
    const { saveModel, saveWeights } = await import('../../saving/files.js');
    const model = this.model as unknown as AnyModel;
    await (saveWeightsOnly ? saveWeights(model, path, { storage }) : saveModel(model, path, { storage }));
  }

  override captureState(): CallbackState {
    return { values: { best: this.best, since: this.counter?.since ?? 0 } };
  }

  override restoreState({ values }: CallbackState): void {
    this.best = values['best'] as number | null;
    if (this.counter) this.counter.since = values['since'] as number;
  }
}
