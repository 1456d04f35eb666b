import { initializers } from '@recurra/cells';
import type { Tensor } from '@recurra/tensor';
import { behindBatch } from '../../base/independence.js';
import { Layer } from '../../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { floating } from '../../internal/floating.js';
import { type AxisOption, axesIn, expectAxis, expectEpsilon, expectSizes, inOrder, sizesOf, spread } from './axes.js';

/** Options of {@link RMSNormalization}. */
export interface RMSNormalizationOptions extends LayerOptions {
  /** The axis, or axes, that the mean is taken over: -1, the features. */
  readonly axis?: AxisOption;
  /** Added to the mean of the squares; 1e-6. */
  readonly epsilon?: number;
}

/**
 * y = scale x / sqrt(mean(x^2) + epsilon), the mean of each sample (each step, by default) over `axis`. Any shape, kept. `scale` [sizes of axis],
 * ones. As in Keras, it does not know of masks: what comes after it sees none. Zhang & Sennrich 2019. Keras `RMSNormalization`.
 */
export class RMSNormalization extends Layer {
  protected override settled: Settled<RMSNormalizationOptions>;
  private scale!: Variable;
  private sizes: readonly number[] | undefined;

  constructor(options: RMSNormalizationOptions = {}) {
    super(options);
    this.settled = settle<RMSNormalizationOptions>('RMSNormalization', options, { axis: -1, epsilon: 1e-6 });
    expectAxis('RMSNormalization', this.settled.axis, true);
    expectEpsilon('RMSNormalization', this.settled.epsilon);
  }

  override get className(): string {
    return 'RMSNormalization';
  }

  protected override get independentSamples(): boolean {
    return behindBatch(this.settled.axis);
  }

  protected override checkInputs(shape: PartialShape): void {
    expectSizes(this.label, this.settled.axis, shape, this.sizes);
  }

  override build(inputShape: PartialShape): void {
    const axis = inOrder(this.settled.axis);
    this.settled = { ...this.settled, axis };
    this.sizes = sizesOf(this.label, axesIn(this.label, axis, inputShape), inputShape);
    this.scale = this.variable({ name: 'scale', shape: this.sizes, initializer: initializers.ones() });
  }

  call(inputs: Tensor): Tensor {
    const x = floating(inputs, this.dtype);
    const axes = axesIn(this.label, this.settled.axis, x.shape);
    const scale = spread(this.scale.value, axes, x.shape);
    const inverse = x.square().mean(axes, { keepDims: true }).add(this.settled.epsilon).rsqrt();
    return x.mul(inverse).mul(scale);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    axesIn(this.label, this.settled.axis, inputShape);
    return inputShape;
  }
}
