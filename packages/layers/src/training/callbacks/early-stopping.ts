import type { Tensor } from '@recurra/tensor';
import { type Rules, rules, withDefaults } from '@recurra/tensor/extend';
import { Callback, type CallbackState, type TrainInfo } from '../callback.js';
import type { Logs } from '../logs.js';
import { Monitor, type MonitorMode } from '../monitor.js';
import { SAY } from './rules.js';

/** Options of {@link EarlyStopping}; names and defaults of Keras. */
export interface EarlyStoppingOptions {
  /** 'valLoss' (also written 'val_loss'). */
  readonly monitor?: string;
  /** Smallest change that counts as an improvement; 0. */
  readonly minDelta?: number;
  /** Epochs without improvement before training stops; 0. */
  readonly patience?: number;
  /** Is less better ('min') or more ('max')? 'auto': as the metric says. */
  readonly mode?: MonitorMode;
  /** Must be improved upon, or training stops. */
  readonly baseline?: number | null;
  /** Go back to the weights of the best epoch; false. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before this one do not count; 0. */
  readonly startFromEpoch?: number;
  /** Say when training stops; 0. */
  readonly verbose?: 0 | 1;
}

const RULES: Rules<EarlyStoppingOptions> = {
  monitor: rules.anything,
  minDelta: rules.anyNumber,
  patience: rules.countOrZero,
  mode: rules.anything,
  baseline: rules.orNull(rules.anyNumber),
  restoreBestWeights: rules.flag,
  startFromEpoch: rules.countOrZero,
  verbose: SAY,
};

const DEFAULTS: EarlyStoppingOptions = {
  monitor: 'valLoss',
  minDelta: 0,
  patience: 0,
  mode: 'auto',
  baseline: null,
  restoreBestWeights: false,
  startFromEpoch: 0,
  verbose: 0,
};

/** Stops training when a metric no longer improves. Keras `EarlyStopping`. */
export class EarlyStopping extends Callback {
  /** The epoch at which training stopped, or 0. */
  stoppedEpoch = 0;
  /** The best value so far, and its epoch. */
  best: number | null = null;
  bestEpoch = 0;
  private wait = 0;
  private bestWeights: Tensor[] | null = null;
  private readonly options: Required<EarlyStoppingOptions>;
  private readonly monitor: Monitor;

  constructor(options: EarlyStoppingOptions = {}) {
    super();
    this.options = withDefaults('EarlyStopping', options, DEFAULTS, RULES) as Required<EarlyStoppingOptions>;
    this.monitor = new Monitor('EarlyStopping', this.options.monitor, this.options.mode, this.options.minDelta);
  }

  override onTrainBegin(_info: TrainInfo): void {
    this.wait = 0;
    this.stoppedEpoch = 0;
    this.best = null;
    this.bestEpoch = 0;
    this.bestWeights = null;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const { patience, baseline, restoreBestWeights, startFromEpoch, verbose } = this.options;
    const value = this.monitor.read(logs, this.model);
    if (value === null || epoch < startFromEpoch) return;
    if (restoreBestWeights && this.bestWeights === null) {
      this.bestWeights = this.model.getWeights();
      this.bestEpoch = epoch;
    }
    this.wait++;
    if (this.best === null || this.monitor.improves(value, this.best)) {
      this.best = value;
      this.bestEpoch = epoch;
      if (restoreBestWeights) this.bestWeights = this.model.getWeights();
      if (baseline === null || this.monitor.improves(value, baseline)) this.wait = 0;
      return;
    }
    if (this.wait >= patience && epoch > 0) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
      if (verbose) console.log(`Epoch ${epoch + 1}: early stopping`);
    }
  }

  override onTrainEnd(): void {
    if (!this.options.restoreBestWeights || !this.bestWeights) return;
    if (this.options.verbose)
      console.log(`Restoring model weights from the end of the best epoch: ${this.bestEpoch + 1}.`);
    this.model.setWeights(this.bestWeights);
  }

  override captureState(): CallbackState {
    const { best, bestEpoch, wait, stoppedEpoch, bestWeights } = this;
    return {
      values: { best, bestEpoch, wait, stoppedEpoch, hasWeights: bestWeights !== null },
      tensors: bestWeights ?? [],
    };
  }

  override restoreState({ values, tensors = [] }: CallbackState): void {
    const { hasWeights, ...rest } = values;
    Object.assign(this, rest);
    this.bestWeights = hasWeights === true ? [...tensors] : null;
  }
}
