import { type Tensor, ValueError } from '@recurra/tensor';
import { nextKey } from '@recurra/tensor/extend';
import { copyOf, Variable } from '../base/variable.js';
import type { CallbackState } from './callback.js';
import type { Logs } from './logs.js';

/** A training run at one moment, as values: what {@link TrainState.restore} goes on from, in this process or another. */
export interface Snapshot {
  readonly epoch: number;
  readonly step: number;
  /** Weights, states and seeds of the model, the optimizer's state, the accumulators of the metrics, and the keys, by group and order. */
  readonly groups: Readonly<Record<string, readonly Tensor[]>>;
  /** Where the variables stand, in the order of their groups. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** What the last batch gave. */
  readonly logs: Logs;
  /** What callbacks keep, by the names of their classes and their order. */
  readonly callbacks: readonly { readonly name: string; readonly state: CallbackState }[];
  /** Has someone asked to stop? */
  readonly stopped: boolean;
}

/** A callback, as far as its state is concerned. */
interface Stateful {
  captureState(): CallbackState | null;
  restoreState(state: CallbackState): void;
}

/** What a training run is made of, beside the model's structure and the data. */
export interface TrainParts {
  /** Weights, states and seeds of the model. */
  readonly weights: readonly Variable[];
  readonly optimizer: readonly Variable[];
  readonly metrics: readonly Variable[];
}

/**
 * All that a training run changes: weights, the state of the optimizer, metrics, the random keys, and how far it has come (`epoch`, and `step`, the
 * batches of the epoch that are done). Captured and restored, a run goes on as if it had not been interrupted.
 */
export class TrainState {
  /** The present epoch, from 0. */
  epoch = 0;
  /** Batches of the present epoch that are done. */
  step = 0;
  /** What the last batch gave. */
  logs: Logs = {};
  /** Random numbers of training steps come from it; each step replaces it. */
  readonly key: Variable;
  /** The orders of the epochs come from it. */
  readonly shuffleKey: Variable;
  private readonly parts: () => TrainParts;
  private readonly callbacks: readonly Stateful[];
  private readonly run: { stopTraining: boolean };
  private pending: Snapshot | null = null;

  /**
   * @param parts the variables now: those of the optimizer and of metrics come to be at the first step
   * @param callbacks those of the run, whose state belongs to it
   * @param run what says whether someone asked to stop
   */
  constructor(
    parts: () => TrainParts,
    callbacks: readonly Stateful[] = [],
    run: { stopTraining: boolean } = { stopTraining: false },
  ) {
    this.parts = parts;
    this.run = run;
    this.callbacks = callbacks;
    this.key = new Variable(nextKey(), 'training/key', { role: 'seed' });
    this.shuffleKey = new Variable(nextKey(), 'training/shuffle_key', { role: 'seed' });
  }

  private groups(): Record<string, readonly Variable[]> {
    return { ...this.parts(), keys: [this.key, this.shuffleKey] };
  }

  /** The run as it stands: in `onTrainBatchEnd` after that batch, in `onEpochEnd` before the next epoch. */
  capture(): Snapshot {
    const groups = Object.entries(this.groups());
    return {
      epoch: this.epoch,
      step: this.step,
      groups: Object.fromEntries(groups.map(([name, variables]) => [name, variables.map((v) => v.value)])),
      paths: Object.fromEntries(groups.map(([name, variables]) => [name, variables.map((v) => v.path)])),
      logs: { ...this.logs },
      stopped: this.run.stopTraining,
      callbacks: this.callbacks.flatMap((callback) => {
        const state = callback.captureState();
        return state ? [{ name: callback.constructor.name, state }] : [];
      }),
    };
  }

  /**
   * Goes on from a snapshot: place and epoch at once, all variables before the first epoch begins. Then `ValueError` is thrown where
   * the snapshot is of another model, and nothing is changed. What callbacks kept goes to those of the same class, in their order; a callback
   * that was not there begins anew.
   */
  restore(snapshot: Snapshot): void {
    this.epoch = snapshot.epoch;
    this.step = snapshot.step;
    this.logs = snapshot.logs;
    this.pending = snapshot;
    // Orders of epochs are drawn before the first step.
    const [, shuffle] = snapshot.groups['keys'] ?? [];
    if (shuffle) this.shuffleKey.assign(copyOf(shuffle));
  }

  /** @internal Was it restored, and not gone on from yet? */
  get resuming(): boolean {
    return this.pending !== null;
  }

  /** @internal The variables are all there: what was restored is put in them. */
  ready(): void {
    if (!this.pending) return;
    const { groups: given, callbacks, stopped } = this.pending;
    const groups = this.groups();
    for (const [name, variables] of Object.entries(groups)) {
      const values = given[name];
      if (
        !values ||
        values.length !== variables.length ||
        values.some((t, i) => t.shape.join() !== variables[i]!.shape.join() || t.dtype !== variables[i]!.dtype)
      )
        throw new ValueError(
          `fit: expected a backup of this model (${variables.length} variables of its ${name}), found one of another. Remove the backup, or use the model that it is of.`,
        );
    }
    for (const [name, variables] of Object.entries(groups))
      variables.forEach((v, i) => {
        v.assign(copyOf(given[name]![i]!));
      });
    this.run.stopTraining = stopped;
    const left = [...callbacks];
    for (const callback of this.callbacks) {
      const at = left.findIndex(({ name }) => name === callback.constructor.name);
      if (at >= 0) callback.restoreState(left.splice(at, 1)[0]!.state);
    }
  }

  /** @internal The run goes on. */
  resumed(): void {
    this.pending = null;
  }
}
