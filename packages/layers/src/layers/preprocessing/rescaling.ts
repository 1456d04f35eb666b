import { type Tensor, type TensorLike, ValueError } from '@recurra/tensor';
import { asTensor, describeValue } from '@recurra/tensor/extend';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, settle } from '../../base/options.js';
import { floating } from '../../internal/floating.js';

/** Options of {@link Rescaling}. */
export interface RescalingOptions extends LayerOptions {
  /** 0 */
  readonly offset?: number | readonly number[];
}

/**
 * x * scale + offset, in the layer's dtype: bytes to 0..1 with `new Rescaling(1 / 255)`. Lists hold one number for each index of the last axis.
 * Keras `Rescaling`. Throws `ValueError` for what is no finite number.
 */
export class Rescaling extends Layer {
  static override readonly positional: readonly string[] = ['scale'];
  protected override readonly supportsMasking = true;
  private readonly scale: number | readonly number[];
  private readonly offset: number | readonly number[];

  constructor(scale: number | readonly number[], options: RescalingOptions = {}) {
    super(options);
    const { offset } = settle<RescalingOptions>('Rescaling', options, { offset: 0 });
    this.scale = finite('scale', scale);
    this.offset = finite('offset', offset);
  }

  override get className(): string {
    return 'Rescaling';
  }

  protected override get independentSamples(): boolean {
    // The last axis of single numbers is that of the batch.
    return typeof this.scale === 'number' && typeof this.offset === 'number';
  }

  call(x: Tensor): Tensor {
    const like = (value: TensorLike): Tensor => asTensor(value, this.dtype).cast(this.dtype);
    return floating(x, this.dtype).mul(like(this.scale)).add(like(this.offset));
  }

  protected override fields(): Record<string, unknown> {
    return { scale: this.scale, offset: this.offset };
  }
}

function finite(name: string, value: unknown): number | readonly number[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length === 0 || !all.every(Number.isFinite))
    throw new ValueError(
      `Rescaling: expected ${name} to be a number or a list of numbers, received ${describeValue(value)}`,
    );
  return Array.isArray(value) ? [...(value as number[])] : (value as number);
}
