import { ShapeError, type Tensor, ValueError } from '@recurra/tensor';
import { Layer } from '../../base/layer.js';
import { type Settled, settle } from '../../base/options.js';
import { formatPartial, type PartialShape } from '../../base/symbolic.js';
import type { Variable } from '../../base/variable.js';
import { floating } from '../../internal/floating.js';
import { axesIn, expectAxis, expectEpsilon, expectSizes, sizesOf, spread } from './axes.js';
import { betaSpec, gammaSpec, SCALE_OFFSET, type ScaleOffsetOptions } from './scale-offset.js';
import { standardize } from './standardize.js';

/** Options of {@link GroupNormalization}. */
export interface GroupNormalizationOptions extends ScaleOffsetOptions {
  /** The number of groups of channels, a divisor of theirs; -1: each channel for itself (instance normalization). 32 */
  readonly groups?: number;
  /** The axis of the channels; -1. */
  readonly axis?: number;
  /** Added to the variance; 1e-3. */
  readonly epsilon?: number;
}

/**
 * y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of each sample and each group of neighbouring channels, over all axes but
 * the batch's: [batch, ..., channels], kept. gamma, beta [channels], ones and zeros. A mask passes through. One group normalizes each sample as a whole. Wu &
 * He 2018. Keras `GroupNormalization`.
 */
export class GroupNormalization extends Layer {
  protected override readonly supportsMasking = true;
  protected override settled: Settled<GroupNormalizationOptions>;
  private gamma: Variable | undefined;
  private beta: Variable | undefined;
  private sizes: readonly number[] | undefined;

  constructor(options: GroupNormalizationOptions = {}) {
    super(options);
    this.settled = settle<GroupNormalizationOptions>('GroupNormalization', options, {
      groups: 32,
      axis: -1,
      epsilon: 1e-3,
      ...SCALE_OFFSET,
    });
    const { groups, axis, epsilon } = this.settled;
    if (!Number.isInteger(groups) || (groups < 1 && groups !== -1))
      throw new ValueError(`GroupNormalization: expected groups to be an integer >= 1, or -1, received ${groups}`);
    expectAxis('GroupNormalization', axis, false);
    expectEpsilon('GroupNormalization', epsilon);
  }

  override get className(): string {
    return 'GroupNormalization';
  }

  protected override get independentSamples(): boolean {
    return true;
  }

  /** The axis of the channels, counted from 0. Throws `ShapeError` for the batch's. */
  private channels(shape: PartialShape): number {
    const [axis] = axesIn(this.label, this.settled.axis, shape);
    if (axis === 0)
      throw new ShapeError(
        `${this.label}: expected channels on an axis after the batch's, received axis ${this.settled.axis} of ${formatPartial(shape)}`,
      );
    return axis!;
  }

  protected override checkInputs(shape: PartialShape): void {
    this.channels(shape);
    expectSizes(this.label, this.settled.axis, shape, this.sizes);
  }

  override build(inputShape: PartialShape): void {
    const sizes = sizesOf(this.label, [this.channels(inputShape)], inputShape);
    const channels = sizes[0]!;
    const groups = this.settled.groups === -1 ? channels : this.settled.groups;
    if (groups > channels || channels % groups !== 0)
      throw new ValueError(
        `${this.label}: expected groups that divide the ${channels} channels, received ${groups}. Pass { groups }.`,
      );
    this.settled = { ...this.settled, groups };
    this.sizes = sizes;
    if (this.settled.scale) this.gamma = this.variable(gammaSpec(this.settled, sizes));
    if (this.settled.center) this.beta = this.variable(betaSpec(this.settled, sizes));
  }

  call(inputs: Tensor): Tensor {
    const x = floating(inputs, this.dtype);
    const { groups, epsilon } = this.settled;
    const axis = this.channels(x.shape);
    const channels = x.shape[axis]!;
    const grouped = x.reshape([...x.shape.slice(0, axis), groups, channels / groups, ...x.shape.slice(axis + 1)]);
    // All axes but the batch's and the groups'.
    const axes = grouped.shape.map((_, i) => i).filter((i) => i !== 0 && i !== axis);
    let y = standardize(grouped, axes, epsilon);
    const own = [axis, axis + 1];
    if (this.gamma) y = y.mul(spread(this.gamma.value, own, grouped.shape));
    if (this.beta) y = y.add(spread(this.beta.value, own, grouped.shape));
    return y.reshape(x.shape);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    this.channels(inputShape);
    return inputShape;
  }
}
