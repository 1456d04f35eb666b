import {
  type Activation as ActivationFunction,
  type ActivationIdentifier,
  resolveActivation,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { describeActivation } from '@recurra/tensor/extend';
import { keepsSamplesApart } from '../base/independence.js';
import { Layer } from '../base/layer.js';
import { type LayerOptions, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';

/** An activation as a layer of its own. Keras `Activation`. */
export class Activation extends Layer {
  static override readonly positional: readonly string[] = ['activation'];
  protected override readonly supportsMasking = true;
  private readonly identifier: ActivationIdentifier;
  private readonly activation: ActivationFunction;

  constructor(activation: ActivationIdentifier, options: LayerOptions = {}) {
    super(options);
    settle('Activation', options, {});
    if (activation === undefined)
      throw new ValueError(
        'Activation: expected the name of an activation, a function, or null (linear), received undefined',
      );
    this.identifier = activation;
    this.activation = resolveActivation(activation);
  }

  override get className(): string {
    return 'Activation';
  }

  protected override get independentSamples(): boolean {
    return keepsSamplesApart(this.identifier);
  }

  call(x: Tensor): Tensor {
    return this.activation(x);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return inputShape;
  }

  protected override fields(): Record<string, unknown> {
    return { activation: describeActivation(this.identifier) };
  }
}
