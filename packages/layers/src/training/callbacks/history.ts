import { ValueError } from '@recurra/tensor';
import { camelCase } from '@recurra/tensor/extend';
import { Callback } from '../callback.js';
import type { Logs } from '../logs.js';

/** Values by metric, one an epoch (fewer for what is not measured in each). The loss is always there. */
export interface HistoryRecord {
  readonly loss: readonly number[];
  readonly [metric: string]: readonly number[];
}

/** Keeps the metrics of every epoch; `fit` returns one. Keras `History`. */
export class History extends Callback {
  /** Epoch numbers, from 0. */
  readonly epoch: number[] = [];
  /** Values by metric: `history.loss`. Metrics of which one knows that they are there: {@link History.values}. */
  readonly history: HistoryRecord = Object.assign(Object.create(null) as object, { loss: [] });

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    const all = this.history as unknown as Record<string, number[]>;
    for (const [name, value] of Object.entries(logs)) {
      all[name] ??= [];
      all[name].push(value);
    }
  }

  /** The values of a metric (`valLoss`, also written `val_loss`), one an epoch. Throws `ValueError` with the metrics that there are. */
  values(metric: string): readonly number[] {
    const found = this.history[camelCase(metric)];
    if (!found)
      throw new ValueError(
        `history: expected a metric among ${Object.keys(this.history).join(', ')}, received "${metric}"`,
      );
    return found;
  }

  /** The last value of a metric. Throws as {@link History.values}, and before the first epoch. */
  last(metric: string): number {
    const values = this.values(metric);
    const value = values[values.length - 1];
    if (value === undefined) throw new ValueError(`history: expected an epoch before "${metric}" is read, found none`);
    return value;
  }
}
