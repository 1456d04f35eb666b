import { checkValue, rules } from '@recurra/tensor/extend';
import { findLogName } from '../metrics/naming.js';
import type { CallbackModel } from './callback.js';
import type { Logs } from './logs.js';

/** Is less better ('min') or more ('max')? 'auto': as the metric says. */
export type MonitorMode = 'auto' | 'min' | 'max';

const MODES = rules.oneOf('auto', 'min', 'max');

/** A value of the logs that a callback watches: which it is, and which way is better. One rule for all callbacks that monitor. */
export class Monitor {
  private readonly what: string;
  private readonly name: string;
  private readonly delta: number;
  private up: boolean | null;
  private warned = false;

  /** @param delta smallest change that counts */
  constructor(what: string, name: string, mode: MonitorMode, delta = 0) {
    checkValue(what, 'monitor', name, rules.filledText);
    checkValue(what, 'mode', mode, MODES);
    this.what = what;
    this.name = name;
    this.delta = Math.abs(delta);
    this.up = mode === 'auto' ? null : mode === 'max';
  }

  /**
   * The value in the logs of an epoch. As in Keras, `null` (with a warning, once) where this epoch has none: validation may come every few
   * epochs. Throws `ValueError` where with mode 'auto' the direction cannot be known.
   */
  read(logs: Logs, model: CallbackModel): number | null {
    const found = findLogName(this.name, Object.keys(logs));
    if (found === undefined) {
      if (!this.warned)
        console.warn(
          `${this.what}: "${this.name}" is not among the metrics of this epoch (${Object.keys(logs).join(', ')}). Validation metrics need validationData or validationSplit.`,
        );
      this.warned = true;
      return null;
    }
    this.up ??= model.directionOf(found, this.what) === 'up';
    return logs[found]!;
  }

  /** Is a value better than another, by more than the delta? NaN never is. */
  improves(value: number, than: number): boolean {
    if (Number.isNaN(than)) return !Number.isNaN(value);
    return this.up ? value - this.delta > than : value + this.delta < than;
  }
}
