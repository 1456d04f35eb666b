import { nextKey, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { Variable } from '../base/variable.js';

/** A training run at one moment, as values: what {@link TrainState.restore} goes on from, in this process or another. */
export interface Snapshot {
  readonly epoch: number;
  readonly step: number;
  /** Weights, states and seeds of the model, the optimizer's state, the accumulators of the metrics, and the keys, by group and order. */
  readonly groups: Readonly<Record<string, readonly Tensor[]>>;
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
  /** Random numbers of training steps come from it; each step replaces it. */
  readonly key: Variable;
  /** The orders of the epochs come from it. */
  readonly shuffleKey: Variable;
  private readonly parts: () => TrainParts;
  private pending: Snapshot | null = null;

  /** @param parts the variables now: those of the optimizer and of metrics come to be at the first step */
  constructor(parts: () => TrainParts) {
    this.parts = parts;
    this.key = new Variable(nextKey(), 'training/key', { role: 'seed' });
    this.shuffleKey = new Variable(nextKey(), 'training/shuffle_key', { role: 'seed' });
  }

  private groups(): Record<string, readonly Variable[]> {
    return { ...this.parts(), keys: [this.key, this.shuffleKey] };
  }

  /** The run as it stands. */
  capture(): Snapshot {
    const groups = Object.fromEntries(
      Object.entries(this.groups()).map(([name, variables]) => [name, variables.map((v) => v.value)]),
    );
    return { epoch: this.epoch, step: this.step, groups };
  }

  /**
   * Goes on from a snapshot: place and epoch at once, all variables when they are there (before the first step). Then `ValueError` is thrown where
   * the snapshot is of another model, and nothing is changed.
   */
  restore(snapshot: Snapshot): void {
    this.epoch = snapshot.epoch;
    this.step = snapshot.step;
    this.pending = snapshot;
    // Orders of epochs are drawn before the first step.
    const [, shuffle] = snapshot.groups['keys'] ?? [];
    if (shuffle) this.shuffleKey.assign(own(shuffle));
  }

  /** @internal The variables are all there: what was restored is put in them. */
  ready(): void {
    if (!this.pending) return;
    const given = this.pending.groups;
    const groups = this.groups();
    for (const [name, variables] of Object.entries(groups)) {
      const values = given[name];
      if (
        !values ||
        values.length !== variables.length ||
        values.some((t, i) => t.shape.join() !== variables[i]!.shape.join() || t.dtype !== variables[i]!.value.dtype)
      )
        throw new ValueError(
          `fit: expected a backup of this model (${variables.length} variables of its ${name}), found one of another. Remove the backup, or use the model that it is of.`,
        );
    }
    for (const [name, variables] of Object.entries(groups))
      variables.forEach((v, i) => {
        v.assign(own(given[name]![i]!));
      });
    this.pending = null;
  }
}

/** A tensor that nobody else holds. */
function own(value: Tensor): Tensor {
  return tensor(value.data.slice(), { shape: [...value.shape], dtype: value.dtype });
}
