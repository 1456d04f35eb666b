import { ValueError } from '@recurra/tensor';
import { Callback } from '../callback.js';
import type { Logs } from '../logs.js';

/** Ends training with an error as soon as the loss is no number, instead of training on in vain. Keras `TerminateOnNaN`. */
export class TerminateOnNaN extends Callback {
  override onTrainBatchEnd(batch: number, logs: Logs): void {
    const loss = logs['loss'] ?? 0;
    if (!Number.isFinite(loss))
      throw new ValueError(
        `TerminateOnNaN: expected a finite loss, received ${loss} in batch ${batch}. Lower the learning rate, or clip gradients (clipnorm).`,
      );
  }
}
