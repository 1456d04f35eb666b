import { type Axes, ShapeError, softmax, type Tensor } from '@recurra/tensor';
import { normalizeAxes, rules } from '@recurra/tensor/extend';
import { behindBatch } from '../base/independence.js';
import { type Context, Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';

/** Options of {@link Softmax}. */
export interface SoftmaxOptions extends LayerOptions {
  /** Along which the outputs sum to 1: one axis, or several together; -1. */
  readonly axis?: number | readonly number[];
}

/** What masked inputs are replaced by, before exp. */
const LOW = -1e9;

/**
 * e^x / sum(e^x) along `axis`: [...] -> [...]. With a mask (the argument, or the one of the inputs), elements where it is false get 0, and the others
 * sum to 1. The mask broadcasts to the inputs (its last axis beside their last), and does not have more axes. Keras `Softmax`.
 *
 * Throws `ShapeError` where a mask does not broadcast: one of steps [batch, time] beside [batch, time, features] needs `expandDims(-1)`.
 */
export class Softmax extends Layer {
  protected override readonly supportsMasking = true;
  protected override readonly callArguments: readonly string[] = [];
  protected override readonly settled: Settled<SoftmaxOptions>;

  constructor(options: SoftmaxOptions = {}) {
    super(options);
    this.settled = settle<SoftmaxOptions>('Softmax', options, { axis: -1 }, { axis: rules.axes });
  }

  override get className(): string {
    return 'Softmax';
  }

  protected override get independentSamples(): boolean {
    return behindBatch(this.settled.axis);
  }

  call(x: Tensor, { mask }: Context): Tensor {
    const axes = normalizeAxes(this.settled.axis as Axes, x.rank, this.label);
    if (!mask) return softmax(x, axes);
    const offset = x.rank - mask.rank;
    if (offset < 0 || mask.shape.some((d, i) => d !== 1 && d !== x.shape[offset + i]))
      throw new ShapeError(
        `${this.label}: expected a mask that broadcasts to the inputs [${x.shape.join(', ')}], received [${mask.shape.join(', ')}]. A mask of steps needs expandDims(-1).`,
      );
    const valid = mask.dtype === 'bool' ? mask : mask.greater(0.5);
    const y = softmax(valid.select(x, LOW).cast(x.dtype), axes);
    return valid.select(y, 0).cast(x.dtype);
  }
}
