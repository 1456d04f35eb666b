import { checkRules, type Rules, rules } from '@recurra/tensor/extend';
import { Callback, type CallbackState, type EpochLogs } from '../callback.js';
import { Monitor, type MonitorMode } from '../monitor.js';
import { SAY } from './rules.js';

/** Options of {@link ReduceLROnPlateau}; names and defaults of Keras. */
export interface ReduceLROnPlateauOptions {
  /** 'valLoss' (also written 'val_loss'). */
  readonly monitor?: string;
  /** What the learning rate is multiplied by; 0.1. */
  readonly factor?: number;
  /** Epochs without improvement before that; 10. */
  readonly patience?: number;
  /** Say when it happens; 0. */
  readonly verbose?: 0 | 1;
  /** Is less better ('min') or more ('max')? 'auto': as the metric says. */
  readonly mode?: MonitorMode;
  /** Smallest change that counts as an improvement; 1e-4. */
  readonly minDelta?: number;
  /** Epochs after a reduction that do not count; 0. */
  readonly cooldown?: number;
  /** The learning rate does not fall below it; 0. */
  readonly minLr?: number;
}

const RULES: Rules<ReduceLROnPlateauOptions> = {
  monitor: rules.anything,
  factor: rules.decay,
  patience: rules.countOrZero,
  verbose: SAY,
  mode: rules.anything,
  minDelta: rules.anyNumber,
  cooldown: rules.countOrZero,
  minLr: rules.notNegative,
};

/**
 * Lowers the learning rate when a metric no longer improves. The rate of each epoch is in the logs as `learningRate`. Keras `ReduceLROnPlateau`.
 *
 * Throws `ValueError` for options out of range; in training, where the learning rate is a schedule, which cannot be set.
 */
export class ReduceLROnPlateau extends Callback {
  private readonly options: Required<ReduceLROnPlateauOptions>;
  private readonly monitor: Monitor;
  private best: number | null = null;
  private wait = 0;
  private cooling = 0;

  constructor(options: ReduceLROnPlateauOptions = {}) {
    super();
    const label = 'ReduceLROnPlateau';
    checkRules(label, options, RULES);
    const {
      monitor = 'valLoss',
      factor = 0.1,
      patience = 10,
      verbose = 0,
      mode = 'auto',
      minDelta = 1e-4,
      cooldown = 0,
      minLr = 0,
    } = options;
    this.options = { monitor, factor, patience, verbose, mode, minDelta, cooldown, minLr };
    this.monitor = new Monitor(label, monitor, mode, minDelta);
  }

  override onTrainBegin(): void {
    this.best = null;
    this.wait = 0;
    this.cooling = 0;
  }

  override onEpochEnd(epoch: number, logs: EpochLogs): void {
    const { factor, patience, verbose, cooldown, minLr } = this.options;
    const { optimizer } = this.model;
    const rate = optimizer.learningRate;
    logs['learningRate'] = rate;
    const value = this.monitor.read(logs, this.model);
    if (value === null) return;
    if (this.cooling > 0) {
      this.cooling--;
      this.wait = 0;
    }
    if (this.best === null || this.monitor.improves(value, this.best)) {
      this.best = value;
      this.wait = 0;
    } else if (this.cooling === 0 && ++this.wait >= patience && rate > Math.fround(minLr)) {
      const reduced = Math.max(rate * factor, minLr);
      optimizer.learningRate = reduced;
      if (verbose) console.log(`Epoch ${epoch + 1}: ReduceLROnPlateau reducing learning rate to ${reduced}.`);
      this.cooling = cooldown;
      this.wait = 0;
    }
  }

  override captureState(): CallbackState {
    return { values: { best: this.best, wait: this.wait, cooling: this.cooling } };
  }

  override restoreState({ values }: CallbackState): void {
    Object.assign(this, values);
  }
}
