import { prefixed } from '../metrics/naming.js';
import type { Batches } from './batches.js';
import type { Callbacks, EpochLogs } from './callback.js';
import type { Logs } from './logs.js';
import type { Samples } from './samples.js';
import type { TrainState } from './state.js';

/** What the loop drives: compiled steps over loss and metrics that are counted since the last reset. */
export interface Steps {
  /** Called with the first batch, before anything is computed: variables that depend on it come to be. */
  prepare(batch: Samples): void;
  train(batch: Samples, state: TrainState): Promise<Logs>;
  test(batch: Samples): Promise<Logs>;
  reset(): void;
  suspend(): () => void;
}

/** How a run goes. */
export interface LoopOptions {
  readonly epochs: number;
  /** Batches to validate on, anew each time. */
  readonly validation: (() => Batches) | null;
  readonly validates: (epoch: number) => boolean;
  /** Has someone asked to stop? */
  readonly stopped: () => boolean;
  readonly signal: AbortSignal | null;
}

/**
 * Training as an object of its own: passes over batches, tells callbacks, and keeps in a {@link TrainState} how far it has come. What a step is, it
 * does not know.
 */
export class Loop {
  private readonly steps: Steps;
  private readonly callbacks: Callbacks;

  constructor(steps: Steps, callbacks: Callbacks) {
    this.steps = steps;
    this.callbacks = callbacks;
  }

  /** Trains from where `state` stands to the last epoch; resolves to the last logs. */
  async train(batches: Batches, state: TrainState, options: LoopOptions): Promise<Logs> {
    const { steps, callbacks } = this;
    const { epochs, validation, validates, stopped, signal } = options;
    let logs: EpochLogs = { ...state.logs };
    let prepared = false;
    const prepare = (batch: Samples): void => {
      steps.prepare(batch);
      state.ready();
      prepared = true;
    };
    try {
      // What was restored is in its place before callbacks read it, also where no batch is left.
      const { resuming } = state;
      if (resuming) prepare(await batches.sample(state.epoch));
      for (let within = resuming && state.step > 0; state.epoch < epochs && (within || !stopped()); within = false) {
        const { epoch } = state;
        if (prepared && !within) steps.reset();
        const begun = callbacks.call('onEpochBegin', epoch);
        if (begun) await begun;
        // In the middle of an epoch, what callbacks changed at its beginning is restored with the rest: not to be done twice.
        if (within) state.ready();
        state.resumed();
        // A run may have been asked to stop within the epoch that it goes on with: then no batch of it is left.
        const rest = within && stopped() ? [] : batches.epoch(epoch, state.step);
        for await (const batch of rest) {
          if (!prepared) {
            prepare(batch);
            steps.reset();
          }
          signal?.throwIfAborted();
          const before = callbacks.call('onTrainBatchBegin', state.step);
          if (before) await before;
          logs = await steps.train(batch, state);
          state.step++;
          state.logs = logs;
          const after = callbacks.call('onTrainBatchEnd', state.step - 1, logs);
          if (after) await after;
          if (stopped()) break;
        }
        logs = { ...logs };
        if (validation && validates(epoch)) {
          const found = await this.test(validation(), signal);
          for (const [name, value] of Object.entries(found)) logs[prefixed('val', name)] = value;
        }
        // What is captured from here on goes on with the next epoch.
        state.epoch++;
        state.step = 0;
        state.logs = logs;
        const ended = callbacks.call('onEpochEnd', epoch, logs);
        if (ended) await ended;
      }
    } finally {
      await batches.close();
    }
    return logs;
  }

  /** Loss and metrics over batches. */
  async test(batches: Batches, signal: AbortSignal | null): Promise<Logs> {
    const { steps, callbacks } = this;
    const resume = steps.suspend();
    let logs: Logs = {};
    try {
      const begun = callbacks.call('onTestBegin');
      if (begun) await begun;
      let step = 0;
      for await (const batch of batches.epoch(0)) {
        signal?.throwIfAborted();
        if (step === 0) {
          steps.prepare(batch);
          steps.reset();
        }
        const before = callbacks.call('onTestBatchBegin', step);
        if (before) await before;
        logs = await steps.test(batch);
        const after = callbacks.call('onTestBatchEnd', step, logs);
        if (after) await after;
        step++;
      }
      const ended = callbacks.call('onTestEnd', logs);
      if (ended) await ended;
    } finally {
      resume();
      await batches.close();
    }
    return logs;
  }
}
