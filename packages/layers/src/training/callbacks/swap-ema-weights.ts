import { ValueError } from '@recurra/tensor';
import { checkRules, rules } from '@recurra/tensor/extend';
import { Callback, type CallbackState } from '../callback.js';

/** Options of {@link SwapEMAWeights}. */
export interface SwapEMAWeightsOptions {
  /** Have the averages in place from the end of an epoch to the beginning of the next, for callbacks that come after this one; false. */
  readonly swapOnEpoch?: boolean;
}

/**
 * Puts the moving averages of the weights, which the optimizer keeps with `useEma`, in the place of the weights while the model is validated, evaluated or
 * predicts; training goes on with the weights. Keras `SwapEMAWeights`. Unlike Keras 3.15, it takes them out again after prediction, and after a run that
 * an error ended.
 *
 * Throws `ValueError` where the optimizer keeps no averages.
 */
export class SwapEMAWeights extends Callback {
  private readonly swapOnEpoch: boolean;

  constructor(options: SwapEMAWeightsOptions = {}) {
    super();
    checkRules('SwapEMAWeights', options, { swapOnEpoch: rules.flag });
    const { swapOnEpoch = false } = options;
    this.swapOnEpoch = swapOnEpoch;
  }

  /** Averages in the weights' place, or not. */
  private show(averages: boolean): void {
    const { optimizer } = this.model;
    if (!optimizer.hasAverages)
      throw new ValueError(
        `SwapEMAWeights: expected an optimizer that keeps averages, received ${optimizer.name} without. Compile with new ${optimizer.name}({ useEma: true }).`,
      );
    if (optimizer.swapped !== averages) optimizer.swapAverages();
  }

  override onTrainBegin(): void {
    this.show(false);
  }

  override onEpochBegin(): void {
    this.show(false);
  }

  override onEpochEnd(): void {
    if (this.swapOnEpoch) this.show(true);
  }

  override onTestBegin(): void {
    this.show(true);
  }

  override onTestEnd(): void {
    this.show(false);
  }

  override onPredictBegin(): void {
    this.show(true);
  }

  override onPredictEnd(): void {
    this.show(false);
  }

  override onTrainError(): void {
    this.show(false);
  }

  override captureState(): CallbackState {
    return { values: { swapped: this.model.optimizer.swapped } };
  }

  override restoreState({ values }: CallbackState): void {
    this.model.optimizer.swapped = values['swapped'] === true;
  }
}
