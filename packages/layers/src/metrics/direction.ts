import { ValueError } from '@recurra/tensor';
import type { Direction } from './metric.js';
import { findLogName, prefixed } from './naming.js';

/** What says whether more or less of it is better: metrics and losses. */
export interface Directed {
  readonly direction: Direction;
}

/**
 * Whether more ('up') or less ('down') of a monitored value is better, by the metric (or loss) behind it: what `EarlyStopping`,
 * `ModelCheckpoint` and `ReduceLROnPlateau` go by with `mode: 'auto'`. `loss` and those of single outputs go down.
 *
 * @param monitor a name of the logs, also of validation (`valLoss`, `val_loss`)
 * @param metrics what the model measures, by names in the logs (`nameMetrics`)
 * @param what who asks, for messages
 *
 * Throws `ValueError`, asking for `mode`, where it cannot be known: names that no metric has, and functions of one's own.
 */
export function directionOf(monitor: string, metrics: ReadonlyMap<string, Directed>, what = 'monitor'): 'up' | 'down' {
  const known = new Map<string, Directed>([['loss', { direction: 'down' }], ...metrics]);
  const names = [...known.keys()];
  const byLog = new Map(names.flatMap((name) => [[name, name] as const, [prefixed('val', name), name] as const]));
  // A metric of several values has one name a value: precision0, precision1.
  const found = findLogName(monitor, byLog.keys()) ?? findLogName(monitor.replace(/_?\d+$/, ''), byLog.keys());
  const direction = found === undefined ? null : known.get(byLog.get(found)!)!.direction;
  if (direction !== null) return direction;
  const why =
    found === undefined
      ? `no metric has that name (${names.join(', ')})`
      : 'the metric does not say whether more or less is better';
  throw new ValueError(
    `${what}: expected mode 'min' or 'max' with monitor "${monitor}", received 'auto': ${why}. Give mode, or the metric a direction ('up', 'down').`,
  );
}
