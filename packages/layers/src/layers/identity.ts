import type { Tensor } from '@recurra/tensor';
import { Layer } from '../base/layer.js';
import { type LayerOptions, settle } from '../base/options.js';

/** Its inputs, a tensor or a tree of tensors, as they are; masks too. Keras `Identity`. */
export class Identity<T = Tensor> extends Layer<T, T> {
  protected override readonly supportsMasking = true;

  constructor(options: LayerOptions = {}) {
    super(options);
    settle('Identity', options, {});
  }

  override get className(): string {
    return 'Identity';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  call(inputs: T): T {
    return inputs;
  }
}
