import { camelCase, type Tensor, ValueError } from '@recurra/tensor';
import type { Sequential } from '../sequential.js';

/** Values of metrics by name: `loss`, `accuracy`, `valLoss`, ... */
export type Logs = Readonly<Record<string, number>>;

/** Hooks into training; a subclass overrides what it needs. They may be asynchronous. */
export abstract class Callback {
  /** The model that is trained; set before training begins. */
  model!: Sequential;

  onTrainBegin(_info: TrainInfo): void | Promise<void> {}
  onTrainEnd(_logs: Logs): void | Promise<void> {}
  onEpochBegin(_epoch: number): void | Promise<void> {}
  onEpochEnd(_epoch: number, _logs: Logs): void | Promise<void> {}
  onTrainBatchBegin(_batch: number): void | Promise<void> {}
  onTrainBatchEnd(_batch: number, _logs: Logs): void | Promise<void> {}
}

/** What a training run will do. */
export interface TrainInfo {
  readonly epochs: number;
  /** Batches an epoch; `null` where a source does not say. */
  readonly steps: number | null;
}

/** Keeps the metrics of every epoch; `fit` returns one. */
export class History extends Callback {
  /** Epoch numbers, from 0. */
  readonly epoch: number[] = [];
  /** Values by metric, one an epoch. */
  readonly history: Record<string, number[]> = {};

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    for (const [name, value] of Object.entries(logs)) {
      this.history[name] ??= [];
      this.history[name].push(value);
    }
  }
}

/** Options of {@link EarlyStopping}; names and defaults of Keras. */
export interface EarlyStoppingOptions {
  /** 'valLoss' (also written 'val_loss'). */
  readonly monitor?: string;
  /** Smallest change that counts as an improvement; 0. */
  readonly minDelta?: number;
  /** Epochs without improvement before training stops; 0. */
  readonly patience?: number;
  /** Is less better ('min') or more ('max')? 'auto': more for accuracies, precision, recall and auc. */
  readonly mode?: 'auto' | 'min' | 'max';
  /** Must be improved upon, or training stops. */
  readonly baseline?: number | null;
  /** Go back to the weights of the best epoch; false. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before this one do not count; 0. */
  readonly startFromEpoch?: number;
}

/** Stops training when a metric no longer improves. */
export class EarlyStopping extends Callback {
  /** The epoch at which training stopped, or 0. */
  stoppedEpoch = 0;
  /** The best value so far, and its epoch. */
  best: number | null = null;
  bestEpoch = 0;
  private wait = 0;
  private bestWeights: Tensor[] | null = null;
  private readonly options: Required<EarlyStoppingOptions>;
  private readonly up: boolean;

  constructor(options: EarlyStoppingOptions = {}) {
    super();
    this.options = {
      monitor: 'valLoss',
      minDelta: 0,
      patience: 0,
      mode: 'auto',
      baseline: null,
      restoreBestWeights: false,
      startFromEpoch: 0,
      ...options,
    };
    const { mode, monitor } = this.options;
    this.up = mode === 'max' || (mode === 'auto' && /acc|precision|recall|auc/i.test(monitor));
  }

  override onTrainBegin(): void {
    this.wait = 0;
    this.stoppedEpoch = 0;
    this.best = null;
    this.bestEpoch = 0;
    this.bestWeights = null;
  }

  private improves(value: number, than: number): boolean {
    const delta = Math.abs(this.options.minDelta);
    return this.up ? value - delta > than : value + delta < than;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const { patience, baseline, restoreBestWeights, startFromEpoch } = this.options;
    const name = camelCase(this.options.monitor);
    const value = logs[name];
    if (value === undefined)
      throw new ValueError(
        `EarlyStopping: expected a metric among ${Object.keys(logs).join(', ')}, received "${this.options.monitor}". Validation metrics need validationData or validationSplit.`,
      );
    if (epoch < startFromEpoch) return;
    if (restoreBestWeights && this.bestWeights === null) this.bestWeights = this.model.getWeights();
    this.wait++;
    if (this.best === null || this.improves(value, this.best)) {
      this.best = value;
      this.bestEpoch = epoch;
      if (restoreBestWeights) this.bestWeights = this.model.getWeights();
      if (baseline === null || this.improves(value, baseline)) this.wait = 0;
      return;
    }
    if (this.wait >= patience && epoch > 0) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
    }
  }

  override onTrainEnd(): void {
    if (this.options.restoreBestWeights && this.bestWeights) this.model.setWeights(this.bestWeights);
  }
}

/** Ends training with an error as soon as the loss is no number, instead of training on in vain. */
export class TerminateOnNaN extends Callback {
  override onTrainBatchEnd(batch: number, logs: Logs): void {
    if (!Number.isFinite(logs['loss'] ?? 0))
      throw new ValueError(
        `TerminateOnNaN: expected a finite loss, received ${logs['loss']} in batch ${batch}. Lower the learning rate, or clip gradients (clipnorm).`,
      );
  }
}

/** A callback from functions, without a class. */
export class LambdaCallback extends Callback {
  private readonly hooks: Partial<Omit<Callback, 'model'>>;

  constructor(hooks: Partial<Omit<Callback, 'model'>>) {
    super();
    this.hooks = hooks;
  }

  override onTrainBegin(info: TrainInfo): void | Promise<void> {
    return this.hooks.onTrainBegin?.(info);
  }
  override onTrainEnd(logs: Logs): void | Promise<void> {
    return this.hooks.onTrainEnd?.(logs);
  }
  override onEpochBegin(epoch: number): void | Promise<void> {
    return this.hooks.onEpochBegin?.(epoch);
  }
  override onEpochEnd(epoch: number, logs: Logs): void | Promise<void> {
    return this.hooks.onEpochEnd?.(epoch, logs);
  }
  override onTrainBatchEnd(batch: number, logs: Logs): void | Promise<void> {
    return this.hooks.onTrainBatchEnd?.(batch, logs);
  }
}
