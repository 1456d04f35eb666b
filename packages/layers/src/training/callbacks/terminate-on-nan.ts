import { ValueError } from '@recurra/tensor';
import { checkRules, rules } from '@recurra/tensor/extend';
import { Callback } from '../callback.js';
import type { Logs } from '../logs.js';

/** Options of {@link TerminateOnNaN}. */
export interface TerminateOnNaNOptions {
  /** Reject with `ValueError` rather than stop: `onTrainEnd` is not called then, and backups stay; false. */
  readonly raiseError?: boolean;
}

/** Ends training as soon as the loss is no finite number, instead of training on in vain. Keras `TerminateOnNaN`. */
export class TerminateOnNaN extends Callback {
  private readonly raiseError: boolean;

  constructor(options: TerminateOnNaNOptions = {}) {
    super();
    checkRules('TerminateOnNaN', options, { raiseError: rules.flag });
    const { raiseError = false } = options;
    this.raiseError = raiseError;
  }

  override onTrainBatchEnd(batch: number, logs: Logs): void {
    const loss = logs['loss'] ?? 0;
    if (Number.isFinite(loss)) return;
    const text = `TerminateOnNaN: expected a finite loss, received ${loss} in batch ${batch}. Lower the learning rate, or clip gradients (clipnorm).`;
    if (this.raiseError) throw new ValueError(text);
    console.warn(text);
    this.model.stopTraining = true;
  }
}
