import { type ActivationIdentifier, activations } from '@recurra/tensor';

// What layers ask to know whether they compute each sample by itself: see `Layer.independentSamples`.

/** Does an activation look at one sample at a time? All that have names do; what a function of one's own does is not known. */
export function keepsSamplesApart(activation: ActivationIdentifier | undefined): boolean {
  return typeof activation !== 'function' || (Object.values(activations) as unknown[]).includes(activation);
}

/** Are these axes surely behind that of the batch, whatever the rank? Counted from the back, only the last one is. */
export function behindBatch(axis: number | readonly number[]): boolean {
  return [axis].flat().every((a) => a > 0 || a === -1);
}
