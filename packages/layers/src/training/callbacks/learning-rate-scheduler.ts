import { ValueError } from '@recurra/tensor';
import { checkRules, describeValue } from '@recurra/tensor/extend';
import { Callback, type EpochLogs } from '../callback.js';
import { SAY } from './rules.js';

/** Options of {@link LearningRateScheduler}. */
export interface LearningRateSchedulerOptions {
  /** Say what the rate is set to; 0. */
  readonly verbose?: 0 | 1;
}

/**
 * Sets the learning rate at the beginning of each epoch to `schedule(epoch, learningRate)`: the epoch from 0, and the rate so far. The rate of each epoch
 * is in the logs as `learningRate`. Keras `LearningRateScheduler`.
 *
 * Throws `ValueError` for what is no function; in training, where it gives no finite number >= 0, and where the optimizer has a schedule of its own.
 *
 * ```ts
 * new LearningRateScheduler((epoch, rate) => (epoch < 10 ? rate : rate * 0.9));
 * ```
 */
export class LearningRateScheduler extends Callback {
  private readonly schedule: (epoch: number, learningRate: number) => number;
  private readonly verbose: 0 | 1;

  constructor(schedule: (epoch: number, learningRate: number) => number, options: LearningRateSchedulerOptions = {}) {
    super();
    const label = 'LearningRateScheduler';
    checkRules(label, options, { verbose: SAY });
    if (typeof schedule !== 'function')
      throw new ValueError(
        `${label}: expected a function (epoch, learningRate) => learningRate, received ${describeValue(schedule)}. A schedule by steps goes to the optimizer: new Adam({ learningRate: schedule }).`,
      );
    const { verbose = 0 } = options;
    this.schedule = schedule;
    this.verbose = verbose;
  }

  override onEpochBegin(epoch: number): void {
    const { optimizer } = this.model;
    const rate = this.schedule(epoch, optimizer.learningRate);
    if (typeof rate !== 'number' || !Number.isFinite(rate) || rate < 0)
      throw new ValueError(
        `LearningRateScheduler: expected the schedule to give a finite learning rate >= 0 for epoch ${epoch}, received ${describeValue(rate)}`,
      );
    optimizer.learningRate = rate;
    if (this.verbose) console.log(`Epoch ${epoch + 1}: LearningRateScheduler setting learning rate to ${rate}.`);
  }

  override onEpochEnd(_epoch: number, logs: EpochLogs): void {
    logs['learningRate'] = this.model.optimizer.learningRate;
  }
}
