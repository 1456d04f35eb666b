import { type Tensor, ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { Layer } from '../base/layer.js';
import { type LayerOptions, settle } from '../base/options.js';
import type { PartialShape } from '../base/symbolic.js';

/**
 * The axes after the batch axis in another order, counted from 1: `dims` [2, 1] makes [batch, features, time] of [batch, time, features].
 * A mask ends here. Keras `Permute`.
 */
export class Permute extends Layer {
  static override readonly positional: readonly string[] = ['dims'];
  readonly dims: readonly number[];

  constructor(dims: readonly number[], options: LayerOptions = {}) {
    super(options);
    settle('Permute', options, {});
    const sorted = Array.isArray(dims) ? [...dims].sort((a, b) => a - b) : [];
    if (!Array.isArray(dims) || sorted.some((d, i) => d !== i + 1))
      throw new ValueError(
        `Permute: expected dims to be an order of the axes 1, 2, ... (0, the batch, stays), received ${describeValue(dims)}`,
      );
    this.dims = [...dims];
  }

  override get className(): string {
    return 'Permute';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.expectRank(
      shape,
      this.dims.length + 1,
      '[batch, ...]',
      `dims [${this.dims.join(', ')}] are all axes but the batch.`,
    );
  }

  call(x: Tensor): Tensor {
    return x.transpose([0, ...this.dims]);
  }

  protected override fields(): Record<string, unknown> {
    return { dims: this.dims };
  }
}
