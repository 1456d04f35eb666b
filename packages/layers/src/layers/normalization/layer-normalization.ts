import { layerNormalization, type Tensor } from '@recurra/tensor';
import { behindBatch } from '../../base/independence.js';
import { Layer } from '../../base/layer.js';
import { type Settled, settle } from '../../base/options.js';
import type { PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { floating } from '../../internal/floating.js';
import { type AxisOption, axesIn, expectAxis, expectEpsilon, expectSizes, inOrder, sizesOf, spread } from './axes.js';
import { betaSpec, gammaSpec, SCALE_OFFSET, type ScaleOffsetOptions } from './scale-offset.js';
import { standardize } from './standardize.js';

/** Options of {@link LayerNormalization}. */
export interface LayerNormalizationOptions extends ScaleOffsetOptions {
  /** The axis, or axes, that mean and variance are taken over: -1, the features. */
  readonly axis?: AxisOption;
  /** Added to the variance; 1e-3. */
  readonly epsilon?: number;
  /** x / sqrt(variance + epsilon) gamma, without mean and beta: what Keras once took for {@link RMSNormalization}; false. */
  readonly rmsScaling?: boolean;
}

/**
 * y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of each sample (each step, by default) over `axis`. Any shape, kept.
 * gamma [sizes of axis], ones; beta, zeros. A mask passes through. Ba et al. 2016. Keras `LayerNormalization`.
 *
 * ```ts
 * new LayerNormalization().apply(tensor([[1, 2, 3]])).toArray(); // [[-1.2238, 0, 1.2238]]
 * ```
 */
export class LayerNormalization extends Layer {
  protected override readonly supportsMasking = true;
  protected override settled: Settled<LayerNormalizationOptions>;
  private gamma: Variable | undefined;
  private beta: Variable | undefined;
  private sizes: readonly number[] | undefined;

  constructor(options: LayerNormalizationOptions = {}) {
    super(options);
    this.settled = settle<LayerNormalizationOptions>('LayerNormalization', options, {
      axis: -1,
      epsilon: 1e-3,
      ...SCALE_OFFSET,
      rmsScaling: false,
    });
    expectAxis('LayerNormalization', this.settled.axis, true);
    expectEpsilon('LayerNormalization', this.settled.epsilon);
  }

  override get className(): string {
    return 'LayerNormalization';
  }

  protected override get independentSamples(): boolean {
    return behindBatch(this.settled.axis);
  }

  protected override checkInputs(shape: PartialShape): void {
    expectSizes(this.label, this.settled.axis, shape, this.sizes);
  }

  override build(inputShape: PartialShape): void {
    const { scale, center, rmsScaling } = this.settled;
    const axis = inOrder(this.settled.axis);
    this.settled = { ...this.settled, axis };
    this.sizes = sizesOf(this.label, axesIn(this.label, axis, inputShape), inputShape);
    if (scale || rmsScaling) this.gamma = this.variable(gammaSpec(this.settled, this.sizes));
    if (center && !rmsScaling) this.beta = this.variable(betaSpec(this.settled, this.sizes));
  }

  call(inputs: Tensor): Tensor {
    const x = floating(inputs, this.dtype);
    const { epsilon, rmsScaling } = this.settled;
    const axes = axesIn(this.label, this.settled.axis, x.shape);
    const gamma = this.gamma?.value ?? null;
    const beta = this.beta?.value ?? null;
    if (axes.length === 1 && !rmsScaling) return layerNormalization(x, gamma, beta, { axis: axes[0]!, epsilon });
    let y = rmsScaling
      ? x.mul(x.variance(axes, { keepDims: true }).add(epsilon).rsqrt())
      : standardize(x, axes, epsilon);
    if (gamma) y = y.mul(spread(gamma, axes, x.shape));
    return beta ? y.add(spread(beta, axes, x.shape)) : y;
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    axesIn(this.label, this.settled.axis, inputShape);
    return inputShape;
  }
}
